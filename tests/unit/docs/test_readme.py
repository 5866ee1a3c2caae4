"""What the pages promise must be so; tests/engine/test_readme.py runs the commands for a cluster."""

import importlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from rehearsal.toolchain import install
from tests import readme

TEXT = "\n".join(page.read_text() for page in readme.pages())
MAP = (readme.PROJECT / "docs" / "architecture.md").read_text()
ROOMS = ("components", "config", "kube", "preflight")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the Makefile comes from the shell in which the tests run."""
    of_make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")  # of the `make test` around this one
    for name in ("STACK", "CHART", "KEEP", "UPGRADE", "FROM", "NODES", "RUN", "PYTHON", *of_make):
        monkeypatch.delenv(name, raising=False)


def dry(*words: str) -> str:
    """What a command of make would run; it fails for a target that is not there."""
    # Where `make test` runs this, make would name its folders.
    command = ["make", "--no-print-directory", "-n", *words]
    got = subprocess.run(command, cwd=readme.PROJECT, capture_output=True, text=True, check=True)
    return " ".join(got.stdout.split())


@pytest.mark.parametrize("command", sorted(readme.make_commands(TEXT)))
def test_every_make_command_is_one(command: str) -> None:
    assert dry(*command.split()[1:])


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m ((?:operations|rehearsal) \w+)", TEXT))))
def test_every_command_of_ours_is_one(command: str) -> None:
    module, name = command.split()
    with pytest.raises(SystemExit, match=r"^0$"):
        importlib.import_module(f"{module}.__main__").parser().parse_args([name, "--help"])


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["STACK=prod", "CHART=some.tgz", "KEEP=1"], "--stack 'prod' --chart 'some.tgz' --keep"),
        (["UPGRADE=1"], "--stack 'dev' --from 'HEAD'"),
        (["FROM=main", "STACK=prod"], "--stack 'prod' --from 'main'"),
        (["NODES=pool=core,disk=ssd"], "--stack 'dev' --nodes 'pool=core,disk=ssd'"),
        (["KEEP=0", "UPGRADE=no", "FROM="], "--stack 'dev'"),
        (["CHART=it's a chart.tgz"], r"--stack 'dev' --chart 'it'\''s a chart.tgz'"),
    ],
)
def test_the_options_behind_make_rehearse(words: list[str], options: str) -> None:
    assert dry("rehearse", *words).endswith(f"-m rehearsal run {options}")


def test_the_environment_counts_as_the_command_line_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACK", "prod")
    monkeypatch.setenv("RUN", "rehearsal-dev-1-aaaa")
    assert dry("rehearse").endswith("--stack 'prod'")
    assert dry("rehearse-stop").endswith("stop --run 'rehearsal-dev-1-aaaa'")


@pytest.mark.parametrize(
    ("words", "environment", "found"),
    [
        (["rehearse", "stack=prod"], {}, "there is no variable stack."),
        (["rehearse", "STAK=prod", "Keep=1"], {}, "there is no variable "),
        (["rehearse-stop", "run=rehearsal-dev-1-aaaa"], {}, "there is no variable run."),
        (["test", "VENV=.venv"], {}, "there is no variable VENV."),
        (["rehearse"], {"stack": "prod"}, "there is no variable stack."),
        (["rehearse", "prod"], {}, "there is no target prod."),
    ],
)
def test_what_is_misspelt_is_refused_with_one_line(words: list[str], environment: dict[str, str], found: str) -> None:
    """It would have been a rehearsal of dev."""
    command = ["make", "--no-print-directory", "-n", *words]
    got = subprocess.run(command, cwd=readme.PROJECT, env={**os.environ, **environment}, capture_output=True, text=True)
    assert (got.returncode, got.stdout) == (2, "")
    (line,) = got.stderr.splitlines()
    assert found in line
    assert "Example: make rehearse STACK=prod" in line


def test_what_a_rehearsal_does_not_need_is_not_installed_for_it(tmp_path: Path) -> None:
    """And its environment is not the one that the README makes for deploying."""
    shutil.copy(readme.PROJECT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    asked = {}
    for target in ("rehearse", "test"):
        got = subprocess.run(["make", "-n", target], cwd=tmp_path, capture_output=True, text=True, check=True)
        asked[target] = re.findall(r"pip install --quiet (.*)", got.stdout)
        assert set(re.findall(r"-m venv (.*)", got.stdout)) == {"--clear .venv-rehearsal"}
        # Before it starts, what it takes.
        first = got.stdout.index("minute, ")
        assert first < got.stdout.index(f"{install.BUILD_GB} GB while it lasts") < got.stdout.index("-m venv")
    assert asked == {"rehearse": ["'.[rehearsal]'"], "test": ["'.[rehearsal]'", "'.[rehearsal,tests]'"]}


def test_another_python_gets_an_environment_of_its_own(tmp_path: Path) -> None:
    """Without that, `make rehearse PYTHON=python3.12` would go on with the Python of the first run."""
    shutil.copy(readme.PROJECT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".venv-rehearsal").mkdir()
    (tmp_path / ".venv-rehearsal" / "rehearsal-python3").touch()
    for words, new in ([], False), (["PYTHON=/usr/bin/python3"], True):
        command = ["make", "-n", "rehearse", *words]
        got = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert ("-m venv" in got.stdout) == new


def test_the_readme_names_the_two_commands_on_its_first_screen() -> None:
    first = (readme.PROJECT / "README.md").read_text().splitlines()[:45]
    assert {"$ make rehearse", "$ make test"} <= set(first)


def test_ci_runs_what_the_readme_says() -> None:
    lines = (readme.PROJECT / ".ci" / "run").read_text().splitlines()
    assert lines[-1] == "exec make test"


def test_conda_users_get_the_same_packages() -> None:
    about = yaml.safe_load((readme.PROJECT / "environment.yml").read_text())
    assert about["name"] == "binderhub"
    assert {"pip": ["."]} in about["dependencies"]


def test_links_and_folders_lead_somewhere() -> None:
    for page in readme.pages():
        for target in set(re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
    rows = re.findall(r"^\| `([^`]+)` \|", MAP, re.MULTILINE)
    assert {f"{room}/" for room in ROOMS} < set(rows)
    assert [row for row in rows if not (readme.PROJECT / row).exists()] == []


def test_the_functions_on_the_map_are_there() -> None:
    """They stand there as `module.function` or `Class.method`, with or without the room."""
    files = [file for room in ROOMS for file in (readme.PROJECT / room).glob("[a-z]*.py")]
    known: dict[str, object] = {file.stem: importlib.import_module(f"{file.parent.name}.{file.stem}") for file in files}
    known |= {one.__name__: one for module in [*known.values()] for one in vars(module).values() if type(one) is type}
    named = [span.split(".")[-2:] for span in re.findall(r"`([\w.]+\.\w+)`", MAP)]
    ours = [(owner, name) for owner, name in named if owner in known and name not in ("py", "md")]
    assert len(ours) > 10
    assert [(owner, name) for owner, name in ours if not hasattr(known[owner], name)] == []
