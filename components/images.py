"""Image prefixes and registries, as pure functions.

A BinderHub names every image `<prefix><slug>:<commit>`. Upstream checks nothing here: a wrong prefix installs green and
fails, or rebuilds, at each launch. Source of the rules: BinderHub's own `registry.py` and `builder.py` (as run for
chart 3958), the Docker reference grammar, and threads of people whom it hit (facts: binderhub-chart.md 1.2 and 2).
"""

import difflib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DOCKER_HUB: Final = "dockerhub"
ECR: Final = "ecr"
ECR_REASON: Final = (
    "another registry: BinderHub cannot push to AWS ECR, "
    "where each image's repository must exist first and a password lasts 12 hours"
)
# 255 is the registry's limit for prefix and slug; below 75 characters the slug no longer names its repository.
LONGEST_PREFIX: Final = 180
# Google's login name for "the password is the JSON key of a service account".
JSON_KEY_USER: Final = "_json_key"
METADATA_SERVER: Final = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/"
# What docker and kubelet call Docker Hub in their credentials. The chart knows it: as `registry.url` it only does harm.
_DOCKER_HUB_LOGIN: Final = "https://index.docker.io/v1/"
_DOCKER_HUB_HOSTS: Final = ("", "docker.io", "index.docker.io", "registry-1.docker.io")
_DOCKER_HUB_PAGES: Final = ("hub.docker.com", "registry.hub.docker.com")
# A registry without passwords ignores this login; without any, the chart would write `<token>:%!s(<nil>)`.
_NO_LOGIN: Final = "anonymous"
# What BinderHub takes for "<namespace>/<name>" on Docker Hub; anything else loses its first part in its lookups.
_PLAIN_NAMESPACE: Final = re.compile(r"[a-z0-9]{4,40}")
_PART: Final = re.compile(r"[a-z0-9]+((\.|-+)[a-z0-9]+)*")
_LAST_PART: Final = re.compile(r"([a-z0-9]+((\.|-+)[a-z0-9]+)*-*)?")
_LABEL: Final = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*(:(?P<port>[0-9]{{1,5}}))?")
_LONGEST_HOST: Final = 100
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One sort of registry: where it lives, how deep its prefixes are, what it wants to be told.

    `hosts` None is any host; `host` is the only one or, where there are several, an example. `levels` are examples of
    the parts before the last one. `token_url` may hold {host}; "needed" and "optional" of `token_setting` let the
    stack give it.
    """

    title: str
    shape: str
    host: str
    hosts: re.Pattern[str] | None = None
    levels: tuple[str, ...] = ("my-organisation",)
    scheme: str = "https"
    username: str = ""
    needs_login: bool = True
    token_url: str = ""
    token_setting: str = "forbidden"
    app_url: bool = False
    registry_class: str = ""

    @property
    def one_host(self) -> bool:
        """Whether there is nothing to choose."""
        return self.hosts is not None and self.hosts.pattern == re.escape(self.host)


def _only(host: str) -> dict[str, Any]:
    return {"host": host, "hosts": re.compile(re.escape(host))}


_HARBOR_TOKENS: Final = "https://{host}/service/token?service=harbor-registry"
_ANY: Final = Kind(title="a registry", shape="<host>/<project>/<prefix>-", host="registry.example.org")
KINDS: Final[Mapping[str, Kind]] = {
    DOCKER_HUB: Kind(title="Docker Hub", shape="<docker-id or organisation>/<prefix>-", host="", hosts=re.compile("")),
    "gcr": Kind(
        title="Google Container Registry",
        shape="gcr.io/<project>/<prefix>-",
        host="gcr.io",
        hosts=re.compile(r"((us|eu|asia)\.)?gcr\.io"),
        levels=("my-project",),
        # The chart fills it in for `https://gcr.io` alone; for eu.gcr.io it would write `<token>`.
        username=JSON_KEY_USER,
    ),
    "gar": Kind(
        title="Google Artifact Registry",
        shape="<region>-docker.pkg.dev/<project>/<repository>/<prefix>-",
        host="europe-west1-docker.pkg.dev",
        hosts=re.compile(r"[a-z0-9]+(-[a-z0-9]+)*-docker\.pkg\.dev"),
        levels=("my-project", "my-repository"),
        username=JSON_KEY_USER,
        token_url=METADATA_SERVER + "default/token",
        token_setting="optional",
        app_url=True,
        registry_class="binderhub.registry.GoogleArtifactRegistry",
    ),
    "acr": Kind(
        title="Azure Container Registry",
        shape="<registry>.azurecr.io/<any project>/<prefix>-",
        host="myregistry.azurecr.io",
        hosts=re.compile(rf"{_LABEL}\.azurecr\.(io|cn|us)"),
        levels=("my-project",),
        token_url="https://{host}/oauth2/token?service={host}",
    ),
    "ovh": Kind(
        title="OVH Managed Private Registry",
        shape="<hash>.<region>.container-registry.ovh.net/<harbor project>/<prefix>-",
        host="abcde.gra7.container-registry.ovh.net",
        hosts=re.compile(rf"({_LABEL}\.){{2,3}}container-registry\.ovh\.(net|us)"),
        levels=("my-project",),
        token_url=_HARBOR_TOKENS,
        app_url=True,
    ),
    "harbor": Kind(
        title="a Harbor",
        shape="<host>/<harbor project>/<prefix>-",
        host="harbor.example.org",
        levels=("my-project",),
        token_url=_HARBOR_TOKENS,
    ),
    "quay": Kind(
        title="quay.io", shape="quay.io/<organisation>/<prefix>-", **_only("quay.io"), token_setting="optional"
    ),
    "ghcr": Kind(title="ghcr.io", shape="ghcr.io/<owner>/<prefix>-", **_only("ghcr.io"), token_setting="optional"),
    "token": Kind(
        title="a registry with a token server",
        shape="<host>/<project>/<prefix>-",
        host="registry.example.org",
        token_setting="needed",
    ),
    # The docs' `token_url: None` crashes the application, whose setting is a text: it stays away.
    "basic": Kind(
        title="a registry with user and password", shape="<host>/<project>/<prefix>-", host="registry.example.org"
    ),
    "local": Kind(
        title="a registry without TLS",
        shape="<host>:<port>/<project>/<prefix>-",
        host="localhost:5000",
        levels=("my-project",),
        scheme="http",
        needs_login=False,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where images are pushed, as the stack says it.

    `host` is bare (no scheme, no path) and, if "", the prefix's own. `password` is a text or anything that stands for
    one, such as a Pulumi output; None is none. `private` also gives the login to the nodes that pull.
    """

    kind: str = DOCKER_HUB
    host: str = ""
    username: str = ""
    password: object = field(default=None, repr=False)
    token_url: str = ""
    private: bool = False


def registry_values(registry: Registry, prefix: str) -> dict[str, Any]:
    """Return the Helm values of a registry, to be merged: `registry`, `config` and, if private, `jupyterhub`.

    Takes a registry and a prefix without problems; raises ValueError (naming settings, never values) otherwise, since
    the chart renders a missing password as the text `%!s(<nil>)`. The password is handed on untouched.

    Google Artifact Registry: the application's class for it asks the metadata server whether an image exists, so
    binder must run on GCE or GKE, as an account that may read the repository (`token_url` names another account than
    the node's default). That class has no login for pushes; those take the JSON key, as `_json_key`, which upstream's
    docs leave out. Uncertain, never seen live: whether the key alone would do on other clusters. If it does, `token`
    with `https://<host>/v2/token?service=<host>` and the user `_json_key` says so.
    """
    if problems := registry_problems(registry, prefix):
        raise ValueError("the registry's settings have problems: " + ", ".join(sorted({p[0] for p in problems})))
    kind = KINDS[registry.kind]
    host = registry.host or split_host(prefix)[0]
    url = "" if registry.kind == DOCKER_HUB else f"{kind.scheme}://{host}"
    login = {"username": kind.username or registry.username, "password": registry.password}
    if not login["username"]:
        login = {"username": _NO_LOGIN, "password": _NO_LOGIN}
    binder: dict[str, Any] = {"image_prefix": rendered_prefix(prefix), "use_registry": True}
    if kind.registry_class:
        binder["registry_class"] = kind.registry_class
    application = {"url": url} if kind.app_url else {}
    if token_url := registry.token_url or kind.token_url.format(host=host):
        application["token_url"] = token_url
    values: dict[str, Any] = {
        "registry": {"url": url, **login} if url else login,
        "config": {"BinderHub": binder, "DockerRegistry": application} if application else {"BinderHub": binder},
    }
    if registry.private:
        pull = {"create": True, "registry": url or _DOCKER_HUB_LOGIN, **login}
        values["jupyterhub"] = {"imagePullSecret": pull}
    return values


def registry_problems(registry: Registry, prefix: str) -> list[tuple[str, str, str, str]]:
    """List what is wrong with a registry and its prefix: (setting, found, expected, example).

    `found` is "" for what is missing, and never a password; the example is a command.
    """
    if registry.kind == ECR:
        return [("registry", ECR, ECR_REASON, f"pulumi config set registry {DOCKER_HUB}")]
    kind = KINDS.get(registry.kind)
    problems = [] if kind else [_unknown_kind(registry.kind, prefix)]
    if kind:
        problems += _host_problems(registry, kind, prefix)
        problems += _login_problems(registry, kind)
        problems += _token_problems(registry, kind, prefix)
    if bad := prefix_problem(prefix, kind=registry.kind if kind else "", host=registry.host):
        problems.append(("imagePrefix", prefix, bad[0], f"pulumi config set imagePrefix {bad[1]}"))
    return problems


def _unknown_kind(name: str, prefix: str) -> tuple[str, str, str, str]:
    close = difflib.get_close_matches(name.lower(), KINDS, n=1, cutoff=0.6)
    guess = kind_of(prefix)
    best = close[0] if close else guess if guess in KINDS else DOCKER_HUB
    return "registry", name, f"one of {', '.join(KINDS)}", f"pulumi config set registry {best}"


def _host_problems(registry: Registry, kind: Kind, prefix: str) -> list[tuple[str, str, str, str]]:
    host = registry.host
    if not host:
        return []
    if kind.one_host:
        expected = f"no host: there is only one {kind.title}"
        return [("registryHost", host, expected, "pulumi config rm registryHost")]
    if _fits(host, registry.kind):
        return []
    bare = _SCHEME.sub("", host.strip().lower()).split("/")[0]
    example = next(h for h in (bare, split_host(prefix)[0], kind.host) if _fits(h, registry.kind))
    expected = f"a bare host of {kind.title}, as in {kind.host}: no scheme, no path"
    return [("registryHost", host, expected, f"pulumi config set registryHost {example}")]


def _login_problems(registry: Registry, kind: Kind) -> list[tuple[str, str, str, str]]:
    user, key = registry.username, kind.username
    problems: list[tuple[str, str, str, str]] = []
    if key and user not in ("", key):
        expected = f"no user: with {kind.title} it is always {key}"
        problems.append(("registryUsername", user, expected, "pulumi config rm registryUsername"))
    elif not user.strip() and not key and (kind.needs_login or registry.private or not _missing(registry.password)):
        expected = f"user of {kind.title} that images are pushed with"
        problems.append(("registryUsername", "", expected, "pulumi config set registryUsername my-user"))
    elif re.search(r"[\s:<>]", user):
        expected = "a user's name, without ':', blanks or <...>"
        example = re.sub(r"[\s:<>]+", "-", user).strip("-") or "my-user"
        problems.append(("registryUsername", user, expected, f"pulumi config set registryUsername {example}"))
    set_key = "pulumi config set --secret registryPassword < key.json"
    set_password = "pulumi config set --secret registryPassword"
    if _missing(registry.password):
        if kind.needs_login or user or registry.private:
            expected = "the content of the service account's JSON key" if key else "the user's password or access token"
            problems.append(("registryPassword", "", expected, set_key if key else set_password))
    elif key and isinstance(registry.password, str) and not registry.password.lstrip().startswith("{"):
        expected = "the content of the service account's JSON key, from { to }"
        problems.append(("registryPassword", "a value that does not fit (not shown)", expected, set_key))
    return problems


def _missing(password: object) -> bool:
    return password is None or (isinstance(password, str) and not password.strip())


def _token_problems(registry: Registry, kind: Kind, prefix: str) -> list[tuple[str, str, str, str]]:
    url, setting = registry.token_url, "registryTokenUrl"
    if not url and kind.token_setting != "needed":
        return []
    if kind.token_setting == "forbidden":
        expected = f"no token address: with {kind.title} it is known, or there is none"
        return [(setting, url, expected, f"pulumi config rm {setting}")]
    if kind.registry_class:
        expected = "the token of an account at Google's metadata server"
        example, good = kind.token_url, re.compile(re.escape(METADATA_SERVER) + r"[^\s/<>]+/token")
    else:
        host = next(h for h in (registry.host, split_host(prefix)[0], kind.host) if _fits(h, registry.kind))
        expected = f"the address of the token server, which `curl -sI https://{host}/v2/` names as realm and service"
        example, good = f"https://{host}/v2/token?service={host}", re.compile(r"https?://[^\s<>/]+/[^\s<>]*")
    return [] if good.fullmatch(url) else [(setting, url, expected, f"pulumi config set {setting} '{example}'")]


def prefix_problem(prefix: str, *, kind: str = "", host: str = "") -> tuple[str, str] | None:
    """Say what is wrong with an image prefix.

    Takes the prefix as a person wrote it, the kind of registry it must live on ("" is the one that its host tells) and
    the registry's host, if the stack names one. Returns None when it is good, else what is expected and an example
    made from the person's own value.
    """
    kind = kind if kind in KINDS or kind == ECR else ""
    actual = kind_of(prefix)
    if ECR in (kind, actual):
        return ECR_REASON, suggestion(prefix, kind=kind, host=host)
    rules = KINDS.get(kind or actual, _ANY)
    expected = _spelling_problem(prefix, rules) or _place_problem(prefix, kind, host) or _depth_problem(prefix, rules)
    return (expected, suggestion(prefix, kind=kind, host=host)) if expected else None


def _spelling_problem(prefix: str, rules: Kind) -> str:
    last = prefix.rpartition("/")[2]
    checks = (
        (re.search(r"[\x00-\x1f\x7f]", prefix), "no control characters, such as a line break"),
        (re.search(r"[<>{}$]", prefix), "your own account in place of <...>"),
        (_SCHEME.match(prefix), "no scheme such as https://"),
        (re.search(r"\s", prefix), "no blanks"),
        (not prefix.isascii(), "only a to z, digits, '.', '-' and '/'"),
        ("@" in prefix, "no digest (@...)"),
        (":" in last and ("/" in prefix or not _HOST.fullmatch(prefix)), "no tag (:...): BinderHub adds the commit"),
        (prefix != prefix.lower(), "lower case"),
        ("_" in prefix, "no underscore: BinderHub turns it into a hyphen, also in the account's name"),
        ("/" not in prefix, rules.shape),
        (len(prefix) > LONGEST_PREFIX, f"at most {LONGEST_PREFIX} characters, to leave room for the repository's name"),
        (prefix.startswith("/") or "//" in prefix, "no empty part"),
    )
    return next((expected for failed, expected in checks if failed), "")


def _place_problem(prefix: str, kind: str, host: str) -> str:
    found, actual = split_host(prefix)[0], kind_of(prefix)
    if found and not _is_host(found):
        return "a host's name in front, with at most a port (:5000)"
    kind = kind or actual
    if not kind:
        return ""
    if not _fits(found, kind):
        expected = f"a prefix on {KINDS[kind].title}: {KINDS[kind].shape}"
        lives = f"; this one lives on {found or 'Docker Hub'}: set registry: {actual}"
        return expected if actual in ("", kind) else expected + lives
    if host and host != found and _fits(host, kind) and not KINDS[kind].one_host:
        return f"a prefix on the registry's host, {host}"
    return ""


def _depth_problem(prefix: str, rules: Kind) -> str:
    *parts, last = split_host(prefix)[1].split("/")
    if len(parts) < len(rules.levels):
        return rules.shape
    if not all(_PART.fullmatch(p) for p in parts) or not _LAST_PART.fullmatch(last):
        return "parts of letters and digits, joined by '.' or '-'; only the last one may end in '-'"
    if rules is KINDS[DOCKER_HUB] and len(parts) != 1:
        return "exactly one '/' after the account: Docker Hub has no deeper levels"
    return ""


def prefix_warning(prefix: str) -> str | None:
    """Return a warning for a good prefix that runs into the names of the repositories, else None."""
    if prefix.endswith(("-", "/")):
        return None
    return f"no '-' or '/' at its end: images are named {prefix}alice-2dnotebook...; better is {prefix}-"


def suggestion(prefix: str, *, kind: str = "", host: str = "") -> str:
    """Make a good prefix out of a bad one: same words, right shape for the kind (as in `prefix_problem`)."""
    found, path = _words(prefix)
    kind = kind if kind in KINDS or kind == ECR else _kind_of_host(found)
    if kind == ECR or not (kind or _is_host(found)):
        kind = DOCKER_HUB
    rules = KINDS.get(kind, _ANY)
    parts = [p for p in (re.sub(r"[.-]*\.[.-]*", ".", p).strip("-.") for p in path.split("/")) if p] or ["binder-dev"]
    if found in _DOCKER_HUB_PAGES and parts[0] in ("r", "u") and len(parts) > 1:
        del parts[0]
    need = len(rules.levels) + 1
    parts[-1:-1] = rules.levels[len(parts) - 1 :]
    if kind == DOCKER_HUB:
        owner = parts[0].replace(".", "-")
        place, parts = "", ["my-localhost" if owner == "localhost" else owner, "-".join(parts[1:])]
    elif kind:
        place = next(h for h in (host, found, rules.host) if _fits(h, kind))
    else:
        place = found
    if len(place) + sum(len(p) + 1 for p in parts) >= LONGEST_PREFIX:
        parts = [*parts[: need - 1], parts[-1]]
        longest = (LONGEST_PREFIX - 1 - len(place)) // need - 1
        parts = [p[:longest].rstrip("-.") for p in parts]
    return "/".join([place, *parts] if place else parts) + "-"


def _words(prefix: str) -> tuple[str, str]:
    """Split what a person wrote into a host ("" if there is none to trust) and a path of harmless characters."""
    text = unicodedata.normalize("NFKD", prefix).encode("ascii", "ignore").decode().strip().lower()
    text = re.sub(r"@.*$", "", _SCHEME.sub("", text, count=1), flags=re.DOTALL)
    text = re.sub(r"[^a-z0-9./:-]+", "-", text).strip("/-")
    first, slash, rest = text.partition("/")
    for host in (first, first.partition(":")[0]):
        if _is_host(host) and (slash or _kind_of_host(host)):
            return host, re.sub(r":[^/]*$", "", rest).replace(":", "-")
    return "", re.sub(r":[^/]*$", "", text).replace(":", "-")


def split_host(prefix: str) -> tuple[str, str]:
    """Split a prefix into registry host and path; the host is "" for Docker Hub's short form."""
    first, _, rest = prefix.partition("/")
    return (first, rest) if "." in first or ":" in first or first == "localhost" else ("", prefix)


def is_docker_hub(prefix: str) -> bool:
    """Tell whether images with this prefix live on Docker Hub."""
    return kind_of(prefix) == DOCKER_HUB


def kind_of(prefix: str) -> str:
    """Guess the kind of registry from a prefix's host; "" when the host does not tell."""
    return _kind_of_host(split_host(prefix)[0])


def _kind_of_host(host: str) -> str:
    host = host.lower().removesuffix(":443")
    if host in _DOCKER_HUB_HOSTS:
        return DOCKER_HUB
    if host == "public.ecr.aws" or re.fullmatch(r"[0-9]+\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", host):
        return ECR
    if re.fullmatch(r"(localhost|127\.[0-9.]+)(:[0-9]+)?", host):
        return "local"
    return next((name for name, kind in KINDS.items() if kind.hosts and kind.hosts.fullmatch(host)), "")


def _is_host(text: str) -> bool:
    match = _HOST.fullmatch(text) if len(text) <= _LONGEST_HOST else None
    if not match or split_host(f"{text}/")[0] != text:
        return False
    return match["port"] is None or 0 < int(match["port"]) <= 65_535


def _fits(host: str, kind: str) -> bool:
    if kind == DOCKER_HUB:
        return _kind_of_host(host) == DOCKER_HUB
    if hosts := KINDS[kind].hosts:
        return hosts.fullmatch(host) is not None
    actual = _kind_of_host(host)
    # `token` is the way to any registry that wants other token addresses than its own kind has.
    return _is_host(host) and (actual in ("", "local", kind) or (kind == "token" and actual not in (DOCKER_HUB, ECR)))


def rendered_prefix(prefix: str) -> str:
    """Return the prefix as it must reach the chart.

    BinderHub takes the first part of `me/binder-` (under 4 characters) or `my-org/binder-` (a hyphen) for a registry
    and then asks Docker Hub for the wrong repository: it rebuilds on every launch. With `docker.io/` in front it does
    not. Other prefixes pass unchanged.
    """
    host, path = split_host(prefix)
    if not is_docker_hub(prefix):
        return prefix
    namespace = path.partition("/")[0]
    return path if not host and _PLAIN_NAMESPACE.fullmatch(namespace) else f"docker.io/{path}"


def clashes(own: str, others: Mapping[str, str]) -> list[tuple[str, str]]:
    """List the stacks whose images could be taken for ours: (file name, why).

    Takes our prefix and, by file name, the others' as written; an empty one is a prefix that is not set. Two hubs
    clash when one prefix is the start of the other, for then an image's name fits both.
    """
    found = []
    mine = _place(own)
    for name, other in others.items() if own.strip() else ():
        theirs = _place(other)
        if not other.strip():
            continue
        if mine == theirs:
            found.append((name, f"{other} is the same place" if own != other else "the same prefix"))
        elif theirs.startswith(mine):
            found.append((name, f"{other} starts with {own}"))
        elif mine.startswith(theirs):
            found.append((name, f"{own} starts with {other}"))
    return found


def _place(prefix: str) -> str:
    """Return the one spelling of where images go: BinderHub lowers the case and turns '_' into '-', host included."""
    text = _SCHEME.sub("", prefix.strip(), count=1).lower().replace("_", "-")
    host, path = split_host(text)
    host = "docker.io" if _kind_of_host(host) == DOCKER_HUB else host.removesuffix(":443")
    return f"{host}/{path}"
