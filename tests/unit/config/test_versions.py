"""Which JupyterHub a stack gets, which known holes it has, and that the table of all that is sound."""

import datetime
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import chart, versions
from config.settings import SettingsError
from config.versions import ADVISORIES, CHARTS, HUB_IMAGE, HUB_IMAGES, Hub
from kube.nested import get
from tests.unit.config.conftest import LOGIN, helm_values, read, shape
from tests.unit.conftest import ROOT

OLD, NEW = "1.0.0-0.dev.git.3506.hba24eb2a", "1.0.0-0.dev.git.3983.h383374de"
UNRAISED = f"{HUB_IMAGE}:4.2.0"


def warned(folder: Path = ROOT, **config: str) -> list[str]:
    return [one for one in read(config, folder=folder).warnings if one.startswith("knownHoles: ")]


# --- the table ----------------------------------------------------------------------------------------------------


def test_every_row_has_a_source_and_the_table_a_date() -> None:
    assert all(row.source.rpartition(" ")[2].startswith("https://") for row in ADVISORIES)
    assert all("https://" in row.source for row in (*CHARTS, *HUB_IMAGES))
    assert datetime.date.fromisoformat(versions.LOOKED_UP) < datetime.date(2100, 1, 1)
    for rows in (CHARTS, HUB_IMAGES):
        assert len({row.version for row in rows}) == len(rows)
    assert len({row.name for row in ADVISORIES}) == len(ADVISORIES)
    known = [row.jupyterhub for row in HUB_IMAGES]
    assert not any(versions.is_older(later, one) for one, later in itertools.pairwise(known)), "oldest first"


def test_what_is_run_in_place_of_the_charts_image_fits_its_database_and_is_newer() -> None:
    assert {row.version: row.jupyterhub for row in CHARTS}[chart.CHART_VERSION] in versions.RAISED
    for old, tag in versions.RAISED.items():
        new = versions.in_image(f"{HUB_IMAGE}:{tag}")
        assert versions.is_older(old, new)
        assert not versions.is_migrated(old, new)


# --- which image --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize(
    ("config", "own", "image", "jupyterhub"),
    [
        ({}, None, {"tag": "4.4.0"}, "5.5.0"),
        ({"chart": "tests/charts/binderhub"}, None, {"tag": "4.4.0"}, "5.5.0"),
        # Of a chart with another JupyterHub, or one that is not known, the image stays as it is.
        ({"chartVersion": OLD}, None, None, "4.1.5"),
        ({"chartVersion": NEW}, None, None, ""),
        ({"chartVersion": "9.9"}, None, None, ""),
        ({"hubImage": UNRAISED}, None, {"name": HUB_IMAGE, "tag": "4.2.0"}, "5.3.0"),
        ({"hubImage": "m.lan:5000/x/k8s-hub:4.3.4"}, None, {"name": "m.lan:5000/x/k8s-hub", "tag": "4.3.4"}, "5.4.5"),
        ({"hubImage": "lab/our-hub:4.4.0"}, None, {"name": "lab/our-hub", "tag": "4.4.0"}, ""),
        # What the user's own values say of the image is left alone.
        ({}, {"tag": "4.3.2"}, {"tag": "4.3.2"}, "5.4.3"),
        ({}, {"name": "lab/our-hub", "tag": "7"}, {"name": "lab/our-hub", "tag": "7"}, ""),
        ({}, {"name": "mirror.lan/k8s-hub"}, {"name": "mirror.lan/k8s-hub"}, "5.3.0"),
        ({}, {"pullPolicy": "Always"}, {"pullPolicy": "Always", "tag": "4.4.0"}, "5.5.0"),
    ],
)  # fmt: skip
def test_the_hubs_image(
    tmp_path: Path, config: dict[str, str], own: dict[str, str] | None, image: Any, jupyterhub: str
) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    if own:
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({"jupyterhub": {"hub": {"image": own}}}))
        config = {**config, "valuesFile": "own.yaml"}
    given = read(config, folder=tmp_path)
    assert get(shape(helm_values(given)), "jupyterhub.hub.image") == image
    assert given.hub_image.jupyterhub == jupyterhub


def test_two_images_of_the_hub_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("jupyterhub: {hub: {image: {tag: '4.3.2'}}}")
    with pytest.raises(SettingsError, match=r"(?s)binderhub:hubImage: .*no image of the hub in the values file"):
        read({"hubImage": UNRAISED, "valuesFile": "own.yaml"}, folder=tmp_path)


# --- known holes --------------------------------------------------------------------------------------------------


def test_the_default_is_without_known_holes_and_an_older_hub_is_warned_of_once_until_accepted() -> None:
    assert warned() == warned(**LOGIN) == []
    (told,) = warned(hubImage=UNRAISED)
    assert told == (
        "knownHoles: this hub's JupyterHub 5.3.0 has known holes: CVE-2026-33709 (open redirect), "
        "GHSA-p43p-whwx-q52h (denial of service); fixed in 5.5.0: "
        f"pulumi config set hubImage {HUB_IMAGE}:4.4.0, or accept it: "
        'pulumi config set --path acceptedRisks.knownHoles "why"'
    )
    assert warned(hubImage=UNRAISED, acceptedRisks=json.dumps({"knownHoles": "lab network"})) == []
    assert len(warned(hubImage=UNRAISED, profile="prod")) == 1


def test_what_is_not_known_is_not_warned_of() -> None:
    assert warned(chartVersion=NEW) == warned(hubImage="lab/our-hub:1") == []


def test_a_hub_with_login_has_one_hole_more() -> None:
    (told,) = warned(hubImage=f"{HUB_IMAGE}:4.3.3", **LOGIN)
    assert "CVE-2026-40864 (cross-site request forgery), GHSA-p43p-whwx-q52h" in told
    assert "CVE-2026-33709" not in told, "that was mended in this very version"
    (told,) = warned(hubImage=f"{HUB_IMAGE}:4.3.4", **LOGIN)
    assert "CVE-2026-40864" not in told


def test_an_old_chart_needs_a_new_one_and_not_an_image_of_another_database() -> None:
    (told,) = warned(chartVersion=OLD)
    assert "JupyterHub 4.1.5 has known holes" in told
    assert "pulumi config rm chartVersion" in told
    assert HUB_IMAGE not in told


@pytest.mark.parametrize(
    ("jupyterhub", "values", "name", "there"),
    [
        ("5.5.0", {"loadRoles": {"user": {"scopes": ["self", "shares!user"]}}}, "GHSA-c4gm-pwx9-9w8j", True),
        ("5.5.1", {"loadRoles": {"user": {"scopes": ["shares!user"]}}}, "GHSA-c4gm-pwx9-9w8j", False),
        ("4.1.6", {"loadRoles": {"user": {"scopes": ["shares!user"]}}}, "GHSA-c4gm-pwx9-9w8j", False),
        ("5.5.0", {"loadRoles": {"user": {"scopes": ["self"]}}}, "GHSA-c4gm-pwx9-9w8j", False),
        ("5.5.0", {"loadRoles": {"t": {"scopes": ["admin:users!group=a"]}}}, "GHSA-69wv-m5fw-2fhp", True),
        ("5.5.0", {"loadRoles": {"t": {"scopes": ["admin:users"]}}}, "GHSA-69wv-m5fw-2fhp", False),
        ("4.1.5", {"loadRoles": {"t": {"scopes": ["admin:users"]}}}, "CVE-2024-41942", True),
        ("4.1.6", {"loadRoles": {"t": {"scopes": ["admin:users"]}}}, "CVE-2024-41942", False),
        ("5.4.3", {"config": {"Auth0OAuthenticator": {"client_id": "x"}}}, "CVE-2026-33175", True),
        ("5.4.4", {"config": {"Auth0OAuthenticator": {"client_id": "x"}}}, "CVE-2026-33175", False),
        ("5.4.3", {"config": {"LTI11Authenticator": {"consumers": {}}}}, "CVE-2026-34052", True),
        ("5.4.3", {"config": {}, "loadRoles": None}, "CVE-2026-34052", False),
        ("5.4.3", {"loadRoles": {"a": None, "b": {"scopes": "shares"}}}, "GHSA-c4gm-pwx9-9w8j", False),
    ],
)  # fmt: skip
def test_a_hole_is_told_to_those_who_have_it(jupyterhub: str, values: Any, name: str, there: bool) -> None:
    assert (name in versions.holes(jupyterhub, Hub(login=False, values=values))) is there


def test_where_no_known_image_mends_it_the_version_is_named() -> None:
    told = versions.holes("5.5.0", Hub(login=False, values={"loadRoles": {"user": {"scopes": ["shares"]}}}))
    assert (
        "fixed in 5.5.1: pulumi config set hubImage quay.io/jupyterhub/k8s-hub:TAG, with a later tag than 4.4.0" in told
    )


@pytest.mark.parametrize(
    ("old", "new", "migrated"),
    [("4.1.6", "5.3.0", True), ("5.3.0", "4.1.5", True), ("5.5.0", "6.0.0", True), ("5.3.0", "5.5.0", False),
     ("", "5.5.0", False), ("5.3.0", "", False)],
)  # fmt: skip
def test_a_major_version_migrates_the_database(old: str, new: str, migrated: bool) -> None:
    assert versions.is_migrated(old, new) is migrated
