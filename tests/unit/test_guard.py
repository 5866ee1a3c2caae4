"""Guards the tests themselves: none that pytest never runs."""

import ast
from pathlib import Path

import pytest

from tests.unit.conftest import ROOT

TESTS = ROOT / "tests"
FILES = sorted(file for file in TESTS.rglob("*.py") if TESTS / "charts" not in file.parents)
# Shared by tests, or run by hand; without a test of their own.
SUPPORT = {"engine/support.py", "mutants.py", "readme.py", "unit/fake_api.py", "unit/operations/stack.py"}


def test_every_file_is_collected() -> None:
    names = [file.relative_to(TESTS).as_posix() for file in FILES if file.name not in ("conftest.py", "__init__.py")]
    assert {name for name in names if not Path(name).name.startswith("test_")} == SUPPORT


@pytest.mark.parametrize("file", [file for file in FILES if file.name.startswith("test_")], ids=lambda file: file.stem)
def test_whatever_asserts_is_a_test_or_used_by_one(file: Path) -> None:
    tree = ast.parse(file.read_text())
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    asserting = {one.name for one in functions if any(isinstance(node, ast.Assert) for node in ast.walk(one))}
    assert {name for name in asserting - used if not name.startswith("test_")} == set()


PRODUCT = [
    ROOT / "__main__.py",
    *(
        file
        for room in ("components", "config", "kube", "operations", "preflight")
        for file in (ROOT / room).rglob("*.py")
    ),
]
# What kubectl puts around a server's answer when it prints one, and what it says by itself.
PRINTED = ("Error from server", "error when ", "resource mapping not found", "unable to recognize", "Unable to connect")


def test_nobody_reads_what_kubectl_prints() -> None:
    """Answers come as objects (kube/api): only the proxy starts a kubectl, and no text of its is looked for."""
    texts = {
        file.relative_to(ROOT).as_posix(): [
            node.value
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        for file in PRODUCT
    }
    assert [name for name, found in texts.items() if "kubectl" in found] == ["kube/proxy.py"]
    assert {(name, one) for name, found in texts.items() for one in PRINTED for text in found if one in text} == set()
