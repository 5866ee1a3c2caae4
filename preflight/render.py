"""The chart's objects, rendered through the provider during a preview, and what the chart itself refuses.

The invoke is the one that the provider's own Chart resource uses (facts: pulumi.md section 11.4). It asks the server
for its API versions, which an offline rendering lacks. It runs without Helm's `lookup`.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Final

import pulumi
from pulumi.runtime import invoke_async

from config.chart import CHART_NAME, Chart
from kube import manifests
from kube.manifests import ObjectKey
from kube.nested import mapped
from preflight.violations import RenderingError, Violation, place_advice

_TEMPLATE: Final = "kubernetes:helm:template"
_CAUSES: Final = ("failed to create chart from template: ", "failed to load chart from temp directory: ")
_NOWHERE: Final = "failed to generate YAML for specified Helm chart: "
_NO_CHART: Final = (
    "look at the network and at chartVersion; a chart from the disk needs neither: pulumi config set chart PATH"
)
_SCHEMA: Final = "values don't meet the specifications of the schema(s)"
_AT: Final = re.compile(r"- at '(?P<place>[^']*)': (?P<why>.*)")
# What such a line says where the causes are in the lines below it.
_BELOW: Final = ("validation failed", "'allOf' failed", "'anyOf' failed")
_EXECUTION: Final = re.compile(r"execution error at \((?P<template>[^)]*)\): (?P<why>.*)", re.DOTALL)


async def render(
    chart: Chart, release: str, namespace: str, values: Mapping[str, Any], provider: pulumi.ProviderResource
) -> dict[ObjectKey, dict[str, Any]]:
    """Return the objects of a release, by key. `values` are plain, secrets in the clear.

    Raises `RenderingError`.
    """
    given = {"jsonOpts": options(chart, release, namespace, values)}
    try:
        got = await invoke_async(_TEMPLATE, given, pulumi.InvokeOptions(provider=provider))
    except Exception as error:  # the SDK raises nothing more special
        text = str(error)
        if not any(cause in text for cause in _CAUSES):  # Helm never came to the chart
            nowhere = Violation("", text.rpartition(_NOWHERE)[2].strip(), _NO_CHART)
            raise RenderingError([nowhere], f"the chart {chart.reference} {chart.version} cannot be had") from None
        raise RenderingError(refused(text)) from None
    return manifests.by_key(_with_integers(got["result"]), namespace)


def _with_integers(value: Any) -> Any:
    """Return a value in which whole numbers are integers: the engine hands over floats alone, and 1.0 is refused."""
    return mapped(lambda leaf: int(leaf) if isinstance(leaf, float) and leaf.is_integer() else leaf, value)


def options(chart: Chart, release: str, namespace: str, values: Mapping[str, Any]) -> str:
    """Return the argument of the invoke, as JSON: where the chart is, and what it is given."""
    place: dict[str, Any] = {"chart": chart.reference, "version": chart.version}
    if chart.repository:
        place["fetch_opts"] = {"repo": chart.repository}
    else:
        # In one piece a path with a single slash is taken for repository/name.
        folder, name = os.path.split(chart.reference.rstrip(os.sep))
        place = {"chart": name, "path": folder or os.curdir}
    return json.dumps({**place, "release_name": release, "namespace": namespace, "values": values})


def refused(error: str) -> list[Violation]:
    """Turn what Helm says into violations, one for each value that the schema refuses."""
    text = error
    for cause in _CAUSES:
        text = text.rpartition(cause)[2]
    if _SCHEMA in text:
        return _by_schema(text)
    if found := _EXECUTION.search(text):
        return [Violation(f"the chart ({found['template']})", found["why"].strip())]
    return [Violation("the chart", text.strip())]


def _by_schema(text: str) -> list[Violation]:
    """Helm lists the refused places below the name of the chart whose schema refuses them."""
    found: dict[str, list[re.Match[str]]] = {}
    chart = ""
    for line in map(str.strip, text.partition(_SCHEMA)[2].splitlines()):
        at = _AT.match(line)
        if at and at["why"] not in _BELOW:
            below = "" if chart == CHART_NAME else chart
            # A JSON pointer, as people write it.
            place = f"{below}{at['place']}".strip("/").replace("/", ".").replace("~1", "/").replace("~0", "~")
            found.setdefault(place, []).append(at)
        elif line.endswith(":"):
            chart = line.removesuffix(":")
    return [
        Violation(place, "; ".join(one[0].removeprefix("- ") for one in causes), _advice(place, causes[0]["why"]))
        for place, causes in found.items()
    ] or [Violation("the chart", text.strip())]


def _advice(place: str, why: str) -> str:
    names = re.findall("'([^']+)'", why) if why.startswith("additional propert") else []
    places = [".".join(filter(None, [place, name])) for name in names] or [place]
    return ", ".join(map(place_advice, places))
