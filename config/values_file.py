"""A user's own Helm values, for everything that has no setting: checked, then merged over the program's.

What the program owns cannot be overridden there, and a secret does not belong in a file: both are refused, with the
setting to use. So are names that the applications would not know. No message quotes a value of the file, since it may
be a secret.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from config import keys, traits, types
from config.reader import Reader, Secret
from kube import yaml
from kube.errors import YamlError
from kube.nested import at, leaves, merged

# Path in the Helm values -> the setting that decides it; what lies below a path belongs to it, too.
_DECIDED: Final = {
    "config.BinderHub.auth_enabled": "authenticator",
    "config.BinderHub.build_token_secret": "buildTokenSecret",
    "config.BinderHub.hub_url": "exposure",
    "config.BinderHub.hub_url_local": "exposure",
    "config.BinderHub.image_prefix": "imagePrefix",
    "config.BinderHub.registry_class": "registry",
    "config.BinderHub.use_registry": "registry",
    "config.DockerRegistry": "registry",
    "imageCleaner.cordon": "imageCleaner",
    "imageCleaner.enabled": "imageCleaner",
    "jupyterhub.cull.users": "authenticator",
    "jupyterhub.fullnameOverride": "release",
    "jupyterhub.hub.config.BinderSpawner.auth_enabled": "authenticator",
    "jupyterhub.hub.config.CryptKeeper.keys": "cryptKey",
    "jupyterhub.hub.config.JupyterHub.authenticator_class": "authenticator",
    "jupyterhub.hub.config.JupyterHub.cookie_secret": "cookieSecret",
    "jupyterhub.hub.cookieSecret": "cookieSecret",
    "jupyterhub.hub.db.type": "hubDatabase",
    "jupyterhub.hub.services.binder.apiToken": "apiToken",
    "jupyterhub.hub.services.binder.api_token": "apiToken",
    "jupyterhub.imagePullSecret": "privateImages",
    "jupyterhub.nameOverride": "release",
    "jupyterhub.proxy.secretToken": "proxyToken",
    "jupyterhub.proxy.service.type": "exposure",
    "registry": "registry",
    "replicas": "replicas",
    "service.type": "exposure",
}
OWNED: Final = {**_DECIDED, **{path: key.name for key in keys.KEYS for path in key.paths}}
_MAPS: Final = (
    "deployment.labels", "jupyterhub.hub.labels", "jupyterhub.hub.loadRoles.user", "jupyterhub.proxy.labels",
    "jupyterhub.singleuser.extraLabels", "service.annotations",
)  # fmt: skip
# Maps of the program's own values, below those at the top: a null there is an empty section.
_SECTIONS: Final = frozenset(_MAPS) | {
    path[:at] for path in (*OWNED, *_MAPS) for at in range(len(path)) if path[at] == "."
}
_SECRET_NAME: Final = re.compile(
    r"(password|passwd|secret|token|credential|private_?key|api_?key|access_?key)s?$", re.IGNORECASE
)
# These end like a secret and name one, or say where it is asked for.
_NO_SECRET: Final = re.compile(r"(existing|image_?pull|pull|tls)_?secrets?$|_token_secret_name$", re.IGNORECASE)
# The range that a cluster has unless its administrator chose another; a dry run of the API server does not look.
_NODE_PORTS: Final = range(30_000, 32_768)
_NODE_PORT: Final = re.compile(r"(^|\.)(nodePort|nodePorts\.\w+)$")
# Both applications run what stands there as they start.
_CODE: Final = re.compile(r"(jupyterhub\.hub\.)?extraConfig\.")
Finding = tuple[str, str, str]


def own_values(reader: Reader, folder: Path, own_names: bool) -> dict[str, Any]:
    """Read the values file that a stack names and the secret values beside it, and refuse what is wrong with them.

    `own_names` is as in `findings`. Returns the values, with a `Secret` at each leaf of the secret ones.
    """
    path = reader.text("valuesFile")
    values, found = load(path, folder, own_names) if path else ({}, [])
    for place, expected, example in found:
        reader.tell("valuesFile", f"{path}: {place}".rstrip(": "), expected, example)
    hidden = reader.secret("secretValues")
    for place, text in types.PLACES.read(hidden.reveal()).items() if hidden else ():
        secret = at(place, Secret(text))
        for where, expected, example in misplaced(secret, own_names):
            reader.tell("secretValues", where, expected, example)
        values = merged(values, secret)
    return values


def load(path: str, folder: Path, own_names: bool = False) -> tuple[dict[str, Any], list[Finding]]:
    """Read a values file.

    Takes its path, relative to `folder`; `own_names` is as in `findings`. Returns its values and what is wrong with
    them, as (place in the file or "", what is expected, example); with findings, the values are not to be used.
    """
    place = Path(folder, Path(path).expanduser())
    example = "pulumi config set valuesFile values-dev.yaml"
    try:
        content = yaml.load(place.read_bytes(), place)
    except OSError:
        return {}, [("", f"a file; there is none at {place}", example)]
    except YamlError as error:
        return {}, [("", f"YAML; {error}", example)]
    if content is None:
        return {}, []
    if not isinstance(content, dict):
        return {}, [("", f"a map of Helm values; {place} is none", example)]
    values = _without_empty_sections(content)
    return values, list(findings(values, own_names))


def _without_empty_sections(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Leave out the sections of which only the name stands there: nulls where a map is expected."""
    found = {}
    for key, value in values.items():
        place = f"{path}.{key}" if path else key
        full = _without_empty_sections(value, place) if isinstance(value, dict) and value else value
        is_empty = full == {} != value if value is not None else not path or place in _SECTIONS
        if not is_empty:
            found[key] = full
    return found


def findings(values: Mapping[str, Any], own_names: bool = False) -> Iterator[Finding]:
    """Yield what is wrong with a user's values: what is misplaced, secrets, nulls, numbers that Helm garbles.

    `own_names` lets unknown classes and traits pass.
    """
    told = {place: (place, expected, example) for place, expected, example in misplaced(values, own_names)}
    yield from told.values()
    for path, value in leaves(values):
        if owner_of(path):
            continue
        if isinstance(value, str) and value and _is_secret(path):
            example = f"pulumi config set --secret --path 'secretValues[\"{path}\"]'"
            yield path, "no secret in a file that goes into git; give it encrypted", example
        elif path in told:
            continue
        elif _CODE.match(path) and isinstance(value, str) and (fault := _not_python(value)):
            yield path, f"Python; {fault}", f"{path}: |\n        c.JupyterHub.log_level = 10"
        elif value is None:
            yield path, "no null: the application takes it for a value; leave the key out", f"remove {path}"
        elif _NODE_PORT.search(path) and value not in _NODE_PORTS:
            yield path, "a node port: a whole number in the range 30000-32767", f"{path}: 30080"
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 1_000_000:
            yield path, "no number of a million or more: Helm prints 1e+06; quote it", f"{path}: '...'"


def _not_python(code: str) -> str:
    """Return where and why a text is no Python; "" if it is. No literal of it is quoted, and nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "extraConfig", "exec")
    except SyntaxError as error:
        return f"line {error.lineno or '?'} of it is not: {error.msg}"
    except ValueError as error:
        return f"it is not: {error}"
    return ""


def misplaced(values: Mapping[str, Any], own_names: bool = False) -> Iterator[Finding]:
    """Yield what must not stand where it does: what a setting decides, and names that the application does not know.

    Of one place that is both, the setting is told, except where a class's map is missing.
    """
    names = [found for found in traits.problems(values, own_names) if not _is_owned(found[0])]
    told = {place for place, _, _ in names}
    for path, _ in leaves(values):
        if path not in told and (owner := owner_of(path)):
            yield path, f"not here: the setting {owner} decides it", f"pulumi config set {owner} ..."
    yield from names


def owner_of(path: str) -> str:
    """Return the setting that decides a path of the values, a part of it, or something above it; "" for none."""
    for owned, setting in OWNED.items():
        if f"{path}.".startswith(f"{owned}.") or f"{owned}.".startswith(f"{path}."):
            return setting
    return ""


def _is_owned(path: str) -> bool:
    """Tell whether a setting decides all of what stands at a path, not only a part of it."""
    return any(f"{path}.".startswith(f"{owned}.") for owned in OWNED)


def _is_secret(path: str) -> bool:
    name = path.rsplit(".", 1)[-1].split("[")[0]
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET.search(name)
