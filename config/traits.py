"""The classes and traits that Helm values may set under `config` and under `jupyterhub.hub.config`.

Both are traitlets config of an application, and nothing on the way there checks a name: a misspelt class is ignored in
silence, an unknown trait is a line in a log. A newer application may know more traits than are known here: so a trait
is refused where it looks like a misspelt one or stands at the wrong level, and is a warning elsewhere.

The names are data: `traits.json` has them, each with its source and that source's date; `docs/traits.py` updates them
from the published packages.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.reader import Reader

Finding = tuple[str, str, str]
Table = Mapping[str, frozenset[str]]

# The command that lets names pass.
WAY_OUT: Final = 'pulumi config set --path acceptedRisks.unknownConfig "why"'
_ALIKE: Final = 0.75
_FILE: Final = json.loads((Path(__file__).parent / "traits.json").read_text())
# Traits of BinderHub that it has under another name now; with any of the first two, it does not start.
_RENAMED: Final[Mapping[str, str]] = _FILE["renamed"]


def _table(classes: Mapping[str, Any]) -> Table:
    """Return what may stand in the section of each class. Of a class without bases and traits, nothing is known.

    An object reads the sections of all its classes: `Authenticator.client_id` reaches an OAuthenticator. So a section
    takes the traits of the classes below it, too, with all that these have from elsewhere.
    """
    lines = {name: _line(name, classes) for name in classes}
    whole = {name: frozenset[str]().union(*(classes[one]["traits"] for one in line)) for name, line in lines.items()}
    return {name: frozenset[str]().union(*(whole[one] for one in lines if name in lines[one])) for name in classes}


def _line(name: str, classes: Mapping[str, Any]) -> frozenset[str]:
    """Return a class and all classes above it."""
    return frozenset([name]).union(*(_line(base, classes) for base in classes[name]["bases"]))


BINDERHUB: Final = _table(_FILE["binder"])
HUB: Final = _table(_FILE["hub"])


@dataclass(frozen=True)
class _Part:
    """Where classes stand in the values, which may, where those of the other application do, and what is given."""

    place: str
    classes: Table
    other_place: str
    other_classes: Table
    given: Mapping[Any, Any]

    def meant(self, name: Any) -> str:
        """Return the class that a name is or, if it is none, most likely was to be; "" if there is none."""
        if name in self.classes:
            return str(name)
        return "" if name in self.other_classes else _near(name, self.classes)


def problems(values: Mapping[str, Any], own_names: bool = False) -> Iterator[Finding]:
    """Yield what is wrong under `config` and `jupyterhub.hub.config`, as (place, what is expected, example).

    `values` are Helm values of the BinderHub chart. Wrong are unknown classes, traits that look misspelt or are classes
    one level too deep, and what is no map where a class's traits belong. With `own_names`, names are let pass.
    """
    for part in _parts(values):
        for name, traits in part.given.items():
            place = f"{part.place}.{name}"
            if name not in part.classes and not own_names:
                yield _unknown_class(part, name)
            elif not isinstance(traits, Mapping):
                yield place, f"a map of the traits of {name}", f"{place}: {{trait: value}}"
            if not own_names:
                yield from _misspelt_traits(part, name, traits)


def doubts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each trait that is not known and looks like none that is: a newer application may have it.

    As (place, another class that has a trait of that name, or "").
    """
    for part in _parts(values):
        classes = _FILE["binder" if part.classes is BINDERHUB else "hub"]
        for name, traits in part.given.items():
            for trait, meant in strangers(part.classes, name, traits):
                if not meant:
                    owner = next((one for one, about in classes.items() if trait in about["traits"]), "")
                    yield f"{part.place}.{name}.{trait}", owner


def warnings(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the warning for each of `doubts`."""
    for place, owner in doubts(values):
        hint = f" ({owner} has one of that name)" if owner else ""
        yield f"{place}: no trait that we know of{hint}; the application only logs one that it does not know"


def refuse_further(reader: Reader, authenticator: str, settings: Mapping[str, Any]) -> None:
    """Refuse further settings of an authenticator's class that look misspelt: JupyterHub would only log them."""
    for name, meant in strangers(HUB, authenticator, settings):
        if meant:
            expected = f"a setting that the authenticator knows; did you mean {meant}?"
            command = f"pulumi config set --path authenticatorConfig.{meant} ..."
            example = f"{command}\n      or, if it is right: {WAY_OUT}"
            reader.tell(f"authenticatorConfig.{name}", "an unknown name", expected, example)


def strangers(classes: Table, name: str, traits: Any) -> Iterator[tuple[Any, str]]:
    """Yield each of `traits` that a class does not know, with the trait or the class that it was to be, or "".

    Nothing is yielded of a class whose traits are not known, nor if `traits` is no map.
    """
    known = classes.get(name, frozenset[str]())
    for trait in traits if known and isinstance(traits, Mapping) else ():
        if trait in classes:
            yield trait, trait
        elif trait not in known:
            instead = _RENAMED.get(trait, "")
            yield trait, instead if instead in known else _near(trait, known)


def _parts(values: Mapping[str, Any]) -> Iterator[_Part]:
    of_binder, of_hub = ("config", BINDERHUB), ("jupyterhub.hub.config", HUB)
    for (place, classes), other in ((of_binder, of_hub), (of_hub, of_binder)):
        found: Any = values
        for step in place.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            yield _Part(place, classes, *other, found)


def _near(name: object, known: Iterable[str]) -> str:
    """Return the known name that is most like this one, whatever its case; "" if none is much like it."""
    by_case = {one.lower(): one for one in known}
    close = difflib.get_close_matches(str(name).lower(), by_case, 1, _ALIKE)
    return by_case[close[0]] if close else ""


def _unknown_class(part: _Part, name: Any) -> Finding:
    place = f"{part.place}.{name}"
    if name in part.other_classes:
        right = f"{part.other_place}.{name}"
        return _misspelt(place, right, right)
    if near := part.meant(name):
        return _misspelt(place, near, f"{part.place}.{near}")
    expected = "a class that the application has; it is silent about any other"
    return place, f"{expected}. Is it your own, from extraConfig? Then say so", WAY_OUT


def _misspelt_traits(part: _Part, name: Any, traits: Any) -> Iterator[Finding]:
    known = part.meant(name)
    for trait, meant in strangers(part.classes, known, traits):
        place = f"{part.place}.{name}.{trait}"
        if meant in part.classes:
            yield _misspelt(place, f"{part.place}.{meant}", f"{part.place}.{meant}")
        elif meant:
            yield _misspelt(place, meant, f"{part.place}.{known}.{meant}")


def _misspelt(place: str, meant: str, right: str) -> Finding:
    expected = f"a name that the application knows; did you mean {meant}?"
    return place, expected, f"{right}: ...\n      or, for one of your own: {WAY_OUT}"
