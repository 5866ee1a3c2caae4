"""What a stack is told: the only reader of Pulumi's config.

`load()` turns the stack's config into one frozen `Settings`, or raises one `SettingsError` that lists every problem.
It touches no cluster and registers no resource. Which keys there are stands in `keys.py`.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pulumi
import yaml

from components import chart, images, kinds, risks, traits, valuesfile
from components.keys import AUTHENTICATORS, BY_NAME, KEYS, PROJECT, TOKEN_KEYS
from components.problems import Problem, SettingsError
from components.reader import Reader, Secret
from components.tree import at, merged

# Helm's own limits: helm.sh/helm/v3/pkg/chartutil/validate_name.go (53 leaves room for suffixes in object names).
__all__ = ["PROJECT", "TOKEN_KEYS", "Problem", "Secret", "Settings", "SettingsError", "load", "read"]

_RELEASE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# RBAC names may hold colons (system:...) and dots.
_RBAC_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.:]{0,250}[A-Za-z0-9])?")
_HEX: Final = re.compile(r"([0-9a-f]{2}){16,}")
_GOOGLE: Final = ("gcr", "gar")


@dataclass(frozen=True, kw_only=True)
class TillerSettings:
    """Whose rights install the release. `role` is a ClusterRole."""

    namespace: str
    name: str
    binding: str
    role: str


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
class LoginSettings:
    """Who logs people in. `authenticator` is JupyterHub's name of it, `config` its further settings."""

    authenticator: str
    client_id: str
    client_secret: Secret
    allowed: tuple[str, ...]
    config: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a stack decides. Times are in seconds.

    `options` are the ordinary keys: name -> value, only those that are set or have a default. The registry's password
    is a `Secret` or None; `login` is None for a hub without login. `own_values` are the Helm values of the user's own
    file and of `secretValues`, with a `Secret` at the leaves of the latter. `accepted_risks` are names with reasons.
    `warnings` are for the person, and stop nothing.
    """

    stack: str
    profile: str
    image_prefix: str
    registry: images.Registry
    release: str
    namespace: str
    chart: chart.Chart
    timeout: int
    address_timeout: int
    exposure: str
    protect: bool
    adopt_release: bool
    skip_server_checks: bool
    replicas: int
    labels: Mapping[str, str]
    image_cleaner: str
    hub_database: str
    login: LoginSettings | None
    tiller: TillerSettings
    tokens: TokenSettings
    cluster: ClusterSettings
    options: Mapping[str, Any]
    own_values: Mapping[str, Any]
    accepted_risks: Mapping[str, str]
    warnings: tuple[str, ...] = ()


# The account of the walkthrough.
_USUAL_TILLER: Final = TillerSettings(namespace="kube-system", name="tiller", binding="tiller", role="cluster-admin")


def required_secrets(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the full names of the secret keys that a stack with this config must have."""
    kind = images.KINDS.get(str(config.get(f"{PROJECT}:registry") or images.DOCKER_HUB))
    login = str(config.get(f"{PROJECT}:authenticator") or "none") != "none"
    wanted = {"registryPassword": kind is None or kind.needs_login, "oauthClientSecret": login}
    return tuple(f"{PROJECT}:{name}" for name, needed in wanted.items() if needed)


def placeholder(path: str, config: Mapping[str, Any]) -> str:
    """Return a text that passes the checks of the secret at `path`, for rehearsals: it opens nothing."""
    if path == f"{PROJECT}:registryPassword" and config.get(f"{PROJECT}:registry") in _GOOGLE:
        return '{"type": "placeholder"}'
    return "0" * 64


def read(config: Mapping[str, Any], secrets: Collection[str], stack: str, folder: Path) -> Settings:
    """Turn a stack's config into settings; a pure function but for a look at files beside the program.

    Takes the config as the engine gives it (full key -> text; structured values as JSON text), the full names of the
    keys that came encrypted, the stack's name and the program's folder: a chart's path is relative to it, and the
    other stacks' files lie there. Raises `SettingsError` with every problem.
    """
    reader = Reader(config, secrets)
    reader.unknown_keys()
    reader.profile = reader.value("profile") or ("prod" if stack == "prod" else "dev")
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
    prefix = reader.text("imagePrefix")
    accepted = _accepted(reader)
    settings = Settings(
        stack=stack,
        profile=reader.profile,
        image_prefix=prefix,
        registry=_registry(reader, prefix),
        release=release,
        namespace=namespace,
        chart=_chart(reader, folder),
        timeout=reader.value("timeout"),
        address_timeout=reader.value("addressTimeout"),
        exposure=reader.value("exposure"),
        protect=reader.value("protect"),
        adopt_release=reader.value("adoptRelease"),
        skip_server_checks=reader.value("skipServerChecks"),
        replicas=reader.value("replicas"),
        labels=reader.value("labels") or {},
        image_cleaner=reader.value("imageCleaner"),
        hub_database=reader.value("hubDatabase"),
        login=_login(reader, accepted),
        tiller=_tiller(reader, namespace),
        tokens=TokenSettings(rotation=reader.value("rotation"), given=_tokens(reader)),
        cluster=ClusterSettings(
            kubeconfig=reader.text("kubeconfig", namespace="kubernetes"),
            context=reader.text("context", namespace="kubernetes"),
            identifier=reader.text("clusterIdentifier", f"{PROJECT}-{stack}"),
        ),
        options=_options(reader),
        own_values=_own_values(reader, folder, accepted),
        accepted_risks=accepted,
    )
    _consistency(reader, settings)
    warnings = _risks(reader, settings)
    _clashes(reader, settings, folder)
    if reader.problems:
        raise SettingsError(stack, reader.problems)
    warnings += [_doubt(place, owner) for place, owner in traits.doubts(_chosen_names(settings))]
    return replace(settings, warnings=tuple(filter(None, [images.prefix_warning(prefix), *warnings])))


def _chosen_names(settings: Settings) -> dict[str, Any]:
    """Return the values whose names a person chose: the own ones, and the authenticator's further settings."""
    login = settings.login
    further = at(f"jupyterhub.hub.config.{AUTHENTICATORS[login.authenticator]}", dict(login.config)) if login else {}
    return merged(further, settings.own_values)


def _doubt(place: str, owner: str) -> str:
    hint = f" ({owner} has one of that name)" if owner else ""
    return f"{place}: no trait that we know of{hint}; the application only logs one that it does not know"


def _registry(reader: Reader, prefix: str) -> images.Registry:
    password = reader.secret("registryPassword")
    registry = images.Registry(
        kind=reader.text("registry", images.DOCKER_HUB),
        host=reader.text("registryHost"),
        username=reader.text("registryUsername"),
        password=password,
        token_url=reader.text("registryTokenUrl"),
        private=reader.value("privateImages"),
    )
    told = {problem.key for problem in reader.problems}
    seen = replace(registry, password=password.reveal() if password else None)
    for name, found, expected, example in images.registry_problems(seen, prefix):
        if f"{PROJECT}:{name}" in told or (name == "imagePrefix" and not prefix):
            continue
        if name == "registryPassword" and found:
            reader.problems.append(Problem(f"{PROJECT}:{name}", found, expected, example))
        else:
            reader.refuse(f"{PROJECT}:{name}", found or None, expected, example)
    return registry


def _clashes(reader: Reader, settings: Settings, folder: Path) -> None:
    """Refuse a prefix that another stack has, too: 13 of 41 public hubs share one by copy and paste."""
    if not settings.image_prefix or reader.value("sharedImagePrefix"):
        return
    for file, why in images.clashes(settings.image_prefix, _other_prefixes(settings.stack, folder)):
        reader.refuse(
            f"{PROJECT}:imagePrefix",
            settings.image_prefix,
            f"a prefix of its own; Pulumi.{settings.stack}.yaml clashes with {file}: {why}",
            "pulumi config set sharedImagePrefix true, if they share images on purpose",
        )


def _other_prefixes(stack: str, folder: Path) -> dict[str, str]:
    found = {}
    for file in sorted(folder.glob("Pulumi.*.yaml")):
        if file.name == f"Pulumi.{stack}.yaml":
            continue
        try:
            content = yaml.load(file.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            prefix = content["config"][f"{PROJECT}:imagePrefix"]
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
            continue  # no stack of ours; its own command will say what is wrong with it
        if isinstance(prefix, str) and prefix:
            found[file.name] = prefix
    return found


def _options(reader: Reader) -> dict[str, Any]:
    """Read the ordinary keys, those that go to their places in the values as they are."""
    plain = {key.name: reader.value(key.name) for key in KEYS if key.paths and not key.secret}
    hidden = {key.name: reader.secret(key.name) for key in KEYS if key.paths and key.secret}
    return {name: value for name, value in {**plain, **hidden}.items() if value is not None}


def _own_values(reader: Reader, folder: Path, accepted: Collection[str]) -> dict[str, Any]:
    """Read the user's own values file, and the secret values that go beside it."""
    path, own_names = reader.text("valuesFile"), "unknownConfig" in accepted
    values, findings = valuesfile.load(path, folder, own_names) if path else ({}, [])
    for place, expected, example in findings:
        reader.problems.append(Problem(f"{PROJECT}:valuesFile", f"{path}: {place}".rstrip(": "), expected, example))
    for place, text in _secret_map(reader).items():
        secret = at(place, Secret(text))
        for where, expected, example in valuesfile.misplaced(secret, own_names):
            reader.problems.append(Problem(f"{PROJECT}:secretValues", where, expected, example))
        values = merged(values, secret)
    return values


def _secret_map(reader: Reader) -> dict[str, str]:
    secret = reader.secret("secretValues")
    try:
        found = kinds.MAP.read(secret.reveal()) if secret else {}
    except kinds.Unfit:
        found = {"": None}
    if all(place and isinstance(text, str) for place, text in found.items()):
        return dict(found)
    key = BY_NAME[f"{PROJECT}:secretValues"]
    shown, expected = "a value that does not fit (not shown)", "a map of places in the values to texts"
    reader.problems.append(Problem(key.full, shown, expected, key.command))
    return {}


def _consistency(reader: Reader, settings: Settings) -> None:
    """Refuse what contradicts itself; the cluster would, too, but only in the middle of an update."""
    pairs = (
        ("userMemoryGuarantee", "userMemoryLimit"),
        ("userCpuGuarantee", "userCpuLimit"),
        ("repositoryQuota", "launchQuota"),
    )
    for low, high in pairs:
        least, most = settings.options.get(low), settings.options.get(high)
        if least is not None and most is not None and _amount(least) > _amount(most):
            expected = f"no more than {high}, which is {most}"
            reader.refuse(f"{PROJECT}:{low}", least, expected, f"pulumi config set {low} {most}")


def _amount(value: str | float) -> float:
    if isinstance(value, str):
        return float(value[:-1]) * 1024.0 ** ("KMGT".index(value[-1]) + 1)
    return value


def _accepted(reader: Reader) -> dict[str, str]:
    accepted = reader.mapping("acceptedRisks", risks.NAMES)
    for name, reason in accepted.items():
        if not reason.strip():
            reader.refuse(f"{PROJECT}:acceptedRisks.{name}", reason, "the reason, for the next reader of this file")
    return accepted


def _risks(reader: Reader, settings: Settings) -> list[str]:
    """Refuse grave risks, and return the others as warnings."""
    facts = risks.Facts(
        serious=settings.protect or settings.profile == "prod",
        login=settings.login is not None,
        hub_database=settings.hub_database,
        options=settings.options,
        own=settings.own_values,
    )
    grave, others = risks.found(facts, settings.accepted_risks)
    for risk in grave:
        full, shown = f"{PROJECT}:acceptedRisks.{risk.name}", f"a risk that nobody accepted: {risk.why}"
        example = f"{risk.remedy}\n      or accept: {risk.acceptance}"
        reader.problems.append(Problem(full, shown, "a safer setting, or the reason why not", example))
    return [f"{risk.name}: {risk.why}; {risk.remedy}, or accept it: {risk.acceptance}" for risk in others]


def _login_names(reader: Reader, authenticator: str, config: Mapping[str, Any]) -> None:
    """Refuse further settings of the authenticator that look misspelt: JupyterHub would only log them."""
    for name, meant in traits.strangers(traits.HUB, AUTHENTICATORS[authenticator], config):
        if meant:
            expected = f"a setting that the authenticator knows; did you mean {meant}?"
            example = (
                f"pulumi config set --path authenticatorConfig.{meant} ...\n      or, if it is right: {traits.WAY_OUT}"
            )
            problem = Problem(f"{PROJECT}:authenticatorConfig.{name}", "an unknown name", expected, example)
            reader.problems.append(problem)


def _login(reader: Reader, accepted: Collection[str]) -> LoginSettings | None:
    authenticator = reader.value("authenticator")
    secret = reader.secret("oauthClientSecret")
    parts = {name: reader.value(name) for name in ("oauthClientId", "allowedUsers", "authenticatorConfig")}
    if authenticator == "none":
        for name, value in {**parts, "oauthClientSecret": secret}.items():
            if value is not None:
                what = "a set value" if secret is value else value
                reader.refuse(
                    f"{PROJECT}:{name}", what, "an authenticator beside it", "pulumi config set authenticator github"
                )
        return None
    for name, value in (("oauthClientId", parts["oauthClientId"]), ("oauthClientSecret", secret)):
        if not value and not any(p.key == f"{PROJECT}:{name}" for p in reader.problems):
            reader.refuse(f"{PROJECT}:{name}", None, f"what the service gave for this hub; {authenticator} needs it")
    if not parts["allowedUsers"]:
        reader.refuse(f"{PROJECT}:allowedUsers", None, 'who may log in: a list of names, or ["*"] for everybody')
    if "unknownConfig" not in accepted:
        _login_names(reader, authenticator, parts["authenticatorConfig"] or {})
    needed = ("authorize_url", "token_url", "userdata_url") if authenticator == "generic-oauth" else ()
    for name in needed:
        if not (parts["authenticatorConfig"] or {}).get(name):
            example = f"pulumi config set --path authenticatorConfig.{name} https://login.example.org/{name}"
            reader.refuse(f"{PROJECT}:authenticatorConfig.{name}", None, "an address of the OAuth service", example)
    return LoginSettings(
        authenticator=authenticator,
        client_id=parts["oauthClientId"] or "",
        client_secret=secret or Secret(""),
        allowed=tuple(parts["allowedUsers"] or ()),
        config=parts["authenticatorConfig"] or {},
    )


def _chart(reader: Reader, folder: Path) -> chart.Chart:
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


def _tiller(reader: Reader, namespace: str) -> TillerSettings:
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


def _tokens(reader: Reader) -> dict[str, Secret]:
    def check(text: str) -> str:
        return "" if _HEX.fullmatch(text) else "at least 32 hexadecimal digits, as `openssl rand -hex 32` prints them"

    return {name: token for name in TOKEN_KEYS if (token := reader.secret(name, check))}


def load() -> Settings:
    """Read the settings of the stack that runs, and show their warnings. Raises `SettingsError` with every problem."""
    from pulumi.runtime import config as runtime

    config = {**runtime.get_config_env(), **runtime.CONFIG.get()}
    secrets = [name for name in config if runtime.is_config_secret(name)]
    secrets += runtime.get_config_secret_keys_env()
    settings = read(config, secrets, pulumi.get_stack(), Path.cwd())
    for warning in settings.warnings:
        pulumi.log.warn(warning)
    return settings
