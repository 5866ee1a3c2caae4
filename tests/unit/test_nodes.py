"""Whether a pod finds a node."""

import re
from decimal import Decimal
from typing import Any

import pytest

from components import nodes


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", "2"), (2, "2"), (0.5, "0.5"), ("200m", "0.2"), ("1Ki", "1024"), ("1k", "1000"), ("1.5Gi", "1610612736"),
        ("2M", "2000000"), ("1e3", "1000"), ("5u", "0.000005"), ("1Ei", str(2**60)), ("1E", str(10**18)),
    ],
)  # fmt: skip
def test_quantities(text: object, number: str) -> None:
    assert nodes.quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["lots", "", "1 Gi", "Gi", "1X", "1KiB"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text.strip()}$"):
        nodes.quantity(text)


def container(**resources: Any) -> dict[str, Any]:
    return {"name": "a", "resources": resources}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}}


def node(labels: dict[str, str] | None = None, taints: Any = (), **allocatable: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels or {}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": allocatable or {"cpu": "4", "memory": "8Gi"}},
    }


def test_a_pod_asks_for_the_sum_of_its_containers_or_the_most_of_those_that_come_first() -> None:
    two = [container(requests={"cpu": "1"}), container(limits={"cpu": "2", "memory": "1Gi"}, requests={"cpu": "500m"})]
    assert nodes.requests(pod(*two)) == {"cpu": Decimal("1.5"), "memory": Decimal(2**30)}
    first = [container(requests={"cpu": "5"})]
    assert nodes.requests(pod(*two, initContainers=first))["cpu"] == Decimal(5)


def test_labels() -> None:
    wanted = pod(nodeSelector={"pool": "core"})
    assert nodes.why_none(wanted, [node({"pool": "users"})]) == "no node has the labels {'pool': 'core'}"
    assert nodes.why_none(wanted, [node({"pool": "users"}), node({"pool": "core", "a": "b"})]) == ""


NOBODY = {"key": "dedicated", "value": "core", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "in_"),
    [
        ({"key": "dedicated", "operator": "Equal", "value": "core", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "value": "core"}, True),
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "dedicated", "value": "users"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_taints_and_tolerations(toleration: dict[str, str], in_: bool) -> None:
    why = nodes.why_none(pod(tolerations=[toleration]), [node(taints=[NOBODY])])
    assert why == ("" if in_ else "every node that fits keeps it out: taint dedicated=core:NoSchedule")


def test_a_taint_that_only_prefers_keeps_nobody_out() -> None:
    assert nodes.why_none(pod(), [node(taints=[{**NOBODY, "effect": "PreferNoSchedule"}])]) == ""


def test_size() -> None:
    big = pod(container(requests={"memory": "16Gi"}))
    assert nodes.why_none(big, [node(), node(memory="12Gi")]) == (
        "no node is large enough: a pod asks for 16Gi memory, the largest node has 12Gi"
    )
    assert nodes.why_none(big, [node(), node(memory="16Gi")]) == ""
    both = pod(container(requests={"cpu": "3", "memory": "3Gi"}))
    apart = [node(cpu="4", memory="1Gi"), node(cpu="1", memory="4Gi")]
    assert nodes.why_none(both, apart) == "no node is large enough for all that a pod asks for together"
    assert nodes.why_none(pod(container(requests={"memory": "lots"})), [node()]) == ""


@pytest.mark.parametrize(
    ("suffix", "factor"),
    [
        ("n", "1e-9"), ("u", "1e-6"), ("m", "1e-3"), ("", "1"),
        ("k", "1e3"), ("M", "1e6"), ("G", "1e9"), ("T", "1e12"), ("P", "1e15"), ("E", "1e18"),
        ("Ki", 2**10), ("Mi", 2**20), ("Gi", 2**30), ("Ti", 2**40), ("Pi", 2**50), ("Ei", 2**60),
    ],
)  # fmt: skip
def test_every_suffix(suffix: str, factor: str | int) -> None:
    assert nodes.quantity(f"3{suffix}") == 3 * Decimal(factor)
    assert nodes.quantity(f"0.5{suffix}") == Decimal(factor) / 2


@pytest.mark.parametrize(
    ("text", "number"), [("15.", "15"), (".5Gi", 2**29), ("+5", "5"), ("-1", "-1"), ("1E3", "1e3"), ("2e-3", "2e-3")]
)
def test_rarer_forms_of_quantities(text: str, number: str | int) -> None:
    assert nodes.quantity(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", [".", "m", "1e", "1mi", "1ki", "1i", "1GiB", "0x10", "NaN", "Infinity", "1,5", None, True]
)
def test_what_looks_like_a_quantity_and_is_none(text: object) -> None:
    with pytest.raises(ValueError, match=re.escape(str(text))):
        nodes.quantity(text)


def test_what_comes_first_asks_for_the_most_of_one_container_also_of_what_no_other_needs() -> None:
    first = [container(requests={"cpu": "300m"}), container(limits={"cpu": "500m", "memory": "1Gi"})]
    assert nodes.requests(pod(container(requests={"cpu": "400m"}), initContainers=first)) == {
        "cpu": Decimal("0.5"),
        "memory": Decimal(2**30),
    }
    assert nodes.requests(pod(initContainers=first[:1])) == {"cpu": Decimal("0.3")}


NOTHING: list[dict[str, Any]] = [
    {},
    {"spec": None},
    {"spec": {"containers": None, "initContainers": None, "nodeSelector": None, "tolerations": None}},
    {"spec": {"containers": [{}, {"resources": None}, {"resources": {"limits": None, "requests": None}}]}},
]
BARE: list[dict[str, Any]] = [
    {"metadata": {}, "spec": {}, "status": {}},
    {"metadata": {"labels": None}, "spec": {"taints": None}, "status": {"allocatable": None}},
]


@pytest.mark.parametrize("bare", BARE)
@pytest.mark.parametrize("template", NOTHING)
def test_a_pod_that_asks_for_nothing_fits_a_node_that_says_nothing(
    template: dict[str, Any], bare: dict[str, Any]
) -> None:
    assert nodes.requests(template) == {}
    assert nodes.why_none(template, [bare]) == ""
    assert nodes.why_none(pod(container(requests={"cpu": "100"})), [bare]) == "", "its size is not known yet"
    assert nodes.why_none(pod(nodeSelector={"a": "b"}), [bare]) == "no node has the labels {'a': 'b'}"


def test_all_labels_must_be_there_with_their_values() -> None:
    wanted = pod(nodeSelector={"pool": "core", "zone": "a"})
    apart = [node({"pool": "core"}), node({"zone": "a"}), node({"pool": "core", "zone": "b"})]
    assert nodes.why_none(wanted, apart) == "no node has the labels {'pool': 'core', 'zone': 'a'}"
    assert nodes.why_none(wanted, [*apart, node({"pool": "core", "zone": "a", "x": "y"})]) == ""


@pytest.mark.parametrize(
    ("toleration", "in_"),
    [
        ({"key": "a"}, True),
        ({"key": "a", "value": "", "effect": ""}, True),
        ({"key": "a", "operator": "Equal", "value": None, "effect": None}, True),
        ({"key": "", "operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoExecute"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, False),
        ({"key": "a", "value": "x"}, False),
        ({"key": "b"}, False),
        ({"key": "b", "operator": "Exists"}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("value", [{}, {"value": ""}, {"value": None}])
def test_a_taint_without_a_value_that_also_ends_pods(
    toleration: dict[str, Any], in_: bool, value: dict[str, Any]
) -> None:
    taint = {"key": "a", "effect": "NoExecute", **value}
    why = nodes.why_none(pod(tolerations=[toleration]), [node(taints=[taint])])
    assert why == ("" if in_ else "every node that fits keeps it out: taint a:NoExecute")


def test_every_taint_of_a_node_must_be_tolerated_and_each_is_told_once() -> None:
    taints = [{"key": "b", "effect": "NoSchedule"}, {"key": "a", "value": "x", "effect": "NoExecute"}]
    both = [{"operator": "Exists", "key": key} for key in "ab"]
    assert nodes.why_none(pod(), [node(taints=taints), node(taints=taints[:1])]) == (
        "every node that fits keeps it out: taint a=x:NoExecute, taint b:NoSchedule"
    )
    assert nodes.why_none(pod(tolerations=both[:1]), [node(taints=taints)]) != ""
    assert nodes.why_none(pod(tolerations=both), [node(taints=taints)]) == ""


def test_taints_of_nodes_with_other_labels_do_not_matter() -> None:
    away = node({"pool": "users"}, taints=[NOBODY])
    assert nodes.why_none(pod(nodeSelector={"pool": "core"}), [away, node({"pool": "core"})]) == ""
    assert nodes.why_none(pod(nodeSelector={"pool": "users"}), [away, node({"pool": "core"})]) == (
        "every node that fits keeps it out: taint dedicated=core:NoSchedule"
    )


def test_the_size_of_a_node_that_keeps_the_pod_out_does_not_matter() -> None:
    big = pod(container(requests={"memory": "16Gi"}))
    assert nodes.why_none(big, [node(memory="64Gi", taints=[NOBODY]), node(memory="8Gi")]) == (
        "no node is large enough: a pod asks for 16Gi memory, the largest node has 8Gi"
    )


@pytest.mark.parametrize(
    ("resource", "asked", "there", "words"),
    [
        ("cpu", "100", "32", "100 cpu, the largest node has 32"),
        ("cpu", "4", "3920m", "4 cpu, the largest node has 3.92"),
        ("cpu", "1e3", "1", "1000 cpu, the largest node has 1"),
        ("memory", "1Gi", "1Mi", "1Gi memory, the largest node has 1Mi"),
        ("memory", "768Mi", "512Mi", "768Mi memory, the largest node has 512Mi"),
        ("memory", "1.5Gi", "1Gi", "1.5Gi memory, the largest node has 1Gi"),
        ("memory", "1000Ki", "1000", "1024000 memory, the largest node has 1000"),
        ("memory", "100Gi", "10Gi", "100Gi memory, the largest node has 10Gi"),
        ("ephemeral-storage", "20Gi", "10Gi", "20Gi ephemeral-storage, the largest node has 10Gi"),
        ("nvidia.com/gpu", "2", "1", "2 nvidia.com/gpu, the largest node has 1"),
    ],
)
def test_amounts_are_told_as_people_write_them(resource: str, asked: str, there: str, words: str) -> None:
    why = nodes.why_none(pod(container(limits={resource: asked})), [node(**{resource: there})])
    assert why == f"no node is large enough: a pod asks for {words}"
    assert nodes.why_none(pod(container(limits={resource: there})), [node(**{resource: there})]) == ""


def test_of_several_resources_the_one_that_is_too_large_is_told() -> None:
    wanted = pod(container(requests={"cpu": "4", "memory": "16Gi"}))
    assert nodes.why_none(wanted, [node(cpu="4", memory="8Gi")]) == (
        "no node is large enough: a pod asks for 16Gi memory, the largest node has 8Gi"
    )


def test_what_a_node_says_of_its_size_may_be_unreadable() -> None:
    assert nodes.why_none(pod(container(requests={"cpu": "100"})), [node(cpu="many")]) == ""


@pytest.mark.parametrize("text", ["1_000", "1e3Gi", " 5", "\u0661"])
def test_what_only_python_takes_for_a_number(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text.strip())):
        nodes.quantity(text)


def test_a_sidecar_counts_beside_the_containers() -> None:
    sidecar = {**container(requests={"cpu": "2"}), "restartPolicy": "Always"}
    assert nodes.requests(pod(container(requests={"cpu": "3"}), initContainers=[sidecar])) == {"cpu": Decimal(5)}


def test_a_node_that_lists_its_resources_has_no_others() -> None:
    wanted = pod(container(limits={"nvidia.com/gpu": 1}))
    assert nodes.why_none(wanted, [node(cpu="4", memory="8Gi")]) == (
        "no node is large enough: a pod asks for 1 nvidia.com/gpu, the largest node has 0"
    )


def test_two_amounts_that_differ_a_little_are_told_apart() -> None:
    why = nodes.why_none(pod(container(requests={"memory": "8Gi"})), [node(memory="8150Mi")])
    asked, there = why.removeprefix("no node is large enough: a pod asks for ").split(" memory, the largest node has ")
    assert asked != there


def test_a_taint_that_is_tolerated_is_no_reason() -> None:
    taints = [{"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "NoSchedule"}]
    why = nodes.why_none(pod(tolerations=[{"key": "a", "operator": "Exists"}]), [node(taints=taints)])
    assert why == "every node that fits keeps it out: taint b:NoSchedule"


@pytest.mark.parametrize(
    ("amounts", "words"),
    [
        (["3"], ["3"]),
        (["500m"], ["0.5"]),
        (["3Gi"], ["3Gi"]),
        (["1.55Gi"], ["1.6Gi"]),
        (["64Gi", "512Mi"], ["64Gi", "512Mi"]),
        (["8Gi", "8150Mi"], ["8192Mi", "8150Mi"]),
        (["8Gi", "8388600Ki"], ["8388608Ki", "8388600Ki"]),
        (["8Gi", "8589934591"], ["8589934592", "8589934591"]),
        (["8Gi", "8Gi"], ["8Gi", "8Gi"]),
        (["8Gi", "0"], ["8Gi", "0"]),
    ],
)
def test_amounts_are_told_as_exactly_as_it_takes(amounts: list[str], words: list[str]) -> None:
    assert nodes.told(*map(nodes.quantity, amounts)) == words


def test_what_comes_first_runs_beside_the_sidecars_before_it() -> None:
    def first(cpu: str, **more: str) -> dict[str, Any]:
        return {**container(requests={"cpu": cpu}), **more}

    sidecar = first("2", restartPolicy="Always")
    assert nodes.requests(pod(container(), initContainers=[first("5"), sidecar])) == {"cpu": Decimal(5)}
    assert nodes.requests(pod(container(), initContainers=[sidecar, first("5")])) == {"cpu": Decimal(7)}
    assert nodes.requests(pod(container(), initContainers=[sidecar, sidecar])) == {"cpu": Decimal(4)}


def test_limits_are_reckoned_by_themselves() -> None:
    one = pod(container(limits={"cpu": "2"}, requests={"cpu": "1", "memory": "1Gi"}))
    assert nodes.limits(one) == {"cpu": 2}
    assert nodes.requests(one) == {"cpu": 1, "memory": 2**30}


def held_to(*terms: dict[str, Any], **more: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return pod(affinity={"nodeAffinity": required}, **more)


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


def labelled(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "n1", "labels": labels}, "spec": {}, "status": {}}


@pytest.mark.parametrize(
    ("term", "fits"),
    [
        (expression("disk", "In", "ssd", "nvme"), True),
        (expression("disk", "In", "hdd"), False),
        (expression("other", "In", "ssd"), False),
        (expression("disk", "NotIn", "ssd"), False),
        (expression("disk", "NotIn", "hdd"), True),
        (expression("other", "NotIn", "hdd"), True),
        (expression("disk", "Exists"), True),
        (expression("other", "Exists"), False),
        (expression("disk", "DoesNotExist"), False),
        (expression("other", "DoesNotExist"), True),
        (expression("size", "Gt", "4"), True),
        (expression("size", "Gt", "8"), False),
        (expression("size", "Lt", "9"), True),
        (expression("size", "Lt", "8"), False),
        (expression("disk", "Gt", "4"), False),
        (expression("other", "Lt", "4"), False),
        (expression("disk", "Newer", "4"), True),  # the server's matter
        ({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}, True),
        ({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}, False),
        ({}, False),
        (
            {**expression("disk", "Exists"), "matchFields": [{"key": "metadata.name", "operator": "In", "values": []}]},
            False,
        ),
    ],
)
def test_required_node_affinity(term: dict[str, Any], fits: bool) -> None:
    one = labelled(disk="ssd", size="8")
    assert (nodes.why_none(held_to(term), [one]) == "") is fits
    assert nodes.why_none(held_to(term, expression("disk", "Exists")), [one]) == "", "one term is enough"
    assert (nodes.why_none(held_to(term), [labelled(), one]) == "") is (
        fits or nodes.why_none(held_to(term), [labelled()]) == ""
    )


def test_affinity_and_selector_must_both_hold_and_preferences_need_not() -> None:
    term = expression("disk", "In", "ssd", "nvme")
    apart = [labelled(disk="ssd"), labelled(pool="core")]
    assert nodes.why_none(held_to(term, {}, nodeSelector={"pool": "core"}), apart) == (
        "no node has the labels that its affinity requires: disk In ssd, nvme or an empty term"
    )
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": term}]}
    assert nodes.why_none(pod(affinity={"nodeAffinity": preferred, "podAffinity": None}), [labelled()]) == ""
    assert nodes.why_none(pod(affinity={"nodeAffinity": None}), [labelled()]) == ""
