"""What the provider is asked to render, and what Helm says when it refuses."""

import asyncio
import json
from typing import Any

import pytest

from config.chart import Chart, published
from kube.manifests import ObjectKey
from preflight import render
from preflight.violations import RenderingError

PREFIX = (
    "invoke of kubernetes:helm:template failed: invocation returned an error: failed to create chart from template: "
)


VALUES = {"a": {"b": [1, None, True]}, "text": 'ä "quoted"'}


def on_disk(reference: str) -> Chart:
    return Chart(reference=reference, version="1", repository="", digest="x")


@pytest.mark.parametrize(
    ("chart", "place"),
    [
        (published(), {"chart": "binderhub", "version": published().version,
                       "fetch_opts": {"repo": published().repository}}),
        (on_disk("chart"), {"chart": "chart", "path": "."}),
        (on_disk("../charts/binderhub.tgz"), {"chart": "binderhub.tgz", "path": "../charts"}),
        (on_disk("/srv/charts/binderhub/"), {"chart": "binderhub", "path": "/srv/charts"}),
        (on_disk("./"), {"chart": ".", "path": "."}),
        (on_disk("/binderhub.tgz"), {"chart": "binderhub.tgz", "path": "/"}),
    ],
)  # fmt: skip
def test_what_is_rendered_is_what_the_release_gets_and_a_chart_on_the_disk_is_named_by_folder_and_name(
    chart: Chart, place: dict[str, str]
) -> None:
    got = json.loads(render.options(chart, "hub", "binder", VALUES))
    assert got == {**place, "release_name": "hub", "namespace": "binder", "values": VALUES}


BEGINNING = f"{PREFIX}values don't meet the specifications of the schema(s) in the following chart(s):\n"


@pytest.mark.parametrize(
    ("line", "about", "advice"),
    [
        ("- at '/replicas': got string, want integer", "replicas", "the setting binderhub:replicas (replicas)"),
        ("- at '': additional properties 'singelUser' not allowed", "", "singelUser in the values file"),
        ("- at '/extraVolumes/0': missing properties 'name', 'mount'", "extraVolumes.0",
         "extraVolumes.0 in the values file"),
        ("- at '/service/type': value must be one of 'ClusterIP', 'NodePort'", "service.type",
         "the setting binderhub:exposure (service.type)"),
        ("- at '/dind': additional properties 'a', 'b', 'c' not allowed", "dind",
         "dind.a in the values file, dind.b in the values file, dind.c in the values file"),
        ("- at '/a': 'x: y' does not match pattern '^[0-9]+$'", "a", "a in the values file"),
        *((f"- at '/labels/{written}': got number", f"labels.{key}", f"labels.{key} in the values file")
          for written, key in (("example.org~1room", "example.org/room"), ("a~0b", "a~b"), ("a~01", "a~1"))),
    ],
)  # fmt: skip
def test_each_cause_has_its_place(line: str, about: str, advice: str) -> None:
    (got,) = render.refused(f"{BEGINNING}binderhub:\n{line}\n\n")
    assert (got.about, got.reason, got.advice) == (about, line.removeprefix("- "), advice)


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
    ],
)  # fmt: skip
@pytest.mark.parametrize("cause", CAUSES)
def test_templates_say_what_is_wrong_in_their_own_words(cause: str, text: str, about: str, reason: str) -> None:
    (got,) = render.refused(f"invoke of kubernetes:helm:template failed: {cause}{text}")
    assert (got.about, got.reason, got.advice) == (about, reason, "")


def test_anything_else_is_told_as_it_is_after_the_innermost_cause() -> None:
    first, second = CAUSES
    schema = "values don't meet the specifications of the schema(s): something else"
    texts = ["", "failed to pull chart: no such host", f"a: {first}b: {first}c: {second}d", f"{PREFIX}{schema}\n"]
    got = [one for text in texts for one in render.refused(text)]
    assert [(one.about, one.reason) for one in got] == [("the chart", text) for text in ("", texts[1], "d", schema)]


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
    timeout = "first of all\n- at '/cull/timeout': got string, want null or integer\n"
    room, team = (f"jupyterhub.hub.labels.{name}" for name in ("room", "team"))
    assert [(one.about, one.advice) for one in render.refused(BEGINNING + NESTED + timeout)] == [
        (room, f"{room} in the values file"), (team, f"{team} in the values file"),
        ("jupyterhub.cull.timeout", "the setting binderhub:cullIdle (jupyterhub.cull.timeout)"),
    ]  # fmt: skip


def test_a_value_that_fits_no_alternative_is_one_violation() -> None:
    cause = "binderhub:\n- at '/replicas': got string, want integer\n"
    either, replicas = render.refused(BEGINNING + EITHER + cause)
    assert (either.about, replicas.about) == ("jupyterhub.hub.extraEnv", "replicas")
    assert either.reason.endswith("got number, want object; at '/hub/extraEnv': got number, want array")


# --- the provider's answer ----------------------------------------------------------------------------------------


def rendered(monkeypatch: pytest.MonkeyPatch, answer: Any) -> dict[ObjectKey, dict[str, Any]]:
    async def invoke(name: str, given: Any, options: Any) -> Any:
        assert (name, options.provider) == ("kubernetes:helm:template", None)
        assert json.loads(given["jsonOpts"])["values"] == {"a": 1}
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(render, "invoke_async", invoke)
    provider: Any = None
    return asyncio.run(render.render(published(), "hub", "binder", {"a": 1}, provider))


def test_whole_numbers_come_back_as_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's wire has floats alone, and the API takes no 80.0 for a port."""
    spec = {"ports": [{"port": 80.0, "share": 0.5}], "replicas": 2.0, "on": True, "text": "1.0", "none": None}
    one = {"kind": "Service", "metadata": {"name": "a", "namespace": "binder"}, "spec": spec}
    ((key, got),) = rendered(monkeypatch, {"result": [one]}).items()
    assert key == ObjectKey("Service", "a")
    whole = {"ports": [{"port": 80, "share": 0.5}], "replicas": 2, "on": True, "text": "1.0"}
    assert json.dumps(got["spec"]) == json.dumps(whole)


def test_what_the_provider_refuses_are_violations(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RenderingError) as caught:
        rendered(monkeypatch, RuntimeError(f"{BEGINNING}{EITHER}"))
    assert [one.about for one in caught.value.violations] == ["jupyterhub.hub.extraEnv"]
    assert caught.value.head == "", "the usual one"


@pytest.mark.parametrize("before", ["", "an invoke failed: failed to generate YAML for specified Helm chart: "])
def test_a_chart_that_cannot_be_had_is_no_refusal(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    cause = "failed to pull chart: no such host"
    with pytest.raises(RenderingError) as caught:
        rendered(monkeypatch, RuntimeError(f"{before}{cause}"))
    assert caught.value.head == f"the chart binderhub {published().version} cannot be had"
    ((about, reason, advice),) = [(one.about, one.reason, one.advice) for one in caught.value.violations]
    assert (about, reason) == ("", cause)
    assert "pulumi config set chart PATH" in advice
