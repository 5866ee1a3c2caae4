"""The one line of a preview, and whose release it is."""

from pathlib import Path
from typing import Any

import pytest

from config import settings
from kube.helm_releases import RECOVERED, History
from kube.manifests import ObjectKey
from preflight import report
from preflight.diff import Change
from preflight.violations import Violation

OWN = "pulumi binderhub/dev"
RESTART, NEW = "pods restart", "new"
HUB, PROXY, SECRET = ObjectKey("Deployment", "hub"), ObjectKey("Deployment", "proxy"), ObjectKey("Secret", "hub")
DIND, DATABASE = ObjectKey("DaemonSet", "x-dind"), ObjectKey("PersistentVolumeClaim", "hub-db-dir")


def changes(*names: str, what: str = "changed") -> list[Change]:
    return [Change(ObjectKey(*name.split("/")), what) for name in names]


def line(found: list[Change], old: Any = None, new: Any = None) -> str:
    keys = {c.key: {} for c in found}
    return report.line("hub", found, keys if old is None else old, keys if new is None else new)


# --- the line -----------------------------------------------------------------------------------------------------


def test_up_to_twelve_changes_are_named_of_all_objects_before_and_after() -> None:
    names = [f"Secret/s{n:02}" for n in range(12)]
    assert line(changes(*names)) == f"hub: 12 of 12 objects change: {', '.join(names)}"
    old, new = ({ObjectKey("Secret", name): {} for name in some} for some in ("abc", "bcd"))
    found = [*changes("Secret/a", what="deleted"), *changes("Secret/d", what=NEW)]
    assert line(found, old, new) == "hub: 2 of 4 objects change: Secret/a (deleted), Secret/d (new)"


def test_of_a_long_list_restarts_come_first_and_the_rest_is_counted_by_what_becomes_of_it() -> None:
    others = [*changes(*(f"A/a{n:02}" for n in range(15))), *changes("B/b", "C/c", what="deleted")]
    few, many = (changes(*(f"D/d{n:02}" for n in range(count)), what=RESTART) for count in (2, 14))
    first = "hub: 19 of 19 objects change: D/d00 (pods restart), D/d01 (pods restart), A/a00"
    assert line([*others, *few]).startswith(first)
    assert line([*others, *few]).endswith("A/a09, and 7 more (5 changed, 2 deleted)")
    assert line([*others, *many]).endswith("D/d13 (pods restart), and 17 more (15 changed, 2 deleted)")
    assert line(many).endswith("D/d13 (pods restart)"), "nothing is left to count"


def test_a_deleted_claim_is_named_first_however_long_the_list_is() -> None:
    others = [*changes(*(f"A/a{n:02}" for n in range(14))), *changes("D/d", what=RESTART)]
    lost = changes("PersistentVolumeClaim/hub-db-dir", "PersistentVolumeClaim/z", what="deleted")
    first = "PersistentVolumeClaim/hub-db-dir (deleted), PersistentVolumeClaim/z (deleted), D/d (pods restart), A/a00"
    assert line([*others, *lost]).startswith(f"hub: 17 of 17 objects change: {first}")


@pytest.mark.parametrize("protected", [True, False])
def test_what_deletes_a_claim_is_said_in_words_and_refused_in_a_protected_stack(protected: bool) -> None:
    claims = ("PersistentVolumeClaim/hub-db-dir", "PersistentVolumeClaim/z")
    kept = [
        *changes(claims[0], what="left behind"),
        *changes(claims[0], what="changed"),
        *changes("Secret/s", what="deleted"),
    ]
    assert report.deleted_claims(kept, protected) == ([], [])
    texts, refused = report.deleted_claims([*kept, *changes(*claims, what="deleted")], protected)
    assert texts == [
        f"the hub's user database is deleted: {claims[0]}, and its volume with it",
        f"all that z holds is deleted: {claims[1]}, and its volume with it",
    ]
    assert [(one.about, one.reason) for one in refused] == [
        (claims[0], "the hub's user database would be deleted, and this stack is protected"),
        (claims[1], "all that z holds would be deleted, and this stack is protected"),
    ][: 2 * protected]
    assert all("pulumi config set protect false" in one.advice for one in refused)


def test_what_users_notice_ends_the_line() -> None:
    found = [Change(HUB, RESTART), Change(PROXY, RESTART), Change(ObjectKey("DaemonSet", "hub-pink"), "deleted")]
    assert line(found) == (
        "hub: 3 of 3 objects change: Deployment/hub (pods restart), Deployment/proxy (pods restart), "
        "DaemonSet/hub-pink (deleted); the hub restarts and forgets its database in memory: users are logged out, "
        "their servers end; the proxy restarts: running sessions are cut off for a moment; "
        "the builder restarts: running builds are lost"
    )


# --- what users notice --------------------------------------------------------------------------------------------


def cookie(value: str) -> dict[str, Any]:
    return {"data": {"hub.config.JupyterHub.cookie_secret": value}}


BUILDER = "the builder restarts: running builds are lost"


@pytest.mark.parametrize(
    ("key", "what", "told"),
    [
        (PROXY, RESTART, "the proxy restarts: running sessions are cut off for a moment"),
        (DIND, RESTART, BUILDER),
        (DIND, "deleted", BUILDER),
        (ObjectKey("DaemonSet", "x-pink"), RESTART, BUILDER),
        *((ObjectKey(*key), RESTART, "") for key in (
            ("DaemonSet", "x-dind-more"), ("Deployment", "x-dind"), ("Deployment", "binder"),
            ("Deployment", "hub", "other"), ("StatefulSet", "hub"),
        )),
        *((key, what, "") for key in (HUB, PROXY, DIND) for what in ("changed", NEW)),
    ],
)  # fmt: skip
def test_what_users_notice_of_each_object(key: ObjectKey, what: str, told: str) -> None:
    assert report.consequences([Change(key, what)], {key: {}}, {key: {}}) == ([told] if told else [])


KEPT: dict[ObjectKey, Any] = {DATABASE: {}, SECRET: cookie("a")}
QUIETLY = "the hub restarts: nobody can log in or launch meanwhile, running sessions stay"
COOKIE = "the hub restarts with a new cookie secret: all users are logged out"
FORGETS = "the hub restarts and forgets its database in memory: users are logged out, their servers end"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (KEPT, KEPT, QUIETLY),
        ({DATABASE: {}}, {DATABASE: {}}, QUIETLY),
        ({DATABASE: {}, SECRET: {}}, {DATABASE: {}, SECRET: {"data": None}}, QUIETLY),
        ({DATABASE: {}, SECRET: {"data": {"other": "a"}}}, {DATABASE: {}, SECRET: {"data": {"other": "b"}}}, QUIETLY),
        (KEPT, {**KEPT, SECRET: cookie("b")}, COOKIE),
        (KEPT, {DATABASE: {}}, COOKIE),
        ({DATABASE: {}}, KEPT, COOKIE),
        (KEPT, {SECRET: cookie("a")}, FORGETS),
        ({SECRET: cookie("a")}, KEPT, FORGETS),
        ({}, {}, FORGETS),
        ({SECRET: cookie("a")}, {SECRET: cookie("b")}, FORGETS),
        (KEPT, {**KEPT, DATABASE: {"changed": True}}, QUIETLY),
    ],
)
def test_what_a_restart_of_the_hub_means(old: dict[ObjectKey, Any], new: dict[ObjectKey, Any], words: str) -> None:
    assert report.consequences([Change(HUB, RESTART)], old, new) == [words]


# --- whose release it is ------------------------------------------------------------------------------------------


WORKED_ON = (
    "release x/hub is pending-upgrade: another run is at work, or was killed",
    "wait for it; if it was killed: python -m operations recover (docs/recovery.md)",
)
REFRESH = "pulumi up --refresh, which installs it anew"
FORGET = (
    "release x/hub was uninstalled by hand, and its history kept: Helm would not install it again",
    f"kubectl -n x delete secret -l owner=helm,name=hub; then {REFRESH}",
)


BIND_AGAIN = "kubectl create clusterrolebinding t --clusterrole=admin --serviceaccount=kube-system:tiller"
PLACE = {"kind": "Namespace", "metadata": {"name": "x"}}
SERVICE = {"kind": "Service", "metadata": {"name": "ours", "namespace": "x"}}
BINDING = {
    "kind": "ClusterRoleBinding", "metadata": {"name": "t"}, "roleRef": {"name": "admin"},
    "subjects": [{"name": "tiller", "namespace": "kube-system"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("history", "installed", "lost", "told"),
    [
        (History(status="pending-upgrade", newest=3, owner=OWN), True, [], WORKED_ON),
        (History(), True, [], ("release x/hub is gone; Pulumi does not know that yet", REFRESH)),
        (History(), True, [PLACE, SERVICE],
         ("release x/hub is gone, and with it Namespace/x, Service/ours; Pulumi does not know that yet", REFRESH)),
        # Without the binding neither a refresh nor a destroy comes to its end: seen with pulumi-kubernetes 4.25.0.
        (History(), True, [PLACE, BINDING],
         ("release x/hub is gone, and with it Namespace/x, ClusterRoleBinding/t; Pulumi does not know that yet",
          f"{BIND_AGAIN}; then {REFRESH}")),
        (History(), False, [], None),
        (History(status="uninstalled", newest=3), True, [], FORGET),
        (History(status="uninstalled", newest=3), False, [], FORGET),
        (History(status="failed", newest=1), True, [], None),  # Helm goes on from a first install that failed
        (History(status="deployed", newest=1, deployed=1), True, [], None),
    ],
)  # fmt: skip
def test_a_release_that_pulumi_and_helm_cannot_go_on_with(
    history: History, installed: bool, lost: list[Any], told: tuple[str, str] | None
) -> None:
    config = {"namespace": "x", "release": "hub", "imagePrefix": "lab/b-", "registryUsername": "me"}
    config |= {"registryPassword": "t0p-secret"}
    given = settings.read(
        {f"binderhub:{key}": value for key, value in config.items()}, ["binderhub:registryPassword"], "dev", Path()
    )
    assert report.at_odds(history, given, installed, lost) == ([Violation("", *told)] if told else [])


TAKE_OVER = "another setting release, or take it over on purpose: pulumi config set adoptRelease true"


LAB, BY_HAND = "pulumi binderhub/lab", "somebody else (Helm says: Upgrade complete)"
FAILS, OVERWRITES = "would fail: cannot re-use a name that is still in use", "would overwrite it"


@pytest.mark.parametrize(
    ("owner", "installed", "whose", "deed"),
    [
        (LAB, False, LAB, FAILS), (LAB, True, LAB, OVERWRITES), ("Upgrade complete", True, BY_HAND, OVERWRITES),
        (f"{OWN}-two", True, f"{OWN}-two", OVERWRITES), (OWN, False, "", ""), (OWN, True, "", ""),
        (RECOVERED, True, "", ""), (RECOVERED, False, f"somebody else (Helm says: {RECOVERED})", FAILS),
    ],
)  # fmt: skip
def test_a_release_of_somebody_else_is_refused(owner: str, installed: bool, whose: str, deed: str) -> None:
    history = History(status="failed", newest=1, owner=owner)
    reason = f"release x/hub exists already and belongs to {whose}; pulumi up {deed}"
    found = report.ownership(history, "x/hub", OWN, installed, adopt=False)
    assert found == ([Violation("", reason, TAKE_OVER)] if whose else [])
    assert report.ownership(history, "x/hub", OWN, installed, adopt=True) == []
    assert report.ownership(History(), "x/hub", OWN, installed, adopt=False) == []
