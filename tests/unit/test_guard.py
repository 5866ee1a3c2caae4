"""Guards the tests themselves: none that pytest never runs, and none whose asserts the SDK never waits for."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT

TESTS = ROOT / "tests"
CHARTS = TESTS / "charts"  # Python inside charts runs in pods
FILES = sorted(file for file in TESTS.rglob("*.py") if CHARTS not in file.parents)
SUPPORT = {"engine/support.py", "readme.py"}  # shared by tests, with none of their own
SDKS = ("pulumi_kubernetes", "pulumi_random")
COMPONENTS = {"Tiller", "Tokens", "Address", "BinderHub", "make_namespace"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> list[Function]:
    """Functions at the top of a module or of its classes."""
    places = [tree, *(node for node in ast.iter_child_nodes(tree) if isinstance(node, ast.ClassDef))]
    return [node for place in places for node in ast.iter_child_nodes(place) if isinstance(node, Function)]


def names_called(node: ast.AST) -> set[str]:
    """The first name of each call: `a` for `a()` and `a.b()`. Functions that are decorated take care of themselves."""
    found = set()
    for below in ast.iter_child_nodes(node):
        if isinstance(below, Function) and decorated(below):
            continue
        found |= names_called(below)
        if isinstance(below, ast.Call):
            target = below.func
            while isinstance(target, ast.Attribute):
                target = target.value
            if isinstance(target, ast.Name):
                found.add(target.id)
    return found


def decorated(function: Function) -> bool:
    return "pulumi.runtime.test" in map(ast.unparse, function.decorator_list)


def builders(tree: ast.AST) -> set[str]:
    """Names in a module whose call builds a resource: imported ones, and functions that call such a one."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(a.asname or a.name).split(".")[0] for a in node.names if a.name.split(".")[0] in SDKS}
        if isinstance(node, ast.ImportFrom) and node.module:
            root = node.module.split(".")[0]
            wanted = (a for a in node.names if root in SDKS or (root == "components" and a.name in COMPONENTS))
            found |= {a.asname or a.name for a in wanted}
    while True:
        more = {f.name for f in functions(tree) if not decorated(f) and names_called(f) & found} - found
        if not more:
            return found
        found |= more


def undecorated(text: str) -> list[str]:
    """Tests that build resources and do not wait for them."""
    tree = ast.parse(text)
    known = builders(tree)
    tests = [f for f in functions(tree) if f.name.startswith("test_") and not decorated(f)]
    return [f.name for f in tests if names_called(f) & known]


def asserts(function: Function) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(function))


def never_run(text: str) -> list[str]:
    """Functions of a test file that assert something, and that pytest neither collects nor reaches by name."""
    tree = ast.parse(text)
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    named |= {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}
    named |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return [f.name for f in functions(tree) if asserts(f) and not f.name.startswith("test_") and f.name not in named]


def hidden_tests(text: str) -> list[str]:
    """Names that look like tests and are not collected: `tests_x`, `testX`, methods of classes not named Test..."""
    tree = ast.parse(text)
    inside = {
        f.name
        for node in ast.iter_child_nodes(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("Test")
        for f in functions(node)
    }
    return [
        f.name
        for f in functions(tree)
        if f.name.startswith("test") and (not f.name.startswith("test_") or f.name in inside)
    ]


def twice(text: str) -> list[str]:
    """Tests that a later one of the same name replaces."""
    names = [f.name for f in ast.iter_child_nodes(ast.parse(text)) if isinstance(f, Function)]
    return sorted({name for name in names if names.count(name) > 1})


def uncollected(name: str) -> bool:
    file = Path(name)
    return not (file.name.startswith("test_") or file.name in ("conftest.py", "__init__.py") or name in SUPPORT)


# --- the tests as they are ----------------------------------------------------------------------------------------


def test_every_file_is_collected() -> None:
    assert [name for file in FILES if uncollected(name := file.relative_to(TESTS).as_posix())] == []


@pytest.mark.parametrize("detector", [undecorated, never_run, hidden_tests, twice])
def test_every_test_runs_to_its_end(detector: object) -> None:
    files = [file for file in FILES if file.name.startswith("test_")]
    assert len(files) > 10
    found = {file.name: detector(file.read_text()) for file in files}  # type: ignore[operator]
    assert {name: offenders for name, offenders in found.items() if offenders} == {}


def test_support_files_exist_and_hold_no_test() -> None:
    for name in SUPPORT:
        assert "\ndef test" not in (TESTS / name).read_text(), name


# --- the guards catch what they are for ---------------------------------------------------------------------------

IMPORT = "import pulumi\nfrom pulumi_kubernetes.core.v1 import Service\n"


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        (f"{IMPORT}def test_x():\n    Service('a')\n", ["test_x"]),
        (f"{IMPORT}@pulumi.runtime.test\ndef test_x():\n    return Service('a').id\n", []),
        (f"{IMPORT}def make():\n    return Service('a')\ndef test_x():\n    make()\n", ["test_x"]),
        (f"{IMPORT}def a():\n    b()\ndef b():\n    Service('a')\ndef test_x():\n    a()\n", ["test_x"]),
        (f"{IMPORT}class TestX:\n    def test_x(self):\n        Service('a')\n", ["test_x"]),
        (f"{IMPORT}def test_x():\n    @pulumi.runtime.test\n    def run():\n        Service('a')\n    run()\n", []),
        (f"{IMPORT}def test_x():\n    def run():\n        Service('a')\n    run()\n", ["test_x"]),
        ("import pulumi_random as r\ndef test_x():\n    r.RandomPassword('a')\n", ["test_x"]),
        ("from components.tiller import Tiller as T\ndef test_x():\n    T('a')\n", ["test_x"]),
        ("from components.binderhub import make_namespace\ndef test_x():\n    make_namespace('a')\n", ["test_x"]),
        ("from components.tiller import binding_name\ndef test_x():\n    assert binding_name('a')\n", []),
    ],
)
def test_undecorated_tests_are_caught(text: str, caught: list[str]) -> None:
    assert undecorated(text) == caught


@pytest.mark.parametrize(
    ("detector", "text", "caught"),
    [
        (never_run, "def check_x():\n    assert True\n", ["check_x"]),
        (never_run, "def check_x():\n    assert True\ndef test_x():\n    check_x()\n", []),
        (never_run, "def made():\n    assert True\ndef test_x(made):\n    pass\n", []),
        (never_run, "def helper():\n    pass\n", []),
        (hidden_tests, "def testx():\n    assert True\n", ["testx"]),
        (hidden_tests, "class Checks:\n    def test_x(self):\n        assert True\n", ["test_x"]),
        (hidden_tests, "class TestX:\n    def test_x(self):\n        assert True\n", []),
        (twice, "def test_x():\n    pass\ndef test_x():\n    pass\n", ["test_x"]),
        (twice, "def test_x():\n    pass\ndef test_y():\n    pass\n", []),
    ],
)
def test_tests_that_never_run_are_caught(detector: object, text: str, caught: list[str]) -> None:
    assert detector(text) == caught  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "caught"),
    [
        ("unit/check_values.py", True),
        ("unit/values_test.py", True),
        ("unit/support.py", True),
        ("unit/test_values.py", False),
        ("unit/conftest.py", False),
        ("engine/support.py", False),
    ],
)
def test_files_that_are_not_collected_are_caught(name: str, caught: bool) -> None:
    assert uncollected(name) is caught
