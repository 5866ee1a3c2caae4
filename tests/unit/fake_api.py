"""A cluster's API without a cluster: `FakeApi` answers from a table and records what it was asked.

    api = FakeApi({
        ("GET", "Node", "*"): [{"metadata": {"name": "a"}}],                       # a list
        ("GET", "Secret", "hub"): {"metadata": {"name": "hub"}, "data": {}},       # an object
        ("PATCH", "Deployment", "*"): refused("Invalid", "no", ("spec.replicas", "Invalid value: -1")),
        ("POST", "SelfSubjectAccessReview", "create pods"): may_not,               # `api.may("create", "", "pods")`
        ("DELETE", "*", "*"): lambda asked: refused("Forbidden", asked.account),   # anything, worked out
    })

What no row is about is answered as by an empty cluster that allows everything: an object is not found, a list is
empty, a right is there, what is sent comes back as it is. Give `unknown={"Certificate"}` for types that the server
does not have, and an exception as an answer to have it raised.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kube.api import Answer, Api
from kube.errors import UnknownTypeError
from kube.manifests import CLUSTER_WIDE

CODES = {"Unauthorized": 401, "Forbidden": 403, "NotFound": 404, "AlreadyExists": 409, "Conflict": 409, "Invalid": 422}


@dataclass(frozen=True)
class Asked:
    """One request; `name` is "" for a list, and what a review of a right is about (`create pods`)."""

    method: str
    kind: str
    name: str
    namespace: str
    account: str
    query: Mapping[str, str]
    body: Any

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"


Row = Answer | Mapping[str, Any] | list[Any] | Exception | Callable[[Asked], Any]


class FakeApi(Api):
    """See the module."""

    def __init__(self, answers: Mapping[tuple[str, str, str], Row] | None = None, unknown: Iterable[str] = ()) -> None:
        self.answers, self.unknown, self.account, self.context = dict(answers or {}), set(unknown), "", "fake"
        self.asked: list[Asked] = []
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def _ask(
        self, method: str, api_version: str, kind: str, namespace: str, name: str, query: Mapping[str, str], body: Any
    ) -> Answer:
        if kind in self.unknown:
            raise UnknownTypeError(api_version, kind)
        place = "" if kind in CLUSTER_WIDE else namespace
        asked = Asked(method, kind, name or _name(body), place, self.account, dict(query), copy.deepcopy(body))
        self.asked.append(asked)
        keys = [(m, k, n) for m in (method, "*") for k in (kind, "*") for n in (asked.name, "*")]
        row = next((self.answers[key] for key in keys if key in self.answers), _by_default)
        found = row(asked) if callable(row) else row
        if isinstance(found, Exception):
            raise found
        if isinstance(found, list):
            found = {"apiVersion": "v1", "kind": f"{kind}List", "items": found}
        return found if isinstance(found, Answer) else Answer(201 if method == "POST" else 200, copy.deepcopy(found))


def _name(body: Any) -> str:
    if not body:
        return ""
    if body["kind"] == "SelfSubjectAccessReview":
        about = body["spec"]["resourceAttributes"]
        return f"{about['verb']} {about['resource']}"
    return str(body["metadata"].get("name") or "")


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
