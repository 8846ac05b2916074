"""What was really so, beside what a system under test believed: when a line could be reached, and when it could have answered.

A line *can be reached* while its path passes packets both ways; it *can answer* while its phone system would answer an INVITE;
it *is registered* while the registrar's binding leads to it (static lines always are). A call could have been answered in an
interval when all three held throughout.
"""

import time
from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass
class Timeline:
    """A condition over time: changes in order, each holding from its moment on."""

    changes: list[tuple[float, bool]] = field(default_factory=list)

    def set(self, value: bool, at: float = 0.0) -> None:  # noqa: FBT001
        """Note that the condition is ``value`` from now (or ``at``) on; repeating a value changes nothing."""
        if value != (bool(self.changes) and self.changes[-1][1]):
            self.changes.append((at or time.time(), value))

    def begin(self, at: float = 0.0) -> None:
        """Note that the condition holds from now (or ``at``) on."""
        self.set(True, at)  # noqa: FBT003

    def end(self) -> None:
        """Note that it holds no more."""
        self.set(False)

    def at(self, moment: float) -> bool:
        """Return the value at a moment; before the first change it is False."""
        index = bisect_right(self.changes, moment, key=lambda change: change[0])
        return index > 0 and self.changes[index - 1][1]

    def throughout(self, begin: float, end: float) -> bool:
        """Say whether the condition held during the whole interval."""
        return self.at(begin) and all(value for moment, value in self.changes if begin < moment <= end)

    def spans(self, end: float) -> list[tuple[float, float]]:
        """Return the intervals in which it held, up to ``end``."""
        spans, begin = [], None
        for moment, value in self.changes:
            if value and begin is None:
                begin = moment
            elif not value and begin is not None:
                spans.append((begin, moment))
                begin = None
        if begin is not None and begin < end:
            spans.append((begin, end))
        return spans


def together(*timelines: Timeline) -> Timeline:
    """Return when all of them held."""
    result = Timeline()
    for moment in sorted({moment for timeline in timelines for moment, _ in timeline.changes}):
        result.set(all(timeline.at(moment) for timeline in timelines), moment)
    return result


@dataclass
class LineTruth:
    """The three conditions of a line."""

    path: Timeline = field(default_factory=Timeline)
    phone: Timeline = field(default_factory=Timeline)
    registered: Timeline = field(default_factory=Timeline)

    def able(self) -> Timeline:
        """Return when a call could have been answered."""
        return together(self.path, self.phone, self.registered)
