"""The stack configuration: the only reader of Pulumi's config.

`load()` turns the stack's config into one frozen `Settings`, or raises one `SettingsError` that lists every problem.
It touches no cluster and registers no resource. Which keys there are stands in `keys.py`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pulumi
from pulumi.runtime import config as runtime

from config import chart, image_prefix, registries, risks, types, values_file, versions
from config.applications import traits
from config.errors import Problem, SettingsError
from config.keys import AUTHENTICATORS, KEYS, PROFILES, PROJECT, REPOSITORIES, TOKEN_KEYS, set_command
from config.reader import Reader
from config.types import Secret
from kube.nested import at, get

__all__ = ["PROJECT", "TOKEN_KEYS", "Problem", "Secret", "Settings", "SettingsError", "load", "read"]


@dataclass(frozen=True, kw_only=True)
class TillerSettings:
    """Whose rights install the release: `namespace` and `name` of a service account.

    `binding` is the ClusterRoleBinding that gives it the ClusterRole `role`. With another role than the usual one,
    the binding's name ends in it; see `components.tiller.manifests`.
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

    @property
    def section(self) -> str:
        """Where the authenticator's settings stand in the Helm values."""
        return f"jupyterhub.hub.config.{AUTHENTICATORS[self.authenticator]}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a stack decides. Times are in seconds.

    `options` are the ordinary keys: name -> value, only those that are set or have a default. The registry's password
    is a `Secret` or None; `login` is None for a hub without login. `own_values` are the Helm values of the user's own
    file and of `secretValues`, with a `Secret` at the leaves of the latter. `accepted_risks` are names with reasons.
    `warnings` are for the user, and stop nothing.
    """

    stack: str
    image_prefix: str
    registry: registries.Registry
    release: str
    namespace: str
    hub_image: chart.HubImage
    chart: chart.Chart
    timeout: int
    address_timeout: int
    protect: bool
    adopt_release: bool
    existing_namespace: bool
    skip_server_checks: bool
    labels: Mapping[str, str]
    image_cleaner: str
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
    reader.profile = _profile(reader, stack)
    release = reader.value("release")
    namespace = reader.value("namespace") or release
    prefix = reader.value("imagePrefix") or ""
    accepted = risks.accepted(reader)
    own_values = values_file.own_values(reader, folder, accepted)
    which = chart.chosen(reader, folder)
    settings = Settings(
        stack=stack,
        image_prefix=prefix,
        registry=_registry(reader, prefix),
        release=release,
        namespace=namespace,
        chart=which,
        hub_image=chart.hub_image(reader, which, own_values),
        timeout=reader.value("timeout"),
        address_timeout=reader.value("addressTimeout"),
        protect=reader.value("protect"),
        adopt_release=reader.value("adoptRelease"),
        existing_namespace=reader.value("existingNamespace"),
        skip_server_checks=reader.value("skipServerChecks"),
        labels=reader.value("labels") or {},
        image_cleaner=reader.value("imageCleaner"),
        login=_login(reader, accepted),
        tiller=_tiller(reader, namespace),
        tokens=TokenSettings(
            rotation=reader.value("rotation"),
            given={name: token for name in TOKEN_KEYS if (token := reader.value(name))},
        ),
        cluster=ClusterSettings(
            kubeconfig=reader.value("kubernetes:kubeconfig") or "",
            context=reader.value("kubernetes:context") or "",
            identifier=reader.value("clusterIdentifier") or f"{PROJECT}-{stack}",
            login_timeout=reader.value("loginTimeout"),
        ),
        options=_options(reader),
        own_values=own_values,
        accepted_risks=accepted,
    )
    image_prefix.refuse_loopback(reader, prefix, settings.options["builder"], own_values)
    if settings.login and settings.options["replicas"] > 1:
        risks.refuse_ways_around(reader, own_values)
    facts = risks.Facts(
        serious=settings.protect or reader.profile == "prod",
        login=settings.login is not None,
        options=settings.options,
        hub=settings.own_values.get("jupyterhub"),
    )
    warnings = [*image_prefix.warnings(prefix), *risks.refuse(reader, facts, accepted), *reader.warnings()]
    hub = versions.Hub(login=facts.login, values=get(facts.hub, "hub"))
    if "knownHoles" not in accepted and (holes := versions.holes(settings.hub_image.jupyterhub, hub)):
        warnings.append(f"knownHoles: {holes}, or accept it: {risks.acceptance('knownHoles')}")
    if prefix and not reader.value("sharedImagePrefix"):
        image_prefix.refuse_clashes(reader, prefix, stack, folder)
    if reader.problems:
        raise SettingsError(stack, reader.problems)
    warnings += traits.warnings(settings.own_values)
    if settings.login:
        warnings += traits.warnings(at(settings.login.section, settings.login.config))
    return replace(settings, warnings=tuple(warnings))


def _profile(reader: Reader, stack: str) -> str:
    """Return whose defaults hold. By its name a stack is `dev` or `prod`; any other must say it.

    Else one named `production` would have the defaults for play, unprotected and with its database in memory.
    """
    given = reader.value("profile") or (stack if stack in PROFILES else "")
    if not given and not reader.is_refused("profile"):
        expected = (
            f"dev (to play) or prod (keeps people's work), since the name {stack} does not tell which defaults hold"
        )
        reader.refuse("profile", None, expected)
    return given or "dev"


def _registry(reader: Reader, prefix: str) -> registries.Registry:
    registry = registries.Registry(
        type=reader.value("registry"),
        host=reader.value("registryHost") or "",
        username=reader.value("registryUsername") or "",
        password=reader.value("registryPassword"),
        token_url=reader.value("registryTokenUrl") or "",
        private=reader.value("privateImages"),
    )
    findings = registries.registry_problems(registry, image_prefix.split_host(prefix)[0])
    # For ECR no prefix is right, and one message says so.
    if prefix and registry.type != registries.ECR:
        findings += image_prefix.findings(prefix, registry, is_set=reader.is_set("registry"))
    for name, found, expected, example in findings:
        if not reader.is_refused(name):
            reader.refuse(name, found, expected, example)
    return registry


def _options(reader: Reader) -> dict[str, Any]:
    """Read the ordinary keys, those that go to their places in the values as they are.

    Refuse what contradicts itself; the cluster would, too, but only in the middle of an update.
    """
    read = {key.name: reader.value(key.name) for key in KEYS if key.paths or key.type is REPOSITORIES}
    options = {name: value for name, value in read.items() if value is not None}
    for low, high in _ORDERED:
        least, most = options.get(low), options.get(high)
        if least is None or most is None or types.amount(least) <= types.amount(most):
            continue
        if reader.is_set(low):
            reader.refuse(low, least, f"no more than {high}, which is {most}", f"pulumi config set {low} {most}")
        else:
            options[low] = most  # nobody asked for more
    return options


def _login(reader: Reader, accepted: Collection[str]) -> LoginSettings | None:
    authenticator = reader.value("authenticator")
    names = ("oauthClientId", "oauthClientSecret", "allowedUsers", "authenticatorConfig")
    given = {name: reader.value(name) for name in names}
    if authenticator == "none":
        for name, value in given.items():
            if value is not None:
                reader.refuse(name, value, "an authenticator beside it", "pulumi config set authenticator github")
        return None
    needed = dict.fromkeys(names[:2], f"what the service gave for this hub; {authenticator} needs it")
    for name, expected in {**needed, "allowedUsers": 'who may log in: a list of names, or ["*"] for everybody'}.items():
        if not given[name] and not reader.is_refused(name):
            reader.refuse(name, None, expected)
    login = LoginSettings(
        authenticator=authenticator,
        client_id=given["oauthClientId"] or "",
        client_secret=given["oauthClientSecret"] or Secret(""),
        allowed=tuple(given["allowedUsers"] or ()),
        config=given["authenticatorConfig"] or {},
    )
    further = at(login.section, types.revealed(login.config))
    for finding in (*traits.problems(further, "unknownConfig" in accepted), *traits.misfits(further)):
        place, expected, example = (text.replace(login.section, "authenticatorConfig") for text in finding)
        reader.tell(place, "an unknown name or another sort of value", expected, example)
    for name in ("authorize_url", "token_url", "userdata_url") if authenticator == "generic-oauth" else ():
        if not login.config.get(name):
            place = f"authenticatorConfig.{name}"
            example = set_command(place, f"https://login.example.org/{name.removesuffix('_url')}", path=True)
            reader.refuse(place, None, "an address of the OAuth service", example)
    return login


def _tiller(reader: Reader, namespace: str) -> TillerSettings:
    given = reader.mapping("tiller", _TILLER_PARTS, vars(_USUAL_TILLER))
    tiller = replace(_USUAL_TILLER, **{"binding": given.get("name", _USUAL_TILLER.binding), **given})
    if tiller.namespace == namespace:
        # Hub and binder may create pods there, and a pod may use any account of its namespace.
        expected = "not the hub's own namespace: its pods could take tiller's rights"
        example = "pulumi config set --path tiller.namespace kube-system"
        reader.refuse("tiller.namespace", tiller.namespace, expected, example)
    return tiller


def load() -> Settings:
    """Read the settings of the stack that runs, and show their warnings. Raises `SettingsError` with every problem."""
    config = {**runtime.get_config_env(), **runtime.CONFIG.get()}
    secrets = [name for name in config if runtime.is_config_secret(name)]
    secrets += runtime.get_config_secret_keys_env()
    settings = read(config, secrets, pulumi.get_stack(), Path.cwd())
    for warning in settings.warnings:
        pulumi.log.warn(warning)
    return settings
