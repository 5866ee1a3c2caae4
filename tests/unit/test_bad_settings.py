"""Ninety-odd bad stack files, each with the exact message that it gives, and the page that lists all settings."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from components import settings
from components.keys import KEYS

GOOD = {"imagePrefix": "acme/binder-dev-", "registryUsername": "me", "registryPassword": "s3cret"}
CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "bad_settings.yaml").read_text())


def message(case: dict[str, Any], folder: Path) -> str:
    (folder / "chart").symlink_to(ROOT / "tests" / "charts" / "binderhub")
    for name, prefix in case.get("others", {}).items():
        (folder / name).write_text(yaml.safe_dump({"config": {"binderhub:imagePrefix": prefix}}))
    (folder / "own.yaml").write_text(case.get("file", ""))
    config = {k: v for k, v in GOOD.items() if k not in case.get("without", [])} | case.get("config", {})
    encrypted = {"registryPassword", *case.get("secrets", [])}
    encrypted -= {name for clear in case.get("secrets", []) for name in (clear, clear[1:]) if clear.startswith("-")}
    with pytest.raises(settings.SettingsError) as caught:
        settings.read(
            {f"binderhub:{key}": value for key, value in config.items()},
            [f"binderhub:{key}" for key in encrypted],
            case.get("stack", "dev"),
            folder,
        )
    head, _, rest = str(caught.value).partition("\n")
    assert head.endswith("nothing was touched")
    return rest.replace(str(folder), "FOLDER")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_exact_message(case: dict[str, Any], tmp_path: Path) -> None:
    assert message(case, tmp_path) == case["message"]


def test_there_are_enough() -> None:
    assert len(CASES) >= 60
    assert len([case for case in CASES if "\n  3. " in f"\n{case['message']}"]) >= 10


@pytest.mark.parametrize("key", [key for key in KEYS if not key.secret and key.example], ids=lambda key: key.name)
def test_a_plain_key_that_came_encrypted_is_refused_and_not_shown(key: Any, tmp_path: Path) -> None:
    config = {f"binderhub:{name}": value for name, value in GOOD.items()} | {key.full: "h1dden"}
    with pytest.raises(settings.SettingsError) as caught:
        settings.read(config, ["binderhub:registryPassword", key.full], "dev", tmp_path)
    assert f"{key.full}: found an encrypted value (not shown)" in str(caught.value)
    assert "h1dden" not in str(caught.value)
