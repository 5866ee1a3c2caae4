"""What a preview says of a change: one line, with what it means for the people who use the hub; whose things are."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from config import risks, versions
from config.settings import Settings
from kube.api import Answer, Api
from kube.helm_releases import RECOVERED, History, selector
from kube.manifests import OWN_LABELS, Object, ObjectKey, key_of, pod_template
from kube.pods import containers
from preflight.dependencies import CLAIM, DATABASE, held
from preflight.diff import Change
from preflight.questions import Asked, Question
from preflight.violations import Violation

# The risk that accepts an older hub than the database's.
OLDER_HUB: Final = "olderHub"
_SHOWN: Final = 12
_RESTART: Final = "pods restart"
_HUB, _PROXY, _SECRET = ObjectKey("Deployment", "hub"), ObjectKey("Deployment", "proxy"), ObjectKey("Secret", "hub")
_COOKIES: Final = "hub.config.JupyterHub.cookie_secret"


def line(
    release: str, changes: Sequence[Change], old: Mapping[ObjectKey, Object], new: Mapping[ObjectKey, Object]
) -> str:
    """Return the one line of a preview."""
    if not old:
        return f"{release}: first install, {len(new)} objects"
    count = f"{len(changes)} of {len({*old, *new})} objects change"
    meaning = consequences(changes, old, new)
    return f"{release}: {count}: {_listed(changes)}" + (f"; {'; '.join(meaning)}" if meaning else "")


def deleted_claims(changes: Sequence[Change], protected: bool) -> tuple[list[str], list[Violation]]:
    """Return a text for each volume claim that a change deletes, and what a protected stack refuses of it."""
    keys = [change.key for change in changes if change.key.kind == CLAIM and change.what == "deleted"]
    texts = [f"{held(key)} is deleted: {key}, and its volume with it" for key in keys]
    advice = "take the change back; or first copy it, then pulumi config set protect false"
    refused = [
        Violation(str(key), f"{held(key)} would be deleted, and this stack is protected", advice) for key in keys
    ]
    return texts, refused if protected else []


def _listed(changes: Sequence[Change]) -> str:
    """Lost volume claims and restarts come first and are always named; of a long list the rest is counted."""
    first = [change for change in changes if change.what == "deleted" and change.key.kind == CLAIM]
    first += [change for change in changes if change.what == _RESTART]
    ordered = [*first, *(change for change in changes if change not in first)]
    count = max(_SHOWN, len(first))
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
        if DATABASE in gone:
            found.append("the hub restarts without its database: users are logged out, their servers end")
        elif DATABASE not in old or DATABASE not in new:
            what = "users are logged out, their servers end"
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


def at_odds(history: History, given: Settings, installed: bool, lost: Sequence[Object]) -> list[Violation]:
    """Return why Pulumi and Helm cannot go on with a release: it is in the middle of something, or is gone.

    `installed` tells whether Pulumi knows the release, `lost` is what it made beside it and is not there any more.
    """
    name, refresh = f"{given.namespace}/{given.release}", "pulumi up --refresh, which installs it anew"
    what, advice = "", refresh
    if history.unfinished:
        what = f"release {name} is {history.status}: another run is at work, or was killed"
        advice = "wait for it; if it was killed: python -m operations recover (docs/recovery.md)"
    elif history.status == "uninstalled":
        what = f"release {name} was uninstalled by hand, and its history kept: Helm would not install it again"
        advice = f"kubectl -n {given.namespace} delete secret -l {selector(given.release)}; then {refresh}"
    elif installed and not history.status:
        also = ", ".join(str(key_of(one, given.namespace)) for one in lost)
        what = f"release {name} is gone{f', and with it {also}' if also else ''}; Pulumi does not know that yet"
        # Without its rights tiller cannot even be told that nothing is there, and neither a refresh nor a destroy ends.
        bindings = [_binding_again(one) for one in lost if one["kind"] == "ClusterRoleBinding"]
        advice = "; then ".join([*bindings, refresh])
    return [Violation("", what, advice)] if what else []


def _binding_again(binding: Object) -> str:
    """Return the command that makes the binding of a service account again."""
    (account,), role = binding["subjects"], binding["roleRef"]["name"]
    who = f"--serviceaccount={account['namespace']}:{account['name']}"
    return f"kubectl create clusterrolebinding {binding['metadata']['name']} --clusterrole={role} {who}"


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


# --- what is a stack's own --------------------------------------------------------------------------------------------

# What a stack is about to make must not be there. Pulumi's provider takes it over silently before 4.29, and deletes it
# at destroy; later ones fail in the middle of an update. So it is refused, the same for every version, unless it is
# taken over on purpose.
# What to set, by the kind of the object that is there.
_WAYS_IN: Final = {
    "Namespace": "pulumi config set existingNamespace true, to use it and never delete it",
    "Service": "pulumi config set namespace NAME, for one of its own",
    "": "pulumi config set --path tiller.name tiller-{release}, for an account of its own",
}
_KILLED: Final = "after a killed run: python -m operations recover"
_TAKEN: Final = (
    "exists already, and this stack did not make it "
    "(to take it over, and delete it at destroy: pulumi config set adoptRelease true)"
)


def not_ours(question: Question, asked: Asked) -> Violation:
    """Return why an object that Pulumi is about to make must not be there, and the ways in."""
    found = question.read(asked.key, asked.one["apiVersion"])
    way = _WAYS_IN.get(asked.key.kind, _WAYS_IN[""]).format(release=question.release)
    ways = [way, *([_KILLED] if _is_pulumis(found) else [])]
    return Violation(str(asked.key), _TAKEN, "; or ".join(ways))


def existing_namespace(user: Api, name: str) -> Iterator[Violation]:
    """Yield why a namespace cannot be used as another's: it is not there, or Pulumi made it.

    What a stack made and does not name any more, Pulumi deletes: here, with the hub's database in it.
    """
    found, known = user.get("v1", "Namespace", name), str(ObjectKey("Namespace", name))
    if found.reason == "NotFound":
        advice = f"kubectl create namespace {name}, or pulumi config rm existingNamespace"
        yield Violation(known, "does not exist, and the setting existingNamespace says that it does", advice)
    elif _is_pulumis(found):
        reason = (
            "was made by Pulumi: with the setting existingNamespace, its stack would delete it and all that is in it"
        )
        yield Violation(known, reason, "pulumi config rm existingNamespace, or another namespace")


def _is_pulumis(answer: Answer) -> bool:
    """Whether an object has the mark of those that this program makes, for whatever stack."""
    marks = (answer.body.get("metadata") or {}).get("labels") or {}
    return answer.ok and OWN_LABELS.items() <= marks.items()


# --- the user database ------------------------------------------------------------------------------------------------


def migration(old: Mapping[ObjectKey, Object], new: Mapping[ObjectKey, Object]) -> str | Violation:
    """Return what another JupyterHub means for the database on the hub's volume; "" for nothing, or nothing known.

    The way on is a sentence. The way back is a violation: an older hub does not know the database, and does not start
    (seen with charts 3958 and 3506: "Can't locate revision identified by ...", while Helm reports success).
    """
    before, after = (versions.in_image(_hub_image(objects)) for objects in (old, new))
    if not versions.is_migrated(before, after) or DATABASE not in old or DATABASE not in new:
        return ""
    if versions.is_older(before, after):
        # Also when `up` fails after it: Helm then goes back to the hub that does not know the database any more.
        back = "going back, Helm's own way back after a failure too, needs the copy that the hub leaves on the volume"
        return f"the user database is migrated (JupyterHub {before} to {after}); {back}: docs/recovery.md"
    why = f"JupyterHub {after} cannot read the user database of {before}, and would not start"
    restore = f"first put back the copy on the volume (docs/recovery.md), then {risks.acceptance(OLDER_HUB)}"
    return Violation(str(_HUB), why, f"take the change of chart or hubImage back; or {restore}")


def _hub_image(objects: Mapping[ObjectKey, Object]) -> str:
    """Return the image of the hub's container; "" if there is none."""
    found = containers(pod_template(objects[_HUB])) if _HUB in objects else []
    return next((str(one.get("image") or "") for one in found if one.get("name") == "hub"), "")
