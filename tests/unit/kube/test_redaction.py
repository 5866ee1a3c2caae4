"""Secrets are taken out of texts, in every form that a server quotes them in."""

import base64
import json
import re

import pytest

from kube.redaction import Mask


@pytest.mark.parametrize(
    "secret",
    [
        "abc", "a.*+?^$()[]{}|b", "back\\slash", 'quo"te', "tab\tand\nline", "pässwörd", "with blank", "[secret",
        "x" * 700, 'pä"ss', "pä\\ss",
    ],
)  # fmt: skip
def test_any_text_may_be_a_secret(secret: str) -> None:
    """A text that is short without its secrets is not cut."""
    written = [json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]
    for form in (secret, base64.b64encode(secret.encode()).decode(), *written):
        assert Mask([secret])(f'Invalid value: "{form}" and <{form}>') == 'Invalid value: "[secret]" and <[secret]>'


def test_a_secret_as_go_writes_it_in_json() -> None:
    assert Mask(["a&b<c>d"])('{"token":"a\\u0026b\\u003cc\\u003ed"}') == '{"token":"[secret]"}'


def test_only_the_secret_itself_is_hidden() -> None:
    assert Mask(["a.c"])("abc a.c") == "abc [secret]"
    assert Mask(["", "a", "ab"])("a cab in the lab") == "a cab in the lab", "what is short stands in every text"
    assert Mask([])("as it is") == "as it is"


@pytest.mark.parametrize("secrets", [["token", "token-long"], ["token-long", "token"]])
def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it(secrets: list[str]) -> None:
    assert Mask(secrets)("a token-long and a token") == "a [secret] and a [secret]"


def test_each_line_of_a_secret_is_one_and_brackets_are_none() -> None:
    code = "c.X = {\n  'key': 't0p-secret',\n}\nThe last line\n"
    mask = Mask([code])
    assert mask("c.X = { 'key': 't0p-secret', } The last line") == "[secret]"
    assert mask("near 'key': 't0p-secret', we saw }") == "near [secret] we saw }"
    assert mask("The last line of it") == "[secret] of it"
    assert mask(json.dumps({"a": code})) == '{"a": "[secret]"}'


def test_a_text_is_cut_in_the_middle() -> None:
    mask = Mask([])
    assert mask("a" * 600) == "a" * 600
    assert mask("a" * 301 + "b" * 300) == f"{'a' * 300} ... {'b' * 300}"
    assert mask("a" * 300 + "c" * 6000 + "b" * 300) == f"{'a' * 300} ... {'b' * 300}"


@pytest.mark.parametrize("before", [290, 295, 299, 300])
def test_no_half_of_a_secret_is_left_where_a_text_is_cut(before: int) -> None:
    shown = Mask(["t0p-secret"])("a" * before + "t0p-secret" + "c" * 1000 + "t0p-secret" + "b" * before)
    assert " ... " in shown
    assert not re.search("t0p|ecret-|-secr", shown)
