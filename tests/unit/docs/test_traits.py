"""The script that updates the names of traits: what a class says goes in, what is known beside stays."""

from typing import Any

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


def test_the_file_is_as_the_script_writes_it() -> None:
    content = traits.json.loads(traits.FILE.read_text())
    assert traits.text(content) == traits.FILE.read_text()
