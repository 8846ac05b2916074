"""From the engine's events to the log, the store's live state and the history."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from registrar_watch.history import History
from registrar_watch.keep import Keeper
from registrar_watch.names import BindingKey, LineNames, binding_key

if TYPE_CHECKING:
    from sipproxy._engine import (
        BindingEvent,
        BindingRow,
        CallsEvent,
        DivertedEvent,
        Event,
        GuardEvent,
        LostEvent,
        VerdictEvent,
        VerdictRow,
    )

_log = structlog.get_logger(__name__)
_GONE = frozenset({"removed", "replaced", "expired"})
_LEVELS = {"up": "info", "unknown": "info", "suspect": "info", "down": "warning"}


class RegistrarWatch:
    """Handles batches of events. Synchronous and quick: saving is the keepers' work."""

    def __init__(
        self,
        names: LineNames,
        bindings: "Keeper[BindingKey, BindingRow]",
        verdicts: "Keeper[str, VerdictRow]",
        history: History,
        on_lost: Callable[[], None],
    ) -> None:
        """``on_lost`` is called when events were dropped: what the engine has must be read again."""
        self._names = names
        self._bindings = bindings
        self._verdicts = verdicts
        self._history = history
        self._on_lost = on_lost
        self.events = 0
        self.lost = 0
        self.on_verdict: Callable[[str, VerdictRow, int], None] = lambda _line, _row, _at: None
        self.on_calls: Callable[[str, CallsEvent], None] = lambda _line, _event: None
        """Told what became of a line's calls."""
        self.nameless = 0
        """Events of lines that no longer have a name."""
        self._handlers: Mapping[str, Callable[[Any], None]] = {
            "binding": self._binding,
            "verdict": self._verdict,
            "diverted": self._diverted,
            "calls": self._calls,
            "guard": self._guard,
            "lost": self._lost,
        }

    def handle(self, events: "Iterable[Event]") -> None:
        """Take a batch in order."""
        for event in events:
            self.events += 1
            handler = self._handlers.get(event["kind"])
            if handler is None:
                continue
            try:
                handler(event)
            except Exception:  # noqa: BLE001 - a defect costs neither the other events nor what the store is to know
                _log.exception("event not handled, reading everything again", kind=event["kind"])
                self._on_lost()

    def _lost(self, event: "LostEvent") -> None:
        self.lost += event["count"]
        _log.warning("events lost, reading everything again", count=event["count"])
        self._history.lost(event["count"])
        self._on_lost()

    def _diverted(self, event: "DivertedEvent") -> None:
        line = self._names.line_id(event["line"])
        if line is None:
            self.nameless += 1
            return
        self._history.diverted(line, event)

    def _calls(self, event: "CallsEvent") -> None:
        line = self._names.line_id(event["line"])
        if line is None:
            self.nameless += 1
            return
        self._history.calls(line, event)
        self.on_calls(line, event)

    def _guard(self, event: "GuardEvent") -> None:
        row = event["guard"]
        groups = [f"{group['group']} {group['troubled']}/{group['lines']}" for group in row["groups"]]
        facts = {"why": row["why"], "by": row["by"], "held": row["held"], "troubled": row["troubled"], "lines": row["lines"]}
        if row["change"] == "frozen":
            _log.error("falls are held back: many lines at once, so the fault may be ours", **facts, groups=groups)
        else:
            _log.warning("falls are no longer held back", **facts, groups=groups)
        self._history.note("guard", row, at_unix_ms=event["at_unix_ms"])

    def _binding(self, event: "BindingEvent") -> None:
        row = event["binding"]
        line = self._names.line_id(row[0])
        if line is None:
            self.nameless += 1
            return
        gone = event["change"] in _GONE
        self._bindings.put(binding_key(line, row), None if gone else row, event["seq"])
        if event["change"] != "refreshed":
            self._history.registration(line, event["change"], row, event["at_unix_ms"])
            _log.info(f"binding {event['change']}", line=line, received=row[2], user_agent=row[7])

    def _verdict(self, event: "VerdictEvent") -> None:
        verdict = event["verdict"]
        line = self._names.line_id(verdict["line"])
        if line is None:
            self.nameless += 1
            return
        self._verdicts.put(line, verdict, event["seq"])
        self.on_verdict(line, verdict, event["at_unix_ms"])
        health = verdict["health"]
        write = getattr(_log, _LEVELS[health])
        write(
            f"line {health}",
            line=line,
            previous=event["previous"],
            cause=verdict["cause"],
            evidence=verdict["evidence"],
        )
        self._history.verdict(line, event["previous"], verdict, event["at_unix_ms"])
