"""A cluster's API without a cluster: `FakeApi` answers from a table and records what it was asked.

    api = FakeApi({
        ("GET", "Node", "*"): [{"metadata": {"name": "a"}}],                       # a list
        ("GET", "Secret", "hub"): {"metadata": {"name": "hub"}, "data": {}},       # an object
        ("PATCH", "Deployment", "*"): refused("Invalid", "no", ("spec.replicas", "Invalid value: -1")),
        ("POST", "SelfSubjectAccessReview", "create pods"): may_not,               # `api.may("create", "", "pods")`
        ("GET", "/version", ""): {"gitVersion": "v1.36.4"},                        # a path that names no type
        ("DELETE", "*", "*"): lambda asked: refused("Forbidden", asked.account),   # anything, worked out
    })
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hub", "namespace": "a"}}
    assert api.acting_as("tiller").apply(deployment, "helm", dry_run=True).reason == "Invalid"
    (asked,) = api.asked
    assert (asked.method, asked.kind, asked.name, asked.namespace) == ("PATCH", "Deployment", "hub", "a")
    assert (asked.account, asked.dry_run, asked.query["fieldManager"]) == ("tiller", True, "helm")

What no row is about is answered as by an empty cluster that allows everything: an object is not found, a list is
empty, a right is there, what is sent comes back as it is. Give `unknown={"Certificate"}` for types that the server
does not have, and an exception as an answer to have it raised.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kube.api import Answer, Api, Resource
from kube.errors import UnknownTypeError

CODES = {"Unauthorized": 401, "Forbidden": 403, "NotFound": 404, "AlreadyExists": 409, "Conflict": 409, "Invalid": 422}
_CLUSTER_WIDE = (
    "APIService", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "GatewayClass",
    "IngressClass", "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass",
    "RuntimeClass", "SelfSubjectAccessReview", "SelfSubjectReview", "StorageClass", "ValidatingWebhookConfiguration",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request. `kind` is the path where that names no type; `name` is "" for a list."""

    method: str
    kind: str
    name: str = ""
    namespace: str = ""
    account: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    media: str = ""

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"


Row = Answer | Mapping[str, Any] | list[Any] | Exception | Callable[[Asked], Any]


class FakeApi(Api):
    """See the module."""

    context = "fake"  # type: ignore[assignment]

    def __init__(self, answers: Mapping[tuple[str, str, str], Row] | None = None, unknown: Iterable[str] = ()) -> None:
        self.answers, self.unknown, self.account = dict(answers or {}), set(unknown), ""
        self.asked: list[Asked] = []
        self.closed = False
        self._kinds: dict[tuple[str, str], str] = {}

    def acting_as(self, account: str) -> "FakeApi":
        other = copy.copy(self)  # with the same table and the same list of what was asked
        other.account = account
        return other

    def close(self) -> None:
        self.closed = True

    def resource(self, api_version: str, kind: str) -> Resource:
        if kind in self.unknown:
            raise UnknownTypeError(api_version, kind)
        prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        plural = kind.lower() + ("es" if kind.endswith("s") else "s")
        if kind.endswith("y"):
            plural = f"{kind.lower()[:-1]}ies"
        self._kinds[prefix, plural] = kind
        return Resource(prefix, plural, kind not in _CLUSTER_WIDE)

    def request(self, method: str, path: str, body: Any = None, media: str = "", limit: float = 0) -> Answer:
        asked = self._read(method, path, copy.deepcopy(body), media)
        self.asked.append(asked)
        keys = [(m, k, n) for m in (method, "*") for k in (asked.kind, "*") for n in (asked.name, "*")]
        row = next((self.answers[key] for key in keys if key in self.answers), _by_default)
        found = row(asked) if callable(row) else row
        if isinstance(found, Exception):
            raise found
        if isinstance(found, list):
            found = {"apiVersion": "v1", "kind": f"{asked.kind}List", "items": found}
        return found if isinstance(found, Answer) else Answer(201 if method == "POST" else 200, copy.deepcopy(found))

    def _read(self, method: str, path: str, body: Any, media: str) -> Asked:
        url = urlsplit(path)
        query = dict(parse_qsl(url.query))
        for (prefix, plural), kind in list(self._kinds.items()):  # threads add to it
            parts = [unquote(part) for part in url.path.removeprefix(f"{prefix}/").split("/")]
            namespace = parts[1] if parts[0] == "namespaces" and len(parts) > 2 else ""
            named, *rest = parts[2:] if namespace else parts
            if url.path.startswith(f"{prefix}/") and named == plural:
                name = rest[0] if rest else _name(kind, body)
                return Asked(method, kind, name, namespace, self.account, query, body, media)
        return Asked(method, url.path, "", "", self.account, query, body, media)


def _name(kind: str, body: Any) -> str:
    if kind == "SelfSubjectAccessReview":
        about = body["spec"]["resourceAttributes"]
        return f"{about['verb']} {about['resource']}"
    return str(((body or {}).get("metadata") or {}).get("name") or "")


def _by_default(asked: Asked) -> Any:
    if asked.kind == "SelfSubjectAccessReview":
        return {**asked.body, "status": {"allowed": True}}
    if asked.method == "GET" and asked.name:
        return refused("NotFound", f'{asked.kind} "{asked.name}" not found')
    if asked.method == "GET":
        return []
    return asked.body or {"kind": "Status", "status": "Success"}


def may_not(asked: Asked) -> Any:
    """Answer a review of a right: it is not there."""
    return {**asked.body, "status": {"allowed": False}}


def refused(reason: str, message: str = "", *causes: tuple[str, str]) -> Answer:
    """Return a refusal, with causes as (field, message); `reason` is the API's word, such as Forbidden."""
    details = {"causes": [{"reason": "FieldValueInvalid", "field": where, "message": what} for where, what in causes]}
    status = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details}
    return Answer(CODES[reason], status)
