"""A release that another stack made: refused, or taken over on purpose, as docs/preview.md says."""

from tests import readme
from tests.engine.support import PROJECT, Bench, decoded
from tests.engine.test_stacks import NewStack


def block(setting: str) -> str:
    """Return the commands of docs/preview.md that set it."""
    found = readme.blocks((PROJECT / "docs" / "preview.md").read_text(), "sh")
    (one,) = (block for block in found if f"set {setting} true" in block)
    return one.replace("pulumi up", "pulumi up --yes --skip-preview")


def test_a_release_of_another_stack_is_refused_until_it_is_adopted(new_stack: NewStack, bench: Bench) -> None:
    theirs = bench.stack("theirs", {"release": "shared", "tiller": "name: tiller-shared"})
    theirs.up()
    token = decoded(bench.kubectl("-n", "shared", "get", "secret", "hub"))["hub.services.binder.apiToken"]
    mine = new_stack("shared", tiller="name: tiller-shared")  # who has it in the end destroys it
    refused = mine.pulumi("preview", check=False)
    assert refused.status != 0
    assert "release shared/shared exists already and belongs to pulumi binderhub/theirs" in refused.text
    assert "pulumi up would fail: cannot re-use a name that is still in use" in refused.text
    told = " ".join(refused.text.split())
    assert "Namespace/shared: exists already, and this stack did not make it" in told
    assert "more like it: ServiceAccount/tiller-shared in kube-system, ClusterRoleBinding/tiller-shared" in told
    # It is true: without the check, that is what happens.
    mine.set("skipServerChecks", "true")
    assert "cannot re-use a name that is still in use" in mine.up(check=False).text
    skipped = mine.space.run("bash", "-euxc", block("skipServerChecks"))
    assert skipped.status == 0, skipped.text
    mine.space.pulumi("config", "set-all", secrets={"apiToken": token})
    adopted = mine.space.run("bash", "-euxc", block("adoptRelease"))
    assert adopted.status == 0, adopted.text
    assert "shared: " in adopted.text
    assert token not in adopted.text
    mine.pulumi("preview", "--expect-no-changes")
    assert decoded(bench.kubectl("-n", "shared", "get", "secret", "hub"))["hub.services.binder.apiToken"] == token
