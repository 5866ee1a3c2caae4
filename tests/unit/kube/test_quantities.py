"""Quantities of Kubernetes: how they are read and how they are told."""

import re
from decimal import Decimal

import pytest

from kube import quantities


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", "2"), (2, "2"), (0.5, "0.5"), ("200m", "0.2"), ("15.", "15"), (".5Gi", 2**29), ("1.5Gi", 3 * 2**29),
        ("+5", "5"), ("-1", "-1"), ("1e3", "1000"), ("1E3", "1000"), ("2e-3", "0.002"), ("1e+3", "1000"),
        ("3n", "3e-9"), ("3u", "3e-6"), ("3m", "3e-3"), ("3k", "3e3"), ("3M", "3e6"), ("3G", "3e9"), ("3T", "3e12"),
        ("3P", "3e15"), ("3E", "3e18"), ("3Ki", 3 * 2**10), ("3Mi", 3 * 2**20), ("3Gi", 3 * 2**30),
        ("3Ti", 3 * 2**40), ("3Pi", 3 * 2**50), ("3Ei", 3 * 2**60),
    ],
)  # fmt: skip
def test_quantities(text: object, number: str | int) -> None:
    assert quantities.quantity(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    [
        "lots", "", "1 Gi", "Gi", "1X", "1KiB", "1GiB", ".", "m", "1e", "1mi", "1ki", "1i", "0x10", "1,5", None, True,
        "1e3Gi", "NaN", "Infinity", "1_000", " 5", "\u0661",  # the last four, Python would take
    ],
)  # fmt: skip
def test_what_is_no_quantity(text: object) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(str(text))}$"):
        quantities.quantity(text)


def test_amounts_are_summed_by_name() -> None:
    found = quantities.summed([{"cpu": Decimal(1)}, {}, {"cpu": Decimal(2), "memory": Decimal(-3)}])
    assert found == {"cpu": 3, "memory": -3}


@pytest.mark.parametrize(
    ("amounts", "words"),
    [
        (["3"], ["3"]), (["500m"], ["0.5"]), (["1e3", "3920m"], ["1000", "3.92"]), (["3Gi"], ["3Gi"]),
        (["1.55Gi"], ["1.6Gi"]), (["768Mi", "1Mi"], ["768Mi", "1Mi"]), (["1000Ki", "1000"], ["1024000", "1000"]),
        (["64Gi", "512Mi"], ["64Gi", "512Mi"]), (["8Gi", "8150Mi"], ["8192Mi", "8150Mi"]),
        (["8Gi", "8388600Ki"], ["8388608Ki", "8388600Ki"]), (["8Gi", "8589934591"], ["8589934592", "8589934591"]),
        (["8Gi", "8Gi"], ["8Gi", "8Gi"]), (["8Gi", "0"], ["8Gi", "0"]),
    ],
)  # fmt: skip
def test_amounts_are_told_as_exactly_as_it_takes(amounts: list[str], words: list[str]) -> None:
    assert quantities.told(*map(quantities.quantity, amounts)) == words
