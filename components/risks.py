"""What a cluster would accept and an operator would regret.

Each risk has a name. A stack accepts one with a reason that stays in its file, for the next reader:
`pulumi config set --path acceptedRisks.<name> "why"`. Without that, a grave one is refused and another is a warning.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Facts:
    """What the risks look at. `options` are the ordinary settings; `serious` is a protected stack or one of prod."""

    serious: bool
    login: bool
    hub_database: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Risk:
    """One risk: its name, when it is there, what would happen, the setting that ends it, and whether it is grave."""

    name: str
    there: Callable[[Facts], bool]
    why: str
    remedy: str
    grave: Callable[[Facts], bool] = lambda facts: facts.serious

    @property
    def acceptance(self) -> str:
        """The command that accepts it."""
        return f'pulumi config set --path acceptedRisks.{self.name} "why"'


RISKS: Final = (
    Risk(
        "unlimitedLaunches",
        lambda f: f.serious and not f.login and "launchQuota" not in f.options,
        "anybody on the internet may start servers until the cluster is full",
        "pulumi config set launchQuota 200",
    ),
    Risk(
        "noRateLimit",
        lambda f: f.serious and not f.login and f.options.get("rateLimit") == 0,
        "one address may start launches without end",
        "pulumi config set rateLimit 10",
    ),
    Risk(
        "loginOverHttp",
        lambda f: f.login,
        "with exposure loadbalancer, browsers send logins and cookies unencrypted",
        "pulumi config set authenticator none",
    ),
    Risk(
        "loginsInMemory",
        lambda f: f.login and f.hub_database == "memory",
        "a restart of the hub forgets who is logged in",
        "pulumi config set hubDatabase volume",
        lambda _: False,
    ),
    Risk(
        "serversForEver",
        lambda f: f.serious and f.options.get("cullMaxAge") == 0,
        "an open browser tab keeps a server for ever: culling counts idle ones only",
        "pulumi config set cullMaxAge 21600",
        lambda _: False,
    ),
    Risk(
        "anyOrigin",
        lambda f: f.serious and f.options.get("corsOrigin") == "*",
        "every page on the internet may launch with its visitors' browsers",
        "pulumi config set corsOrigin https://example.org",
        lambda _: False,
    ),
    Risk(
        "hostBuilder",
        lambda f: f.options.get("builder") == "host",
        "builds need Docker on the nodes; on containerd, which is usual, they hang",
        "pulumi config set builder dind",
        lambda _: False,
    ),
)
NAMES: Final = tuple(risk.name for risk in RISKS)


def found(facts: Facts, accepted: Mapping[str, str]) -> tuple[list[Risk], list[Risk]]:
    """Return the risks that are there and not accepted: (grave ones, others)."""
    there = [risk for risk in RISKS if risk.there(facts) and risk.name not in accepted]
    return [risk for risk in there if risk.grave(facts)], [risk for risk in there if not risk.grave(facts)]
