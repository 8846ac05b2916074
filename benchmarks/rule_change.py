"""How long until a saved rule shows in the answers? From the store's acknowledgement to the first 302 with the new target."""

import asyncio
import math
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks import procfs
from benchmarks.report import markdown_table
from benchmarks.servers import ServerError
from benchmarks.target.data import own_rule
from benchmarks.target.serve import Served, Target, serving
from rules_store import RulesStore, StoreConnection

_PATIENCE_S = 5.0
_BASE = "+493023125"
_SHARES = {"min": 0.0, "p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Change:
    """One change: how long the store took to save it, and how long after that the first answer showed it."""

    save_ms: float
    visible_ms: float
    """Negative when an answer showed it before the acknowledgement arrived."""


class _Watch:
    """The generator's `watch` mode: the last target that was seen, and when."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._seen: dict[str, int] = {}
        self._current = ""
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        for line in self._process.stdout:
            nanoseconds, target = line.split()
            with self._changed:
                self._current = target
                self._seen[target] = int(nanoseconds)
                self._changed.notify_all()

    def wait(self, target: str, since_ns: int) -> int:
        """Return when ``target`` was first seen after ``since_ns``. `ServerError` when it does not come."""
        with self._changed:
            if self._changed.wait_for(lambda: self._seen.get(target, 0) >= since_ns, _PATIENCE_S):
                return self._seen[target]
            raise ServerError(f"{target} was not answered within {_PATIENCE_S:.0f} s; the answer is {self._current or 'none'}")


def rows(changes: list[Change]) -> dict[str, dict[str, float]]:
    """Return the quantiles of both times in milliseconds."""
    times = {
        "saved (write → acknowledged)": sorted(change.save_ms for change in changes),
        "visible (acknowledged → first 302)": sorted(change.visible_ms for change in changes),
    }
    return {name: {label: _quantile(values, share) for label, share in _SHARES.items()} for name, values in times.items()}


def _quantile(values: list[float], share: float) -> float:
    """Return the smallest value that ``share`` of the sorted values do not exceed."""
    return values[max(math.ceil(share * len(values)) - 1, 0)]


def table(found: dict[str, dict[str, float]]) -> Table:
    """Return the quantiles as a table for the terminal."""
    drawn = Table("milliseconds", *_SHARES, title="Rule changes", title_justify="left")
    for name, values in found.items():
        drawn.add_row(name, *(f"{value:.2f}" for value in values.values()))
    return drawn


def sections(found: dict[str, dict[str, float]]) -> list[str]:
    """Return the Markdown of a run."""
    lines = [[name, *(f"{value:.2f}" for value in values.values())] for name, values in found.items()]
    method = (
        "One number's armed rule gets another target, saved through the store as any client saves it. Meanwhile the number is "
        "called without pause. Visible is the time from the moment the store's acknowledgement was received to the arrival of the "
        "first 302 with the new target, by one clock; negative when the answer was faster than the acknowledgement."
    )
    return [*markdown_table(["milliseconds", *_SHARES], lines), "", method]


@contextmanager
def _watching(binary: Path, target: Target, number: str, core: int) -> Iterator[_Watch]:
    command = [str(binary), "watch", "--target", target.listen, "--number", number, "--core", str(core)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield _Watch(process)
    finally:
        process.terminate()
        process.wait()


def run(target: Target, binary: Path, changes: int, *, server_core: int, generator_core: int) -> list[Change]:
    """Change the rule of one number ``changes`` times, each when the last one was seen."""
    number = target.plan.first
    with serving(target) as served:
        procfs.pin(procfs.family(served.process.pid), server_core)
        with _watching(binary, target, number, generator_core) as watch:
            return asyncio.run(_change(served, watch, number, changes))


async def _change(served: Served, watch: _Watch, number: str, changes: int) -> list[Change]:
    done: list[Change] = []
    # A second client of the same data directory: the service looks after the server.
    async with StoreConnection(served.store) as connection:
        store = RulesStore(connection)
        for index in range(changes):
            wanted = f"{_BASE}{1 + index % 999:03d}"
            begun = time.monotonic_ns()
            await store.put(own_rule(number, wanted))
            saved = time.monotonic_ns()
            seen = await asyncio.to_thread(watch.wait, wanted, begun)
            done.append(Change((saved - begun) / 1e6, (seen - saved) / 1e6))
            # Not in step with anything periodic.
            await asyncio.sleep(0.003 + (index * 7919 % 17) / 1000)
    return done
