"""Risks: what a cluster would accept and an operator would regret.

Each risk has a name. A stack accepts one with a reason that stays in its file, for the next reader:
`pulumi config set --path acceptedRisks.<name> "why"`. Without that, a grave one is refused and another is a warning.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from config import types, versions
from config.reader import Reader
from kube.nested import get

# Where a cluster's own machines live, and where a cloud hands out the credentials of its nodes.
_PRIVATE: Final = [
    ipaddress.IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.169.254/32")
]

# Annotations by which ingress controllers keep a visitor at one pod.
_KEEPS_VISITORS: Final = re.compile("affinity|sticky|persistence", re.IGNORECASE)


@dataclass(frozen=True)
class Facts:
    """What the risks look at.

    `options` are the ordinary settings; `serious` is a protected stack or one of prod; `hub` is what stands at
    `jupyterhub` in the user's own Helm values, None if nothing does.
    """

    serious: bool
    login: bool
    options: Mapping[str, Any]
    hub: Any


def _private_reachable(facts: Facts) -> bool:
    """Whether users' servers may reach private networks, by an allowing rule of the chart or by one of their own."""
    allowed = get(facts.hub, "singleuser.networkPolicy.egressAllowRules") or {}
    rules = get(facts.hub, "singleuser.networkPolicy.egress") or []
    try:
        named = any(allowed.get(name) is True for name in ("privateIPs", "cloudMetadataServer"))
        return named or any(map(_leads_inside, rules))
    except (AttributeError, KeyError, TypeError, ValueError):
        return False  # no rules at all: the chart or the server says so


def _leads_inside(rule: Any) -> bool:
    """Whether an egress rule of a NetworkPolicy leads into a private range. One without `to` leads everywhere.

    One for DNS alone is no risk: the chart's own rules have it, since a cluster's name servers are private.
    """
    ports = rule.get("ports")
    if ports and all(port.get("port") == 53 and "endPort" not in port for port in ports):
        return False
    blocks = [peer["ipBlock"] for peer in rule.get("to") or [] if peer.get("ipBlock")]
    return not rule.get("to") or any(_open(block["cidr"], block.get("except") or []) for block in blocks)


def _open(cidr: str, exceptions: list[str]) -> bool:
    """Whether a block without its exceptions has an address of a private range."""
    if ":" in cidr:
        return False  # IPv6
    # The server takes bits behind the mask, too.
    whole, *rest = (ipaddress.IPv4Network(one, strict=False) for one in (cidr, *exceptions))
    # Two halves together shut what is around both.
    shut = list(ipaddress.collapse_addresses(rest))
    private = [one for one in _PRIVATE if one.overlaps(whole)]
    # Of two blocks that overlap, the smaller one is what both have.
    shared = [one if one.subnet_of(whole) else whole for one in private]
    return any(not any(one.subnet_of(block) for block in shut) for one in shared)


def _rooted(facts: Facts) -> bool:
    sections = [f"hub.config.{name}.privileged" for name in ("Spawner", "KubeSpawner", "BinderSpawner")]
    powers = ["singleuser.allowPrivilegeEscalation", *sections]
    return any(get(facts.hub, path) is True for path in powers) or get(facts.hub, "singleuser.uid") == 0


@dataclass(frozen=True)
class Risk:
    """One risk: its name, what would happen, what ends it, and when it is there.

    A `grave` one is refused in a serious stack, another is a warning; one with `everywhere` is a warning in the stacks
    that are not serious, too. One that is never there is seen by the check in previews alone, and may be accepted here.
    """

    name: str
    why: str
    remedy: str
    there: Callable[[Facts], bool] = lambda _: False
    grave: bool = True
    everywhere: bool = False


RISKS: Final = (
    Risk(
        "unlimitedLaunches",
        "anybody on the internet may start servers until the cluster is full",
        "pulumi config set launchQuota 200",
        lambda f: not f.login and "launchQuota" not in f.options,
    ),
    Risk(
        "noRateLimit",
        "one address may start launches without end",
        "pulumi config set rateLimit 10",
        lambda f: not f.login and f.options.get("rateLimit") == 0,
    ),
    Risk(
        "loginOverHttp",
        "with exposure loadbalancer, browsers send logins and cookies unencrypted",
        "pulumi config set authenticator none",
        lambda f: f.login,
        everywhere=True,
    ),
    Risk(
        "loginsInMemory",
        "a restart of the hub forgets who is logged in",
        "pulumi config set hubDatabase volume",
        lambda f: f.login and f.options["hubDatabase"] == "sqlite-memory",
        grave=False,
        everywhere=True,
    ),
    Risk(
        "serversForEver",
        "an open browser tab keeps a server for ever: culling counts idle ones only",
        "pulumi config set cullMaxAge 21600",
        lambda f: f.options.get("cullMaxAge") == 0,
        grave=False,
    ),
    Risk(
        "noCulling",
        "servers that nobody uses run until somebody stops them by hand",
        "take jupyterhub.cull.enabled out of the values file",
        lambda f: get(f.hub, "cull.enabled") is False,
    ),
    Risk(
        "usersUnfenced",
        "any visitor's code reaches everything that a pod can reach, the cluster's inside too",
        "take jupyterhub.singleuser.networkPolicy.enabled out of the values file",
        lambda f: get(f.hub, "singleuser.networkPolicy.enabled") is False,
    ),
    Risk(
        "privateNetworks",
        "any visitor's code reaches private addresses: other machines, or the nodes' cloud credentials",
        "narrow the egress rules of jupyterhub.singleuser.networkPolicy in the values file",
        _private_reachable,
    ),
    Risk(
        "rootUsers",
        "visitors may become root in their servers, one step from the node",
        "take uid, allowPrivilegeEscalation and privileged of users' servers out of the values file",
        _rooted,
    ),
    Risk(
        "usersAccount",
        "any visitor's code has the rights of that service account in the cluster: its token lies in every server",
        "take jupyterhub.singleuser.serviceAccountName out of the values file",
        lambda f: bool(get(f.hub, "singleuser.serviceAccountName")),
    ),
    Risk(
        "hubUnfenced",
        "users' servers may talk to the inner ports of hub and proxy",
        "take networkPolicy.enabled of jupyterhub.hub and jupyterhub.proxy.chp out of the values file",
        lambda f: any(get(f.hub, f"{part}.networkPolicy.enabled") is False for part in ("hub", "proxy.chp")),
        grave=False,
    ),
    Risk(
        "emptyNodePool",
        "previews refuse a node selector that no node fits; a pool that starts without nodes has none yet",
        "kubectl get nodes --show-labels",
    ),
    Risk(
        "unknownConfig",
        "the application is silent about a misspelt class under config, so unknown names are refused",
        "the right name, as the refusal shows it",
    ),
    Risk(
        "olderHub",
        "previews refuse an older JupyterHub than its database is of, which would not start",
        "put the copy of the database back that the hub left on the volume: see [the runbook](recovery.md)",
    ),
    Risk(
        "unreadableCode",
        "code in extraConfig that the application cannot read stops it as it starts, so what is no Python is refused",
        "Python that the hub's own can read, as the refusal shows it",
    ),
    Risk(
        "knownHoles",
        "the hub's JupyterHub has known holes: see [the table of versions](versions.md)",
        f"pulumi config set hubImage {versions.HUB_IMAGE}:4.4.0",
        grave=False,
    ),
    Risk(
        "anyOrigin",
        "every page on the internet may launch with its visitors' browsers",
        "pulumi config set corsOrigin https://example.org",
        lambda f: f.options.get("corsOrigin") == "*",
        grave=False,
    ),
    Risk(
        "hostBuilder",
        "builds need Docker on the nodes; on containerd, which is usual, they hang",
        "pulumi config set builder dind",
        lambda f: f.options.get("builder") == "host",
        grave=False,
        everywhere=True,
    ),
)
NAMES: Final = tuple(risk.name for risk in RISKS)


def accepted(reader: Reader) -> dict[str, str]:
    """Return the risks that a stack accepts, with their reasons; unknown names and empty reasons are refused."""
    return reader.mapping("acceptedRisks", dict.fromkeys(NAMES, types.REASON), dict.fromkeys(NAMES, '"why"'))


def acceptance(name: str) -> str:
    """Return the command that accepts a risk."""
    return f'pulumi config set --path acceptedRisks.{name} "why"'


def refuse(reader: Reader, facts: Facts, reasons: Mapping[str, str]) -> list[str]:
    """Refuse grave risks that nobody accepted, and return the others as warnings."""
    warnings = []
    for risk in RISKS:
        if risk.name in reasons or not (facts.serious or risk.everywhere) or not risk.there(facts):
            continue
        if risk.grave and facts.serious:
            shown, expected = f"a risk that nobody accepted: {risk.why}", "a safer setting, or the reason why not"
            reader.tell(
                f"acceptedRisks.{risk.name}",
                shown,
                expected,
                f"{risk.remedy}\n      or accept: {acceptance(risk.name)}",
            )
        else:
            warnings.append(f"{risk.name}: {risk.why}; {risk.remedy}, or accept it: {acceptance(risk.name)}")
    return warnings


def refuse_ways_around(reader: Reader, values: Mapping[str, Any]) -> None:
    """Refuse several binders with a login where a way in of the user's own does not keep a visitor at one of them.

    Each signs its cookies with a secret of its own, and takes none from us: at another one, a login ends with a 403.
    Our Service keeps visitors by their address; an ingress goes past it, and what keeps them there is an annotation.
    """
    notes = [*(get(values, "ingress.annotations") or {}), *(get(values, "service.annotations") or {})]
    keeps = {"ingress": any(_KEEPS_VISITORS.search(str(note)) for note in notes), "httpRoute": False}
    for way in (way for way in keeps if get(values, f"{way}.enabled") is True and not keeps[way]):
        found = f"{reader.value('replicas')}, with a login and {way} in the values file"
        annotation = "nginx.ingress.kubernetes.io/affinity: cookie"
        expected = f"1, or an ingress that keeps a visitor at one, as by {annotation}: each binder signs its own logins"
        reader.tell("replicas", found, expected, "pulumi config set replicas 1")
