"""The time that the import of a carrier's domain takes, from its files to the switch, step by step."""

import asyncio
import resource
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from rich.table import Table

from benchmarks.carrier import Carrier
from benchmarks.report import markdown_table
from routing.bulk.writing import lines, tables
from rules_store import Author, StoreConnection, StoreSettings
from sipproxy.bulk import job
from sipproxy.bulk.collection import no_collection
from sipproxy.bulk.files import Source
from sipproxy.commands.bulk_output import Steps

PROMISED_S: Final = 90.0

_METHOD: Final = (
    "The files are made before the clock starts, and are in memory. Then: read what is stored (nothing), parse, check, compare, stage a new "
    "generation in an embedded server with an append-only file and fsync always, switch. The second import brings the same "
    "files: everything is compared, nothing is written. CPU is that of the importing process; the server has its own."
)


@dataclass
class Found:
    """What was measured."""

    entities: int
    numbers: int
    bytes: int
    seconds: float = 0.0
    """The import into the empty store."""
    again_seconds: float = 0.0
    """The same import once more."""
    cpu_seconds: float = 0.0
    memory_mb: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)
    """Seconds of each step of the first import."""


class _Clock:
    """Notes when each step begins; what it is told goes on to the progress bars."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.began: dict[str, float] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        self.began.setdefault(step, time.monotonic())
        self._steps(step, done, total)

    def lengths(self, end: float) -> dict[str, float]:
        """Return the seconds of each step."""
        starts = [*self.began.values(), end]
        return {step: starts[index + 1] - starts[index] for index, step in enumerate(self.began)}


def run(carrier: Carrier, form: Literal["csv", "jsonl"]) -> Found:
    """Make the files, import them twice. Raises `StoreError`."""
    if form == "csv":
        source = Source("tables", tables(carrier.entities(), secrets=True))
    else:
        source = Source("lines", {"carrier.jsonl": lines(carrier.entities(), secrets=True)})
    found = Found(len(carrier), carrier.all_numbers, sum(map(len, source.files.values())))
    with tempfile.TemporaryDirectory(prefix="sipproxy-bench-") as folder, asyncio.Runner() as runner, no_collection():
        connection = StoreConnection(StoreSettings(data_dir=Path(folder) / "store", timeout_s=60.0))
        try:
            with Steps() as steps:
                cpu, start, clock = time.process_time(), time.monotonic(), _Clock(steps)
                _once(runner, connection, source, clock)
                found.seconds, found.cpu_seconds = time.monotonic() - start, time.process_time() - cpu
                found.steps = clock.lengths(start + found.seconds)
            start = time.monotonic()
            _once(runner, connection, source, job.silent)
            found.again_seconds = time.monotonic() - start
        finally:
            runner.run(connection.close())
    found.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _once(runner: asyncio.Runner, connection: StoreConnection, source: Source, progress: job.Progress) -> None:
    state = runner.run(job.read_state(connection, progress))
    prepared = job.prepare(source, state, job.Options("bench"), progress)
    runner.run(job.apply(connection, prepared, Author("bench", "import"), progress=progress))


def rows(found: Found) -> list[list[str]]:
    """Return what the tables show."""
    steps = [[f"  {step}", f"{seconds:.1f}", ""] for step, seconds in found.steps.items()]
    rate = f"{found.entities / found.seconds:,.0f}"
    return [
        ["import into an empty store", f"{found.seconds:.1f}", rate],
        *steps,
        ["  CPU of the importing process", f"{found.cpu_seconds:.1f}", ""],
        ["the same once more", f"{found.again_seconds:.1f}", f"{found.entities / found.again_seconds:,.0f}"],
    ]


def table(found: Found) -> Table:
    """Return the result for the terminal."""
    title = f"{found.entities:,} entities, {found.numbers:,} numbers, {found.bytes / 1e6:,.0f} MB"
    drawn = Table("what", "seconds", "entities/s", title=title, title_justify="left")
    for row in rows(found):
        drawn.add_row(*row)
    return drawn


def sections(found: Found) -> list[str]:
    """Return the Markdown of a run."""
    size = (
        f"{found.entities:,} entities, {found.numbers:,} numbers, {found.bytes / 1e6:,.0f} MB; memory {found.memory_mb:,.0f} MB."
    )
    return [*markdown_table(["what", "seconds", "entities/s"], rows(found)), "", size, "", _METHOD]
