"""The Helm values: the whole dict, what is an output in it, and what its fingerprint notices."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from config import settings, values
from config.settings import Secret, Settings, SettingsError
from tests.unit.conftest import ROOT

CONFIG = {
    "binderhub:imagePrefix": "acme/binder-dev-",
    "binderhub:registryUsername": "me",
    "binderhub:registryPassword": "pa55",
    "binderhub:namespace": "ns",
}
Path = tuple[str | int, ...]
OUTPUT = "<output>"
NAMES = ("api", "proxy", "cookie", "crypt", "build")

pytestmark = pytest.mark.usefixtures("loop")


def sample(**changes: Any) -> Settings:
    return replace(settings.read(CONFIG, ["binderhub:registryPassword"], "dev", ROOT), **changes)


def made(given: Settings | None = None, tokens: str = "t", hub_url: Any = None) -> dict[str, Any]:
    secrets = values.TokenValues(**{name: pulumi.Output.secret(f"{tokens}-{name}") for name in NAMES})
    hub, binder = (
        hub_url or pulumi.Output.from_input("http://203.0.113.7"),
        pulumi.Output.from_input("http://203.0.113.8"),
    )
    return values.helm_values(given or sample(), secrets, hub, binder)


def shape(value: Any) -> Any:
    """The same values with a mark for each output."""
    if isinstance(value, pulumi.Output):
        return OUTPUT
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    return [shape(v) for v in value] if isinstance(value, list) else value


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(below, (*path, key))
    else:
        yield path, value


def fingerprint(given: dict[str, Any]) -> str:
    return str(given["service"]["annotations"][values.FINGERPRINT])


def test_all_values() -> None:
    got = made()
    assert shape(got) == {
        "registry": {"username": "me", "password": OUTPUT},
        "service": {"type": "ClusterIP", "annotations": {"binderhub-pulumi/values-fingerprint": fingerprint(got)}},
        "imageBuilderType": "dind",
        "dind": {"hostSocketDir": "/var/run/dind/ns", "hostLibDir": "/var/lib/dind/ns"},
        "podAnnotations": {"binderhub-pulumi/api-token-hash": OUTPUT},
        "config": {
            "BinderHub": {
                "image_prefix": "acme/binder-dev-",
                "use_registry": True,
                "hub_url": OUTPUT,
                "hub_url_local": "http://proxy-public",
                "build_token_secret": OUTPUT,
            },
            "RateLimiter": {"limit": 10, "period_seconds": 3600},
        },
        "imageCleaner": {"enabled": False},
        "replicas": 1,
        "jupyterhub": {
            "cull": {"every": 600, "maxAge": 0, "timeout": 3600},
            "scheduling": {"userScheduler": {"enabled": False}},
            "singleuser": {
                "cpu": {"guarantee": 0.05, "limit": 1.0},
                "memory": {"guarantee": "256M", "limit": "1G"},
            },
            "hub": {
                "db": {"type": "sqlite-memory"},
                "services": {"binder": {"apiToken": OUTPUT}},
                "config": {"JupyterHub": {"cookie_secret": OUTPUT}, "CryptKeeper": {"keys": [OUTPUT]}},
            },
            "proxy": {"secretToken": OUTPUT, "service": {"type": "ClusterIP"}},
        },
    }
    assert len(fingerprint(got)) == 12


def test_each_output_stands_in_its_place() -> None:
    found = {path: leaf for path, leaf in leaves(made()) if isinstance(leaf, pulumi.Output)}

    async def texts() -> dict[str, tuple[Any, bool]]:
        return {"/".join(map(str, path)): (await leaf.future(), await leaf.is_secret()) for path, leaf in found.items()}

    got = asyncio.get_event_loop_policy().get_event_loop().run_until_complete(texts())
    hub = "jupyterhub/hub"
    hashed = got.pop("podAnnotations/binderhub-pulumi/api-token-hash")
    assert got == {
        "registry/password": ("pa55", True),
        "config/BinderHub/hub_url": ("http://203.0.113.7", False),
        "config/BinderHub/build_token_secret": ("t-build", True),
        f"{hub}/services/binder/apiToken": ("t-api", True),
        f"{hub}/config/JupyterHub/cookie_secret": ("t-cookie", True),
        f"{hub}/config/CryptKeeper/keys/0": ("t-crypt", True),
        "jupyterhub/proxy/secretToken": ("t-proxy", True),
    }
    assert len(hashed[0]) == 16
    assert "t-api" not in hashed[0]


def test_no_null_and_no_large_number() -> None:
    """The application dies of nulls, and Helm prints large numbers as 1e+06."""
    for path, leaf in leaves(made()):
        assert leaf is not None, path
        assert isinstance(leaf, str | bool | pulumi.Output) or (isinstance(leaf, int | float) and leaf < 1_000_000), (
            path
        )


def test_a_fresh_dict_at_each_call() -> None:
    given = sample()
    first = made(given)
    first["config"]["BinderHub"]["image_prefix"] = "changed"
    first["service"]["annotations"].clear()
    assert made(given)["config"]["BinderHub"]["image_prefix"] == "acme/binder-dev-"
    assert len(made(given)["service"]["annotations"]) == 1


@pytest.mark.parametrize("prefix", ["me/binder-", "my-org/binder-"])
def test_an_ambiguous_prefix_names_its_registry(prefix: str) -> None:
    assert made(sample(image_prefix=prefix))["config"]["BinderHub"]["image_prefix"] == f"docker.io/{prefix}"


@pytest.mark.parametrize(
    ("asked", "runtimes", "builder"),
    [
        ("auto", {"docker"}, "host"),
        ("auto", {"docker", "containerd"}, "dind"),
        ("auto", set(), "dind"),
        ("host", {"docker"}, "host"),
        ("host", set(), "host"),
        ("host", {"docker", "something-new"}, "host"),
        ("pink", None, "pink"),  # nobody is asked
    ],
)
def test_the_builder_fits_the_nodes(asked: str, runtimes: set[str] | None, builder: str) -> None:
    given = sample(options={**sample().options, "builder": asked})
    got = values.resolve_builder(given, lambda: runtimes)  # type: ignore[arg-type,return-value]
    assert got == replace(given, options={**given.options, "builder": builder})


@pytest.mark.parametrize("runtimes", [{"containerd"}, {"cri-o", "docker"}])
def test_host_on_nodes_without_docker_is_refused(runtimes: set[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        values.resolve_builder(sample(options={"builder": "host"}), lambda: runtimes)
    (problem,) = caught.value.problems
    assert (problem.key, problem.example) == ("binderhub:builder", "pulumi config set builder dind")
    assert all(runtime in problem.found for runtime in runtimes)


@pytest.mark.parametrize(
    ("builder", "folders"),
    [
        ("dind", {"hostSocketDir": "/var/run/dind/ns", "hostLibDir": "/var/lib/dind/ns"}),
        ("pink", {"hostSocketDir": "/var/run/pink/ns", "hostStorageDir": "/var/lib/pink/ns"}),
        ("host", None),  # the nodes' own Docker: there is nothing to place
    ],
)
def test_each_builder_has_its_own_folders(builder: str, folders: dict[str, str] | None) -> None:
    got = made(sample(options={**sample().options, "builder": builder}))
    assert {name: got[name] for name in ("dind", "pink", "host") if name in got} == (
        {builder: folders} if folders else {}
    )


def changed_leaf(given: dict[str, Any], path: Path) -> dict[str, Any]:
    *above, last = path
    part: Any = given
    for key in above:
        part = part[key]
    part[last] = f"{part[last]}-changed"
    return given


def test_fingerprint_notices_each_plain_value() -> None:
    plain = [path for path, leaf in leaves(made()) if not isinstance(leaf, pulumi.Output)]
    assert len(plain) == 23
    seen = {values.fingerprint(made()), *(values.fingerprint(changed_leaf(made(), path)) for path in plain)}
    assert len(seen) == len(plain) + 1


def test_fingerprint_notices_the_charts_files() -> None:
    edited = sample(chart=replace(sample().chart, digest="abc"))
    assert fingerprint(made(edited)) != fingerprint(made())
    assert fingerprint(made(sample(image_prefix="acme/other-"))) != fingerprint(made())


def test_fingerprint_says_nothing_of_secrets() -> None:
    other = sample(registry=replace(sample().registry, password=Secret("other")))
    same = {fingerprint(made()), fingerprint(made(other, tokens="u", hub_url=pulumi.Output.from_input("http://x")))}
    assert len(same) == 1
