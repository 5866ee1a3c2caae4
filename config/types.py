"""Types of values that a stack file may hold: how each is read from text, and what to say when it does not fit.

The engine hands every value over as a text, structured ones as JSON. A type turns that into a plain Python value or
raises `InvalidValue`, which carries what is expected; it never quotes what it got.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from config.errors import InvalidValue


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


def choice(*options: str) -> ValueType:
    """Return the type of a text that is one of several."""
    expected = f"one of {', '.join(options)}"
    return words("|".join(map(re.escape, options)), " \\| ".join(f"`{o}`" for o in options), expected)


def whole(low: int, high: int, unit: str = "") -> ValueType:
    """Return the type of whole numbers from `low` to `high`, which is below a million.

    Helm prints larger numbers as 1e+06, which the application cannot read (facts: pulumi.md section 1.8).
    """

    def read(text: str) -> int:
        if not re.fullmatch(r"-?\d{1,9}", text) or not low <= int(text) <= high:
            raise InvalidValue(f"a whole number{f' of {unit}' if unit else ''} from {low} to {high}")
        return int(text)

    return ValueType(unit or "number", read)


def decimal(low: float, high: float, unit: str) -> ValueType:
    """Return the type of numbers from `low` to `high`; the chart refuses texts such as 500m."""

    def read(text: str) -> float:
        if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) or not low <= float(text) <= high:
            raise InvalidValue(f"a plain number of {unit} from {low:g} to {high:g}, such as 0.5 (not 500m)")
        return float(text)

    return ValueType(unit, read)


def amount(value: str | float) -> float:
    """Return a number, or the bytes of a text that `MEMORY` reads, to compare two of a type."""
    return float(value[:-1]) * 1024.0 ** ("KMGT".index(value[-1]) + 1) if isinstance(value, str) else value


def _structure(text: str, shape: type, expected: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        raise InvalidValue(expected) from None
    if not isinstance(value, shape):
        raise InvalidValue(expected)
    return value


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidValue("true or false")
    return text.lower() == "true"


def _regexes(text: str) -> list[str]:
    expected = "a list of regular expressions for <owner>/<repository>"
    found = _structure(text, list, expected)
    for pattern in found:
        try:
            re.compile(pattern)
        except (re.error, TypeError):
            raise InvalidValue(f"{expected}; entry {found.index(pattern) + 1} is none") from None
    return list(found)


def _networks(text: str) -> dict[str, str]:
    expected = "a map of networks to labels, such as 198.51.100.0/24: abuse"
    found = _structure(text, dict, expected)
    for number, (network, label) in enumerate(found.items(), 1):
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise InvalidValue(f"{expected}; entry {number} is no network (mind the bits behind the mask)") from None
        if not isinstance(label, str):
            raise InvalidValue(f"{expected}; the label of entry {number} is no text")
    return dict(found)


_LABEL_KEY: Final = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def _labels(text: str) -> dict[str, str]:
    expected = "a map of labels: letters, digits, '-', '_' and '.', at most 63 characters"
    found = _structure(text, dict, expected)
    for number, (key, value) in enumerate(found.items(), 1):
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InvalidValue(f"{expected}; the value of entry {number} is no text")
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(str(value)):
            raise InvalidValue(f"{expected}; entry {number} is none")
    return {key: str(value) for key, value in found.items()}


def _names(text: str) -> list[str]:
    expected = "a list of names"
    found = _structure(text, list, expected)
    if not all(isinstance(name, str) and name.strip() for name in found):
        raise InvalidValue(expected)
    return list(found)


def _map(text: str) -> dict[str, Any]:
    return dict(_structure(text, dict, "a map"))


def _places(text: str) -> dict[str, str]:
    expected = "a map of places in the values to texts"
    found = _structure(text, dict, expected)
    if not all(place and isinstance(value, str) for place, value in found.items()):
        raise InvalidValue(expected)
    return dict(found)


TEXT: Final = words(r"\S(.*\S)?", "text", "a text on one line, without blanks around it")
BOOLEAN: Final = ValueType("`true` \\| `false`", _boolean)
# KubeSpawner reads these as bytes: K, M, G, T are powers of 1024, and it does not know Kubernetes' own Gi and Mi.
MEMORY: Final = words(r"\d{1,6}(\.\d{1,3})?[KMGT]", "memory", "a number and K, M, G or T, such as 2G (not 2Gi)")
CPU: Final = decimal(0.01, 256, "CPUs")
REGEXES: Final = ValueType("list of regular expressions", _regexes)
NETWORKS: Final = ValueType("map of networks", _networks)
LABELS: Final = ValueType("map of labels", _labels)
NAMES: Final = ValueType("list of names", _names)
MAP: Final = ValueType("map", _map)
PLACES: Final = ValueType("map of places in the values", _places)
ORIGIN: Final = words(
    r"\*|https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?",
    "origin",
    "* or a scheme and a host without a slash at the end, such as https://example.org",
)
IMAGE: Final = words(
    r"[a-z0-9]+([._/:-][a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
    "image",
    "an image with a tag, such as quay.io/jupyterhub/repo2docker:2024.07.0",
)
OBJECT_NAME: Final = words(
    r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?",
    "name",
    "the name of an object in the cluster: lower case letters, digits, '-' and '.'",
)
# Helm's own limit: helm.sh/helm/v3/pkg/chartutil/validate_name.go (53 leaves room for suffixes in object names).
RELEASE_NAME: Final = words(
    r"[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?",
    "name",
    "at most 53 lower case letters, digits and '-', starting with a letter or digit",
)
NAMESPACE: Final = words(
    r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
    "name",
    "at most 63 lower case letters, digits and '-', starting with a letter or digit",
)
# RBAC names may hold colons (system:...) and dots.
RBAC_NAME: Final = words(r"[A-Za-z0-9]([-A-Za-z0-9_.:]{0,250}[A-Za-z0-9])?", "name", "the name of a binding or a role")
TOKEN: Final = words(
    r"([0-9a-f]{2}){16,}", "token", "at least 32 hexadecimal digits, as `openssl rand -hex 32` prints them"
)
