"""YAML as Kubernetes and Helm read it, for every file that we read; nothing else in the project imports PyYAML.

What a plain scalar means is what `sigs.k8s.io/yaml` v1 (go.yaml.in/yaml/v2, then JSON) makes of it, which kubectl and
Helm read with: `on` and `y` are true, 0123 is 83, 1_000 and 1e+06 are numbers; 12:30 and 2020-01-01 are texts. Stricter
than these two: a key that is given twice, or that is no text, is an error instead of a surprise.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from kube.errors import YamlError

_TAG: Final = "tag:yaml.org,2002:"
_TEXT: Final = f"{_TAG}str"
_MAP: Final = f"{_TAG}map"
_LIST: Final = f"{_TAG}seq"
# The tag that the loader below gives to what stands there without quotes and without a tag.
_PLAIN: Final = "plain"
_SCALARS: Final = (_TEXT, _PLAIN, *(f"{_TAG}{name}" for name in ("int", "float", "bool", "null")))
_WORDS: Final[dict[str, bool | None]] = {
    **{form: True for word in ("y", "yes", "true", "on") for form in (word, word.title(), word.upper())},
    **{form: False for word in ("n", "no", "false", "off") for form in (word, word.title(), word.upper())},
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_NUMBER: Final = re.compile(r"[-+.0-9]")
_OCTAL: Final = re.compile(r"([-+]?)0([0-7]+)")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# JSON as Go writes it gives a whole number its digits below this, an exponent from here on.
_WHOLE_BELOW: Final = 1e21
# Without a limit, a few lines of anchors that stand for anchors fill the memory.
_MOST_VALUES: Final = 400_000
_QUOTED: Final = re.compile(r"""\s*(?:'.*?'|".*?")""")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's parser; what its scalars mean is told below."""

    def resolve(self, kind: type[yaml.Node], _value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return _MAP if kind is yaml.MappingNode else _LIST


class _Dumper(yaml.SafeDumper):
    """Quotes, beside what any YAML parser might take for no text, what `load` would."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        is_plain_text = kind is yaml.ScalarNode and implicit[0] and tag == _TEXT
        return _PLAIN if is_plain_text and not isinstance(_plain(value), str) else tag


def load(text: str | bytes, place: object) -> Any:
    """Return what one document holds: dicts, lists, texts, numbers, true, false and None; None for an empty one.

    `place` names the file in errors. Raises `YamlError`, for a second document, too.
    """
    found = list(load_all(text, place, strict=True))
    if len(found) > 1:
        raise YamlError(place, 0, "holds more than one document")
    return found[0] if found else None


def dump(value: Any, *, sort_keys: bool = False) -> str:
    """Return plain data as YAML, keys in the order given unless `sort_keys`: `load(dump(x), "") == x`."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=sort_keys))


def load_all(text: str | bytes, place: object, *, strict: bool = False) -> Iterator[Any]:
    """Yield what the documents of a stream hold. Raises `YamlError`.

    Without `strict` as Kubernetes takes it, since what a chart has installed must be readable: the last of two equal
    keys counts, and the key 80 is the text "80".
    """
    try:
        loader = _Loader(text)
        while loader.check_node():
            yield _Document(place, strict).value(loader.get_node())
    except (UnicodeError, yaml.reader.ReaderError):
        raise YamlError(place, 0, "holds something that is no text in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        words = [_QUOTED.sub(_sign, part) for part in (error.problem, error.context) if part]
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise YamlError(place, line, f"is no YAML: {', '.join(words)}") from None
    except RecursionError:
        raise YamlError(place, 0, "is nested too deeply") from None


def _sign(quoted: re.Match[str]) -> str:
    """Of what the parser quotes, punctuation stays; letters may be those of a secret."""
    return "" if re.search(r"\w", quoted[0]) else quoted[0]


class _Document:
    """Turns the nodes of one document into values."""

    def __init__(self, place: object, strict: bool) -> None:
        self._place, self._strict = place, strict
        self._values = 0
        # The maps and lists that are not yet complete: an alias leads to the same node.
        self._open: set[int] = set()

    def value(self, node: yaml.Node) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise self._error(node, f"more than {_MOST_VALUES} values, with what the anchors stand for")
        if node.tag not in (_SCALARS if isinstance(node, yaml.ScalarNode) else (_MAP, _LIST)):
            raise self._error(node, "a tag (!...) that Kubernetes does not know")
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.tag == _TEXT else _plain(node.value)
        if id(node) in self._open:
            raise self._error(node, "an anchor holds itself")
        self._open.add(id(node))
        found = self._map(node) if isinstance(node, yaml.MappingNode) else [self.value(one) for one in node.value]
        self._open.remove(id(node))
        return found

    def _map(self, node: yaml.MappingNode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == "<<":
                merged = self._merged(value_node)
                if self._strict and not lines.keys().isdisjoint(merged):
                    raise self._error(key_node, "`<<` stands below a key that it has, too; write it first")
                found.update(merged)
                continue
            key = self._key(key_node)
            if key in lines and self._strict:
                raise self._error(key_node, f"key `{key}` is given twice, first in line {lines[key]}")
            lines[key] = key_node.start_mark.line + 1
            found[key] = self.value(value_node)
        return found

    def _merged(self, node: yaml.Node) -> dict[str, Any]:
        """Return the keys of a `<<`: of one map, or of a list of maps whose first wins."""
        found = self.value(node)
        maps = found if isinstance(found, list) else [found]
        if not all(isinstance(one, dict) for one in maps):
            raise self._error(node, "`<<` takes a map, or a list of maps")
        return {key: value for one in reversed(maps) for key, value in one.items()}

    def _key(self, node: yaml.Node) -> str:
        key = self.value(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(key, str):
            return key
        if key is None:
            raise self._error(node, "a key is no text")
        if self._strict:
            raise self._error(node, f"key `{node.value}` is no text; put it in quotes")
        return str(key).lower() if isinstance(key, bool) else str(key)

    def _error(self, node: yaml.Node, problem: str) -> YamlError:
        return YamlError(self._place, node.start_mark.line + 1, problem)


def _plain(text: str) -> Any:
    """Return what a scalar without quotes means."""
    return _number(text) if _NUMBER.match(text) and text.isascii() else _WORDS.get(text, text)


def _number(text: str) -> int | float | str:
    """Return the number that a text is, or the text. Whole numbers are ints, 1e+06 too: JSON writes 1000000."""
    digits = text.replace("_", "")
    octal = _OCTAL.fullmatch(digits)
    with contextlib.suppress(ValueError):
        number = int(f"{octal[1]}0o{octal[2]}" if octal else digits, 0)
        if -(2**63) <= number < 2**64:
            return number
    if not _FLOAT.fullmatch(digits):
        return text
    real = float(digits)
    if abs(real) < _WHOLE_BELOW and real.is_integer():
        return int(real)
    return real if abs(real) != float("inf") else text
