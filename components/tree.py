"""Nested maps, as Helm values are: put together, taken apart. Nothing here changes what it is given."""

from collections.abc import Mapping
from typing import Any


def at(path: str, value: Any) -> dict[str, Any]:
    """Return nested dicts with `value` at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fresh dict: maps are merged, anything else of `over` wins."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
