"""How good are the tests: breaks the program in one place at a time, and lists the breaks that no test notices.

    python -m tests.mutants config/values.py config/risks.py --count 84

Takes the modules in turn and picks breaks at random, the same ones for the same `--seed`: another comparison, `and` for
`or`, another number, word or truth value, nothing returned, a statement left out. Texts of several words and f-strings
stay. Each break is made in a copy of the tree, where the unit tests of the module's room run, its own first (`--own`:
those alone). Prints each survivor as a diff and the share of each module. Not part of CI.
"""

import argparse
import ast
import copy
import difflib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LONGEST = 120  # seconds; a break may be a loop without end
PAIRS = ((ast.Eq, ast.NotEq), (ast.In, ast.NotIn), (ast.Is, ast.IsNot), (ast.And, ast.Or), (ast.Add, ast.Sub))
ORDERS = ((ast.Lt, ast.LtE), (ast.Gt, ast.GtE))
OTHER: dict[type, type] = {a: b for one, two in (*PAIRS, *ORDERS) for a, b in ((one, two), (two, one))}


def nodes(tree: ast.AST) -> Iterator[Any]:
    """Yield the nodes that may be broken: none of annotations, decorators, docstrings, f-strings and `__all__`."""
    for name, value in ast.iter_fields(tree):
        for node in value if isinstance(value, list) else [value]:
            docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            # Python 3.11 does not know where the parts of an f-string stand.
            kept = docstring or isinstance(node, ast.JoinedStr) or name in ("annotation", "returns", "decorator_list")
            if isinstance(node, ast.AST) and not kept and "__all__" not in ast.unparse(node).partition("=")[0]:
                yield node
                yield from nodes(node)


def broken(node: Any) -> ast.AST | None:
    """Return what may stand in a node's place."""
    other = copy.deepcopy(node)
    match node:
        case ast.Compare():
            other.ops[0] = OTHER[type(node.ops[0])]()
        case ast.BoolOp() | ast.BinOp() if type(node.op) in OTHER:
            other.op = OTHER[type(node.op)]()
        case ast.UnaryOp(op=ast.Not()):
            return node.operand
        case ast.Constant(value=bool()):
            other.value = not node.value
        case ast.Constant(value=int()):
            other.value += 1
        case ast.Constant(value=str()) if " " not in node.value:
            other.value += "x"
        case ast.IfExp():
            other.body, other.orelse = node.orelse, node.body
        case ast.If() | ast.While():
            return ast.UnaryOp(ast.Not(), node.test)
        case ast.Return() if node.value:
            other.value = None
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue():
            return ast.Pass()
        case _:
            return None
    return other


def mutants(source: str) -> Iterator[str]:
    """Yield the source once for each break."""
    lines = source.encode().splitlines(keepends=True)
    starts = [sum(map(len, lines[:n])) for n in range(len(lines))]
    for node in nodes(ast.parse(source)):
        if other := broken(node):
            place = node.test if isinstance(node, ast.If | ast.While) else node
            first = starts[place.lineno - 1] + place.col_offset
            last = starts[place.end_lineno - 1] + place.end_col_offset
            text = f"({ast.unparse(other)})" if isinstance(other, ast.expr) else ast.unparse(other)
            yield (source.encode()[:first] + text.encode() + source.encode()[last:]).decode()


def survives(folder: str, own: bool, module: str, source: str) -> bool:
    """Whether the tests pass in this thread's copy of the tree with this source; the copy is as before then."""
    tree = Path(folder, threading.current_thread().name)
    if not tree.exists():
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".?*", "__pycache__"))
    file, room = tree / module, Path("tests/unit", module).parent
    tests = [room / f"test_{file.name}", *(() if own else (room,))]
    # No bytecode: within one second, that of another break of the same size would be taken for this one's. No test of
    # how long something takes, which fails on a busy machine. And a folder beside one of its files, which pytest drops.
    options = ["-x", "-q", "-p", "no:cacheprovider", "-k", "not takes_no_time", "--keep-duplicates"]
    command = [sys.executable, "-B", "-m", "pytest", *options]
    before = file.read_text()
    file.write_text(source)
    try:
        given = [str(test) for test in tests if (tree / test).exists()]
        return subprocess.run([*command, *given], cwd=tree, capture_output=True, timeout=LONGEST).returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        file.write_text(before)


def main() -> None:
    """Break, test and tell; ends with 1 where the tests fail without a break."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--count", type=int, default=84)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sources = {module: (ROOT / module).read_text() for module in given.modules}
    left = {module: sorted(set(mutants(source)) - {source}) for module, source in sources.items()}
    for some in left.values():
        random.Random(given.seed).shuffle(some)
    turns = [zip(sources, turn, strict=True) for turn in zip_longest(*left.values())]
    picked = [(module, source) for turn in turns for module, source in turn if source][: given.count]
    killed = dict.fromkeys(sources, 0)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        run = partial(survives, folder, given.own)
        if not all(pool.map(run, *zip(*sources.items(), strict=True))):
            sys.exit("the tests fail without a break")
        for (module, source), alive in zip(picked, pool.map(run, *zip(*picked, strict=True)), strict=True):
            killed[module] += not alive
            lines = difflib.unified_diff(sources[module].splitlines(), source.splitlines(), module, n=0, lineterm="")
            print(*(lines if alive else ()), sep="\n", end="\n" if alive else "", flush=True)
    count = Counter(module for module, _ in picked)
    for module in sources:
        print(f"{module}: {killed[module]} of {count[module]} killed")
    print(f"all: {sum(killed.values())} of {len(picked)} killed")


if __name__ == "__main__":
    main()
