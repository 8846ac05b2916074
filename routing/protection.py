"""How much of an order is protected: whose callers would be sent to a target in a fault, whose would not, and when.

Every stretch of numbers that the rules tell apart is one question to the engine (`routing.stretches`, `Simulator.survey`), so counts
are exact and a block of 100,000 extensions costs a few questions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from routing.faults import FaultName
from routing.gaps import Gap, gap_of
from routing.local_time import local_day, midnight
from routing.numbers import pretty
from routing.simulator import Simulator
from routing.spans import Span, joined
from routing.stays import stays, told
from routing.stretches import Stretch, stretches
from routing.week import DAYS, Week, week_of

if TYPE_CHECKING:
    from sipproxy._engine import SurveyRow

MAX_EDGES = 200
"""Instants within the week at which something changes; with more of them the rest of the week is not looked at."""
MAX_QUESTIONS = 1_000_000
"""Questions to the engine about the week of one order, in all; beyond them the rest is not looked at: some ten seconds of work."""


@dataclass(frozen=True, slots=True)
class Group:
    """Numbers that get the same for the same reason."""

    protected: bool
    gap: Gap | None
    """Why not."""
    rule: str
    """The rule by which they are protected; ""."""
    says: str
    """That rule for people, with its first target."""
    count: int
    spans: tuple[Span, ...]
    more: int
    """Spans that are not listed."""


@dataclass(frozen=True, slots=True)
class Protection:
    """The report on one order."""

    order: str
    customer: str
    product: str
    site: str
    address: str
    at: datetime
    fault: FaultName
    counted: int
    protected: int
    groups: tuple[Group, ...]
    """Gaps first, the largest first."""
    open_blocks: tuple[str, ...]
    """Bases of blocks that hold any extension, of which only what is named is counted."""
    later: tuple[str, ...]
    """Numbers and blocks that come or go later, a sentence each."""
    week: Week | None


class _Asked(NamedTuple):
    stretch: Stretch
    row: "SurveyRow"

    @property
    def protected(self) -> bool:
        return bool(self.row[6])


def protection(simulator: Simulator, order: str, fault: FaultName, *, week: bool = True) -> Protection:
    """Report on an order at the simulator's instant. Raises `KeyError` if it is not there."""
    directory = simulator.compiler.directory
    registry = directory.registry
    held, now = registry.orders[order], registry.now
    asked = _asked(simulator, order, fault)
    groups = list(_groups(simulator, order, asked))
    dated = [item for item in registry.dated.of.values() if any(stay.order == order for stay in stays(item))]
    later = [told(item) for item in dated if any(end is not None and end > now for stay in stays(item) for end in stay[2:])]
    open_blocks = [registry.blocks[key].base for key in registry.blocks_of.get(order, ()) if not registry.blocks[key].ranges]
    seen = _week(simulator, order, fault, asked) if week else None
    return Protection(
        order=order,
        customer=held.customer,
        product=held.product,
        site=held.site.id,
        address=held.site.address,
        at=now,
        fault=fault,
        counted=sum(item.stretch.counted for item in asked),
        protected=sum(item.stretch.counted for item in asked if item.protected),
        groups=tuple(
            sorted(groups, key=lambda group: (group.protected, -group.count, group.gap.text if group.gap else group.rule))
        ),
        open_blocks=tuple(sorted(open_blocks)),
        later=tuple(sorted(later)),
        week=seen,
    )


def _asked(simulator: Simulator, order: str, fault: FaultName) -> list[_Asked]:
    parts = stretches(simulator.compiler.directory, order)
    rows = simulator.survey([part.example for part in parts], fault)
    return [_Asked(part, row) for part, row in zip(parts, rows, strict=True)]


def _groups(simulator: Simulator, order: str, asked: list[_Asked]) -> Iterator[Group]:
    kinds: dict[tuple[object, ...], list[_Asked]] = {}
    for item in asked:
        decision, _, reason, line, slot, in_force, _, left_out = item.row
        alike: tuple[object, ...] = (True, slot)
        if not item.protected:
            alike = (False, decision, reason, line, slot, in_force, left_out, *_rules_of(simulator, item.stretch))
        kinds.setdefault(alike, []).append(item)
    merged: dict[tuple[bool, str, str], tuple[Gap | None, str, list[Stretch]]] = {}
    for held in kinds.values():
        example = held[0]
        rule = simulator.compiler.rule_id(example.row[4]) or "" if example.protected else ""
        gap = None if example.protected else gap_of(simulator.compiler, order, example.stretch.example, example.row)
        key = (example.protected, rule, gap.text if gap is not None else "")
        merged.setdefault(key, (gap, rule, []))[2].extend(item.stretch for item in held)
    for (protected, rule, _), (gap, _, found) in merged.items():
        spans, more = joined(found)
        says = _says(simulator, rule) if protected else ""
        yield Group(protected, gap, rule, says, sum(item.counted for item in found), spans, more)


def _rules_of(simulator: Simulator, item: Stretch) -> tuple[object, ...]:
    """Return what tells the rules for a stretch from those for another one."""
    directory = simulator.compiler.directory
    digits = str(item.low)
    place = directory.place(digits)
    return place.part if place is not None else None, *sorted(directory.registry.number_rules.get(digits, ()))


def _says(simulator: Simulator, rule: str) -> str:
    directory = simulator.compiler.directory
    diversion = directory.registry.diversions[rule]
    held = directory.standings.get(rule, diversion)
    first = (*held.targets, *held.phone_system_targets)[0]
    more = len(held.targets) - 1
    to = pretty(first.number) + ("-…" if first.keep_extension else "") + (f" and {more} more" if more > 0 else "")
    names = {
        "number": "rule for the number",
        "range": "rule for the range",
        "block": "rule for the block",
        "order": "rule for the order",
    }
    return f"{names[diversion.scope.kind]} → {to}"


def _week(simulator: Simulator, order: str, fault: FaultName, present: list[_Asked]) -> Week:
    """Look at each instant of seven days at which something changes; the simulator stands where it stood afterwards."""
    now = simulator.compiler.now
    start, end = midnight(local_day(now)), midnight(local_day(now) + timedelta(days=DAYS))
    edges = [start]
    layers: list[list[Stretch]] = []
    questions = 0
    while edges[-1] < end and len(layers) < MAX_EDGES and questions < MAX_QUESTIONS:
        simulator.move(edges[-1])
        asked = _asked(simulator, order, fault)
        questions += len(asked)
        layers.append([item.stretch for item in asked if item.protected])
        following = simulator.compiler.next_change_at(edges[-1])
        edges.append(end if following is None else min(following, end))
    simulator.move(now)
    return week_of([item.stretch for item in present], layers, edges)
