"""How late is the end of a registration acted on, with many of them? By the engine's own events, against each deadline."""

import math
import os
import secrets
import select
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks import procfs
from benchmarks.plan import NumberPlan
from benchmarks.report import markdown_table
from benchmarks.servers import ServerError
from benchmarks.target.serve import Target, configuration
from sipproxy._engine import Engine
from sipproxy.config.engine_settings import engine_settings
from sipproxy.config.load import load
from sipproxy.profiles import profile_settings

if TYPE_CHECKING:
    from sipproxy._engine import BindingRow, Delta, LineSpec

PROMISED_MS = 100.0

_LISTEN = "127.0.0.1:5078"
_LEAD_S = 5.0
_LEAD_PER_LINE_S = 1e-4
"""Until the first runs out: so long may it take until the engine has all of them."""
_PATIENCE_S = 120.0
_PAGE = 10_000
_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}

_METHOD = (
    "The engine with one worker has one registration per line; they run out evenly over the time that is told, as if all phones of a "
    "region had vanished at once. Late is the time of the event (binding expired, verdict down) after the deadline of the "
    "binding. Early must not happen."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run."""

    lines: int
    seconds: float
    """The time over which the registrations run out."""
    core: int


@dataclass(frozen=True, slots=True)
class Found:
    """Milliseconds from a deadline to what came of it."""

    lines: int
    expired_ms: dict[str, float]
    down_ms: dict[str, float]
    early: int
    stalls: int
    """Times that the machine kept the engine from working for over 300 ms."""


def run(plan: Plan) -> Found:
    """Let ``plan.lines`` registrations run out. `ServerError` when some do not."""
    with tempfile.TemporaryDirectory(prefix="sipproxy-bench-") as temporary:
        file = Path(temporary) / "sipproxy.toml"
        file.write_text(configuration(Target("registrar", _LISTEN, NumberPlan(), "", 1)))
        loaded = load(file)
        engine = Engine(engine_settings(loaded.configuration, loaded.peers, profile_settings(loaded), secrets.token_bytes(32)))
    try:
        engine.start()
        procfs.pin([os.getpid()], plan.core)
        for page in _pages(plan.lines):
            delta: Delta = {"lines": [_line(slot) for slot in page]}
            engine.apply(delta)
        begin_ms = int((time.time() + _LEAD_S + plan.lines * _LEAD_PER_LINE_S) * 1000)
        step_ms = plan.seconds * 1000 / plan.lines
        deadlines = [begin_ms + int(slot * step_ms) for slot in range(plan.lines)]
        engine.restore_bindings([_binding(slot, deadline) for slot, deadline in enumerate(deadlines)])
        while engine.counters()["bindings"] < plan.lines:
            if time.time() * 1000 > begin_ms:
                raise ServerError(f"the engine had not all of {plan.lines} registrations when the first was to run out")
            time.sleep(0.1)
        stalls = engine.counters()["worker_stalls"]
        return _collect(engine, deadlines, stalls)
    finally:
        engine.stop()


def _collect(engine: Engine, deadlines: list[int], stalls_before: int) -> Found:
    expired: dict[int, int] = {}
    down: dict[int, int] = {}
    limit = time.monotonic() + _PATIENCE_S
    while len(expired) < len(deadlines) or len(down) < len(deadlines):
        if time.monotonic() > limit:
            raise ServerError(f"{len(expired)} of {len(deadlines)} registrations ran out, {len(down)} lines are down")
        select.select([engine.event_fd()], [], [], 0.1)
        for event in engine.events(_PAGE):
            if event["kind"] == "binding" and event["change"] == "expired":
                slot = event["binding"][0]
                expired[slot] = event["at_unix_ms"] - deadlines[slot]
            elif event["kind"] == "verdict" and event["verdict"]["cause"] == "expired":
                slot = event["verdict"]["line"]
                down[slot] = event["at_unix_ms"] - deadlines[slot]
    # A millisecond is what rounding on both ways may take.
    early = sum(late < -1 for late in (*expired.values(), *down.values()))
    stalls = engine.counters()["worker_stalls"] - stalls_before
    return Found(len(deadlines), _quantiles(list(expired.values())), _quantiles(list(down.values())), early, stalls)


def _quantiles(values: list[int]) -> dict[str, float]:
    values.sort()
    return {label: float(values[max(math.ceil(share * len(values)) - 1, 0)]) for label, share in _SHARES.items()}


def _pages(count: int) -> Iterator[range]:
    return (range(start, min(start + _PAGE, count)) for start in range(0, count, _PAGE))


def _line(slot: int) -> "LineSpec":
    return {
        "slot": slot,
        "line_id": f"l{slot}",
        "order_id": "bench-order",
        "site_id": f"s{slot}",
        "groups": [],
        "product": "sipAccount 2.0",
        "profile": "phone",
        "kind": "registered",
        "users": [_user(slot)],
        "credentials": [],
        "peers": [],
        "request_uri": "contact",
        "wish": "enabled",
    }


def _user(slot: int) -> str:
    return f"+{493021000000 + slot}"


def _binding(slot: int, deadline_ms: int) -> "BindingRow":
    address = f"127.{1 + (slot >> 16)}.{slot >> 8 & 255}.{slot & 255}:5090"
    return (slot, f"sip:phone@{address}", address, deadline_ms, f"call{slot}", 1, 1000, "bench", _user(slot))


def rows(found: Found) -> list[list[str]]:
    """Return what the tables show."""
    sides = {"binding expired": found.expired_ms, "verdict down": found.down_ms}
    return [[name, *(f"{value:.0f}" for value in values.values())] for name, values in sides.items()]


def table(found: Found) -> Table:
    """Return the result for the terminal."""
    drawn = Table("milliseconds late", *_SHARES, title=f"{found.lines:,} registrations run out", title_justify="left")
    for row in rows(found):
        drawn.add_row(*row)
    return drawn


def sections(found: Found) -> list[str]:
    """Return the Markdown of a run."""
    head = ["milliseconds late", *_SHARES]
    return [*markdown_table(head, rows(found)), "", f"Early: {found.early}. Stalls of the engine: {found.stalls}.", "", _METHOD]
