"""What a run measured, exactly. Every figure of the report is computed here from the records of calls and from the truth.

- **completed**: answered by the phone system; **rang**: it rang, and the fault came before the answer (the call found its phone);
  **declined**: busy and the like.
- **diverted**: answered 302 with the rule's own target. **wrongly diverted**: diverted although the line could have answered all the
  time from the INVITE to the 302. Calls placed between a repair and the first call that the phone system got after it are
  **diverted after repair** instead; that time is a column of its own (*repair → delivered*). On a line that loses half of all packets per
  direction nobody can say what would have been answered: its diverted calls are neither.
- **lost**: neither the phone nor a diversion, although the system was up from the INVITE to the failure, or for Timer B (32 s) when
  nothing came. **open at kill**: the same while the system was down for a part of that time.
- **first diverted**: INVITE to 302 of the first call that was placed after the fault and diverted; **slowest**: of any of them.
- **fault → all**: from when the fault is in force to the last call that was placed before the repair and not diverted. **fault → at once**: to
  the first call answered 302 within 100 ms. **fault → down**: from when a line is out to its verdict; of many lines the median, and
  **slowest down** the longest. **not noticed**: lines that were out and had no verdict before the repair.
- **repair → delivered**: from the moment when the line is reachable, its phone system works and its registration leads to it, to
  the first ringing or answer that a caller gets after that. Where calls go to many lines: to the last call that was still
  diverted, of the slowest line.
- **false verdicts**: changes to down while the line could have answered, and for `_DETECTION_S` before.
- **violations**: what a caller must never see: two final answers, an answer after the diversion, a target of another rule.
- **impossible**: calls that reached a phone while the laboratory says that none could: the fault was not in force.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, NamedTuple

from tests.faults.laboratory.caller import CallRecord
from tests.faults.laboratory.truth import LineTruth, Timeline
from tests.faults.laboratory.wire import TIMER_B_S

AT_ONCE_S = 0.1
"""A 302 that no line was asked for; generous, for a machine that does other work."""
_DETECTION_S = 20.0
"""A verdict that comes so long after a line was able again judges the past: no probe's evidence is older (18 s at the bound)."""
_NEVER_S = 10.0
"""A line among many that was not called later than this after its repair cannot be said to stay away."""
_MOVE_S = 5.0
"""The longest that a laboratory needs to break something."""
_IN_FORCE_S = 0.5
"""The moves of a fault and of its repair are over within; what is on its way at that time may pass."""
_SUCCESS, _REDIRECTION, _REFUSAL = 200, 300, 400
_DECLINED = frozenset({404, 486, 600, 603})
"""Answers of a living phone."""


class Standing(NamedTuple):
    """How a line stands in the eyes of a system under test."""

    health: str
    cause: str
    since: float
    """Seconds since 1970."""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A change that a system under test announced."""

    at: float
    line: str
    health: str
    cause: str = ""
    evidence: str = ""


@dataclass
class Observation:
    """Everything that one system under test did in one run."""

    system: str
    lines: dict[str, LineTruth]
    line_of: Callable[[str], str]
    """Number called → line."""
    target_of: Callable[[str], str]
    """Number called → the target of its rule, as a part of the Contact."""
    records: list[CallRecord] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    up: Timeline = field(default_factory=Timeline)
    """The system's process runs."""
    fault: float = 0.0
    repair: float = 0.0
    end: float = 0.0
    judged: bool = True
    """False: at this loss nobody can say what would have been answered."""
    late_s: float = 0.0
    """How long the laboratory itself stood still at worst."""
    probes: int = 0
    invites: int = 0
    """INVITEs that the system sent to lines, copies included."""
    reached: Mapping[str, float] = field(default_factory=dict)
    """Call-ID → when the first copy came to a phone system, where that is known."""

    def offered_in_fault(self) -> int:
        """Return how many calls were placed while the fault lasted."""
        return sum(self.fault <= record.sent < self.repair for record in self.records)


def outcome(record: CallRecord, seen: Observation, able: Mapping[str, Timeline], delivered: Mapping[str, list[float]]) -> str:
    """Return the one word that a call is counted under."""
    if _SUCCESS <= record.status < _REDIRECTION:
        return "completed"
    if record.diverted:
        return _diverted(record, seen, able, delivered)
    if record.ringing:
        return "rang"
    if record.status in _DECLINED:
        return "declined"
    return "lost" if seen.up.throughout(record.sent, record.final or record.sent + TIMER_B_S) else "open at kill"


def _diverted(record: CallRecord, seen: Observation, able: Mapping[str, Timeline], delivered: Mapping[str, list[float]]) -> str:
    line = seen.line_of(record.number)
    if not seen.judged or not able[line].throughout(record.sent, record.final):
        return "diverted"
    spans = able[line].spans(seen.end)
    begin = max(begin for begin, _ in spans if begin <= record.sent)
    first = next((moment for moment in delivered[line] if moment >= begin), None)
    repaired = begin > spans[0][0]
    return "diverted after repair" if repaired and (first is None or record.sent <= first) else "wrongly diverted"


def _delivered(seen: Observation) -> dict[str, list[float]]:
    """Return for each line the times at which callers heard a phone, in order."""
    moments: dict[str, list[float]] = {line: [] for line in seen.lines}
    for record in seen.records:
        if record.reached_phone:
            moments[seen.line_of(record.number)].append(record.ringing or record.final)
    return {line: sorted(times) for line, times in moments.items()}


@dataclass
class Row:
    """One row of the report. Times in seconds, None where there was nothing to measure."""

    scenario: str
    system: str
    offered: int = 0
    completed: int = 0
    rang: int = 0
    declined: int = 0
    diverted: int = 0
    lost: int = 0
    open_at_kill: int = 0
    wrongly_diverted: int = 0
    diverted_after_repair: int = 0
    first_diverted_s: float | None = None
    slowest_diverted_s: float | None = None
    fault_to_all_s: float | None = None
    fault_to_at_once_s: float | None = None
    fault_to_down_s: float | None = None
    slowest_down_s: float | None = None
    lines_out: int = 0
    """Lines that the fault took out."""
    lines_unnoticed: int = 0
    """Those of them without a verdict down before the repair."""
    calls_while_out: int = 0
    """Calls placed to a line while it was out."""
    impossible: int = 0
    takes_out: bool | None = None
    """Whether the fault has to take a line out; None is not asked."""
    evidence: str = ""
    """What shows that a fault was in force under which calls get through; "" where the calls themselves show it."""
    allowed: int | None = None
    """Calls that the arithmetic of retransmissions allows to be diverted; None where nothing is lost."""
    repair_to_delivered_s: float | None = None
    never_delivered: bool = False
    """A repair after which no call reached the phone until the end of the run."""
    probes: int = 0
    invites: int = 0
    verdict_changes: int = 0
    false_verdicts: int = 0
    violations: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    """Causes of the verdicts down, in order, each once."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Final statuses of the calls that were lost."""
    late_s: float = 0.0
    """The longest that the laboratory itself stood still: callers and phones alike. Figures below it mean nothing."""

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def measure(scenario: str, seen: Observation) -> tuple[Row, list[str]]:
    """Return the row and each call's outcome, in the order of the records."""
    able = {line: truth.able() for line, truth in seen.lines.items()}
    delivered = _delivered(seen)
    outcomes = [outcome(record, seen, able, delivered) for record in seen.records]
    counts = Counter(outcomes)
    row = Row(scenario, seen.system, offered=len(outcomes), probes=seen.probes, invites=seen.invites, late_s=seen.late_s)
    row.completed, row.rang, row.declined = counts["completed"], counts["rang"], counts["declined"]
    row.diverted = counts["diverted"] + counts["wrongly diverted"] + counts["diverted after repair"]
    row.lost, row.open_at_kill = counts["lost"], counts["open at kill"]
    row.wrongly_diverted, row.diverted_after_repair = counts["wrongly diverted"], counts["diverted after repair"]
    row.violations = _violations(seen)
    lost = [record for record, word in zip(seen.records, outcomes, strict=True) if word == "lost"]
    row.statuses = dict(Counter(str(record.status or "none") for record in lost))
    if seen.fault:
        _fault_times(row, seen, able)
        _detection(row, seen, able)
    _in_force(row, seen, able)
    _repair_times(row, seen, able, delivered)
    _verdicts(row, seen, able)
    return row, outcomes


def _violations(seen: Observation) -> list[str]:
    found = [f"{record.call_id}: {text}" for record in seen.records for text in record.violations]
    return found + [
        f"{record.call_id}: {record.number} was diverted to {record.targets[0]}"
        for record in seen.records
        if record.diverted and seen.target_of(record.number) not in record.targets[0]
    ]


def _fault_times(row: Row, seen: Observation, able: Mapping[str, Timeline]) -> None:
    until = seen.repair or seen.end
    during = sorted((record for record in seen.records if seen.fault <= record.sent < until), key=lambda record: record.sent)
    # Where the fault concerns some lines, or a line now and then, the times are those of the calls that it concerns.
    during = [record for record in during if not able[seen.line_of(record.number)].at(record.sent)] or during
    diverted = [record for record in during if record.diverted]
    if not diverted:
        return
    row.first_diverted_s = diverted[0].delay_s
    row.slowest_diverted_s = max(record.delay_s for record in diverted)
    at_once = next((record for record in diverted if record.delay_s <= AT_ONCE_S), None)
    row.fault_to_at_once_s = at_once.sent - seen.fault if at_once else None
    # A call that the phone system got after the repair waited for it; that was no failure to divert.
    others = [r.sent for r in during if not r.diverted and not (r.reached_phone and (r.ringing or r.final) >= until)]
    row.fault_to_all_s = max(others) - seen.fault if others else 0.0


def _repair_times(row: Row, seen: Observation, able: Mapping[str, Timeline], delivered: Mapping[str, list[float]]) -> None:
    """The longest time from being able again to the first delivery, over all repairs of all lines that are called."""
    called = {seen.line_of(record.number) for record in seen.records}
    waits: list[float] = []
    for line in called:
        for begin, end in able[line].spans(seen.end)[1:]:
            tried = [r for r in seen.records if begin <= r.sent < end and seen.line_of(r.number) == line]
            first = next((moment for moment in delivered[line] if begin <= moment <= end), None)
            if len(called) > 1:
                # Each of many lines is called now and then: up to its last diverted call it was not back, what follows is waiting for
                # a call.
                waits.append(max((r.sent - begin for r in tried if r.diverted and r.sent <= (first or end)), default=0.0))
                row.never_delivered = row.never_delivered or (first is None and waits[-1] > _NEVER_S)
            elif first is None:
                row.never_delivered = row.never_delivered or bool(tried)
            else:
                waits.append(first - begin)
    row.repair_to_delivered_s = max(waits, default=None)


def _detection(row: Row, seen: Observation, able: Mapping[str, Timeline]) -> None:
    """From the moment each line was out to its verdict."""
    until = seen.repair or seen.end
    times = []
    for line, timeline in able.items():
        spans = timeline.spans(seen.end)
        # The fault is in force a little after its first move, from which on a line counts as unable.
        out = next((end for _, end in spans if seen.fault - _MOVE_S <= end < until), None)
        if out is None:
            continue
        row.lines_out += 1
        zero = max(out, seen.fault)
        downs = (v.at - zero for v in seen.verdicts if v.line == line and v.health == "down" and zero <= v.at <= until)
        times.append(next(downs, None))
    noticed = [time for time in times if time is not None]
    row.lines_unnoticed = len(times) - len(noticed)
    # The median of all lines is known once more than half of them have a verdict.
    if 2 * len(noticed) > len(times):
        row.fault_to_down_s = median(sorted(noticed) + [max(noticed)] * row.lines_unnoticed)
    row.slowest_down_s = max(noticed) if noticed and not row.lines_unnoticed else None


def _in_force(row: Row, seen: Observation, able: Mapping[str, Timeline]) -> None:
    """Count the calls that show whether lines that were said to be out were out."""
    spans = {line: timeline.spans(seen.end) for line, timeline in able.items()}
    out = {
        line: [(end, following) for (_, end), (following, _) in zip(able_, [*able_[1:], (seen.end, 0.0)], strict=True)]
        for line, able_ in spans.items()
    }
    for record in seen.records:
        until = next(
            (until for since, until in out[seen.line_of(record.number)] if since + _IN_FORCE_S <= record.sent < until), None
        )
        if until is not None:
            row.calls_while_out += 1
            row.impossible += record.reached_phone and (record.ringing or record.final) < until - _IN_FORCE_S


def _verdicts(row: Row, seen: Observation, able: Mapping[str, Timeline]) -> None:
    row.verdict_changes = len(seen.verdicts)
    downs = [verdict for verdict in seen.verdicts if verdict.health == "down"]
    row.causes = list(dict.fromkeys(verdict.cause for verdict in downs if verdict.cause))
    if seen.judged:
        row.false_verdicts = sum(
            able[verdict.line].throughout(verdict.at - _DETECTION_S, verdict.at)
            or (able[verdict.line].at(verdict.at) and _always(able[verdict.line], verdict.at))
            for verdict in downs
            if verdict.line in able
        )


def _always(able: Timeline, until: float) -> bool:
    """Say whether a line was able from its first moment up to ``until``."""
    return all(value for moment, value in able.changes if moment <= until)


def worst(rows: Sequence[Row]) -> dict[str, int]:
    """Return the sums that must be 0."""
    return {
        "lost": sum(row.lost for row in rows),
        "wrongly diverted": sum(row.wrongly_diverted for row in rows),
        "false verdicts": sum(row.false_verdicts for row in rows),
        "violations": sum(len(row.violations) for row in rows),
    }
