"""The pages that are made from the code are what the code makes now, and their commands are right."""

import shlex
from pathlib import Path

import pytest

from components import docs, images, settings
from tests import readme

CHART = {"binderhub:chart": str(Path(__file__).parents[1] / "charts" / "binderhub")}


@pytest.mark.parametrize(("name", "made"), [("settings.md", docs.page), ("registries.md", docs.registries)])
def test_pages_are_up_to_date(name: str, made: object) -> None:
    assert (docs.FOLDER / name).read_text() == made(), "run: python -m components.docs"


PAGES = readme.blocks((docs.FOLDER / "registries.md").read_text(), "sh")


def test_every_registry_has_its_commands() -> None:
    assert len(PAGES) == len(images.KINDS)
    assert all(block.splitlines()[-1] == "pulumi up" for block in PAGES)


@pytest.mark.parametrize("block", PAGES, ids=list(images.KINDS))
def test_the_commands_for_a_registry_make_a_good_stack(block: str, tmp_path: Path) -> None:
    config, secrets = dict(CHART), []
    for line in block.splitlines():
        words = shlex.split(line.replace("MY-USER", "me"))
        if words[:3] != ["pulumi", "config", "set"]:
            assert line in ("pulumi stack init dev", "pulumi up")
        elif words[3] == "--secret":
            secrets.append(f"binderhub:{words[4]}")
            config[secrets[-1]] = '{"type": "service_account"}' if "key.json" in line else "s3cret"
        else:
            config[f"binderhub:{words[3]}"] = words[4]
    got = settings.read(config, secrets, "dev", tmp_path)
    assert got.registry.kind == config["binderhub:registry"]
    assert got.warnings == ()
