"""What the provider is asked to render, and what Helm says when it refuses."""

import json

import pytest

from components import rendering
from components.chart import Chart, published

PREFIX = (
    "invoke of kubernetes:helm:template failed: invocation returned an error: failed to create chart from template: "
)
SCHEMA = (
    f"{PREFIX}values don't meet the specifications of the schema(s) in the following chart(s):\n"
    "binderhub:\n- at '': additional properties 'singelUser', 'cull' not allowed\n"
    "- at '/service/labels/x': got number, want string\n"
    "jupyterhub:\n- at '/cull/timeout': got string, want null or integer\n"
    "- at '/hub': additional properties 'confg' not allowed\n"
)


def test_each_value_that_the_schema_refuses_is_told_with_its_place() -> None:
    got = [(r.about, r.reason, r.advice) for r in rendering.refusals(SCHEMA)]
    assert got == [
        (
            "",
            "at '': additional properties 'singelUser', 'cull' not allowed",
            "singelUser in the values file, cull in the values file",
        ),
        (
            "service.labels.x",
            "at '/service/labels/x': got number, want string",
            "service.labels.x in the values file",
        ),
        (
            "jupyterhub.cull.timeout",
            "at '/cull/timeout': got string, want null or integer",
            "the setting binderhub:cullIdle (jupyterhub.cull.timeout)",
        ),
        (
            "jupyterhub.hub",
            "at '/hub': additional properties 'confg' not allowed",
            "jupyterhub.hub.confg in the values file",
        ),
    ]


def test_what_a_template_refuses() -> None:
    (got,) = rendering.refusals(f"{PREFIX}execution error at (binderhub/templates/NOTES.txt:5:4): RENAMED: a is now b")
    assert (got.about, got.reason) == ("the chart (binderhub/templates/NOTES.txt:5:4)", "RENAMED: a is now b")


@pytest.mark.parametrize("text", ["failed to pull chart: no such host", f"{PREFIX}something new"])
def test_anything_else_is_told_as_it_is(text: str) -> None:
    (got,) = rendering.refusals(text)
    assert (got.about, got.reason) == ("the chart", text.removeprefix(PREFIX))


@pytest.mark.parametrize(
    ("reference", "place"),
    [
        ("./chart", {"chart": "chart", "path": "."}),
        ("chart", {"chart": "chart", "path": "."}),
        ("../charts/binderhub.tgz", {"chart": "binderhub.tgz", "path": "../charts"}),
        ("/srv/charts/binderhub/", {"chart": "binderhub", "path": "/srv/charts"}),
    ],
)
def test_a_chart_on_the_disk_is_named_by_folder_and_name(reference: str, place: dict[str, str]) -> None:
    chart = Chart(reference=reference, version="1", repository="", digest="x")
    got = json.loads(rendering.options(chart, "hub", "binder", {"a": 1}))
    assert got == {**place, "release_name": "hub", "namespace": "binder", "values": {"a": 1}}


def test_a_published_chart_is_named_by_repository_and_version() -> None:
    got = json.loads(rendering.options(published("1.2.3"), "hub", "binder", {}))
    assert (got["chart"], got["version"]) == ("binderhub", "1.2.3")
    assert got["fetch_opts"]["repo"].startswith("https://")
    assert "path" not in got
