"""Bad stack files: each key that is told, its cause, and an example that ends the problem when it is typed."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import settings
from config.errors import Problem
from config.keys import KEYS, Key, qualified
from tests.unit.config.conftest import CHART, GOOD, full
from tests.unit.conftest import HEX

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "bad_settings.yaml").read_text())
# Examples of a file, or a place in one, that is not here; and of an entry beside the bad one.
UNTYPED = ("binderhub:chart", "binderhub:valuesFile", "binderhub:secretValues", "binderhub:bannedNetworks")
Read = Callable[[dict[str, Any], set[str]], tuple[Problem, ...]]


def prepared(case: dict[str, Any], folder: Path) -> tuple[dict[str, Any], set[str], Read]:
    """Return the config of a case, its encrypted keys, and what reads such a pair into problems."""
    (folder / "chart").symlink_to(CHART)
    for name, prefix in case.get("others", {}).items():
        (folder / name).write_text(yaml.safe_dump({"config": {"binderhub:imagePrefix": prefix}}))
    (folder / "own.yaml").write_text(case.get("file", ""))
    config = {k: v for k, v in GOOD.items() if k not in case.get("without", [])} | case.get("config", {})
    encrypted = {"registryPassword", *case.get("secrets", [])}
    encrypted -= {name for clear in case.get("secrets", []) for name in (clear, clear[1:]) if clear.startswith("-")}

    def read(config: dict[str, Any], secrets: set[str]) -> tuple[Problem, ...]:
        try:
            settings.read(config, secrets, case.get("stack", "dev"), folder)
        except settings.SettingsError as error:
            return error.problems
        return ()

    return full(config), set(map(qualified, encrypted)), read


def typed(command: str, config: dict[str, Any], secrets: set[str]) -> None:
    """Do to a config what a `pulumi config` command does to a stack's file."""
    words = shlex.split(command.partition(" < ")[0])[3:]
    flags = {word for word in words if word.startswith("--")}
    name, *value = [word for word in words if word not in flags]
    key, text = qualified(name), value[0] if value else ""
    if "--secret" in flags:
        secrets.add(key)
        text = '{"type": "x"}' if "< key.json" in command else HEX
    if "--path" in flags:
        root = re.split(r"[.\[]", key)[0]
        part = key.removeprefix(root).strip('.[]"')
        tree = config.get(root, "")
        tree = tree if isinstance(tree, dict) else json.loads(tree) if tree[:1] == "{" else {}
        rest = {name: below for name, below in tree.items() if name != part}
        key, text = root, json.dumps([text] if part == "0" else {**rest, part: text} if value else rest)
    config.pop(key, None)
    if text:
        config[key] = text


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_is_told(case: dict[str, Any], tmp_path: Path) -> None:
    config, secrets, read = prepared(case, tmp_path)
    problems = read(config, secrets)
    assert [problem.key for problem in problems] == [qualified(key) for key, *_ in case["told"]]
    for problem, (_, *causes) in zip(problems, case["told"], strict=True):
        for cause in causes:
            assert cause in str(problem)
        lines = str(problem).splitlines()
        assert lines[1].startswith("      expected: ")
        assert lines[2].startswith("      example:  ")
        command = problem.example.splitlines()[0]
        if problem.key in UNTYPED or not command.startswith("pulumi config ") or command.endswith("..."):
            continue
        after, hidden = dict(config), set(secrets)
        typed(command, after, hidden)
        left = {one.key for one in read(after, hidden)}
        assert problem.key not in left, f"{command} does not end it: {problem}"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_a_secret_in_clear_and_a_plain_key_that_came_encrypted_are_refused_and_not_shown(
    key: Key, tmp_path: Path
) -> None:
    config, secrets, read = prepared({}, tmp_path)
    config[key.full] = "h1dden"
    in_clear, encrypted = read(config, secrets - {key.full}), read(config, {*secrets, key.full})
    problems, told = (in_clear, "a secret in clear") if key.secret else (encrypted, "an encrypted value (not shown)")
    # One of either is read, and then does not fit.
    assert [one.found for one in problems if one.key == key.full] == ["***" if key.either else told]
    assert "h1dden" not in str(problems) + str(encrypted)
