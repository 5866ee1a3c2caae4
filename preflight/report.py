"""What a preview says of a change: one line, with what it means for the people who use the hub; whose release it is.

Pure functions.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kube.helm_releases import RECOVERED, History
from kube.manifests import Object, ObjectKey
from preflight.diff import Change
from preflight.violations import Violation

_SHOWN: Final = 12
_RESTART: Final = "pods restart"
_HUB, _PROXY, _SECRET = ObjectKey("Deployment", "hub"), ObjectKey("Deployment", "proxy"), ObjectKey("Secret", "hub")
_COOKIES: Final = "hub.config.JupyterHub.cookie_secret"
_DATABASE: Final = ObjectKey("PersistentVolumeClaim", "hub-db-dir")


def line(
    release: str, changes: Sequence[Change], old: Mapping[ObjectKey, Object], new: Mapping[ObjectKey, Object]
) -> str:
    """Return the one line of a preview."""
    if not old:
        return f"{release}: first install, {len(new)} objects"
    count = f"{len(changes)} of {len({*old, *new})} objects change"
    meaning = consequences(changes, old, new)
    return f"{release}: {count}: {_listed(changes)}" + (f"; {'; '.join(meaning)}" if meaning else "")


def _listed(changes: Sequence[Change]) -> str:
    """Restarts come first and are always named; of a long list the rest is counted."""
    ordered = sorted(changes, key=lambda change: change.what != _RESTART)
    count = max(_SHOWN, sum(change.what == _RESTART for change in changes))
    rest = Counter(change.what for change in ordered[count:])
    counted = ", ".join(f"{number} {what}" for what, number in rest.most_common())
    shown = ", ".join(map(str, ordered[:count]))
    return f"{shown}, and {rest.total()} more ({counted})" if rest else shown


def consequences(
    changes: Sequence[Change], old: Mapping[ObjectKey, Object], new: Mapping[ObjectKey, Object]
) -> list[str]:
    """Return what users notice of the restarts."""
    restarting = {c.key for c in changes if c.what == _RESTART}
    gone = {c.key for c in changes if c.what == "deleted"}
    found = []
    if _HUB in restarting:
        if _DATABASE not in old or _DATABASE not in new:
            what = "users are logged out, running sessions are dropped"
            found.append(f"the hub restarts and forgets its database in memory: {what}")
        elif _cookies(old) != _cookies(new):
            found.append("the hub restarts with a new cookie secret: all users are logged out")
        else:
            found.append("the hub restarts: nobody can log in or launch meanwhile, running sessions stay")
    if _PROXY in restarting:
        found.append("the proxy restarts: running sessions are cut off for a moment")
    if any(key.kind == "DaemonSet" and key.name.endswith(("-dind", "-pink")) for key in restarting | gone):
        found.append("the builder restarts: running builds are lost")
    return found


def _cookies(found: Mapping[ObjectKey, Object]) -> Any:
    return ((found.get(_SECRET) or {}).get("data") or {}).get(_COOKIES)


def unfinished(history: History, name: str) -> Violation:
    """Return why a release may not be worked on whose last operation has no end."""
    why = f"release {name} is {history.status}: another run is at work, or was killed"
    return Violation("", why, "wait for it; if it was killed: python -m operations recover (docs/recovery.md)")


def ownership(history: History, name: str, own: str, installed: bool, adopt: bool) -> list[Violation]:
    """Return why a release that Helm knows may not be worked on: it is somebody else's.

    `own` is the stack's description of its releases; `installed` tells whether Pulumi knows the release.
    """
    if not history.status or adopt or history.owner in (own, *([RECOVERED] if installed else [])):
        return []
    advice = "another setting release, or take it over on purpose: pulumi config set adoptRelease true"
    whose = history.owner if history.owner.startswith("pulumi ") else f"somebody else (Helm says: {history.owner})"
    deed = "would overwrite it" if installed else "would fail: cannot re-use a name that is still in use"
    return [Violation("", f"release {name} exists already and belongs to {whose}; pulumi up {deed}", advice)]
