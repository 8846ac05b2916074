"""How long does a start from the store take? From the start of the process to the first call that is decided by all rules."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Final

from rich.table import Table

from benchmarks import procfs
from benchmarks.caller import Caller
from benchmarks.carrier import FAULTY, Carrier
from benchmarks.plan import NumberPlan
from benchmarks.report import markdown_table
from benchmarks.servers import ServerError
from benchmarks.target.serve import Prepared, Target, end, prepared, spawn
from rules_store import StoreConnection

PROMISED_S: Final = 5.0

_LISTEN: Final = "127.0.0.1:5077"
_LIMIT_S: Final = 120.0
_EVERY_S: Final = 0.01
_STEPS: Final = {
    "store_started": "store's server has read its file",
    "store_connected": "store connected",
    "rules read in full": "rules are in the engine",
    "serving": "serving",
}

_METHOD: Final = (
    "The store is filled before. The clock starts with the process of the service (`sipproxy serve`) and stops when the first of the calls that "
    "are sent every 10 ms gets an answer. The engine is silent until all rules are in its table, so the first answer is decided by all of "
    "them. One order in {faulty} is out of service: then a number of each of its rules is called, and must get its own first target, or none. "
    "*embedded*: the service starts the store's server too, which reads its file first. *running*: the server runs already. CPU and memory "
    "are those of the service without the server; memory after the checks (PSS). Medians; no process is pinned to a core."
)


@dataclass(frozen=True, slots=True)
class Start:
    """One start."""

    store: str
    """embedded: the service starts the store's server, too; running: it is there."""
    seconds: float
    cpu_s: float
    memory_mb: float
    wrong: int
    steps: Mapping[str, float]
    """What the service logged, and seconds after its start."""


@dataclass
class Found:
    """All starts of a run."""

    entities: int
    numbers: int
    starts: list[Start] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether all calls were decided rightly and no median is above what is promised."""
        return all(not start.wrong for start in self.starts) and all(
            median(start.seconds for start in starts) <= PROMISED_S for starts in self.by_store().values()
        )

    def by_store(self) -> dict[str, list[Start]]:
        """Return the starts of each sort."""
        groups: dict[str, list[Start]] = {}
        for start in self.starts:
            groups.setdefault(start.store, []).append(start)
        return groups


def run(carrier: Carrier, repeats: int) -> Iterator[Found]:
    """Fill a store once, then start ``repeats`` times with and without its server running; yield what was found up to now."""
    found = Found(len(carrier), carrier.all_numbers)
    expected = list(carrier.ruled_numbers())
    with prepared(Target("carrier", _LISTEN, NumberPlan(), "", 1, carrier=carrier)) as ready:
        for number in range(repeats):
            found.starts.append(_once(ready, "embedded", expected, ready.file.with_name(f"log-{number}")))
            yield found
        with _server(ready):
            for number in range(repeats):
                found.starts.append(_once(ready, "running", expected, ready.file.with_name(f"log-running-{number}")))
                yield found


@contextmanager
def _server(ready: Prepared) -> Iterator[None]:
    """Have the store's server run, so that a service finds it there."""
    with asyncio.Runner() as runner:
        connection = StoreConnection(ready.store)
        try:
            runner.run(connection.open())
            yield
        finally:
            runner.run(connection.close())


def _once(ready: Prepared, store: str, expected: list[tuple[str, str]], log: Path) -> Start:
    caller = Caller(_LISTEN)
    began, began_unix = time.monotonic(), time.time()
    process = spawn(ready, log)
    try:
        number, target = next(pair for pair in expected if pair[1])
        first = _first_answer(caller, process, number, log)
        seconds = time.monotonic() - began
        cpu = procfs.cpu_seconds([process.pid])
        if first != target:
            raise ServerError(f"the first call to {number} was sent to {first or 'nobody'}, not to {target}")
        wrong = sum(not _is_right(caller, number, target) for number, target in expected)
        memory = procfs.pss_bytes([process.pid]) / 1e6
        return Start(store, seconds, cpu, memory, wrong, _steps(log, began_unix))
    finally:
        end(process)
        caller.close()


def _first_answer(caller: Caller, process: subprocess.Popen[bytes], number: str, log: Path) -> str:
    limit = time.monotonic() + _LIMIT_S
    while time.monotonic() < limit:
        if process.poll() is not None:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise ServerError(f"sipproxy ended with status {process.returncode} at its start:\n{tail}")
        caller.send(number)
        answer = caller.receive(number, _EVERY_S)
        if answer is not None:
            return answer[1].target
    raise ServerError(f"no call was answered within {_LIMIT_S:.0f} s")


def _is_right(caller: Caller, number: str, target: str) -> bool:
    answer = caller.call(number)
    return answer is not None and answer.target == target and (bool(target) == (answer.status == 302))


def _steps(log: Path, began_unix: float) -> dict[str, float]:
    steps: dict[str, float] = {}
    for line in log.read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
            name = _STEPS[event["event"]]
            steps.setdefault(name, round(datetime.fromisoformat(event["timestamp"]).timestamp() - began_unix, 2))
        except (ValueError, KeyError, TypeError):
            continue
    return steps


def line(start: Start) -> str:
    """Return one start as a line of progress."""
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in start.steps.items())
    verdict = f"{start.wrong} WRONG" if start.wrong else "all right"
    return f"{start.store:<9} {start.seconds:.2f} s  CPU {start.cpu_s:.2f} s  {start.memory_mb:,.0f} MB  {verdict}  ({steps})"


def rows(found: Found) -> list[list[str]]:
    """Return what the tables show."""
    shown = []
    for store, starts in found.by_store().items():
        seconds = [start.seconds for start in starts]
        shown.append(
            [
                store,
                str(len(starts)),
                f"{median(seconds):.2f}",
                f"{min(seconds):.2f}-{max(seconds):.2f}",
                f"{median(start.cpu_s for start in starts):.2f}",
                f"{median(start.memory_mb for start in starts):,.0f}",
                str(sum(start.wrong for start in starts)),
            ]
        )
    return shown


_HEAD: Final = ("store", "starts", "seconds", "(min-max)", "CPU s", "memory MB", "wrong")


def table(found: Found) -> Table:
    """Return the result for the terminal."""
    drawn = Table(*_HEAD, title=f"Start with {found.entities:,} entities, {found.numbers:,} numbers", title_justify="left")
    for row in rows(found):
        drawn.add_row(*row)
    return drawn


def sections(found: Found) -> list[str]:
    """Return the Markdown of a run."""
    steps = sorted({step for start in found.starts for step in start.steps}, key=list(_STEPS.values()).index)
    each = [
        [start.store, f"{start.seconds:.2f}", *(f"{start.steps[step]:.2f}" if step in start.steps else "" for step in steps)]
        for start in found.starts
    ]
    size = f"{found.entities:,} entities, {found.numbers:,} numbers."
    return [
        *markdown_table(_HEAD, rows(found)),
        "",
        size,
        "",
        _METHOD.format(faulty=FAULTY),
        "",
        "## Every start, seconds",
        "",
        *markdown_table(["store", "first call", *steps], each),
    ]
