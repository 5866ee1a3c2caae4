"""Makes docs/settings.md and docs/registries.md from the code: `python -m docs.generate`. Tests compare them."""

from pathlib import Path
from typing import Final

from config import registries, risks
from config.keys import KEYS, Key

FOLDER: Final = Path(__file__).resolve().parent
_HEAD: Final = """# Settings

All keys that a stack may set, in its `Pulumi.<stack>.yaml`. This page is made from `config/keys.py`
by `python -m docs.generate`.

- An ordinary key: `pulumi config set KEY VALUE`
- A part of a map or of a list: `pulumi config set --path KEY.PART VALUE`
- A secret: `pulumi config set --secret KEY`, which asks for it and stores it encrypted; in clear it is refused.

The profile decides the defaults: `prod` for a stack of that name, else `dev`, or as the key `profile` says.
What is wrong is told all at once, before anything is touched, with an example of each.

Anything that has no setting goes into a file of Helm values of your own, `valuesFile`. It cannot override what the
program decides, and a secret in it is refused: that goes into `secretValues`, encrypted, by its place in the values.
Below `config` and `jupyterhub.hub.config`, the names of classes and traits are checked, too: the applications are
silent about a misspelt one. Classes of your own, from `extraConfig`, are accepted as the risk `unknownConfig`.
The file is read as Kubernetes reads YAML. A key that stands there twice is an error with both lines. A section of which
only the name is left, with all below it commented out, is nothing.
"""


def page() -> str:
    """Return the text of docs/settings.md."""
    groups = list(dict.fromkeys(key.group for key in KEYS))
    tables = [_table(group, [key for key in KEYS if key.group == group]) for group in groups]
    accepted = "\n".join(f"| `{r.name}` | {r.why} | `{r.remedy}` |" for r in risks.RISKS)
    dangers = (
        "## Risks\n\nWhat a cluster accepts and an operator regrets. In a protected or `prod` stack the grave ones\n"
        'are refused; one is accepted by name, with a reason: `pulumi config set --path acceptedRisks.NAME "why"`.\n\n'
        f"| name | what would happen | what ends it |\n|---|---|---|\n{accepted}\n"
    )
    return "\n".join([_HEAD, *tables, dangers])


def _table(group: str, keys: list[Key]) -> str:
    columns = ("key", "what it is for", "type", "dev", "prod", "secret", "example")
    head = f"## {group}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
    return head + "\n".join(map(_row, keys)) + "\n"


def _row(key: Key) -> str:
    name = key.name if key.namespace == "binderhub" else key.full
    defaults = [f"`{d}`" if (d := key.default(profile)) else "" for profile in ("dev", "prod")]
    if key.required:
        defaults = ["required", "required"]
    example = key.command.removeprefix("pulumi config set ")
    secret = "yes" if key.secret else ""
    cells = [f"`{name}`", key.what, key.type.name, *defaults, secret, f"`{example}`"]
    return f"| {' | '.join(cells)} |"


_REGISTRIES: Final = """# Registries

BinderHub pushes every image that it builds to a registry. The table has, for each registry type, the shape of the
image prefix and the commands that set it in a new stack. This page is made from `config/registries.py` by
`python -m docs.generate`.

| registry type | shape of the prefix | commands after `pulumi stack init dev` | what to know |
|---|---|---|---|
{rows}

- Then `pulumi preview`, which changes nothing, and `pulumi up`. `make rehearse` needs no cluster at all.
- Private images: `pulumi config set privateImages true` gives the nodes the login, too.
- AWS ECR is refused: each image's repository would have to exist before the push, and a password lasts 12 hours.
- All settings: [settings](settings.md).
"""


def registries_page() -> str:
    """Return the text of docs/registries.md."""
    rows = []
    for name, rules in registries.TYPES.items():
        commands = "<br>".join(f"`{command}`" for command in registry_commands(name))
        title = f"{rules.title[:1].upper()}{rules.title[1:]} (`{name}`)"
        rows.append(f"| {title} | `{rules.shape}` | {commands} | {rules.note} |")
    return _REGISTRIES.format(rows="\n".join(rows))


def registry_commands(name: str) -> list[str]:
    """Return the commands that make a new stack use a registry of this type."""
    rules = registries.TYPES[name]
    # Docker Hub needs no word.
    commands = [f"registry {name}"] if name != registries.DOCKER_HUB else []
    commands.append(f"imagePrefix {rules.prefix()}")
    if not rules.username and rules.needs_login:
        commands.append("registryUsername MY-USER")
    if rules.token_setting == "needed":
        commands.append(f"registryTokenUrl 'https://{rules.host}/v2/token?service={rules.host}'")
    if rules.needs_login:
        commands.append(f"--secret registryPassword{' < key.json' if rules.username else ''}")
    return [f"pulumi config set {command}" for command in commands]


def write() -> None:
    """Write all pages that are made from the code."""
    (FOLDER / "settings.md").write_text(page())
    (FOLDER / "registries.md").write_text(registries_page())


if __name__ == "__main__":
    write()
