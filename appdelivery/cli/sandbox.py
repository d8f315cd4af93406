"""Simulated clusters on this computer: start, stop and look at them, and let things go wrong."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.cli import flags, printing
from appdelivery.platform import sandboxes

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = "appctl sandbox start --clusters 3 --preset gpu"
EXIT = "exit codes: 0 done, 1 no sandbox runs (status), 2 could not be done, 64 usage, 70 our bug"
VERBS = ("start", "stop", "status", "reset", "kubeconfig", "fault", "speed")
REPORT = "APPCTL_SANDBOX_REPORT"  # tells a process that it was started in the background and by whom it is heard
COLUMNS = ("name", "server", "version", "nodes", "pods", "objects", "requests", "faults")
FAULT_COLUMNS = ("id", "clusters", "fault", "scope", "left", "struck")


def add(parser: ArgumentParser) -> None:
    parser.add_argument("verb", choices=VERBS, help="what to do")
    parser.add_argument("rest", nargs="*", metavar="ARG", help="speed: 0 to 100; fault: add KIND[=VALUE], list, clear [ID]")
    start = parser.add_argument_group("start")
    start.add_argument(
        "--clusters", type=int, default=0, metavar="N", help="how many (default: 1; multi-region 3; or those of the state)"
    )
    start.add_argument("--preset", metavar="NAME", help="nodes: small, gpu or multi-region (default: small)")
    start.add_argument("--nodes", metavar="FILE", help="nodes: manifests of your own, for every cluster")
    start.add_argument("--state", metavar="FILE", help="keep everything in this file (default: in memory)")
    start.add_argument(
        "--speed", type=float, metavar="X", help="of controllers: 0 stands still, 1 is real time, 100 the most"
    )
    start.add_argument(
        "--port", type=int, default=0, metavar="N", help="of the first cluster (default: as last time, or any)"
    )
    start.add_argument("--foreground", action="store_true", help="stay in this terminal until Ctrl-C")
    parser.add_argument("--login", action="store_true", help="kubeconfig: write a new token into it; ends a login fault")
    parser.add_argument("--show", action="store_true", help="kubeconfig: print the file, not its place")
    fault = parser.add_argument_group("fault add: which requests, and how often")
    fault.add_argument("--cluster", metavar="GLOB", help="clusters (default: all)")
    fault.add_argument("--verbs", metavar="A,B", help="get, list, watch, create, update, patch, delete, deletecollection")
    fault.add_argument("--kinds", metavar="A,B", help="such as deployments, *.apps, Pod (default: everything)")
    fault.add_argument("-n", "--namespace", metavar="GLOB", help="namespaces (default: all)")
    fault.add_argument("--name", metavar="GLOB", help="names of objects (default: all)")
    fault.add_argument("--subresource", metavar="GLOB", help="such as status or scale (default: with and without)")
    fault.add_argument("--count", type=int, metavar="N", help="strike only the first N requests of a cluster")
    fault.add_argument("--probability", type=float, metavar="P", help="strike this share of them")
    fault.add_argument("--seed", type=int, metavar="N", help="of the dice, to repeat what happened")
    fault.add_argument("--id", metavar="NAME", help="name of the rule")
    flags.table(parser)


def run(args: Namespace) -> int:
    if args.rest and args.verb not in ("fault", "speed"):
        raise errors.UsageError(f"sandbox {args.verb} takes no '{args.rest[0]}'", hint="appctl sandbox --help")
    verbs = {
        "start": _start, "stop": _stop, "status": _status, "reset": _reset, "kubeconfig": _kubeconfig, "fault": _fault,
        "speed": _speed,
    }  # fmt: skip
    return verbs[args.verb](args)


# --- start and stop ---


def options(args: Namespace) -> sandboxes.Start:
    if args.nodes and args.preset:
        raise errors.UsageError("sandbox start: --nodes and --preset both say what nodes there are; name one")
    return sandboxes.Start(
        clusters=args.clusters,
        nodes=args.nodes or "",
        preset=args.preset or "small",
        state=args.state or "",
        speed=1.0 if args.speed is None else args.speed,
        port=args.port,
    )


def _start(args: Namespace) -> int:
    how = options(args)
    if os.environ.pop(REPORT, ""):
        return _reporting(how)
    if args.foreground:
        sandboxes.serve(how, lambda told: _started(told, args))
        return 0
    _started(background(how), args)
    return 0


def _started(told: dict[str, Any], args: Namespace) -> None:
    if args.output in ("json", "yaml"):
        printing.answer(told, args.output)
    else:
        printing.items(told["clusters"], ("name", "server"), args, kind="cluster")
    printing.notice(f"the sandbox runs as process {told['pid']}\n  export KUBECONFIG={told['kubeconfig']}", args)
    sys.stdout.flush()


def background(how: sandboxes.Start) -> dict[str, Any]:
    """Starts a process of its own and answers when its clusters do.  Raises what that process could not do."""
    import json
    import subprocess

    from appdelivery.platform.sandbox_home import Home

    home = Home()
    home.make()
    if home.running() is not None:
        raise home.runs_already()
    words = ["sandbox", "start", f"--preset={how.preset}", f"--clusters={how.clusters}", f"--port={how.port}"]
    words += [f"--speed={how.speed}"]
    words += [f"--{name}={os.path.abspath(path)}" for name, path in (("nodes", how.nodes), ("state", how.state)) if path]
    if how.nodes:
        words.remove(f"--preset={how.preset}")
    with open(os.open(home.log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND, 0o600), "ab") as log:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "appdelivery.cli", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd=home.folder, start_new_session=True,
            env={**os.environ, REPORT: "1"},
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as pipe:
        line = pipe.readline()
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        raise errors.WorldError(f"start a sandbox: its process ended before it was ready; its log: {home.log}") from None
    if "error" in told:
        process.wait()
        kinds = {kind.__name__: kind for kind in (errors.UsageError, errors.Conflict, errors.SourceError)}
        kind = kinds.get(told["error"], errors.WorldError)
        raise kind(told.pop("message"), **{name: value for name, value in told.items() if name != "error"})
    process.returncode = 0  # it goes on without us; nobody waits for it
    return told


def _reporting(how: sandboxes.Start) -> int:
    """In the background: one line to whoever started us, then silence on standard output."""
    import json

    def say(told: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    try:
        sandboxes.serve(how, say)
    except errors.SpecError as error:
        problems = "\n".join([str(problem) for problem in error.problems])
        say({"error": "SourceError", "code": error.code, "message": problems or error.message, "hint": error.hint})
        return 2
    except errors.AppError as error:
        say({"error": type(error).__name__, "code": error.code, "message": error.message, "hint": error.hint})
        return 2
    return 0


def _stop(args: Namespace) -> int:
    printing.notice("the sandbox has ended" if sandboxes.stop() else "no sandbox is running", args)
    return 0


def _status(args: Namespace) -> int:
    found = sandboxes.status()
    if found is None:
        printing.notice("no sandbox is running; appctl sandbox start", args)
        return 1
    if args.output in ("json", "yaml"):
        printing.answer(found, args.output)
        return 0
    printing.items(found["clusters"], COLUMNS, args, kind="cluster")
    kept = f"kept in {found['state']}" if found["state"] else "in memory"
    printing.notice(f"process {found['pid']}, speed {found['speed']:g}, {kept}\n  {found['kubeconfig']}", args)
    return 0


def _reset(args: Namespace) -> int:
    sandboxes.tell("reset the sandbox", "POST", "reset")
    printing.notice("every cluster of the sandbox is empty again", args)
    return 0


def _kubeconfig(args: Namespace) -> int:
    path = sandboxes.kubeconfig(login=args.login)
    if args.show:
        with open(path, encoding="utf-8") as file:
            sys.stdout.write(file.read())
    else:
        sys.stdout.write(path + "\n")
    return 0


def _speed(args: Namespace) -> int:
    if len(args.rest) > 1:
        raise errors.UsageError("sandbox speed: one number is expected", hint="appctl sandbox speed 10")
    if args.rest:
        sandboxes.tell("set the speed", "PUT", "speed", {"speed": _number("speed", args.rest[0])})
    found = sandboxes.status() or {}
    sys.stdout.write(f"{found.get('speed', 0):g}\n")
    return 0


# --- faults ---


def _fault(args: Namespace) -> int:
    verb, *words = args.rest or ["list"]
    if verb == "add" and len(words) == 1:
        made = sandboxes.tell("add a fault", "POST", "faults", rule(words[0], args))
        sys.stdout.write(f"{made['id']}\n")
        return 0
    if verb == "list" and not words:
        rows = _rows(sandboxes.tell("list faults", "GET", "faults")["items"])
        printing.items(rows, FAULT_COLUMNS, args, kind="fault")
        if not rows:
            printing.notice("nothing goes wrong: no faults are set", args)
        return 0
    if verb == "clear" and len(words) <= 1:
        removed = len(sandboxes.tell("clear faults", "DELETE", "/".join(["faults", *words]))["removed"])
        printing.notice(f"{removed} fault{'s' if removed != 1 else ''} removed", args)
        return 0
    raise errors.UsageError(
        "sandbox fault: add KIND[=VALUE], list or clear [ID] is expected",
        hint="appctl sandbox fault add status=503 --verbs patch --count 3",
    )


def rule(word: str, args: Namespace) -> dict[str, Any]:
    """The rule's tree; the sandbox itself says what is wrong with it."""
    do, sign, value = word.partition("=")
    made: dict[str, Any] = {"do": do}
    if sign:
        made["value"] = _number(do, value)
    for name in ("verbs", "kinds"):
        if getattr(args, name):
            made[name] = [one.strip() for one in getattr(args, name).split(",")]
    for name in ("id", "cluster", "namespace", "name", "subresource", "count", "probability", "seed"):
        if getattr(args, name) is not None:
            made[name] = getattr(args, name)
    return made


def _rows(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a rule: every cluster counts for itself, together they are shown."""
    together: dict[str, list[dict[str, Any]]] = {}
    for one in items:
        together.setdefault(one["id"], []).append(one)
    return [_row(name, of) for name, of in together.items()]


def _row(name: str, of: list[dict[str, Any]]) -> dict[str, Any]:
    one = of[0]
    value = f"={one['value']:g}" if "value" in one else ""
    scope = [f"{field}={','.join(one[field]) if isinstance(one[field], list) else one[field]}" for field in _scope(one)]
    left = sum(each["count"] - each["struck"] for each in of) if "count" in one else "all"
    return {
        "name": name, "id": name, "clusters": [each["cluster"] for each in of], "fault": f"{one['do']}{value}",
        "scope": scope, "left": left, "struck": sum(each["struck"] for each in of),
    }  # fmt: skip


def _scope(one: dict[str, Any]) -> list[str]:
    return [name for name in ("verbs", "kinds", "namespace", "name", "subresource", "probability") if name in one]


def _number(what: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise errors.UsageError(f"{what}: '{text}' is no number") from None
