"""Image prefixes: every refusal with its cause, what BinderHub makes of a good one, and clashes between stacks."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import image_prefix
from config.registries import ECR_REASON, TYPES

GAR = "europe-west1-docker.pkg.dev"
OVH = "abcde.gra7.container-registry.ovh.net"
TAG, CONTROL, PARTS = "no tag", "no control characters", "parts of letters and digits"
ASCII, HOST = "only a to z, digits", "a host's name in front"
DEEP = "exactly one '/' after the account"

# Prefix, registry type ("" is the host's own), what is expected: the type's shape for "shape".
BAD = [
    ("", "", "shape"), ("binder-dev-", "", "shape"), ("binder.dev", "dockerhub", "shape"),
    ("https://gcr.io/p/b-", "", "no scheme"), ("HTTPS://acme/b-", "", "no scheme"),
    ("<docker-id>/binder-dev-", "", "your own account"), ("gcr.io/<project>/b-", "gcr", "your own account"),
    ("${DOCKER_ID}/binder-", "", "your own account"),
    ("acme/binder-\n", "", CONTROL), ("acme/bin\x00der-", "", CONTROL), ("acme/\x7fb-", "", CONTROL),
    (" acme/binder-", "", "no blanks"), ("acme/my binder-", "", "no blanks"), ("acme/my\u00a0b-", "", "no blanks"),
    ("acme/büro-", "", ASCII), ("acme/binder\u2013", "", ASCII), ("日本/binder-", "", ASCII),
    ("acme/b@sha256:abc", "", "no digest"),
    ("acme/binder:latest", "", TAG), ("acme/binder:8080", "", TAG), ("gcr.io/p/b-:v1", "", TAG), ("b:latest", "", TAG),
    ("MyOrg/Binder-", "", "lower case"), ("GCR.io/p/b-", "gcr", "lower case"),
    ("my_org/binder-", "", "no underscore"), ("acme/binder_", "", "no underscore"),
    ("/acme/binder-", "", "no empty part"), ("acme//binder-", "", "no empty part"), ("gcr.io/p//", "", "no empty part"),
    ("acme/" + "x" * 176, "", "at most 180 characters"),
    ("acme-/binder-", "", PARTS), ("-acme/binder-", "", PARTS), ("acme/-binder-", "", PARTS),
    ("acme/b..c-", "", PARTS), ("acme/b.-c-", "", PARTS), ("acme/binder.", "", PARTS), ("acme/b+c-", "", PARTS),
    ("acme:x/b-", "", HOST), ("h.example.org:999999/p/b-", "harbor", HOST), ("-h.example.org/p/b-", "", HOST),
    ("acme/team/binder-", "", DEEP), ("docker.io/acme/team/b-", "dockerhub", DEEP), ("docker.io/b-", "", "shape"),
    ("gcr.io", "gcr", "shape"), ("gcr.io/b-", "gcr", "shape"), (f"{GAR}/p/b-", "", "shape"),
    (f"{GAR}/b-", "gar", "shape"), ("a.azurecr.io/b-", "", "shape"), (f"{OVH}/b-", "ovh", "shape"),
    ("h.example.org/b-", "harbor", "shape"), ("quay.io/b-", "quay", "shape"), ("ghcr.io/b-", "ghcr", "shape"),
    ("r.example.org/b-", "token", "shape"), ("r.example.org/b-", "basic", "shape"),
    ("r.example.org/b-", "", "<host>/<project>/<prefix>-"),
    ("localhost:5000/b-", "local", "shape"),
    ("hub.docker.com/r/acme/binder", "dockerhub", "a prefix on Docker Hub"),
    ("quay.io/localhost/b-", "dockerhub", "lives on quay.io: set registry: quay"),
    ("gcr.io:443/p/b-", "", "a prefix on Google Container Registry"),
    ("docker.io/acme/b-", "token", "lives on docker.io: set registry: dockerhub"),
    (f"{OVH}/p/b-", "harbor", f"lives on {OVH}: set registry: ovh"),
    ("quay.io/acme/b-", "ghcr", "lives on quay.io: set registry: quay"),
    ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/x/b-", "", ECR_REASON),
    ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/x/b-", "basic", ECR_REASON), ("public.ecr.aws/x/b-", "", ECR_REASON),
]  # fmt: skip


@pytest.mark.parametrize(("prefix", "registry_type", "expected"), BAD)
def test_what_is_refused(prefix: str, registry_type: str, expected: str) -> None:
    bad = image_prefix.problem(prefix, registry_type=registry_type)
    home = registry_type or image_prefix.type_of(image_prefix.split_host(prefix)[0])
    assert bad is not None
    assert (TYPES[home].shape if expected == "shape" else expected) in bad[0]


GOOD = [
    ("acme/binder-dev-", ""), ("acme/", ""), ("me/b--", "dockerhub"), ("docker.io/my-org/b.c-", "dockerhub"),
    ("us.gcr.io/p/deeper/b-", "gcr"), ("gcr.io/example.com/p/b-", "gcr"), (f"{GAR}/p/r/", "gar"),
    ("us-docker.pkg.dev/p/r/deeper/b-", ""), ("acme.azurecr.cn/p/b-", "acr"),
    ("abcde.c1.gra9.container-registry.ovh.net/p/b-", "ovh"), ("localhost:5000/test/", "local"),
    ("10.0.0.1:5000/test/", "local"), ("registry:5000/test/", "basic"), (f"{GAR}/p/r/b-", "token"),
    ("r.example.org:443/p/b-", "harbor"), ("acme/" + "x" * 174 + "-", ""),
]  # fmt: skip


@pytest.mark.parametrize(("prefix", "registry_type"), GOOD)
def test_what_is_accepted(prefix: str, registry_type: str) -> None:
    assert image_prefix.problem(prefix, registry_type=registry_type) is None


def test_the_example_lives_on_the_stacks_own_host() -> None:
    bad = image_prefix.problem("h.example.com/p/b-", registry_type="harbor", host="h.example.org")
    assert bad == ("a prefix on the registry's host, h.example.org", "h.example.org/my-project/binder-dev-")


def test_a_prefix_without_an_end_is_a_warning() -> None:
    assert image_prefix.warnings("acme/b-") == image_prefix.warnings("acme/") == image_prefix.warnings("") == []
    assert "named acme/balice-2dnotebook...; better is acme/b-" in str(image_prefix.warnings("acme/b"))


SEEDS = (
    *(row[0] for row in (*GOOD, *BAD)),
    *(rules.prefix() for rules in TYPES.values()),
    "localhost",
    "-/-",
    "a/" * 200,
)
BITS = (*"aZ9._-/:@<>{}$ \n\t\x00é日İß", "//", "://", "docker.io", "localhost", "gcr.io/", ":443", ":99999", "x" * 60)
HOSTS = ("", "gcr.io", "h.example.org", "h:5000", "https://x", GAR, "docker.io", "y" * 120 + ".org", "localhost")
# Docker's own grammar (distribution/reference), written anew: host, then parts.
NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
DOMAIN = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
REFERENCE = re.compile(rf"(?:{DOMAIN}(?:\.{DOMAIN})*(?::[0-9]+)?/)?{NAME}(?:/{NAME})*")


def mutants(count: int) -> Iterator[tuple[str, str, str]]:
    """Prefixes a few edits away from real ones, with a registry type and a host; the same ones in each run."""
    dice = random.Random(4)
    for number in range(count):
        # Every other one is of its own type, with an edit at most, so that many are good.
        near = number % 2
        text, registry_type = dice.choice(GOOD) if near else (dice.choice(SEEDS), dice.choice(("", *TYPES)))
        for _ in range(dice.randint(0, 1 if near else 3)):
            at = dice.randint(0, len(text))
            text = text[:at] + dice.choice(BITS) + text[at + dice.randint(0, 3) :]
        yield text, registry_type, "" if near else dice.choice(HOSTS)


def asked_for(image: str) -> str:
    """Which repository BinderHub looks up: without the first part, unless the whole looks like Docker Hub's."""
    return image if re.fullmatch(r"[a-z0-9]{4,40}/[a-z0-9._-]{2,255}", image) else image.partition("/")[2]


def test_examples_are_good_and_good_ones_name_images_that_docker_takes_and_binderhub_finds() -> None:
    accepted = 0
    for text, registry_type, host in mutants(3000):
        if bad := image_prefix.problem(text, registry_type=registry_type, host=host):
            again = image_prefix.problem(bad[1], registry_type=registry_type, host=host)
            assert again is None, (text, registry_type, host)
            assert image_prefix.warnings(bad[1]) == []
            continue
        accepted += 1
        image = image_prefix.rendered(text) + "alice-2dnotebook-798bce"
        assert REFERENCE.fullmatch(image), image
        assert image == image.lower().replace("_", "-")
        assert asked_for(image) == image_prefix.split_host(text)[1] + "alice-2dnotebook-798bce", image
    assert accepted > 200


@pytest.mark.parametrize(
    ("prefix", "rendered"),
    [
        ("acme/binder-", "acme/binder-"), ("abc/binder-", "docker.io/abc/binder-"), ("abcd/binder-", "abcd/binder-"),
        ("my-org/binder-", "docker.io/my-org/binder-"), ("docker.io/acme/binder-", "docker.io/acme/binder-"),
        ("index.docker.io/acme/binder-", "docker.io/acme/binder-"),
        ("docker.io:443/acme/binder-", "docker.io/acme/binder-"),
        ("gcr.io/me/b-", "gcr.io/me/b-"), ("localhost:5000/test/", "localhost:5000/test/"),
    ],
)  # fmt: skip
def test_rendered(prefix: str, rendered: str) -> None:
    assert image_prefix.rendered(prefix) == rendered


@pytest.mark.parametrize(
    ("own", "other", "clashes"),
    [
        ("acme/binder-dev-", "acme/binder-dev-", True), ("acme/binder-dev-", "acme/binder-prod-", False),
        ("acme/binder-dev-", "acme/binder-", True), ("acme/", "acme/binder-", True),
        ("acme/binder-", "acme-labs/binder-", False), ("acme/b-", "docker.io/acme/b-", True),
        ("index.docker.io/acme/b-", "registry-1.docker.io/acme/b-", True), ("acme/b-", "docker.io:443/acme/b-", True),
        ("acme/b-", "https://docker.io/acme/b-", True), ("acme/b-", " ACME/B- ", True),
        ("my-org/my-b-", "my_org/my_b-", True), ("r.example.org/p/b-", "r.example.org:443/p/b-", True),
        ("r.example.org/p/b-", "r.example.org:5000/p/b-", False), ("gcr.io/p/b-", "eu.gcr.io/p/b-", False),
        ("gcr.io/p/b-", "p/b-", False),
    ],
)  # fmt: skip
def test_clash(own: str, other: str, clashes: bool) -> None:
    assert image_prefix.clash(own, other) is image_prefix.clash(other, own) is clashes


def test_only_prefixes_in_clear_of_other_stacks_are_compared(tmp_path: Path) -> None:
    for name, text in {
        "dev": "config: {'binderhub:imagePrefix': acme/own-}",
        "prod": "config: {'binderhub:imagePrefix': acme/b-}",
        "hidden": "config: {'binderhub:imagePrefix': {secure: djE6}}",
        "blank": "config: {'binderhub:imagePrefix': ' '}",
        "other": "config: {'someproject:imagePrefix': acme/b-}",
        "list": "- 1",
        "broken": "a: [",
    }.items():
        (tmp_path / f"Pulumi.{name}.yaml").write_text(text)
    (tmp_path / "Pulumi.bytes.yaml").write_bytes(b"\xff")
    assert image_prefix.of_other_stacks("dev", tmp_path) == {"Pulumi.prod.yaml": "acme/b-"}
