"""Who may be launched: real specs of every provider, matched as BinderHub matches them."""

import json
import re
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from config.applications import repositories
from config.errors import InvalidValue
from kube.nested import get
from tests.unit.config.conftest import helm_values, read

ID = "142c59757ed54de1816777828c9716e7"
GITHUB, GIST, GIT, GITLAB = "GitHubRepoProvider", "GistRepoProvider", "GitRepoProvider", "GitLabRepoProvider"
ZENODO, FIGSHARE, DATAVERSE = "ZenodoProvider", "FigshareProvider", "DataverseProvider"
HYDROSHARE, CKAN = "HydroshareProvider", "CKANProvider"


def git(url: str, ref: str = "HEAD") -> tuple[str, str]:
    return GIT, f"{quote(url, safe='')}/{ref}"


def ckan(url: str) -> tuple[str, str]:
    return CKAN, quote(url, safe="")


# A spec of each provider that nobody names here.
OTHERS = [
    (GITHUB, "someone/repo/HEAD"), (GIST, f"someone/{ID}"), git("https://github.com/someone/repo"),
    (GITLAB, "someone%2Frepo/HEAD"), (ZENODO, "10.5281/zenodo.3242074"), (FIGSHARE, "10.6084/m9.figshare.9782777.v1"),
    (DATAVERSE, "10.7910/DVN/TJCLKP"), (HYDROSHARE, f"https://www.hydroshare.org/resource/{ID}"),
    (HYDROSHARE, f"10.4211/hs.{ID}"), (CKAN, "https://demo.ckan.org/dataset/sample"),
    ckan("https://demo.ckan.org/dataset/sample"),
]  # fmt: skip
# A name, specs that it is, and specs that look like it and are none, or that nobody's page makes.
NAMES = {
    "github.com/my-org/*": (
        [(GITHUB, "my-org/repo/HEAD"), (GITHUB, "My-Org/repo.git/feature/x"), git("https://github.com/my-org/repo"),
         git("https://github.com/my-org/repo.git", "v1"), git("git@github.com:my-org/repo.git"),
         git("ssh://git@github.com/my-org/repo")],
        [(GITHUB, "my-org-2/repo/HEAD"), (GITHUB, "your/my-org/HEAD"), (GITHUB, "my-org/../other/x/HEAD"),
         git("https://gitlab.com/my-org/repo"), git("https://github.com.example.org/my-org/repo"),
         git("https://example.org/github.com/my-org/repo"), git("https://example.org@github.com/my-org/repo"),
         git("https://github.com/my-org/../bad/repo"), git("https://github.com/my-org/%2e%2e/bad/repo"),
         git("https://example.org/x?https://github.com/my-org/repo"), git("https://github.com@example.org/my-org/r"),
         (GIST, f"my-org/{ID}"), (GITLAB, "my-org%2Frepo/HEAD"), git("https://githubxcom/my-org/repo")],
    ),
    "github.com/my-org/course-*": (
        [(GITHUB, "my-org/course-1/HEAD"), git("https://github.com/my-org/course-1.git")],
        [(GITHUB, "my-org/exam/HEAD"), (GITHUB, "my-org/exam/course-1"), git("https://github.com/my-org/exam")],
    ),
    "github.com/my-org/repo": (
        [(GITHUB, "my-org/repo/main"), (GITHUB, "my-org/repo.git/main"), git("https://github.com/My-Org/Repo")],
        [(GITHUB, "my-org/repo2/main"), git("https://github.com/my-org/repo2"), (GITHUB, "my-org/re/repo")],
    ),
    "gitlab.com/my-org/*": (
        [(GITLAB, "my-org%2Frepo/HEAD"), (GITLAB, "my-org%2fgroup%2frepo/a%2Fb"), git("https://gitlab.com/my-org/g/repo")],
        [(GITLAB, "my-org2%2Frepo/HEAD"), (GITLAB, "other%2Fmy-org/HEAD"), (GITHUB, "my-org/repo/HEAD")],
    ),
    "gitlab.com/my-org/group/repo": (
        [(GITLAB, "my-org%2Fgroup%2Frepo/HEAD"), git("https://gitlab.com/my-org/group/repo.git")],
        [(GITLAB, "my-org%2Fgroup%2Frepo2/HEAD"), (GITLAB, "my-org%2Fgroup/repo")],
    ),
    "git.example.org:8443/team/*": (
        [git("https://git.example.org:8443/team/repo"), git("https://git.example.org:8443/team/a/b.git")],
        [git("https://git.example.org/team2/repo"), git("https://example.org/team/repo"), (GITHUB, "team/repo/HEAD")],
    ),
    "demo.ckan.org/dataset/my-*": (
        [(CKAN, "https://demo.ckan.org/dataset/my-data"), ckan("https://demo.ckan.org/dataset/my-data/?activity_id=9-3")],
        [ckan("https://demo.ckan.org/dataset/other"), ckan("https://example.org/demo.ckan.org/dataset/my-data")],
    ),
    "gist.github.com/me/*": (
        [(GIST, f"me/{ID}"), (GIST, f"me/{ID}/HEAD"), git(f"https://gist.github.com/me/{ID}.git")],
        [(GIST, f"you/{ID}"), (GITHUB, "me/repo/HEAD"), git("https://github.com/me/repo")],
    ),
    "doi.org/10.5281/zenodo.1234": (
        [(ZENODO, "10.5281/zenodo.1234"), (ZENODO, "10.5281%2Fzenodo.1234")],
        [(ZENODO, "10.5281/zenodo.12345"), (ZENODO, "10.5281/zenodo.123"), (FIGSHARE, "10.5281/zenodo.123")],
    ),
    "zenodo.org/records/1234": ([(ZENODO, "10.5281/zenodo.1234")], [(ZENODO, "10.5281/zenodo.12345")]),
    "doi.org/10.6084/m9.figshare.555": (
        [(FIGSHARE, "10.6084/m9.figshare.555"), (FIGSHARE, "10.6084/m9.figshare.555.v2")],
        [(FIGSHARE, "10.6084/m9.figshare.5555"), (ZENODO, "10.5281/zenodo.555")],
    ),
    "doi.org/10.7910/DVN/ABC": (
        [(DATAVERSE, "10.7910/DVN/ABC"), (DATAVERSE, "10.7910/dvn/abc")], [(DATAVERSE, "10.7910/DVN/AB")],
    ),
    f"hydroshare.org/resource/{ID[::-1]}": (
        [(HYDROSHARE, ID[::-1]), (HYDROSHARE, f"https://www.hydroshare.org/resource/{ID[::-1]}"),
         (HYDROSHARE, f"10.4211/hs.{ID[::-1]}")],
        [],
    ),
}  # fmt: skip


def is_launched(provider: str, spec: str, allowed: dict[str, list[str]], banned: dict[str, list[str]]) -> bool:
    """Do as BinderHub does: `re.match`, whatever the case, first what is banned, then what is allowed if any is."""

    def found(lists: dict[str, list[str]]) -> bool:
        return any(re.match(one, spec, re.IGNORECASE) for one in lists.get(provider, []))

    return not found(banned) and (not allowed.get(provider) or found(allowed))


def known(*names: str) -> list[str]:
    return repositories.read(json.dumps(names))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_allowed_is_all_that_is_launched(name: str) -> None:
    allowed = repositories.allowing(known(name))
    same, others = NAMES[name]
    assert [one for one in same if not is_launched(*one, allowed, {})] == []
    assert [one for one in [*others, *OTHERS] if is_launched(*one, allowed, {})] == []
    assert set(allowed) == set(repositories.PROVIDERS)
    assert all(allowed.values()), "an empty list would allow everything"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_banned_is_all_that_is_not_launched(name: str) -> None:
    banned = repositories.banning(known(name))
    same, _ = NAMES[name]
    assert [one for one in same if is_launched(*one, {}, banned)] == []
    assert [one for one in OTHERS if not is_launched(*one, {}, banned)] == []


@pytest.mark.parametrize(
    ("provider", "spec"),
    [
        git("https://github.com/bad/repo"), git("HTTP://GitHub.com/Bad/repo"), git("git://github.com/bad/repo"),
        git("https://x:y@github.com:443/bad/repo"), git("https://www.github.com//bad/repo.git"),
        git("git@github.com:bad/repo"), git("ssh://git@ssh.github.com:443/bad/repo"), git("https://github.com./bad/repo"),
        git("https://github.com/b%61d/repo"), git("https://github.com/x/../bad/repo"), git("https://github.com/./bad/r"),
        (GIT, "https:%2F%2Fgithub.com%2Fbad%2Frepo/HEAD"), (GIT, "https%3A%2F%2Fgithub%2Ecom%2Fbad%2Frepo/HEAD"),
        (GIT, "https%3a%2f%2fgithub.com%2f%62ad%2frepo/HEAD"), (GIT, "https%3A%2F%2Fgithub.com%2Fb%2561d%2Frepo/HEAD"),
        (GIT, "https%3A%2F%2Fgithub.com%2Fb%25%36%31d%2Frepo/HEAD"),
        (GITHUB, "bad/repo/HEAD"), (GITHUB, "BAD/other/HEAD"), (GITHUB, "b%61d/repo/HEAD"),
        (GITHUB, "bad%2Frepo/x/HEAD"),
    ],
)  # fmt: skip
def test_a_ban_holds_however_the_address_is_written(provider: str, spec: str) -> None:
    assert not is_launched(provider, spec, {}, repositories.banning(known("github.com/bad/*")))


@pytest.mark.parametrize(
    ("provider", "spec"),
    [
        (GITHUB, "badger/repo/HEAD"), (GITHUB, "good/bad/HEAD"), (GITHUB, "good/other/bad/HEAD"), (GIST, f"bad/{ID}"),
        git("https://github.com/badger/repo"), git("https://notgithub.com/bad/repo"), git("https://gitlab.com/bad/repo"),
        git("https://dev.azure.com/org/My%20Project/_git/repo"), git("https://example.org/~me/repo", "v1.0/x"),
        (GITHUB, "good/repo.v2/release-1.0"), (GITLAB, "bad%2Frepo/HEAD"),
    ],
)  # fmt: skip
def test_a_ban_leaves_the_others_alone(provider: str, spec: str) -> None:
    assert is_launched(provider, spec, {}, repositories.banning(known("github.com/bad/*", "github.com/good/repo")))


@pytest.mark.parametrize("name", ["github.com/*bad*", "git.example.org/*a*/*b*/x", "github.com/*a*/*b*"])
@pytest.mark.parametrize("start", ["", "https%3A%2F%2Fgithub.com%2F", "https%3A%2F%2Fgit.example.org%2F"])
@pytest.mark.parametrize("part", ["a", "ab", "ba/", "%2F", "%25", "git.example.org/:", "github.com%2Fa", "a%2Fb."])
def test_no_address_keeps_binder_busy(name: str, start: str, part: str) -> None:
    names = known(name if name.count("/") > 1 else f"{name}/x")
    spec = start + part * (32_000 // len(part))
    before = time.process_time()
    for make in (repositories.allowing, repositories.banning):
        for specs in make(names).values():
            assert not [one for one in specs if len(one) > 1000]
            for one in specs:
                re.match(one, spec, re.IGNORECASE)
    assert time.process_time() - before < 5


def test_a_whole_host() -> None:
    allowed, banned = (make(known("github.com/*")) for make in (repositories.allowing, repositories.banning))
    for one in ((GITHUB, "someone/repo/HEAD"), git("https://github.com/someone/repo")):
        assert is_launched(*one, allowed, {})
        assert not is_launched(*one, {}, banned)
    assert not is_launched(GITLAB, "someone%2Frepo/HEAD", allowed, {})
    archives = repositories.banning(known("zenodo.org/*", "figshare.com/*", "hydroshare.org/*"))
    assert not [one for one in OTHERS if one[0] in (ZENODO, FIGSHARE, HYDROSHARE) and is_launched(*one, {}, archives)]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["^my-org/.*"], "'^my-org/.*' is none"), (["my-org/*"], "'my-org/*' is none"), ([], "at least one"),
        (["github.com"], "'github.com' is none"), (["https://github.com/my-org/repo"], "is none"),
        (["github.com/my-org"], "of github.com BinderHub knows <owner>/<repository>"), (["*.example.org/x"], "is none"),
        (["github.com/*a*b*/x"], "is none"),
        (["github.com/my-org/repo/tree/main"], "<owner>/<repository>"), (["github.com/a/.."], "is none"),
        (["zenodo.org/communities/x"], "or a DOI: doi.org/"), (["figshare.com/articles/x/1"], "or a DOI: doi.org/"),
        (["dataverse.harvard.edu/dataset.xhtml"], "the DOIs only"), (["hydroshare.org/resource/12"], "all 32 digits"),
        (["doi.org/zenodo.12"], "DOIs, such as 10.5281/"), ([3], "entry 1 is none"), ("x", "a list of"),
    ],
)  # fmt: skip
def test_what_cannot_be_expressed(names: object, told: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        repositories.read(json.dumps(names))
    assert told in str(caught.value)
    assert str(caught.value).startswith("a list of repositories: a host and a path")


@pytest.mark.usefixtures("loop")
def test_the_settings_reach_every_provider(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("config: {GitHubRepoProvider: {hostname: ghe.example.org}}")
    given = {
        "allowedRepositories": '["ghe.example.org/my-org/*"]',
        "bannedRepositories": '["ghe.example.org/my-org/bad"]',
    }
    values = helm_values(read({**given, "valuesFile": "own.yaml"}, folder=tmp_path))["config"]
    allowed, banned = (
        {one: get(values, f"{one}.{trait}") for one in repositories.PROVIDERS}
        for trait in ("allowed_specs", "banned_specs")
    )
    assert is_launched(GITHUB, "my-org/good/HEAD", allowed, banned)
    assert is_launched(*git("https://ghe.example.org/my-org/good"), allowed, banned)
    assert not is_launched(GITHUB, "my-org/bad/HEAD", allowed, banned)
    assert not is_launched(*git("https://ghe.example.org/my-org/bad"), allowed, banned)
    assert not [one for one in OTHERS if is_launched(*one, allowed, banned)]
    # Without an own list, GistRepoProvider would take GitHub's, from which it comes.
    assert (allowed[GIST], banned[GIST]) == (["(?!)"], [])
    assert not [one for one in repositories.PROVIDERS if one in helm_values(read())["config"]]
