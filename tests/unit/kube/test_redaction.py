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


@pytest.mark.parametrize("user", ["", "m", "me", "bob", "robot$me"])
@pytest.mark.parametrize("secret", ["s3cret", "pa55-Word", '{\n  "type": "service_account"\n}\n', "pässwörd"])
def test_no_base64_of_a_login_or_of_a_docker_config_tells_a_secret(user: str, secret: str) -> None:
    """What is left of the base64 is what it would be with another secret, but for what stands behind it."""

    def logins(password: str) -> list[str]:
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        about = {"username": user, "password": password, "auth": auth}
        config = json.dumps({"auths": {"https://index.docker.io/v1/": about}})
        twice = json.dumps({"auths": {"r.example.org": {"auth": auth}}})
        return [auth, *(base64.b64encode(one.encode()).decode() for one in (config, twice, f"{password}:x"))]

    for text in logins(secret):
        shown = Mask([secret])(f"of {text} it is")
        assert "[secret]" in shown
        parts = re.split(r"\[secret\]", shown.removeprefix("of ").removesuffix(" it is"))
        plain = "".join(base64.b64decode(part[: len(part) // 4 * 4]).decode(errors="replace") for part in parts[:1])
        assert text.startswith(parts[0])
        assert not [end for end in range(2, len(secret)) if plain.endswith(secret[:end])]
        auth = base64.b64encode(f"{user}:{secret}".encode()).decode()
        assert auth[-8:] not in plain


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
    assert mask("a" * 601, longest=601) == "a" * 601, "who writes for people is read to the end"
    assert mask("abcd", longest=2) == "a ... d"


@pytest.mark.parametrize("before", [290, 295, 299, 300])
def test_no_half_of_a_secret_is_left_where_a_text_is_cut(before: int) -> None:
    shown = Mask(["t0p-secret"])("a" * before + "t0p-secret" + "c" * 1000 + "t0p-secret" + "b" * before)
    assert " ... " in shown
    assert not re.search("t0p|ecret-|-secr", shown)
