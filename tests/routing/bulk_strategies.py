"""Entities of every kind with every field, each valid by itself."""

import string
from datetime import UTC, date, datetime

from hypothesis import strategies as st

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
    User,
)
from routing.products import PRODUCTS

_FIRST = string.ascii_letters + string.digits
IDS = st.one_of(
    st.text(_FIRST + "._-", max_size=6).map(lambda rest: f"a{rest}"),
    st.sampled_from(["007", "1E5", "1-12", "100001", "493023125010", "true", "01.04", "0"]),
)
# What tables and spreadsheets trip over, and anything else.
TEXTS = st.one_of(
    st.sampled_from(
        ["=1+1", "'", "''", "'=x", "'9", "-1", "@a", '"', '""', '"""', ";", "a;b,c\td", "x\r\ny", "\n", " x ", "0049", "€ä"]
    ),
    st.text(max_size=12),
)
GROUPS = st.text("aZ07 -=+@'äß€|\\\";", min_size=1, max_size=8).map(str.strip).filter(bool)
FICTION = st.one_of(
    st.integers(0, 999).map(lambda n: f"+493023125{n:03}"),
    st.integers(0, 999).map(lambda n: f"+496990009{n:03}"),
    st.integers(0, 99).map(lambda n: f"+4917139200{n:02}"),
)
INSTANTS = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
STATES = st.sampled_from([None, "BE", "BY", "TH"])
SITES = st.builds(Site, id=IDS, address=TEXTS, region=st.none() | GROUPS, state=STATES)
TARGETS = st.one_of(
    st.builds(Target, number=FICTION, ring_s=st.none() | st.integers(5, 180)),
    st.builds(Target, number=st.just("+496990009"), keep_extension=st.just(value=True), ring_s=st.none() | st.integers(5, 180)),
)
_TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)) | st.just("24:00")
_DAYS = st.none() | st.dates(date(2000, 1, 1), date(2090, 1, 1))
_WEEKDAYS = st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), max_size=3).map(tuple)
PERIODS = st.builds(
    Period,
    name=TEXTS,
    first=_DAYS,
    last=_DAYS,
    days=_WEEKDAYS,
    start=_TIMES,
    end=_TIMES,
    holidays=st.sampled_from(["any", "only", "except"]),
    targets=st.lists(TARGETS, max_size=2).map(tuple),
    phone_system_targets=st.lists(TARGETS, max_size=2).map(tuple),
)
MOVES = st.none() | st.builds(Move, at=st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1)), order=IDS, line=IDS)  # noqa: DTZ001


@st.composite
def ranges(draw: st.DrawFn) -> ExtensionRange:
    width = draw(st.integers(1, 4))
    low = draw(st.integers(0, 10**width - 1))
    high = draw(st.integers(low, 10**width - 1))
    return ExtensionRange(first=f"{low:0{width}}", last=f"{high:0{width}}")


@st.composite
def spans(draw: st.DrawFn) -> dict[str, datetime | None]:
    """Two instants of which the second is later."""
    start, end = draw(INSTANTS), draw(INSTANTS)
    if start is not None and end is not None and end <= start:
        start, end = (end, start) if end < start else (start, None)
    return {"active_from": start, "active_until": end}


def _with_span(model: type[Entity], fields: dict[str, st.SearchStrategy[object]]) -> st.SearchStrategy[Entity]:
    return st.tuples(st.fixed_dictionaries(fields), spans()).map(lambda both: model.model_validate({**both[0], **both[1]}))


_LIMITS = st.builds(Limits, **dict.fromkeys(Limits.model_fields, st.none() | st.integers(1, 9999)))
_BOUNDED = st.none() | st.integers(1, 9999)
CUSTOMERS = st.builds(
    Customer,
    id=IDS,
    name=TEXTS.filter(bool),
    allowances=st.sampled_from([(), ("international",), ("international", "shared_cost")]),
    limits=_LIMITS,
)
USERS = st.builds(
    User,
    id=IDS,
    name=TEXTS.filter(bool),
    role=st.sampled_from(["owner", "editor", "viewer", "operator", "auditor"]),
    customer=st.none() | IDS,
    orders=st.lists(IDS, max_size=2).map(tuple),
    locked=st.booleans(),
)
ORDERS = _with_span(
    Order,
    {
        "id": IDS,
        "customer": IDS,
        "product": st.sampled_from([*PRODUCTS]),
        "site": SITES,
        "data_line": st.none() | TEXTS,
        "bandwidth": st.none() | TEXTS,
        "plan": st.none() | GROUPS,
    },
)
_CREDENTIALS = st.builds(
    Credential,
    username=TEXTS.filter(bool),
    algorithm=st.sampled_from(["MD5", "SHA-256"]),
    ha1=st.sampled_from(["0" * 32, "a" * 64]),
)
LINES = st.builds(
    Line,
    id=IDS,
    order=IDS,
    kind=st.sampled_from(["registered", "static", "foreign"]),
    users=st.lists(TEXTS, max_size=3).map(tuple),
    credentials=st.lists(_CREDENTIALS, max_size=2).map(tuple),
    peers=st.lists(st.builds(Peer, address=TEXTS, priority=st.integers(1, 100)), max_size=2).map(tuple),
    registrar=st.none() | TEXTS,
    request_uri=st.sampled_from(["contact", "number"]),
    profile=st.none() | TEXTS,
    profile_changes=st.sampled_from(
        [{}, {"interval_s": 30, "fall": 5}, {"codes": (503, 408)}, {"interval_s": 1.5, "options": True}]
    ),
    site=st.none() | SITES,
    access=st.none() | GROUPS,
    wish=st.sampled_from(["enabled", "drained", "forced_down", "forced_up", "drill"]),
    wish_until=INSTANTS,
    wish_by=TEXTS,
    wish_note=TEXTS,
)
BLOCKS = _with_span(
    Block,
    {
        "id": IDS,
        "order": IDS,
        "line": IDS,
        "base": st.sampled_from(["+493023125", "+496990009", "+49221471"]),
        "ranges": st.lists(ranges(), max_size=3).map(tuple),
        "move": MOVES,
    },
)
NUMBERS = _with_span(Number, {"id": IDS, "order": IDS, "line": IDS, "number": FICTION, "move": MOVES})
SCOPES = st.one_of(
    st.builds(NumberScope, number=FICTION),
    st.builds(lambda block, r: RangeScope(block=block, first=r.first, last=r.last), IDS, ranges()),
    st.builds(BlockScope, block=IDS),
    st.just(OrderScope()),
)
DIVERSIONS = st.builds(
    Diversion,
    id=IDS,
    order=IDS,
    scope=SCOPES,
    armed=st.booleans(),
    targets=st.lists(TARGETS, min_size=1, max_size=3).map(tuple),
    phone_system_targets=st.lists(TARGETS, max_size=2).map(tuple),
    periods=st.lists(PERIODS, max_size=2).map(tuple),
    plan=st.none() | GROUPS,
    note=TEXTS,
)
ENTITIES: st.SearchStrategy[Entity] = st.one_of(CUSTOMERS, USERS, ORDERS, LINES, BLOCKS, NUMBERS, DIVERSIONS)
