"""Says where a row breaks its scenario's limits, and whether it tested anything."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.faults.laboratory.compare import worse
from tests.faults.laboratory.measure import Row
from tests.faults.laboratory.scenarios import Limits

_STOOD_STILL_S = 0.2


def broken(row: Row, limits: Limits, *, margin_s: float = 0.0) -> list[str]:
    """Return a sentence for each limit that the row does not keep. ``margin_s`` is added to times, for a machine that does other work."""
    found = untested(row) + _counts(row, limits) + _times(row, limits, margin_s)
    if found and row.late_s > _STOOD_STILL_S:
        found.append(f"(the laboratory itself stood still for {row.late_s:.2f} s: the machine was busy, run it again)")
    return found


def behind(ours: Mapping[str, Any], theirs: Mapping[str, Any], limits: Limits) -> list[str]:
    """Return a sentence for each figure in which our row of a run must not stand behind the other system's and does."""
    return [f"behind: {said}" for name, said in worse(ours, theirs).items() if name in limits.not_behind]


def untested(row: Row) -> list[str]:
    """Return why a row shows nothing: its fault was not in force, or nobody called."""
    found = []
    if row.offered == row.diverted or not row.offered:
        found.append("no call reached a phone: the run shows nothing")
    if row.impossible:
        found.append(f"{row.impossible} calls reached a phone that nobody could reach: the fault was not in force")
    if row.takes_out and not row.lines_out:
        found.append("no line was out: the fault was not in force")
    if row.takes_out and not row.calls_while_out:
        found.append("no call was placed while a line was out: the run shows nothing")
    if row.takes_out is False and not row.evidence:
        found.append("nothing shows that the fault was in force")
    return found


def _counts(row: Row, limits: Limits) -> list[str]:
    found = [f"{row.lost} calls were lost ({row.statuses})"] if limits.lost is not None and row.lost > limits.lost else []
    if limits.wrongly_diverted is not None and row.wrongly_diverted > limits.wrongly_diverted:
        found.append(f"{row.wrongly_diverted} calls were diverted although the line could have answered")
    if limits.by_arithmetic and row.allowed is not None and row.wrongly_diverted > row.allowed:
        found.append(f"{row.wrongly_diverted} calls were diverted, the arithmetic of retransmissions allows {row.allowed}")
    if limits.false_verdicts is not None and row.false_verdicts > limits.false_verdicts:
        found.append(f"{row.false_verdicts} false verdicts")
    if not limits.diverts and row.diverted > row.wrongly_diverted:
        found.append(f"{row.diverted} calls were diverted")
    if row.violations:
        kinds = Counter(text.partition(": ")[2] for text in row.violations)
        said = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common(3))
        found.append(f"callers saw what they must not: {said}")
    return found


def _times(row: Row, limits: Limits, margin_s: float) -> list[str]:
    found: list[str] = []
    if limits.first_diverted_s is not None:
        found += _late("the first diverted call", row.first_diverted_s, limits.first_diverted_s, margin_s)
    if limits.down_s is not None:
        found += _late("the last verdict down", row.slowest_down_s, limits.down_s, margin_s)
    if limits.half_down_s is not None:
        found += _late("half of the verdicts down", row.fault_to_down_s, limits.half_down_s, margin_s)
    if limits.delivered_s is not None:
        found += _late("the first call after the repair", row.repair_to_delivered_s, limits.delivered_s, margin_s)
        if row.never_delivered:
            found.append("after a repair no call was delivered any more")
    return found


def _late(what: str, measured: float | None, limit: float, margin_s: float) -> list[str]:
    if measured is None:
        return [f"{what} did not come"]
    return [f"{what} took {measured:.3f} s, at most {limit:g} s"] if measured > limit + margin_s else []
