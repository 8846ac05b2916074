"""Counts of a line's calls, gathered until they are worth an event.

A busy line is counted every few seconds; one event each time would bury its history. Counts of calls that simply went well
wait some minutes, those with a diversion or a failure some seconds, and what happens to the line takes them along.
"""

from collections.abc import Iterator, Mapping

from registrar_watch.going import COUNTED

QUIET_MS = 300_000
NOTED_MS = 10_000
_NOTED = ("diverted", "rescued", "failed")


class CallSums:
    """Sums per line. Times must not fall by much: the oldest are looked at first."""

    def __init__(self) -> None:
        self._quiet: dict[str, tuple[int, dict[str, int]]] = {}
        self._noted: dict[str, tuple[int, dict[str, int]]] = {}

    def add(self, line: str, from_unix_ms: int, counts: Mapping[str, int]) -> None:
        """Add what was counted from a time on."""
        began, held = self.take(line) or (from_unix_ms, dict.fromkeys(COUNTED, 0))
        for name in COUNTED:
            held[name] += counts.get(name, 0)
        sums = self._noted if any(held[name] for name in _NOTED) else self._quiet
        sums[line] = (began, held)

    def take(self, line: str) -> tuple[int, dict[str, int]] | None:
        """Take a line's sum out: since when, and the counts."""
        return self._noted.pop(line, None) or self._quiet.pop(line, None)

    def due(self, now_unix_ms: int) -> Iterator[tuple[str, int, dict[str, int]]]:
        """Take out what has waited long enough: line, since when, counts."""
        for sums, patience_ms in ((self._noted, NOTED_MS), (self._quiet, QUIET_MS)):
            lines = [line for line, (began, _) in sums.items() if now_unix_ms - began >= patience_ms]
            for line in lines:
                began, counts = sums.pop(line)
                yield line, began, counts
