"""Tokens: the five secrets that a hub must share with its parts."""

import pulumi
from pulumi_random import RandomPassword

from config.settings import TokenSettings
from config.values import TokenValues


class Tokens(pulumi.ComponentResource):
    """Makes the tokens; one given in the settings wins over the generated one. Output: `values`."""

    def __init__(self, name: str, args: TokenSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("binderhub:components:Tokens", name, None, opts)

        def token(short: str, key: str) -> pulumi.Output[str]:
            # RandomBytes would be the natural resource, but its id is the secret itself (facts: pulumi.md section 4).
            made = RandomPassword(
                f"{name}-{short}",
                length=64,
                special=True,
                override_special="0123456789abcdef",
                upper=False,
                lower=False,
                numeric=False,
                # There from the first day: adding the first keeper later would rotate everything.
                keepers={"rotation": str(args.rotation)},
                opts=pulumi.ResourceOptions(parent=self),
            )
            return args.given[key].output() if key in args.given else made.result

        self.values = TokenValues(
            api=token("api", "apiToken"),
            proxy=token("proxy", "proxyToken"),
            cookie=token("cookie", "cookieSecret"),
            crypt=token("crypt", "cryptKey"),
            build=token("build", "buildTokenSecret"),
        )
        self.register_outputs({})
