"""How an import shows itself: progress with rates, the difference, and what is wrong row by row."""

from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from routing.bulk.diff import Change, Diff
from routing.bulk.faults import BulkRejected, Faults
from routing.rejection import RuleRejected, RuleWarning
from sipproxy.commands.output import errors, output, print_json

SHOWN = 20
"""Entries of a list that are printed; ``--json`` has all."""
_STEPS = {
    "read": "reading the store",
    "parse": "reading the file",
    "check": "checking",
    "compare": "comparing",
    "copy": "staging what stays",
    "stage": "staging what is new",
    "switch": "switching",
}


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Return the rate, nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")


class Steps:
    """The progress bars; called with a step, how much of it is done, and of how much."""

    def __init__(self, *, quiet: bool = False) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=errors, disable=quiet or not errors.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.rest()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show how far a step is."""
        if step not in self._tasks:
            for task in self._progress.tasks:
                if not task.finished:
                    self._progress.update(task.id, total=task.completed or 1, completed=task.completed or 1)
            self._tasks[step] = self._progress.add_task(_STEPS.get(step, step), total=total or None)
            self._progress.start()
        self._progress.update(self._tasks[step], completed=done, total=total or None)

    @property
    def is_switching(self) -> bool:
        """Whether the last step was begun."""
        return "switch" in self._tasks

    def rest(self) -> None:
        """Let the bars stand as they are, so that something can be printed or asked."""
        self._progress.stop()


def print_diff(diff: Diff, plan: str) -> None:
    """Print how many of each kind, what changes field by field, and what that means for callers."""
    counts = {kind: row for kind, row in diff.counts().items() if any(row.values())}
    table = Table("what", "added", "changed", "removed", "unchanged", box=None, pad_edge=False)
    for kind, row in counts.items():
        table.add_row(kind, *(f"{row[key]:,}" for key in ("added", "changed", "removed", "unchanged")))
    output.print(table)
    for change in diff.changes[:SHOWN]:
        _print_change(change)
    _more(len(diff.changes))
    for title, style, entries in (
        ("switched on", "green", diff.switched_on),
        ("switched off", "yellow", diff.switched_off),
        ("protected from then on", "green", diff.protected),
        ("no longer protected", "red", diff.unprotected),
    ):
        if entries:
            output.print(f"[{style}]{title}:[/] {len(entries):,}")
            for entry in entries[:SHOWN]:
                output.print(f"  {escape(entry)}", soft_wrap=True)
            _more(len(entries))
    if not diff.changes:
        output.print("nothing to change")
    elif plan:
        output.print(f"plan {plan}")


def print_notes(told: Sequence[RuleWarning]) -> None:
    """Print what keeps nothing from being saved, and is worth a word."""
    for one in told[:SHOWN]:
        output.print(f"[yellow]note:[/] {escape(str(one))}", soft_wrap=True)
    _more(len(told))


def _print_change(change: Change) -> None:
    name = f"{change.kind} {escape(change.id)}"
    if change.before is None:
        output.print(f"[green]+[/] {name}")
    elif change.after is None:
        output.print(f"[red]-[/] {name}")
    else:
        output.print(f"[yellow]~[/] {name}")
        for one in change.fields:
            output.print(f"    {one.path}: {_short(one.before)} → {_short(one.after)}", soft_wrap=True, markup=False)


def _short(value: Any) -> str:
    text = "–" if value is None or value == "" else str(value)
    return text if len(text) <= 120 else f"{text[:119]}…"  # noqa: PLR2004 - about a line


def _more(count: int) -> None:
    if count > SHOWN:
        output.print(f"  … and {count - SHOWN:,} more", style="dim")


def print_faults(found: RuleRejected, *, as_json: bool) -> None:
    """Print one message a fault with its row and column, and how many there are."""
    refused = found if isinstance(found, BulkRejected) else _counted(found)
    if as_json:
        print_json(
            {
                "faults": [asdict(one) for one in refused.faults],
                "count": refused.count,
                "rows": refused.rows,
                "types": refused.types,
            }
        )
        return
    for one in refused.faults[: 5 * SHOWN]:
        file, _, place = one.location.rpartition(":")
        row, _, column = place.partition(".")
        where = f"{file}, row {row}" + (f", column {column}" if column else "") if file else one.location
        errors.print(f"{where}: {one.message}" if where else one.message, style="red", markup=False, soft_wrap=True)
    shown = min(len(refused.faults), 5 * SHOWN)
    rest = f" ({shown} shown)" if refused.count > shown else ""
    counted = f"{_some(refused.count, 'fault')} in {_some(refused.rows, 'row')}"
    errors.print(f"{counted}{rest}; nothing was changed.")


def _counted(found: RuleRejected) -> BulkRejected:
    faults = Faults()
    faults.add(*found.faults)
    return BulkRejected(faults)


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
