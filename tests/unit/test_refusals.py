"""What servers and charts refuse: sorted, folded, masked, with what to do. The texts are what kubectl 1.36 printed."""

import base64

import pytest

from components import refusals
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
        "      and 6 more like it: Secret/s1, Secret/s2, Secret/s3, Secret/s4, and 2 others\n"
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
            'User "t" cannot patch resource "secrets"',
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
