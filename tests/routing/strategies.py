"""Strategies: a small world in which entities meet, miss, overlap and refer to each other wrongly."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    ExtensionRange,
    Line,
    Move,
    Number,
    NumberScope,
    Order,
    OrderScope,
    Period,
    RangeScope,
    Site,
    State,
    Target,
)
from routing.target_policy import CarrierPolicy

DAY = timedelta(days=1)
START = datetime(2026, 3, 1, tzinfo=UTC)
NOWS = st.integers(0, 6).map(lambda n: START + n * DAY)
"""Midnights in UTC; by the clocks in Germany it is one at night then."""

# Few names and few digits, so that things meet.
UNDIVERTED = "product without diversion"
"""A product to which diversion does not belong; `tests.routing.conftest` puts it beside those of the table."""
NAMES = st.sampled_from(["a", "a", "a", "b", "c"])
DIGIT = st.sampled_from("012")
BASES = st.sampled_from(["+49300", "+493001", "+493002", "+4930"])


@st.composite
def ranges(draw: st.DrawFn) -> ExtensionRange:
    width = draw(st.integers(1, 3))
    low = draw(st.integers(0, 10**width - 1))
    high = draw(st.integers(low, min(10**width - 1, low + 120)))
    return ExtensionRange(first=str(low).zfill(width), last=str(high).zfill(width))


@st.composite
def numbers_text(draw: st.DrawFn) -> str:
    return draw(BASES) + "".join(draw(st.lists(DIGIT, max_size=4)))


ALLOWANCES = st.sampled_from([(), ("international",), ("shared_cost",), ("international", "shared_cost")])


def customers() -> st.SearchStrategy[Customer]:
    return st.builds(Customer, id=NAMES, name=st.just("x"), allowances=ALLOWANCES)


PLANS = st.sampled_from([None, None, "summer", "flood"])
STATES: st.SearchStrategy[State | None] = st.sampled_from([None, "BE", "BY", "NW"])


def sites() -> st.SearchStrategy[Site]:
    return st.builds(Site, id=NAMES, address=st.just(""), state=STATES)


PRODUCTS = st.sampled_from(["sipTrunk 2.0", "sipTrunk 2.0", "PMX NGN", "centrex Premium", "no product of ours", UNDIVERTED])


def orders() -> st.SearchStrategy[Order]:
    dates = st.none() | NOWS
    return st.builds(
        Order,
        id=NAMES,
        customer=NAMES,
        product=PRODUCTS,
        site=sites(),
        plan=PLANS,
        active_from=dates,
        active_until=dates,
    )


def lines() -> st.SearchStrategy[Line]:
    return st.builds(
        Line,
        id=NAMES,
        order=NAMES,
        kind=st.just("registered"),
        users=st.just(()),
        site=st.none() | sites(),
        wish=st.sampled_from(["enabled", "drill"]),
        wish_until=st.none() | NOWS,
    )


def moves() -> st.SearchStrategy[Move]:
    return st.builds(Move, at=NOWS, order=NAMES, line=NAMES)


# Half of them have no dates, like nearly all in life.
OWN_DATES: dict[str, st.SearchStrategy[Any]] = {
    "active_from": st.none() | st.none() | NOWS,
    "active_until": st.none() | st.none() | NOWS,
    "move": st.none() | moves(),
}


def blocks() -> st.SearchStrategy[Block]:
    parts = st.lists(ranges(), max_size=3).map(tuple)
    return st.builds(Block, id=NAMES, order=NAMES, line=NAMES, base=BASES, ranges=parts, **OWN_DATES)


def numbers() -> st.SearchStrategy[Number]:
    return st.builds(Number, id=NAMES, order=NAMES, line=NAMES, number=numbers_text(), **OWN_DATES)


TARGETS = st.builds(
    Target,
    number=st.sampled_from(
        ["+496990009000", "+491713920000", "+491713920001", "+431234567", "+499001234567", "+49180512345", "+4930", "+493001"]
    ),
    keep_extension=st.booleans(),
)


TIMES = st.sampled_from(
    ["00:00", "00:30", "01:00", "02:00", "02:30", "03:00", "08:00", "08:00", "17:00", "22:00", "23:59", "24:00"]
)
DATES = st.none() | st.dates(date(2025, 12, 20), date(2027, 1, 10))


def periods() -> st.SearchStrategy[Period]:
    """Periods with few different times, so that ends meet starts; with and without targets."""
    few = st.lists(TARGETS, max_size=2).map(tuple)
    return st.builds(
        Period,
        name=st.sampled_from(["", "night"]),
        first=DATES,
        last=DATES,
        days=st.lists(st.sampled_from(["mon", "tue", "wed", "sat", "sun"]), max_size=3, unique=True).map(tuple),
        start=TIMES,
        end=TIMES,
        holidays=st.sampled_from(["any", "any", "only", "except"]),
        targets=few,
        phone_system_targets=few,
    )


def scopes() -> st.SearchStrategy[NumberScope | RangeScope | BlockScope | OrderScope]:
    return st.one_of(
        st.builds(NumberScope, number=numbers_text()),
        st.builds(lambda block, r: RangeScope(block=block, first=r.first, last=r.last), NAMES, ranges()),
        st.builds(RangeScope, block=NAMES, first=st.just("2"), last=st.just("11")),
        st.builds(BlockScope, block=NAMES),
        st.just(OrderScope()),
    )


def diversions() -> st.SearchStrategy[Diversion]:
    return st.builds(
        Diversion,
        id=st.sampled_from(["a", "b", "c", "d", "e"]),
        order=NAMES,
        scope=scopes(),
        armed=st.booleans(),
        targets=st.lists(TARGETS, min_size=1, max_size=2).map(tuple),
        phone_system_targets=st.just(()) | st.lists(TARGETS, max_size=2).map(tuple),
        periods=st.just(()) | st.lists(periods(), max_size=2).map(tuple),
        plan=PLANS,
    )


CARRIERS = st.builds(
    CarrierPolicy,
    barred=st.sampled_from([frozenset(), frozenset({"mobile"}), frozenset({"geographic", "shared_cost"})]),
    barred_prefixes=st.sampled_from([(), ("+4917139200", "+43"), ("+4930",)]),
)
BRAKES = st.dictionaries(NAMES, st.sampled_from(["too many calls", "far too many calls"]), max_size=2)
"""Orders whose rules rest, and why."""


def entities() -> st.SearchStrategy[Customer | Order | Line | Block | Number | Diversion]:
    return st.one_of(customers(), orders(), lines(), blocks(), blocks(), numbers(), diversions(), diversions(), diversions())


def worlds(max_size: int = 25) -> st.SearchStrategy[list[Customer | Order | Line | Block | Number | Diversion]]:
    """A sound core in most cases, so that what is added has something to refer to."""
    core = [
        Customer(id="a", name="x"),
        Order(id="a", customer="a", product="sipTrunk 2.0", site=Site(id="a", address="")),
        Order(id="b", customer="a", product="sipTrunk 2.0", site=Site(id="b", address="")),
        Line(id="a", order="a", kind="registered"),
        Line(id="b", order="b", kind="registered"),
    ]
    return st.builds(
        lambda sound, more: (core if sound else []) + more,
        st.sampled_from([True, True, True, False]),
        st.lists(entities(), max_size=max_size),
    )
