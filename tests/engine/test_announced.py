"""What a preview announces is what `up` does: the objects that change and the pods that restart, on the API server."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.workspace import Result
from tests.engine.support import PASSWORD, Bench, Stack

_KINDS = (
    "configmaps,daemonsets,deployments,ingresses,networkpolicies,persistentvolumeclaims,poddisruptionbudgets,rolebindings,"
    "roles,secrets,serviceaccounts,services,statefulsets,clusterroles,clusterrolebindings"
)
_BY_CONTROLLERS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")
_LINE = re.compile(r"^ +told-\w+: (?P<count>\d+) of \d+ objects change: (?P<list>.*?)(?:; .*)?$", re.MULTILINE)
_MORE = re.compile(r", and (?P<count>\d+) more \([^)]*\)$")
_PORT: dict[str, Any] = {"jupyterhub": {"hub": {"service": {"type": "NodePort"}}}}
# Two stacks, so that two workers share the time: on each, one change after the other.
CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "told-one": {
        "prefix": {"imagePrefix": "examplelab/binder-other-"},
        "password": {"registryPassword": PASSWORD + "-2"},
        "token rotation": {"rotation": 2},
        "cull": {"cullIdle": 700},
        "user memory": {"userMemoryLimit": "2G"},
        "service type": {"valuesFile": _PORT},
        "an ingress": {"valuesFile": {**_PORT, "ingress": {"enabled": True}}},
    },
    "told-two": {
        "scheduler on": {"userScheduler": True},
        "replicas": {"replicas": 2},
        "labels of pods": {"labels": {"team": "physics"}},
        "cleaner on": {"imageCleaner": "nocordon"},
        "scheduler off": {"userScheduler": False},
        "chart version": {"chart": "2.0.0"},
        "builder": {"builder": "pink"},
        "a volume for the database": {"hubDatabase": "volume"},
        "a database in memory again": {"hubDatabase": "memory"},
    },
}
CASES = [
    pytest.param(name, kind, marks=pytest.mark.xdist_group(name)) for name, kinds in CHANGES.items() for kind in kinds
]
NewStack = Callable[[str], Stack]


@pytest.fixture(scope="module")
def running(bench: Bench) -> Iterator[NewStack]:
    """Returns a running stack by its name; it is brought up when it is first asked for."""
    made: dict[str, Stack] = {}

    def make(name: str) -> Stack:
        if name not in made:
            config = {"release": name, "tiller": f"name: tiller-{name}", "imagePrefix": f"examplelab/{name}-"}
            made[name] = bench.stack(name, {**config, "builder": "dind"})
            made[name].up()
        return made[name]

    yield make
    for stack in made.values():
        stack.pulumi("destroy", "--yes", "--skip-preview")


def change(stack: Stack, settings: dict[str, Any]) -> None:
    file = stack.space.folder / f"Pulumi.{stack.name}.yaml"
    content = yaml.safe_load(file.read_text())
    for key, value in settings.items():
        match key:
            case "registryPassword":
                stack.space.pulumi("config", "set-all", secrets={key: value})
                return
            case "chart":
                bump(stack.space.folder / "chart" / "Chart.yaml", value)
                continue
            case "valuesFile":
                (stack.space.folder / "own.yaml").write_text(yaml.safe_dump(value))
                value = "own.yaml"
        content["config"][f"binderhub:{key}"] = value
    file.write_text(yaml.safe_dump(content))


def bump(file: Path, version: str) -> None:
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"version": version}))


def live(bench: Bench, release: str) -> dict[str, Any]:
    """Return the objects of the release as the API server has them, without what the server and controllers keep."""
    found = {}
    for item in bench.kubectl("-n", release, "get", _KINDS)["items"]:
        about = item["metadata"]
        notes = about.get("annotations") or {}
        if notes.get("meta.helm.sh/release-name") == release:
            kept = {k: v for k, v in notes.items() if k not in _BY_CONTROLLERS}
            content = {k: v for k, v in item.items() if k not in ("metadata", "status")}
            found[f"{item['kind']}/{about['name']}"] = (about["uid"], about.get("labels"), kept, content)
    return found


def done(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return what happened, in the words of the preview."""
    words = set()
    for name in {*before, *after}:
        if name not in before or name not in after:
            words.add(f"{name} ({'deleted' if name in before else 'new'})")
        elif before[name] != after[name]:
            workload = name.split("/")[0] in _WORKLOADS
            templates = [side[name][3]["spec"]["template"] for side in (before, after)] if workload else [0, 0]
            words.add(f"{name} (pods restart)" if templates[0] != templates[1] else name)
    return words


def announced(result: Result) -> tuple[set[str], int]:
    """Return the objects that a preview names, and how many change in all."""
    lines = list(dict.fromkeys(m.groups() for m in _LINE.finditer(result.text)))
    assert len(lines) == 1, result.text
    count, names = lines[0]
    return set(_MORE.sub("", names).split(", ")), int(count)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_announced_is_done(running: NewStack, bench: Bench, name: str, kind: str) -> None:
    stack = running(name)
    before = live(bench, name)
    change(stack, CHANGES[name][kind])
    result = stack.pulumi("up", "--yes")
    truth = done(before, live(bench, name))
    named, count = announced(result)
    assert count == len(truth)
    if count == len(named):
        assert named == truth
    else:  # a long list: those that restart are always named
        assert named < truth
        assert {word for word in truth if word.endswith("(pods restart)")} <= named


@pytest.mark.xdist_group("told-one")
def test_silent_when_nothing_changes(running: NewStack) -> None:
    text = running("told-one").pulumi("preview", "--expect-no-changes").text
    assert "Diagnostics" not in text
    assert "objects" not in text
