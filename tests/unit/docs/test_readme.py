"""What the pages promise must be so; tests/engine/test_readme.py runs the commands for a cluster."""

import importlib
import re
import subprocess

import pytest
import yaml

from tests import readme

TEXT = "\n".join(page.read_text() for page in readme.pages())
MAP = (readme.PROJECT / "docs" / "architecture.md").read_text()
ROOMS = ("components", "config", "kube", "preflight")


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
    ],
)
def test_the_options_behind_make_rehearse(words: list[str], options: str) -> None:
    assert dry("rehearse", *words).endswith(f"-m rehearsal run {options}")


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
