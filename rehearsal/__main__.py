"""The command line: `python -m rehearsal run|stop|toolchain|bench`."""

import argparse
import signal
import sys
import time

from rich.console import Console

from config.errors import SettingsError
from rehearsal import bench, runs, stubs, workspace
from rehearsal.errors import RehearsalError, UsageError
from rehearsal.order import Order, stacks
from rehearsal.rehearse import Outcome, rehearse
from rehearsal.screen import Screen
from rehearsal.toolchain import layout

_OK, _FAILED, _USAGE, _INTERRUPTED = 0, 1, 2, 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m rehearsal", description="Run a stack on a throwaway Kubernetes.")
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="preview, up, and a second preview that must be empty")
    run.add_argument("--stack", default="dev", help="which Pulumi.<stack>.yaml (default: dev)")
    run.add_argument("--chart", default="", help="a chart (.tgz or folder) in place of the stack's own")
    run.add_argument(
        "--from", default="", dest="revision", help="deploy this git revision first, then the working tree"
    )
    run.add_argument("--nodes", default="", help="labels of the simulated nodes, such as pool=core,disk=ssd")
    run.add_argument("--keep", action="store_true", help="leave the cluster running, to look around")
    run.add_argument("--json", action="store_true", help="print the outcome as JSON on standard output")
    stop = commands.add_parser("stop", help="remove this folder's kept clusters, and what killed rehearsals left")
    stop.add_argument("--run", default="", help="only the run of this name")
    tools = commands.add_parser("toolchain", help="get the programs that a rehearsal needs, and say where they are")
    tools.add_argument("--clean", action="store_true", help="remove them instead, and all but runs from the cache")
    measure = commands.add_parser("bench", help="measure a warm rehearsal, and what the check in previews costs")
    measure.add_argument("--runs", type=int, default=5, help="how often each is measured (default: 5)")
    measure.add_argument("--against", default="", metavar="REV", help="measure this git revision's rehearsal, too")
    return top


def main(arguments: list[str]) -> int:
    """Run a command; return its exit status: 0 all held, 1 a step failed, 2 bad input, 130 interrupted."""
    given = parser().parse_args(arguments)
    screen = Screen(Console(stderr=getattr(given, "json", False)))
    # A terminated run must clean up as an interrupted one does.
    # SIGINT, too: whoever is started in the background of a script inherits that it is ignored.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    try:
        if given.command == "stop":
            gone = [f"removed {one}" for one in runs.stop(workspace.PROJECT, given.run)]
            left = [f"left alone: {run}; RUN={run.folder.name} removes it" for run in runs.orphans()]
            screen.say("\n".join([*gone, *left]) or f"nothing to remove: {workspace.PROJECT} has no runs")
            return _OK
        if given.command == "toolchain" and given.clean:
            gone = layout.clean()
            screen.say("\n".join(f"removed {name}" for name in gone) or "nothing to remove")
            return _OK
        if given.command == "toolchain":
            begin = time.monotonic()
            tools = layout.ensure(console=screen.console)
            title = f"Toolchain, ready in {time.monotonic() - begin:.2f} s"
            screen.table(title, {"programs": tools.bin, "plugins": tools.plugins})
            return _OK
        if given.command == "bench":
            return _OK if bench.bench(given.runs, given.against, screen) else _FAILED
        nodes = stubs.labels(given.nodes)
        order = Order(stack=given.stack, chart=given.chart, revision=given.revision, nodes=nodes, keep=given.keep)
        return _show(rehearse(order, screen), screen, given.json)
    except (UsageError, SettingsError) as error:
        screen.say(f"error: {error}")
        return _USAGE
    except RehearsalError as error:
        screen.say(f"\n{error}")
        return _FAILED
    except KeyboardInterrupt:
        screen.say("\ninterrupted; everything that was started is stopped")
        return _INTERRUPTED


def _show(outcome: Outcome, screen: Screen, as_json: bool) -> int:
    screen.table("Outputs", outcome.outputs)
    if outcome.changed is not None:
        changed = {row["object"]: row["what"] for row in outcome.changed}
        screen.table(f"Changed since {outcome.revision} ({len(changed)})", changed or {"nothing": ""})
    screen.table(f"Objects ({sum(outcome.objects.values())})", outcome.objects)
    if outcome.folder:
        screen.look_around(outcome.folder, outcome.outputs["namespace"])
    chart = f"{outcome.chart['version']} ({outcome.chart['source']}), pulumi-kubernetes {outcome.provider}"
    screen.say(
        f"\nStack {outcome.stack} deploys: Pulumi brought it up on a real Kubernetes API, and a second preview found "
        f"nothing to change.\nChart {chart}, {outcome.seconds['total']:.1f} s in all.\n"
        "No container ran, so it is open whether your cluster can pull the images."
    )
    if outcome.differences:
        hint = "To deploy with what was rehearsed, in your environment: pip install '.[rehearsal]'"
        screen.say("\n".join(["", *outcome.differences, hint]))
    screen.table("Next", _next_steps(outcome))
    if as_json:
        print(outcome.as_json())
    return _OK


def _next_steps(outcome: Outcome) -> dict[str, str]:
    """Return what to do after a rehearsal that held, each with its command or where to read on."""
    others = [stack for stack in stacks(workspace.PROJECT) if stack != outcome.stack]
    return {
        **({} if outcome.folder else {"look around": f"make rehearse STACK={outcome.stack} KEEP=1"}),
        **{f"try {stack}": f"make rehearse STACK={stack}" for stack in others[:1]},
        "go to your own cluster": 'README.md, "On your own cluster"',
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
