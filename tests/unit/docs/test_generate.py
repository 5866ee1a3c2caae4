"""The pages that are made from the code are what the code makes now, and their commands are right."""

import re
import shlex
from pathlib import Path

import pytest

from config import registries, settings
from docs import generate
from tests.unit.conftest import ROOT

CHART = {"binderhub:chart": str(ROOT / "tests" / "charts" / "binderhub")}
MADE = {"settings.md": generate.page(), "registries.md": generate.registries_page()}
# As a reader sees it: one row a registry type, with its commands in code spans.
ROWS = re.findall(r"^\| .*\(`(\w+)`\) \|.*$", MADE["registries.md"], re.MULTILINE)


@pytest.mark.parametrize("name", MADE)
def test_pages_are_up_to_date(name: str) -> None:
    assert (generate.FOLDER / name).read_text() == MADE[name], "run: python -m docs.generate"


def test_every_registry_type_has_a_row() -> None:
    assert list(registries.TYPES) == ROWS


@pytest.mark.parametrize("registry_type", ROWS)
def test_the_commands_for_a_registry_make_a_good_stack(registry_type: str, tmp_path: Path) -> None:
    (row,) = (line for line in MADE["registries.md"].splitlines() if f"(`{registry_type}`)" in line)
    config, secrets = dict(CHART), []
    for command in re.findall(r"`(pulumi config set [^`]+)`", row.split(" | ")[2]):
        words = shlex.split(command.replace("MY-USER", "me"))[3:]
        if words[0] == "--secret":
            secrets.append(f"binderhub:{words[1]}")
            config[secrets[-1]] = '{"type": "service_account"}' if "key.json" in command else "s3cret"
        else:
            config[f"binderhub:{words[0]}"] = words[1]
    got = settings.read(config, secrets, "dev", tmp_path)
    assert got.registry.type == registry_type
    assert got.warnings == ()
