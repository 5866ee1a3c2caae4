"""Updates config/applications/traits.json, what Helm values may set, from the packages that have the classes.

The packages are not the program's own, so they get an environment outside of the project:

    python3 -m venv ../traits
    ../traits/bin/python -m pip install jupyterhub==5.3.0 jupyterhub-kubespawner oauthenticator mwoauth
    ../traits/bin/python -m pip install jupyterhub-{firstuse,hmac,ldap,lti,native,tmp}authenticator
    ../traits/bin/python -m docs.traits

A class of the file that a package has gets its bases and traits, each with its kind and the package as its source. What
no package gives stays: names of other versions, of other authenticators, and of BinderHub, whose published package
(0.1.0) is years older than the chart; their kinds are written by hand. A class that the file does not have is only
named: to add it, put `"Name": {}` into the file and run this again. Look at the difference before you commit it.
"""

import contextlib
import datetime
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).resolve().parent.parent / "config" / "applications" / "traits.json"
MODULES: Final = (
    "traitlets", "jupyterhub", "kubespawner", "oauthenticator", "firstuseauthenticator", "hmacauthenticator",
    "ldapauthenticator", "ltiauthenticator", "nativeauthenticator", "tmpauthenticator",
)  # fmt: skip
# Class of a trait -> its kind. What casts its values, and any other class, takes who knows what.
KINDS: Final = {
    "Bool": "bool", "ByteSpecification": "bytes", "Callable": "callable", "Command": "list", "Dict": "map",
    "Float": "float", "Int": "int", "List": "list", "Set": "set", "Type": "text", "Unicode": "text",
    **dict.fromkeys(("CBool", "CFloat", "CInt", "CUnicode", "CaselessStrEnum", "FuzzyEnum"), ""),
}  # fmt: skip


def classes(module: str) -> Iterator[Any]:
    """Yield the classes of a package that read traitlets config. What needs further packages is left out."""
    configurable = importlib.import_module("traitlets.config").Configurable
    for part in pkgutil.walk_packages(importlib.import_module(module).__path__, f"{module}."):
        if part.name.endswith("__main__") or ".tests" in part.name:
            continue  # it would run
        with contextlib.suppress(ImportError):
            for _, one in inspect.getmembers(importlib.import_module(part.name), inspect.isclass):
                if issubclass(one, configurable) and one.__module__ == part.name:
                    yield one


def kind(name: str, trait: Any) -> str:
    """Return the kind of a trait, as `config.applications.kinds` reads it; "" if a values file may hold anything."""
    found = _kind(trait)
    if name.endswith("_hook") and type(trait).__name__ == "Any":
        found = "callable"  # its help asks for a function, and it is called at the first login or launch
    if found == "text" and name.endswith(("_pattern", "_regex")):
        found = "regex"
    return f"{found} or null" if found and trait.allow_none else found


def _kind(trait: Any) -> str:
    lines = [one.__name__ for one in type(trait).__mro__]
    if "Union" in lines:
        several = [_kind(one) for one in trait.trait_types]
        return " or ".join(dict.fromkeys(several)) if all(several) else ""
    if lines[0] == "Enum":
        return f"any of {', '.join(map(str, trait.values))}"
    outer = next((KINDS[one] for one in lines if one in KINDS), "")
    entries: Any = getattr(trait, "_value_trait" if outer == "map" else "_trait", None)
    entry = _kind(entries) if entries else ""
    return f"{outer} of {entry}" if entry and " or " not in entry and not entries.allow_none else outer


def update(known: dict[str, Any], one: Any, source: str) -> dict[str, Any]:
    """Return what the file says of a class, with what the class itself says of its bases and own traits."""
    bases = [base for base in one.__bases__ if hasattr(base, "class_traits") and base.class_traits(config=True)]
    above = {name for base in bases for name in base.class_traits(config=True)}
    own = {
        name: {"source": source, **({"kind": found} if (found := kind(name, trait)) else {})}
        for name, trait in one.class_traits(config=True).items()
        if name not in above
    }
    # What else is known of a trait stays.
    before = known.get("traits", {})
    traits = {name: {**before.get(name, {}), **own.get(name, {})} for name in sorted({*before, *own})}
    return {"source": source, "bases": [base.__name__ for base in bases], "traits": traits}


def text(content: dict[str, Any]) -> str:
    """Return the file's text: one trait a line."""
    return (
        re.sub(r"[\[{][^\[\]{}]+[\]}]", lambda inner: " ".join(inner[0].split()), json.dumps(content, indent=1)) + "\n"
    )


def main() -> None:
    """Update the file, and name the classes that it does not have."""
    content = json.loads(FILE.read_text())
    for module in MODULES:
        package = metadata.packages_distributions()[module][0]
        source = f"{package} {metadata.version(package)}"
        content["sources"][source] = {"date": str(datetime.date.today()), "by": "python -m docs.traits"}
        for one in classes(module):
            name = one.__name__
            holders = [content[part] for part in ("binder", "hub") if name in content[part]]
            for holder in holders:
                holder[name] = update(holder[name], one, source)
            if not holders:
                print(f"not in the file: {one.__module__}.{name}")
    FILE.write_text(text(content))


if __name__ == "__main__":
    main()
