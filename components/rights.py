"""What tiller may do with a role that is not bound yet, so that no server can be asked as tiller.

Pure functions over a ClusterRole and objects as the API gives them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from components.objects import Object
from components.refusals import Refusal, plural
from components.settings import TillerSettings

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


def withheld(name: str, role: Mapping[str, Any], objects: Iterable[Object]) -> Iterator[Refusal]:
    """Yield a refusal if roles among `objects` would give rights that the ClusterRole `name` has not: nobody may."""
    rules = role.get("rules") or []
    for kind in ("Role", "ClusterRole"):
        if any(_gives(rule, ("rbac.authorization.k8s.io", plural(kind), "escalate")) for rule in rules):
            continue
        given = [rule for one in objects if one["kind"] == kind for rule in one.get("rules") or []]
        wanted = [(right, rule.get("resourceNames") or ()) for rule in given for right in _rights(rule)]
        more = [right for right, names in wanted if not any(_gives(rule, right, names) for rule in rules)]
        if more:
            what = f"tiller's role {name} has not itself what the chart's {plural(kind)} give: {_told(more)}"
            yield Refusal(f"ClusterRole/{name}", what, _ENOUGH)


def _rights(rule: Mapping[str, Any]) -> Iterator[Right]:
    yield from product(*(rule.get(part) or [] for part in ("apiGroups", "resources", "verbs")))


def refusals(role: str, rights: Iterable[Right]) -> Iterator[Refusal]:
    """Yield one refusal for all rights that are lacking."""
    lacking = list(rights)
    if lacking:
        what = f"tiller's role {role} is too small for this chart: it cannot {_told(lacking)}"
        yield Refusal(f"ClusterRole/{role}", what, _ENOUGH)


def _told(rights: Sequence[Right]) -> str:
    names = list(dict.fromkeys(f"{resource}.{group}".rstrip(".") for group, resource, _ in rights))
    verbs = list(dict.fromkeys(verb for _, _, verb in rights))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(verbs)} {', '.join(names[:_SHOWN])}{more}"


def no_acting(account: str) -> Refusal:
    """Return the refusal for a person who may not do as tiller does."""
    advice = "the right to act as tiller, which cluster administrators have"
    return Refusal("", f"you cannot impersonate {account}, and the release is installed as tiller", advice)


def no_role(role: str) -> Refusal:
    """Return the refusal for a role that does not exist: the server binds it all the same."""
    return Refusal(
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
