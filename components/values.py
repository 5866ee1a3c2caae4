"""Settings, tokens and addresses in; Helm values out. A pure function: no resource, no config, no cluster.

Outputs stand at the leaves of a plain dict. A dict made inside `apply` would be one secret and one useless diff
(facts: pulumi.md section 0). There is never a None in it: the chart keeps nulls, and the application dies of them.
"""

import hashlib
import json
from typing import Any, Final

import pulumi

from components import images
from components.settings import Settings
from components.tokens import TokenValues

# Server to server, inside the namespace: right on every cluster, whatever browsers use (facts: binderhub-chart.md 3.2).
HUB_URL_LOCAL: Final = "http://proxy-public"
FINGERPRINT: Final = "binderhub-pulumi/values-fingerprint"
API_TOKEN_HASH: Final = "binderhub-pulumi/api-token-hash"


def helm_values(settings: Settings, tokens: TokenValues, hub_url: pulumi.Input[str]) -> dict[str, Any]:
    """Return the values of the release, a fresh dict at each call.

    `hub_url` is the address at which browsers reach the hub (absolute, with scheme).
    """
    values: dict[str, Any] = {
        "registry": {"username": settings.registry.username, "password": settings.registry.password.output()},
        # Our own LoadBalancer Services are what browsers reach; see address.py.
        "service": {"type": "ClusterIP", "annotations": {}},
        # `host` needs Docker on the nodes, which today's clusters lack (facts: binderhub-chart.md section 4).
        "imageBuilderType": "dind",
        # On the nodes, where two hubs of one cluster would otherwise share a builder and its images.
        "dind": {
            "hostSocketDir": f"/var/run/dind/{settings.namespace}",
            "hostLibDir": f"/var/lib/dind/{settings.namespace}",
        },
        # binder does not restart by itself when its token changes, and then every launch fails with 403.
        "podAnnotations": {API_TOKEN_HASH: tokens.api.apply(_short_hash)},
        "config": {
            "BinderHub": {
                "image_prefix": images.rendered_prefix(settings.image_prefix),
                "use_registry": True,
                "hub_url": hub_url,
                "hub_url_local": HUB_URL_LOCAL,
                "build_token_secret": tokens.build,
            }
        },
        "jupyterhub": {
            "hub": {
                "services": {"binder": {"apiToken": tokens.api}},
                "config": {"JupyterHub": {"cookie_secret": tokens.cookie}, "CryptKeeper": {"keys": [tokens.crypt]}},
            },
            "proxy": {"secretToken": tokens.proxy, "service": {"type": "ClusterIP"}},
        },
    }
    values["service"]["annotations"][FINGERPRINT] = fingerprint(values, settings.chart.digest)
    return values


def fingerprint(values: dict[str, Any], chart_digest: str = "") -> str:
    """Return 12 hexadecimal digits that change with every plain value, and with the files of a chart from the disk.

    After a failed upgrade a refresh can hide a key that was never deployed; a leaf that changes with every change
    brings it back (facts: failures.md section 1.4). Outputs count as "*": secrets stay out of it on purpose.
    """
    text = json.dumps([_plain(values), chart_digest], sort_keys=True)
    return _short_hash(text)[:12]


def _plain(value: Any) -> Any:
    if isinstance(value, pulumi.Output):
        return "*"
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
