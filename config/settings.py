"""The stack configuration: the only reader of Pulumi's config.

`load()` turns the stack's config into one frozen `Settings`, or raises one `SettingsError` that lists every problem.
It touches no cluster and registers no resource. Which keys there are stands in `keys.py`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pulumi

from config import chart, image_prefix, registries, risks, traits, types, values_file
from config.errors import Problem, SettingsError
from config.keys import AUTHENTICATORS, KEYS, PROJECT, TOKEN_KEYS
from config.reader import Reader, Secret
from kube.nested import at, merged

__all__ = ["PROJECT", "TOKEN_KEYS", "Problem", "Secret", "Settings", "SettingsError", "load", "read"]


@dataclass(frozen=True, kw_only=True)
class TillerSettings:
    """Whose rights install the release: `namespace` and `name` of a service account.

    `binding` is the ClusterRoleBinding that gives it the ClusterRole `role`. With another role than the usual one,
    the binding's name ends in it; see `components.tiller.binding_name`.
    """

    namespace: str
    name: str
    binding: str
    role: str


@dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """Tokens of a hub that exists already win over generated ones; another `rotation` replaces the generated ones."""

    rotation: int
    given: Mapping[str, Secret]


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Which cluster: a kubeconfig ("" is $KUBECONFIG or ~/.kube/config), a context ("" is the current one).

    `login_timeout` is in seconds.
    """

    kubeconfig: str
    context: str
    identifier: str
    login_timeout: int


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
    `warnings` are for the user, and stop nothing.
    """

    stack: str
    profile: str
    image_prefix: str
    registry: registries.Registry
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
_TILLER_PARTS: Final = {
    **dict.fromkeys(("namespace", "name"), types.NAMESPACE),
    **dict.fromkeys(("binding", "role"), types.RBAC_NAME),
}
# The first must not be more than the second.
_ORDERED: Final = (
    ("userMemoryGuarantee", "userMemoryLimit"),
    ("userCpuGuarantee", "userCpuLimit"),
    ("repositoryQuota", "launchQuota"),
)


def read(config: Mapping[str, Any], secrets: Collection[str], stack: str, folder: Path) -> Settings:
    """Turn a stack's config into settings; a pure function but for a look at files beside the program.

    Takes the config as the engine gives it (full key -> text; structured values as JSON text), the full names of the
    keys that came encrypted, the stack's name and the program's folder: a chart's path is relative to it, and the
    other stacks' files lie there. Raises `SettingsError` with every problem.
    """
    reader = Reader(config, secrets)
    reader.unknown_keys()
    reader.profile = reader.value("profile") or ("prod" if stack == "prod" else "dev")
    release = reader.text("release")
    namespace = reader.text("namespace", release)
    prefix = reader.text("imagePrefix")
    accepted = risks.accepted(reader)
    settings = Settings(
        stack=stack,
        profile=reader.profile,
        image_prefix=prefix,
        registry=_registry(reader, prefix),
        release=release,
        namespace=namespace,
        chart=chart.chosen(reader, folder),
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
        tokens=_tokens(reader),
        cluster=ClusterSettings(
            kubeconfig=reader.text("kubeconfig", namespace="kubernetes"),
            context=reader.text("context", namespace="kubernetes"),
            identifier=reader.text("clusterIdentifier", f"{PROJECT}-{stack}"),
            login_timeout=reader.value("loginTimeout"),
        ),
        options=_options(reader),
        own_values=values_file.own_values(reader, folder, own_names="unknownConfig" in accepted),
        accepted_risks=accepted,
    )
    _consistency(reader, settings)
    facts = risks.Facts(
        serious=settings.protect or settings.profile == "prod",
        login=settings.login is not None,
        hub_database=settings.hub_database,
        options=settings.options,
        own=settings.own_values,
    )
    warnings = [image_prefix.warning(prefix), *risks.refuse(reader, facts, accepted)]
    if prefix and not reader.value("sharedImagePrefix"):
        image_prefix.refuse_clashes(reader, prefix, stack, folder)
    if reader.problems:
        raise SettingsError(stack, reader.problems)
    warnings += traits.warnings(_chosen_names(settings))
    return replace(settings, warnings=tuple(filter(None, warnings)))


def _chosen_names(settings: Settings) -> dict[str, Any]:
    """Return the values whose names the user chose: the own ones, and the authenticator's further settings."""
    login = settings.login
    further = at(f"jupyterhub.hub.config.{AUTHENTICATORS[login.authenticator]}", dict(login.config)) if login else {}
    return merged(further, settings.own_values)


def _registry(reader: Reader, prefix: str) -> registries.Registry:
    password = reader.secret("registryPassword")
    registry = registries.Registry(
        type=reader.text("registry"),
        host=reader.text("registryHost"),
        username=reader.text("registryUsername"),
        password=password,
        token_url=reader.text("registryTokenUrl"),
        private=reader.value("privateImages"),
    )
    told = {problem.key for problem in reader.problems}
    seen = replace(registry, password=password.reveal() if password else None)
    findings = registries.registry_problems(seen, image_prefix.split_host(prefix)[0])
    # For ECR no prefix is right, and one message says so.
    if prefix and registry.type != registries.ECR:
        bad = image_prefix.problem(prefix, registry_type=registry.type, host=registry.host)
        findings += [("imagePrefix", prefix, bad[0], f"pulumi config set imagePrefix {bad[1]}")] if bad else []
    for name, found, expected, example in findings:
        if f"{PROJECT}:{name}" in told:
            continue
        if name == "registryPassword":
            reader.tell(name, found, expected, example)
        else:
            reader.refuse(name, found or None, expected, example)
    return registry


def _options(reader: Reader) -> dict[str, Any]:
    """Read the ordinary keys, those that go to their places in the values as they are."""
    plain = {key.name: reader.value(key.name) for key in KEYS if key.paths and not key.secret}
    hidden = {key.name: reader.secret(key.name) for key in KEYS if key.paths and key.secret}
    return {name: value for name, value in {**plain, **hidden}.items() if value is not None}


def _consistency(reader: Reader, settings: Settings) -> None:
    """Refuse what contradicts itself; the cluster would, too, but only in the middle of an update."""
    for low, high in _ORDERED:
        least, most = settings.options.get(low), settings.options.get(high)
        if least is not None and most is not None and types.amount(least) > types.amount(most):
            reader.refuse(low, least, f"no more than {high}, which is {most}", f"pulumi config set {low} {most}")


def _login(reader: Reader, accepted: Collection[str]) -> LoginSettings | None:
    authenticator, secret = reader.value("authenticator"), reader.secret("oauthClientSecret")
    client, allowed = reader.value("oauthClientId"), reader.value("allowedUsers")
    further = reader.value("authenticatorConfig")
    if authenticator == "none":
        shown = "a set value" if secret else None
        given = {"oauthClientId": client, "allowedUsers": allowed, "authenticatorConfig": further}
        for name, value in {**given, "oauthClientSecret": shown}.items():
            if value is not None:
                reader.refuse(name, value, "an authenticator beside it", "pulumi config set authenticator github")
        return None
    for name, value in (("oauthClientId", client), ("oauthClientSecret", secret)):
        if not value and not reader.is_refused(name):
            reader.refuse(name, None, f"what the service gave for this hub; {authenticator} needs it")
    if not allowed:
        reader.refuse("allowedUsers", None, 'who may log in: a list of names, or ["*"] for everybody')
    login = LoginSettings(
        authenticator=authenticator,
        client_id=client or "",
        client_secret=secret or Secret(""),
        allowed=tuple(allowed or ()),
        config=further or {},
    )
    if "unknownConfig" not in accepted:
        traits.refuse_further(reader, AUTHENTICATORS[authenticator], login.config)
    for name in ("authorize_url", "token_url", "userdata_url") if authenticator == "generic-oauth" else ():
        if not login.config.get(name):
            example = f"pulumi config set --path authenticatorConfig.{name} https://login.example.org/{name}"
            reader.refuse(f"authenticatorConfig.{name}", None, "an address of the OAuth service", example)
    return login


def _tokens(reader: Reader) -> TokenSettings:
    given = {name: token for name in TOKEN_KEYS if (token := reader.secret(name))}
    return TokenSettings(rotation=reader.value("rotation"), given=given)


def _tiller(reader: Reader, namespace: str) -> TillerSettings:
    given = reader.mapping("tiller", _TILLER_PARTS)
    tiller = replace(_USUAL_TILLER, **{"binding": given.get("name", _USUAL_TILLER.binding), **given})
    for part, value in given.items():
        example = f"pulumi config set --path tiller.{part} {getattr(_USUAL_TILLER, part)}"
        reader.fitting(f"tiller.{part}", value, _TILLER_PARTS[part], example)
    if tiller.namespace == namespace:
        # Hub and binder may create pods there, and a pod may use any account of its namespace.
        expected = "not the hub's own namespace: its pods could take tiller's rights"
        example = "pulumi config set --path tiller.namespace kube-system"
        reader.refuse("tiller.namespace", tiller.namespace, expected, example)
    return tiller


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
