"""From entities to the engine's table: slots, the full table in pages, and small deltas for every change.

The compiler keeps what the engine was told. A change marks what depends on it, by the indices of `routing.registry`; what is
marked is worked out again and compared with what was told, and the difference is the delta. So a delta never says what the
engine knows already, and the deltas added up equal a fresh compilation. See docs/routing.md.
"""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from routing.calendar import Calendar, order_span, wish_span
from routing.directory import Directory, Judged, Place, Problem
from routing.foreign import ForeignRegistrar, watch_line
from routing.instants import Instants
from routing.marks import Marks, mark, mark_rule
from routing.model import Diversion, Entity, Wish
from routing.names import peer_names
from routing.numbers import MAX_DIGITS
from routing.overrides import MAX_DERIVED, Changes, Derived, checked
from routing.precedence import Considered, choose, consider
from routing.profiles import PROFILES
from routing.rejection import Fault, fault
from routing.slots import Slots
from routing.specs import line_spec, rule_spec
from routing.target_policy import NATIONAL, CarrierPolicy

if TYPE_CHECKING:
    from sipproxy._engine import Delta, LineSpec, RuleSpec

PAGE = 50_000
"""Entries per delta: some tens of milliseconds of work for the engine."""

NOT_LIVE = 1
"""``sipproxy._engine.NOT_LIVE``; a test holds the two together, so that the domain runs without the extension."""

Change = tuple[str, str, Entity | None]
"""(kind, id, entity), or None instead of the entity when it was removed."""

Route = tuple[int, int, int]
"""(line slot, rule slot or -1, flags)."""
Window = tuple[int, int, int, int, int]
"""(min_len, max_len, line slot, rule slot or -1, flags)."""

__all__ = ["NOT_LIVE", "PAGE", "Change", "Compiler", "Considered", "Problem"]


class Compiler:
    """Holds the entities in a compact form and what the engine was told. Not thread-safe."""

    def __init__(
        self,
        profiles: Iterable[str] | None = None,
        registrars: Iterable[ForeignRegistrar] = (),
        carrier: CarrierPolicy = NATIONAL,
    ) -> None:
        """``profiles``: the names that the engine knows; default `routing.profiles.PROFILES`. ``registrars``: those of others.

        ``carrier``: what may be a target for its customers.
        """
        self._registrars = {registrar.name: registrar for registrar in registrars}
        self.directory = Directory(carrier)
        self._profiles = frozenset(PROFILES if profiles is None else profiles)
        self._line_slots = Slots()
        self._rule_slots = Slots()
        self._calendar = Calendar()
        self._wishes = Calendar()
        self._periods: Instants[str] = Instants()  # rules, by when their periods change something
        self._settled: dict[str, Judged | None] = {}  # rules that were just judged, in a load
        self._derived = Derived()
        self._names: dict[str, tuple[str, ...]] = {}
        self._named: dict[str, set[str]] = {}  # host name → lines with a peer of it
        self._names_in: dict[str, set[str]] = {}  # the other way round
        self._lines: dict[str, LineSpec] = {}
        self._rules: dict[str, RuleSpec] = {}
        self._exact: dict[str, Route] = {}
        self._windows: dict[str, Window] = {}
        self._routes: dict[Place, Route] = {}  # within one pass

    # -- input --------------------------------------------------------------------------------------------------------

    def load(self, entities: Iterable[Entity], now: datetime) -> Iterator["Delta"]:
        """Take the full set in place of what was held; yield what turns the old table (at first empty) into the new one.

        The work is done at once, the pages are built as they are taken. A million numbers take some seconds.
        """
        collecting = gc.isenabled()
        # Nothing of what is built here is garbage; looking for some takes longer than the building.
        gc.disable()
        try:
            return self._load(entities, now)
        finally:
            if collecting:
                gc.enable()

    def _load(self, entities: Iterable[Entity], now: datetime) -> Iterator["Delta"]:
        braked = self.directory.braked
        self.directory = Directory(self.directory.carrier)
        self.directory.braked = braked
        registry = self.directory.registry
        registry.now = now
        registry.load(entities)
        self._settled = self.directory.settle()
        self._calendar = Calendar(((key, order_span(order)) for key, order in registry.orders.items()), now)
        self._wishes = Calendar(((key, wish_span(line)) for key, line in registry.lines.items()), now)
        self._periods = Instants()
        prefixes = self.directory.prefixes
        if not self._lines and not self._rules and not self._exact and not self._windows:
            return _pages(self._first())
        marks = Marks(
            lines=self._lines.keys() | registry.lines.keys() | {watch_line(name) for name in self._registrars},
            rules=self._rules.keys() | registry.diversions.keys(),
            keys=self._windows.keys() | prefixes.entries.keys(),
            digits=self._exact.keys() | set(registry.watched()) | prefixes.points.keys() | registry.dated.numbers(),
        )
        return _pages(self._work_out(marks))

    def change(self, changes: Sequence[Change], now: datetime) -> list["Delta"]:
        """Take single changes; the deltas touch only what depends on them. Usually one delta, two when slots go."""
        registry = self.directory.registry
        marks = Marks(timed=self._periods.crossed(registry.now, now))
        # An instant that passes is a change of the number or block to itself: it is put where it is then.
        for kind, key, entity in (*registry.due(now), *changes):
            old = registry.find(kind, key)
            mark(marks, self.directory, old, entity)
            if entity is None:
                registry.remove(kind, key)
                self.directory.note(kind, key, None)
            else:
                registry.put(entity)
            mark(marks, self.directory, entity, old)
            if kind == "order":
                self._calendar.put(key, order_span(registry.orders.get(key)), now)
            elif kind == "line":
                self._wishes.put(key, wish_span(registry.lines.get(key)), now)
        self._reclaim(marks)
        for order in self._calendar.advance(now):
            mark(marks, self.directory, registry.orders.get(order), None, dates_only=True)
        marks.lines |= self._wishes.advance(now)
        return list(_pages(self._work_out(marks)))

    def advance(self, now: datetime) -> list["Delta"]:
        """Return what the dates alone have changed up to ``now``."""
        return self.change((), now)

    def rest(self, orders: Mapping[str, str]) -> list["Delta"]:
        """Let all rules of these orders rest, and those of all others count; order → why, half a sentence about a rule."""
        before, self.directory.braked = self.directory.braked, dict(orders)
        changed = {order for order in before.keys() | orders.keys() if before.get(order) != orders.get(order)}
        rules = self.directory.registry.rules_of
        return list(_pages(self._work_out(Marks(rules={key for order in changed for key in rules.get(order, ())}))))

    def judge_targets(self, carrier: CarrierPolicy) -> list["Delta"]:
        """Take what may be a target from now on; all rules are judged again."""
        self.directory.carrier = carrier
        marks = Marks()
        for rule in self.directory.registry.diversions.values():
            mark(marks, self.directory, rule, None)
        self._reclaim(marks)
        return list(_pages(self._work_out(marks)))

    def resolve(self, name: str, addresses: Sequence[str]) -> list["Delta"]:
        """Take what ``name`` resolves to from now on: IP addresses, best first. Lines with a peer of this name change."""
        if self._names.get(name, ()) == tuple(addresses):
            return []
        self._names[name] = tuple(addresses)
        return list(_pages(self._work_out(Marks(lines=set(self._named.get(name, ()))))))

    @property
    def now(self) -> datetime:
        """The instant that the table is for."""
        return self.directory.registry.now

    # -- output -------------------------------------------------------------------------------------------------------

    def next_change_at(self, now: datetime) -> datetime | None:
        """Return when dates alone change the result next, None when they never do."""
        items = self.directory.registry.dated.instants
        calendars = (self._calendar, self._wishes, items, self._periods)
        times = (calendar.next_after(now) for calendar in calendars)
        return min((time for time in times if time is not None), default=None)

    def snapshot(self) -> Iterator["Delta"]:
        """Yield the whole table again, in pages, for a new engine table."""
        return _pages(
            {
                "lines": list(self._lines.values()),
                "rules": list(self._rules.values()),
                "exact": [(digits, *route) for digits, route in self._exact.items()],
                "prefixes": [(key, *window) for key, window in self._windows.items()],
            }
        )

    def derived(self) -> dict[str, tuple[str, Changes]]:
        """Return the profiles that lines need besides the usual ones: name → (profile, changes)."""
        return self._derived.profiles()

    def names(self) -> dict[str, set[str]]:
        """Return the host names of all peers, each with the lines that have it; to be read only."""
        return self._named

    def problems(self) -> list[Problem]:
        """Return all entities that could not be used as they are, by kind and id."""
        return self.directory.problems()

    def line_slot(self, line_id: str) -> int | None:
        """Return the slot of a line; it stays the same while the process lives."""
        return self._line_slots.of(line_id)

    def rule_slot(self, rule_id: str) -> int | None:
        """Return the slot of a diversion; it stays the same while the process lives."""
        return self._rule_slots.of(rule_id)

    def line_id(self, slot: int) -> str | None:
        """Return the line that has (or had) this slot."""
        return self._line_slots.name(slot)

    def rule_id(self, slot: int) -> str | None:
        """Return the diversion that has (or had) this slot."""
        return self._rule_slots.name(slot)

    def spec_of(self, line_id: str) -> "LineSpec | None":
        """Return what the engine was told of a line."""
        return self._lines.get(line_id)

    def wish_of(self, line_id: str) -> Wish:
        """Return what the operator wants of a line at the last ``now``; "enabled" for a line that is not there."""
        line = self.directory.registry.lines.get(line_id)
        return line.wish if line is not None and self._wishes.live(line_id) else "enabled"

    def explain_rules(self, number: str) -> list[Considered]:
        """Return the rules for ``number`` (E.164, with or without ``+``), most specific first; [] if it is not ours."""
        digits = number.removeprefix("+")
        if len(digits) > MAX_DIGITS:
            return []
        place = self.directory.place(digits)
        if place is None:
            return []
        return consider(self.directory.candidates(digits, place), self.directory.resting, self.directory.standings)

    # -- work ---------------------------------------------------------------------------------------------------------

    def _reclaim(self, marks: Marks) -> None:
        for block in sorted(marks.blocks):
            for key in self.directory.reclaim(block):
                marks.keys.add(key)
                marks.digits.add(key)
                marks.digits.update(self.directory.registry.watched_below(key))

    def _first(self) -> "Delta":
        """Work out everything, when the engine was told nothing yet: in the same order as `_work_out`, with less to look at."""
        registry, prefixes = self.directory.registry, self.directory.prefixes
        delta = _nothing()
        for key in sorted([*registry.lines, *(watch_line(name) for name in self._registrars)]):
            self._line(key, delta)
        for key in sorted(registry.diversions):
            self._rule(key, delta, None, timed=False)
        self._settled = {}
        watched = registry.watched()
        others = (*prefixes.points, *(digits for digits in registry.dated.numbers() if digits not in prefixes.points))
        own = [digits for digits in others if not registry.ids_of(digits) and digits not in registry.number_rules]
        exact, told = delta["exact"], self._exact
        for digits in sorted([*watched, *own]):
            route = self._exact_route(digits)
            if route is not None:
                told[digits] = route
                exact.append((digits, *route))
        for key in sorted(prefixes.entries):
            self._prefix(key, delta)
        self._routes = {}
        return delta

    def _work_out(self, marks: Marks) -> "Delta":
        """Work out again what is marked; return how it differs from what the engine was told, and note it as told."""
        delta = _nothing()
        for key in sorted(marks.lines):
            self._line(key, delta)
        if len(marks.rules) < len(self.directory.registry.diversions):
            # Where a number is decides whose public holidays count for its rules.
            for digits in marks.digits & self.directory.registry.number_rules.keys():
                marks.rules |= self.directory.registry.number_rules[digits]
        for key in sorted(marks.rules | marks.timed):
            self._rule(key, delta, marks, timed=key not in marks.rules)
        self._settled = {}
        exact, exact_removed, told = delta["exact"], delta["exact_removed"], self._exact
        for digits in sorted(marks.digits):
            route = self._exact_route(digits)
            if route is None:
                if told.pop(digits, None) is not None:
                    exact_removed.append(digits)
            elif told.get(digits) != route:
                told[digits] = route
                exact.append((digits, *route))
        for key in sorted(marks.keys):
            self._prefix(key, delta)
        self._routes = {}
        return delta

    def _line(self, key: str, delta: "Delta") -> None:
        self._note_names(key)
        spec, what = line_spec(
            self.directory.registry,
            key,
            self._line_slots,
            self._profiles,
            self._registrars,
            wished=self._wishes.live(key),
            names=self._names,
        )
        if spec is not None:
            what = self._derive(key, spec) or what
        else:
            self._derived.drop(key)
        self.directory.note("line", key, what)
        if spec is None:
            if self._lines.pop(key, None) is not None:
                delta["lines_removed"].append(self._line_slots.take(key))
        elif self._lines.get(key) != spec:
            self._lines[key] = spec
            delta["lines"].append(spec)

    def _derive(self, key: str, spec: "LineSpec") -> Fault | None:
        """Give a line with changes its own profile; with changes that cannot be used it keeps the one it would have."""
        line = self.directory.registry.lines.get(key)
        if line is None or not line.profile_changes:
            self._derived.drop(key)
            return None
        changes = checked(line.profile_changes)
        if isinstance(changes, str):
            self._derived.drop(key)
            return fault("profile_changes", "profile_changes", why=changes)
        name = self._derived.take(key, spec["profile"], changes)
        if name is None:
            return fault("profile_changes_many", "profile_changes", limit=str(MAX_DERIVED))
        spec["profile"] = name
        return None

    def _note_names(self, key: str) -> None:
        line = self.directory.registry.lines.get(key)
        if key not in self._names_in and (line is None or not line.peers):
            return
        now = peer_names(line) if line is not None else set()
        before = self._names_in.get(key, set())
        if now == before:
            return
        for name in before - now:
            self._named[name].discard(key)
            if not self._named[name]:
                del self._named[name]
        for name in now - before:
            self._named.setdefault(name, set()).add(key)
        if now:
            self._names_in[key] = now
        else:
            self._names_in.pop(key, None)

    def _rule(self, key: str, delta: "Delta", marks: Marks | None, *, timed: bool) -> None:
        """Work out a rule again; ``timed``: only the time is another than when it was judged.

        ``marks`` get its numbers if another rule may apply to them now; None: they are worked out anyway.
        """
        directory = self.directory
        rested, used = key in directory.resting, key in self._rules
        judge = directory.retime_rule if timed else directory.judge_rule
        judged = self._settled[key] if key in self._settled else judge(key)
        self._periods.put(key, judged.instants if judged is not None else ())
        diversion = directory.registry.diversions.get(key)
        if judged is None or diversion is None:
            if self._rules.pop(key, None) is not None:
                delta["rules_removed"].append(self._rule_slots.take(key))
                if diversion is not None and marks is not None:
                    mark_rule(marks, directory, diversion)
            return
        if marks is not None and (rested != (key in directory.resting) or not used):
            # Another rule may apply to its numbers now.
            mark_rule(marks, directory, diversion)
        spec = rule_spec(diversion, judged, directory.base_of(diversion), self._rule_slots.take(key))
        if self._rules.get(key) != spec:
            self._rules[key] = spec
            delta["rules"].append(spec)

    def _exact_route(self, digits: str) -> Route | None:
        """Return the route of a number that has an entry of its own: a number, a rule for it, or a point of a block."""
        directory = self.directory
        plain = directory.plain(digits)
        if plain is not None:
            # Nearly all of a million numbers: one id at most, no rule of its own. Judged once per order, line and part of a block.
            route = self._routes.get(plain)
            if route is not None:
                return route
        place = directory.place(digits)
        directory.judge_number(digits, place)
        registry = directory.registry
        ruled = digits in registry.number_rules
        if place is None:
            return None
        if not ruled and not registry.ids_of(digits) and digits not in directory.prefixes.points:
            return None
        return self._route(place, digits if ruled else None)

    def _prefix(self, key: str, delta: "Delta") -> None:
        entry = self.directory.prefixes.entries.get(key)
        told = self._windows.get(key)
        if entry is None:
            if told is not None:
                del self._windows[key]
                delta["prefixes_removed"].append(key)
            return
        low, high, part = entry
        block = self.directory.registry.blocks[part.block]
        window = (low, high, *self._route(Place(block.order, block.line, part), None))
        if told == window:
            return
        if told is not None and told[:2] != window[:2]:
            # The engine would keep both windows of one prefix: the old one goes first.
            delta["prefixes_removed"].append(key)
        self._windows[key] = window
        delta["prefixes"].append((key, *window))

    def _route(self, place: Place, digits: str | None) -> Route:
        """Return the route at a place; without ``digits`` it is that of all numbers there that have no rule of their own."""
        if digits is None:
            route = self._routes.get(place)
            if route is not None:
                return route
        chosen: Diversion | None = choose(self.directory.candidates(digits, place), self.directory.resting)
        route = (
            self._line_slots.take(place.line),
            self._rule_slots.take(chosen.id) if chosen is not None else -1,
            0 if self._calendar.live(place.order) else NOT_LIVE,
        )
        if digits is None:
            self._routes[place] = route
        return route


def _nothing() -> "Delta":
    """Return a delta in which all keys are there."""
    return {
        "lines": [],
        "rules": [],
        "exact": [],
        "exact_removed": [],
        "prefixes": [],
        "prefixes_removed": [],
        "lines_removed": [],
        "rules_removed": [],
    }


def _pages(delta: "Delta") -> Iterator["Delta"]:
    """Cut a delta into pages that can be applied one after the other.

    Lines and rules come before the numbers that name them and go after them. Within a page the engine removes first.
    """
    gone: Delta = {"lines_removed": delta.pop("lines_removed", []), "rules_removed": delta.pop("rules_removed", [])}
    if sum(map(len, delta.values())) <= PAGE:  # type: ignore[arg-type] # all values are lists
        whole = {name: rows for name, rows in delta.items() if rows}
        if whole:
            yield whole  # type: ignore[misc] # built from the same keys
    else:
        for name in ("lines", "rules", "exact_removed", "prefixes_removed", "exact", "prefixes"):
            rows: list[object] = delta.get(name, [])  # type: ignore[assignment] # a list of one of the row types
            for start in range(0, len(rows), PAGE):
                yield {name: rows[start : start + PAGE]}  # type: ignore[misc] # one of the keys of Delta
    last = {name: rows for name, rows in gone.items() if rows}
    if last:
        yield last  # type: ignore[misc] # built from the same keys
