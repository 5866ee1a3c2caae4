"""The classes and traits that Helm values may set under `config` and under `jupyterhub.hub.config`.

Both are traitlets config of an application, and nothing on the way there checks a name or a value: a misspelt class is
ignored in silence, an unknown trait is a line in a log, and of a value of another type the application dies, some only
at the first launch. A newer application may know more traits than are known here: so a trait is refused where it looks
like a misspelt one or stands at the wrong level, and is a warning elsewhere. A value is refused where its trait's kind
is known.

The names and kinds are data: `traits.json` has them, each with its source and that source's date; `docs/traits.py`
updates them from the published packages.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from config.applications import kinds
from kube.nested import get

Finding = tuple[str, str, str]
# Class -> trait -> its kind, "" if nobody knows it.
Table = Mapping[str, Mapping[str, str]]

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
    whole = {name: _merged(classes[one]["traits"] for one in line) for name, line in lines.items()}
    return {name: _merged(whole[one] for one in lines if name in lines[one]) for name in classes}


def _merged(several: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the traits of several classes; what one of them takes is taken, and nobody knows what one does not say."""
    found: dict[str, str] = {}
    for name, trait in (pair for traits in several for pair in traits.items()):
        kind = trait if isinstance(trait, str) else trait.get("kind", "")
        known = found.setdefault(name, kind)
        found[name] = " or ".join(dict.fromkeys([*known.split(" or "), *kind.split(" or ")])) if known and kind else ""
    return found


def _line(name: str, classes: Mapping[str, Any]) -> frozenset[str]:
    """Return a class and all classes above it."""
    return frozenset([name]).union(*(_line(base, classes) for base in classes[name]["bases"]))


# Where BinderHub's classes stand in the values, and the hub's.
PARTS: Final[Mapping[str, Table]] = {"config": _table(_FILE["binder"]), "jupyterhub.hub.config": _table(_FILE["hub"])}


def problems(values: Mapping[str, Any], own_names: bool = False) -> Iterator[Finding]:
    """Yield what is wrong under `config` and `jupyterhub.hub.config`, as (place, what is expected, example).

    `values` are Helm values of the BinderHub chart. Wrong are unknown classes, traits that look misspelt or are classes
    one level too deep, and what is no map where a class's traits belong. With `own_names`, names are let pass.
    """
    for part, name, traits in _sections(values):
        place = f"{part}.{name}"
        right_part, right_name = _class_meant(part, name)
        if name not in PARTS[part] and not own_names:
            own = "a class that the application has; it is silent about any other. Is it your own, from extraConfig?"
            yield _misspelt(place, f"{right_part}.{right_name}") if right_name else (place, own, WAY_OUT)
        elif not isinstance(traits, Mapping):
            yield place, f"a map of the traits of {name}", f"{place}: {{trait: value}}"
        if right_part == part and not own_names:
            for trait, meant in _strangers(part, right_name, traits):
                if meant:
                    yield _misspelt(f"{place}.{trait}", meant)


def misfits(values: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield each value whose trait takes no such value, as `problems` does; no value is quoted."""
    for part, name, traits in _sections(values):
        known = PARTS[part].get(name, {})
        for trait, value in traits.items() if isinstance(traits, Mapping) else ():
            kind, place = known.get(trait, ""), f"{part}.{name}.{trait}"
            if not kinds.fits(kind, value):
                yield place, kinds.expected(kind), kinds.example(kind, place)


def warnings(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning for each trait that is not known and looks like none that is: a newer application may have it."""
    for part, name, traits in _sections(values):
        classes = _FILE["binder" if part == "config" else "hub"]
        for trait in (trait for trait, meant in _strangers(part, name, traits) if not meant):
            owner = next((one for one, about in classes.items() if trait in about["traits"]), "")
            hint = f" ({owner} has one of that name)" if owner else ""
            place = f"{part}.{name}.{trait}"
            yield f"{place}: no trait that we know of{hint}; the application only logs one that it does not know"


def _sections(values: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield each section that values give: the part, the name of the class, and what stands there."""
    for part in PARTS:
        found = get(values, part)
        for name, traits in found.items() if isinstance(found, Mapping) else ():
            yield part, str(name), traits


def _class_meant(part: str, name: str) -> tuple[str, str]:
    """Return the part and the class that a name in a part is, or most likely was to be; "" if there is none."""
    known = next((one for one in (part, *PARTS) if name in PARTS[one]), "")
    return (known, name) if known else (part, _near(name, PARTS[part]))


def _strangers(part: str, name: str, traits: Any) -> Iterator[tuple[Any, str]]:
    """Yield each of `traits` that a class does not know, with the place that was meant, or "".

    Nothing is yielded of a class whose traits are not known, nor if `traits` is no map.
    """
    classes = PARTS[part]
    known = classes.get(name, {})
    for trait in traits if known and isinstance(traits, Mapping) else ():
        if trait in classes:
            yield trait, f"{part}.{trait}"
        elif trait not in known:
            renamed = _RENAMED.get(trait, "")
            meant = renamed if renamed in known else _near(trait, known)
            yield trait, f"{part}.{name}.{meant}" if meant else ""


def _near(name: object, known: Iterable[str]) -> str:
    """Return the known name that is most like this one, whatever its case; "" if none is much like it."""
    by_case = {one.lower(): one for one in known}
    close = difflib.get_close_matches(str(name).lower(), by_case, cutoff=_ALIKE)
    return by_case[close[0]] if close else ""


def _misspelt(place: str, right: str) -> Finding:
    expected = f"a name that the application knows; did you mean {right}?"
    return place, expected, f"{right}: ...\n      or, for one of your own: {WAY_OUT}"
