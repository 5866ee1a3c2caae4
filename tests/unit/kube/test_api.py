"""Requests and answers of a cluster's API: what is sent, and how an answer is read. No kubectl runs here."""

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from kube import api
from kube.api import Answer, Api, connect, side_by_side
from kube.errors import ClusterUnreachableError, UnknownTypeError
from tests.unit.kube.test_proxy import kubeconfig

Reply = tuple[int, list[str], bytes]
TYPES = {
    "/api/v1": [("namespaces", "Namespace", False), ("secrets", "Secret", True), ("pods/log", "Pod", True)],
    "/apis/apps/v1": [("deployments", "Deployment", True)],
    "/apis/authorization.k8s.io/v1": [("selfsubjectaccessreviews", "SelfSubjectAccessReview", False)],
}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hub", "namespace": "a"}}
CAUSES = [{"reason": "FieldValueInvalid", "field": "spec.a", "message": "bad"}, {"message": "x"}]
REFUSED = {"reason": "Invalid", "message": "no", "details": {"causes": CAUSES}}


class Served:
    """Stands where `kubectl proxy` does: replies from a table, and keeps what was sent."""

    def __init__(self, replies: Mapping[str, Reply] | None = None) -> None:
        self.replies, self.sent, self.stopped = dict(replies or {}), list[tuple[Any, ...]](), 0

    def send(self, method: str, path: str, body: str | None, headers: Mapping[str, str], limit: float) -> Reply:
        self.sent.append((method, path, body and json.loads(body), dict(headers), limit))
        if path in TYPES and path not in self.replies:
            found = [{"name": name, "kind": kind, "namespaced": inside} for name, kind, inside in TYPES[path]]
            return 200, [], json.dumps({"resources": found}).encode()
        return self.replies.get(path, (404, [], b"404 page not found\n"))

    def telling(self) -> Any:
        return threading.Lock()

    def stop(self) -> None:
        self.stopped += 1


def served(replies: Mapping[str, Reply] | None = None) -> tuple[Api, Served]:
    proxy = Served(replies)
    return Api(proxy, "dev"), proxy  # type: ignore[arg-type]


# --- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "told"),
    [(422, (False, "Invalid", "no", CAUSES, [])), (201, (True, "", "", (), [REFUSED]))],
)
def test_a_refusal_is_told_by_its_causes(code: int, told: tuple[Any, ...]) -> None:
    got = Answer(code, REFUSED)
    assert (got.ok, got.reason, got.message, got.causes, got.items) == told


@pytest.mark.parametrize(
    ("body", "items"),
    [
        ({"apiVersion": "v1", "kind": "NodeList", "items": [{"a": 1}]}, [{"apiVersion": "v1", "kind": "Node", "a": 1}]),
        ({"apiVersion": "v1", "kind": "List", "items": [{"kind": "Pod"}]}, [{"apiVersion": "v1", "kind": "Pod"}]),
        ({"apiVersion": "v1", "kind": "NodeList", "items": None}, []),
    ],
)
def test_objects_of_a_list_have_their_type(body: dict[str, Any], items: list[Any]) -> None:
    assert Answer(200, body).items == items


@pytest.mark.parametrize(
    ("code", "raw", "message"),
    [
        (403, b"Forbidden\n", "Forbidden"),
        (502, b"<html>\n<h1>Bad Gateway</h1>", "HTTP status 502"),
        (404, b"", "HTTP status 404"),
        (403, b'{"details": null}', "HTTP status 403"),
        (500, b'{"message": "a webhook failed"}', "a webhook failed"),
        (200, b"ok", ""),
    ],
)
def test_text_is_an_answer_too(code: int, raw: bytes, message: str) -> None:
    got = served({"/x": (code, [], raw)})[0].request("GET", "/x")
    assert (got.code, got.message, got.causes) == (code, message, ())


def test_warnings_are_read() -> None:
    headers = ['299 - "say \\"v2\\""', '299 - "t\u00f6o old\u2026"'.encode().decode("latin-1"), "299 - bare \\ text"]
    got = served({"/x": (200, headers, b"{}")})[0].request("GET", "/x")
    assert got.warnings == ('say "v2"', "t\u00f6o old\u2026", "bare \\ text")


# --- requests -----------------------------------------------------------------------------------------------------


def test_what_each_verb_sends() -> None:
    asked, proxy = served()
    asked.get("v1", "Namespace", "system:x/..", "left-out")
    asked.list("v1", "Secret", labelSelector="a=b,c")
    asked.list("apps/v1", "Deployment", "a")
    asked.create(DEPLOYMENT, dry_run=True)
    asked.replace(DEPLOYMENT, dry_run=False)
    asked.apply(DEPLOYMENT, "helm", dry_run=True, force=True)
    asked.delete(DEPLOYMENT, dry_run=True)
    path = "/apis/apps/v1/namespaces/a/deployments"
    sent = [(method, path, body, headers["Content-Type"]) for method, path, body, headers, _ in proxy.sent]
    assert [one for one in sent if one[1] not in TYPES] == [
        ("GET", "/api/v1/namespaces/system%3Ax%2F..", None, "application/json"),
        ("GET", "/api/v1/secrets?labelSelector=a%3Db%2Cc", None, "application/json"),
        ("GET", path, None, "application/json"),
        ("POST", f"{path}?dryRun=All", DEPLOYMENT, "application/json"),
        ("PUT", f"{path}/hub", DEPLOYMENT, "application/json"),
        ("PATCH", f"{path}/hub?fieldManager=helm&force=true&dryRun=All", DEPLOYMENT, "application/apply-patch+yaml"),
        ("DELETE", f"{path}/hub?dryRun=All", None, "application/json"),
    ]


def test_types_are_discovered_once_and_by_oneself() -> None:
    asked, proxy = served()
    tiller = asked.acting_as("tiller")
    for one in (tiller, asked, tiller.acting_as("")):
        one.get("v1", "Secret", "a", "b")
        one.get("v1", "Namespace", "a")
    who = [(path, headers.get("Impersonate-User")) for _, path, _, headers, _ in proxy.sent]
    assert [one for one in who if one[0] == "/api/v1"] == [("/api/v1", None)]
    assert [name for path, name in who if path != "/api/v1"] == ["tiller"] * 2 + [None] * 4


def test_a_type_that_is_not_there_may_come() -> None:
    asked, proxy = served({"/apis/apps/v1": (404, [], b"404 page not found\n")})
    for version, kind in (("apps/v1", "Deployment"), ("v1", "Deployment"), ("v1", "Pod")):
        with pytest.raises(UnknownTypeError, match=f'no matches for kind "{kind}" in version "{version}"'):
            asked.list(version, kind)
    proxy.replies.clear()
    asked.list("apps/v1", "Deployment")
    assert proxy.sent[-1][1] == "/apis/apps/v1/deployments"


def test_a_failed_discovery_tells_nothing_about_types() -> None:
    asked = served({"/apis/apps/v1": (503, [], b"service unavailable\n")})[0]
    with pytest.raises(ClusterUnreachableError, match="cannot be asked: /apis/apps/v1: service unavailable"):
        asked.list("apps/v1", "Deployment")


@pytest.mark.parametrize(
    ("code", "raw", "right"),
    [
        (201, b'{"status": {"allowed": true}}', True),
        (201, b'{"status": {}}', False),
        (201, b"", False),
        (403, b'{"kind": "Status", "status": "Failure"}', False),
    ],
)
def test_a_right_is_there_only_if_the_server_says_so(code: int, raw: bytes, right: bool) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    asked, proxy = served({path: (code, [], raw)})
    assert asked.may("create", "apps", "deployments", "a", "hub") is right
    about = {"verb": "create", "group": "apps", "resource": "deployments", "namespace": "a", "name": "hub"}
    assert proxy.sent[-1][:2] == ("POST", path)
    assert proxy.sent[-1][2]["spec"] == {"resourceAttributes": about}


# --- a connection -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "reply", "cause"),
    [
        ("", (200, [], b'{"versions": ["v1"]}'), ""),
        ("aws", (403, [], b'{"reason": "Forbidden"}'), ""),
        ("", (401, [], b'{"reason": "Unauthorized", "message": "Unauthorized"}'), "does not accept the login"),
        ("", (503, [], b'{"message": "etcd is away"}'), "etcd is away"),
        ("", (200, [], b"<html>please log in"), "no Kubernetes API"),
        ("", (500, [], b"x509: \n unknown authority"), "asked: x509: unknown authority;"),
    ],
)
def test_only_who_answers_is_connected(monkeypatch: pytest.MonkeyPatch, login: str, reply: Reply, cause: str) -> None:
    proxy = Served({"/api": reply})
    monkeypatch.setattr(api, "Proxy", lambda _: proxy)
    if cause:
        with pytest.raises(ClusterUnreachableError, match=cause):
            connect(kubeconfig(login))
    else:
        assert (connect(kubeconfig(login), login_limit=77).context, proxy.stopped) == ("dev", 0)
    assert proxy.stopped == bool(cause)
    assert [(path, limit) for _, path, _, _, limit in proxy.sent] == [("/api", 77 if login else api.ANSWER_LIMIT)]


def test_several_are_asked_at_once_and_answer_in_order() -> None:
    together = threading.Barrier(8, timeout=5)
    assert side_by_side(lambda i: together.wait() >= 0 and i, range(8)) == [*range(8)]
    assert side_by_side(str, []) == []


def test_who_fails_does_not_wait_for_the_others() -> None:
    over, begun, waited = threading.Event(), list[int](), list[bool]()

    def ask(i: int) -> None:
        begun.append(i)
        if i == 0:
            raise ClusterUnreachableError("dev", "gone")
        waited.append(over.wait(5))

    with pytest.raises(ClusterUnreachableError):
        side_by_side(ask, range(100))
    assert (waited, len(begun) < 20) == ([], True)
    over.set()


@pytest.mark.parametrize(("more", "sent"), [(0, True), (1, False)])
def test_more_than_a_server_takes_is_not_sent(more: int, sent: bool) -> None:
    """It would hang up in the middle, and so look as if it were not there."""
    one, proxy = served({"/apis/a": (200, [], b"{}")})
    got = one.request("POST", "/apis/a", "x" * (api.LARGEST - 2 + more))  # and two quotation marks
    assert [bool(proxy.sent), got.ok] == [sent] * 2
    if not sent:
        assert (got.code, got.reason, got.message) == (
            413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728",
        )  # fmt: skip
