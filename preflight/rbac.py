"""What tiller may do with a role that is not bound yet, so that no server can be asked as tiller.

Pure functions over a ClusterRole and objects as the API gives them, but for the two that ask.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from config.settings import TillerSettings
from kube.api import Api
from kube.manifests import Object, plural
from preflight.violations import Violation

# Helm keeps its records as Secrets.
_RECORDS: Final = [("", "secrets", verb) for verb in ("get", "list", "create", "update", "delete")]
_VERBS: Final = ("get", "create", "patch", "delete")
_SHOWN: Final = 6
Right = tuple[str, str, str]
_ENOUGH: Final = "pulumi config set --path tiller.role cluster-admin"


def needed(objects: Iterable[Object]) -> list[Right]:
    """Return the rights that Helm needs to install and keep these objects, as (API group, resource, verb)."""
    kinds = {(one["apiVersion"].rpartition("/")[0], plural(one["kind"])) for one in objects}
    return [*_RECORDS, *((group, resource, verb) for group, resource in sorted(kinds) for verb in _VERBS)]


def lacking(role: Mapping[str, Any], wanted: Iterable[Right]) -> list[Right]:
    """Return the rights among `wanted` that a ClusterRole does not give."""
    rules = role.get("rules") or []
    return [right for right in wanted if not any(_gives(rule, right) for rule in rules)]


def _gives(rule: Mapping[str, Any], right: Right, wanted: Collection[str] = ()) -> bool:
    """Whether a rule gives a right over the objects of the `wanted` names; over all objects if none is named."""
    names = ("apiGroups", "resources", "verbs")
    fits = all({"*", part} & {*(rule.get(name) or [])} for name, part in zip(names, right, strict=True))
    only = {*(rule.get("resourceNames") or [])}
    return fits and (not only or (bool(wanted) and only >= {*wanted}))


def withheld(name: str, role: Mapping[str, Any], objects: Iterable[Object]) -> Iterator[Violation]:
    """Yield a violation if roles among `objects` would give rights that the ClusterRole `name` has not: nobody may."""
    rules = role.get("rules") or []
    for kind in ("Role", "ClusterRole"):
        if any(_gives(rule, ("rbac.authorization.k8s.io", plural(kind), "escalate")) for rule in rules):
            continue
        given = [rule for one in objects if one["kind"] == kind for rule in one.get("rules") or []]
        wanted = [(right, rule.get("resourceNames") or ()) for rule in given for right in _rights(rule)]
        more = [right for right, names in wanted if not any(_gives(rule, right, names) for rule in rules)]
        if more:
            what = f"tiller's role {name} has not itself what the chart's {plural(kind)} give: {_told(more)}"
            yield Violation(f"ClusterRole/{name}", what, _ENOUGH)


def _rights(rule: Mapping[str, Any]) -> Iterator[Right]:
    yield from product(*(rule.get(part) or [] for part in ("apiGroups", "resources", "verbs")))


def too_small(role: str, lacking: Sequence[Right]) -> Iterator[Violation]:
    """Yield one violation for all rights that are lacking."""
    if lacking:
        what = f"tiller's role {role} is too small for this chart: it cannot {_told(lacking)}"
        yield Violation(f"ClusterRole/{role}", what, _ENOUGH)


def _told(rights: Sequence[Right]) -> str:
    names = list(dict.fromkeys(f"{resource}.{group}".rstrip(".") for group, resource, _ in rights))
    verbs = dict.fromkeys(verb for _, _, verb in rights)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(verbs)} {', '.join(names[:_SHOWN])}{more}"


def of_role(user: Api, tiller: TillerSettings, objects: Collection[Object]) -> list[Violation]:
    """Return what stands in tiller's way while its role is still to be bound: it cannot be asked as tiller yet.

    Where tiller has other bindings than ours, what it may do is not ours to reckon.
    """
    account = user.acting_as(f"system:serviceaccount:{tiller.namespace}:{tiller.name}")
    found = [] if may_act(user, account) else [no_acting(account.account)]
    version = "rbac.authorization.k8s.io/v1"
    role = user.get(version, "ClusterRole", tiller.role)
    if role.reason == "NotFound":
        return [*found, no_role(tiller.role)]
    bindings = [user.list(version, kind) for kind in ("ClusterRoleBinding", "RoleBinding")]
    if not all(got.ok for got in (role, *bindings)):
        return found
    if bound_elsewhere([one for got in bindings for one in got.items], tiller):
        return found
    missing = lacking(role.body, needed(objects))
    return [*found, *too_small(tiller.role, missing), *withheld(tiller.role, role.body, objects)]


def may_act(user: Api, account: Api) -> bool:
    """Return whether the user may act as whoever installs: a service account, or the user's own self."""
    if not account.account:
        return True
    namespace, name = account.account.split(":")[2:]  # system:serviceaccount:NAMESPACE:NAME
    return user.may("impersonate", "", "serviceaccounts", namespace, name)


def no_acting(account: str) -> Violation:
    """Return the violation for a user who may not do as tiller does."""
    advice = "the right to act as tiller, which cluster administrators have"
    return Violation("", f"you cannot impersonate {account}, and the release is installed as tiller", advice)


def no_role(role: str) -> Violation:
    """Return the violation for a role that does not exist: the server binds it all the same."""
    return Violation(
        f"ClusterRole/{role}", f"cluster role {role} does not exist, so tiller would have no rights", _ENOUGH
    )


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
