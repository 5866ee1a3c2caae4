"""Which chart is installed, and what tells two charts apart."""

import io
import tarfile
from pathlib import Path

import pytest

from config import chart
from config.chart import Chart
from config.errors import InvalidValue

ABOUT = "apiVersion: v2\nname: binderhub\nversion: 1.2.3-x\n"


def unpacked(place: Path, about: str = ABOUT) -> Path:
    (place / "templates").mkdir(parents=True)
    (place / "Chart.yaml").write_text(about)
    (place / "templates" / "hub.yaml").write_text("kind: Secret\n")
    return place


PACKED = {"binderhub/charts/sub/Chart.yaml": "name: sub", "binderhub/Chart.yaml": ABOUT}


def packed(place: Path, files: dict[str, str] = PACKED) -> Path:
    with tarfile.open(place, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return place


@pytest.mark.parametrize(("given", "version", "hub"), [("", chart.CHART_VERSION, "5.3.0"), ("9.9", "9.9", "")])
def test_published_chart(given: str, version: str, hub: str) -> None:
    repository = "https://hub.jupyter.org/helm-chart/"
    expected = Chart(reference="binderhub", version=version, repository=repository, digest="", jupyterhub=hub)
    assert chart.published(given) == expected


@pytest.mark.parametrize("make", [unpacked, packed])
def test_local_chart(tmp_path: Path, make: object) -> None:
    place = make(tmp_path / "my-chart")  # type: ignore[operator]
    got = chart.local("my-chart", tmp_path)
    assert (got.reference, got.version, got.repository) == ("./my-chart", "1.2.3-x", "")
    assert len(got.digest) == 12
    assert chart.local(str(place), tmp_path) == got, "an absolute path must not differ from machine to machine"


HUB_CHART = "name: jupyterhub\nversion: 4.2.0\nappVersion: 5.3.0\n"


@pytest.mark.parametrize(("about", "hub"), [(HUB_CHART, "5.3.0"), ("name: jupyterhub\n", ""), ("", ""), (None, "")])
def test_a_chart_on_the_disk_says_which_jupyterhub_it_brings(tmp_path: Path, about: str | None, hub: str) -> None:
    below = unpacked(tmp_path / "folder") / "charts" / "jupyterhub"
    files = {"binderhub/Chart.yaml": ABOUT}
    if about is not None:
        below.mkdir(parents=True)
        (below / "Chart.yaml").write_text(about)
        files["binderhub/charts/jupyterhub/Chart.yaml"] = about
    packed(tmp_path / "archive", files)
    assert [chart.local(name, tmp_path).jupyterhub for name in ("folder", "archive")] == [hub, hub]


@pytest.mark.parametrize(
    ("path", "reference"),
    [("c", "./c"), ("./c", "./c"), ("deep/../c", "./c"), ("../beside", "../beside"), ("~/home-chart", "../home-chart")],
)
def test_reference_is_relative_to_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, reference: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "project"
    for place in (folder / "c", folder / "deep", tmp_path / "beside", tmp_path / "home-chart"):
        unpacked(place)
    monkeypatch.chdir(tmp_path)  # where the person stands does not matter
    assert chart.local(path, folder).reference == reference


def test_version_is_a_text(tmp_path: Path) -> None:
    unpacked(tmp_path / "c", "name: binderhub\nversion: 1.0\n")
    assert chart.local("c", tmp_path).version == "1", "as Helm takes a number for a text"


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ("name: jupyterhub\nversion: 1\n", "a chart named binderhub; {place} is a chart named jupyterhub"),
        ("version: 1\n", "{place} is none"),
        ("name: binderhub\n", "{place} is none"),
        ("", "{place} is none"),
        ("just a text", "{place} is none"),
        ("a: [", "{place} is none"),
        ("released: 2026-99-99", "{place} is none"),
    ],
)
def test_a_folder_that_is_no_such_chart(tmp_path: Path, about: str, message: str) -> None:
    place = unpacked(tmp_path / "c", about)
    with pytest.raises(InvalidValue) as caught:
        chart.local("c", tmp_path)
    assert message.format(place=place) in str(caught.value)


def damaged(place: Path, keep: slice, junk: bytes = b"") -> None:
    place.write_bytes(packed(place).read_bytes()[keep] + junk)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda place: place.mkdir(),
        lambda place: place.write_text("not an archive"),
        lambda place: place.write_bytes(b""),
        lambda place: packed(place, {"other/README.md": "x"}),
        lambda place: packed(place, {"Chart.yaml": ABOUT}),
        lambda place: damaged(place, slice(0, 40)),  # a download that broke off
        lambda place: damaged(place, slice(0, 20), b"\xff" * 40),
    ],
    ids=["empty folder", "text", "empty", "no Chart.yaml", "Chart.yaml outside", "cut off", "bits flipped"],
)
def test_something_that_is_no_chart(tmp_path: Path, spoil: object) -> None:
    place = tmp_path / "c.tgz"
    spoil(place)  # type: ignore[operator]
    with pytest.raises(InvalidValue, match=r"a Helm chart \(.tgz or folder with a Chart.yaml\); .*/c.tgz is none"):
        chart.local("c.tgz", tmp_path)


def digest(folder: Path) -> str:
    return chart.local("c", folder).digest


def test_digest_tells_edited_charts_apart(tmp_path: Path) -> None:
    template = unpacked(tmp_path / "c") / "templates" / "hub.yaml"
    unpacked(tmp_path / "elsewhere" / "c")
    seen = [digest(tmp_path), digest(tmp_path / "elsewhere")]
    template.write_text("kind: ConfigMap\n")
    seen.append(digest(tmp_path))
    template.rename(template.with_name("other.yaml"))
    seen.append(digest(tmp_path))
    (tmp_path / "c" / "values.yaml").write_text("")
    seen.append(digest(tmp_path))
    assert seen[0] == seen[1]
    assert len(set(seen)) == 4


def test_digest_of_an_archive(tmp_path: Path) -> None:
    packed(tmp_path / "c")
    before = digest(tmp_path)
    packed(tmp_path / "c", {"binderhub/Chart.yaml": ABOUT + "# edited"})
    assert digest(tmp_path) != before
