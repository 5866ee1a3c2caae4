"""What servers and charts refuse: told once for each cause, without secrets, with what to do."""

from typing import Any

import pytest

from kube import nested
from preflight import violations
from preflight.violations import Violation

QUOTA = "exceeded quota: q, requested: services=1, used: services=6, limited: services=4"
PORT = "spec.ports[0].nodePort: Invalid value: 31972: provided port is already allocated"
AMOUNT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


# --- folding ------------------------------------------------------------------------------------------------------


def many(count: int) -> list[Violation]:
    gone = "unable to create new content in namespace x because it is being terminated"
    return [Violation(f"Secret/s{n}", f'secrets "s{n}" is forbidden: {gone}') for n in range(count)]


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, None),
        (5, "and 4 more like it: Secret/s1, Secret/s2, Secret/s3, Secret/s4"),
        (13, "and 12 more like it: Secret/s1, Secret/s2, Secret/s3, Secret/s4, and 8 more"),
    ],
)
def test_one_cause_for_many_objects_is_one_reason(count: int, line: str | None) -> None:
    (text,) = violations.folded(many(count))
    first = f"Secret/s0: {many(1)[0].reason}"
    assert text == (first if line is None else f"{first}\n      {line}")


FORBIDDEN = 'is forbidden: User "t" cannot create resource'
IN_X = 'in the namespace "x"'


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (f'services "a" is forbidden: {QUOTA}', f'services "b" is forbidden: {QUOTA.replace("6", "7")}', True),
        (f'Service "a" is invalid: {PORT}', f'Service "b" is invalid: {PORT.replace("31972", "31973")}', True),
        ('Service "a" is invalid: spec.x: Required value', 'Deployment.apps "b" is invalid: spec.x: Required value',
         True),
        (f'roles.rbac.authorization.k8s.io "a" {FORBIDDEN} "roles" in API group "rbac.authorization.k8s.io" {IN_X}',
         f'services "b" {FORBIDDEN} "services" in API group "" {IN_X}', True),
        (f'services "a" {FORBIDDEN} "services" {IN_X}', f'roles "b" {FORBIDDEN} "roles" in API group "r" {IN_X}', True),
        (f'services "a" {FORBIDDEN} "services" {IN_X}', f'services "b" {FORBIDDEN} "services" at the cluster scope',
         False),
        ('Service "a" is invalid: spec.x: Required value', 'Service "a" is invalid: spec.y: Required value', False),
        ("secret no-tls does not exist, and its pods need it", "secret other does not exist, and its pods need it",
         False),
        ("exceeded quota: q, requested: pods=1", "exceeded quota: r, requested: pods=1", False),
    ],
)  # fmt: skip
def test_what_counts_as_one_cause(one: str, other: str, alike: bool) -> None:
    found = violations.folded([Violation("A/a", one), Violation("B/b", other)])
    assert found == ([f"A/a: {one}\n      and 1 more like it: B/b"] if alike else [f"A/a: {one}", f"B/b: {other}"])


def test_a_group_takes_each_advice_that_it_has_and_the_order_stays() -> None:
    same = [Violation("A/a", "no"), Violation("B/b", "no", "mend it"), Violation("C/c", "no", "or else")]
    assert violations.folded([Violation("Z/z", "last"), *same, Violation("Y/y", "first", "x"), same[0]]) == [
        "Z/z: last",
        "A/a: no\n      and 2 more like it: B/b, C/c\n      what to do: mend it; or else",
        "Y/y: first\n      what to do: x",
    ]


def test_violations_without_an_object_stand_for_themselves() -> None:
    found = [Violation("", f'failed calling webhook "{name}.example.org": no') for name in "ab"]
    again = Violation("", found[1].reason, "mend it")
    assert violations.folded([Violation("A/a", found[0].reason), *found, again]) == [
        f"A/a: {found[0].reason}", found[0].reason, f"{found[1].reason}\n      what to do: mend it",
    ]  # fmt: skip


# --- advice -------------------------------------------------------------------------------------------------------

ROLE = "the rights of tiller: pulumi config set --path tiller.role cluster-admin"
OWN_RIGHTS = "rights of your own: kubectl auth can-i --list -n x"
ACCOUNT = "system:serviceaccount:kube-system:tiller"
RESOURCES = "kubectl -n x describe resourcequota; have it raised, or ask for less"
BACK = "take the change back; this object would have to be deleted first, with all that it holds"
PODS = 'pods "binder-preview" is forbidden:'


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ('User "me" cannot impersonate resource "serviceaccounts" in API group ""',
         "the right to act as tiller, which cluster administrators have"),
        (f'services "binder" is forbidden: User "{ACCOUNT}" cannot patch resource "services"', ROLE),
        (f'roles "hub" is forbidden: user "{ACCOUNT}" (groups=["a"]) is attempting to grant RBAC permissions', ROLE),
        ('roles "hub" is forbidden: user "me" is attempting to grant RBAC permissions not currently held', OWN_RIGHTS),
        (f"{PODS} {QUOTA}", RESOURCES),
        (f"{PODS} failed quota: q: must specify requests.memory for: hub", RESOURCES),
        (f'{PODS} violates PodSecurity "restricted:latest": privileged (container "dind")',
         "builds need privileged pods: kubectl label namespace x "
         "pod-security.kubernetes.io/enforce=privileged --overwrite"),
        (f"{PODS} maximum memory usage per Container is 256Mi, but limit is 1Gi", "kubectl -n x describe limitrange"),
        (f"{PODS} cpu max limit to request ratio per Container is 2, but provided ratio is 10.0",
         "kubectl -n x describe limitrange"),
        (many(1)[0].reason, "wait until the namespace is gone: kubectl get namespace x --watch"),
        (f'Service "new2" is invalid: {PORT}', "another nodePort in the values file, or none"),
        ("spec.ports[0].nodePort: Invalid value: 99: provided port is not in the valid range. The range of valid "
         "ports is 30000-32767", "another nodePort in the values file, or none"),
        ('Deployment.apps "a" is invalid: spec.selector: Invalid value: {"matchLabels":{}}: field is immutable', BACK),
        ('StatefulSet.apps "a" is invalid: spec: Forbidden: updates to statefulset spec for fields other than '
         "'replicas' are forbidden", BACK),
        ('PersistentVolumeClaim "a" is invalid: spec: Forbidden: spec is immutable after creation except', BACK),
        ("spec.resources.requests.storage: Forbidden: field can not be less than status.capacity",
         "a volume cannot shrink: take the change back"),
        (f"{PODS} no PriorityClass with name nope was found", "a class that `kubectl get priorityclasses` shows"),
        ('no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"',
         "install what brings this kind of object, or switch it off in the values file"),
        ('Internal error occurred: failed calling webhook "gone.example.org": failed to call webhook: Post',
         "the service behind this webhook must answer, in whatever namespace it runs"),
        ('admission webhook "a" denied the request: no', "a policy of this cluster: ask who made it"),
        ("ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no",
         "a policy of this cluster: ask who made it"),
        ('namespaces "nowhere" not found', "make it first, or pulumi config set --path tiller.namespace kube-system"),
        ('secrets "nowhere" not found', ""),
        ("spec.containers[0].volumeMounts[1].name: Not found: \"nowhere\"", ""),
    ],
)  # fmt: skip
def test_what_helps_in_each_case(reason: str, advice: str) -> None:
    assert violations.advised(Violation("a", reason), "x", {}) == Violation("a", reason, advice)


VALUES = {
    "service": {"labels": {"team": "data science!"}},
    "jupyterhub": {"singleuser": {"memory": {"limit": "9X"}}, "hub": {"resources": {"requests": {"memory": "lots"}}}},
    "flag": True,
}
LIMIT = "the setting binderhub:userMemoryLimit (jupyterhub.singleuser.memory.limit)"
BAD = 'spec.a: Invalid value: "x!": no'
NOTHING = {"a": True, "b": None, "c": False, "d": "", "e": 5}
SIX = {"gpu": None, "disk": {}, "other": [], "cpu": "a", "memory": "b", "storage": "c"}


@pytest.mark.parametrize(
    ("reason", "values", "advice"),
    [
        ('Invalid value: "data science!": field is immutable', VALUES, "service.labels.team in the values file"),
        ('spec: Invalid value: "9X": must be', VALUES, LIMIT),
        # A value that is quoted does not tell where an amount stands.
        (f'Invalid value: "data science!": {AMOUNT}', VALUES,
         f"{LIMIT}, jupyterhub.hub.resources.requests.memory in the values file"),
        (AMOUNT, {"resources": {"requests": SIX}},
         "resources.requests.cpu in the values file, resources.requests.memory in the values file"),
        (BAD, {"replicas": "x!"}, "the setting binderhub:replicas (replicas)"),
        (BAD, {"extraVolumes": [{"name": "ok"}, {"name": "x!"}]}, "extraVolumes[1].name in the values file"),
        (BAD, {"a": "x!", "b": {"c": "x!"}, "d": "x!"}, "a in the values file, b.c in the values file"),
        (BAD.replace("x!", "5"), {"a": 5}, "a in the values file"),
        *((reason, NOTHING, "") for reason in (
            "never heard of", BAD, BAD.replace("x!", "True"), BAD.replace("x!", "None"), BAD.replace("x!", ""),
            "Invalid value: 5: no", 'Unsupported value: "5"', '"5"',
        )),
    ],
)  # fmt: skip
def test_the_place_of_a_value_goes_before_what_helps_in_general(reason: str, values: Any, advice: str) -> None:
    assert violations.advised(Violation("a", reason), "x", values).advice == advice
    assert violations.advised(Violation("a", reason, "own"), "x", values).advice == "own"


@pytest.mark.parametrize(
    ("path", "holds_amounts"),
    [
        ("resources.requests.memory", True), ("dind.resources.requests.ephemeral-storage", True),
        ("jupyterhub.hub.db.pvc.storage", True), ("jupyterhub.other.memory.limit", True),
        ("jupyterhub.other.cpu.guarantee", True), ("resourcesx.requests.memory", False),
        ("myresources.requests.memory", False), ("storage.class", False), ("memory", False),
    ],
)  # fmt: skip
def test_amounts_stand_in_known_places(path: str, holds_amounts: bool) -> None:
    bad, fine = nested.at(path, "lots"), nested.at(path, "1Gi")
    what = violations.advised(Violation("a", AMOUNT), "x", bad).advice
    assert what == (f"{path} in the values file" if holds_amounts else "")
    assert violations.advised(Violation("a", AMOUNT), "x", fine).advice == ""
