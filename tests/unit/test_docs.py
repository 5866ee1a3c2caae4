"""The pages that are made from the code are what the code makes now, and their commands are right."""

import shlex
from pathlib import Path

import pytest

from components import docs, images, settings
from tests import readme

CHART = {"binderhub:chart": str(Path(__file__).parents[1] / "charts" / "binderhub")}


MADE = {"settings.md": docs.page(), **{f"registries/{name}": text for name, text in docs.registries().items()}}


@pytest.mark.parametrize("name", MADE)
def test_pages_are_up_to_date(name: str) -> None:
    assert (docs.FOLDER / name).read_text() == MADE[name], "run: python -m components.docs"


def test_there_are_no_other_pages_of_registries() -> None:
    found = {f"registries/{file.name}" for file in (docs.FOLDER / "registries").iterdir()}
    assert found == set(MADE) - {"settings.md"}


PAGES = [readme.blocks((docs.FOLDER / "registries" / f"{kind}.md").read_text(), "sh")[0] for kind in images.KINDS]


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
    assert got.registry.kind == config.get("binderhub:registry", images.DOCKER_HUB)
    assert got.warnings == ()
