"""The cost of asking many lines by OPTIONS beside calls, and how evenly they are asked.

The same calls run twice: with no other line, then with all of them. The difference in CPU time is the probing's. The phones
count each OPTIONS by when it came, so evenness is seen from outside.
"""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import generator, procfs
from benchmarks.plan import NumberPlan
from benchmarks.report import markdown_table
from benchmarks.servers import ServerError
from benchmarks.target.data import PHONES_PORT, PROXIED
from benchmarks.target.serve import Served, Target, serving

LISTEN = "127.0.0.1:5079"
UAS = "127.0.0.2:5088"
NUMBERS = NumberPlan(count=1_000)
_UP_LIMIT_S = 300.0
_SETTLE_S = 5.0
_SETTLE_PER_LINE_S = 4e-4
_WINDOW_MS = 100
_WITHOUT_S = 120.0
"""The calls alone take the same CPU at any time."""

_METHOD = (
    "All processes of the service (engine with one worker, control plane, store) share one core; callers and phones have another. "
    "Each line has an address of its own in 127/8, and a phone there that answers OPTIONS from it. Every line is up before the clock "
    "starts. They are new, so each is asked twice an interval of 30 s. "
    "Probing's share is the CPU time with the lines minus that without them, over the time: of one core. Windows are counted "
    "at the phones, by when the kernel took a datagram. Nothing is wrong with any phone, so every change of a verdict would be a false one."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run. Rates a second."""

    lines: int
    seconds: float
    redirects: int
    proxied: int
    server_core: int
    generator_core: int


@dataclass(frozen=True, slots=True)
class Side:
    """One run, with the lines or without them."""

    lines: int
    seconds: float
    cpu_share: float
    """CPU seconds of all processes of the service a second."""
    foreign_share: float
    """What others took of the same core."""
    calls: int
    wrong: int
    p99_us: float
    """Latency of a redirect."""
    probes: int
    lost: int
    void: int
    flips: int
    """Verdicts that changed."""
    most_down: int
    """Lines down at once, looked at each second, beyond those at the begin."""
    stalls: int
    refused: int
    windows: tuple[int, ...]
    """OPTIONS that came to the phones in each 100 ms."""


@dataclass(frozen=True, slots=True)
class Found:
    """Both sides and what follows from them."""

    without: Side
    probing: Side
    share: float
    """Of one core, spent on probing."""
    probe_us: float
    """CPU per probe."""
    mean_window: float
    max_over_mean: float
    min_over_mean: float

    @property
    def right(self) -> bool:
        """Whether all calls were right and no verdict was wrong."""
        return not (self.probing.wrong or self.without.wrong or self.probing.flips)


def run(plan: Plan, binary: Path) -> Found:
    """Run both sides. `ServerError` when the lines do not all come up."""
    shorter = replace(plan, seconds=min(plan.seconds, _WITHOUT_S))
    without, probing = _side(shorter, binary, 0), _side(plan, binary, plan.lines)
    share = probing.cpu_share - without.cpu_share
    mean = sum(probing.windows) / max(len(probing.windows), 1)
    return Found(
        without=without,
        probing=probing,
        share=share,
        probe_us=share * probing.seconds * 1e6 / max(probing.probes, 1),
        mean_window=mean,
        max_over_mean=max(probing.windows, default=0) / max(mean, 1e-9),
        min_over_mean=min(probing.windows, default=0) / max(mean, 1e-9),
    )


def _side(plan: Plan, binary: Path, lines: int) -> Side:
    target = Target("probing", LISTEN, NUMBERS, UAS, 1, lines)
    with (
        _peer(binary, "uas", "--listen", UAS, "--core", str(plan.generator_core)),
        _peer(binary, "lines", "--port", str(PHONES_PORT), "--core", str(plan.generator_core)) as phones,
        serving(target) as served,
    ):
        pids = procfs.family(served.process.pid)
        procfs.pin(pids, plan.server_core)
        _wait_for_up(served, lines + 1)
        # The store takes a while for the verdicts of so many new lines.
        time.sleep(_SETTLE_S + lines * _SETTLE_PER_LINE_S)
        begun, before = time.time_ns(), _metrics(served)
        cpu, core = procfs.cpu_seconds(pids), procfs.core_time(plan.server_core)
        with ThreadPoolExecutor() as pool:
            loads = [
                pool.submit(_load, plan, binary, "redirect", NUMBERS, plan.redirects, *NumberPlan.expectations()),
                pool.submit(_load, plan, binary, "proxy", PROXIED, plan.proxied),
            ]
            most_down = 0
            while not all(load.done() for load in loads):
                time.sleep(1.0)
                most_down = max(most_down, int(_rise(before, _metrics(served), 'sipproxy_lines{health="down"}')))
            reports = [load.result() for load in loads]
        cpu, core = procfs.cpu_seconds(pids) - cpu, procfs.core_time(plan.server_core) - core
        ended, after = time.time_ns(), _metrics(served)
        counts = _ended(phones)
    seconds = (ended - begun) / 1e9
    window_ns = _WINDOW_MS * 1_000_000
    windows = range(begun // window_ns + 1, ended // window_ns)

    def rise(name: str) -> int:
        return int(_rise(before, after, name))

    return Side(
        lines=lines,
        seconds=seconds,
        cpu_share=cpu / seconds,
        foreign_share=max(core.busy - cpu, 0.0) / seconds,
        calls=sum(report["calls"] for report in reports),
        wrong=sum(report["error_total"] for report in reports),
        p99_us=reports[0]["answer_us"]["p99"],
        probes=rise('sipproxy_probes_total{outcome="sent"}'),
        lost=rise('sipproxy_probes_total{outcome="lost"}'),
        void=rise('sipproxy_probes_total{outcome="void"}'),
        flips=rise("sipproxy_verdict_flips_total"),
        most_down=most_down,
        stalls=rise("sipproxy_worker_stalls_total"),
        refused=rise('sipproxy_datagrams_total{way="refused"}'),
        windows=tuple(counts.get(str(window), 0) for window in windows) if lines else (),
    )


@contextmanager
def _peer(binary: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([str(binary), *arguments], stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or process.stdout.readline().strip() != "ready":
            raise generator.GeneratorError(f"sip-load {arguments[0]} did not start")
        yield process
    finally:
        process.terminate()
        process.wait()


def _ended(phones: subprocess.Popen[str]) -> dict[str, int]:
    """End the phones and return their count of OPTIONS by window."""
    phones.terminate()
    said, _ = phones.communicate(timeout=10)
    counts: dict[str, int] = json.loads(said)["counts"]
    return counts


def _load(plan: Plan, binary: Path, mode: str, numbers: NumberPlan, rate: int, *options: str) -> dict[str, Any]:
    common = ["--target", LISTEN, "--core", str(plan.generator_core), *numbers.generator_options(), "--block", "--single"]
    paced = ["--rate", str(rate), "--window", "4096", "--seconds", str(plan.seconds)]
    return generator.run(binary, mode, *common, *paced, *options, timeout_s=plan.seconds + 120)


def _wait_for_up(served: Served, lines: int) -> None:
    limit = time.monotonic() + _UP_LIMIT_S
    while (up := _metrics(served).get('sipproxy_lines{health="up"}', 0)) < lines:
        if time.monotonic() > limit:
            raise ServerError(f"only {up:.0f} of {lines} lines came up within {_UP_LIMIT_S:.0f} s")
        time.sleep(0.5)


def _metrics(served: Served) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{served.metrics}/metrics", timeout=30) as answer:
        rows = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (row.rpartition(" ") for row in rows if not row.startswith("#"))}


def _rise(before: dict[str, float], after: dict[str, float], name: str) -> float:
    return after.get(name, 0.0) - before.get(name, 0.0)


def rows(found: Found) -> list[list[str]]:
    """Return what the tables show, name and value."""
    with_lines = found.probing
    return [
        ["lines", f"{with_lines.lines:,}"],
        ["seconds", f"{with_lines.seconds:.0f}"],
        ["probing, share of one core", f"{found.share:.1%}"],
        ["the service with calls alone", f"{found.without.cpu_share:.1%}"],
        ["CPU µs per probe", f"{found.probe_us:.1f}"],
        ["probes", f"{with_lines.probes:,}"],
        ["probes in 100 ms: mean", f"{found.mean_window:.1f}"],
        ["most over mean", f"{found.max_over_mean:.2f}"],
        ["least over mean", f"{found.min_over_mean:.2f}"],
        ["probes lost", str(with_lines.lost)],
        ["probes void (we slept, or could not send)", str(with_lines.void)],
        ["verdicts that changed", str(with_lines.flips)],
        ["lines down at once, at most", str(with_lines.most_down)],
        ["calls right, with lines / without", f"{with_lines.calls:,} / {found.without.calls:,}"],
        ["calls wrong", f"{with_lines.wrong} / {found.without.wrong}"],
        ["redirect p99 µs", f"{with_lines.p99_us:.0f} / {found.without.p99_us:.0f}"],
        ["worker stalls over 300 ms", str(with_lines.stalls)],
        ["core used by others", f"{with_lines.foreign_share:.0%} / {found.without.foreign_share:.0%}"],
    ]


def table(found: Found) -> Table:
    """Return the result for the terminal."""
    drawn = Table("probing", "", title="OPTIONS to many lines", title_justify="left")
    for row in rows(found):
        drawn.add_row(*row)
    return drawn


def sections(found: Found) -> list[str]:
    """Return the Markdown of a run."""
    return [*markdown_table(["probing", ""], rows(found)), "", _METHOD]
