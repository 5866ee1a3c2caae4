"""Nested maps, as Helm values are: put together, taken apart. Nothing here changes what it is given."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def at(path: str, value: Any) -> dict[str, Any]:
    """Return nested dicts with `value` at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def get(values: Any, path: str) -> Any:
    """Return what stands at a dotted path; None if nothing does."""
    for name in path.split("."):
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fresh dict: maps are merged, anything else of `over` wins."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """Return a fresh copy in which `change` has been made to every leaf, of maps and lists; keys stay."""
    if isinstance(value, Mapping):
        return {key: mapped(change, below) for key, below in value.items()}
    return [mapped(change, below) for below in value] if isinstance(value, list) else change(value)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf with its dotted path; items of lists count as `[0]`. An empty map or list is a leaf."""
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from leaves(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, below in enumerate(value):
            yield from leaves(below, f"{path}[{index}]")
    elif path:
        yield path, value
