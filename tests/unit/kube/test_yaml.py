"""YAML as Kubernetes reads it. The scalars were compared with what kubectl makes of them."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml

from kube import yaml
from kube.errors import YamlError
from tests.unit.conftest import ROOT


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, text) for text in ("12:30", "2020-01-01", "2026-99-99", "1.2.3", "500m", "1e400", "0x", ".", "oN")],
        *[(text, True) for text in ("true", "True", "on", "ON", "yes", "y")],
        *[(text, False) for text in ("false", "off", "No", "n")],
        *[(text, None) for text in ("", "~", "null", "NULL")],
        ("0123", 83), ("08", 8), ("0o17", 15), ("0b11", 3), ("0x1F", 31), ("-0x1f", -31), ("1_000", 1000), ("+1", 1),
        ("99.0", 99), ("1e+06", 1_000_000), ("1e21", 1e21), (".5", 0.5), ("1_0.5", 10.5), ("-1e-7", -1e-7),
        ("18446744073709551615", 2**64 - 1), ("18446744073709551617", 2**64), ("-9223372036854775808", -(2**63)),
        ('"1"', "1"), ("'on'", "on"), ("!!str 5", "5"), ("!!int '5'", 5), ("!!float 5", 5),
        ("!!bool 'yes'", True), ("!!null ''", None), ("{}", {}), ("[1, a]", [1, "a"]),
    ],
)  # fmt: skip
def test_values(text: str, value: object) -> None:
    found = yaml.load(f"a: {text}\n", "f")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("value", ["y", "on", "12e5", "1e5", "0o7", "08", "2020-01-01", "12:30", "", "~", "<<", "a: b"])
def test_texts_are_written_so_that_every_reader_takes_them_for_texts(value: str) -> None:
    text = yaml.dump({"z": value, value: [value, 1, None, True, 1.5]})
    assert yaml.load(text, "f") == {"z": value, value: [value, 1, None, True, 1.5]}
    assert pyyaml.safe_load(text)["z"] == value
    assert text.startswith("z: "), "keys stay in their order"


def test_merge_keys() -> None:
    base = "a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\n"
    assert yaml.load(f"{base}c: {{<<: *a, k: 3}}", "f")["c"] == {"k": 3, "l": 1}
    assert yaml.load(f"{base}c: {{<<: [*a, *b]}}", "f")["c"] == {"k": 1, "l": 1, "m": 2}
    assert yaml.load('"<<": 1', "f") == {"<<": 1}
    assert [*yaml.load_all("{a: 2, <<: {a: 1}}", "f")] == [{"a": 1}], "as Kubernetes, which goes by place"


def test_documents() -> None:
    text = "{a: 1, a: 2, 80: x, on: x, 1.5: x}"
    assert [*yaml.load_all(text, "f")] == [{"a": 2, "80": "x", "true": "x", "1.5": "x"}]
    assert yaml.load("# nothing\n", "f") is None
    assert [*yaml.load_all("---\na: 1\n---\n# nothing\n---\n- b\n", "f")] == [{"a": 1}, None, ["b"]]
    assert yaml.load(b"\xef\xbb\xbfa: \xc3\xa9\n", "f") == {"a": "é"}


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi"))


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("jupyterhub: {}\na: t0p\njupyterhub: t0p\n", 3, "key `jupyterhub` is given twice, first in line 1"),
        ("a:\n  - b: 1\n    c: 2\n    b: t0p\n", 4, "key `b` is given twice, first in line 2"),
        ("a: t0p\n8080: t0p\n", 2, "key `8080` is no text; put it in quotes"),
        ("on: t0p\n", 1, "key `on` is no text"),
        ("~: t0p\n", 1, "a key is no text"),
        ("? [t0p]\n: 1\n", 1, "a key is no text"),
        ("a: 1\n<<: {a: t0p}\n", 2, "stands below a key that it has, too"),
        ("<<: t0p\n", 1, "takes a map"),
        ("a: 1\nb: !t0p t0p\n", 2, "a tag"),
        ("a: !x {b: t0p}\n", 1, "a tag"),
        ("a: !!binary dDBw\n", 1, "a tag"),
        ("a: !!map t0p\n", 1, "a tag"),
        ("a: !!str [t0p]\n", 1, "a tag"),
        ("a: &a\n  b: *a\n", 1, "an anchor holds itself"),
        (BOMB, 1, "with what the anchors stand for"),
        ("a: *t0p\n", 1, "found undefined alias"),
        ("a: t0p\nb: [1\n", 3, "did not find expected ',' or ']'"),
        ("a:\n\tb: t0p\n", 2, "cannot start any token"),
        ("a: b: t0p\n", 1, "mapping values are not allowed"),
        ("a: t0p\n---\nb: 1\n", 0, "more than one document"),
        (b"a: t0p\xff", 0, "UTF-8"),
        ("a: t0p\x01", 0, "UTF-8"),
        ("a: t0p\ud800", 0, "UTF-8"),
    ],
)
def test_errors_name_file_and_line_and_quote_nothing(text: str | bytes, line: int, cause: str) -> None:
    with pytest.raises(YamlError) as caught:
        yaml.load(text, "FILE")
    assert caught.value.line == line
    assert cause in caught.value.problem
    assert str(caught.value) == (f"FILE: line {line}: " if line else "FILE: ") + caught.value.problem
    assert "t0p" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "a traceback would quote the file"


def test_nesting_without_end_is_an_error() -> None:
    """Older parsers leave it to Python's own limit, newer ones have one and say the line."""
    with pytest.raises(YamlError, match="nest"):
        yaml.load("[" * 5000 + "]" * 5000, "FILE")


@pytest.mark.parametrize("text", ["a: *t0p", 'a: "\\t0p \\q"', "a: @t0p"])
def test_the_parser_in_python_quotes_nothing_either(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    slow: Any = type("Slow", (pyyaml.SafeLoader,), {"resolve": yaml._Loader.resolve})
    monkeypatch.setattr(yaml, "_Loader", slow)
    assert yaml.load("a: [1, on, '1']", "f") == {"a": [1, True, "1"]}
    with pytest.raises(YamlError) as caught:
        yaml.load(text, "FILE")
    assert "t0p" not in str(caught.value)
    assert "q" not in caught.value.problem.replace("quote", "")


def test_nothing_else_imports_pyyaml() -> None:
    rooms = ("components", "config", "kube", "operations", "preflight", "rehearsal")
    files = [ROOT / "__main__.py", *(file for room in rooms for file in (ROOT / room).rglob("*.py"))]
    found = [file.relative_to(ROOT) for file in files if re.search(r"^(import|from) yaml\b", file.read_text(), re.M)]
    assert found == [Path("kube/yaml.py")]
