"""Known versions: which JupyterHub a chart or a hub image brings, and the known holes of each JupyterHub.

Rows of data, each with its source, as they were known on the day `LOOKED_UP`; docs/versions.md is made from them. What
stands in no row is unknown, and nothing is said of it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kube.nested import get

LOOKED_UP: Final = "2026-11-24"
# Of the same JupyterHub as a chart, or a later one with the same database schema (facts: 126 checks with the real
# applications, chart 3958 with this image). JupyterHub of the chart -> tag of the image that is run in its place.
RAISED: Final = {"5.3.0": "4.4.0"}
HUB_IMAGE: Final = "quay.io/jupyterhub/k8s-hub"
_HUB_CHANGES: Final = "https://jupyterhub.readthedocs.io/en/5.5.1/reference/changelog.html"
_CHART_CHANGES: Final = "https://z2jh.jupyter.org/en/stable/changelog.html"
_ADVISORIES: Final = "https://github.com/jupyterhub/{}/security/advisories/{}"


@dataclass(frozen=True)
class Known:
    """A version of the BinderHub chart, or a tag of the hub image, and the JupyterHub in it; "" for not known here."""

    version: str
    jupyterhub: str
    source: str


CHARTS: Final = (
    Known("1.0.0-0.dev.git.3506.hba24eb2a", "4.1.5", f"its jupyterhub chart 3.3.7: {_CHART_CHANGES}"),
    Known("1.0.0-0.dev.git.3958.haf9ca8b1", "5.3.0", f"its jupyterhub chart 4.2.0: {_CHART_CHANGES}"),
    # The only public proof of a BinderHub chart that runs; not the default, as long as nobody here has seen it.
    Known("1.0.0-0.dev.git.3983.h383374de", "", "https://github.com/jupyterhub/mybinder.org-deploy, since 2026-07-02"),
)
HUB_IMAGES: Final = tuple(
    Known(tag, jupyterhub, _CHART_CHANGES)
    for tag, jupyterhub in {
        "3.3.7": "4.1.5", "3.3.8": "4.1.6", "4.0.0": "5.2.1", "4.1.0": "5.2.1", "4.2.0": "5.3.0", "4.3.0": "5.4.0",
        "4.3.1": "5.4.1", "4.3.2": "5.4.3", "4.3.3": "5.4.4", "4.3.4": "5.4.5", "4.3.5": "5.4.6", "4.4.0": "5.5.0",
    }.items()
)  # fmt: skip


@dataclass(frozen=True)
class Hub:
    """The hub whose holes are looked for: whether people log in, and what stands at `jupyterhub.hub` of its values."""

    login: bool
    values: Any

    def grants(self, *scopes: str) -> bool:
        """Whether a role of its own is given a scope that begins with one of these."""
        roles = get(self.values, "loadRoles")
        given = [get(role, "scopes") for role in (roles.values() if isinstance(roles, dict) else ())]
        return any(str(one).startswith(scopes) for some in given if isinstance(some, list) for one in some)

    def uses(self, authenticator: str) -> bool:
        """Whether something is set for a class of authenticator."""
        return bool(get(self.values, f"config.{authenticator}"))


@dataclass(frozen=True)
class Advisory:
    """A known hole: in JupyterHub from `since` on, and no more in `fixed`; `there` tells which hubs have it."""

    name: str
    what: str
    since: str
    fixed: str
    source: str
    whose: str = "every hub"
    there: Callable[[Hub], bool] = lambda _: True


ADVISORIES: Final = (
    Advisory(
        "CVE-2024-41942", "who has the scope admin:users may become administrator", "0", "4.1.6",
        _ADVISORIES.format("jupyterhub", "GHSA-9x4q-3gxw-849f"),
        "hubs with that scope in a role of their own", lambda hub: hub.grants("admin:users"),
    ),
    Advisory(
        "CVE-2026-33709", "open redirect", "0", "5.4.4", _ADVISORIES.format("jupyterhub", "GHSA-3vff-hjqv-m7h8"),
    ),
    # These two are of authenticators; the hub images with JupyterHub 5.4.4 and later have the mended ones.
    Advisory(
        "CVE-2026-33175", "Auth0 logins with unverified addresses", "0", "5.4.4",
        _ADVISORIES.format("oauthenticator", "GHSA-rrvg-cxh4-qhrv"),
        "hubs with Auth0OAuthenticator", lambda hub: hub.uses("Auth0OAuthenticator"),
    ),
    Advisory(
        "CVE-2026-34052", "denial of service by LTI 1.1 logins", "0", "5.4.4",
        _ADVISORIES.format("ltiauthenticator", "GHSA-8mxq-7xr7-2fxj"),
        "hubs with LTI11Authenticator", lambda hub: hub.uses("LTI11Authenticator"),
    ),
    Advisory(
        "CVE-2026-40864", "cross-site request forgery", "4.1.0", "5.4.5",
        _ADVISORIES.format("jupyterhub", "GHSA-m68r-v472-jgq9"), "hubs with login", lambda hub: hub.login,
    ),
    Advisory(
        "GHSA-p43p-whwx-q52h", "denial of service", "0", "5.5.0",
        _ADVISORIES.format("jupyterhub", "GHSA-p43p-whwx-q52h"),
    ),
    Advisory(
        "GHSA-c4gm-pwx9-9w8j", "sharing of servers", "5.0.0", "5.5.1", _HUB_CHANGES,
        "hubs whose users may share", lambda hub: hub.grants("shares"),
    ),
    Advisory(
        "GHSA-69wv-m5fw-2fhp", "administrators of one group may do more", "0", "5.5.1", _HUB_CHANGES,
        "hubs with administrators of one group", lambda hub: hub.grants("admin:users!group", "admin:groups!group"),
    ),
)  # fmt: skip


def in_chart(version: str) -> str:
    """Return the JupyterHub of a published BinderHub chart; "" if that is not known here."""
    return _known(CHARTS, version)


def in_image(image: str) -> str:
    """Return the JupyterHub of a hub image, `name:tag`; "" for one of somebody's own."""
    name, _, tag = image.rpartition(":")
    return _known(HUB_IMAGES, tag) if name.rsplit("/", 1)[-1] == HUB_IMAGE.rsplit("/", 1)[-1] else ""


def _known(rows: Sequence[Known], version: str) -> str:
    return next((row.jupyterhub for row in rows if row.version == version), "")


def is_migrated(old: str, new: str) -> bool:
    """Whether the user database's schema differs between two known versions of JupyterHub.

    It does from each major version to the next (4 to 5, 5 to 6), and not within one. Source: the revisions in
    https://github.com/jupyterhub/jupyterhub/tree/main/jupyterhub/alembic/versions, and JupyterHub's own rule of what
    makes a version a major one.
    """
    return bool(old and new) and _ordered(old)[0] != _ordered(new)[0]


def is_older(one: str, other: str) -> bool:
    """Whether a version comes before another."""
    return _ordered(one) < _ordered(other)


def holes(jupyterhub: str, hub: Hub) -> str:
    """Return the warning about the known holes of a hub with this JupyterHub; "" if there are none, or none known."""
    found = list(_holes(jupyterhub, hub)) if jupyterhub else []
    if not found:
        return ""
    fixed = max((one.fixed for one in found), key=_ordered)
    names = ", ".join(f"{one.name} ({one.what})" for one in found)
    return (
        f"this hub's JupyterHub {jupyterhub} has known holes: {names}; fixed in {fixed}: {_remedy(jupyterhub, fixed)}"
    )


def _holes(jupyterhub: str, hub: Hub) -> Iterator[Advisory]:
    for one in ADVISORIES:
        if not is_older(jupyterhub, one.since) and is_older(jupyterhub, one.fixed) and one.there(hub):
            yield one


def _remedy(jupyterhub: str, fixed: str) -> str:
    """Return what to set: the newest known image, if it mends that and takes the hub's database as it is."""
    newest = HUB_IMAGES[-1]
    if is_migrated(jupyterhub, fixed):
        return "pulumi config rm chartVersion, for the chart that this program pins"
    if is_older(newest.jupyterhub, fixed):
        return f"pulumi config set hubImage {HUB_IMAGE}:TAG, with a later tag than {newest.version}"
    return f"pulumi config set hubImage {HUB_IMAGE}:{newest.version}"


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
