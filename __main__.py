"""A BinderHub on Kubernetes: settings -> components -> outputs."""

import pulumi

from components.address import Address, AddressArgs
from components.binderhub import BinderHub, BinderHubArgs, make_namespace, namespace_manifest
from components.providers import connect
from components.tiller import Tiller
from components.tokens import Tokens
from config import settings
from config.values import helm_values, resolve_builder
from preflight.check import Subject, check

given = settings.load()
cluster = connect(given.cluster)
stack = resolve_builder(given, cluster.container_runtimes)
operator = cluster.operator()
as_operator = pulumi.ResourceOptions(providers=[operator])

tiller = Tiller("tiller", stack.tiller, as_operator)
as_tiller = pulumi.ResourceOptions(providers=[cluster.as_account(tiller.account)])
tokens = Tokens("tokens", stack.tokens)
namespace = make_namespace(stack.namespace, stack.protect, operator)
address = Address("address", AddressArgs(settings=stack, requires=[namespace]), as_operator)
values = helm_values(stack, tokens.values, address.hub_url, address.binder_url)
release = BinderHubArgs(settings=stack, values=values, api=cluster.api, requires=[tiller, namespace])
hub = BinderHub("binderhub", release, as_tiller)
check(
    Subject(
        settings=stack,
        values=values,
        api=cluster.api,
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
