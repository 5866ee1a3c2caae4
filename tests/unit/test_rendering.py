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
        ("./", {"chart": ".", "path": "."}),
        ("..", {"chart": "..", "path": "."}),
        ("./a/b/", {"chart": "b", "path": "./a"}),
        ("../binderhub", {"chart": "binderhub", "path": ".."}),
        ("/binderhub.tgz", {"chart": "binderhub.tgz", "path": "/"}),
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


BEGINNING = f"{PREFIX}values don't meet the specifications of the schema(s) in the following chart(s):\n"


@pytest.mark.parametrize(
    ("line", "about", "advice"),
    [
        ("- at '/replicas': got string, want integer", "replicas", "the setting binderhub:replicas (replicas)"),
        ("- at '': additional properties 'singelUser' not allowed", "", "singelUser in the values file"),
        ("- at '/image': missing property 'name'", "image", "image in the values file"),
        ("- at '/extraVolumes/0': missing properties 'name', 'mount'", "extraVolumes.0",
         "extraVolumes.0 in the values file"),
        ("- at '/service/type': value must be one of 'ClusterIP', 'NodePort'", "service.type",
         "the setting binderhub:exposure (service.type)"),
        ("- at '/ingress/hosts': got string, want array", "ingress.hosts", "ingress.hosts in the values file"),
        ("- at '/dind': additional properties 'a', 'b', 'c' not allowed", "dind",
         "dind.a in the values file, dind.b in the values file, dind.c in the values file"),
        ("- at '/a': 'x: y' does not match pattern '^[0-9]+$'", "a", "a in the values file"),
    ],
)  # fmt: skip
def test_each_sort_of_cause_has_its_place(line: str, about: str, advice: str) -> None:
    (got,) = rendering.refusals(f"{BEGINNING}binderhub:\n{line}\n\n")
    assert (got.about, got.reason, got.advice) == (about, line.removeprefix("- "), advice)


def test_places_are_below_the_chart_that_is_named_last() -> None:
    cause = "- at '/x': got number, want string"
    got = rendering.refusals(f"{BEGINNING}jupyterhub:\n{cause}\nbinderhub:\n{cause}\nother:\n{cause}\n{cause}\n")
    assert [r.about for r in got] == ["jupyterhub.x", "x", "other.x", "other.x"]


def test_a_line_that_is_no_cause_does_not_name_a_chart() -> None:
    got = rendering.refusals(f"{BEGINNING}jupyterhub:\nfirst of all\n- at '/x': got number, want string\n")
    assert [r.about for r in got] == ["jupyterhub.x"]


def test_a_schema_that_names_no_place_is_told_as_it_is() -> None:
    (got,) = rendering.refusals(f"{BEGINNING}binderhub:\nsomething else\n")
    assert (got.about, got.advice) == ("the chart", "")
    assert got.reason.startswith("values don't meet the specifications")
    assert got.reason.endswith("binderhub:\nsomething else")


CAUSES = ("failed to create chart from template: ", "failed to load chart from temp directory: ")
TEMPLATE = "execution error at (binderhub/templates/NOTES.txt:5:4): "
RENAMED = "RENAMED: cors.allowOrigin has been renamed to config.BinderHub.cors_allow_origin"


@pytest.mark.parametrize(
    ("text", "about", "reason"),
    [
        (f"{TEMPLATE}{RENAMED}", "the chart (binderhub/templates/NOTES.txt:5:4)", RENAMED),
        (f"{TEMPLATE}\n\n{RENAMED}\n  and more\n", "the chart (binderhub/templates/NOTES.txt:5:4)",
         f"{RENAMED}\n  and more"),
        (f'template: a.yaml:1:2: executing "a" at <include "b">: error calling include: {TEMPLATE}{RENAMED}',
         "the chart (binderhub/templates/NOTES.txt:5:4)", RENAMED),
        ("execution error at (binderhub/charts/jupyterhub/templates/a.yaml:1:1): a (b): c",
         "the chart (binderhub/charts/jupyterhub/templates/a.yaml:1:1)", "a (b): c"),
        ("YAML parse error on binderhub/templates/a.yaml: bad", "the chart",
         "YAML parse error on binderhub/templates/a.yaml: bad"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cause", CAUSES)
def test_templates_say_what_is_wrong_in_their_own_words(cause: str, text: str, about: str, reason: str) -> None:
    (got,) = rendering.refusals(f"invoke of kubernetes:helm:template failed: {cause}{text}")
    assert (got.about, got.reason, got.advice) == (about, reason, "")


def test_causes_within_causes_are_taken_apart() -> None:
    first, second = CAUSES
    assert [r.reason for r in rendering.refusals(f"a: {first}b: {first}c: {second}d")] == ["d"]


def test_an_error_without_words_is_one_all_the_same() -> None:
    assert [(r.about, r.reason) for r in rendering.refusals("")] == [("the chart", "")]


def test_the_error_carries_all_of_it() -> None:
    found = rendering.refusals(SCHEMA)
    error = rendering.RenderingError(found)
    assert error.refusals == found
    assert "singelUser" in str(error)


def test_what_is_rendered_is_what_the_release_gets() -> None:
    values = {"a": {"b": [1, None, True]}, "text": 'ä "quoted"'}
    got = json.loads(rendering.options(published(), "hub", "binder", values))
    assert got == {
        "chart": "binderhub",
        "version": published().version,
        "fetch_opts": {"repo": published().repository},
        "release_name": "hub",
        "namespace": "binder",
        "values": values,
    }


# As Helm 3.18 prints it (run): causes with a place in common stand below a line of that place.
NESTED = """\
jupyterhub:
- at '/hub/labels': validation failed
  - at '/hub/labels/room': got number, want string
  - at '/hub/labels/team': got number, want string
"""
EITHER = """\
jupyterhub:
- at '/hub/extraEnv': 'anyOf' failed
  - at '/hub/extraEnv': got number, want object
  - at '/hub/extraEnv': got number, want array
"""


def test_causes_below_one_place_are_told_and_not_the_place() -> None:
    got = [r.about for r in rendering.refusals(BEGINNING + NESTED)]
    assert got == ["jupyterhub.hub.labels.room", "jupyterhub.hub.labels.team"]


def test_a_value_that_fits_no_alternative_is_one_refusal() -> None:
    cause = "binderhub:\n- at '/replicas': got string, want integer\n"
    either, replicas = rendering.refusals(BEGINNING + EITHER + cause)
    assert (either.about, replicas.about) == ("jupyterhub.hub.extraEnv", "replicas")
    assert either.reason.endswith("got number, want object; at '/hub/extraEnv': got number, want array")


@pytest.mark.parametrize(
    ("written", "key"), [("example.org~1room", "example.org/room"), ("a~0b", "a~b"), ("a~01", "a~1")]
)
def test_a_key_with_a_slash_is_told_as_it_is_written(written: str, key: str) -> None:
    (got,) = rendering.refusals(f"{BEGINNING}binderhub:\n- at '/service/labels/{written}': got number, want string\n")
    assert got.about == f"service.labels.{key}"
