"""Tokens: the five secrets that a hub must share with its parts."""

from dataclasses import dataclass

import pulumi
from pulumi_random import RandomPassword

from components.settings import TokenSettings

# RandomBytes would be the natural resource, but its id is the secret itself, in clear (facts: pulumi.md section 4).
_HEX = "0123456789abcdef"
_LENGTH = 64


@dataclass(frozen=True, kw_only=True)
class TokenValues:
    """Five hexadecimal texts (64 digits where generated), each a secret output.

    `api`: binder at the hub; `proxy`: hub at the proxy; `cookie`: signs logins; `crypt`: encrypts what the hub keeps
    of a login; `build`: lets launches from binder's own pages pass the rate limit, on every replica.
    """

    api: pulumi.Output[str]
    proxy: pulumi.Output[str]
    cookie: pulumi.Output[str]
    crypt: pulumi.Output[str]
    build: pulumi.Output[str]


class Tokens(pulumi.ComponentResource):
    """Makes the tokens; one given in the settings wins over the generated one. Output: `values`."""

    values: TokenValues

    def __init__(self, name: str, args: TokenSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("binderhub:components:Tokens", name, None, opts)

        def token(short: str, key: str) -> pulumi.Output[str]:
            made = RandomPassword(
                f"{name}-{short}",
                length=_LENGTH,
                special=True,
                override_special=_HEX,
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
