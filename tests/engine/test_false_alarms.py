"""What is right must not be refused: a stack with everything switched on, before and after its first install."""

import yaml

from tests.engine.support import Bench
from tests.engine.test_looks import warnings
from tests.engine.test_stacks import NewStack

NAME = "everything"
CONFIG = {
    "hubDatabase": "volume",
    "userScheduler": "true",
    "imageCleaner": "nocordon",
    "builder": "pink",
    "replicas": "2",
    "privateImages": "true",
    "labels": "{team: physics}",
    "imagePrefix": "examplelab/binder-everything-",
    "valuesFile": "own.yaml",
    "timeout": "60",
}
VALUES = {
    "ingress": {"enabled": True, "hosts": ["binder.example.org"]},
    "jupyterhub": {
        "hub": {"services": {"announcer": {"display": False}}, "pdb": {"enabled": True}},
        "scheduling": {"podPriority": {"enabled": True}},
        "prePuller": {"hook": {"enabled": True}, "continuous": {"enabled": True}},
    },
}


def test_everything_switched_on_is_not_refused(new_stack: NewStack, bench: Bench) -> None:
    stack = new_stack(NAME, **CONFIG)
    (stack.space.folder / "own.yaml").write_text(yaml.safe_dump(VALUES))
    first = stack.pulumi("preview").text
    assert f"{NAME}: first install, " in first
    assert warnings(first) == []
    stack.up()
    # A service's token, which the chart draws by lot at each rendering, is no change.
    assert "Diagnostics" not in stack.pulumi("preview", "--expect-no-changes").text
    stack.set("cullIdle", "700")
    text = stack.pulumi("up", "--yes").text
    assert "Deployment/hub (pods restart)" in text
    assert warnings(text) == []
