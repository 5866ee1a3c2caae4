"""Every `pulumi config` command that pages and errors show, run by the real command line, which refuses some values."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from config import risks
from config.keys import KEYS
from rehearsal import workspace
from rehearsal.workspace import Workspace
from tests import readme
from tests.engine.support import PROJECT, Bench
from tests.unit.config.test_bad_settings import CASES, prepared

ROOMS = ("components", "config", "kube", "operations", "preflight", "rehearsal")
# What stands for something that the reader has: a key with its value, a risk.
PLACEHOLDERS = {"KEY.PART VALUE", "KEY VALUE", "KEY", 'acceptedRisks.NAME "why"'}


def of_the_pages() -> Iterator[str]:
    for page in readme.pages():
        text = page.read_text()
        yield from re.findall(r"`(pulumi config [^`\n]+)`", text)
        yield from re.findall(r"^(pulumi config .+)$", text, re.MULTILINE)


def of_the_code() -> Iterator[str]:
    """Texts that begin with a whole command. Those that are put together are seen in errors."""
    for file in (file for room in ROOMS for file in (PROJECT / room).rglob("*.py")):
        nodes = [*ast.walk(ast.parse(file.read_text()))]
        parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                yield from re.findall(r"^pulumi config [^,;\n]+", node.value)


def of_the_errors(folder: Path) -> Iterator[str]:
    for number, case in enumerate(CASES):
        own = folder / str(number)
        own.mkdir(parents=True)
        config, secrets, read = prepared(case, own)
        for problem in read(config, secrets):
            yield from re.findall(r"pulumi config .+", problem.example)
    for risk in risks.RISKS:
        yield f'pulumi config set --path acceptedRisks.{risk.name} "why"'


def typed(space: Workspace, command: str) -> str:
    """Type a command, and a secret where it asks for one; return what went wrong."""
    result = space.run("bash", "-c", command if "<" in command else f"{command} <<< 's3cret'")
    return f"{command}: {result.err}" if result.status else ""


@pytest.fixture(scope="module")
def space(bench: Bench) -> Workspace:
    base = bench.folder / "commands"
    made = workspace.make(PROJECT, base, workspace.seal(bench.tools, base, bench.kubeconfig))
    (made.folder / "Pulumi.dev.yaml").unlink()
    for name in ("key.json", "code.py"):
        (made.folder / name).write_text("{}")
    made.pulumi("stack", "init", "dev")
    return made


@pytest.mark.xdist_group("commands")
def test_each_keys_own_command_sets_it(space: Workspace) -> None:
    assert list(filter(None, (typed(space, key.command) for key in KEYS))) == []
    config = yaml.safe_load((space.folder / "Pulumi.dev.yaml").read_text())["config"]
    assert {key.full for key in KEYS} == {*config}
    for key in KEYS:
        value = config[key.full]
        assert ("secure" in str(value)) == key.secret
        if not key.secret:
            key.type.read(value if isinstance(value, str) else json.dumps(value))


@pytest.mark.xdist_group("commands")
def test_the_commands_of_pages_and_errors_are_taken(space: Workspace, tmp_path: Path) -> None:
    shown = {*of_the_pages(), *of_the_code(), *of_the_errors(tmp_path)} - {key.command for key in KEYS}
    commands = sorted(one for one in shown if not any(one.endswith(f" {place}") for place in PLACEHOLDERS))
    assert len(commands) > 50
    assert list(filter(None, (typed(space, one) for one in commands))) == []
