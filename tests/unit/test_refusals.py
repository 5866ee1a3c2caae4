"""What servers and charts refuse: sorted, folded, masked, with what to do. The texts are what kubectl 1.36 printed."""

import base64
import json
import re

import pytest

from components import refusals, tree
from components.objects import Key
from components.refusals import Mask, Refusal, RefusedError

QUOTA = "exceeded quota: q, requested: services=1, used: services=6, limited: services=4"
PRINTED = f"""\
Warning: existing pods in namespace "x" violate the new PodSecurity enforce level
unable to recognize no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"
Error from server: failed to create typed patch object (x/binder; apps/v1, Kind=Deployment): errors:
  .spec.selector.matchLabels.x: expected string, got 3
  .spec.template.metadata.labels.x: expected string, got 3
Error from server (Forbidden): error when creating "STDIN": services "new" is forbidden: {QUOTA}
Error from server (Invalid): error when creating "STDIN": Service "old" is invalid: spec.a: Invalid value: 1
The Pod "binder-preview" is invalid:
* spec.containers[0].env[2].valueFrom: Invalid value: ""
* spec.containers[0].resources.requests: Invalid value: "2Gi": must be less
Error from server (AlreadyExists): error when creating "STDIN": secrets "hub" already exists
Error from server (BadRequest): error when creating "STDIN": Ingress in version "v1" cannot be handled as a Ingress: bad
"""


def test_one_sentence_for_each_refusal_and_none_for_warnings() -> None:
    assert refusals.sentences(PRINTED) == [
        'no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"',
        "failed to create typed patch object (x/binder; apps/v1, Kind=Deployment): errors: "
        ".spec.selector.matchLabels.x: expected string, got 3 "
        ".spec.template.metadata.labels.x: expected string, got 3",
        f'services "new" is forbidden: {QUOTA}',
        'Service "old" is invalid: spec.a: Invalid value: 1',
        'Pod "binder-preview" is invalid: [spec.containers[0].env[2].valueFrom: Invalid value: "", '
        'spec.containers[0].resources.requests: Invalid value: "2Gi": must be less]',
        'secrets "hub" already exists',
        'Ingress in version "v1" cannot be handled as a Ingress: bad',
    ]
    assert refusals.sentences("") == []


def test_each_sentence_is_about_the_object_that_it_names() -> None:
    asked = [
        Key("HTTPRoute", "hub"), Key("Deployment", "binder"), Key("Service", "new"), Key("Service", "old"),
        Key("Pod", "binder-preview"), Key("Secret", "hub"), Key("NetworkPolicy", "hub"), Key("Ingress", "a"),
    ]  # fmt: skip
    got = [refusals.named(text, asked) for text in refusals.sentences(PRINTED)]
    assert [str(key) for key in got] == [
        "HTTPRoute/hub", "Deployment/binder", "Service/new", "Service/old", "Pod/binder-preview", "Secret/hub", "None",
    ]  # fmt: skip
    denied = 'networkpolicies.networking.k8s.io "hub" is forbidden: User "x" cannot create'
    assert refusals.named(denied, asked) == Key("NetworkPolicy", "hub")
    assert refusals.named('namespaces "x" not found', asked) is None
    assert refusals.nameless(refusals.sentences(PRINTED)[-1]) == "Ingress"
    assert refusals.nameless('Service "a" is invalid: b') == ""


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Service", "services"), ("NetworkPolicy", "networkpolicies"), ("Ingress", "ingresses"), ("Secret", "secrets")],
)
def test_plurals(kind: str, name: str) -> None:
    assert refusals.plural(kind) == name


def test_a_pod_that_says_what_its_workload_said_is_left_out() -> None:
    workload = Refusal(
        "Deployment/binder", 'Deployment.apps "binder" is invalid: spec.template.spec.a: Invalid value: 1'
    )
    echo = Refusal("Pod/binder-preview", 'Pod "binder-preview" is invalid: spec.a: Invalid value: 1')
    more = Refusal("Pod/binder-preview", 'pods "binder-preview" is forbidden: violates PodSecurity "restricted:latest"')
    alien = Refusal("Pod/hub-preview", 'Pod "hub-preview" is invalid: spec.a: Invalid value: 1')
    assert refusals.without_echoes([workload, echo, more, alien, more]) == [workload, more, alien]
    said = Refusal(
        "Deployment/hub", "failed to convert new object (x/hub; apps/v1, Kind=Deployment): quantities must match"
    )
    nameless = Refusal("Pod/hub-preview", 'Pod in version "v1" cannot be handled as a Pod: quantities must match')
    assert refusals.without_echoes([said, nameless]) == [said]


def test_the_same_reason_is_said_once() -> None:
    found = [
        Refusal(f"Secret/s{n}", f'secrets "s{n}" is forbidden: unable to create new content', "wait") for n in range(7)
    ]
    assert refusals.folded([*found, Refusal("", "something else")]) == [
        'Secret/s0: secrets "s0" is forbidden: unable to create new content\n'
        "      and 6 more like it: Secret/s1, Secret/s2, Secret/s3, Secret/s4, and 2 more\n"
        "      what to do: wait",
        "something else",
    ]
    differ = [Refusal("A/a", "spec.a: bad"), Refusal("A/a", "spec.b: bad")]
    assert len(refusals.folded(differ)) == 2


def test_one_error_for_all() -> None:
    text = str(RefusedError("x/hub", [Refusal("A/a", "bad"), Refusal("", "worse", "mend it")]))
    assert text == (
        "the cluster would refuse x/hub; nothing was touched\n  1. A/a: bad\n  2. worse\n      what to do: mend it"
    )


SECRET = 'pa"ss\\word-1'


@pytest.mark.parametrize(
    "form", [SECRET, base64.b64encode(SECRET.encode()).decode(), 'pa\\"ss\\\\word-1'], ids=["plain", "base64", "json"]
)
def test_secrets_are_taken_out_in_every_form(form: str) -> None:
    shown = Mask([SECRET, "word", "ab"])(f"data.token: Invalid value: {{{form}}} ab")
    assert shown == "data.token: Invalid value: {[secret]} ab", (
        "what is short says nothing, and would hide half the text"
    )


def test_a_long_text_is_cut_after_the_secrets_are_out() -> None:
    shown = Mask(["t0p-secret"])("a" * 295 + "t0p-secret" + "b" * 5000)
    assert len(shown) < 620
    assert "t0p" not in shown
    assert " ... " in shown


def test_no_secret_at_all() -> None:
    assert Mask([])("as it is") == "as it is"
    assert Mask(["secret-one"]).all([Refusal("a", "secret-one", "not secret-one")]) == [
        Refusal("a", "[secret]", "not [secret]")
    ]


VALUES = {
    "service": {"labels": {"team": "data science!"}},
    "jupyterhub": {"singleuser": {"memory": {"limit": "9X"}}, "hub": {"resources": {"requests": {"memory": "lots"}}}},
    "flag": True,
}


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ('Invalid value: "data science!": a valid label', "service.labels.team in the values file"),
        (
            'spec: Invalid value: "9X": must be',
            "the setting binderhub:userMemoryLimit (jupyterhub.singleuser.memory.limit)",
        ),
        (
            "quantities must match the regular expression",
            "the setting binderhub:userMemoryLimit (jupyterhub.singleuser.memory.limit), "
            "jupyterhub.hub.resources.requests.memory in the values file",
        ),
        ('Invalid value: "True"', ""),
        (f"forbidden: {QUOTA}", "kubectl -n x describe resourcequota; have it raised, or ask for less"),
        (
            'User "system:serviceaccount:kube-system:tiller" cannot patch resource "secrets"',
            "the rights of tiller: pulumi config set --path tiller.role cluster-admin",
        ),
        (
            'User "me" cannot impersonate resource "serviceaccounts"',
            "the right to act as tiller, which cluster administrators have",
        ),
        ("never heard of", ""),
    ],
)
def test_what_to_do(reason: str, advice: str) -> None:
    assert refusals.advised(Refusal("a", reason), "x", VALUES).advice == advice
    assert refusals.advised(Refusal("a", reason, "own"), "x", VALUES).advice == "own"


PORT = "spec.ports[0].nodePort: Invalid value: 31972: provided port is already allocated"
AMOUNT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        (f'Error from server (Forbidden): services "new" is forbidden: {QUOTA}',
         f'services "new" is forbidden: {QUOTA}'),
        (f'Error from server (Invalid): error when creating "STDIN": Service "new2" is invalid: {PORT}',
         f'Service "new2" is invalid: {PORT}'),
        (f'The Service "new2" is invalid: {PORT}', f'Service "new2" is invalid: {PORT}'),
        ('Error from server (BadRequest): error when creating "STDIN": PersistentVolumeClaim in version "v1" '
         f"cannot be handled as a PersistentVolumeClaim: {AMOUNT}",
         f'PersistentVolumeClaim in version "v1" cannot be handled as a PersistentVolumeClaim: {AMOUNT}'),
        ('unable to recognize no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"',
         'no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"'),
        ('error: resource mapping not found for name: "binder" namespace: "" from "STDIN": no matches for kind '
         '"HTTPRoute" in version "gateway.networking.k8s.io/v1"\nensure CRDs are installed first',
         'resource mapping not found for name: "binder" namespace: "" from "STDIN": no matches for kind '
         '"HTTPRoute" in version "gateway.networking.k8s.io/v1" ensure CRDs are installed first'),
        ("Unable to connect to the server: dial tcp 10.0.0.1:443: i/o timeout",
         "Unable to connect to the server: dial tcp 10.0.0.1:443: i/o timeout"),
        ("Error from server (InternalError): Internal error occurred: failed calling webhook \"gone.example.org\": x",
         'Internal error occurred: failed calling webhook "gone.example.org": x'),
    ],
)  # fmt: skip
def test_what_kubectl_puts_before_a_sentence_is_left_out(printed: str, sentence: str) -> None:
    assert refusals.sentences(printed) == refusals.sentences(f"{printed}\n\n") == [sentence]


def test_a_sentence_of_several_lines_is_one() -> None:
    printed = """\
Error from server: failed to create typed patch object (binderhub/binder; apps/v1, Kind=Deployment): errors:
  .spec.selector.matchLabels.x: expected string, got &value.valueUnstructured{Value:true}
Error from server: error when creating "STDIN": admission webhook "validate.example.org" denied the request:

resource Pod/x/binder-preview was blocked due to the following policies

no-latest:
  tags: 'validation error: a tag is needed'
"""
    assert refusals.sentences(printed) == [
        "failed to create typed patch object (binderhub/binder; apps/v1, Kind=Deployment): errors: "
        ".spec.selector.matchLabels.x: expected string, got &value.valueUnstructured{Value:true}",
        'admission webhook "validate.example.org" denied the request: '
        "resource Pod/x/binder-preview was blocked due to the following policies no-latest: "
        "tags: 'validation error: a tag is needed'",
    ]


def test_only_what_comes_first_is_taken_off_a_sentence() -> None:
    quoting = 'admission webhook "a" denied the request: error when creating "STDIN": Error from server (X): no'
    assert refusals.sentences(f"Error from server (Forbidden): {quoting}") == [quoting]


def test_warnings_are_left_out_wherever_they_stand() -> None:
    existing = 'Warning: existing pods in namespace "x" violate the new PodSecurity enforce level "baseline:latest"'
    detail = "Warning: hub-5c6f: privileged"
    refused = "Error from server (Forbidden): no"
    assert refusals.sentences("\n".join([existing, detail, refused, existing])) == ["no"]
    assert refusals.sentences(f"{existing}\n  and more of it\n\n{refused}") == ["no"]
    assert refusals.sentences(existing) == refusals.sentences("\n \n") == []


def test_one_cause_in_a_line_of_its_own_is_listed_like_several() -> None:
    assert refusals.sentences('The Pod "a" is invalid: \n* spec.a: Required value') == [
        'Pod "a" is invalid: [spec.a: Required value]'
    ]


ASKED = [
    Key("Service", "binder"), Key("Deployment", "binder"), Key("Pod", "binder-preview"), Key("Secret", "binder"),
    Key("NetworkPolicy", "binder"), Key("Ingress", "binder"), Key("ClusterRole", "x-user-scheduler"),
    Key("HTTPRoute", "first"), Key("HTTPRoute", "second"), Key("ServiceAccount", "hub"),
    Key("PodDisruptionBudget", "hub"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "key"),
    [
        (f'services "binder" is forbidden: {QUOTA}', "Service/binder"),
        (f'Service "binder" is invalid: {PORT}', "Service/binder"),
        ('Deployment.apps "binder" is invalid: spec.selector: field is immutable', "Deployment/binder"),
        ('deployments.apps "binder" is forbidden: User "x" cannot patch', "Deployment/binder"),
        ('pods "binder-preview" is forbidden: violates PodSecurity "baseline:latest"', "Pod/binder-preview"),
        ('networkpolicies.networking.k8s.io "binder" already exists', "NetworkPolicy/binder"),
        ('ingresses.networking.k8s.io "binder" is forbidden: no', "Ingress/binder"),
        ('clusterroles.rbac.authorization.k8s.io "x-user-scheduler" is forbidden: user "t" is attempting to grant',
         "ClusterRole/x-user-scheduler"),
        ('poddisruptionbudgets.policy "hub" not found', "PodDisruptionBudget/hub"),
        ('pods "binder-preview" is forbidden: error looking up service account x/hub: serviceaccount "hub" not found',
         "Pod/binder-preview"),
        ('admission webhook "a" denied the request: serviceaccount "hub" not found', "ServiceAccount/hub"),
        ("failed to convert new object (x/binder; apps/v1, Kind=Deployment): bad", "Deployment/binder"),
        ("failed to create typed patch object (/x-user-scheduler; rbac.authorization.k8s.io/v1, Kind=ClusterRole): bad",
         "ClusterRole/x-user-scheduler"),
        ("failed to create typed patch object (x/binder; /v1, Kind=Secret): bad", "Secret/binder"),
        ('no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"', "HTTPRoute/first"),
        ('no matches for kind "Gateway" in version "gateway.networking.k8s.io/v1"', "None"),
        ('services "other" is forbidden: no', "None"),
        ('configmaps "binder" is forbidden: no', "None"),
        ('namespaces "binder" not found', "None"),
        ('Secret in version "v1" cannot be handled as a Secret: illegal base64 data', "None"),
        ("", "None"),
    ],
)  # fmt: skip
def test_the_object_that_a_sentence_names(sentence: str, key: str) -> None:
    assert str(refusals.named(sentence, ASKED)) == key


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        (f'PersistentVolumeClaim in version "v1" cannot be handled as a PersistentVolumeClaim: {AMOUNT}',
         "PersistentVolumeClaim"),
        ('admission webhook "a" denied: Pod in version "v1" cannot be handled as a Pod: x', ""),
        (f'services "new" is forbidden: {QUOTA}', ""),
        ('no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"', ""),
    ],
)  # fmt: skip
def test_a_sentence_that_names_a_kind_alone(sentence: str, kind: str) -> None:
    assert refusals.nameless(sentence) == kind


POD_CAUSES = (
    'spec.containers[0].env[2].valueFrom: Invalid value: "": may not be specified when `value` is not empty, '
    'spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi'
)
POD = Refusal("Pod/binder-preview", f'Pod "binder-preview" is invalid: [{POD_CAUSES}]')
DEPLOYMENT = Refusal(
    "Deployment/binder",
    f'Deployment.apps "binder" is invalid: [{POD_CAUSES.replace("spec.", "spec.template.spec.")}]',
)


@pytest.mark.parametrize("kind", ["DaemonSet", "Deployment", "StatefulSet"])
@pytest.mark.parametrize("pod_first", [True, False])
def test_a_pods_causes_are_told_once_by_its_workload(kind: str, pod_first: bool) -> None:
    workload = Refusal(f"{kind}/binder", DEPLOYMENT.reason)
    assert refusals.without_echoes([POD, workload] if pod_first else [workload, POD]) == [workload]


@pytest.mark.parametrize(
    "workload",
    [
        Refusal("Deployment/hub", DEPLOYMENT.reason),
        Refusal("Job/binder", DEPLOYMENT.reason),
        Refusal("Service/binder", DEPLOYMENT.reason),
        Refusal("Deployment/binder", 'Deployment.apps "binder" is invalid: spec.replicas: Invalid value: -1'),
        Refusal("", DEPLOYMENT.reason),
    ],
)
def test_what_no_workload_of_its_own_says_a_pod_says_itself(workload: Refusal) -> None:
    assert refusals.without_echoes([workload, POD]) == [workload, POD]


def test_what_does_not_speak_of_a_pod_is_no_echo() -> None:
    bare = Refusal("binder", DEPLOYMENT.reason.replace("spec.template.", ""))
    nobody = Refusal("", "spec.containers[0]: bad")
    kept = [DEPLOYMENT, bare, nobody]
    assert refusals.without_echoes([*kept, *kept]) == kept


def test_a_pod_that_cannot_be_read_echoes_a_workload_that_cannot() -> None:
    pod = Refusal("Pod/hub-preview", f'Pod in version "v1" cannot be handled as a Pod: {AMOUNT}')
    hub = Refusal("Deployment/hub", f'Deployment in version "v1" cannot be handled as a Deployment: {AMOUNT}')
    other = Refusal("Deployment/hub", 'Deployment in version "v1" cannot be handled as a Deployment: json: bad')
    assert refusals.without_echoes([hub, pod]) == [hub]
    assert refusals.without_echoes([other, pod]) == [other, pod]


def test_a_pod_that_says_the_very_same_is_an_echo() -> None:
    pod, hub = Refusal("Pod/hub-preview", "no"), Refusal("Deployment/hub", "no, and no again")
    assert refusals.without_echoes([hub, pod]) == [hub]
    another = Refusal("Pod/hub-preview", "something else")
    assert refusals.without_echoes([hub, another]) == [hub, another]


def many(count: int) -> list[Refusal]:
    gone = "unable to create new content in namespace x because it is being terminated"
    return [Refusal(f"Secret/s{n}", f'secrets "s{n}" is forbidden: {gone}') for n in range(count)]


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, None),
        (2, "and 1 more like it: Secret/s1"),
        (5, "and 4 more like it: Secret/s1, Secret/s2, Secret/s3, Secret/s4"),
        (13, "and 12 more like it: Secret/s1, Secret/s2, Secret/s3, Secret/s4, and 8 more"),
        (30, "and 29 more like it: Secret/s1, Secret/s2, Secret/s3, Secret/s4, and 25 more"),
    ],
)
def test_one_cause_for_many_objects_is_one_reason(count: int, line: str | None) -> None:
    (text,) = refusals.folded(many(count))
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
    found = refusals.folded([Refusal("A/a", one), Refusal("B/b", other)])
    assert found == ([f"A/a: {one}\n      and 1 more like it: B/b"] if alike else [f"A/a: {one}", f"B/b: {other}"])


def test_a_group_takes_each_advice_that_it_has_and_the_order_stays() -> None:
    same = [Refusal("A/a", "no"), Refusal("B/b", "no", "mend it"), Refusal("C/c", "no", "or else")]
    assert refusals.folded([Refusal("Z/z", "last"), *same, Refusal("Y/y", "first", "x")]) == [
        "Z/z: last",
        "A/a: no\n      and 2 more like it: B/b, C/c\n      what to do: mend it; or else",
        "Y/y: first\n      what to do: x",
    ]
    assert refusals.folded([same[0], Refusal("", "no"), same[0]]) == [
        "A/a: no\n      and 1 more like it: A/a",
        "no",
    ]
    assert refusals.folded([]) == []


def test_the_error_keeps_what_it_was_made_of() -> None:
    error = RefusedError("x/hub", many(13))
    assert error.refusals == tuple(many(13))
    assert str(error).count("\n") == 2, "one cause is one number and one line for the rest"
    assert str(error).splitlines()[1].startswith("  1. Secret/s0: ")


# --- secrets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    [
        "abc",
        "a.*+?^$()[]{}|b",
        "back\\slash",
        'quo"te',
        "tab\tand\nline",
        "pässwörd",
        "with blank",
        "[secret",
        "x" * 64,
    ],
)
def test_any_text_may_be_a_secret(secret: str) -> None:
    forms = (secret, base64.b64encode(secret.encode()).decode(), json.dumps(secret)[1:-1])
    for form in forms:
        assert Mask([secret])(f'Invalid value: "{form}" and <{form}>') == 'Invalid value: "[secret]" and <[secret]>'


def test_only_the_secret_itself_is_hidden() -> None:
    assert Mask(["a.c"])("abc a.c") == "abc [secret]"
    assert Mask(["", "a", "ab"])("a cab in the lab") == "a cab in the lab"


@pytest.mark.parametrize("secrets", [["token", "token-long"], ["token-long", "token"], ["long", "token-long", "token"]])
def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it(secrets: list[str]) -> None:
    assert Mask(secrets)("a token-long and a token") == "a [secret] and a [secret]"


def test_a_text_is_cut_in_the_middle() -> None:
    mask = Mask([])
    assert mask("a" * 600) == "a" * 600
    assert mask("a" * 301 + "b" * 300) == f"{'a' * 300} ... {'b' * 300}"
    assert mask("a" * 300 + "c" * 6000 + "b" * 300) == f"{'a' * 300} ... {'b' * 300}"


@pytest.mark.parametrize("before", [290, 295, 299, 300])
def test_no_half_of_a_secret_is_left_where_a_text_is_cut(before: int) -> None:
    shown = Mask(["t0p-secret"])("a" * before + "t0p-secret" + "c" * 1000 + "t0p-secret" + "b" * before)
    assert " ... " in shown
    assert not re.search("t0p|ecret-|-secr", shown)


def test_a_text_that_is_short_without_its_secrets_is_not_cut() -> None:
    assert Mask(["x" * 700])(f"a {'x' * 700} b") == "a [secret] b"


def test_secrets_are_taken_out_of_reason_and_advice_and_the_object_stays() -> None:
    (shown,) = Mask(["hub"]).all([Refusal("Secret/hub", "hub is bad", "mend hub")])
    assert shown == Refusal("Secret/hub", "[secret] is bad", "mend [secret]")


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
        ('services "binder" is forbidden: User "me" cannot create resource "services"', OWN_RIGHTS),
        ('roles "hub" is forbidden: user "me" is attempting to grant RBAC permissions not currently held', OWN_RIGHTS),
        (f"{PODS} {QUOTA}", RESOURCES),
        (f"{PODS} failed quota: q: must specify requests.memory for: hub", RESOURCES),
        ("4 new deployments.apps do not fit: 3 allowed, 0 in use", RESOURCES),
        (f'{PODS} violates PodSecurity "restricted:latest": privileged (container "dind")',
         "builds need privileged pods: kubectl label namespace x "
         "pod-security.kubernetes.io/enforce=privileged --overwrite"),
        (f"{PODS} maximum memory usage per Container is 256Mi, but limit is 1Gi", "kubectl -n x describe limitrange"),
        (f"{PODS} minimum cpu usage per Pod is 1, but request is 10m", "kubectl -n x describe limitrange"),
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
        ('resource mapping not found for name: "a"',
         "install what brings this kind of object, or switch it off in the values file"),
        ('Internal error occurred: failed calling webhook "gone.example.org": failed to call webhook: Post',
         "the service behind this webhook must answer, in whatever namespace it runs"),
        ('admission webhook "a" denied the request: no', "a policy of this cluster: ask who made it"),
        ("ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no",
         "a policy of this cluster: ask who made it"),
        ('namespaces "nowhere" not found', "make it first, or pulumi config set --path tiller.namespace kube-system"),
        ("Secret/hub exists already and belongs to lab/other; Helm would say: invalid ownership metadata",
         "another setting release, or another namespace"),
        ('secrets "nowhere" not found', ""),
        ("spec.containers[0].volumeMounts[1].name: Not found: \"nowhere\"", ""),
    ],
)  # fmt: skip
def test_what_helps_in_each_case(reason: str, advice: str) -> None:
    assert refusals.advised(Refusal("a", reason), "x", {}) == Refusal("a", reason, advice)


def test_the_place_of_a_value_goes_before_what_helps_in_general() -> None:
    reason = 'spec.selector: Invalid value: "data science!": field is immutable'
    assert refusals.advised(Refusal("a", reason), "x", VALUES).advice == "service.labels.team in the values file"
    assert refusals.advised(Refusal("a", reason), "x", {}).advice == BACK


@pytest.mark.parametrize(
    ("values", "quoted", "advice"),
    [
        ({"replicas": "many"}, "many", "the setting binderhub:replicas (replicas)"),
        ({"extraVolumes": [{"name": "ok"}, {"name": "Not OK"}]}, "Not OK", "extraVolumes[1].name in the values file"),
        ({"a": 5}, "5", "a in the values file"),
        ({"a": "x!", "b": {"c": "x!"}, "d": "x!"}, "x!", "a in the values file, b.c in the values file"),
        ({"a": "x"}, "x!", ""),
        ({"a": True, "b": None, "c": False}, "True", ""),
        ({"a": True, "b": None, "c": False}, "None", ""),
        ({}, "x!", ""),
    ],
)
def test_a_value_is_found_where_it_stands(values: dict[str, object], quoted: str, advice: str) -> None:
    assert refusals.advised(Refusal("a", f'spec.a: Invalid value: "{quoted}": no'), "x", values).advice == advice


@pytest.mark.parametrize("reason", ["Invalid value: 5: no", 'Invalid value: "": no', 'Unsupported value: "5"', '"5"'])
def test_what_is_not_quoted_as_a_bad_value_has_no_place(reason: str) -> None:
    assert refusals.advised(Refusal("a", reason), "x", {"a": 5, "b": ""}).advice == ""


@pytest.mark.parametrize(
    ("path", "holds_amounts"),
    [
        ("resources.requests.memory", True),
        ("jupyterhub.hub.resources.limits.cpu", True),
        ("dind.resources.requests.ephemeral-storage", True),
        ("jupyterhub.hub.db.pvc.storage", True),
        ("jupyterhub.other.memory.limit", True),
        ("jupyterhub.other.cpu.guarantee", True),
        ("resourcesx.requests.memory", False),
        ("myresources.requests.memory", False),
        ("storage.class", False),
        ("memory", False),
    ],
)
def test_amounts_stand_in_known_places(path: str, holds_amounts: bool) -> None:
    bad, fine = tree.at(path, "lots"), tree.at(path, "1Gi")
    advice = refusals.advised(Refusal("a", AMOUNT), "x", bad).advice
    assert advice == (f"{path} in the values file" if holds_amounts else "")
    assert refusals.advised(Refusal("a", AMOUNT), "x", fine).advice == ""


def test_two_places_are_enough() -> None:
    values = {"resources": {"requests": {"cpu": "a", "memory": "b"}, "limits": {"cpu": "c"}}}
    advice = refusals.advised(Refusal("a", AMOUNT), "x", values).advice
    assert advice == "resources.requests.cpu in the values file, resources.requests.memory in the values file"


def test_a_value_that_is_quoted_does_not_tell_where_an_amount_stands() -> None:
    values = {"name": "lots", "resources": {"requests": {"memory": "lots"}}}
    reason = f'Invalid value: "lots": {AMOUNT}'
    advice = refusals.advised(Refusal("a", reason), "x", values).advice
    assert advice == "resources.requests.memory in the values file"


def test_what_comes_after_a_warning_is_no_part_of_it() -> None:
    lost = "Unable to connect to the server: net/http: TLS handshake timeout"
    assert refusals.sentences(f"Warning: existing pods violate\n{lost}") == [lost]


def test_a_star_within_a_cause_stays() -> None:
    printed = 'The CronJob "a" is invalid: \n* spec.schedule: Invalid value: "x * * y": no\n* spec.b: no'
    assert refusals.sentences(printed) == [
        'CronJob "a" is invalid: [spec.schedule: Invalid value: "x * * y": no, spec.b: no]'
    ]


@pytest.mark.parametrize(("kind", "name"), [("Gateway", "gateways"), ("Endpoints", "endpoints")])
def test_rarer_plurals(kind: str, name: str) -> None:
    assert refusals.plural(kind) == name


def test_a_pod_echoes_any_of_what_its_workload_says() -> None:
    missing = Refusal("Deployment/binder", "secret no-tls does not exist, and its pods need it")
    assert refusals.without_echoes([DEPLOYMENT, POD, missing]) == [DEPLOYMENT, missing]


def test_a_pod_echoes_a_workload_that_says_more() -> None:
    more = (
        f'Deployment.apps "binder" is invalid: [spec.replicas: Invalid value: -1, {DEPLOYMENT.reason.split("[", 1)[1]}'
    )
    workload = Refusal("Deployment/binder", more)
    assert refusals.without_echoes([workload, POD]) == [workload]


def test_refusals_without_an_object_do_not_vanish() -> None:
    found = refusals.folded([Refusal("", f'failed calling webhook "{name}.example.org": no') for name in "ab"])
    assert all(f'"{name}.example.org"' in "\n".join(found) for name in "ab")


def test_causes_that_are_alike_and_stand_at_different_places_are_all_told() -> None:
    values = {"service": {"labels": {"a": "x!"}}, "deployment": {"labels": {"b": "y!"}}}
    alike = [
        Refusal(about, f'{about} "binder" is invalid: metadata.labels: Invalid value: "{value}": a valid label must')
        for about, value in (("Service", "x!"), ("Deployment", "y!"))
    ]
    shown = "\n".join(refusals.folded([refusals.advised(one, "x", values) for one in alike]))
    assert "service.labels.a in the values file" in shown
    assert "deployment.labels.b in the values file" in shown


@pytest.mark.parametrize(
    ("secret", "form"),
    [("a&b<c>d", "a\\u0026b\\u003cc\\u003ed"), ('pä"ss', 'pä\\"ss'), ("pä\\ss", "pä\\\\ss")],
)
def test_secrets_as_go_writes_them_in_json(secret: str, form: str) -> None:
    assert Mask([secret])(f'{{"token":"{form}"}}') == '{"token":"[secret]"}'


def test_a_secret_of_several_lines_is_hidden_in_a_sentence() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQ\n  t0p\n-----END KEY-----\n"
    (sentence,) = refusals.sentences(f"Error from server: cannot parse {key}")
    assert "MIIEvQ" not in Mask([key])(sentence)


@pytest.mark.parametrize("empty", [{}, [], None])
def test_an_empty_place_is_no_bad_amount(empty: object) -> None:
    values = {"resources": {"limits": empty, "requests": {"memory": "lots"}}}
    assert refusals.advised(Refusal("a", AMOUNT), "x", values).advice == "resources.requests.memory in the values file"


def test_each_line_of_a_secret_is_one_and_brackets_are_none() -> None:
    code = "c.X = {\n  'key': 't0p-secret',\n}\nThe last line\n"
    mask = Mask([code])
    assert mask("c.X = { 'key': 't0p-secret', } The last line") == "[secret]"
    assert mask("near 'key': 't0p-secret', we saw }") == "near [secret] we saw }"
    assert mask("The last line of it") == "[secret] of it"
    assert mask(json.dumps({"a": code})) == '{"a": "[secret]"}'
