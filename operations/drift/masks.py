"""Which values may be shown. In doubt none: a report goes into logs and mails. Pure functions.

In an object of Kubernetes itself a secret can stand in a Secret, and where users write free text: the contents of a
ConfigMap, environment variables, commands, HTTP headers, annotations, options of drivers.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from kube.manifests import Object
from operations.drift.fields import MAPS, Path, Step

_CONTENTS: Final = frozenset({"binaryData", "data", "stringData"})
_FREE_TEXT: Final = frozenset(
    {"args", "caBundle", "command", "httpHeaders", "options", "parameters", "url", "volumeAttributes"}
)
# Annotations of Kubernetes, Helm and Pulumi, and those that make pods restart, hold no secrets; others may.
_KNOWN_ANNOTATION: Final = re.compile(r"(([a-z0-9-]+\.)*(kubernetes\.io|k8s\.io|helm\.sh|pulumi\.com)|checksum)/")
_TELLING: Final = re.compile(r"pass|secret|token|cred|auth|cookie|private|api-?key", re.IGNORECASE)
_WITH_LOGIN: Final = re.compile(r"://[^/\s]*@")


def hides(live: Object, path: Path, value: Any) -> bool:
    """Return whether a value, or anything in it, must not be shown; `path` is where it stands in `live`."""
    if isinstance(value, Mapping):
        return any(hides(live, (*path, Step("f", name)), below) for name, below in value.items())
    if isinstance(value, list):
        return any(hides(live, (*path, Step("i", index)), below) for index, below in enumerate(value))
    return _is_secret_place(live, path) or (isinstance(value, str) and _WITH_LOGIN.search(value) is not None)


def _is_secret_place(live: Object, path: Path) -> bool:
    names = [str(step.value) for step in path if step.kind == "f"]
    if "annotations" in names and not _KNOWN_ANNOTATION.match(names[-1]):
        return True
    if not MAPS.isdisjoint(names) and _TELLING.search(names[-1]):
        return True
    if names[0] == "metadata":
        return False
    if names[0] in _CONTENTS or _is_foreign(live["apiVersion"]):
        return True
    return ("env" in names and names[-1] == "value") or not _FREE_TEXT.isdisjoint(names)


def _is_foreign(version: str) -> bool:
    """Return whether a kind is not of Kubernetes itself: nobody knows then what its fields hold."""
    group = version.rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")
