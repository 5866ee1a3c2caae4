"""Makes the tables in docs/ and the keys in Pulumi.yaml from the code: `python -m docs.generate`. A test compares.

What is made stands between `made: NAME` and `end`, in comments; all else is written by hand.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from config import registries, risks, versions
from config.keys import GROUPS, KEYS, Key, set_command

FOLDER: Final = Path(__file__).resolve().parent
FILES: Final = (*sorted(FOLDER.glob("*.md")), FOLDER.parent / "Pulumi.yaml")
_MADE: Final = re.compile(r"(made: (\w+)[^\n]*\n).*?(?=^(?:<!--|#) end)", re.DOTALL | re.MULTILINE)


def made(text: str) -> str:
    """Return a file's text with all that the code makes as it is now."""
    return _MADE.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n", text)


def _table(columns: str, rows: list[list[str]]) -> str:
    head, *body = (f"| {' | '.join(cells)} |" for cells in (columns.split(", "), *rows))
    return "\n".join([head, "|" + "---|" * len(columns.split(", ")), *body])


def _keys() -> str:
    columns = "key, what it is for, type, dev, prod, secret, example"
    return "\n\n".join(f"## {group}\n\n{_table(columns, list(map(_key, keys)))}" for group, keys in GROUPS.items())


def _key(key: Key) -> list[str]:
    defaults = [f"`{d}`" if (d := key.default(profile)) else "" for profile in ("dev", "prod")]
    if key.required:
        defaults = ["required", "required"]
    example = key.command.removeprefix("pulumi config set ")
    return [f"`{key.name}`", key.what, key.type.name, *defaults, "yes" if key.secret else "", f"`{example}`"]


def _risks() -> str:
    rows = [[f"`{risk.name}`", risk.why, f"`{risk.remedy}`"] for risk in risks.RISKS]
    return _table("name, what would happen, what ends it", rows)


def _known(rows: Sequence[versions.Known]) -> str:
    cells = [[f"`{row.version}`", row.jupyterhub or "unknown", row.source] for row in rows]
    return _table(f"version, JupyterHub, source ({versions.LOOKED_UP})", cells)


def _advisories() -> str:
    rows = []
    for one in versions.ADVISORIES:
        known = f"before {one.fixed}" if one.since == "0" else f"{one.since} to before {one.fixed}"
        rows.append([one.name, one.what, f"JupyterHub {known}", one.whose, one.source])
    return _table(f"name, what, versions, whose, source ({versions.LOOKED_UP})", rows)


def _registries() -> str:
    rows = []
    for name, rules in registries.TYPES.items():
        commands = "<br>".join(f"`{command}`" for command in _commands(name, rules))
        title = f"{rules.title[:1].upper()}{rules.title[1:]} (`{name}`)"
        rows.append([title, f"`{rules.shape}`", commands, rules.note])
    return _table("registry type, shape of the prefix, commands after `pulumi stack init dev`, what to know", rows)


def _commands(name: str, rules: registries.RegistryType) -> list[str]:
    """Return what a new stack sets to use a registry of this type."""
    # Docker Hub needs no word.
    commands = [set_command("registry", name)] if name != registries.DOCKER_HUB else []
    commands.append(set_command("imagePrefix", rules.prefix()))
    if not rules.username and rules.needs_login:
        commands.append(set_command("registryUsername", "MY-USER"))
    if rules.token_setting == "needed":
        commands.append(set_command("registryTokenUrl", f"'https://{rules.host}/v2/token?service={rules.host}'"))
    if rules.needs_login:
        commands.append(set_command("registryPassword", "< key.json" if rules.username else "", secret=True))
    return commands


def _declarations() -> str:
    return "\n".join(_declaration(key) for key in KEYS if ":" not in key.name)


def _declaration(key: Key) -> str:
    kind = "Required. " if key.required else "Secret. " if key.secret else ""
    dev, prod = (key.default(profile) for profile in ("dev", "prod"))
    default = (f" Default: {dev or 'none'}" if dev or prod else "") + (f" (prod: {prod})" if prod != dev else "")
    text = f"{kind}{key.what}.{default}"
    # JSON's texts are YAML's, too.
    return f'  {key.name}:\n    description: {json.dumps(text)}\n    default: ""'


PARTS: Final[dict[str, Callable[[], str]]] = {
    "keys": _keys,
    "risks": _risks,
    "registries": _registries,
    "declarations": _declarations,
    "charts": lambda: _known(versions.CHARTS),
    "images": lambda: _known(versions.HUB_IMAGES),
    "advisories": _advisories,
}

if __name__ == "__main__":
    for file in FILES:
        file.write_text(made(file.read_text()))
