"""The README's own commands, word for word, on the real engine."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml

from rehearsal import charts, workspace
from tests import readme
from tests.engine.support import PASSWORD, PROJECT, Bench

# What the user answers where a command asks.
# The state is kept here instead of in the home folder of whoever runs the tests.
LOGIN = "pulumi login --local"
ANSWERS = {"pulumi up": " --yes", "pulumi destroy": " --yes", "pulumi config set --secret": f" <<< '{PASSWORD}'"}


def as_typed(line: str, state: Path) -> str:
    line = line.replace("YOUR-DOCKER-ID", "examplelab")
    line = line.replace(LOGIN, f"pulumi login file://{state}")
    return line + "".join(answer for start, answer in ANSWERS.items() if line.startswith(start))


def prepare(bench: Bench, base: Path) -> workspace.Workspace:
    """Make a checkout whose stacks differ from the README's in their names (the cluster is shared) and chart."""
    kubeconfig = base / "kubeconfig"
    base.mkdir(parents=True)
    content = yaml.safe_load(bench.kubeconfig.read_text())
    content["contexts"].append({**content["contexts"][0], "name": "prod-cluster"})
    kubeconfig.write_text(yaml.safe_dump(content))
    # `pulumi login` decides where the state is.
    sealed = {k: v for k, v in workspace.seal(bench.tools, base, kubeconfig).items() if k != "PULUMI_BACKEND_URL"}
    space = workspace.make(PROJECT, base, sealed)
    shutil.copytree(charts.STAND_IN, space.folder / "chart")
    for stack in ("dev", "prod"):
        file = space.folder / f"Pulumi.{stack}.yaml"
        config = yaml.safe_load(file.read_text())["config"]
        own = {"release": f"readme-{stack}", "chart": "chart", "tiller": {"name": f"tiller-readme-{stack}"}}
        config |= {f"binderhub:{key}": value for key, value in own.items()}
        file.write_text(yaml.safe_dump({"config": config}))
    return space


def test_the_steps_for_ones_own_cluster_and_the_clean_up(bench: Bench) -> None:
    blocks = [block for block in readme.blocks((PROJECT / "README.md").read_text(), "sh") if "pulumi" in block]
    space = prepare(bench, bench.folder / "stacks" / "readme")
    lines = [as_typed(line, space.base / "state") for block in blocks for line in block.splitlines()]
    assert f"pulumi login file://{space.base}/state" in lines
    result = space.run("bash", "-euxc", "\n".join(lines))
    assert result.status == 0, result.text
    assert PASSWORD not in result.out
    assert "    + 18 to create" in result.out
    assert 'binder_url     : "http://10.' in result.out
    assert bench.kubectl("get", "namespaces", "--field-selector=metadata.name=readme-dev")["items"] == []


@pytest.mark.parametrize("tool", ["python3 -m venv", "uv venv"])
def test_the_set_up_for_pip_and_uv(tmp_path: Path, tool: str) -> None:
    blocks = readme.blocks((PROJECT / "README.md").read_text(), "sh")
    (block,) = (block for block in blocks if block.startswith(tool))
    workspace.copy_project(PROJECT, tmp_path / "project")
    check = "python -c 'import pulumi, pulumi_kubernetes, pulumi_random, yaml'"
    # Our own environment's uv, but not its Python.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").symlink_to(Path(sysconfig.get_path("scripts"), "uv"))
    environment = {**os.environ, "PATH": os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])}
    got = subprocess.run(
        ["bash", "-euc", f"{block}\n{check}"], cwd=tmp_path / "project", env=environment, capture_output=True, text=True
    )
    assert got.returncode == 0, got.stderr
