"""What should come out, written down the slow and plain way: no indices, no prefixes, every entity looked at for every number."""

from collections.abc import Container, Iterable
from datetime import datetime
from typing import Any

from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    Line,
    Number,
    NumberScope,
    Order,
    OrderScope,
    RangeScope,
    Target,
)
from routing.products import product
from routing.schedule import period_at
from routing.target_policy import NATIONAL, CarrierPolicy

Listed = tuple[tuple[str, int | None], ...]
Outcome = tuple[str, str | None, Listed, bool, bool] | None
"""(line, rule, its targets, whether it counts, live), None when the number is nobody's.

Targets for the phone system alone follow a mark; those of a rule that rests are not looked at.
"""
PHONE_SYSTEM: Listed = (("phone system", None),)


CLASS_OF = {
    "+491713920000": "mobile",
    "+491713920001": "mobile",
    "+431234567": "international",
    "+499001234567": "premium",
    "+49180512345": "shared_cost",
}
"""What the strategies' targets are; all others are geographic."""
NEEDS_ALLOWANCE = {"international", "shared_cost"}


class Table:
    """The engine's table, the naive way."""

    def __init__(self) -> None:
        self.lines: dict[int, Any] = {}
        self.rules: dict[int, Any] = {}
        self.exact: dict[str, tuple[int, int, int]] = {}
        self.windows: dict[tuple[str, int, int], tuple[int, int, int]] = {}

    def apply(self, delta: Any) -> None:
        for slot in delta.get("lines_removed", ()):
            del self.lines[slot]
        for slot in delta.get("rules_removed", ()):
            del self.rules[slot]
        for digits in delta.get("exact_removed", ()):
            del self.exact[digits]
        for digits in delta.get("prefixes_removed", ()):
            gone = [key for key in self.windows if key[0] == digits]
            assert gone
            for key in gone:
                del self.windows[key]
        self.lines |= {spec["slot"]: spec for spec in delta.get("lines", ())}
        self.rules |= {spec["slot"]: spec for spec in delta.get("rules", ())}
        for digits, line, rule, flags in delta.get("exact", ()):
            assert line in self.lines
            assert rule == -1 or rule in self.rules
            self.exact[digits] = (line, rule, flags)
        for digits, low, high, line, rule, flags in delta.get("prefixes", ()):
            assert len(digits) <= low <= high <= 15
            assert line in self.lines
            assert rule == -1 or rule in self.rules
            self.windows[digits, low, high] = (line, rule, flags)

    def outcome(self, digits: str) -> Outcome:
        found = self.exact.get(digits)
        if found is None:
            fitting = [key for key in self.windows if digits.startswith(key[0]) and key[1] <= len(digits) <= key[2]]
            if not fitting:
                return None
            found = self.windows[max(fitting, key=lambda key: len(key[0]))]
        line, slot, flags = found
        rule = self.rules[slot] if slot >= 0 else None
        return (
            self.lines[line]["line_id"],
            rule["rule_id"] if rule else None,
            listed(rule) if rule and not rule.get("rests") else (),
            rule["armed"] and not rule.get("rests") if rule else False,
            flags == 0,
        )

    def same_as(self, other: "Table") -> bool:
        """Slots are names, so they may differ: compare what they stand for, and the keys."""
        return (
            sorted(s["line_id"] for s in self.lines.values()) == sorted(s["line_id"] for s in other.lines.values())
            and sorted(s["rule_id"] for s in self.rules.values()) == sorted(s["rule_id"] for s in other.rules.values())
            and self.exact.keys() == other.exact.keys()
            and self.windows.keys() == other.windows.keys()
        )


def listed(spec: Any) -> Listed:
    """The targets of a rule's specification."""
    usual, others = (tuple((t["digits"], t["keep_after"]) for t in spec.get(n, ())) for n in ("targets", "phone_system_targets"))
    return usual + PHONE_SYSTEM + others if others else usual


class World:
    """Entities by kind and id, asked plainly."""

    def __init__(
        self,
        entities: Iterable[Entity],
        now: datetime,
        braked: Container[str] = (),
        carrier: CarrierPolicy = NATIONAL,
    ) -> None:
        self.now = now
        self.braked = braked
        self.carrier = carrier
        self.of: dict[type, dict[str, Any]] = {k: {} for k in (Customer, Order, Line, Block, Number, Diversion)}
        for entity in {(type(entity), entity.id): entity for entity in entities}.values():
            present = self.present(entity) if isinstance(entity, Number | Block) else entity
            if present is not None:
                self.of[type(entity)][entity.id] = present

    def present(self, item: Number | Block) -> Number | Block | None:
        """The number or block with the order and line that it has now, None when its own dates say that it is not there."""
        if item.active_from is not None and self.now < item.active_from:
            return None
        if item.active_until is not None and self.now >= item.active_until:
            return None
        if item.move is not None and self.now >= item.move.at:
            return item.model_copy(update={"order": item.move.order, "line": item.move.line})
        return item

    def placed(self, item: Number | Block) -> bool:
        line = self.of[Line].get(item.line)
        return item.order in self.of[Order] and line is not None and line.order == item.order

    def block_of(self, digits: str) -> Block | None:
        """The block whose claim has the longest prefix: found by trying, for each length, who claims all that it stands for."""
        for size in range(len(digits), 0, -1):
            for rest in (False, True):
                for block in sorted(self.of[Block].values(), key=lambda b: b.id):
                    if self.placed(block) and self.claims(block, digits, size, rest=rest):
                        return block  # type: ignore[no-any-return]
        return None

    def claims(self, block: Block, digits: str, size: int, *, rest: bool) -> bool:
        """Does a claim of exactly this prefix length hold the number? A range's claims are its maximal decimal bundles."""
        base = block.base[1:]
        extension = digits[len(base) :]
        if not digits.startswith(base) or size < len(base) or len(digits) > 15:
            return False
        if rest:
            return not block.ranges and size == len(base)
        pieces = self.pieces(block, len(extension))
        for piece in pieces:
            if extension.isdigit() and int(extension) in piece:
                return size == len(base) + bundle(piece, extension)
        return False

    def pieces(self, block: Block, width: int) -> list[frozenset[int]]:
        """The extensions of one length, cut where range rules begin and end and where runs break."""
        rules = self.range_rules(block)
        wanted = block.ranges or tuple(d.scope for d in rules)
        held: dict[int, tuple[str, ...]] = {
            n: tuple(d.id for d in rules if len(d.scope.first) == width and int(d.scope.first) <= n <= int(d.scope.last))
            for r in wanted
            if len(r.first) == width
            for n in range(int(r.first), int(r.last) + 1)
        }
        runs: list[list[int]] = []
        for n in sorted(held):
            if runs and runs[-1][-1] == n - 1 and held[n] == held[n - 1]:
                runs[-1].append(n)
            else:
                runs.append([n])
        return [frozenset(run) for run in runs]

    def range_rules(self, block: Block) -> list[Diversion]:
        found = [
            d
            for d in self.of[Diversion].values()
            if isinstance(d.scope, RangeScope)
            and d.scope.block == block.id
            and d.order == block.order
            and len(d.scope.first) == len(d.scope.last)
            and d.scope.first <= d.scope.last
        ]
        return sorted(found, key=lambda d: (int(d.scope.last) - int(d.scope.first), d.id))

    def outcome(self, digits: str) -> Outcome:
        numbers = sorted((n for n in self.of[Number].values() if n.number[1:] == digits and self.placed(n)), key=lambda n: n.id)
        block = self.block_of(digits)
        home: Number | Block | None = numbers[0] if numbers else block
        if home is None:
            return None
        order = self.of[Order][home.order]
        own = block if block is not None and block.order == order.id else None
        rules = [
            (level, d)
            for d in self.of[Diversion].values()
            if d.order == order.id and (level := self.level(d, digits, own)) is not None and self.ever(d)
        ]
        rules.sort(key=lambda pair: (*pair[0], pair[1].plan is None, pair[1].id))
        counting = [d for _, d in rules if d.armed and self.now_of(d)] or [d for _, d in rules]
        rule = counting[0] if counting else None
        live = (order.active_from is None or order.active_from <= self.now) and (
            order.active_until is None or self.now < order.active_until
        )
        return (
            home.line,
            rule.id if rule else None,
            self.now_of(rule) if rule else (),
            rule.armed and bool(self.now_of(rule)) if rule else False,
            live,
        )

    def level(self, d: Diversion, digits: str, block: Block | None) -> tuple[int, int] | None:
        match d.scope:
            case NumberScope(number=number):
                return (0, 0) if number[1:] == digits else None
            case OrderScope():
                return (3, 0)
            case BlockScope(block=key):
                return (2, 0) if block is not None and block.id == key else None
            case RangeScope(block=key, first=first, last=last):
                if block is None or block.id != key:
                    return None
                ext = digits[len(block.base) - 1 :]
                fits = len(first) == len(last) == len(ext) and first <= ext <= last
                return (1, int(last) - int(first)) if fits else None
        return None

    def ever(self, d: Diversion) -> bool:
        """Whether diversion belongs to its product, and it has a target that may be used, at whatever time."""
        sort = product(self.of[Order][d.order].product)
        if sort is not None and not sort.eligible:
            return False
        lists = [(d.targets, d.phone_system_targets), *((p.targets, p.phone_system_targets) for p in d.periods)]
        return any(self.usable(d, targets) for pair in lists for targets in pair)

    def now_of(self, d: Diversion) -> Listed:
        """The targets that count now, () when it rests."""
        if d.order in self.braked:
            return ()
        if d.plan is not None and d.plan != self.of[Order][d.order].plan:
            return ()
        index = period_at(d.periods, self.state(d), self.now)
        has = d if index is None else d.periods[index]
        usual, others = self.usable(d, has.targets), self.usable(d, has.phone_system_targets)
        if not others:
            return usual
        # Targets for the phone system alone never leave a caller with nothing for another fault.
        return (usual or self.usable(d, d.targets) or others) + PHONE_SYSTEM + others

    def state(self, d: Diversion) -> Any:
        """The state where the line stands on which the rule's numbers are delivered; for an order its own."""
        home: Number | Block | None = None
        match d.scope:
            case NumberScope(number=number):
                mine = [n for n in self.of[Number].values() if n.number == number and self.placed(n)]
                home = min(mine, key=lambda n: n.id) if mine else self.block_of(number[1:])
                home = home if home is not None and home.order == d.order else None
            case BlockScope(block=key) | RangeScope(block=key):
                home = self.of[Block].get(key)
            case OrderScope():
                pass
        line = self.of[Line].get(home.line) if home is not None else None
        order = self.of[Order].get(line.order) if line is not None else None
        site = (line.site if line is not None else None) or (order or self.of[Order][d.order]).site
        return site.state

    def usable(self, d: Diversion, targets: tuple[Target, ...]) -> Listed:
        customer = self.of[Customer].get(self.of[Order][d.order].customer)
        allowed = customer.allowances if customer is not None else ()
        barred = self.carrier.barred | (NEEDS_ALLOWANCE - set(allowed)) | {"premium"}
        block = self.of[Block].get(getattr(d.scope, "block", ""))
        base = block.base if block else None
        own = d.scope.number if isinstance(d.scope, NumberScope) else base
        in_block = isinstance(d.scope, BlockScope | RangeScope)
        return tuple(
            (t.number[1:], len(base) - 1 if t.keep_extension and base else None)
            for t in targets
            if CLASS_OF.get(t.number, "geographic") not in barred
            and not t.number.startswith(self.carrier.barred_prefixes)
            and (in_block or not t.keep_extension)
            and not (t.keep_extension and len(t.number) < len("+49") + 3)
            and not (t.number == own and t.keep_extension == in_block)
        )


def bundle(piece: frozenset[int], extension: str) -> int:
    """The length of the shortest prefix of ``extension`` all of whose continuations are in ``piece``."""
    for size in range(len(extension) + 1):
        places = 10 ** (len(extension) - size)
        start = int(extension[:size] or "0") * places
        if all(n in piece for n in range(start, start + places)):
            return size
    raise AssertionError(extension)
