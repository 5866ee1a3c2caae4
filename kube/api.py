"""Asking a cluster's API: plain requests through `kubectl proxy`, and answers as the objects that the server sends.

kubectl logs in however the kubeconfig says (certificates, tokens, login programs, proxies of the network) and serves
the API on a Unix socket in a folder of this process alone. An answer belongs to its request, a refusal is a `Status`
with reasons and fields, and what kubectl prints is no part of it (facts: kube-api.md).

    with contextlib.closing(connect(kubeconfig)) as api:
        nodes = api.list("v1", "Node").items
"""

import copy
import http
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
# Bytes that a server takes in one request (its own, fixed limit). It hangs up on more in the middle of the sending.
LARGEST: Final = 3 * 1024 * 1024
_AT_ONCE: Final = 8
# With this status and plain text kubectl says that itself got no answer, or no login; a server's refusal is an object.
_NO_ANSWER: Final = 500
# How the API names a type: the path of its group version, its plural name, whether it lives in namespaces.
_Type = tuple[str, str, bool]
_T = TypeVar("_T")
_R = TypeVar("_R")


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
    def causes(self) -> Sequence[Mapping[str, str]]:
        """The causes of a refusal, as far as they are known: `reason` (FieldValueInvalid), `field`, `message`."""
        return () if self.ok else (self.body.get("details") or {}).get("causes") or ()

    @property
    def items(self) -> list[dict[str, Any]]:
        """The objects of a list, each with its type; of a single object, itself; none of a refusal."""
        if not self.ok:
            return []
        if "items" not in self.body:
            return [dict(self.body)]
        about = {"apiVersion": self.body["apiVersion"], "kind": self.body["kind"].removesuffix("List")}
        return [{**about, **one} for one in self.body["items"] or []]


class Api:
    """One cluster, asked as the user of the kubeconfig or as an impersonated account. Threads may share it.

    Every method answers with an `Answer`; a refusal is one like any other. They raise `ClusterUnreachableError` when
    no answer comes, and `UnknownTypeError` for a type that the server does not have. With `dry_run`, nothing is stored.
    """

    def __init__(self, proxy: Proxy, context: str) -> None:
        self._proxy, self.context, self.account = proxy, context, ""
        # By group version, by kind.
        self._types: dict[str, dict[str, _Type]] = {}

    def acting_as(self, account: str) -> Self:
        """Return one that does everything as `account`, a user's name; "" is the kubeconfig's own user.

        The name goes with each request. It replaces all that the kubeconfig says of impersonation, groups included
        (client-go leaves a request alone that names an account; seen with kubectl 1.36.4).
        """
        other = copy.copy(self)  # of the same proxy, with the same types
        other.account = account
        return other

    def close(self) -> None:
        """End the proxy; nothing of it is left behind."""
        self._proxy.stop()

    # --- verbs ----------------------------------------------------------------------------------------------------

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Answer:
        """Read one object."""
        return self._ask("GET", api_version, kind, namespace, name, {}, None)

    def list(self, api_version: str, kind: str, namespace: str = "", **options: str) -> Answer:
        """Read all objects of a type, of one namespace or ("") of all; `options` such as labelSelector."""
        return self._ask("GET", api_version, kind, namespace, "", options, None)

    def create(self, one: Mapping[str, Any], *, dry_run: bool) -> Answer:
        """Make an object."""
        return self._write("POST", one, dry_run)

    def replace(self, one: Mapping[str, Any], *, dry_run: bool) -> Answer:
        """Put an object in the place of the one of its name."""
        return self._write("PUT", one, dry_run)

    def apply(self, one: Mapping[str, Any], manager: str, *, dry_run: bool, force: bool = False) -> Answer:
        """Apply an object on the server's side, as the field manager `manager`."""
        return self._write("PATCH", one, dry_run, fieldManager=manager, force="true" if force else "false")

    def delete(self, one: Mapping[str, Any], *, dry_run: bool) -> Answer:
        """Delete an object."""
        return self._write("DELETE", one, dry_run)

    def may(self, verb: str, group: str, plural: str, namespace: str = "", name: str = "") -> bool:
        """Return whether one has a right; group "" is the core one, namespace "" the whole cluster."""
        asked = {"verb": verb, "group": group, "resource": plural, "namespace": namespace, "name": name}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        got = self.create({**review, "metadata": {}, "spec": {"resourceAttributes": asked}}, dry_run=False)
        return got.ok and bool((got.body.get("status") or {}).get("allowed"))

    def _write(self, method: str, one: Mapping[str, Any], dry_run: bool, **options: str) -> Answer:
        about, query = one["metadata"], {**options, **({"dryRun": "All"} if dry_run else {})}
        name = "" if method == "POST" else about["name"]
        body = None if method == "DELETE" else one
        return self._ask(method, one["apiVersion"], one["kind"], about.get("namespace") or "", name, query, body)

    # --- requests -------------------------------------------------------------------------------------------------

    def _ask(
        self, method: str, api_version: str, kind: str, namespace: str, name: str, query: Mapping[str, str], body: Any
    ) -> Answer:
        """Ask about an object or, without a name, a list; the namespace is left out where types have none."""
        prefix, plural, namespaced = self._type(api_version, kind)
        where = f"/namespaces/{quote(namespace, safe='')}" if namespaced and namespace else ""
        path = f"{prefix}{where}/{plural}" + (f"/{quote(name, safe='')}" if name else "")
        return self.request(method, f"{path}?{urlencode(query)}" if query else path, body)

    def request(self, method: str, path: str, body: Any = None, limit: float = REQUEST_LIMIT) -> Answer:
        """Send one request, once, and return the answer; `limit` is how long, in seconds, nothing may come.

        Text that is no object becomes the body's `message`.
        """
        # A PATCH is always an apply on the server's side.
        media = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
        headers = {"Content-Type": media, "Accept": "application/json"}
        if self.account:
            headers["Impersonate-User"] = self.account
        sent = None if body is None else json.dumps(body)
        if sent and len(sent) > LARGEST:
            status = {"reason": "RequestEntityTooLarge", "message": f"Request entity too large: limit is {LARGEST}"}
            return Answer(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, status)
        code, warnings, raw = self._proxy.send(method, path, sent, headers, limit)
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

    def _type(self, api_version: str, kind: str) -> _Type:
        """The kubeconfig's own user asks: whatever account acts, types are the same.

        A type that is not there is asked for again the next time, since it may be installed meanwhile. Two threads may
        ask for the same; no harm is done.
        """
        if kind not in self._types.get(api_version, {}):
            prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            got = self.acting_as("").request("GET", prefix)
            if not got.ok and got.code != http.HTTPStatus.NOT_FOUND:
                raise ClusterUnreachableError(self.context, f"{prefix}: {got.message}")
            found = [one for one in got.body.get("resources") or [] if "/" not in one["name"]]
            self._types[api_version] = {one["kind"]: (prefix, one["name"], one["namespaced"]) for one in found}
        if kind not in self._types[api_version]:
            raise UnknownTypeError(api_version, kind)
        return self._types[api_version][kind]


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


def connect(kubeconfig: Kubeconfig, login_limit: float = LOGIN_LIMIT) -> Api:
    """Return the API of a cluster that answers; close it after use.

    A login that takes longer than some seconds is told on standard error, and what its program prints, such as a code
    to enter in a browser; `login_limit` is how long, in seconds, it may take. Raises `ClusterUnreachableError` with the
    cause: no answer, a refused login, a certificate that is not trusted; `NoKubectlError` where there is none.
    """
    api = Api(Proxy(kubeconfig), kubeconfig.context)
    try:
        with api._proxy.telling():
            found = api.request("GET", "/api", limit=login_limit if kubeconfig.login_program else ANSWER_LIMIT)
        if found.code == http.HTTPStatus.UNAUTHORIZED:
            raise ClusterUnreachableError(api.context, "the server does not accept the login (401 Unauthorized)")
        if "versions" not in found.body and found.reason != "Forbidden":
            raise ClusterUnreachableError(api.context, found.message or "the server is no Kubernetes API")
    except BaseException:
        api.close()
        raise
    return api
