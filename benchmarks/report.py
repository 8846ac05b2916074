"""Results for people and machines: tables in the terminal, JSON and Markdown in ``benchmarks/results/``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.compare import Summary
from benchmarks.measure import Measurement

RESULTS = Path(__file__).resolve().parent / "results"
COLUMNS = (
    ("server", "left"),
    ("numbers", "right"),
    ("CPU µs/call", "right"),
    ("(min-max)", "right"),
    ("of Kamailio", "right"),
    ("calls/s", "right"),
    ("p50 µs", "right"),
    ("p99 µs", "right"),
    ("p99.9 µs", "right"),
    ("memory MB", "right"),
    ("wrong", "right"),
    ("repeated", "right"),
)
METHOD = (
    "One server at a time on one core, the generator on another, over loopback UDP. CPU per call is the user and system time "
    "of all processes of the server (the store and the control plane included) over the calls that got the right answer, "
    "under full load with a fixed window. Latency is that of a second load at a fixed rate, counted from when a call was due. "
    "Medians over the rounds; the ratio is taken within each round. Sending over loopback runs the receiver's side of the "
    "network stack in the sender, so the generator pays for the server's receiving and the server for the generator's."
)


def _row(summary: Summary) -> list[str]:
    return [
        summary.server,
        f"{summary.numbers:,}",
        f"{summary.cpu_us:.2f}",
        f"{summary.cpu_low_us:.2f}-{summary.cpu_high_us:.2f}",
        f"{summary.ratio:.2f}" if summary.ratio is not None else "",
        f"{summary.rate:,.0f}",
        f"{summary.p50_us:.0f}",
        f"{summary.p99_us:.0f}",
        f"{summary.p99_9_us:.0f}",
        f"{summary.pss_bytes / 1e6:.0f}",
        str(summary.wrong),
        str(summary.retransmissions),
    ]


def line(one: Measurement) -> str:
    """Return one measurement as a line of progress."""
    verdict = "all right" if one.right else f"WRONG: {one.errors}"
    if one.foreign > 0.1:
        verdict += f"  (others took {one.foreign:.0%} of the core)"
    return (
        f"round {one.round}  {one.server:<9} {one.numbers:>9,} numbers  {one.cpu_us:6.2f} µs CPU/call  {one.rate:>9,.0f} calls/s"
        f"  p50 {one.p50_us:.0f}  p99 {one.p99_us:.0f}  p99.9 {one.p99_9_us:.0f} µs  {verdict}"
    )


def table(title: str, summaries: Sequence[Summary]) -> Table:
    """Return the medians as a table for the terminal."""
    drawn = Table(title=title, title_justify="left")
    for name, side in COLUMNS:
        drawn.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    for summary in summaries:
        drawn.add_row(*_row(summary), style="red" if summary.wrong else None)
    return drawn


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def store(
    name: str,
    *,
    machine: Mapping[str, str],
    settings: Mapping[str, Any],
    results: Mapping[str, Any],
    sections: Sequence[str],
) -> Path:
    """Write ``NAME.json`` and ``NAME.md`` with date; return the Markdown file."""
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    stem = RESULTS / f"{now:%Y-%m-%d-%H%M%S}-{name}"
    content = {"name": name, "at": now.isoformat(timespec="seconds"), "machine": dict(machine), "settings": dict(settings)}
    stem.with_suffix(".json").write_text(json.dumps({**content, **results}, indent=1, ensure_ascii=False) + "\n")
    facts = [f"- {key}: {value}" for key, value in machine.items()]
    chosen = [f"- {key}: {value}" for key, value in settings.items()]
    text = [f"# {name}, {now:%Y-%m-%d %H:%M} UTC", "", *sections, "", "## Machine", "", *facts, "", "## Settings", "", *chosen]
    markdown = stem.with_suffix(".md")
    markdown.write_text("\n".join(text) + "\n")
    return markdown


def comparison_sections(summaries: Sequence[Summary], measurements: Sequence[Measurement], notes: Sequence[str]) -> list[str]:
    """Return the Markdown of a comparison: medians, notes, every round."""
    rounds = [
        [
            *(str(one.round), one.server, f"{one.numbers:,}", f"{one.cpu_us:.2f}", f"{one.softirq_us:.2f}", f"{one.rate:,.0f}"),
            *(f"{one.p50_us:.0f}", f"{one.p99_us:.0f}", f"{one.p99_9_us:.0f}", f"{one.full_p99_us:.0f}"),
            *(f"{one.generator_cpu_us:.2f}", f"{one.generator_idle:.0%}", f"{one.foreign:.0%}", str(one.wrong)),
        ]
        for one in measurements
    ]
    head = ["round", "server", "numbers", "CPU µs/call", "softirq µs/call", "calls/s", "p50 µs", "p99 µs", "p99.9 µs"]
    head += ["p99 µs at full load", "generator µs/call", "generator idle", "core used by others", "wrong"]
    return [
        *markdown_table([name for name, _ in COLUMNS], [_row(summary) for summary in summaries]),
        "",
        *notes,
        "",
        METHOD,
        "",
        "## Every round",
        "",
        *markdown_table(head, rounds),
    ]


def as_json(summaries: Sequence[Summary], measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Return the results as plain data."""
    return {"summaries": [asdict(one) for one in summaries], "measurements": [asdict(one) for one in measurements]}


def console() -> Console:
    """Return a console that does not cut tables when the output is a file."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=180)
