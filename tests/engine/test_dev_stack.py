"""The dev stack on the real engine and the real API server."""

import json

import pytest
import yaml

from config.values import API_TOKEN_HASH, FINGERPRINT
from tests.engine.support import PASSWORD, Bench, Stack, decoded

pytestmark = pytest.mark.xdist_group("dev")
NAMESPACE = "binderhub"


def pods_behind(bench: Bench, service: str) -> list[dict]:
    slices = bench.kubectl("-n", NAMESPACE, "get", "endpointslices", "-l", f"kubernetes.io/service-name={service}")
    names = [e["targetRef"]["name"] for s in slices["items"] for e in s["endpoints"] or []]
    return [bench.kubectl("-n", NAMESPACE, "get", "pod", name) for name in names]


def true_secrets(bench: Bench) -> dict[str, str]:
    hub = decoded(bench.kubectl("-n", NAMESPACE, "get", "secret", "hub"))
    binder = yaml.safe_load(decoded(bench.kubectl("-n", NAMESPACE, "get", "secret", "binder-secret"))["values.yaml"])
    return {
        "api": hub["hub.services.binder.apiToken"],
        "proxy": hub["hub.config.ConfigurableHTTPProxy.auth_token"],
        "cookie": hub["hub.config.JupyterHub.cookie_secret"],
        "crypt": hub["hub.config.CryptKeeper.keys"],
        "build": binder["config"]["BinderHub"]["build_token_secret"],
    }


def test_outputs_are_the_contract(dev: Stack, bench: Bench) -> None:
    outputs = dev.outputs()
    service = bench.kubectl("-n", NAMESPACE, "get", "service", "proxy-public-external")
    address = service["status"]["loadBalancer"]["ingress"][0]["ip"]
    binder = bench.kubectl("-n", NAMESPACE, "get", "service", "binder-external")
    assert outputs == {
        "proxy_public_ip": address,
        "hub_url": f"http://{address}",
        "binder_url": f"http://{binder['status']['loadBalancer']['ingress'][0]['ip']}",
        "namespace": NAMESPACE,
        "release": "binderhub",
        "chart_version": "1.0.0-0.dev.standin",
        "image_prefix": "examplelab/binder-dev-",
    }


def test_the_first_and_only_install_has_all(dev: Stack, bench: Bench) -> None:
    records = bench.kubectl("-n", NAMESPACE, "get", "secret", "-l", "owner=helm")["items"]
    assert [r["metadata"]["labels"]["version"] for r in records] == ["1"]
    secret = decoded(bench.kubectl("-n", NAMESPACE, "get", "secret", "binder-secret"))
    config = yaml.safe_load(secret["values.yaml"])["config"]["BinderHub"]
    assert config["hub_url"] == dev.outputs()["hub_url"]
    assert config["hub_url_local"] == "http://proxy-public"
    login = decoded(bench.kubectl("-n", NAMESPACE, "get", "secret", "binder-build-docker-config"))
    assert list(json.loads(login["config.json"])["auths"]) == ["https://index.docker.io/v1/"]
    # These make changes visible that Helm and Pulumi hide.
    service = bench.kubectl("-n", NAMESPACE, "get", "service", "binder")
    assert len(service["metadata"]["annotations"][FINGERPRINT]) == 12
    binder = bench.kubectl("-n", NAMESPACE, "get", "deployment", "binder")
    assert len(binder["spec"]["template"]["metadata"]["annotations"][API_TOKEN_HASH]) == 16


def test_the_addresses_lead_to_the_pods_of_proxy_and_binder(dev: Stack, bench: Bench) -> None:
    proxies = pods_behind(bench, "proxy-public-external")
    assert [p["metadata"]["labels"]["component"] for p in proxies] == ["proxy"]
    ports = [port for p in proxies for c in p["spec"]["containers"] for port in c["ports"]]
    assert 8000 in [port["containerPort"] for port in ports if port["name"] == "http"]
    assert [p["metadata"]["labels"]["app"] for p in pods_behind(bench, "binder-external")] == ["binder"]


def test_five_tokens_of_64_hexadecimal_digits_and_no_secret_in_clear_anywhere(dev: Stack, bench: Bench) -> None:
    tokens = true_secrets(bench)
    assert len(set(tokens.values())) == 5
    assert all(len(token) == 64 and int(token, 16) >= 0 for token in tokens.values())
    secrets = {**tokens, "password": PASSWORD}
    dev.pulumi("config", "set", "rotation", "2")
    try:
        diff = dev.pulumi("preview", "--diff").text
    finally:
        dev.pulumi("config", "rm", "rotation")
    places = {
        "state": json.dumps(dev.export()),
        "preview --diff": diff,
        "log of all commands": (dev.space.base / "pulumi.log").read_text(),
        "stack file": (dev.space.folder / "Pulumi.dev.yaml").read_text(),
        "state folder": "".join(f.read_text(errors="replace") for f in (dev.space.base / "state").rglob("*.json*")),
    }
    assert [(what, where) for where, text in places.items() for what, s in secrets.items() if s in text] == []
    assert len(places["log of all commands"]) > 1000


def test_a_moved_api_server_replaces_nothing(dev: Stack, bench: Bench) -> None:
    original = bench.kubeconfig.read_text()
    bench.kubeconfig.write_text(original.replace("https://127.0.0.1:", "https://localhost:"))
    try:
        steps = dev.steps()
    finally:
        bench.kubeconfig.write_text(original)
    assert {name: step["op"] for name, step in steps.items()} == {"operator": "update", "tiller": "update"}


def test_a_refusal_of_the_guard_is_an_error(dev: Stack, bench: Bench) -> None:
    state = dev.export()
    release = next(r for r in state["deployment"]["resources"] if r["type"] == "kubernetes:helm.sh/v3:Release")
    release["outputs"]["status"]["status"] = "failed"
    file, backup = dev.space.base / "broken.json", dev.space.base / "good.json"
    file.write_text(json.dumps(state))
    backup.write_text(dev.pulumi("stack", "export").out)
    dev.pulumi("stack", "import", "--file", str(file))
    try:
        result = dev.pulumi("preview", check=False)
    finally:
        dev.pulumi("stack", "import", "--file", str(backup))
    assert result.status != 0
    assert "release binderhub/binderhub is failed, not deployed" in result.text
