"""Previews of people who cannot look at everything: one warning says what was left out, and the rest is checked."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.engine.support import Bench, Stack

pytestmark = pytest.mark.xdist_group("dev")
LINE = "binderhub: 3 of 24 objects change: Deployment/binder (pods restart), Secret/binder-secret, Service/binder"


@pytest.fixture
def changed(dev: Stack) -> Iterator[Stack]:
    dev.set("imagePrefix", "examplelab/binder-looks-")
    yield dev
    dev.set("imagePrefix", "examplelab/binder-dev-")


def warnings(text: str) -> list[str]:
    """Return the warnings among the diagnostics, each once."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip().startswith("warning: ")))


def test_without_kubectl_the_chart_alone_is_checked(changed: Stack, tmp_path: Path) -> None:
    # A machine may have a kubectl anywhere on its PATH.
    for folder in changed.space.environment["PATH"].split(os.pathsep):
        for program in Path(folder).iterdir():
            place = tmp_path / program.name
            if program.name != "kubectl" and not place.is_symlink():
                place.symlink_to(program)
    space = replace(changed.space, environment={**changed.space.environment, "PATH": str(tmp_path)})
    text = space.pulumi("preview").text
    assert warnings(text) == [
        "warning: server checks skipped: there is no kubectl on PATH; the chart alone was checked"
    ]
    assert "objects change" not in text


def test_who_may_do_nothing_but_act_as_tiller(changed: Stack, bench: Bench) -> None:
    """Records and objects are asked about as tiller; nodes and pods, which only the person could, are left out."""
    original = bench.kubeconfig.read_text()
    content = yaml.safe_load(original)
    content["users"][0]["user"]["as"] = "limited"
    own = changed.space.base / "limited-kubeconfig"
    own.write_text(yaml.safe_dump(content))
    space = replace(changed.space, environment={**changed.space.environment, "KUBECONFIG": str(own)})
    text = space.pulumi("preview").text
    assert LINE in text
    (warning,) = warnings(text)
    assert warning.startswith("warning: not looked at: ")
    assert 'User "limited" cannot list resource "nodes"' in warning
