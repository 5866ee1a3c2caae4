"""The kinds of traits, as `traits.json` names them: which values of a values file the application takes.

A kind is a word such as `int`; `list of regex`, `set of text` and `map of text` say what the entries are, `any of a, b`
lists all there is, and ` or ` stands between several. What has no kind, nobody knows: it is never refused. A kind takes
whatever traitlets itself would, but for one thing: a text in place of a set of names would be one name, commas and all.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from config.types import Secret

_LIMIT: Final = 1_000_000
_BYTES: Final = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*[KMGT]", re.IGNORECASE)


def _is_text(value: Any) -> bool:
    return isinstance(value, str | Secret)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < _LIMIT


def _is_regex(value: Any) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _is_text(value) and (isinstance(value, Secret) or bool(re.compile(value)))
    except (re.error, OverflowError, RecursionError):
        return False


def _is_rule(value: Any) -> bool:
    """Whether a value is an entry of `spec_config`; BinderHub looks at it at each launch."""
    return isinstance(value, Mapping) and _is_regex(value.get("pattern")) and isinstance(value.get("config"), Mapping)


def _is_amount(value: Any) -> bool:
    # The suffix is a capital letter; what stands before it is what Python's `float` reads.
    return _is_number(value) or (isinstance(value, str) and bool(_BYTES.fullmatch(value)) and value[-1].isupper())


# Kind -> whether a value is one, what to say of it, an example.
_KINDS: Final[Mapping[str, tuple[Callable[[Any], bool], str, str]]] = {
    "bool": (lambda v: isinstance(v, bool) or (isinstance(v, int) and v in (0, 1)), "true or false, unquoted", "true"),
    "int": (lambda v: _is_number(v) and v == int(v), "a whole number below a million, unquoted", "10"),
    "float": (_is_number, "a number below a million, unquoted", "0.5"),
    "text": (_is_text, "a text; quote what looks like a number, or like true and false", "'...'"),
    "regex": (_is_regex, "a regular expression", "'^name$'"),
    "rule": (_is_rule, "a map of a regular expression, pattern, and a map, config", "{pattern: '^org/', config: {}}"),
    "bytes": (_is_amount, "a number of bytes below a million, or one with K, M, G or T (not Gi, not m)", "2G"),
    "list": (lambda v: isinstance(v, list) or _is_text(v), "a list", ""),
    "set": (lambda v: isinstance(v, list), "a list", ""),
    "map": (lambda v: isinstance(v, Mapping), "a map", ""),
    "callable": (lambda _: False, "a function, which only Python in extraConfig can give", ""),
    "null": (lambda v: v is None, "", ""),
}


def fits(kind: str, value: Any) -> bool:
    """Whether a kind, "" for one that nobody knows, takes a value."""
    several = kind.split(" or ")
    # traitlets makes a list of a text only where nothing but a list may stand.
    if {*several} - {"null"} != {several[0]}:
        several = [one.replace("list", "set") for one in several]
    return not kind or any(_fits(one, value) for one in several)


def _fits(kind: str, value: Any) -> bool:
    outer, _, entry = kind.partition(" of ")
    if outer == "any":
        return str(value) in entry.split(", ")
    if not _KINDS[outer][0](value):
        return False
    # A text in place of a list is its only entry.
    entries = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else [value]
    return not entry or all(_fits(entry, one) for one in entries)


def expected(kind: str) -> str:
    """Return what to say to somebody whose value a kind does not take."""
    return " or ".join(_expected(one) for one in _told(kind))


def _expected(kind: str) -> str:
    outer, _, entry = kind.partition(" of ")
    if outer == "any":
        return f"one of {entry}"
    if not entry:
        return _KINDS[outer][1]
    return f"{_KINDS[outer][1]}, and each entry {_expected(entry)}"


def example(kind: str, place: str) -> str:
    """Return a line of a values file that a kind would take at a place."""
    if _told(kind) == ["callable"]:
        *part, name, trait = place.split(".")
        return f"{'.'.join([*part[:-1], 'extraConfig'])}.own: c.{name}.{trait} = ..."
    return f"{place}: {_sample(_told(kind)[0])}"


def _sample(kind: str) -> str:
    outer, _, entry = kind.partition(" of ")
    if outer == "any":
        return entry.split(", ")[-1]
    inner = _sample(entry) if entry else "..."
    return {"list": f"[{inner}]", "set": f"[{inner}]", "map": f"{{...: {inner}}}"}.get(outer) or _KINDS[outer][2]


def _told(kind: str) -> list[str]:
    """Return those of several kinds that a values file can hold."""
    several = [one for one in kind.split(" or ") if one != "null"]
    return [one for one in several if one != "callable"] or several
