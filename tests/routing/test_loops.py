"""Circles through other rules: the search against a naive walk over each single number."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from routing.blocks import holds
from routing.directory import Directory
from routing.loops import circle
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Number,
    NumberScope,
    Order,
    OrderScope,
    Period,
    RangeScope,
    Scope,
    Site,
    Target,
)

ORDERS = ("a", "b", "c")
BASES = {"a": "+493023125", "b": "+492214710", "c": "+496990009"}
RANGES = {"a": ("00", "39"), "b": ("00", "39"), "c": ("0", "9")}
EXTENSIONS = ["00", "05", "10", "19", "20", "39"]


def _base_world() -> list[Entity]:
    entities: list[Entity] = [Customer(id="k", name="k")]
    for order in ORDERS:
        first, last = RANGES[order]
        entities += [
            Order(id=order, customer="k", product="sipTrunk 2.0", site=Site(id=order, address="")),
            Line(id=order, order=order, kind="registered"),
            Block(id=order, order=order, line=order, base=BASES[order], ranges=(ExtensionRange(first=first, last=last),)),
        ]
    # An extension of its own, and a number that lies outside of the block.
    entities += [
        Number(id="n1", order="a", line="a", number=BASES["a"] + "05"),
        Number(id="n2", order="b", line="b", number=BASES["b"] + "77"),
    ]
    return entities


OWN_NUMBERS = st.sampled_from(
    [BASES[o] + e for o in "ab" for e in EXTENSIONS] + [BASES["c"] + d for d in "059"] + [BASES["b"] + "77", "+491713920001"]
)
TARGETS = st.one_of(
    st.builds(Target, number=OWN_NUMBERS),
    st.builds(
        Target,
        # The last two take an extension of two digits to another width or to nobody.
        number=st.sampled_from([*BASES.values(), BASES["c"][:-1], BASES["a"] + "1", "+4940669690"]),
        keep_extension=st.sampled_from([True]),
    ),
)
LISTS = st.lists(TARGETS, max_size=2).map(tuple)
PERIODS = st.lists(st.builds(Period, targets=LISTS, phone_system_targets=LISTS), max_size=2).map(tuple)


def _scopes(order: str) -> st.SearchStrategy[Scope]:
    numbers = [BASES[order] + (e if order != "c" else e[-1]) for e in EXTENSIONS]
    widths = st.sampled_from([("0", "4"), ("5", "5")] if order == "c" else [("00", "09"), ("05", "20"), ("10", "39")])
    return st.one_of(
        st.sampled_from(numbers).map(lambda number: NumberScope(number=number)),
        widths.map(lambda pair: RangeScope(block=order, first=pair[0], last=pair[1])),
        st.just(BlockScope(block=order)),
        st.just(OrderScope()),
    )


@st.composite
def rules(draw: st.DrawFn, key: str) -> Diversion:
    order = draw(st.sampled_from(ORDERS))
    return Diversion(
        id=key,
        order=order,
        scope=draw(_scopes(order)),
        armed=draw(st.sampled_from([True, True, True, False])),
        targets=draw(st.lists(TARGETS, min_size=1, max_size=2).map(tuple)),
        phone_system_targets=draw(LISTS),
        periods=draw(PERIODS),
        plan=draw(st.sampled_from([None, None, "x", "y"])),
    )


class Naive:
    """Each number by itself, from the words of docs/routing.md; no prefixes, no pieces, no indices."""

    def __init__(self, entities: list[Entity]) -> None:
        self.blocks = [e for e in entities if isinstance(e, Block)]
        self.numbers = [e for e in entities if isinstance(e, Number)]
        self.rules = [e for e in entities if isinstance(e, Diversion)]

    def block_of(self, number: str) -> Block | None:
        return next((b for b in self.blocks if holds(b.base, b.ranges, number)), None)

    def order_of(self, number: str) -> str | None:
        own = next((n.order for n in self.numbers if n.number == number), None)
        block = self.block_of(number)
        return own or (block.order if block is not None else None)

    def is_for(self, rule: Diversion, number: str) -> bool:
        scope = rule.scope
        if self.order_of(number) != rule.order:
            return False
        if isinstance(scope, NumberScope):
            return scope.number == number
        if isinstance(scope, OrderScope):
            return True
        block = self.block_of(number)
        if block is None or block.id != scope.block:
            return False
        extension = number[len(block.base) :]
        return isinstance(scope, BlockScope) or (len(extension) == len(scope.first) and scope.first <= extension <= scope.last)

    def all_numbers(self) -> set[str]:
        within = {
            f"{b.base}{n:0{len(r.first)}}" for b in self.blocks for r in b.ranges for n in range(int(r.first), int(r.last) + 1)
        }
        return within | {n.number for n in self.numbers}

    def dialled(self, number: str, target: Target) -> str | None:
        block = self.block_of(number)
        if not target.keep_extension or block is None:
            return target.number
        found = target.number + number[len(block.base) :]
        return found if len(found) <= 16 else None

    def targets(self, rule: Diversion) -> Iterator[Target]:
        yield from (*rule.targets, *rule.phone_system_targets)
        for period in rule.periods:
            yield from (*period.targets, *period.phone_system_targets)

    def possible(self, number: str) -> list[Diversion]:
        """For each plan and each choice of the period that holds: who is the first with targets."""
        order = {"number": 0, "range": 1, "block": 2, "order": 3}
        found = []
        for plan in (None, "x", "y"):
            ranked = sorted(
                (r for r in self.rules if r.armed and self.is_for(r, number) and r.plan in {None, plan}),
                key=lambda r: (
                    order[r.scope.kind],
                    int(r.scope.last) - int(r.scope.first) if isinstance(r.scope, RangeScope) else 0,
                    r.plan is None,
                    r.id,
                ),
            )
            for rule in ranked:
                found.append(rule)
                if self.never_rests(rule):
                    break
        return found

    def never_rests(self, rule: Diversion) -> bool:
        """Whether it has a target that may be used at all times: one for a block may be the base with its extension, no other may."""
        block = next((b for b in self.blocks if b.id == getattr(rule.scope, "block", None)), None)
        own = block.base if block is not None else getattr(rule.scope, "number", None)
        keeps = block is not None
        lists = [rule.targets + rule.phone_system_targets, *(p.targets + p.phone_system_targets for p in rule.periods)]
        return all(
            any(t.keep_extension <= keeps and (t.number, t.keep_extension) != (own, keeps) for t in each) for each in lists
        )

    def comes_back(self, rule: Diversion, target: Target) -> bool:
        mine = {number for number in self.all_numbers() if self.is_for(rule, number)}
        waiting = [self.dialled(number, target) for number in mine]
        seen: set[str] = set()
        while waiting:
            number = waiting.pop()
            if number is None or number in seen:
                continue
            seen.add(number)
            if number in mine:
                return True
            for other in self.possible(number):
                if other.id != rule.id:
                    waiting += [self.dialled(number, onward) for onward in self.targets(other)]
        return False


def _directory(*more: Entity) -> Directory:
    directory = Directory()
    directory.registry.load([*_base_world(), *more])
    directory.settle()
    return directory


def _rule(key: str, order: str, scope: Scope, target: str) -> Diversion:
    return Diversion(id=key, order=order, scope=scope, armed=True, targets=(Target(number=target),))


def test_a_rule_whose_targets_are_all_barred_hides_none_behind_it() -> None:
    there, back = NumberScope(number=BASES["b"] + "10"), _rule("back", "b", BlockScope(block="b"), BASES["a"] + "10")
    mine = _rule("mine", "a", NumberScope(number=BASES["a"] + "10"), BASES["b"] + "10")
    assert circle(mine, mine.targets[0], _directory(back, _rule("hides", "b", there, "+491713920000"))) == []
    barred = _rule("barred", "b", there, "+431580580")
    assert circle(mine, mine.targets[0], _directory(back, barred)) == [mine.scope.number, there.number, mine.scope.number]  # type: ignore[union-attr]


def test_the_stored_form_of_a_rule_hides_none_behind_it() -> None:
    back = _rule("back", "b", BlockScope(block="b"), BASES["b"] + "77")
    far = _rule("far", "b", NumberScope(number=BASES["b"] + "77"), BASES["b"] + "20")
    stored = _rule("mine", "b", NumberScope(number=BASES["b"] + "10"), "+491713920000")
    mine = _rule("mine", "b", NumberScope(number=BASES["b"] + "20"), BASES["b"] + "10")
    assert circle(mine, mine.targets[0], _directory(back, far, stored))[-1] == BASES["b"] + "20"


@given(rules("mine"), st.tuples(*(rules(key) for key in "defgh")))
def test_the_search_finds_a_circle_exactly_where_a_naive_walk_does(mine: Diversion, others: tuple[Diversion, ...]) -> None:
    entities = [*_base_world(), *others]
    directory = Directory()
    directory.registry.load(entities)
    directory.settle()
    naive = Naive(entities)
    numbers = [n for n in naive.all_numbers() if naive.is_for(mine, n)]
    for target in naive.targets(mine):
        if target.keep_extension and isinstance(mine.scope, NumberScope | OrderScope):
            continue  # refused before
        path = circle(mine, target, directory)
        assert bool(path) == naive.comes_back(mine, target), (target, path)
        if path:
            assert path[-1] in numbers
            assert all(naive.order_of(number) for number in path[1:])
