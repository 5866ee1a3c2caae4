"""Types of values that a stack file may hold: how each is read from text, and what to say when it does not fit.

The engine hands every value over as a text, structured ones as JSON. A type turns that into a plain Python value or
raises `InvalidValue`, which carries what is expected; it never quotes what it got.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from config.errors import InvalidValue
from kube.nested import mapped


@dataclass(frozen=True, repr=False)
class Secret:
    """A text that is never printed: `repr` and `str` show `***`."""

    _text: str

    def reveal(self) -> str:
        """Return the text itself, for a check or for the engine."""
        return self._text

    def output(self) -> pulumi.Output[str]:
        """Return the text as a secret output, encrypted in the state and masked in every diff."""
        return pulumi.Output.secret(self._text)

    def __repr__(self) -> str:
        return "***"


def hidden(value: Any) -> Any:
    """Return a value with a `Secret` in place of each text in it; names in maps stay."""
    return mapped(lambda leaf: Secret(leaf) if isinstance(leaf, str) else leaf, value)


def revealed(value: Any) -> Any:
    """Return a value with the text of each `Secret` in it, for a check."""
    return mapped(lambda leaf: leaf.reveal() if isinstance(leaf, Secret) else leaf, value)


@dataclass(frozen=True)
class ValueType:
    """A type of value: its name for the docs, and its reader (text -> value, or `InvalidValue`)."""

    name: str
    read: Callable[[str], Any]


def words(pattern: str, name: str, expected: str) -> ValueType:
    """Return the type of texts that match a whole pattern."""
    compiled = re.compile(pattern)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise InvalidValue(expected)
        return text

    return ValueType(name, read)


def choice(*plain: str, **meanings: str) -> ValueType:
    """Return the type of a text that is one of several; each of `meanings` is read as what it means to the chart."""
    options = (*plain, *meanings)

    def read(text: str) -> str:
        if text not in options:
            raise InvalidValue(f"one of {', '.join(options)}")
        return meanings.get(text, text)

    return ValueType(" \\| ".join(f"`{option}`" for option in options), read)


def whole(low: int, high: int, unit: str = "") -> ValueType:
    """Return the type of whole numbers from `low` to `high`, which is below a million.

    Helm prints larger numbers as 1e+06, which the application cannot read (facts: pulumi.md section 1.8).
    """

    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise InvalidValue(f"a whole number{f' of {unit}' if unit else ''} from {low} to {high}")
        return int(text)

    return ValueType(unit or "number", read)


def cpus(text: str) -> float:
    """Read a number of CPUs; the chart refuses texts such as 500m."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not 0.01 <= float(text) <= 256:
        raise InvalidValue("a plain number of CPUs from 0.01 to 256, such as 0.5 (not 500m)")
    return float(text)


def entries(
    shape: type[list[Any] | dict[str, Any]], name: str, expected: str, fits: Callable[[Any, Any], object]
) -> ValueType:
    """Return the type of JSON lists or maps whose entries all fit.

    `fits` takes the place of an entry, an index or a key, and the entry. It returns whether it fits, or raises.
    """

    def read(text: str) -> Any:
        try:
            found = json.loads(text)
        except ValueError:
            raise InvalidValue(expected) from None
        if not isinstance(found, shape):
            raise InvalidValue(expected)
        pairs: Iterable[Any] = found.items() if isinstance(found, dict) else enumerate(found)
        for number, (place, entry) in enumerate(pairs, 1):
            try:
                good = fits(place, entry)
            except (TypeError, ValueError):
                good = False
            if not good:
                raise InvalidValue(f"{expected}; entry {number} is none")
        return found

    return ValueType(name, read)


def amount(value: str | float) -> float:
    """Return a number, or the bytes of a text that `MEMORY` reads, to compare two of a type."""
    return float(value[:-1]) * 1024.0 ** ("KMGT".index(value[-1]) + 1) if isinstance(value, str) else value


_LABEL_KEY: Final = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def _is_label(key: str, value: object) -> bool:
    return type(value) in (str, int) and bool(_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(str(value)))


def _is_text(place: object, value: object) -> bool:
    return place != "" and isinstance(value, str) and bool(value.strip())


_RAW_LABELS: Final = entries(
    dict, "", "a map of labels: letters, digits, '-', '_' and '.', at most 63 characters", _is_label
)
# `pulumi config set --path` makes a number of what looks like one.
LABELS: Final = ValueType("map of labels", lambda text: {key: str(one) for key, one in _RAW_LABELS.read(text).items()})
NETWORKS: Final = entries(
    dict,
    "map of networks",
    "a map of networks to labels, such as 198.51.100.0/24: abuse (mind the bits behind the mask)",
    lambda network, label: ipaddress.ip_network(network) and _is_text(network, label),
)
NAMES: Final = entries(list, "list of names", "a list of names", _is_text)
MAP: Final = entries(dict, "map", "a map", lambda *_: True)
PLACES: Final = entries(dict, "map of places in the values", "a map of places in the values to texts", _is_text)
TEXT: Final = words(r"[^\s{\[](.*\S)?", "text", "a text on one line, without blanks around it")
# A password may be of several lines, as Google's keys are.
PASSWORD: Final = words(r"(?s:.*\S.*)", "text", "a text that is not blank")
_TRUE_OR_FALSE: Final = words("(?i:true|false)", "", "true or false")
BOOLEAN: Final = ValueType("`true` \\| `false`", lambda text: _TRUE_OR_FALSE.read(text).lower() == "true")
# KubeSpawner reads these as bytes: K, M, G, T are powers of 1024, and it does not know Kubernetes' own Gi and Mi.
MEMORY: Final = words(
    r"(?=.*[1-9])[0-9]{1,6}(\.[0-9]{1,3})?[KMGT]",
    "memory",
    "a number and K, M, G or T, such as 2G (not 2Gi); more than 0",
)
CPU: Final = ValueType("CPUs", cpus)
ORIGIN: Final = words(
    r"\*|https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?",
    "origin",
    "* or a scheme and a host without a slash at the end, such as https://example.org",
)
IMAGE: Final = words(
    r"[a-z0-9]+([._/:-][a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
    "image",
    "an image with a tag, such as quay.io/jupyterhub/repo2docker:2025.12.0",
)
OBJECT_NAME: Final = words(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", "name", "lower case letters, digits, '-' and '.'")


def _label_name(longest: int) -> ValueType:
    expected = f"at most {longest} lower case letters, digits and '-', starting with a letter or digit"
    return words(rf"[a-z0-9]([-a-z0-9]{{0,{longest - 2}}}[a-z0-9])?", "name", expected)


# Helm's own limit: helm.sh/helm/v3/pkg/chartutil/validate_name.go (53 leaves room for suffixes in object names).
RELEASE_NAME: Final = _label_name(53)
NAMESPACE: Final = _label_name(63)


def _own(name: ValueType) -> ValueType:
    """Return a type of names without those of Kubernetes' own namespaces."""

    def read(text: str) -> str:
        if name.read(text).startswith("kube-"):
            raise InvalidValue("a namespace of the hub's own: the program makes it, and deletes it with all in it")
        return text

    return ValueType(name.name, read)


OWN_RELEASE: Final = _own(RELEASE_NAME)
OWN_NAMESPACE: Final = _own(NAMESPACE)
# RBAC names may hold colons (system:...) and dots.
RBAC_NAME: Final = words(r"[A-Za-z0-9]([-A-Za-z0-9_.:]{0,250}[A-Za-z0-9])?", "name", "the name of a binding or a role")
REASON: Final = words(r"(?s:.*\S.*)", "reason", "the reason, for the next reader of this file")
TOKEN: Final = words(
    r"([0-9a-f]{2}){16,}", "token", "at least 32 hexadecimal digits, as `openssl rand -hex 32` prints them"
)
