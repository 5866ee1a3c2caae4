"""Places of the Helm values at which Kubernetes takes texts only, and which no dry run of the release sees.

YAML makes a number of `01234` and true of `on`. KubeSpawner gives both to the pods of users as they are, which the API
server refuses: so every launch fails, and nothing before.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from config.applications.traits import Finding
from config.types import Secret
from kube.nested import get

_SPAWNERS: Final = tuple(f"jupyterhub.hub.config.{name}" for name in ("Spawner", "KubeSpawner", "BinderSpawner"))
_VARIABLES: Final = ("jupyterhub.singleuser.extraEnv", *(f"{one}.environment" for one in _SPAWNERS))
_PLACES: Final = (
    *_VARIABLES,
    *(f"jupyterhub.singleuser.{name}" for name in ("extraAnnotations", "extraLabels")),
    *(f"{one}.{name}" for one in _SPAWNERS for name in ("extra_annotations", "extra_labels", "node_selector")),
)


def problems(values: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is no text there, as (place, what is expected, example); nulls are another's matter.

    A variable may also be a map, as Kubernetes writes one: its own `value` is the text then.
    """
    for section in _PLACES:
        found = get(values, section)
        pairs = found.items() if isinstance(found, Mapping) else enumerate(found) if isinstance(found, list) else ()
        for name, value in pairs:
            place = f"{section}[{name}]" if isinstance(found, list) else f"{section}.{name}"
            if isinstance(value, Mapping) and section in _VARIABLES:
                place, value = f"{place}.value", value.get("value")
            if not isinstance(value, str | Secret | None):
                yield place, "a text: every launch would fail; quote it", f"{place}: '...'"
