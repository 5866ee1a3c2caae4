"""What a preview announces is what `up` does: the objects that change and the pods that restart, on the API server."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from rehearsal import changes
from rehearsal.workspace import Result
from tests.engine.support import PASSWORD, Bench, Stack

_KINDS = (
    "configmaps,daemonsets,deployments,ingresses,networkpolicies,persistentvolumeclaims,poddisruptionbudgets,rolebindings,"
    "roles,secrets,serviceaccounts,services,statefulsets,clusterroles,clusterrolebindings"
)
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
        "an image of the hub": {"hubImage": "quay.io/jupyterhub/k8s-hub:4.3.5"},
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
            made[name] = bench.own_stack(name, imagePrefix=f"examplelab/{name}-", builder="dind")
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
                chart = stack.space.folder / "chart" / "Chart.yaml"
                chart.write_text(yaml.safe_dump(yaml.safe_load(chart.read_text()) | {"version": value}))
                continue
            case "valuesFile":
                (stack.space.folder / "own.yaml").write_text(yaml.safe_dump(value))
                value = "own.yaml"
        content["config"][f"binderhub:{key}"] = value
    file.write_text(yaml.safe_dump(content))


def live(bench: Bench, release: str) -> changes.Objects:
    """Return the objects of the release as the API server has them."""
    items = bench.kubectl("-n", release, "get", _KINDS)["items"]
    notes = [item["metadata"].get("annotations") or {} for item in items]
    own = [item for item, one in zip(items, notes, strict=True) if one.get("meta.helm.sh/release-name") == release]
    return changes.by_key(own, release)


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
    truth = {
        str(key) if what == "changed" else f"{key} ({what})"
        for key, what in changes.between(before, live(bench, name)).items()
    }
    named, count = announced(result)
    assert count == len(truth)
    if count == len(named):
        assert named == truth
    else:  # a long list: those that restart are always named
        assert named < truth
        assert {word for word in truth if word.endswith("(pods restart)")} <= named
