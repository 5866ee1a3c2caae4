"""The Helm values: the whole dict, what is an output in it, and what its fingerprint notices."""

import asyncio
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from helm_python.chart import Chart

from config import values, values_file
from config.settings import SettingsError
from config.types import Secret
from kube.nested import at, leaves, merged
from tests.unit.config.conftest import LOGIN, OUTPUT, PASSWORD, helm_values, read, shape

pytestmark = pytest.mark.usefixtures("loop")


def made(**config: str) -> dict[str, Any]:
    return helm_values(read({"namespace": "ns", **config}))


def fingerprint(given: dict[str, Any]) -> str:
    return str(given["service"]["annotations"][values.FINGERPRINT])


def rendered(chart: Chart, given: dict[str, Any]) -> str:
    return str(chart.render(shape(given), name="rel", namespace="hub-ns"))


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
            "KubernetesBuildExecutor": {"build_image": "quay.io/jupyterhub/repo2docker:2025.12.0"},
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
                "extraConfig": {"zz-end-orphans": values.END_ORPHANS},
                "image": {"tag": "4.4.0"},
                "services": {"binder": {"apiToken": OUTPUT}},
                "config": {"JupyterHub": {"cookie_secret": OUTPUT}, "CryptKeeper": {"keys": [OUTPUT]}},
            },
            "proxy": {"secretToken": OUTPUT, "service": {"type": "ClusterIP"}},
        },
    }
    assert len(fingerprint(got)) == 12


def test_each_output_stands_in_its_place(loop: asyncio.AbstractEventLoop) -> None:
    found = {path: leaf for path, leaf in leaves(made()) if isinstance(leaf, pulumi.Output)}

    async def texts() -> dict[str, tuple[Any, bool]]:
        return {path: (await leaf.future(), await leaf.is_secret()) for path, leaf in found.items()}

    got = loop.run_until_complete(texts())
    hub = "jupyterhub.hub"
    hashed = got.pop("podAnnotations.binderhub-pulumi/api-token-hash")
    assert got == {
        "registry.password": (PASSWORD, True),
        "config.BinderHub.hub_url": ("http://203.0.113.7", False),
        "config.BinderHub.build_token_secret": ("t-build", True),
        f"{hub}.services.binder.apiToken": ("t-api", True),
        f"{hub}.config.JupyterHub.cookie_secret": ("t-cookie", True),
        f"{hub}.config.CryptKeeper.keys[0]": ("t-crypt", True),
        "jupyterhub.proxy.secretToken": ("t-proxy", True),
    }
    assert len(hashed[0]) == 16
    assert "t-api" not in hashed[0]


def test_a_fresh_dict_at_each_call() -> None:
    given = read({"namespace": "ns"})
    first = helm_values(given)
    first["config"]["BinderHub"].clear()
    first["service"]["annotations"].clear()
    assert shape(helm_values(given)) == shape(made())


def test_an_ambiguous_prefix_names_its_registry() -> None:
    assert made(imagePrefix="my-org/binder-")["config"]["BinderHub"]["image_prefix"] == "docker.io/my-org/binder-"


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_defaults_of_both_profiles_are_taken_by_the_chart(chart: Chart, stack: str) -> None:
    objects = rendered(chart, helm_values(read(stack=stack)))
    assert ("ClusterRole" in objects) == (stack == "prod")
    assert ("hub-db-dir" in objects) == (stack == "prod")


def test_all_that_decides_several_values(chart: Chart) -> None:
    got = made(
        replicas="2", labels='{"team": "physics"}', hubDatabase="volume", imageCleaner="nocordon", builder="pink",
        privateImages="true", **LOGIN,
    )  # fmt: skip
    assert got["pdb"] == {"enabled": True, "maxUnavailable": 1}
    assert got["imageCleaner"] == {"enabled": True, "cordon": False}
    assert got["deployment"]["labels"] == got["jupyterhub"]["singleuser"]["extraLabels"] == {"team": "physics"}
    assert got["jupyterhub"]["hub"]["db"]["type"] == "sqlite-pvc"
    assert got["jupyterhub"]["imagePullSecret"]["create"] is True
    assert rendered(chart, got)


def test_login_changes_all_that_must_change_together(chart: Chart) -> None:
    got = made(**LOGIN)
    own = {"client_id": "id", "client_secret": OUTPUT, "oauth_callback_url": OUTPUT}
    expected = {
        "config": {"BinderHub": {"auth_enabled": True}},
        "jupyterhub": {
            "cull": {"users": False},
            "singleuser": {"cmd": "jupyterhub-singleuser"},
            "hub": {
                "config": {
                    "BinderSpawner": {"auth_enabled": True},
                    "JupyterHub": {"authenticator_class": "github", "redirect_to_server": False},
                    "GitHubOAuthenticator": {**own, "allowed_users": ["alice"]},
                },
                "loadRoles": {"user": {"scopes": ["self", "access:services!service=binder"]}},
                "services": {
                    "binder": {
                        "oauth_client_id": "service-binder",
                        "oauth_no_confirm": True,
                        "oauth_redirect_uri": OUTPUT,
                    }
                },
            },
        },
    }
    annotation = at("service.annotations", got["service"]["annotations"])
    assert shape(got) == merged(merged(shape(made()), expected), annotation)
    assert rendered(chart, got)
    everybody = shape(made(**{**LOGIN, "allowedUsers": '["*"]'}))
    assert everybody["jupyterhub"]["hub"]["config"]["GitHubOAuthenticator"] == {**own, "allow_all": True}


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
    got = values.resolve_builder(read({"builder": asked}), lambda: runtimes)  # type: ignore[arg-type,return-value]
    assert got.options == read({"builder": builder}).options


@pytest.mark.parametrize("runtimes", [{"containerd"}, {"cri-o", "docker"}])
def test_host_on_nodes_without_docker_is_refused(runtimes: set[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        values.resolve_builder(read({"builder": "host"}), lambda: runtimes)
    (problem,) = caught.value.problems
    assert (problem.key, problem.example) == ("binderhub:builder", "pulumi config set builder dind")
    assert all(runtime in problem.found for runtime in runtimes)


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        ("dind", {"dind": {"hostSocketDir": "/var/run/dind/ns", "hostLibDir": "/var/lib/dind/ns"}}),
        ("pink", {"pink": {"hostSocketDir": "/var/run/pink/ns", "hostStorageDir": "/var/lib/pink/ns"}}),
        ("host", {}),  # the nodes' own Docker: there is nothing to place
    ],
)
def test_each_builder_has_its_own_folders(builder: str, expected: dict[str, Any]) -> None:
    got = made(builder=builder)
    assert {name: got[name] for name in ("dind", "pink", "host") if name in got} == expected


def test_a_registry_without_tls_is_made_known_to_the_builder() -> None:
    registry = {"registry": "local", "imagePrefix": "registry.lan:5000/p/binder-"}
    assert made(**registry)["dind"]["daemonset"] == {"extraArgs": ["--insecure-registry=registry.lan:5000"]}
    assert "daemonset" not in made(builder="pink", **registry)["pink"]


class Cluster:
    """Stands where the hub has its Kubernetes client: knows pods, and says no at the one that `refuses`."""

    def __init__(self, refuses: str = "") -> None:
        self.asked: list[tuple[str, str]] = []
        self.refuses = refuses
        self.client = self.config = self

    def load_incluster_config(self) -> None:
        asyncio.get_running_loop()  # raises where there is none

    def ApiClient(self) -> "Cluster":  # noqa: N802
        return self

    def CoreV1Api(self, _: object) -> "Cluster":  # noqa: N802
        return self

    async def __aenter__(self) -> "Cluster":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def list_namespaced_pod(self, namespace: str, label_selector: str) -> Any:
        self.asked.append((namespace, label_selector))
        return SimpleNamespace(items=[SimpleNamespace(metadata=SimpleNamespace(name=name)) for name in ("a", "b")])

    async def delete_namespaced_pod(self, name: str, namespace: str) -> None:
        if name == self.refuses:
            raise OSError("no")
        self.asked.append((namespace, name))


@pytest.mark.parametrize(
    ("database", "refuses", "ended"),
    [
        ("sqlite://", "", ["component=singleuser-server", "a", "b"]),
        ("sqlite://", "b", ["component=singleuser-server", "a"]),
        ("sqlite:///jupyterhub.sqlite", "", []),
    ],
)
def test_a_hub_whose_database_is_new_ends_the_servers_of_the_last_one(
    database: str, refuses: str, ended: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And starts in any case."""
    cluster = Cluster(refuses)
    monkeypatch.setitem(sys.modules, "kubernetes_asyncio", cluster)  # type: ignore[arg-type]
    monkeypatch.setenv("POD_NAMESPACE", "ns")
    known = SimpleNamespace(JupyterHub=SimpleNamespace(db_url=database))

    async def start() -> None:
        exec(values.END_ORPHANS, {"c": known})

    asyncio.get_event_loop_policy().get_event_loop().run_until_complete(start())
    assert cluster.asked == [("ns", name) for name in ended]
    assert ("servers of an earlier hub may still run" in capsys.readouterr().out) == bool(refuses)


def test_only_a_database_in_memory_needs_that() -> None:
    assert "extraConfig" not in made(hubDatabase="volume")["jupyterhub"]["hub"]
    ours = {"extraConfig": made()["jupyterhub"]["hub"]["extraConfig"]}
    assert list(values_file.findings(ours)) == []


def test_fingerprint_notices_each_plain_value_and_the_charts_files() -> None:
    plain = [path for path, leaf in leaves(made()) if not isinstance(leaf, pulumi.Output)]
    seen = {values.fingerprint(merged(made(), at(path, "changed"))) for path in plain}
    assert len(seen) == len(plain) == 26
    settings = read()
    edited = replace(settings, chart=replace(settings.chart, digest="abc"))
    assert fingerprint(helm_values(edited)) != fingerprint(helm_values(settings))


def test_fingerprint_says_nothing_of_secrets() -> None:
    settings = read()
    other = replace(settings, registry=replace(settings.registry, password=Secret("other")))
    assert fingerprint(helm_values(settings)) == fingerprint(helm_values(other, tokens="u", hub_url="http://x"))
