"""Asking a cluster's API: plain requests through `kubectl proxy`, and answers as the objects that the server sends.

kubectl logs in however the kubeconfig says (certificates, tokens, login programs, proxies of the network) and serves
the API on a Unix socket in a folder of this process alone. An answer belongs to its request, a refusal is a `Status`
with reasons and fields, and what kubectl prints is no part of it (facts: kube-api.md).

    with connect(kubeconfig) as api:
        nodes = api.list("v1", "Node").items
"""

import http
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlencode

from kube.errors import ClusterUnreachableError, UnknownTypeError
from kube.kubeconfig import Kubeconfig
from kube.proxy import Proxy, one_line

# Seconds for one request: the server itself may wait 30 for a webhook.
REQUEST_LIMIT: Final = 35.0
# Seconds in which a server answers its first request, if no login program runs before.
ANSWER_LIMIT: Final = 8.0
# Seconds that a login program may take, such as one that waits for a browser.
LOGIN_LIMIT: Final = 60.0
_AT_ONCE: Final = 8
# With this status and plain text kubectl says that itself got no answer, or no login; a server's refusal is an object.
_NO_ANSWER: Final = 500
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_JSON: Final = "application/json"
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Cause:
    """One cause of a refusal: its reason (`FieldValueInvalid`), the field that it is about ("" for none), the words."""

    reason: str
    field: str
    message: str


@dataclass(frozen=True)
class Answer:
    """What the server said: HTTP status `code`, the `body` (an object, a list or a `Status`), and its warnings."""

    code: int
    body: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.code < 300

    @property
    def reason(self) -> str:
        """The reason of a refusal, in one word of the API: Forbidden, NotFound, AlreadyExists, Conflict, Invalid."""
        return "" if self.ok else str(self.body.get("reason") or "")

    @property
    def message(self) -> str:
        """The server's own sentence about a refusal."""
        text = str(self.body.get("message") or "")
        return "" if self.ok else f"HTTP status {self.code}" if not text or text.startswith("<") else text

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes of a refusal, each once."""
        found = () if self.ok else (self.body.get("details") or {}).get("causes") or ()
        parts = ([one.get(name) or "" for name in ("reason", "field", "message")] for one in found)
        return tuple(dict.fromkeys(Cause(*part) for part in parts))

    @property
    def items(self) -> list[dict[str, Any]]:
        """The objects of a list, each with its type; of a single object, itself; none of a refusal."""
        if not self.ok:
            return []
        if "items" not in self.body:
            return [dict(self.body)]
        about = {"apiVersion": self.body.get("apiVersion"), "kind": (self.body.get("kind") or "").removesuffix("List")}
        kind = {name: text for name, text in about.items() if text}
        return [{**kind, **one} for one in self.body["items"] or []]


@dataclass(frozen=True)
class Resource:
    """How the API names a type: the path of its group version, its plural name, whether it lives in namespaces."""

    prefix: str
    plural: str
    namespaced: bool


@dataclass(frozen=True)
class _Shared:
    """What all users of one proxy share; `types` holds, by group version, the types by their kinds."""

    proxy: Proxy
    kubeconfig: Kubeconfig
    types: dict[str, dict[str, Resource]] = field(default_factory=dict)


class Api:
    """One cluster, asked as the user of the kubeconfig or as an impersonated account. Threads may share it.

    Every method answers with an `Answer`; a refusal is one like any other. They raise `ClusterUnreachableError` when
    no answer comes, and `UnknownTypeError` for a type that the server does not have. With `dry_run`, nothing is stored.
    """

    def __init__(self, shared: _Shared, account: str = "") -> None:
        self._shared, self.account = shared, account

    def acting_as(self, account: str) -> "Api":
        """Return one that does everything as `account`, a user's name; "" is the kubeconfig's own user.

        The name goes with each request. It replaces all that the kubeconfig says of impersonation, groups included
        (client-go leaves a request alone that names an account; seen with kubectl 1.36.4).
        """
        return Api(self._shared, account)

    @property
    def context(self) -> str:
        """The context of the kubeconfig."""
        return self._shared.kubeconfig.context

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the proxy; nothing of it is left behind."""
        self._shared.proxy.stop()

    # --- requests -------------------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, body: Any = None, media: str = _JSON, limit: float = REQUEST_LIMIT
    ) -> Answer:
        """Send one request, once, and return the answer; `limit` is how long, in seconds, nothing may come.

        Text that is no object becomes the body's `message`.
        """
        headers = {"Content-Type": media, "Accept": _JSON}
        if self.account:
            headers["Impersonate-User"] = self.account
        sent = None if body is None else json.dumps(body)
        code, warnings, raw = self._shared.proxy.send(method, path, sent, headers, limit)
        try:
            found = json.loads(raw)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            text = one_line(raw.decode(errors="replace"))
            if code == _NO_ANSWER:
                raise ClusterUnreachableError(self.context, text)
            found = {"message": text}
        return Answer(code, found, tuple(map(_warning, warnings)))

    # --- types ----------------------------------------------------------------------------------------------------

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return how the API names a type. Raises `UnknownTypeError`.

        The kubeconfig's own user asks: whatever account acts, types are the same. A type that is not there is asked
        for again the next time, since it may be installed meanwhile. Two threads may ask for the same; no harm is done.
        """
        known = self._shared.types.get(api_version, {})
        if kind not in known:
            known = self._shared.types[api_version] = Api(self._shared)._discover(api_version)
        if kind not in known:
            raise UnknownTypeError(api_version, kind)
        return known[kind]

    def _discover(self, api_version: str) -> dict[str, Resource]:
        prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        got = self.request("GET", prefix)
        if not got.ok and got.code != http.HTTPStatus.NOT_FOUND:
            raise ClusterUnreachableError(self.context, f"{prefix}: {got.message}")
        return {
            one["kind"]: Resource(prefix, one["name"], one["namespaced"])
            for one in got.body.get("resources") or []
            if "/" not in one["name"]
        }

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "", **options: str) -> str:
        """Return the path of an object or, without a name, of a list; a namespace is left out where types have none.

        `options` become the query. Raises `UnknownTypeError`.
        """
        resource = self.resource(api_version, kind)
        where = f"/namespaces/{quote(namespace, safe='')}" if resource.namespaced and namespace else ""
        whole = f"{resource.prefix}{where}/{resource.plural}" + (f"/{quote(name, safe='')}" if name else "")
        return f"{whole}?{urlencode(options)}" if options else whole

    # --- verbs ----------------------------------------------------------------------------------------------------

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Answer:
        """Read one object."""
        return self.request("GET", self.path(api_version, kind, namespace, name))

    def list(self, api_version: str, kind: str, namespace: str = "", **options: str) -> Answer:
        """Read all objects of a type, of one namespace or ("") of all; `options` such as labelSelector."""
        return self.request("GET", self.path(api_version, kind, namespace, **options))

    def create(self, one: Mapping[str, Any], *, dry_run: bool) -> Answer:
        """Make an object."""
        return self.request("POST", self._path_of(one, dry_run, named=False), one)

    def replace(self, one: Mapping[str, Any], *, dry_run: bool) -> Answer:
        """Put an object in the place of the one of its name."""
        return self.request("PUT", self._path_of(one, dry_run), one)

    def apply(self, one: Mapping[str, Any], manager: str, *, dry_run: bool, force: bool = False) -> Answer:
        """Apply an object on the server's side, as the field manager `manager`."""
        options = {"fieldManager": manager, "force": "true" if force else "false"}
        return self.request("PATCH", self._path_of(one, dry_run, options), one, _APPLY)

    def patch(self, one: Mapping[str, Any], change: Mapping[str, Any], *, dry_run: bool) -> Answer:
        """Change fields of an object (a JSON merge patch)."""
        return self.request("PATCH", self._path_of(one, dry_run), change, _MERGE)

    def delete(self, one: Mapping[str, Any], *, dry_run: bool) -> Answer:
        """Delete an object."""
        return self.request("DELETE", self._path_of(one, dry_run))

    def may(self, verb: str, group: str, plural: str, namespace: str = "", name: str = "") -> bool:
        """Return whether one has a right; group "" is the core one, namespace "" the whole cluster."""
        asked = {"verb": verb, "group": group, "resource": plural, "namespace": namespace, "name": name}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        got = self.create({**review, "metadata": {}, "spec": {"resourceAttributes": asked}}, dry_run=False)
        return got.ok and bool((got.body.get("status") or {}).get("allowed"))

    def _path_of(
        self, one: Mapping[str, Any], dry_run: bool, options: Mapping[str, str] | None = None, named: bool = True
    ) -> str:
        about, query = one["metadata"], {**(options or {}), **({"dryRun": "All"} if dry_run else {})}
        name = about["name"] if named else ""
        return self.path(one["apiVersion"], one["kind"], about.get("namespace") or "", name, **query)


def side_by_side(ask: Callable[[_T], _R], about: Iterable[_T]) -> list[_R]:
    """Ask about several things at once, and return the answers in their order.

    The first that raises ends it: what has not begun is not asked, what is under way ends with its `Api`.
    """
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        return list(pool.map(ask, about))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _warning(header: str) -> str:
    """Return the text of a `Warning` header: `299 - "text"` (RFC 9111 before it dropped them, as the API sends it)."""
    text = header.split(" ", 2)[-1].encode("latin-1").decode(errors="replace")  # http.client reads headers as latin-1
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def connect(
    kubeconfig: Kubeconfig, say: Callable[[str], None] = lambda _: None, login_limit: float = LOGIN_LIMIT
) -> Api:
    """Return the API of a cluster that answers; close it after use.

    `say` hears of a login that takes longer than some seconds, and what its program prints, such as a code to enter in
    a browser; it is called in another thread, in the caller's context (`contextvars`). `login_limit` is how long, in
    seconds, such a login may take. Raises `ClusterUnreachableError` with the cause: no answer, a refused login, a
    certificate that is not trusted; `NoKubectlError` where there is none.
    """
    api = Api(_Shared(Proxy.start(kubeconfig), kubeconfig))
    try:
        with api._shared.proxy.telling(say):
            found = api.request("GET", "/api", limit=login_limit if kubeconfig.login_program else ANSWER_LIMIT)
        if found.code == http.HTTPStatus.UNAUTHORIZED:
            raise ClusterUnreachableError(api.context, "the server does not accept the login (401 Unauthorized)")
        if "versions" not in found.body and found.reason != "Forbidden":
            raise ClusterUnreachableError(api.context, found.message or "the server is no Kubernetes API")
    except BaseException:
        api.close()
        raise
    return api
