"""Quantities of Kubernetes (`200m`, `1.5Gi`, `1e3`): read, summed up, written for people. Pure functions."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

_QUANTITY: Final = re.compile(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][-+]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")
_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("0.001"), "": Decimal(1),
    **{sign: Decimal(10 ** (3 * power)) for power, sign in enumerate("kMGTPE", 1)},
    **{f"{sign}i": Decimal(2 ** (10 * power)) for power, sign in enumerate("KMGTPE", 1)},
}  # fmt: skip


def quantity(text: Any) -> Decimal:
    """Return a quantity of Kubernetes (`200m`, `1.5Gi`, `1e3`, 2) as a number. Raises ValueError if it is none."""
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(text)
    number, power, suffix = found.groups("")
    return Decimal(number + power) * _SUFFIXES[suffix]


def summed(amounts: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Return the sum of amounts by name."""
    total: dict[str, Decimal] = {}
    for one in amounts:
        for name, amount in one.items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def told(*amounts: Decimal) -> list[str]:
    """Return amounts as people write them (`1.5Gi`, `3`), as exactly as it takes to tell them apart."""
    for units in (("Gi", "Mi"), ("Mi",), ("Ki",), ()):
        texts = [_rounded(amount, units) for amount in amounts]
        if len({*texts}) == len({*amounts}):
            break
    return texts


def _rounded(amount: Decimal, units: Iterable[str]) -> str:
    """Return an amount in the first of these units that is not larger; as it is, if it is small."""
    for unit in units:
        if amount >= max(_SUFFIXES[unit], _SUFFIXES["Mi"]):
            return f"{(amount / _SUFFIXES[unit]).quantize(Decimal('0.1')).normalize():f}{unit}"
    return f"{amount.normalize():f}"
