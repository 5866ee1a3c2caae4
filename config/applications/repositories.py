"""Repositories as people name them, and the expressions with which BinderHub's providers allow or ban them.

A repository is named by its address without scheme: `github.com/my-org/*`, `gitlab.com/group/project`,
`doi.org/10.5281/zenodo.3242074`. BinderHub matches expressions with what stands in a launch's address, whatever its
case, and each provider writes a repository in another way: `my-org/repo/main` of GitHub is
`https%3A%2F%2Fgithub.com%2Fmy-org%2Frepo/main` of Git (binderhub/repoproviders.py at 00eecd77 and at 016a805b's tests;
CKAN's as in the latter). Visitors write these addresses, so what is allowed is matched as the pages write it, nothing
else; what is banned in every way that leads there, such as with letters or slashes encoded.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final

from config import types
from config.errors import InvalidValue

PROVIDERS: Final = (
    "GitHubRepoProvider", "GistRepoProvider", "GitRepoProvider", "GitLabRepoProvider", "ZenodoProvider",
    "FigshareProvider", "DataverseProvider", "HydroshareProvider", "CKANProvider",
)  # fmt: skip
GITHUB: Final = "github.com"
GITLAB: Final = "gitlab.com"
_GIST: Final = "gist.github.com"
# Every one of these follows any DOI, and repo2docker finds the archive that has it.
_DOI: Final = ("ZenodoProvider", "FigshareProvider", "DataverseProvider")
_HOST: Final = r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?|[a-z0-9-]+:\d+"
_NAME: Final = re.compile(rf"({_HOST})(/[\w.~+*-]+)+", re.ASCII)
# Visitors choose what is matched: with more of them in one name, a long address would keep binder busy for minutes.
_STARS: Final = 2
_ANY: Final = "{0,255}"
# An address that other people name, and the one that their providers know.
_ALIASES: Final = (
    (re.compile(r"www\.(.+)"), r"\1"),
    (re.compile(r"zenodo\.org/\*"), "doi.org/10.5281/zenodo.*"),
    (re.compile(r"zenodo\.org/records?/(\d+)"), r"doi.org/10.5281/zenodo.\1"),
    (re.compile(r"figshare\.com/\*"), "doi.org/10.6084/m9.figshare.*"),
    (re.compile(r"doi\.org/10\.4211/hs\.([0-9a-f]{32}|\*)"), r"hydroshare.org/resource/\1"),
    (re.compile(r"hydroshare\.org/\*"), "hydroshare.org/resource/*"),
)
# Hosts, what their paths look like, and what that is in words.
_SHAPES: Final = (
    (re.compile(r"github\.com"), r"\*|[^/]+/[^/]+", "<owner>/<repository>, either with *"),
    (re.compile(r"gist\.github\.com"), r"\*|[^/]+/[^/]+", "<user>/<id>, either with *"),
    (re.compile(r"doi\.org"), r"10\.[\d.]+/.+", "DOIs, such as 10.5281/zenodo.3242074 or 10.7910/*"),
    (re.compile(r"hydroshare\.org"), r"resource/([0-9a-f]{32}|\*)", "resource/<id> with all 32 digits, or *"),
    (re.compile(r"zenodo\.org"), r"(?!)", "records/<number> or *, or a DOI: doi.org/10.5281/zenodo.3242074"),
    (re.compile(r"figshare\.com"), r"(?!)", "*, or a DOI: doi.org/10.6084/m9.figshare.9782777"),
    (
        re.compile(r"(.*\.)?dataverse\..*"),
        r"(?!)",
        "the DOIs only, such as doi.org/10.7910/DVN/TJCLKP or doi.org/10.7910/*",
    ),
)
_SLASH: Final = r"(?:/|%(?:25)*2F)"
# What may follow the last name of a path.
_END: Final = rf"(?:{_SLASH}|[?#]|%(?:25)*(?:3F|23)|$)"
# No program encodes letters, digits and - . _ ~, or writes dots for a folder: only who hides a name does.
_HIDDEN: Final = (
    r".*%(?:25)*(?:2[DE]|3\d|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])",
    rf"(?:.*{_SLASH})?\.\.?(?:{_SLASH}|$)",
)
_NOTHING: Final = "(?!)"


def read(text: str) -> list[str]:
    """Read a list of names, for `allowing` and `banning`. Raises `InvalidValue` for what these cannot express."""
    expected = "a list of repositories: a host and a path without scheme, such as github.com/my-org/*"
    names = types.entries(list, "", expected, lambda _, name: isinstance(name, str)).read(text)
    if not names:
        raise InvalidValue(f"{expected}, at least one; without the key there is no such list")
    try:
        return [_known(name.lower()) for name in names]
    except InvalidValue as wrong:
        raise InvalidValue(f"{expected}; {wrong}") from None


def _known(name: str) -> str:
    """Return the name that the providers know. Raises `InvalidValue` for one that is none, or is none to BinderHub."""
    found = name
    for pattern, known in _ALIASES:
        if match := pattern.fullmatch(found):
            found = match.expand(known)
    host, _, path = found.partition("/")
    if not _NAME.fullmatch(found) or any(one in (".", "..") or one.count("*") > _STARS for one in path.split("/")):
        raise InvalidValue(f"{name!r} is none")
    shape, meant = next((rule for pattern, *rule in _SHAPES if pattern.fullmatch(host)), (".*", ""))
    if not re.fullmatch(shape, path):
        raise InvalidValue(f"of {host} BinderHub knows {meant}, and not {name!r}")
    return found


def allowing(names: Collection[str], github: str = GITHUB, gitlab: str = GITLAB) -> dict[str, list[str]]:
    """Return the `allowed_specs` of every provider; one that has none of the repositories allows nothing at all.

    Returns nothing for no names. `names` are as `read` returns them; `github` and `gitlab` are the hosts of these two.
    """
    found = _by_provider(names, github, gitlab, _allow)
    return {provider: specs or [_NOTHING] for provider, specs in found.items()}


def banning(names: Collection[str], github: str = GITHUB, gitlab: str = GITLAB) -> dict[str, list[str]]:
    """Return the `banned_specs` of every provider, as `allowing` does; one that has none of the repositories bans none.

    It gets an empty list: GistRepoProvider would take GitHub's in place of none.
    """
    found = _by_provider(names, github, gitlab, _ban)
    return {provider: [*_HIDDEN, *specs] if specs else [] for provider, specs in found.items()}


def _by_provider(
    names: Collection[str], github: str, gitlab: str, write: Callable[[str, str, str], str]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {provider: [] for provider in PROVIDERS} if names else {}
    for name in names:
        host, _, path = name.partition("/")
        for provider in _providers(host, github, gitlab):
            found[provider].append(write(provider, host, path))
    return found


def _providers(host: str, github: str, gitlab: str) -> Iterator[str]:
    """Yield the providers that can launch a repository of a host."""
    if host == "doi.org":
        yield from _DOI
    elif host == "hydroshare.org":
        yield from ("HydroshareProvider", *_DOI)
    else:
        known = {github: "GitHubRepoProvider", gitlab: "GitLabRepoProvider", _GIST: "GistRepoProvider"}.get(host)
        yield from (known, "GitRepoProvider") if known else ("GitRepoProvider", "CKANProvider")


def _allow(provider: str, host: str, path: str) -> str:
    """Return the expression for the specs that the pages make of a repository."""
    slash, colon = r"(?:/|%2F)", r"(?::|%3A)"
    name = re.escape(host).replace(":", colon)
    match provider:
        case "GitHubRepoProvider":
            return rf"{_strict(path, '/')}(?:\.git)?/.+"
        case "GistRepoProvider":
            return rf"{_strict(path, '/')}(?:/[^/]+)?$"
        case "GitLabRepoProvider":
            return rf"{_strict(path, '%2F')}(?:\.git)?/.+"
        case "GitRepoProvider":
            start = rf"(?:https?{colon}%2F%2F{name}%2F|(?:ssh{colon}%2F%2F)?git(?:@|%40){name}(?:%2F|{colon}))"
            return rf"{start}{_strict(path, '%2F')}(?:\.git|%2F)?/.+"
        case "CKANProvider":
            return rf"https?{colon}{slash}{{2}}{name}{slash}{_strict(path, slash)}{slash}?(?:(?:\?|%3F).*)?$"
        case "HydroshareProvider":
            page = rf"https?{colon}{slash}{{2}}(?:www\.)?hydroshare\.org{slash}resource{slash}"
            return rf"(?:{page}|10\.4211{slash}hs\.)?{_resource(path)}{slash}?$"
    return rf"{_strict(_doi(path), slash)}(?:\.v\d+)?$"


def _ban(provider: str, host: str, path: str) -> str:
    """Return an expression for all specs that lead to a repository."""
    at, colon = r"(?:@|%(?:25)*40)", r"(?::|%(?:25)*3A)"
    match provider:
        case "GitHubRepoProvider" | "GistRepoProvider" | "GitLabRepoProvider":
            return rf"{_SLASH}*{_loose(path)}"
        case "GitRepoProvider" | "CKANProvider":
            name = re.escape(host).replace(":", colon)
            before = rf"(?:.*(?:{_SLASH}|{at}))?(?:www\.|ssh\.|altssh\.)?"
            return rf"{before}{name}\.?(?:{colon}\d*)?(?:{_SLASH}|{colon})+{_loose(path)}"
        case "HydroshareProvider":
            return rf".*{_resource(path)}"
    doi = _loose(_doi(path), added=r"\.v\d+")
    return rf"(?:.*(?:{_SLASH}|{colon}))?{doi}"


def _resource(path: str) -> str:
    return path.removeprefix("resource/").replace("*", "[0-9a-f]{32}")


def _doi(path: str) -> str:
    return path.replace("resource/", "10.4211/hs.")


def _strict(path: str, slash: str) -> str:
    """Return the expression for a path: `*` is any name or part of one, and as the last name all below.

    With a plain slash nothing is below: what follows there is a branch, or a state of a gist.
    """
    letters = r"[\w.~+-]"
    name = rf"(?!\.\.?(?:{slash}|/|$)){letters}+"
    several = f"{name}/{name}" if slash == "/" else rf"{name}(?:{slash}{name})*"
    *folders, last = path.split("/")
    parts = [name if one == "*" else re.escape(one).replace(r"\*", letters + _ANY) for one in (*folders, last)]
    if last == "*" and (slash != "/" or not folders):
        parts[-1] = several
    return slash.join(parts)


def _loose(path: str, added: str = r"\.git") -> str:
    """Return the expression for all that a server takes for this path, or for something below it.

    `added` is what a server takes off the end of a name.
    """
    if path == "*":
        return ""
    # Whatever follows a * at the end, the beginning decides.
    end = _SLASH if path.endswith("/*") else "" if path.endswith("*") else f"(?:{added})*{_END}"
    names = path.removesuffix("*").removesuffix("/").split("/")
    return f"{_SLASH}+".join(re.escape(one).replace(r"\*", f"(?:(?!{_SLASH}).){_ANY}") for one in names) + end
