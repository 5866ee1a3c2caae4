"""What tiller may do with a role that is not bound yet, so that no server can be asked as tiller.

Pure functions over a ClusterRole and objects as the API gives them, but for the two that ask.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from config.settings import TillerSettings
from kube.api import Api
from kube.manifests import Object, plural
from preflight.violations import RIGHT_TO_ACT, Violation, listed

# Helm keeps its records as Secrets.
_RECORDS: Final = [("", "secrets", verb) for verb in ("get", "list", "create", "update", "delete")]
_VERBS: Final = ("get", "create", "patch", "delete")
_PARTS: Final = ("apiGroups", "resources", "verbs")
_GROUP: Final = "rbac.authorization.k8s.io"
_ENOUGH: Final = "pulumi config set --path tiller.role cluster-admin"


def shortfalls(name: str, role: Mapping[str, Any], objects: Collection[Object]) -> Iterator[Violation]:
    """Yield what the ClusterRole `name` lacks to install `objects`.

    It needs the rights to make them, and those that roles among them would give: nobody gives what he has not.
    """
    rules = role.get("rules") or []
    kinds = sorted({(one["apiVersion"].rpartition("/")[0], plural(one["kind"])) for one in objects})
    needed = [*_RECORDS, *((*kind, verb) for kind in kinds for verb in _VERBS)]
    if lacking := [right for right in needed if not _given(rules, right)]:
        what = f"tiller's role {name} is too small for this chart: it cannot {_told(lacking)}"
        yield Violation(f"ClusterRole/{name}", what, _ENOUGH)
    for kind in ("Role", "ClusterRole"):
        if _given(rules, (_GROUP, plural(kind), "escalate")):
            continue
        granted = [rule for one in objects if one["kind"] == kind for rule in one.get("rules") or []]
        rights = [(right, rule) for rule in granted for right in product(*(rule.get(part) or [] for part in _PARTS))]
        if more := [right for right, rule in rights if not _given(rules, right, rule.get("resourceNames") or ())]:
            what = f"tiller's role {name} has not itself what the chart's {plural(kind)} give: {_told(more)}"
            yield Violation(f"ClusterRole/{name}", what, _ENOUGH)


def _given(rules: Iterable[Mapping[str, Any]], right: Sequence[str], names: Collection[str] = ()) -> bool:
    """Whether one of these rules gives a right over the objects of these names; over all objects if none is named."""
    return any(
        all({"*", wanted} & {*(rule.get(part) or [])} for part, wanted in zip(_PARTS, right, strict=True))
        and (not (only := rule.get("resourceNames")) or (bool(names) and {*names} <= {*only}))
        for rule in rules
    )


def _told(rights: Sequence[Sequence[str]]) -> str:
    names = dict.fromkeys(f"{resource}.{group}".rstrip(".") for group, resource, _ in rights)
    verbs = dict.fromkeys(verb for _, _, verb in rights)
    return f"{', '.join(verbs)} {listed([*names])}"


def of_role(user: Api, tiller: TillerSettings, objects: Collection[Object]) -> Iterator[Violation]:
    """Yield what stands in tiller's way while its role is still to be bound: it cannot be asked as tiller yet.

    Where tiller has other bindings than ours, what it may do is not ours to reckon.
    """
    account = user.acting_as(f"system:serviceaccount:{tiller.namespace}:{tiller.name}")
    if barred := no_acting(user, account):
        yield barred
    version = f"{_GROUP}/v1"
    role = user.get(version, "ClusterRole", tiller.role)
    if role.reason == "NotFound":  # the server binds it all the same
        what = f"cluster role {tiller.role} does not exist, so tiller would have no rights"
        yield Violation(f"ClusterRole/{tiller.role}", what, _ENOUGH)
    bindings = [user.list(version, kind) for kind in ("ClusterRoleBinding", "RoleBinding")]
    known = all(got.ok for got in (role, *bindings))
    if known and not bound_elsewhere([one for got in bindings for one in got.items], tiller):
        yield from shortfalls(tiller.role, role.body, objects)


def no_acting(user: Api, account: Api) -> Violation | None:
    """Return why the user may not act as whoever installs: a service account, or (None) the user's own self."""
    # system:serviceaccount:NAMESPACE:NAME
    if not account.account or user.may("impersonate", "", "serviceaccounts", *account.account.split(":")[2:]):
        return None
    reason = f"you cannot impersonate {account.account}, and the release is installed as tiller"
    return Violation("", reason, RIGHT_TO_ACT)


def bound_elsewhere(bindings: Iterable[Object], tiller: TillerSettings) -> bool:
    """Return whether tiller's account has rights by other bindings than the stack's own, present or former.

    The cluster's own bindings (`system:...`) give every account a little, and nothing that Helm needs.
    """
    own = tiller.binding
    names = [
        {"kind": "ServiceAccount", "name": tiller.name, "namespace": tiller.namespace},
        {"kind": "User", "name": f"system:serviceaccount:{tiller.namespace}:{tiller.name}"},
        {"kind": "Group", "name": "system:serviceaccounts"},
        {"kind": "Group", "name": f"system:serviceaccounts:{tiller.namespace}"},
    ]
    return any(
        account.items() <= subject.items()
        for binding in bindings
        if binding["metadata"]["name"] != own and not binding["metadata"]["name"].startswith((f"{own}-", "system:"))
        for subject in binding.get("subjects") or []
        for account in names
    )
