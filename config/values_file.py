"""A user's own Helm values, for everything that has no setting: checked, then merged over the program's.

What the program owns cannot be overridden there, and a secret does not belong in a file: both are refused, with the
setting to use. So are names that the applications would not know. No message quotes a value of the file, since it may
be a secret.
"""

import functools
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from config import keys, traits, types
from config.errors import InvalidValue
from config.reader import Reader
from config.types import Secret
from kube import yaml
from kube.errors import YamlError
from kube.nested import at, leaves, merged

# Path in the Helm values -> the setting that decides it; what lies below a path belongs to it, too.
OWNED: Final = {
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
    "jupyterhub.hub.services.binder.apiToken": "apiToken",
    "jupyterhub.hub.services.binder.api_token": "apiToken",
    "jupyterhub.imagePullSecret": "privateImages",
    "jupyterhub.nameOverride": "release",
    "jupyterhub.proxy.secretToken": "proxyToken",
    "registry": "registry",
    **{path: key.name for key in keys.KEYS for path in key.paths},
}
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


def own_values(reader: Reader, folder: Path, own_names: bool) -> dict[str, Any]:
    """Read the values file that a stack names and the secret values beside it, and refuse what is wrong with them.

    The file's path is relative to `folder`; `own_names` is as in `findings`. Returns the values, with a `Secret` at
    each leaf of the secret ones.
    """
    path = reader.value("valuesFile") or ""
    values: dict[str, Any] = {}
    try:
        values = load(Path(folder, Path(path).expanduser())) if path else {}
    except InvalidValue as wrong:
        reader.tell("valuesFile", path, str(wrong))
    hidden = reader.value("secretValues")
    places = types.PLACES.read(hidden.reveal()) if hidden else {}
    secrets: dict[str, Any] = functools.reduce(merged, (at(place, Secret(text)) for place, text in places.items()), {})
    for key, file, given in (("valuesFile", f"{path}: ", values), ("secretValues", "", secrets)):
        for place, expected, example in findings(given, own_names):
            reader.tell(key, f"{file}{place}", expected, example)
    return merged(values, secrets)


def load(place: Path) -> dict[str, Any]:
    """Return the values of a file, without its empty sections. Raises `InvalidValue` if it is no map of values."""
    try:
        content = yaml.load(place.read_bytes(), place)
    except OSError:
        raise InvalidValue(f"a file; there is none at {place}") from None
    except YamlError as error:
        raise InvalidValue(f"YAML; {error}") from None
    if not isinstance(content, dict | None):
        raise InvalidValue(f"a map of Helm values; {place} is none")
    return _without_empty_sections(content or {})


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


def findings(values: Mapping[str, Any], own_names: bool = False) -> Iterator[traits.Finding]:
    """Yield what is wrong with a user's values: what a setting decides, secrets, nulls, numbers that Helm garbles.

    And names that the application does not know, unless `own_names` lets them pass. Of one place that is both unknown
    and decided by a setting, the setting is told, except where a class's map is missing.
    """
    names = [one for one in traits.problems(values, own_names) if not any(_is_within(one[0], path) for path in OWNED)]
    yield from names
    told = {place for place, _, _ in names}
    for path, value in leaves(values):
        if path not in told and (owner := owner_of(path)):
            yield path, f"not here: the setting {owner} decides it", f"pulumi config set {owner} ..."
        elif isinstance(value, str) and value and _is_secret(path):
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
    except (SyntaxError, ValueError) as error:
        return f"line {getattr(error, 'lineno', None) or '?'} of it is not: {getattr(error, 'msg', error)}"
    return ""


def owner_of(path: str) -> str:
    """Return the setting that decides a path of the values, a part of it, or something above it; "" for none."""
    return next((one for owned, one in OWNED.items() if _is_within(path, owned) or _is_within(owned, path)), "")


def _is_within(path: str, above: str) -> bool:
    return f"{path}.".startswith(f"{above}.")


def _is_secret(path: str) -> bool:
    name = path.rsplit(".", 1)[-1].split("[")[0]
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET.search(name)
