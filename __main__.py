"""A BinderHub on Kubernetes: settings -> components -> outputs."""

import pulumi

from components.address import Address
from components.binderhub import BinderHub, BinderHubArgs, make_namespace
from components.objects import ids, manifests
from components.providers import Cluster
from components.tiller import Tiller
from components.tokens import Tokens
from config import settings
from config.values import helm_values, resolve_builder
from preflight.check import Subject, check

given = settings.load()
cluster = Cluster(given.cluster)
stack = resolve_builder(given, cluster.container_runtimes)
operator = cluster.provider("operator", take_over=stack.adopt_release)

tiller = Tiller("tiller", stack.tiller, pulumi.ResourceOptions(providers=[operator]))
tokens = Tokens("tokens", stack.tokens)
namespace = make_namespace(stack, operator)
address = Address("address", stack, pulumi.ResourceOptions(providers=[operator], depends_on=namespace))
values = helm_values(stack, tokens.values, address.hub_url, address.binder_url)
opts = pulumi.ResourceOptions(providers=[cluster.provider("tiller", tiller.account)], depends_on=[tiller, *namespace])
hub = BinderHub("binderhub", BinderHubArgs(settings=stack, values=values, api=cluster.api), opts)
beside = [*namespace, *tiller.made, *address.made]
check(
    Subject(
        settings=stack,
        values=values,
        api=cluster.api,
        nodes=cluster.nodes,
        provider=operator,
        account=tiller.account,
        description=hub.description,
        beside=manifests(beside),
        made=ids(beside),
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
