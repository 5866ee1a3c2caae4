"""A BinderHub on Kubernetes: settings -> components -> outputs."""

import pulumi

from components import cluster, preview, settings, waits
from components.address import Address, AddressArgs
from components.binderhub import BinderHub, BinderHubArgs, make_namespace
from components.tiller import Tiller, TillerArgs
from components.tokens import Tokens
from components.values import helm_values

given = settings.load()
kubeconfig = cluster.reach(given.cluster)
stack = cluster.settle_builder(given, kubeconfig)
operator = cluster.operator(stack.cluster, kubeconfig)
as_operator = pulumi.ResourceOptions(providers=[operator])

tiller = Tiller("tiller", TillerArgs(**vars(stack.tiller)), as_operator)
tokens = Tokens("tokens", stack.tokens)
namespace = make_namespace(stack.namespace, stack.protect, operator)
address = Address(
    "address",
    AddressArgs(namespace=stack.namespace, release=stack.release, timeout=stack.address_timeout, requires=[namespace]),
    as_operator,
)
values = helm_values(stack, tokens.values, address.hub_url, address.binder_url)
hub = BinderHub(
    "binderhub",
    BinderHubArgs(
        namespace=stack.namespace,
        release=stack.release,
        chart=stack.chart,
        values=values,
        timeout=stack.timeout,
        protect=stack.protect,
        adopt=stack.adopt_release,
        installer=cluster.as_account(stack.cluster, kubeconfig, tiller.account),
        requires=[tiller, namespace],
        look=waits.unready_pods(kubeconfig, stack.namespace),
    ),
)
preview.check(preview.Subject(stack, values, kubeconfig, operator), tiller.account, tiller.bound, hub.installed)
pulumi.export("proxy_public_ip", address.hub)
pulumi.export("hub_url", address.hub_url)
pulumi.export("binder_url", address.binder_url)
pulumi.export("namespace", hub.namespace)
pulumi.export("release", hub.release)
pulumi.export("chart_version", hub.chart_version)
pulumi.export("image_prefix", stack.image_prefix)
