"""A load file that is written is read as the same entities, with periods, plans, moves, limits and sites of lines."""

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.bulk.nested import nested
from routing.document import parse_document
from routing.model import (
    Block,
    BlockScope,
    Credential,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Limits,
    Line,
    Move,
    Number,
    NumberScope,
    Order,
    OrderScope,
    Peer,
    Period,
    RangeScope,
    Site,
    Target,
)
from tests.routing.bulk_strategies import GROUPS

_TEXTS = st.none() | st.text(min_size=1, max_size=8)
_MOBILES = st.lists(st.integers(0, 99), max_size=3, unique=True)
_TARGETS = st.tuples(_MOBILES, st.none() | st.integers(5, 180)).map(
    lambda both: tuple(Target(number=f"+4917139200{n:02}", ring_s=both[1]) for n in both[0])
)
_DAYS = st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), max_size=3, unique=True).map(tuple)
_CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
_DATES = st.lists(st.dates(datetime(2020, 1, 1).date(), datetime(2040, 1, 1).date()), min_size=2, max_size=2).map(sorted)  # noqa: DTZ001
_SITES = st.builds(
    Site, id=st.just("elsewhere"), address=st.text(max_size=8), region=st.none() | GROUPS, state=st.sampled_from([None, "BY"])
)


_CREDENTIALS = st.lists(
    st.builds(Credential, username=st.sampled_from(["u3", "u4"]), algorithm=st.just("SHA-256"), ha1=st.just("a" * 64)), max_size=2
).map(tuple)
_PEERS = st.lists(
    st.builds(
        Peer,
        address=st.sampled_from(["192.0.2.1:5060", "[2001:db8::1]:5060", "pbx.example.net:5060"]),
        priority=st.integers(1, 9),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
_RANGES = st.sampled_from(
    [
        (),
        (ExtensionRange(first="0", last="0"), ExtensionRange(first="01", last="01"), ExtensionRange(first="10", last="99")),
        (ExtensionRange(first="000", last="999"),),
    ]
)


@st.composite
def periods(draw: st.DrawFn) -> Period:
    first, last = draw(st.none() | _DATES) or (None, None)
    return Period(
        name=draw(st.text(max_size=8)),
        first=first,
        last=last,
        days=draw(_DAYS),
        start=draw(_CLOCK),
        end=draw(_CLOCK | st.just("24:00")),
        holidays=draw(st.sampled_from(["any", "only", "except"])),
        targets=draw(_TARGETS),
        phone_system_targets=draw(_TARGETS),
    )


@st.composite
def worlds(draw: st.DrawFn) -> list[Entity]:
    limit = st.none() | st.integers(100, 9999)
    limits = Limits(**{name: draw(limit) for name in Limits.model_fields})
    moved = Move(at=datetime(2030, 1, 1, tzinfo=UTC), order="B", line="b")
    scopes = (
        NumberScope(number="+493023125010"),
        RangeScope(block="x", first="100", last="199"),
        BlockScope(block="x"),
        OrderScope(),
    )
    rules = [
        Diversion(
            id=f"r-{n}",
            order="A",
            scope=scope,
            armed=draw(st.booleans()),
            targets=draw(_TARGETS.filter(bool)),
            phone_system_targets=draw(_TARGETS),
            periods=draw(st.lists(periods(), max_size=2).map(tuple)),
            plan=draw(st.none() | GROUPS),
            note=draw(st.text(max_size=8)),
        )
        for n, scope in enumerate(scopes)
    ]
    return [
        Customer(id="c", name="Muster", allowances=draw(st.sampled_from([(), ("international",)])), limits=limits),
        Order(
            id="A",
            customer="c",
            product="sipTrunk 2.0",
            site=Site(id="berlin", address="", state=draw(st.sampled_from([None, "BE"]))),
            data_line=draw(_TEXTS),
            bandwidth=draw(_TEXTS),
            plan=draw(st.none() | GROUPS),
            active_from=draw(st.none() | st.just(datetime(2026, 2, 1, 23, tzinfo=UTC))),
            active_until=draw(st.none() | st.just(datetime(2031, 7, 1, 22, 30, tzinfo=UTC))),
        ),
        Order(id="P", customer="c", product="sipTrunk 2.0 Pro", site=Site(id="hamburg", address="")),
        Order(id="B", customer="c", product="sipTrunk 2.0", site=Site(id="koeln", address=draw(st.text(max_size=8)))),
        Line(
            id="a",
            order="A",
            kind="registered",
            users=("u1", "u2"),
            site=draw(st.none() | _SITES),
            access=draw(st.none() | GROUPS),
            profile_changes=draw(st.sampled_from([{}, {"interval_s": 30.0, "fall": 5}])),
        ),
        Line(id="b", order="B", kind="registered", users=("u3",), credentials=draw(_CREDENTIALS), request_uri="contact"),
        Line(id="p", order="P", kind="static", peers=draw(_PEERS), profile=draw(st.none() | st.just("gateway"))),
        Block(id="y", order="P", line="p", base="+492214710", ranges=draw(_RANGES), move=draw(st.none() | st.just(moved))),
        Diversion(
            id="kept",
            order="P",
            scope=BlockScope(block="y"),
            armed=draw(st.booleans()),
            targets=(Target(number="+498999998", keep_extension=True, ring_s=draw(st.none() | st.integers(5, 180))),),
        ),
        Block(id="x", order="A", line="a", base="+494066969", ranges=(ExtensionRange(first="000", last="999"),)),
        Number(id="n", order="A", line="a", number="+493023125010"),
        Number(
            id="m",
            order="A",
            line="a",
            number="+493023125011",
            active_from=draw(st.none() | st.just(datetime(2026, 3, 1, 5, tzinfo=UTC))),
            move=draw(st.none() | st.just(moved)),
        ),
        *rules,
    ]


@settings(max_examples=60)
@given(worlds())
def test_a_load_file_is_read_back_as_it_was(entities: list[Entity]) -> None:
    document = json.loads(json.dumps(nested(entities)))
    found = parse_document(document, "realm")
    assert sorted(map(_text, found)) == sorted(map(_text, entities))


def _text(entity: Entity) -> str:
    return f"{type(entity).__name__} {entity.model_dump_json()}"
