"""The script that updates the names of traits: what a class says goes in, what is known beside stays."""

from typing import Any

import pytest

from docs import traits


def of(*names: str) -> Any:
    return classmethod(lambda cls, config: dict.fromkeys(names))


class Base:
    class_traits = of("debug")


class Hub(Base, dict):  # type: ignore[type-arg]
    class_traits = of("debug", "port", "ip")


def test_a_class_is_updated_and_nothing_known_is_lost() -> None:
    known = {"source": "by hand", "bases": [], "traits": {"old": {"source": "by hand"}, "port": {"type": "Int"}}}
    assert traits.update(known, Hub, "hub 2") == {
        "source": "hub 2",
        "bases": ["Base"],
        "traits": {"ip": {"source": "hub 2"}, "old": {"source": "by hand"}, "port": {"type": "Int", "source": "hub 2"}},
    }
    assert list(traits.update({}, Hub, "hub 2")["traits"]) == ["ip", "port"]


def trait(kind: str, *above: type, **more: Any) -> Any:
    """A trait as a package defines it, of a class with this name."""
    return type(kind, above, {"allow_none": False, **more})()


TEXT = trait("Unicode")


@pytest.mark.parametrize(
    ("name", "one", "kind"),
    [
        ("a", TEXT, "text"),
        ("a", trait("URLPrefix", type(TEXT)), "text"),
        ("a", trait("CUnicode", type(TEXT)), ""),
        ("user_pattern", TEXT, "regex"),
        ("a", trait("Unicode", allow_none=True), "text or null"),
        ("a", trait("Any", allow_none=True), ""),
        ("start_hook", trait("Any", allow_none=True), "callable or null"),
        ("start_hook", trait("Bool"), "bool"),
        ("a", trait("Set", _trait=TEXT), "set of text"),
        ("a", trait("List", _trait=trait("Instance")), "list"),
        ("a", trait("List", _trait=trait("Unicode", allow_none=True)), "list"),
        ("a", trait("Dict", _value_trait=trait("Dict", _value_trait=None)), "map of map"),
        ("a", trait("Enum", values=[10, "INFO"]), "any of 10, INFO"),
        ("a", trait("CaselessStrEnum", type(trait("Enum")), values=["INFO"]), ""),
        ("a", trait("Union", trait_types=[trait("Int"), trait("Callable"), trait("Int")]), "int or callable"),
        ("a", trait("Union", trait_types=[trait("Int"), trait("Any")]), ""),
        ("a", trait("List", _trait=trait("Union", trait_types=[trait("Int"), TEXT])), "list"),
    ],
)
def test_the_kind_of_a_trait(name: str, one: Any, kind: str) -> None:
    assert traits.kind(name, one) == kind


def test_the_file_is_as_the_script_writes_it() -> None:
    content = traits.json.loads(traits.FILE.read_text())
    assert traits.text(content) == traits.FILE.read_text()
