"""From what happens to events for the store: registrations, verdicts, diversions, drills, wishes, freezes, calls.

Rules: an event is told once, with its evidence, when it is known. A diversion *begins* when a line for which a rule is armed gets
no calls any more (observed down, or the operator took it out) and *ends* when that is over; single calls that were rescued
from a line that is not down are calls, no diversion. What was told of a line last is kept with the events (`registrar_watch.going`);
a start compares it with what is, and tells the difference: a drill that ran out meanwhile ended at its instant, a
diversion that goes on begins no second time.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import structlog

from registrar_watch.call_sums import CallSums
from registrar_watch.going import COUNTED, Diversion, Going, LineBook, WishState
from registrar_watch.outbox import Flag, Outbox, Record, now_ms
from routing.wishes import out

if TYPE_CHECKING:
    from sipproxy._engine import BindingRow, CallsEvent, DivertedEvent, VerdictRow

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """The last verdict of a line that is not up."""

    health: str
    cause: str
    place: str
    evidence: str
    since_unix_ms: int


_UP = Seen("up", "", "", "", 0)
_CALL = frozenset({"number", "target", "how", "cause", "drill"})


class History:
    """Tells events to the outbox. Synchronous and quick; one thread."""

    def __init__(self, lines: LineBook, outbox: Outbox, clock: Callable[[], int] = now_ms) -> None:
        self._lines = lines
        self._outbox = outbox
        self._clock = clock
        self._seen: dict[str, Seen] = {}
        self._going: dict[str, Going] = {}
        self._sums = CallSums()
        self._unchecked: dict[str, int] = {}
        self._judged: set[str] = set()
        self._ready = False

    # -- what the engine tells ------------------------------------------------------------------------------------------

    def registration(self, line: str, change: str, row: "BindingRow", at: int) -> None:
        """A contact came or went; refreshes are no event."""
        _, contact, received, expires, _, _, _, agent, user = row
        facts = {"change": change, "user": user, "contact": contact, "received": received, "expires_unix_ms": expires}
        self._tell("registration", line, at, {**facts, "user_agent": agent})

    def verdict(self, line: str, previous: str, row: "VerdictRow", at: int, **more: Any) -> None:
        """A line's health changed."""
        seen = _seen(row)
        facts = {"previous": previous, **asdict(seen), **more}
        self._tell("verdict", line, at, facts)
        self._note(line, seen)
        if not self._ready:
            self._judged.add(line)
        self._check(line, at)

    def read_again(self, line: str, row: "VerdictRow") -> None:
        """Events were lost and this is the present verdict: tell what was missed."""
        before = self._seen.get(line, _UP).health
        if row["health"] not in {before, "unknown"}:
            self.verdict(line, before, row, self._clock(), read_again=True)

    def diverted(self, line: str, event: "DivertedEvent") -> None:
        """One call was diverted; the numbers are masked or the customer's own targets."""
        going = self._going.get(line)
        if going is not None and going.diversion is not None:
            going.diversion.told += 1
        facts = {key: value for key, value in event.items() if key in _CALL}
        facts["rule"] = self._lines.rule_id(event["rule"]) or ""
        self._tell("diverted", line, event["at_unix_ms"], facts, flag="d")

    def calls(self, line: str, event: "CallsEvent") -> None:
        """What became of a line's calls since the last time."""
        counts = {name: int(event[name]) for name in COUNTED}  # type: ignore[literal-required]
        at = event["at_unix_ms"]
        self._sums.add(line, at - event["interval_ms"], counts)
        going = self._going.get(line)
        if going is None:
            return
        if going.diversion is not None:
            going.diversion.add(counts)
        delivered = counts["completed"] + counts["declined"]
        if going.returning and delivered and at > going.ended_unix_ms:
            after, ended = going.returning, going.ended_unix_ms
            going.returning = ""
            facts = {"after": after, "ended_unix_ms": ended, "delivered": delivered}
            self._tell("returned", line, at, facts, going)
            self._tidy(line, going)

    def lost(self, count: int) -> None:
        """The engine's queue overflowed; what it has is read again."""
        why = "the control plane did not keep up; everything was read again"
        self._tell("lost", "", self._clock(), {"count": count, "why": why})

    def note(self, kind: str, facts: Mapping[str, Any], *, line: str = "", at_unix_ms: int | None = None) -> None:
        """Tell something else: a freeze, a site, a start. ``line`` "" is the service itself."""
        self._tell(kind, line, self._clock() if at_unix_ms is None else at_unix_ms, facts)

    # -- what the rules tell ----------------------------------------------------------------------------------------------

    def changed(self, lines: Iterable[str] | None = None) -> None:
        """Wishes or rules of these lines may have changed; None: of any line."""
        at = self._clock()
        if lines is None:
            lines = {*self._seen, *self._going, *(self._lines.wished_lines() if self._lines.is_settled() else ())}
        for line in lines:
            self._check(line, at)

    def removed(self, lines: Iterable[str]) -> None:
        """Lines are no more."""
        for line in lines:
            self._seen.pop(line, None)
            self._check(line, self._clock())

    # -- start, tick, stop ------------------------------------------------------------------------------------------------

    def restored(self, verdicts: Iterable[tuple[str, "VerdictRow"]]) -> list[tuple[str, "VerdictRow"]]:
        """These verdicts hold from before the start, but where others were told since then; return those that hold."""
        held = [(line, row) for line, row in verdicts if line not in self._judged]
        for line, row in held:
            self._note(line, _seen(row))
        return held

    def open(self, states: Mapping[str, Record]) -> None:
        """Take what was told last and compare it with what is. Until then only single events are told."""
        for line, state in states.items():
            self._going[line] = Going.of(state)
        self._ready = True
        self._judged = set()
        at = self._clock()
        waiting = {*self._unchecked, *self._going, *self._seen}
        self._unchecked = dict.fromkeys([*waiting, *self._lines.wished_lines()], at)

    def tick(self) -> None:
        """Look at what had to wait: once a second or so."""
        if self._ready and self._unchecked and self._lines.is_settled():
            waiting, self._unchecked = self._unchecked, {}
            for line, at in waiting.items():
                self._check(line, at)
        for line, began, counts in self._sums.due(self._clock()):
            self._tell_calls(line, began, counts)

    def close(self) -> None:
        """Tell the counts that are still waiting."""
        for line, began, counts in self._sums.due(self._clock() + 10**12):
            self._tell_calls(line, began, counts)

    def going_on(self, line: str) -> Going:
        """Return what is going on at a line."""
        return self._going.get(line, Going())

    # -- the check ----------------------------------------------------------------------------------------------------------

    def _check(self, line: str, at: int) -> None:
        """Compare what was told of a line with what is, and tell the difference."""
        if not self._ready or not self._lines.is_settled():
            self._unchecked.setdefault(line, at)
            return
        wish, seen = self._lines.wish_of(line), self._seen.get(line, _UP)
        is_out = out(wish.wish, seen.health)
        known = self._going.get(line)
        if known is None and not is_out and wish.wish == "enabled":
            return
        going = known or Going()
        self._going[line] = going
        began_by_wish = wish if wish.wish != "enabled" else going.wish
        if wish != going.wish and not (wish.wish == going.wish.wish == "enabled"):
            self._wish(line, going, wish, at)
        armed = is_out and self._lines.is_armed(line)
        if armed and going.diversion is not None and going.diversion.wish != wish.wish:
            was_drill = going.diversion.wish == "drill"
            self._ended(line, going, at, "the drill is over" if was_drill else "the operator's wish has changed")
        if armed and going.diversion is None:
            self._began(line, going, seen, wish, at)
        elif not armed and going.diversion is not None:
            gone = not self._lines.order_of(line)
            why = _why(is_out, began_by_wish, seen, self._lines.rests(line))
            self._ended(line, going, at, "the line was removed" if gone else why)
        self._tidy(line, going)

    def _wish(self, line: str, going: Going, wish: WishState, at: int) -> None:
        old, going.wish = going.wish, wish
        by_itself = old.until_unix_ms is not None and old.until_unix_ms <= self._clock() and wish.wish == "enabled"
        if by_itself and old.until_unix_ms is not None:
            at = old.until_unix_ms
        facts = {"by": wish.by, "note": wish.note, "until_unix_ms": wish.until_unix_ms}
        if old.wish == "drill" and wish.wish != "drill":
            ended = {"by": wish.by, "note": old.note, "began_by": old.by, "by_itself": by_itself}
            diverted = going.diversion.diverted if going.diversion is not None else 0
            self._tell("drill", line, at, {"change": "ended", "diverted": diverted, **ended}, going)
            if wish.wish == "enabled":
                return
        if wish.wish == "drill":
            held = self._lines.coverage_of(line)
            change = "prolonged" if old.wish == "drill" else "began"
            shown = {"armed": list(held.armed), "unarmed": list(held.unarmed), "unarmed_count": held.unarmed_count}
            self._tell("drill", line, at, {"change": change, **facts, **shown}, going)
            return
        self._tell("wish", line, at, {"wish": wish.wish, "previous": old.wish, "by_itself": by_itself, **facts}, going)

    def _began(self, line: str, going: Going, seen: Seen, wish: WishState, at: int) -> None:
        self._flush_calls(line)
        by_wish = wish.wish != "enabled"
        cause = wish.wish if by_wish else seen.cause
        going.diversion = Diversion(at, cause, wish.wish)
        going.returning = ""
        observed = {} if by_wish else {"place": seen.place, "evidence": seen.evidence, "since_unix_ms": seen.since_unix_ms}
        self._tell("diversion", line, at, {"change": "began", "cause": cause, "wish": wish.wish, **observed}, going)
        _log.info("diversion began", line=line, cause=cause)

    def _ended(self, line: str, going: Going, at: int, why: str) -> None:
        held = going.diversion
        if held is None:
            return
        self._flush_calls(line)
        going.diversion = None
        if self._lines.order_of(line):
            going.returning, going.ended_unix_ms = "drill" if held.wish == "drill" else "fault", at
        facts = {
            "change": "ended",
            "why": why,
            "cause": held.cause,
            "wish": held.wish,
            "began_unix_ms": held.began_unix_ms,
            "duration_ms": max(at - held.began_unix_ms, 0),
            "diverted": held.diverted,
            "counts": held.counts,
        }
        self._tell("diversion", line, at, facts, going)
        _log.info("diversion ended", line=line, why=why, diverted=held.diverted)

    # -- telling --------------------------------------------------------------------------------------------------------------

    def _note(self, line: str, seen: Seen) -> None:
        if seen.health == "up":
            self._seen.pop(line, None)
        else:
            self._seen[line] = seen

    def _flush_calls(self, line: str) -> None:
        held = self._sums.take(line)
        if held is not None:
            self._tell_calls(line, *held)

    def _tell_calls(self, line: str, began: int, counts: dict[str, int]) -> None:
        going = self._going.get(line)
        self._tell("calls", line, self._clock(), {"from_unix_ms": began, "counts": counts}, going, flag="c")

    def _tidy(self, line: str, going: Going) -> None:
        if not going.record():
            self._going.pop(line, None)

    def _tell(
        self, kind: str, line: str, at: int, facts: Mapping[str, Any], going: Going | None = None, *, flag: Flag = "e"
    ) -> None:
        record: Record = {"kind": kind, "line": line, "at_unix_ms": at, **facts}
        if line:
            record["order"] = self._lines.order_of(line)
        self._outbox.put(record, flag=flag, state=None if going is None else going.record() or "")


def _seen(row: "VerdictRow") -> Seen:
    return Seen(row["health"], row["cause"], row["place"], row["evidence"], row["since_unix_ms"])


def _why(is_out: bool, wish: WishState, seen: Seen, rests: str) -> str:  # noqa: FBT001 - a fact among facts
    if is_out:
        return f"its rules rest: {rests}" if rests else "no rule is armed any more"
    if wish.wish != "enabled":
        return "the drill is over" if wish.wish == "drill" else "the operator wants the line to get its calls"
    return "the line is back" if seen.health == "up" else f"the line is {seen.health}, calls are tried there again"
