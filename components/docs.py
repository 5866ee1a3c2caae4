"""Makes docs/settings.md and docs/registries/ from the code: `python -m components.docs`. Tests compare them."""

from pathlib import Path
from typing import Final

from components import images, risks
from components.keys import KEYS, Key

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs"
_HEAD: Final = """# Settings

All keys that a stack may set, in its `Pulumi.<stack>.yaml`. This page is made from `components/keys.py`
by `python -m components.docs`.

- An ordinary key: `pulumi config set KEY VALUE`
- A part of a map or of a list: `pulumi config set --path KEY.PART VALUE`
- A secret: `pulumi config set --secret KEY`, which asks for it and stores it encrypted; in clear it is refused.

The profile decides the defaults: `prod` for a stack of that name, else `dev`, or as the key `profile` says.
What is wrong is told all at once, before anything is touched, with an example of each.

Anything that has no setting goes into a file of Helm values of your own, `valuesFile`. It cannot override what the
program decides, and a secret in it is refused: that goes into `secretValues`, encrypted, by its place in the values.
Below `config` and `jupyterhub.hub.config`, the names of classes and traits are looked at, too: the applications are
silent about a misspelt one. Classes of your own, from `extraConfig`, are accepted as the risk `unknownConfig`.
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
    columns = ("key", "what it is for", "kind", "dev", "prod", "secret", "example")
    head = f"## {group}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
    return head + "\n".join(map(_row, keys)) + "\n"


def _row(key: Key) -> str:
    name = key.name if key.namespace == "binderhub" else key.full
    defaults = [f"`{d}`" if (d := key.default(profile)) else "" for profile in ("dev", "prod")]
    if key.required:
        defaults = ["required", "required"]
    example = key.command.removeprefix("pulumi config set ")
    secret = "yes" if key.secret else ""
    cells = [f"`{name}`", key.what, key.kind.name, *defaults, secret, f"`{example}`"]
    return f"| {' | '.join(cells)} |"


_INDEX: Final = """# Registries

BinderHub pushes every image it builds to a registry. For each sort there is a page: from nothing to a working stack.
These pages are made from `components/images.py` by `python -m components.docs`.

{links}

AWS ECR is refused: each image's repository would have to exist before the push, and a password lasts 12 hours.
"""
_PAGE: Final = """# {title}

From nothing to a working stack. {note}

```sh
{commands}
```

- The shape of the prefix: `{shape}`
- Private images: `pulumi config set privateImages true` gives the nodes the login, too.
- Look first: `pulumi preview` changes nothing, and `make rehearse` needs no cluster at all.
- Another registry: [all of them](README.md). All settings: [settings](../settings.md).
"""
# What a person must know beside the commands.
_NOTES: Final = {
    "dockerhub": "The password is better an access token (Docker Hub, Account settings, Personal access tokens).",
    "gcr": "The login is a service account's JSON key; the user `_json_key` is set for you.",
    "gar": "The login is a service account's JSON key. Whether an image exists is asked of Google's metadata server, "
    "so binder must run on GCE or GKE.",
    "acr": "The user is a service principal with the role AcrPush.",
    "ovh": "The user is one of the registry's Harbor; the part after the host is a Harbor project.",
    "harbor": "The part after the host is a Harbor project; a robot account that may push is best.",
    "quay": "The user is best a robot account with the right to create repositories.",
    "ghcr": "The password is a personal access token with `write:packages`.",
    "token": "For any registry that names a token server in its answer to `curl -sI https://HOST/v2/`.",
    "basic": "For a registry with user and password of its own (htpasswd).",
    "local": "For a registry without TLS, on a cluster to play with. The nodes' container runtime must trust it, too.",
}


def registries() -> dict[str, str]:
    """Return the pages below docs/registries: file name -> text."""
    titles = {name: kind.title[:1].upper() + kind.title[1:] for name, kind in images.KINDS.items()}
    links = "\n".join(f"- [{title}]({name}.md)" for name, title in titles.items())
    pages = {f"{name}.md": _registry(name, titles[name], kind) for name, kind in images.KINDS.items()}
    return {"README.md": _INDEX.format(links=links), **pages}


def _registry(name: str, title: str, kind: images.Kind) -> str:
    prefix = "/".join(filter(None, [kind.host, *kind.levels, "binder-dev-"]))
    commands = ["pulumi stack init dev"]
    if name != images.DOCKER_HUB:  # which needs no word
        commands.append(f"pulumi config set registry {name}")
    commands.append(f"pulumi config set imagePrefix {prefix}")
    if not kind.username and kind.needs_login:
        commands.append("pulumi config set registryUsername MY-USER")
    if kind.token_setting == "needed":
        commands.append(f"pulumi config set registryTokenUrl 'https://{kind.host}/v2/token?service={kind.host}'")
    if kind.needs_login:
        commands.append(f"pulumi config set --secret registryPassword{' < key.json' if kind.username else ''}")
    commands.append("pulumi up")
    return _PAGE.format(title=title, note=_NOTES[name], commands="\n".join(commands), shape=kind.shape)


def write() -> None:
    """Write all pages that are made from the code."""
    (FOLDER / "settings.md").write_text(page())
    (FOLDER / "registries").mkdir(exist_ok=True)
    for name, text in registries().items():
        (FOLDER / "registries" / name).write_text(text)


if __name__ == "__main__":
    write()
