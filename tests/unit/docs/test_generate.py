"""The tables that are made from the code are what the code makes now, and their commands are right."""

import re
import shlex
from pathlib import Path

import pytest

from config import registries, settings
from docs import generate
from tests.unit.conftest import ROOT

CHART = {"binderhub:chart": str(ROOT / "tests" / "charts" / "binderhub")}
PAGES = {file.name: file.read_text() for file in generate.FILES}


def test_what_is_made_is_up_to_date() -> None:
    assert {name: generate.made(text) for name, text in PAGES.items()} == PAGES, "run: python -m docs.generate"
    assert sorted(re.findall(r"made: (\w+)", "".join(PAGES.values()))) == sorted(generate.PARTS)


@pytest.mark.parametrize("registry_type", registries.TYPES)
def test_the_commands_for_a_registry_make_a_good_stack(registry_type: str, tmp_path: Path) -> None:
    """As a reader sees it: one row a registry type, with its commands in code spans."""
    (row,) = (line for line in PAGES["registries.md"].splitlines() if f"(`{registry_type}`)" in line)
    config, secrets = dict(CHART), []
    for command in re.findall(r"`(pulumi config set [^`]+)`", row.split(" | ")[2]):
        words = [word for word in shlex.split(command.replace("MY-USER", "me"))[3:] if word != "--plaintext"]
        if words[0] == "--secret":
            secrets.append(f"binderhub:{words[1]}")
            config[secrets[-1]] = '{"type": "service_account"}' if "key.json" in command else "s3cret"
        else:
            config[f"binderhub:{words[0]}"] = words[1]
    got = settings.read(config, secrets, "dev", tmp_path)
    assert got.registry.type == registry_type
    assert got.warnings == ()
