"""Which values may be shown. In doubt none: a report goes into logs and mails. Pure functions."""

import re
from collections.abc import Mapping
from typing import Any, Final

from kube.manifests import Object
from operations.drift.fields import MAPS, Path

# Where users write free text, in which a secret may stand.
_FREE_TEXT: Final = frozenset(
    {
        "args", "binaryData", "caBundle", "command", "data", "env", "httpHeaders", "options", "parameters",
        "stringData", "url", "volumeAttributes",
    }
)  # fmt: skip
# Annotations of Kubernetes, Helm and Pulumi, and those that make pods restart, hold no secrets; others may.
_KNOWN_ANNOTATION: Final = re.compile(r"(([a-z0-9-]+\.)*(kubernetes\.io|k8s\.io|helm\.sh|pulumi\.com)|checksum)/")
_TELLING: Final = re.compile(r"pass|secret|token|cred|auth|cookie|private|api-?key", re.IGNORECASE)
_WITH_LOGIN: Final = re.compile(r"://[^/\s]*@")


def hides(live: Object, path: Path, value: Any) -> bool:
    """Return whether a value, or anything in it, must not be shown; `path` is where it stands in `live`."""
    if isinstance(value, Mapping):
        return any(hides(live, (*path, f"f:{name}"), below) for name, below in value.items())
    if isinstance(value, list):
        return any(hides(live, path, below) for below in value)
    place = [step.removeprefix("f:") for step in path if step.startswith("f:")]
    return _may_be_secret(live, place) or (isinstance(value, str) and _WITH_LOGIN.search(value) is not None)


def _may_be_secret(live: Object, place: list[str]) -> bool:
    if not MAPS.isdisjoint(place) and _TELLING.search(place[-1]):
        return True
    group = live["apiVersion"].rpartition("/")[0]
    if "." in group and not group.endswith(".k8s.io") and place[0] != "metadata":
        return True  # not of Kubernetes itself: nobody knows what its fields hold
    if "annotations" in place:
        return not _KNOWN_ANNOTATION.match(place[-1])
    return not _FREE_TEXT.isdisjoint(place)
