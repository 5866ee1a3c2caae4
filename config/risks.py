"""Risks: what a cluster would accept and an operator would regret.

Each risk has a name. A stack accepts one with a reason that stays in its file, for the next reader:
`pulumi config set --path acceptedRisks.<name> "why"`. Without that, a grave one is refused and another is a warning.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from config.reader import Reader

# Where a cluster's own machines live, and where a cloud hands out the credentials of its nodes.
_PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.169.254/32")


@dataclass(frozen=True)
class Facts:
    """What the risks look at.

    `options` are the ordinary settings; `serious` is a protected stack or one of prod; `own` are the user's own Helm
    values.
    """

    serious: bool
    login: bool
    hub_database: str
    options: Mapping[str, Any]
    own: Mapping[str, Any] = field(default_factory=dict)

    def hub_value(self, path: str) -> Any:
        """Return what stands in the user's own values at a dotted path below `jupyterhub`; None if nothing does."""
        found: Any = self.own.get("jupyterhub")
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found


def _private_reachable(facts: Facts) -> bool:
    """Whether users' servers may reach private networks, by an allowing rule of the chart or by one of their own."""
    allowed = facts.hub_value("singleuser.networkPolicy.egressAllowRules") or {}
    rules = facts.hub_value("singleuser.networkPolicy.egress") or []
    named = isinstance(allowed, Mapping) and any(allowed.get(k) is True for k in ("privateIPs", "cloudMetadataServer"))
    return named or (isinstance(rules, list) and any(map(_leads_inside, rules)))


def _leads_inside(rule: Any) -> bool:
    """Whether an egress rule of a NetworkPolicy leads into a private range. One without `to` leads everywhere.

    One for DNS alone is no risk: the chart's own rules have it, since a cluster's name servers are private.
    """
    if not isinstance(rule, Mapping) or _only_dns(rule.get("ports")):
        return False
    if not rule.get("to"):
        return True
    blocks = [peer["ipBlock"] for peer in rule["to"] if isinstance(peer, Mapping) and peer.get("ipBlock")]
    try:
        return any(_open(block["cidr"], block.get("except") or []) for block in blocks)
    except (KeyError, TypeError, ValueError):
        return False  # no rule at all: the server says so


def _only_dns(ports: Any) -> bool:
    listed = ports if isinstance(ports, list) else []
    return bool(listed) and all(
        isinstance(one, Mapping) and one.get("port") == 53 and "endPort" not in one for one in listed
    )


def _open(cidr: str, exceptions: list[str]) -> bool:
    """Whether a block without its exceptions has an address of a private range."""
    # The server takes bits behind the mask, too.
    whole, *shut = (ipaddress.ip_network(one, strict=False) for one in (cidr, *exceptions))
    if not isinstance(whole, ipaddress.IPv4Network):
        return False
    private = [one for one in map(ipaddress.IPv4Network, _PRIVATE) if one.overlaps(whole)]
    # Of two blocks that overlap, the smaller one is what both have.
    shared = [one if one.subnet_of(whole) else whole for one in private]
    return any(_remains(one, [block for block in shut if isinstance(block, ipaddress.IPv4Network)]) for one in shared)


def _remains(block: ipaddress.IPv4Network, shut: list[ipaddress.IPv4Network]) -> bool:
    """Whether some of a block is left outside of all others; they may cover it together."""
    left = [block]
    for one in shut:
        left = [part for part in left if not part.subnet_of(one)]
        left = [rest for part in left for rest in (part.address_exclude(one) if one.subnet_of(part) else [part])]
    return bool(left)


def _unfenced_hub(facts: Facts) -> bool:
    return any(facts.hub_value(f"{part}.networkPolicy.enabled") is False for part in ("hub", "proxy.chp"))


def _rooted(facts: Facts) -> bool:
    sections = [f"hub.config.{name}.privileged" for name in ("Spawner", "KubeSpawner", "BinderSpawner")]
    powers = ["singleuser.allowPrivilegeEscalation", *sections]
    return any(facts.hub_value(path) is True for path in powers) or facts.hub_value("singleuser.uid") == 0


def _seen_elsewhere(_: Facts) -> bool:
    """For what only the check in previews can see; the name is here so that it can be accepted."""
    return False


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
        "noCulling",
        lambda f: f.serious and f.hub_value("cull.enabled") is False,
        "servers that nobody uses run until somebody stops them by hand",
        "take jupyterhub.cull.enabled out of the values file",
    ),
    Risk(
        "usersUnfenced",
        lambda f: f.serious and f.hub_value("singleuser.networkPolicy.enabled") is False,
        "any visitor's code reaches everything that a pod can reach, the cluster's inside too",
        "take jupyterhub.singleuser.networkPolicy.enabled out of the values file",
    ),
    Risk(
        "privateNetworks",
        lambda f: f.serious and _private_reachable(f),
        "any visitor's code reaches private addresses: other machines, or the nodes' cloud credentials",
        "narrow the egress rules of jupyterhub.singleuser.networkPolicy in the values file",
    ),
    Risk(
        "rootUsers",
        lambda f: f.serious and _rooted(f),
        "visitors may become root in their servers, one step from the node",
        "take uid, allowPrivilegeEscalation and privileged of users' servers out of the values file",
    ),
    Risk(
        "usersAccount",
        lambda f: f.serious and bool(f.hub_value("singleuser.serviceAccountName")),
        "any visitor's code has the rights of that service account in the cluster: its token lies in every server",
        "take jupyterhub.singleuser.serviceAccountName out of the values file",
    ),
    Risk(
        "hubUnfenced",
        lambda f: f.serious and _unfenced_hub(f),
        "users' servers may talk to the inner ports of hub and proxy",
        "take networkPolicy.enabled of jupyterhub.hub and jupyterhub.proxy.chp out of the values file",
        lambda _: False,
    ),
    Risk(
        "emptyNodePool",
        _seen_elsewhere,
        "previews refuse a node selector that no node fits; a pool that starts without nodes has none yet",
        "kubectl get nodes --show-labels",
        lambda _: False,
    ),
    Risk(
        "unknownConfig",
        _seen_elsewhere,
        "the application is silent about a misspelt class under config, so unknown names are refused",
        "the right name, as the refusal shows it",
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


def found(facts: Facts, reasons: Mapping[str, str]) -> tuple[list[Risk], list[Risk]]:
    """Return the risks that are there and not accepted: (grave ones, others)."""
    there = [risk for risk in RISKS if risk.there(facts) and risk.name not in reasons]
    return [risk for risk in there if risk.grave(facts)], [risk for risk in there if not risk.grave(facts)]


def accepted(reader: Reader) -> dict[str, str]:
    """Return the risks that a stack accepts, with their reasons; unknown names and empty reasons are refused."""
    given = reader.mapping("acceptedRisks", NAMES)
    for name, reason in given.items():
        if not reason.strip():
            reader.refuse(f"acceptedRisks.{name}", reason, "the reason, for the next reader of this file")
    return given


def refuse(reader: Reader, facts: Facts, reasons: Mapping[str, str]) -> list[str]:
    """Refuse grave risks that nobody accepted, and return the others as warnings."""
    grave, others = found(facts, reasons)
    for risk in grave:
        shown, expected = f"a risk that nobody accepted: {risk.why}", "a safer setting, or the reason why not"
        example = f"{risk.remedy}\n      or accept: {risk.acceptance}"
        reader.tell(f"acceptedRisks.{risk.name}", shown, expected, example)
    return [f"{risk.name}: {risk.why}; {risk.remedy}, or accept it: {risk.acceptance}" for risk in others]
