"""The results of many runs: rows as JSON, a Markdown table with the systems below each other, and a picture for each run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from tests.faults.laboratory import arithmetic, compare, measure
from tests.faults.laboratory.chart import Panel, svg
from tests.faults.laboratory.compare import seconds
from tests.faults.laboratory.judge import behind, broken
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
    "slowest down",
    "not noticed",
    "repair → delivered",
    "probes",
    "verdict changes",
    "false",
    "violations",
    "stood still",
    "worse than the other",
)


def one(scenario: Scenario, results: Sequence[Result], *, seed: int) -> dict[str, Any]:
    """Return a run as plain data, with what it broke."""
    fault = scenario.fault()
    return {
        "key": scenario.key,
        "title": scenario.title,
        "description": fault.description,
        "seed": seed,
        "commit": facts()["commit"],
        "rate": scenario.rate,
        "seconds": [scenario.before_s, scenario.fault_s, scenario.after_s],
        "limits": asdict(scenario.limits),
        "arithmetic": _arithmetic(scenario, results),
        "remark": scenario.remark,
        "rows": [result.row.as_json() for result in results],
        "broken": outside([result.row for result in results], scenario),
        "downs": {
            result.row.system: [
                {
                    "at_s": round(verdict.at - result.begun, 3),
                    "line": verdict.line,
                    "cause": verdict.cause,
                    "evidence": verdict.evidence,
                }
                for verdict in [verdict for verdict in result.seen.verdicts if verdict.health == "down"][:_VERDICTS]
            ]
            for result in results
        },
    }


def outside(rows: Sequence[measure.Row], scenario: Scenario, *, margin_s: float = 0.0) -> dict[str, list[str]]:
    """Return by system what is outside the scenario's limits; in the first, ours, also where it must not be behind the second."""
    found = {row.system: broken(row, scenario.limits, margin_s=margin_s) for row in rows}
    if len(rows) > 1:
        found[rows[0].system] += behind(rows[0].as_json(), rows[1].as_json(), scenario.limits)
    return found


def _arithmetic(scenario: Scenario, results: Sequence[Result]) -> str:
    """Return how many calls had to be diverted by the arithmetic alone, and how many were; "" where nothing is lost."""
    if not scenario.percent:
        return ""
    said = arithmetic.sentence(scenario.percent, scenario.round_trip_s, results[0].seen.offered_in_fault())
    return f"{said}; diverted: " + ", ".join(f"{result.row.system} {result.row.diverted}" for result in results)


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


def cells(title: str, row: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> list[str]:
    """Return a row of the table, with the names of what is worse than in the row of the ``other`` system of the same run."""
    returned = (
        "never" if row["never_delivered"] and row["repair_to_delivered_s"] is None else seconds(row["repair_to_delivered_s"])
    )
    counts = ("offered", "completed", "rang", "diverted", "lost", "wrongly_diverted", "diverted_after_repair", "open_at_kill")
    times = (
        "first_diverted_s",
        "slowest_diverted_s",
        "fault_to_all_s",
        "fault_to_at_once_s",
        "fault_to_down_s",
        "slowest_down_s",
    )
    return [
        title,
        row["system"],
        *(f"{row[name]:,}" for name in counts),
        *(seconds(row[name]) for name in times),
        f"{row['lines_unnoticed']} of {row['lines_out']:,}" if row["lines_out"] else "–",
        returned,
        f"{row['probes']:,}",
        str(row["verdict_changes"]),
        str(row["false_verdicts"]),
        str(len(row["violations"])),
        seconds(row["late_s"]),
        ", ".join(_WORDS[name] for name in compare.worse(row, other)) or "none" if other else "–",
    ]


def table(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|" + "---:|" * (len(COLUMNS) - 2)]
    for run in runs:
        for number, row in enumerate(run["rows"]):
            title = f"[{run['title']}](charts/{run['key']}.svg)" if number == 0 else ""
            other = run["rows"][1 - number] if len(run["rows"]) == 2 else None
            lines.append("| " + " | ".join(cells(title, row, other)) + " |")
    return lines


_VERDICTS = 100
_WORDS = {**compare.FIGURES, "never_delivered": "repair → delivered", "completed": "completed"}


def worse(run: Mapping[str, Any]) -> str:
    """Return the figures of a run in which the first system stands behind the second, in words; "" where in none."""
    if len(run["rows"]) < 2:
        return ""
    said = "; ".join(compare.worse(*run["rows"]).values())
    return f"{said} ({run['remark']})" if said and run.get("remark") else said


def _costs(runs: Sequence[Mapping[str, Any]]) -> str:
    pairs = [run["rows"] for run in runs if len(run["rows"]) > 1]
    sums = {name: [sum(rows[side][name] for rows in pairs) for side in (0, 1)] for name in ("probes", "verdict_changes")}
    same = f"{compare.SAME_S * 1000:.0f} ms and {(compare.SAME_PART - 1) * 100:.0f} %"
    probes, changes = ("{:,} of ours, {:,} of the other".format(*both) for both in sums.values())
    return (
        "Each row of the table names what is worse in it than in the other system's row of the same run. Times are the same when they"
        f" differ by less than {same}. A detection that never came is worse than any. Costs are not compared: probes (in all rows"
        f" {probes}) and verdict changes ({changes}; only ours count *suspect*)."
    )


def _commits(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what was run; the rows of a report may be of several commits."""
    titles: dict[str, list[str]] = {}
    for run in runs:
        titles.setdefault(run["commit"], []).append(run["title"])
    most = max(titles, key=lambda commit: len(titles[commit]), default="")
    others = [f"- commit: {commit} ({'; '.join(names)})" for commit, names in titles.items() if commit != most]
    return [f"- commit: {most}{' (all others)' if others else ''}", *others]


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
    better = [f"- **{run['title']}**: {said}" for run in runs if (said := worse(run))]
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
        _costs(runs),
        "",
        *(better or ["Nowhere."]),
        "",
        "## What the arithmetic of retransmissions allows",
        "",
        *(lossy or ["No run was made on a lossy line."]),
        "",
        "## What shows that a fault was in force",
        "",
        "Where the fault takes lines out: no call placed to one of them meanwhile reached its phone, and some were placed. Elsewhere:",
        "",
        *(f"- **{run['title']}**, {row['system']}: {row['evidence']}" for run in runs for row in run["rows"] if row["evidence"]),
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
        *(f"- {name}: {value}" for name, value in machine.items() if name != "commit"),
        *_commits(runs),
    ]
    markdown = RESULTS / "results.md"
    markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return markdown
