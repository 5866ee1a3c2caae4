"""What a stack is told: the only reader of Pulumi's config.

`load()` turns the stack's config into one frozen `Settings`, or raises one `SettingsError` that lists every problem.
It touches no cluster and registers no resource.
"""

import difflib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

import pulumi

from components import chart, images

PROJECT: Final = "binderhub"
# Helm's own limits: helm.sh/helm/v3/pkg/chartutil/validate_name.go (53 leaves room for suffixes in object names).
_RELEASE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# RBAC names may hold colons (system:...) and dots.
_RBAC_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.:]{0,250}[A-Za-z0-9])?")
_HEX: Final = re.compile(r"([0-9a-f]{2}){16,}")
EXPOSURES: Final = ("loadbalancer",)


class Secret:
    """A text that is never printed: `repr` and `str` show `***`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for a check or for the engine."""
        return self._text

    def output(self) -> pulumi.Output[str]:
        """Return the text as a secret output, encrypted in the state and masked in every diff."""
        return pulumi.Output.secret(self._text)

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class Problem:
    """One thing wrong in the stack's settings. `found` is "" for what is missing and for anything secret."""

    key: str
    found: str
    expected: str
    example: str

    def __str__(self) -> str:
        head = f"{self.key}: " + (f"found {self.found}" if self.found else "missing")
        return f"{head}\n      expected: {self.expected}\n      example:  {self.example}"


class SettingsError(pulumi.RunError):
    """Every problem of a stack's settings at once; Pulumi prints it without a traceback."""

    def __init__(self, stack: str, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        lines = "\n".join(f"  {n}. {p}" for n, p in enumerate(self.problems, 1))
        super().__init__(
            f"{count} in the settings of stack {stack} (Pulumi.{stack}.yaml); nothing was touched\n{lines}"
        )


@dataclass(frozen=True, kw_only=True)
class TillerSettings:
    """Whose rights install the release. `role` is a ClusterRole."""

    namespace: str
    name: str
    binding: str
    role: str


@dataclass(frozen=True, kw_only=True)
class RegistrySettings:
    """Where images are pushed. Docker Hub wants no address; the chart knows it."""

    username: str
    password: Secret


@dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """Tokens of a hub that exists already win over generated ones; another `rotation` makes all generated ones anew."""

    rotation: int
    given: Mapping[str, Secret]


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Which cluster: a kubeconfig ("" is $KUBECONFIG or ~/.kube/config), a context ("" is the current one)."""

    kubeconfig: str
    context: str
    identifier: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a stack decides. Times are in seconds."""

    stack: str
    image_prefix: str
    registry: RegistrySettings
    release: str
    namespace: str
    chart: chart.Chart
    timeout: int
    address_timeout: int
    exposure: str
    protect: bool
    tiller: TillerSettings
    tokens: TokenSettings
    cluster: ClusterSettings


@dataclass(frozen=True)
class Key:
    """One config key: what it is for, how it looks, and whether it must be a secret."""

    name: str
    what: str
    example: str
    secret: bool = False
    required: bool = False
    namespace: str = PROJECT
    part: str = ""  # of a map: which part the example sets

    @property
    def full(self) -> str:
        """The key as it stands in the stack's file."""
        return f"{self.namespace}:{self.name}"

    @property
    def command(self) -> str:
        """The command that sets it."""
        name = (self.name if self.namespace == PROJECT else self.full) + self.part
        flags = "--secret " if self.secret else "--path " if self.part else ""
        value = "" if self.secret else f" {self.example}"
        return f"pulumi config set {flags}{name}{value}"


# The account of the walkthrough.
_USUAL_TILLER: Final = TillerSettings(namespace="kube-system", name="tiller", binding="tiller", role="cluster-admin")
TOKEN_KEYS: Final = ("apiToken", "proxyToken", "cookieSecret", "cryptKey", "buildTokenSecret")
KEYS: Final = (
    Key("imagePrefix", "start of the name of every image that this hub builds", "my-org/binder-dev-", required=True),
    Key("registryUsername", "user of the registry that images are pushed to", "my-docker-id", required=True),
    Key("registryPassword", "its password or, better, an access token", "", secret=True, required=True),
    Key("release", "name of the Helm release", "binderhub"),
    Key("namespace", "namespace of the release; the release's name if unset", "binderhub"),
    Key("chart", "path of a chart (.tgz or folder) in place of the pinned one", "charts/binderhub.tgz"),
    Key("chartVersion", "another version of the published chart than the pinned one", "1.0.0-0.dev.git.3958.haf9ca8b1"),
    Key("timeout", "seconds that one Helm operation may take", "900"),
    Key("addressTimeout", "seconds to wait for an external address", "300"),
    Key("exposure", "how browsers reach the hub", "loadbalancer"),
    Key("protect", "refuse to delete or replace the release and its namespace", "true"),
    Key("tiller", "the service account that installs: namespace, name, binding, role", "cluster-admin", part=".role"),
    Key("rotation", "another number makes all five tokens anew", "2"),
    Key("clusterIdentifier", "name of this cluster in the state; change it only on moving to another", "binderhub-dev"),
    *(Key(name, "a token of an existing hub, in place of a generated one", "", secret=True) for name in TOKEN_KEYS),
    Key(
        "kubeconfig",
        "path of a kubeconfig; $KUBECONFIG or ~/.kube/config if unset",
        "~/.kube/config",
        namespace="kubernetes",
    ),
    Key("context", "context of the kubeconfig; its current one if unset", "minikube", namespace="kubernetes"),
)
_BY_NAME: Final = {key.full: key for key in KEYS}


def required_secrets(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the full names of the secret keys that a stack with this config must have."""
    del config  # which registry it names will decide
    return tuple(key.full for key in KEYS if key.secret and key.required)


@dataclass
class _Reader:
    """Reads keys one by one and keeps every problem."""

    config: Mapping[str, Any]
    secrets: Collection[str]
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, full: str, found: object, expected: str, example: str = "") -> None:
        key = _BY_NAME[full.split(".")[0]]
        if key.full in self.secrets and found is not None:
            # Encrypted though nobody asked for it: whoever did so had a reason, and an expectation may quote it.
            self.problems.append(Problem(full, "an encrypted value (not shown)", key.what, key.command))
        else:
            self.problems.append(Problem(full, "" if found is None else repr(found), expected, example or key.command))

    def text(self, name: str, default: str = "", namespace: str = PROJECT) -> str:
        key = _BY_NAME[f"{namespace}:{name}"]
        value = self.config.get(key.full)
        if value is None or value == "":
            if key.required:
                self.refuse(key.full, None, key.what)
            return default
        if not isinstance(value, str) or value[:1] in ("{", "["):
            self.refuse(key.full, value, "a text")
            return default
        return value

    def secret(self, name: str, check: Callable[[str], str] = lambda _: "") -> Secret | None:
        key = _BY_NAME[f"{PROJECT}:{name}"]
        value = self.config.get(key.full)
        if value is None or value == "":
            if key.required:
                self.refuse(key.full, None, key.what)
            return None
        if key.full not in self.secrets:
            self.problems.append(
                Problem(key.full, "a secret in clear", "an encrypted value, so that it is safe in git", key.command)
            )
            return None
        if problem := check(str(value)):
            self.problems.append(Problem(key.full, "a value that does not fit (not shown)", problem, key.command))
            return None
        return Secret(str(value))

    def matching(self, name: str, default: str, pattern: re.Pattern[str], expected: str) -> str:
        value = self.text(name)
        if value and not pattern.fullmatch(value):
            self.refuse(f"{PROJECT}:{name}", value, expected)
        return value or default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.config.get(f"{PROJECT}:{name}")
        if value is None or value == "":
            return default
        if not re.fullmatch(r"-?\d{1,9}", str(value)) or not low <= int(value) <= high:
            self.refuse(f"{PROJECT}:{name}", value, f"a whole number from {low} to {high}")
            return default
        return int(value)

    def boolean(self, name: str, default: bool) -> bool:
        value = self.config.get(f"{PROJECT}:{name}")
        if value is None or value == "":
            return default
        if str(value).lower() not in ("true", "false"):
            self.refuse(f"{PROJECT}:{name}", value, "true or false")
            return default
        return str(value).lower() == "true"

    def mapping(self, name: str, known: Collection[str]) -> dict[str, str]:
        full = f"{PROJECT}:{name}"
        value = self.config.get(full)
        if isinstance(value, str):
            try:
                value = json.loads(value or "{}")
            except ValueError:
                self.refuse(full, value, f"a map with the keys {', '.join(known)}")
                return {}
        if not isinstance(value or {}, dict):
            self.refuse(full, value, f"a map with the keys {', '.join(known)}")
            return {}
        found = cast("dict[str, Any]", value or {})
        for unknown in sorted(set(found) - set(known)):
            self.refuse(
                f"{full}.{unknown}",
                found[unknown],
                _nearest(unknown, known),
                f"pulumi config rm --path {name}.{unknown}",
            )
        return {k: str(v) for k, v in found.items() if k in known and v is not None}

    def unknown_keys(self) -> None:
        known = [key.name for key in KEYS if key.namespace == PROJECT]
        for full in sorted(self.config):
            namespace, _, name = full.partition(":")
            if namespace == PROJECT and full not in _BY_NAME:
                shown = "an unknown key"
                self.problems.append(Problem(full, shown, _nearest(name, known), f"pulumi config rm {name}"))


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"perhaps {close[0]}" if close else f"one of {', '.join(sorted(known))}"


def read(config: Mapping[str, Any], secrets: Collection[str], stack: str, folder: Path) -> Settings:
    """Turn a stack's config into settings; a pure function but for a look at a chart's files.

    Takes the config as the engine gives it (full key -> text; structured values as JSON text), the full names of the
    keys that came encrypted, the stack's name and the program's folder (a chart's path is relative to it). Raises
    `SettingsError` with every problem.
    """
    reader = _Reader(config, secrets)
    reader.unknown_keys()
    prefix = reader.text("imagePrefix")
    if prefix and (bad := images.prefix_problem(prefix)):
        reader.refuse(f"{PROJECT}:imagePrefix", prefix, bad[0], f"pulumi config set imagePrefix {bad[1]}")
    username = reader.text("registryUsername")
    password = reader.secret("registryPassword")
    release = reader.matching(
        "release",
        "binderhub",
        _RELEASE_NAME,
        "at most 53 lower case letters, digits and '-', starting with a letter or digit",
    )
    namespace = reader.matching(
        "namespace",
        release,
        _NAMESPACE,
        "at most 63 lower case letters, digits and '-', starting with a letter or digit",
    )
    exposure = reader.text("exposure", EXPOSURES[0])
    if exposure not in EXPOSURES:
        reader.refuse(f"{PROJECT}:exposure", exposure, f"one of {', '.join(EXPOSURES)}")
    settings = Settings(
        stack=stack,
        image_prefix=prefix,
        registry=RegistrySettings(username=username, password=password or Secret("")),
        release=release,
        namespace=namespace,
        chart=_chart(reader, folder),
        timeout=reader.integer("timeout", 900, 10, 86_400),
        address_timeout=reader.integer("addressTimeout", 300, 5, 86_400),
        exposure=exposure,
        protect=reader.boolean("protect", stack == "prod"),
        tiller=_tiller(reader, namespace),
        tokens=TokenSettings(rotation=reader.integer("rotation", 1, 0, 999_999), given=_tokens(reader)),
        cluster=ClusterSettings(
            kubeconfig=reader.text("kubeconfig", namespace="kubernetes"),
            context=reader.text("context", namespace="kubernetes"),
            identifier=reader.text("clusterIdentifier", f"{PROJECT}-{stack}"),
        ),
    )
    if reader.problems:
        raise SettingsError(stack, reader.problems)
    return settings


def _chart(reader: _Reader, folder: Path) -> chart.Chart:
    path, version = reader.text("chart"), reader.text("chartVersion")
    if path and version:
        reader.refuse(
            f"{PROJECT}:chartVersion", version, "no version beside a chart's path", "pulumi config rm chartVersion"
        )
    if not path:
        return chart.published(version)
    try:
        return chart.local(path, folder)
    except chart.ChartError as error:
        reader.refuse(f"{PROJECT}:chart", path, str(error))
        return chart.published()


def _tiller(reader: _Reader, namespace: str) -> TillerSettings:
    plain, rbac = (_NAMESPACE, "lower case letters, digits and '-'"), (_RBAC_NAME, "the name of a binding or a role")
    checks = {"namespace": plain, "name": plain, "binding": rbac, "role": rbac}
    given = reader.mapping("tiller", checks)
    whole = {"binding": given.get("name", _USUAL_TILLER.binding), **given}
    tiller = replace(_USUAL_TILLER, **whole)
    for part, value in given.items():
        pattern, expected = checks[part]
        if not pattern.fullmatch(value):
            reader.refuse(
                f"{PROJECT}:tiller.{part}",
                value,
                expected,
                f"pulumi config set --path tiller.{part} {getattr(_USUAL_TILLER, part)}",
            )
    if tiller.namespace == namespace:
        # Hub and binder may create pods there, and a pod may use any account of its namespace.
        reader.refuse(
            f"{PROJECT}:tiller.namespace",
            tiller.namespace,
            "not the hub's own namespace: its pods could take tiller's rights",
            "pulumi config set --path tiller.namespace kube-system",
        )
    return tiller


def _tokens(reader: _Reader) -> dict[str, Secret]:
    def check(text: str) -> str:
        return "" if _HEX.fullmatch(text) else "at least 32 hexadecimal digits, as `openssl rand -hex 32` prints them"

    return {name: token for name in TOKEN_KEYS if (token := reader.secret(name, check))}


def load() -> Settings:
    """Read the settings of the stack that runs. Raises `SettingsError` with every problem."""
    from pulumi.runtime import config as runtime

    config = {**runtime.get_config_env(), **runtime.CONFIG.get()}
    secrets = [name for name in config if runtime.is_config_secret(name)]
    secrets += runtime.get_config_secret_keys_env()
    return read(config, secrets, pulumi.get_stack(), Path.cwd())
