"""The laboratory's commands: ``run`` several scenarios side by side, ``one`` in this process, ``list`` them."""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.machine import facts
from tests.faults.laboratory import impairment, report
from tests.faults.laboratory.measure import Row
from tests.faults.laboratory.run import run
from tests.faults.laboratory.scenarios import SCENARIOS, Scenario, scenario

SYSTEMS = ("sipproxy", "kamailio")
_SEED = 20_261
_STAGGER_S = 1.5
_NICE = -12
"""The laboratory's processes go before other work of the machine: it measures tens of milliseconds."""
_AUTOGROUP = Path("/proc/self/autogroup")
"""Where the kernel shares the processor among sessions first, only the session's own nice value counts (sched(7))."""


def main() -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.laboratory", description="Break real lines and count the calls."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the scenarios")
    several = commands.add_parser("run", help="run scenarios side by side and write the report")
    several.add_argument("keys", nargs="*", help="scenarios; default all")
    several.add_argument("--jobs", type=int, default=3, help="so many at a time (3)")
    several.add_argument("--keep", action="store_true", help="print the table only, leave the committed results alone")
    several.add_argument("--quick", action="store_true", help="without those that want the machine for themselves (minutes each)")
    several.add_argument("--margin", type=float, default=0.0, help="seconds added to limits of time, for a busy machine")
    several.add_argument("--smoke", action="store_true", help="the smoke set")
    joined = commands.add_parser(
        "report", help="write the report anew from the folders of runs; of a scenario that is in several, the last"
    )
    joined.add_argument("folders", nargs="+", type=Path)
    single = commands.add_parser("one", help="run one scenario and write its data")
    single.add_argument("key")
    single.add_argument("--out", type=Path, help="folder for its JSON, calls and chart")
    for command in (several, single):
        command.add_argument("--systems", default=",".join(SYSTEMS), help=f"default {','.join(SYSTEMS)}")
        command.add_argument("--seed", type=int, default=_SEED)
    arguments = parser.parse_args()
    if arguments.command == "list":
        for one in SCENARIOS:
            print(f"{one.key:30} {one.title}")
    elif arguments.command == "report":
        print(report.write(*_gather(arguments.folders), facts()))
    elif arguments.command == "one":
        _one(scenario(arguments.key), _systems(scenario(arguments.key), arguments.systems), arguments.seed, arguments.out)
    else:
        chosen = [one for one in SCENARIOS if one.key in arguments.keys or not arguments.keys]
        chosen = [one for one in chosen if (one.smoke or not arguments.smoke) and not (arguments.quick and one.alone)]
        sys.exit(_run(chosen, arguments))


def _systems(chosen: Scenario, names: str) -> list[str]:
    return [name for name in names.split(",") if name != "kamailio" or chosen.kamailio]


def _one(chosen: Scenario, systems: Sequence[str], seed: int, out: Path | None) -> None:
    """Run a scenario in this process."""
    _go_first()
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f} s] {chosen.key}: {text}", flush=True)

    results = uvloop.run(run(chosen, seed=seed, systems=systems, say=say))
    for result in results:
        say(" | ".join(report.cells(result.row.system, result.row.as_json())[1:]))
    for system, texts in report.outside([result.row for result in results], chosen).items():
        for text in texts:
            say(f"OUTSIDE THE LIMITS, {system}: {text}")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{chosen.key}.json").write_text(json.dumps(report.one(chosen, results, seed=seed)), encoding="utf-8")
        (out / f"{chosen.key}.calls.json").write_text(json.dumps(report.calls(results)), encoding="utf-8")
        (out / f"{chosen.key}.svg").write_text(report.picture(chosen, results), encoding="utf-8")


def _go_first() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    with contextlib.suppress(OSError):
        _AUTOGROUP.write_text(str(_NICE), encoding="ascii")


def _run(chosen: Sequence[Scenario], arguments: argparse.Namespace) -> int:
    """Run scenarios in processes of their own, those that want the machine alone last; return the exit status."""
    _go_first()
    impairment.build()
    folder = Path(tempfile.mkdtemp(prefix="fault-lab-results-"))
    machine = facts()
    waiting = [one for one in chosen if not one.alone]
    apart = [one for one in chosen if one.alone]
    failed: list[str] = []
    _spawn(waiting, arguments.jobs, arguments, folder, failed)
    _spawn(apart, max(arguments.jobs // 2, 1), arguments, folder, failed)
    runs, pictures = _gather([folder])
    print("\n".join(report.table(runs)))
    for run_ in runs:
        for text in (report.worse(run_), run_["arithmetic"]):
            if text:
                print(f"{run_['key']}: {text}")
    outside = [f"{run['key']}: {text}" for run in runs for text in _broken(run, arguments.margin)]
    for text in [*outside, *(f"{key}: did not come to its end" for key in failed)]:
        print(f"OUTSIDE THE LIMITS  {text}")
    print(f"calls and charts: {folder}")
    if not arguments.keep and runs:
        print(report.write(runs, pictures, machine))
    return 1 if outside or failed else 0


def _gather(folders: Sequence[Path]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the data and the pictures of all runs in the order of the scenarios."""
    runs, pictures = [], {}
    for one in SCENARIOS:
        where = next((folder for folder in reversed(folders) if (folder / f"{one.key}.json").exists()), None)
        if where:
            ran = json.loads((where / f"{one.key}.json").read_text(encoding="utf-8"))
            # Limits and words may have been written better since.
            ran["title"], ran["remark"] = one.title, one.remark
            ran["broken"] = report.outside([Row(**row) for row in ran["rows"]], one)
            runs.append(ran)
            pictures[one.key] = (where / f"{one.key}.svg").read_text(encoding="utf-8")
    return runs, pictures


def _broken(ran: dict[str, Any], margin_s: float) -> list[str]:
    """Return where our row of a run is outside its limits."""
    return report.outside([Row(**row) for row in ran["rows"]], scenario(ran["key"]), margin_s=margin_s).get(SYSTEMS[0], [])


def _spawn(chosen: Sequence[Scenario], jobs: int, arguments: argparse.Namespace, folder: Path, failed: list[str]) -> None:
    waiting, running = list(chosen), dict[str, "subprocess.Popen[bytes]"]()
    while waiting or running:
        while waiting and len(running) < jobs:
            one = waiting.pop(0)
            command: list[Any] = [sys.executable, "-m", "tests.faults.laboratory", "one", one.key, "--out", folder]
            command += ["--systems", arguments.systems, "--seed", arguments.seed]
            running[one.key] = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL)
            time.sleep(_STAGGER_S)
        for key, process in list(running.items()):
            if process.poll() is not None:
                del running[key]
                if process.returncode:
                    failed.append(key)
        time.sleep(0.2)
