"""How long until a saved rule is effective with a carrier's whole domain in the service, and how long its event loop is ever busy."""

import asyncio
import math
import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from rich.table import Table

from benchmarks import procfs
from benchmarks.caller import Caller
from benchmarks.carrier import FAULTY, Carrier
from benchmarks.plan import NumberPlan
from benchmarks.report import markdown_table
from benchmarks.servers import ServerError
from benchmarks.target.serve import Served, Target, serving
from routing.model import (
    Block,
    BlockScope,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Number,
    NumberScope,
    Order,
    OrderScope,
    RangeScope,
    Scope,
    Site,
)
from routing.model import Target as Goal
from rules_store import RulesStore, StoreConnection
from sipproxy.admin.client import AdminClient
from sipproxy.errors import SipproxyError

PROMISED_MS: Final = 20.0

_LISTEN: Final = "127.0.0.1:5076"
_BASE: Final = "+493023125"
_PATIENCE_S: Final = 10.0
_LARGE: Final = "+493099999"
_LARGE_NUMBERS: Final = 1000
_SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
_METHOD: Final = (
    "The service has the whole domain, with one order in {faulty} out of service. Rules of such orders, at random, get another target "
    "through a second client of the store; the rule of a large block is switched on and off instead, so that its numbers fall to "
    "another rule. Saved is the time to the acknowledgement (fsync included). From then on one of the rule's numbers is called again and "
    "again until it is diverted as it must be now; effective is the time from the begin of the save to that answer. The large order has "
    "a block of 1,000 extensions, each a number of its own besides. Meanwhile the admin socket is asked every 2 ms, which shows when "
    "the event loop is busy."
)


@dataclass(frozen=True, slots=True)
class Change:
    """One change, in milliseconds from its begin."""

    what: str
    saved_ms: float
    effective_ms: float


@dataclass
class Found:
    """What was measured."""

    entities: int
    changes: list[Change] = field(default_factory=list)
    asked: int = 0
    """How often the event loop was asked for an answer."""
    slow_ms: list[float] = field(default_factory=list)
    """The longest answers, longest first."""
    memory_mb: float = 0.0

    @property
    def p99_ms(self) -> float:
        """Of the time from the begin of a save to its effect."""
        return _quantile(sorted(change.effective_ms for change in self.changes), 0.99)


class _Rules:
    """Picks a rule and what to make of it; knows which number shows it."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._random = random.Random(1)  # noqa: S311 - the same changes each time
        self._on: dict[str, bool] = {}
        self._count = 0
        with_rule = min(carrier.rules - 2 * carrier.blocks, carrier.numbers)
        if carrier.blocks < 1 or with_rule < 1 or with_rule >= carrier.numbers:
            raise ValueError("there must be rules for blocks, ranges and some single numbers, and numbers without a rule")
        self._with_rule = with_rule

    def extra(self) -> Iterator[Entity]:
        """Yield the large order, which the carrier does not have."""
        site = Site(id="site-large", address="Großweg 1, 10115 Berlin")
        yield Order(id="L-0", customer="200000", product="centrex Premium", site=site)
        yield Line(id="large", order="L-0", kind="registered", users=("large",), wish="forced_down")
        yield Block(id="large", order="L-0", line="large", base=_LARGE, ranges=(ExtensionRange(first="000", last="999"),))
        for n in range(_LARGE_NUMBERS):
            yield Number(id=f"large-{n:03}", order="L-0", line="large", number=f"{_LARGE}{n:03}")
        yield self._rule("large-order", "L-0", OrderScope(), _BASE + "998")

    def next(self) -> tuple[str, Diversion, str, str]:
        """Return what sort it is, the rule as it shall be, a number it is for, and where that is diverted to then."""
        self._count += 1
        target = f"{_BASE}{self._count % 998:03}"
        pick = self._random.randrange
        match self._count % 6:
            case 0:
                number = self._number(0, self._with_rule)
                called = self._carrier.number(number)
                key, order = f"r{2 * self._carrier.blocks + number:07}", f"S-{number // 10:06}"
                return "number", self._rule(key, order, NumberScope(number=called), target), called, target
            case 1:
                block = pick(0, self._carrier.blocks, FAULTY)
                scope = RangeScope(block=f"b{block:06}", first="10", last="19")
                rule = self._rule(f"r{self._carrier.blocks + block:07}", f"T-{block:06}", scope, target)
                return "range of a block", rule, self._carrier.extension(block, 1 + pick(10)), target
            case 2:
                block = pick(0, self._carrier.blocks, FAULTY)
                rule = self._rule(f"r{block:07}", f"T-{block:06}", BlockScope(block=f"b{block:06}"), target)
                return "block", rule, self._carrier.extension(block, 11 + pick(34)), target
            case 3:
                # A new rule for an order whose numbers have none of their own.
                number = self._number(self._with_rule, self._carrier.numbers)
                order = f"S-{number // 10:06}"
                rule = self._rule(f"d-{order}", order, OrderScope(), target)
                return "new default of an order", rule, self._carrier.number(number), target
            case 4:
                rule = self._rule("large-order", "L-0", OrderScope(), target)
                self._default = target
                on = self._on.get("large-block", False)
                return "default of a large order", rule, f"{_LARGE}{pick(1000):03}", self._block if on else target
            case _:
                on = self._on["large-block"] = not self._on.get("large-block", False)
                rule = self._rule("large-block", "L-0", BlockScope(block="large"), target, armed=on)
                self._block = target
                return "large block, on and off", rule, f"{_LARGE}{pick(1000):03}", target if on else self._default

    def _number(self, first: int, end: int) -> int:
        """Return one of the numbers of faulty orders from ``first`` on; an order has ten."""
        return 10 * self._random.randrange(-(-first // (10 * FAULTY)) * FAULTY, end // 10, FAULTY) + self._random.randrange(10)

    _default = _BASE + "998"
    _block = ""

    def _rule(self, key: str, order: str, scope: Scope, target: str, *, armed: bool = True) -> Diversion:
        return Diversion(id=key, order=order, scope=scope, armed=armed, targets=(Goal(number=target),))


def run(carrier: Carrier, changes: int, *, server_core: int, generator_core: int) -> Found:
    """Fill a store, start the service, change rules. `ServerError` when a change does not become effective."""
    rules = _Rules(carrier)
    found = Found(len(carrier))
    with serving(Target("carrier", _LISTEN, NumberPlan(), "", 1, carrier=carrier)) as served:
        procfs.pin(procfs.family(served.process.pid), server_core)
        asyncio.run(_prepare(served, rules))
        with _asking(served.admin, generator_core) as answers:
            asyncio.run(_change(served, rules, changes, found))
        found.asked, found.slow_ms = answers.recv()
        found.memory_mb = procfs.pss_bytes([served.process.pid]) / 1e6
    return found


async def _prepare(served: Served, rules: _Rules) -> None:
    async with StoreConnection(served.store) as connection:
        store = RulesStore(connection)
        for entity in rules.extra():
            await store.put(entity)
    caller = Caller(_LISTEN)
    limit = time.monotonic() + _PATIENCE_S
    while (answer := caller.call(f"{_LARGE}999")) is None or answer.target != f"{_BASE}998":
        if time.monotonic() > limit:
            raise ServerError(f"the large order is not diverted: {answer}")
    caller.close()


async def _change(served: Served, rules: _Rules, changes: int, found: Found) -> None:
    caller = Caller(_LISTEN)
    async with StoreConnection(served.store) as connection:
        store = RulesStore(connection)
        for index in range(changes):
            what, rule, number, target = rules.next()
            begun = time.monotonic()
            await store.put(rule)
            saved = time.monotonic()
            while (answer := caller.call(number)) is None or answer.target != target:
                if time.monotonic() - saved > _PATIENCE_S:
                    raise ServerError(f"{what}: {number} is answered {answer}, not diverted to {target}")
            found.changes.append(Change(what, (saved - begun) * 1000, (time.monotonic() - begun) * 1000))
            # Not in step with anything periodic.
            await asyncio.sleep(0.02 + (index * 7919 % 17) / 500)
    caller.close()


@contextmanager
def _asking(admin: Path, core: int) -> Iterator[Connection]:
    """Ask the service's event loop again and again from a process of its own; yields where its report comes after the block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_ask, args=(admin, core, theirs))
    process.start()
    ours.recv()
    try:
        yield ours
    finally:
        ours.send(None)
        process.join(30)


def _ask(admin: Path, core: int, report: Connection) -> None:
    procfs.pin([multiprocessing.current_process().pid or 0], core)
    client = AdminClient(admin)
    times: list[float] = []
    report.send(None)
    while not report.poll(0.002):
        begun = time.monotonic()
        try:
            client.request("no such operation")
        except SipproxyError:
            times.append((time.monotonic() - begun) * 1000)
    times.sort(reverse=True)
    report.send((len(times), times[:20]))


def _quantile(values: list[float], share: float) -> float:
    return values[max(math.ceil(share * len(values)) - 1, 0)]


def rows(found: Found) -> list[list[str]]:
    """Return what the tables show."""
    kinds = sorted({change.what for change in found.changes})
    groups = [("all", found.changes), *((kind, [c for c in found.changes if c.what == kind]) for kind in kinds)]
    shown = []
    for name, changes in groups:
        for column, values in (
            ("saved", sorted(change.saved_ms for change in changes)),
            ("effective", sorted(change.effective_ms for change in changes)),
        ):
            if column == "effective" or name == "all":
                shown.append([name, column, str(len(values)), *(f"{_quantile(values, share):.1f}" for share in _SHARES.values())])
    return shown


_HEAD: Final = ("rule", "milliseconds until", "changes", *_SHARES)


def table(found: Found) -> Table:
    """Return the result for the terminal."""
    drawn = Table(*_HEAD, title=f"Rule changes among {found.entities:,} entities", title_justify="left")
    for row in rows(found):
        drawn.add_row(*row)
    return drawn


def stalls(found: Found) -> str:
    """Say how long the event loop was busy at most."""
    longest = ", ".join(f"{value:.0f}" for value in found.slow_ms[:5])
    asked = f"Event loop asked {found.asked:,} times; the longest answers took {longest} ms."
    return f"{asked} Memory of the service {found.memory_mb:,.0f} MB (PSS)."


def sections(found: Found) -> list[str]:
    """Return the Markdown of a run."""
    return [*markdown_table(_HEAD, rows(found)), "", stalls(found), "", _METHOD.format(faulty=FAULTY)]
