"""``python -m benchmarks.rule_times [RULES]``: what rules with weekly times cost the compiler in a day.

The rules of a generated carrier (`benchmarks.carrier`), nine in ten with one of 240 weekly times, closed on public holidays. A Tuesday is
gone through from boundary to boundary, as the service does. CPU time of this process, the engine apart.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from benchmarks.carrier import Carrier
from routing.compile import Compiler
from routing.model import Diversion, Entity, Period, Target, Weekday

TUESDAY = datetime(2026, 11, 24, tzinfo=UTC)
_WORK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
_NIGHT = (Target(number="+491713920099"),)

T = TypeVar("T")


@dataclass(slots=True)
class Day:
    """What a day came to; times in CPU seconds."""

    rules: int
    load_s: float
    boundaries: int = 0
    changed: int = 0
    """Rules that the engine is told of again."""
    advance_s: float = 0.0
    worst_s: float = 0.0
    """Of one boundary."""

    def sentence(self) -> str:
        """Return the day in one sentence."""
        each = self.advance_s / max(self.changed, 1) * 1e6
        return (
            f"{self.rules} rules: load {self.load_s:.2f} s; {self.boundaries} boundaries in a day change {self.changed} rules in "
            f"{self.advance_s:.2f} s, {each:.1f} µs each, the worst boundary {self.worst_s * 1e3:.0f} ms"
        )


def timed(carrier: Carrier) -> Iterator[Entity]:
    """Yield the carrier's entities, its rules with times."""
    shapes = [
        Period(
            days=_WORK,
            start=f"{17 + n % 6}:{n % 12 * 5:02}",
            end=f"{6 + n % 4:02}:{n % 10 * 6:02}",
            holidays="except",
            targets=_NIGHT,
        )
        for n in range(240)
    ]
    for index, entity in enumerate(carrier.entities()):
        if isinstance(entity, Diversion) and index % 10:
            yield entity.model_copy(update={"periods": (shapes[index % len(shapes)],)})
        else:
            yield entity


def run(carrier: Carrier) -> Day:
    """Go through a Tuesday."""
    compiler = Compiler()
    entities = list(timed(carrier))
    load_s, _ = _cpu(lambda: list(compiler.load(entities, TUESDAY)))
    # What the first collection of what was loaded costs is not the times' doing.
    gc.collect()
    day = Day(carrier.rules, load_s)
    at: datetime | None = TUESDAY
    while (at := compiler.next_change_at(at)) is not None and at < TUESDAY + timedelta(days=1):
        now = at
        spent, deltas = _cpu(lambda now=now: compiler.advance(now))  # type: ignore[misc] # bound now
        day.boundaries += 1
        day.changed += sum(len(delta.get("rules", ())) for delta in deltas)
        day.advance_s += spent
        day.worst_s = max(day.worst_s, spent)
    return day


def _cpu(work: Callable[[], T]) -> tuple[float, T]:
    began = time.process_time()
    done = work()
    return time.process_time() - began, done


if __name__ == "__main__":
    rules = int(sys.argv[1]) if len(sys.argv) > 1 else Carrier().rules
    print(run(replace(Carrier(), rules=rules)).sentence())
