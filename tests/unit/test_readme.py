"""What the README promises of commands must be so; tests/engine/test_readme.py runs those for a cluster."""

import re
import subprocess

import pytest
import yaml

from tests import readme

TEXT = "\n".join(page.read_text() for page in readme.pages())


@pytest.mark.parametrize("command", sorted(readme.make_commands(TEXT)))
def test_every_make_command_is_one(command: str) -> None:
    # `make -n` fails for a target that is not there, and shows what would be run.
    got = subprocess.run(["make", "-n", *command.split()[1:]], cwd=readme.PROJECT, capture_output=True, text=True)
    assert got.returncode == 0, got.stderr


def test_the_command_behind_make_rehearse() -> None:
    words = ["make", "-n", "rehearse", "STACK=prod", "CHART=some.tgz", "KEEP=1"]
    got = subprocess.run(words, cwd=readme.PROJECT, capture_output=True, text=True)
    assert "-m rehearsal run --stack 'prod' --chart 'some.tgz' --keep" in " ".join(got.stdout.split())


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["UPGRADE=1"], "--stack 'dev' --from 'HEAD'"),
        (["FROM=main", "STACK=prod"], "--stack 'prod' --from 'main'"),
        (["NODES=pool=core,disk=ssd"], "--stack 'dev' --nodes 'pool=core,disk=ssd'"),
    ],
)
def test_the_options_behind_make_rehearse(words: list[str], options: str) -> None:
    got = subprocess.run(["make", "-n", "rehearse", *words], cwd=readme.PROJECT, capture_output=True, text=True)
    (line,) = (line for line in got.stdout.splitlines() if "rehearsal run" in line)
    assert " ".join(line.split()).endswith(f"-m rehearsal run {options}")


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


def test_links_lead_somewhere() -> None:
    for page in readme.pages():
        for target in set(re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
