"""Who has a number, and which rules are for it: the entities judged against each other.

An entity that refers to something missing, or to something of another order, is left out and reported as a `Problem`; the
rest goes on. A rule can so never take another customer's numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from routing.blocks import is_range
from routing.kept import kept_fault
from routing.local_time import DAWN
from routing.model import (
    Allowance,
    Block,
    BlockScope,
    Diversion,
    Number,
    NumberScope,
    Order,
    RangeScope,
    State,
    Target,
)
from routing.numbers import MAX_DIGITS
from routing.pieces import pieces
from routing.precedence import choose, specificity
from routing.prefixes import Claim, Part, PrefixTable, claim
from routing.products import PRODUCTS, product
from routing.registry import Registry
from routing.rejection import Fault, fault
from routing.schedule import Outlooks
from routing.scopes import Scopes
from routing.standing import Rest, Standing, standing_of
from routing.stays import Item, date_faults, stays
from routing.target_lists import is_plain, target_lists
from routing.target_policy import NATIONAL, CarrierPolicy, TargetPolicy, target_fault, target_policy
from routing.targets import Owner


@dataclass(frozen=True, slots=True)
class Problem:
    """An entity that cannot be used as it is. The rest is compiled without it."""

    kind: str
    id: str
    type: str
    """Slug of `routing.rejection.CATALOGUE`."""
    message: str
    """What is wrong and what to do."""


class Place(NamedTuple):
    """Where a number is delivered."""

    order: str
    line: str
    part: Part | None
    """The part of a block of the same order that holds it."""


class Judged(NamedTuple):
    """What of a rule may be used now."""

    targets: tuple[Target, ...]
    phone_system_targets: tuple[Target, ...]
    rest: Rest | None
    """Why it does not count now; its targets are then those of any time."""
    instants: tuple[datetime, ...]
    """Since when its periods make it what it is, and until when; () without periods, or for ever."""


Usable = dict[str, tuple[Target, ...]]
"""Place of each list of a rule (`routing.target_lists`) → those of its targets that may be used."""


class Directory(Scopes):
    """The entities, the prefix table of their blocks, and what is wrong with them."""

    def __init__(self, carrier: CarrierPolicy = NATIONAL) -> None:
        self.registry = Registry()
        self.prefixes = PrefixTable()
        self.carrier = carrier
        self._claims: dict[str, list[tuple[str, Claim]]] = {}
        self._problems: dict[tuple[str, str], Fault] = {}
        self._unusable: set[str] = set()  # diversions
        self.resting: dict[str, Rest] = {}
        """Diversions that do not count now, though they may be armed; to be read only."""
        self._policies: dict[tuple[Allowance, ...], tuple[CarrierPolicy, TargetPolicy]] = {}
        self._outlooks = Outlooks()
        self.standings: dict[str, Standing] = {}
        """What diversions with periods come to now; to be read only."""
        self._usable: dict[str, Usable] = {}  # of diversions with periods
        self.braked: dict[str, str] = {}
        """Orders whose rules rest because too many calls were diverted (`routing.brake`) → why; set before a load or by `Compiler.rest`."""

    def settle(self) -> dict[str, Judged | None]:
        """Judge everything, after a load; return what came of the rules."""
        for key in (*self.registry.blocks, *self.registry.dated.blocks()):
            claims = self._settle(key)
            if claims:
                self._claims[key] = claims
        self.prefixes.load(chain.from_iterable(self._claims.values()))
        return {key: self.judge_rule(key) for key in self.registry.diversions}

    # -- problems -----------------------------------------------------------------------------------------------------

    def problems(self) -> list[Problem]:
        """Return all entities that could not be used, by kind and id."""
        found = {(kind, key): Problem(kind, key, what.type, what.message) for (kind, key), what in self._problems.items()}
        for key, order in self.registry.orders.items():
            # Such an order is routed all the same: its calls are worth more than its paperwork.
            what = _order_fault(order, self.registry)
            if what is not None:
                found["order", key] = Problem("order", key, what.type, what.message)
        for key, pairs in self.prefixes.overlaps.items():
            for winner, loser in pairs:
                what = fault("block_overlap", other=winner, example=f"+{key}…")
                found.setdefault(("block", loser), Problem("block", loser, what.type, what.message))
        return [found[key] for key in sorted(found)]

    def note(self, kind: str, key: str, what: Fault | None) -> None:
        """Remember what is wrong with an entity, or that nothing is."""
        if what is not None:
            self._problems[kind, key] = what
        elif self._problems:
            self._problems.pop((kind, key), None)

    def problem(self, kind: str, key: str) -> Fault | None:
        """Return what is wrong with one entity, as far as it was noted."""
        return self._problems.get((kind, key))

    # -- blocks -------------------------------------------------------------------------------------------------------

    def reclaim(self, key: str) -> set[str]:
        """Settle what a block (changed, new or gone) claims; return the prefixes and numbers that this may change."""
        new = self._settle(key)
        old = self._claims.pop(key, [])
        if new:
            self._claims[key] = new
        return self.prefixes.change(old, new)

    def _settle(self, key: str) -> list[tuple[str, Claim]]:
        """Judge a block; return what it claims."""
        block = self.registry.blocks.get(key)
        what = self._misplaced(block.order, block.line) if block is not None else None
        self.note("block", key, what or self._date_fault("block", key))
        return list(self._claims_of(block)) if block is not None and what is None else []

    def _claims_of(self, block: Block) -> Iterator[tuple[str, Claim]]:
        base = block.base[1:]
        rules = self._ranges_of(block)
        ranges = tuple((held.first, held.last) for held in block.ranges)
        parts: dict[tuple[int, ...], Part] = {}
        for piece in pieces(ranges, tuple((rule.first, rule.last) for rule, _ in rules), MAX_DIGITS - len(base)):
            part = parts.get(piece.rules)
            if part is None:
                part = parts[piece.rules] = Part(block.id, tuple(rules[index][1] for index in piece.rules))
            key = base + piece.prefix
            yield key, claim(key, len(base) + piece.least, len(base) + piece.most, part, rest=piece.rest)

    def _ranges_of(self, block: Block) -> list[tuple[RangeScope, str]]:
        """Return the range rules of a block, most specific first."""
        found = [self.registry.diversions[key] for key in self.registry.range_rules.get(block.id, ())]
        usable = [d for d in found if d.order == block.order]
        usable.sort(key=specificity)
        return [(d.scope, d.id) for d in usable if isinstance(d.scope, RangeScope) and is_range(d.scope.first, d.scope.last)]

    def _misplaced(self, order: str, line: str) -> Fault | None:
        """Return what is wrong with the references of a number or block."""
        if order not in self.registry.orders:
            return fault("reference_missing", "order", kind="order", id=order)
        held = self.registry.lines.get(line)
        if held is None:
            return fault("reference_missing", "line", kind="line", id=line)
        if held.order != order:
            return fault("line_other_order", "line", line=line, order=order)
        return None

    def _date_fault(self, kind: str, key: str) -> Fault | None:
        """Return what is wrong with the dates of a number or block, or with the move that lies before it."""
        item = self.registry.dated.of.get((kind, key))
        return next(self.item_faults(item), None) if item is not None else None

    def advance(self, now: datetime) -> list[Item]:
        """Move to an instant, for those who only ask; return the numbers and blocks for which something changes there."""
        registry = self.registry
        due = registry.due(now)
        for kind, key, item in due:
            registry.put(item)
            if kind == "block":
                self.reclaim(key)
                for rule in (*registry.block_rules.get(key, ()), *registry.range_rules.get(key, ())):
                    self.judge_rule(rule)
        return [item for _, _, item in due]

    def lines_due(self, now: datetime) -> set[str]:
        """Return the lines to or from which numbers and blocks come and go on the way to ``now``."""
        dated = self.registry.dated
        crossed = dated.instants.crossed(self.registry.now, now)
        return {stay.line for key in crossed for stay in stays(dated.of[key])}

    def item_faults(self, item: Item) -> Iterator[Fault]:
        """Yield what is wrong with the dates and the move of a number or block; a move that is over is not looked at."""
        yield from date_faults(item)
        move = item.move
        if move is not None and move.at > self.registry.now:
            what = self._misplaced(move.order, move.line)
            if what is not None:
                yield Fault(what.type, f"move.{what.location}", what.message, what.context)

    # -- numbers ------------------------------------------------------------------------------------------------------

    def place(self, digits: str) -> Place | None:
        """Return where a number (digits) is delivered, None if it is nobody's."""
        part = self.prefixes.lookup(digits) if self.prefixes.held else None
        for key in self.registry.ids_of(digits):
            row = self.registry.numbers[key]
            if self._misplaced(row.order, row.line) is None:
                own = part is not None and self.registry.blocks[part.block].order == row.order
                return Place(row.order, row.line, part if own else None)
        if part is None:
            return None
        block = self.registry.blocks[part.block]
        return Place(block.order, block.line, part)

    def plain(self, digits: str) -> Place | None:
        """Return the place that a number claims, unjudged, if nothing else is to be said of it; else None.

        That is a single number, in a block or not, or an extension of a block, without a rule or dates of its own. Whether the claim is
        right is the same for all that claim the same place.
        """
        registry = self.registry
        if digits in registry.number_rules or (registry.dated.of and registry.dated.has(digits)):
            return None
        part = self.prefixes.lookup(digits) if self.prefixes.held else None
        key = registry.single(digits)
        if key is not None:
            if ("number", key) in self._problems:
                return None
            row = registry.numbers[key]
            own = part is not None and registry.blocks[part.block].order == row.order
            return Place(row.order, row.line, part if own else None)
        if part is None or registry.ids_of(digits) or digits not in self.prefixes.points:
            return None
        block = registry.blocks[part.block]
        return Place(block.order, block.line, part)

    def judge_number(self, digits: str, place: Place | None) -> None:
        """Note what is wrong with the single numbers and number rules of these digits."""
        first = None
        for key in self.registry.ids_of(digits):
            row = self.registry.numbers[key]
            what = self._misplaced(row.order, row.line)
            if what is None and first is not None:
                what = fault("number_taken", "number", number=f"+{digits}", other=f"number {first}")
            elif what is None:
                first = key
            self.note("number", key, what or self._date_fault("number", key))
        for item in self.registry.dated.with_number(digits):
            if isinstance(item, Number) and item.id not in self.registry.numbers:
                self.note("number", item.id, self._date_fault("number", item.id))
        for key in self.registry.number_rules.get(digits, ()):
            if key not in self._unusable:
                order = self.registry.diversions[key].order
                wrong = (place is None or place.order != order) and self.owner_in(f"+{digits}", order) is None
                found = fault("scope_number", "scope.number", number=f"+{digits}", order=order) if wrong else None
                if found is not None:
                    self.note("diversion", key, found)
                elif self._has_scope_problem(key):
                    self.note("diversion", key, None)
                    self.judge_rule(key)  # what else is wrong with it was hidden by that

    def candidates(self, digits: str | None, place: Place) -> list[Diversion]:
        """Return the rules for a number, most specific first. Without ``digits``: those for any number of the part."""
        registry = self.registry
        found: list[str] = []
        if digits is not None:
            rules = registry.number_rules.get(digits)
            if rules:
                found += (key for key in rules if registry.diversions[key].order == place.order)
        if place.part is not None:
            found += place.part.ranges
            rules = registry.block_rules.get(place.part.block)
            if rules:
                found += (key for key in rules if registry.diversions[key].order == place.order)
        rules = registry.order_rules.get(place.order)
        if rules:
            found += rules
        if self._unusable:
            found = [key for key in found if key not in self._unusable]
        result = [registry.diversions[key] for key in found]
        if len(result) > 1:
            result.sort(key=specificity)
        return result

    # -- rules --------------------------------------------------------------------------------------------------------

    def judge_rule(self, key: str) -> Judged | None:
        """Return what of a rule may be used at the registry's ``now``, None if the rule cannot be; note what is wrong."""
        diversion = self.registry.diversions.get(key)
        self._unusable.discard(key)
        if self.resting:
            self.resting.pop(key, None)
        if self.standings:
            self.standings.pop(key, None)
            self._usable.pop(key, None)
        if diversion is None:
            self.note("diversion", key, None)
            return None
        what = self.misscoped(diversion)
        judged = None
        if what is None:
            judged, what = self._judged(diversion)
            if not self.in_time(diversion):
                judged = None
        if judged is None:
            self._unusable.add(key)
        elif judged.rest is not None:
            self.resting[key] = judged.rest
        if judged is None or not isinstance(diversion.scope, NumberScope) or not self._has_scope_problem(key):
            self.note("diversion", key, what)
        return judged

    def retime_rule(self, key: str) -> Judged | None:
        """Return what `judge_rule` would, where nothing but the time is another than when that was asked."""
        diversion, usable = self.registry.diversions.get(key), self._usable.get(key)
        if diversion is None or usable is None or key in self._unusable:
            return self.judge_rule(key)
        self.resting.pop(key, None)
        judged = self._at_this_time(diversion, usable)
        if judged.rest is not None:
            self.resting[key] = judged.rest
        return judged

    def _has_scope_problem(self, key: str) -> bool:
        """Return whether the number of a rule is not its order's; `judge_number` says so, and takes it back."""
        return (
            bool(self._problems)
            and ("diversion", key) in self._problems
            and self._problems["diversion", key].type == "scope_number"
        )

    def _judged(self, diversion: Diversion) -> tuple[Judged | None, Fault | None]:
        """Check at the time of use, with what costs little (PRODUCT: checked when saved and when used)."""
        policy = self.policy(diversion.order)
        if diversion.plan is None and is_plain(diversion):
            targets, what = self._usable_targets(diversion, "targets", diversion.targets, policy)
            return (Judged(targets, (), self._brake(diversion), ()) if targets else None), what
        usable: Usable = {}
        what = None
        for name, targets in target_lists(diversion):
            usable[name], found = self._usable_targets(diversion, name, targets, policy)
            what = what or found
        if not any(usable.values()):
            return None, what
        if diversion.plan is None and not diversion.periods:
            others = usable["phone_system_targets"]
            return Judged(usable["targets"] or others, others, self._brake(diversion), ()), what
        if diversion.periods:
            self._usable[diversion.id] = usable
        return self._at_this_time(diversion, usable), what

    def _at_this_time(self, diversion: Diversion, usable: Usable) -> Judged:
        now = self.standing(diversion)
        if diversion.periods:
            self.standings[diversion.id] = now
        prefix = f"periods[{now.index}]." if now.index is not None else ""
        first, second = usable[f"{prefix}targets"], usable[f"{prefix}phone_system_targets"]
        if not first and second:
            # A period for the phone system alone leaves the others as they are; and better its targets than none.
            first = usable["targets"] or second
        rest = now.rest
        if not first and not second:
            rest = rest or Rest("barred", now.period)
            first = next(filter(None, usable.values()))
        instants = tuple(time for time in (now.since, now.until) if time is not None)
        return Judged(first, second, rest or self._brake(diversion), instants)

    def _brake(self, diversion: Diversion) -> Rest | None:
        """Return why a rule rests with all of its order, None when it does not."""
        why = self.braked.get(diversion.order) if self.braked else None
        return Rest("brake", why) if why is not None else None

    def standing(self, diversion: Diversion) -> Standing:
        """Return what a rule comes to at the registry's ``now``; whether its targets may be used is not looked at."""
        order = self.registry.orders.get(diversion.order)
        plan = order.plan if order is not None else None
        now = self.registry.now
        # Entities that are only held against each other stand at no time.
        timed = bool(diversion.periods) and now != DAWN
        outlook = self._outlooks.at(diversion.periods, self.state_of(diversion), now) if timed else None
        return standing_of(diversion, plan, outlook)

    def state_of(self, diversion: Diversion) -> State | None:
        """Return whose public holidays count for a rule: those at the site of its numbers' line, for an order those of its own."""
        site = None
        if isinstance(diversion.scope, NumberScope):
            place = self.place(diversion.scope.number[1:])
            if place is not None and place.order == diversion.order:
                site = self.registry.site_of(place.line)
        else:
            block = self.block_of(diversion)
            if block is not None:
                site = self.registry.site_of(block.line)
        if site is None:
            order = self.registry.orders.get(diversion.order)
            site = order.site if order is not None else None
        return site.state if site is not None else None

    def counts(self, diversion: Diversion) -> bool:
        """Return whether a rule is armed, can be used, and does not rest."""
        return diversion.armed and self.usable(diversion.id) and diversion.id not in self.resting

    def usable(self, key: str) -> bool:
        """Return whether a rule that is held has targets that may be used."""
        return key in self.registry.diversions and key not in self._unusable

    def never_rests(self, diversion: Diversion) -> bool:
        """Return whether a rule that is held has, whatever the time, a target that may be used."""
        if not diversion.periods or not self.usable(diversion.id):
            return self.usable(diversion.id)
        usable = self._usable.get(diversion.id)
        if usable is None:
            return False
        places = ("", *(f"periods[{index}]." for index in range(len(diversion.periods))))
        return all(usable[f"{place}targets"] or usable[f"{place}phone_system_targets"] for place in places)

    def policy(self, order: str) -> TargetPolicy:
        """Return what the customer of an order may divert to; the default if the customer is missing."""
        held = self.registry.orders.get(order)
        customer = self.registry.customers.get(held.customer) if held is not None else None
        allowances = customer.allowances if customer is not None else ()
        known = self._policies.get(allowances)
        if known is None or known[0] is not self.carrier:
            known = self._policies[allowances] = (self.carrier, target_policy(customer, self.carrier))
        return known[1]

    def _usable_targets(
        self, diversion: Diversion, name: str, targets: tuple[Target, ...], policy: TargetPolicy
    ) -> tuple[tuple[Target, ...], Fault | None]:
        if not targets:
            return (), None
        own = diversion.scope.number if isinstance(diversion.scope, NumberScope) else self.base_of(diversion)
        keeps = isinstance(diversion.scope, BlockScope | RangeScope)
        usable: list[Target] = []
        what: Fault | None = None
        for index, target in enumerate(targets):
            if not target.keep_extension:
                found = target_fault(target.number, policy)
            elif keeps:
                found = kept_fault(diversion, target, "target", policy, self)
            else:
                found = fault("target_keep_extension", "target")
            if found is None and target.number == own and target.keep_extension == keeps:
                found = fault("target_self", "target", number=target.number)
            if found is None:
                usable.append(target)
            else:
                what = what or Fault(found.type, f"{name}[{index}]", found.message, found.context)
        return (tuple(usable) if what is not None else targets), what

    # -- for the checks when a rule is saved (`routing.targets`) -----------------------------------------------------------

    def owner(self, number: str) -> Owner | None:
        """Return who has the E.164 number, None when it is not one of ours."""
        place = self.place(number[1:])
        if place is None:
            return None
        base = self.registry.blocks[place.part.block].base if place.part is not None else None
        site = self.registry.site_of(place.line) or self.registry.orders[place.order].site
        return Owner(place.order, site.id, place.line, base)

    def applying(self, number: str) -> Diversion | None:
        """Return the diversion that applies to the E.164 number now."""
        place = self.place(number[1:])
        chosen = choose(self.candidates(number[1:], place), self.resting) if place is not None else None
        return chosen if chosen is not None and self.counts(chosen) else None


def _order_fault(order: Order, registry: Registry) -> Fault | None:
    if order.customer not in registry.customers:
        return fault("reference_missing", "customer", kind="customer", id=order.customer)
    if product(order.product) is None:
        return fault("product_unknown", "product", product=order.product, known=", ".join(PRODUCTS))
    return None
