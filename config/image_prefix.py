"""Image prefixes: their grammar, what BinderHub makes of them, and which of two hubs clash.

A BinderHub names every image `<prefix><slug>:<commit>`. Source of the rules: BinderHub's own `registry.py` and
`builder.py` (as run for chart 3958) and the Docker reference grammar (facts: binderhub-chart.md 1.2 and 2).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from config.keys import PROJECT
from config.reader import Reader
from config.registries import (
    ANY,
    DOCKER_HUB,
    ECR,
    ECR_REASON,
    TYPES,
    Finding,
    Registry,
    fits,
    is_host,
    type_of,
)
from kube import yaml
from kube.nested import get

# 255 is the registry's limit for prefix and slug; below 75 characters the slug no longer names its repository.
LONGEST: Final = 180
# What BinderHub takes for "<namespace>/<name>" on Docker Hub; anything else loses its first part in its lookups.
_PLAIN_NAMESPACE: Final = re.compile(r"[a-z0-9]{4,40}")
_PART: Final = re.compile(r"[a-z0-9]+((\.|-+)[a-z0-9]+)*")
_LAST_PART: Final = re.compile(r"([a-z0-9]+((\.|-+)[a-z0-9]+)*-*)?")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def problem(prefix: str, *, registry_type: str = "", host: str = "") -> tuple[str, str] | None:
    """Say what is wrong with an image prefix.

    Takes the prefix as the user wrote it, the registry type that it must live on ("" or an unknown one is that which
    its host tells) and the registry's host, if the stack names one. Returns None when it is good, else what is
    expected and a good prefix as an example, always the same for a registry type and a host.
    """
    found, path = split_host(prefix)
    *parts, last = path.split("/")
    actual = type_of(found)
    wanted = registry_type if registry_type in TYPES else actual
    rules = TYPES.get(wanted, ANY)
    own_host = host if wanted in TYPES and fits(host, wanted) else ""
    place = f"a prefix on {rules.title}: {rules.shape}"
    if actual not in ("", wanted):
        place += f"; this one lives on {found or 'Docker Hub'}: set registry: {actual}"
    has_tag = ":" in prefix.rpartition("/")[2] and ("/" in prefix or not is_host(prefix))
    are_parts = all(_PART.fullmatch(part) for part in parts) and _LAST_PART.fullmatch(last)
    checks = (
        (actual == ECR, ECR_REASON),
        (re.search(r"[\x00-\x1f\x7f]", prefix), "no control characters, such as a line break"),
        (re.search(r"[<>{}$]", prefix), "your own account in place of <...>"),
        (_SCHEME.match(prefix), "no scheme such as https://"),
        (re.search(r"\s", prefix), "no blanks"),
        (not prefix.isascii(), "only a to z, digits, '.', '-' and '/'"),
        ("@" in prefix, "no digest (@...)"),
        (has_tag, "no tag (:...): BinderHub adds the commit"),
        (prefix != prefix.lower(), "lower case"),
        ("_" in prefix, "no underscore: BinderHub turns it into a hyphen, also in the account's name"),
        ("/" not in prefix, rules.shape),
        (len(prefix) > LONGEST, f"at most {LONGEST} characters, to leave room for the repository's name"),
        (prefix.startswith("/") or "//" in prefix, "no empty part"),
        (found and not is_host(found), "a host's name in front, with at most a port (:5000)"),
        (wanted in TYPES and not fits(found, wanted), place),
        (own_host not in ("", found) and not rules.one_host, f"a prefix on the registry's host, {host}"),
        (len(parts) < len(rules.levels), rules.shape),
        (not are_parts, "parts of letters and digits, joined by '.' or '-'; only the last one may end in '-'"),
        (
            wanted == DOCKER_HUB and len(parts) != 1,
            "exactly one '/' after the account: Docker Hub has no deeper levels",
        ),
    )
    expected = next((expected for failed, expected in checks if failed), "")
    return (expected, rules.prefix(own_host)) if expected else None


def findings(prefix: str, registry: Registry, is_set: bool) -> list[Finding]:
    """List what is wrong with a stack's prefix; `is_set` tells whether the stack itself names the registry's type."""
    if bad := problem(prefix, registry_type=registry.type, host=registry.host):
        meant = "" if is_set or problem(prefix) else type_of(split_host(prefix)[0])
        command = f"pulumi config set registry {meant}" if meant else f"pulumi config set imagePrefix {bad[1]}"
        return [("imagePrefix", prefix, bad[0], command)]
    return []


def refuse_loopback(reader: Reader, prefix: str, builder: str, own_values: Mapping[str, Any]) -> None:
    """Refuse a registry on `localhost` but where binder and the builder are on the node's own network."""
    is_loopback = re.fullmatch(r"localhost|127\.[0-9.]+", split_host(prefix)[0].partition(":")[0])
    host_network = get(own_values, "extraPodSpec.hostNetwork") is True
    if is_loopback and not (builder == "host" and host_network) and not reader.is_refused("imagePrefix"):
        expected = (
            "a registry that pods reach, too: in binder's pod and in the builder's, localhost is the pod itself; "
            "it is the node with builder host and, in the values file, extraPodSpec.hostNetwork: true"
        )
        reader.refuse("imagePrefix", prefix, expected, f"pulumi config set imagePrefix {TYPES['local'].prefix()}")


def warnings(prefix: str) -> list[str]:
    """Return a warning for a good prefix that runs into the names of the repositories."""
    if not prefix or prefix.endswith(("-", "/")):
        return []
    return [f"no '-' or '/' at its end: images are named {prefix}alice-2dnotebook...; better is {prefix}-"]


def split_host(prefix: str) -> tuple[str, str]:
    """Split a prefix into registry host and path; the host is "" for Docker Hub's short form."""
    first, _, rest = prefix.partition("/")
    return (first, rest) if "." in first or ":" in first or first == "localhost" else ("", prefix)


def rendered(prefix: str) -> str:
    """Return the prefix as it must reach the chart.

    BinderHub takes the first part of `me/binder-` (under 4 characters) or `my-org/binder-` (a hyphen) for a registry
    and then asks Docker Hub for the wrong repository: it rebuilds on every launch. With `docker.io/` in front it does
    not. Other prefixes pass unchanged.
    """
    host, path = split_host(prefix)
    if type_of(host) != DOCKER_HUB:
        return prefix
    namespace = path.partition("/")[0]
    return path if not host and _PLAIN_NAMESPACE.fullmatch(namespace) else f"docker.io/{path}"


def refuse_clashes(reader: Reader, own: str, stack: str, folder: Path) -> None:
    """Refuse a prefix that another stack has, too: 13 of 41 public hubs share one by copy and paste."""
    for file, other in of_other_stacks(stack, folder).items():
        if clash(own, other):
            here = f"Pulumi.{stack}.yaml clashes with {file}, which has {other}"
            expected = f"a prefix of its own, unless they share on purpose; {here}"
            reader.refuse("imagePrefix", own, expected, "pulumi config set sharedImagePrefix true")


def clash(own: str, other: str) -> bool:
    """Tell whether one prefix is the start of the other, for then an image's name fits both."""
    mine, theirs = _place(own), _place(other)
    return mine.startswith(theirs) or theirs.startswith(mine)


def _place(prefix: str) -> str:
    """Return the one spelling of where images go: BinderHub lowers the case and turns '_' into '-', host included."""
    text = _SCHEME.sub("", prefix.strip(), count=1).lower().replace("_", "-")
    host, path = split_host(text)
    host = "docker.io" if type_of(host) == DOCKER_HUB else host.removesuffix(":443")
    return f"{host}/{path}"


def of_other_stacks(stack: str, folder: Path) -> dict[str, str]:
    """Return the prefixes that the other stacks' files in a folder have in clear, by file name."""
    found = {}
    for file in sorted({*folder.glob("Pulumi.*.yaml")} - {folder / f"Pulumi.{stack}.yaml"}):
        try:
            prefix = yaml.load(file.read_bytes(), file.name)["config"][f"{PROJECT}:imagePrefix"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no stack of ours; its own command will say what is wrong with it
        if isinstance(prefix, str) and prefix.strip():
            found[file.name] = prefix
    return found
