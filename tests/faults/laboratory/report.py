"""The results of many runs: rows as JSON, a Markdown table with the systems below each other, and a picture for each run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.laboratory import arithmetic, measure
from tests.faults.laboratory.chart import Panel, svg
from tests.faults.laboratory.judge import broken
from tests.faults.laboratory.run import Result
from tests.faults.laboratory.scenarios import LINES, Scenario

RESULTS = Path(__file__).resolve().parent.parent / "results"
COLUMNS = (
    "fault",
    "system",
    "offered",
    "completed",
    "rang",
    "diverted",
    "**lost**",
    "**wrongly diverted**",
    "after repair",
    "open at kill",
    "first diverted",
    "slowest",
    "fault → all",
    "fault → at once",
    "fault → down",
    "repair → delivered",
    "probes",
    "verdict changes",
    "false",
    "violations",
    "stood still",
)


def one(scenario: Scenario, results: Sequence[Result], *, seed: int) -> dict[str, Any]:
    """Return a run as plain data, with what it broke."""
    fault = scenario.fault()
    return {
        "key": scenario.key,
        "title": scenario.title,
        "description": fault.description,
        "seed": seed,
        "rate": scenario.rate,
        "seconds": [scenario.before_s, scenario.fault_s, scenario.after_s],
        "limits": asdict(scenario.limits),
        "arithmetic": _arithmetic(scenario, results),
        "rows": [result.row.as_json() for result in results],
        "broken": {result.row.system: broken(result.row, scenario.limits) for result in results},
        "verdicts": {
            result.row.system: [
                {
                    "at_s": round(verdict.at - result.begun, 3),
                    "line": verdict.line,
                    "health": verdict.health,
                    "cause": verdict.cause,
                }
                for verdict in result.seen.verdicts[:200]
            ]
            for result in results
        },
    }


def _arithmetic(scenario: Scenario, results: Sequence[Result]) -> str:
    """Return how many calls had to be diverted by the arithmetic alone; "" where nothing is lost."""
    if not scenario.percent:
        return ""
    seen = results[0].seen
    number = sum(seen.fault <= record.sent < seen.repair for record in seen.records)
    slow = "round trip" in scenario.fault().title
    return arithmetic.sentence(scenario.percent, 0.4 if slow else 0.0, number)


def calls(results: Sequence[Result]) -> dict[str, Any]:
    """Return every call of a run, for looking into it."""
    return {
        result.row.system: [
            {**record.as_json(), "at_s": round(record.sent - result.begun, 3), "outcome": outcome}
            for record, outcome in zip(result.seen.records, result.outcomes, strict=True)
        ]
        for result in results
    }


def picture(scenario: Scenario, results: Sequence[Result]) -> str:
    """Return the run's chart as SVG."""
    fault = scenario.fault()
    line = LINES.get(scenario.line) or next((name for name in results[0].seen.lines if name not in LINES.values()), "")
    panels = [Panel(result.seen, result.outcomes, line) for result in results]
    return svg(scenario.title, fault.description, panels, results[0].begun)


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def cells(title: str, row: Mapping[str, Any]) -> list[str]:
    """Return a row of the table."""
    returned = (
        "never" if row["never_delivered"] and row["repair_to_delivered_s"] is None else _seconds(row["repair_to_delivered_s"])
    )
    counts = ("offered", "completed", "rang", "diverted", "lost", "wrongly_diverted", "diverted_after_repair", "open_at_kill")
    times = ("first_diverted_s", "slowest_diverted_s", "fault_to_all_s", "fault_to_at_once_s", "fault_to_down_s")
    return [
        title,
        row["system"],
        *(f"{row[name]:,}" for name in counts),
        *(_seconds(row[name]) for name in times),
        returned,
        f"{row['probes']:,}",
        str(row["verdict_changes"]),
        str(row["false_verdicts"]),
        str(len(row["violations"])),
        _seconds(row["late_s"]),
    ]


def table(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|" + "---:|" * (len(COLUMNS) - 2)]
    for run in runs:
        for number, row in enumerate(run["rows"]):
            title = f"[{run['title']}](charts/{run['key']}.svg)" if number == 0 else ""
            lines.append("| " + " | ".join(cells(title, row)) + " |")
    return lines


_COMPARED = {
    "lost": "lost",
    "open_at_kill": "open at kill",
    "wrongly_diverted": "wrongly diverted",
    "diverted_after_repair": "diverted after repair",
    "first_diverted_s": "first diverted",
    "slowest_diverted_s": "slowest",
    "fault_to_all_s": "fault → all",
    "fault_to_at_once_s": "fault → at once",
    "fault_to_down_s": "fault → down",
    "repair_to_delivered_s": "repair → delivered",
    "false_verdicts": "false verdicts",
}
_SAME_S, _SAME_PART = 0.05, 1.05
"""Times that differ by less are the same: callers come every 50 ms."""


def behind(run: Mapping[str, Any]) -> list[str]:
    """Return each figure of a run in which the first system stands behind the second."""
    if len(run["rows"]) < 2:
        return []
    ours, theirs = run["rows"]
    found = []
    for name, words in _COMPARED.items():
        mine, other = ours[name], theirs[name]
        if mine is None or other is None:
            continue
        if name.endswith("_s"):
            if mine > other * _SAME_PART + _SAME_S:
                found.append(f"{words} {_seconds(mine)}, {theirs['system']} {_seconds(other)}")
        elif mine > other:
            found.append(f"{words} {mine}, {theirs['system']} {other}")
    if ours["completed"] + ours["rang"] < theirs["completed"] + theirs["rang"] or (
        ours["rang"] > theirs["rang"] and ours["completed"] < theirs["completed"]
    ):
        found.append(f"completed {ours['completed']:,}, {theirs['system']} {theirs['completed']:,}")
    return found


def write(runs: Sequence[Mapping[str, Any]], pictures: Mapping[str, str], machine: Mapping[str, str]) -> Path:
    """Write the results of a whole laboratory run; the one before is replaced. Return the Markdown file."""
    charts = RESULTS / "charts"
    charts.mkdir(parents=True, exist_ok=True)
    for old in charts.glob("*.svg"):
        old.unlink()
    for key, text in pictures.items():
        (charts / f"{key}.svg").write_text(text, encoding="utf-8")
    now = datetime.now(UTC)
    content = {"at": now.isoformat(timespec="seconds"), "machine": dict(machine), "runs": list(runs)}
    (RESULTS / "results.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    faults = [
        f"- **{run['title']}**, {system}: {'; '.join(said)}" for run in runs for system, said in run["broken"].items() if said
    ]
    worse = [f"- **{run['title']}**: {'; '.join(said)}" for run in runs if (said := behind(run))]
    lossy = [f"- **{run['title']}**: {run['arithmetic']}" for run in runs if run["arithmetic"]]
    descriptions = [f"- **{run['title']}**: {run['description']}" for run in runs]
    lines = [
        f"# Fault laboratory, {now:%Y-%m-%d %H:%M} UTC",
        "",
        "Made by `make fault-lab`; what each figure means stands below and in [docs/fault-laboratory.md](../../docs/fault-laboratory.md).",
        "",
        *table(runs),
        "",
        "## Outside the limits",
        "",
        *(faults or ["Nothing."]),
        "",
        "## Where Kamailio did better",
        "",
        *(worse or ["Nowhere."]),
        "",
        "## What the arithmetic of retransmissions allows",
        "",
        *(lossy or ["No run was made on a lossy line."]),
        "",
        "## The figures",
        "",
        *str(measure.__doc__).strip().splitlines()[2:],
        "",
        "## The faults",
        "",
        *descriptions,
        "",
        "## Machine",
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
    ]
    markdown = RESULTS / "results.md"
    markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return markdown
