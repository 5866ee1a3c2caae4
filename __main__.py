"""A BinderHub on Kubernetes: settings -> components -> outputs."""

import pulumi

from components.address import Address
from components.binderhub import BinderHub, BinderHubArgs, make_namespace, namespace_manifest
from components.providers import Cluster
from components.tiller import Tiller
from components.tokens import Tokens
from config import settings
from config.values import helm_values, resolve_builder
from preflight.check import Subject, check

given = settings.load()
cluster = Cluster(given.cluster)
stack = resolve_builder(given, cluster.container_runtimes)
operator = cluster.provider("operator")

tiller = Tiller("tiller", stack.tiller, pulumi.ResourceOptions(providers=[operator]))
tokens = Tokens("tokens", stack.tokens)
namespace = make_namespace(stack.namespace, stack.protect, operator)
address = Address("address", stack, pulumi.ResourceOptions(providers=[operator], depends_on=[namespace]))
values = helm_values(stack, tokens.values, address.hub_url, address.binder_url)
as_tiller = cluster.provider("tiller", tiller.account)
release = BinderHubArgs(settings=stack, values=values, api=cluster.api)
hub = BinderHub("binderhub", release, pulumi.ResourceOptions(providers=[as_tiller], depends_on=[tiller, namespace]))
check(
    Subject(
        settings=stack,
        values=values,
        api=cluster.api,
        nodes=cluster.nodes,
        provider=operator,
        account=tiller.account,
        description=hub.description,
        beside=[namespace_manifest(stack.namespace), *tiller.manifests, *address.manifests],
        bound=tiller.bound,
        installed=hub.installed,
    )
)
pulumi.export("proxy_public_ip", address.hub)
pulumi.export("hub_url", address.hub_url)
pulumi.export("binder_url", address.binder_url)
pulumi.export("namespace", hub.namespace)
pulumi.export("release", hub.release)
pulumi.export("chart_version", hub.chart_version)
pulumi.export("image_prefix", stack.image_prefix)
