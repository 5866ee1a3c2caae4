"""A user's own Helm values, for everything that has no setting: checked, then merged over the program's.

What the program owns cannot be overridden there, and a secret does not belong in a file: both are refused, with the
setting to use. So are names that the applications would not know. No message quotes a value of the file, since it may
be a secret.
"""

import ast
import functools
import re
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from config import keys, types
from config.applications import repositories, texts, traits
from config.errors import InvalidValue
from config.reader import Reader
from config.types import Secret
from kube import yaml
from kube.errors import YamlError
from kube.nested import at, merged

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
    **{f"config.{one}.allowed_specs": "allowedRepositories" for one in repositories.PROVIDERS},
    **{f"config.{one}.banned_specs": "bannedRepositories" for one in repositories.PROVIDERS},
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
# A text that is one wherever it stands: an address with a password in it, tokens by the marks that their services
# give them, 64 hexadecimal digits as `openssl rand -hex 32` prints them, a private key.
_SECRET_TEXT: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://[^\s/:@]*:(?![${<(%])[^\s/@]+@|-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[\w-]{8,}\.eyJ[\w-]+\."
    r"|\b(gh[oprsu]_|hf_|AKIA|sk-)[A-Za-z0-9]{16,}|\b(github_pat_|glpat-|dckr_pat_|xox[abp]-)[\w-]{16,}"
    r"|(?<![0-9a-f:])[0-9a-f]{64}(?![0-9a-f]|\s+\S)"
)
# No secret, whatever its name: a path, a variable's value. Nor is a checksum.
_ELSEWHERE: Final = re.compile(r"(/[\w.-]+){2,}|\$\(\w+\)")
_CHECKSUM: Final = re.compile(r"sha\d|digest|checksum|hash|fingerprint", re.IGNORECASE)
# These end like a secret and name one, or say where it is asked for.
_NO_SECRET: Final = re.compile(r"(existing|image_?pull|pull|tls)_?secrets?$|_token_secret_name$", re.IGNORECASE)
# The range that a cluster has unless its administrator chose another; a dry run of the API server does not look.
_NODE_PORTS: Final = range(30_000, 32_768)
_NODE_PORT: Final = re.compile(r"(^|\.)(nodePort|nodePorts\.\w+)$")
# Both applications run what stands there as they start.
_CODE: Final = re.compile(r"(jupyterhub\.hub\.)?extraConfig\.")
_ANY_CODE: Final = 'pulumi config set --path acceptedRisks.unreadableCode "why"'
# The Python in the images of hub and binder, and what no older one reads: f-strings with anything in them, types with
# parameters.
_THEIR_PYTHON: Final = (3, 12)
_NEW_IN_THEIRS: Final = re.compile(r"\b[rR]?[fF][rR]?['\"]|^\s*type\s+\w|^\s*(async\s+)?(def|class)\s+\w+\s*\[")
# Kubernetes takes them, and no container starts with half a byte.
_MILLI_BYTES: Final = re.compile(r"(memory|storage|ephemeral-storage|sizeLimit): [0-9.]+m")


def own_values(reader: Reader, folder: Path, accepted: Collection[str]) -> dict[str, Any]:
    """Read the values file that a stack names and the secret values beside it, and refuse what is wrong with them.

    The file's path is relative to `folder`; `accepted` are names of risks. Returns the values, with a `Secret` at
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
    places = {place: reader.trim(f'secretValues["{place}"]', text) for place, text in places.items()}
    secrets: dict[str, Any] = functools.reduce(merged, (at(place, Secret(text)) for place, text in places.items()), {})
    for key, file, given in (("valuesFile", f"{path}: ", values), ("secretValues", "", secrets)):
        for place, expected, example in findings(given, accepted):
            reader.tell(key, f"{file}{place}", expected, example)
    for place, text in places.items():
        try:
            values = _placed(values, place.split("."), Secret(text))
        except LookupError:
            expected = "an item of a list that stands in the values file, counted from 0"
            reader.tell("secretValues", place, expected, f"pulumi config rm --path 'secretValues[\"{place}\"]'")
    return values


def _placed(values: Any, steps: Sequence[str], leaf: Secret) -> Any:
    """Return a copy of values with a secret at a place; `[0]` behind a name is an item of a list that is there.

    Raises `LookupError` if there is no such item.
    """
    if not steps:
        return leaf
    name, *indexes = steps[0].replace("]", "").split("[")
    below = values.get(name) if isinstance(values, Mapping) else None
    changed = _in_list(below, indexes, steps[1:], leaf) if indexes else _placed(below, steps[1:], leaf)
    return {**(values if isinstance(values, Mapping) else {}), name: changed}


def _in_list(items: Any, indexes: Sequence[str], steps: Sequence[str], leaf: Secret) -> Any:
    if not indexes:
        return _placed(items, steps, leaf)
    if not isinstance(items, list) or not indexes[0].isdecimal():
        raise LookupError
    number = int(indexes[0])
    return [*items[:number], _in_list(items[number], indexes[1:], steps, leaf), *items[number + 1 :]]


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


def findings(values: Mapping[str, Any], accepted: Collection[str] = ()) -> Iterator[traits.Finding]:
    """Yield what is wrong with a user's values: what a setting decides, secrets, nulls, numbers that Helm garbles.

    And names that the application does not know, or code that it cannot read, unless these risks are `accepted`; and
    values that it does not take. Of one place that is both unfit and decided by a setting, the setting is told, except
    where a class has no map.
    """
    own_names = "unknownConfig" in accepted
    found = [*traits.problems(values, own_names), *traits.misfits(values), *texts.problems(values)]
    unfit = [one for one in found if not any(_is_within(one[0], path) for path in OWNED)]
    yield from unfit
    told = {place for place, _, _ in unfit}
    for path, value, name in _named_leaves(values):
        if path not in told and (owner := owner_of(path)):
            yield path, f"not here: the setting {owner} decides it", keys.BY_NAME[keys.qualified(owner)].command
        elif isinstance(value, str) and _CODE.match(path) and (line := _secret_line(value)):
            expected = f"no secret in a file that goes into git (line {line} of this code); give it encrypted"
            yield path, expected, f"{_encrypted(path)} < code.py"
        elif isinstance(value, str) and value and not _CODE.match(path) and _is_secret(name, value):
            yield path, "no secret in a file that goes into git; give it encrypted", _encrypted(path)
        elif path in told:
            continue
        elif _CODE.match(path) and isinstance(value, str) and (fault := _not_python(value)):
            if "unreadableCode" not in accepted:
                yield (
                    path,
                    f"Python; {fault}",
                    f"{path}: |\n        c.JupyterHub.log_level = 10\n      or accept: {_ANY_CODE}",
                )
        elif value is None:
            yield path, "no null: the application takes it for a value; leave the key out", f"remove {path}"
        elif _NODE_PORT.search(path) and value not in _NODE_PORTS:
            yield path, "a node port: a whole number in the range 30000-32767", f"{path}: 30080"
        elif isinstance(value, str) and _MILLI_BYTES.fullmatch(f"{name}: {value}"):
            yield path, "an amount of bytes: m is a thousandth of one, M a million", f"{path}: {value[:-1]}M"
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 1_000_000:
            yield path, "no number of a million or more: Helm prints 1e+06; quote it", f"{path}: '...'"


def _not_python(code: str) -> str:
    """Return where and why a text is no Python of the applications; "" if it is, or if ours is too old to tell.

    No literal of it is quoted, and nothing is run.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(ast.parse(code, feature_version=_THEIR_PYTHON), "extraConfig", "exec")
    except (SyntaxError, ValueError) as error:
        number = getattr(error, "lineno", None) or 0
        line = "".join(code.splitlines()[number - 1 : number])
        if number and sys.version_info < _THEIR_PYTHON and _NEW_IN_THEIRS.search(line):
            return ""
        return f"line {number or '?'} of it is not: {getattr(error, 'msg', error)}"
    return ""


def owner_of(path: str) -> str:
    """Return the setting that decides a path of the values, a part of it, or something above it; "" for none."""
    return next((one for owned, one in OWNED.items() if _is_within(path, owned) or _is_within(owned, path)), "")


def _is_within(path: str, above: str) -> bool:
    return f"{path}.".replace("[", ".[").startswith(f"{above}.")


def _named_leaves(value: Any, path: str = "", name: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield every leaf as `kube.nested.leaves` does, with the name that it goes by.

    That is its key or its list's, and of what has a `name` and a `value`, as variables have, or a `value` alone, the
    name that is given or that stands above.
    """
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            own = (value.get("name") or name) if key == "value" else key
            yield from _named_leaves(below, f"{path}.{key}" if path else str(key), str(own))
    elif isinstance(value, list) and value:
        for index, below in enumerate(value):
            yield from _named_leaves(below, f"{path}[{index}]", name)
    elif path:
        yield path, value, name


def _encrypted(path: str) -> str:
    return f"pulumi config set --secret --path 'secretValues[\"{path}\"]'"


def _is_secret(name: str, text: str) -> bool:
    """Whether a text is a secret, by the name that it goes by or by itself."""
    if _ELSEWHERE.fullmatch(text) or _CHECKSUM.search(name):
        return False
    return bool(_SECRET_TEXT.search(text) or (_SECRET_NAME.search(name) and not _NO_SECRET.search(name)))


def _secret_line(code: str) -> int:
    """Return the line of code in which a secret is written out; 0 if there is none, or if it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = [*ast.walk(ast.parse(code))]
    except (SyntaxError, ValueError):
        return 0
    found = (line for node in nodes for line, text, name in _texts(node) if text and _is_secret(name, text))
    return next(found, 0)


def _texts(node: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield each text that code gives to a name (a variable, an attribute, an argument, a key), and any other text.

    As line, text and name, "" for none.
    """
    pairs: list[tuple[Any, Any]] = []
    match node:
        case ast.Assign():
            pairs = [(target, node.value) for target in node.targets]
        case ast.AnnAssign():
            pairs = [(node.target, node.value)]
        case ast.keyword():
            pairs = [(node, node.value)]
        case ast.Dict():
            pairs = [*zip(node.keys, node.values, strict=True)]
        case ast.Constant():
            pairs = [(None, node)]
    for target, value in pairs:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            while isinstance(target, ast.Subscript):
                target = target.slice
            names = (getattr(target, one, None) for one in ("id", "attr", "arg", "value"))
            yield value.lineno, value.value, next((name for name in names if isinstance(name, str)), "")
