"""The entities of a job.

redirect: one registered line that is forced down owns all numbers, so nothing probes; the order has one armed diversion, and
each number that ends in ``00`` one of its own. proxy: one static line, whose peer is the called side, owns one block.
registrar: one registered line per number, whose user is the number. probing: the numbers of redirect and, from `PROXIED` on, some
of proxy, beside any number of static lines that nobody calls, each with an address of its own.
"""

from collections.abc import Iterator

from benchmarks.plan import ORDER_TARGET, NumberPlan
from routing.model import (
    Block,
    Customer,
    Diversion,
    Entity,
    ExtensionRange,
    Line,
    Number,
    NumberScope,
    Order,
    OrderScope,
    Peer,
    Site,
    Target,
)

ORDER = "bench-order"
LINE = "bench-line"
PROXIED_LINE = "bench-proxied"
PROXIED = NumberPlan("+493022000000", 1_000)
PHONES_PORT = 5090


def entities(role: str, plan: NumberPlan, uas: str, lines: int = 0) -> Iterator[Entity]:
    """Yield all entities of a role, in the order in which they refer to each other; ``lines`` are watched by OPTIONS alone."""
    products = {"redirect": "sipTrunk 2.0", "registrar": "sipAccount 2.0"}
    product = products.get(role, "sipTrunk 2.0 Pro")
    yield Customer(id="bench-customer", name="Benchmark")
    yield Order(id=ORDER, customer="bench-customer", product=product, site=Site(id="bench-site", address="Loopback 1"))
    if role == "redirect":
        yield Line(id=LINE, order=ORDER, kind="registered", users=("bench",), wish="forced_down")
        yield from _numbers(plan)
        yield from _diversions(plan)
    elif role == "proxy":
        yield Line(id=LINE, order=ORDER, kind="static", peers=(Peer(address=uas),))
        yield _block(plan, LINE)
    elif role == "probing":
        yield Line(id=LINE, order=ORDER, kind="registered", users=("bench",), wish="forced_down")
        yield from _numbers(plan)
        yield from _diversions(plan)
        yield Line(id=PROXIED_LINE, order=ORDER, kind="static", peers=(Peer(address=uas),))
        yield _block(PROXIED, PROXIED_LINE)
        for index in range(lines):
            yield Line(id=f"p{index}", order=ORDER, kind="static", peers=(Peer(address=phone_address(index)),))
    else:
        yield from _accounts(plan)


def phone_address(index: int) -> str:
    """Return the address of a line's phone: one of 127.1.0.0 upward, none of which is the caller's."""
    return f"127.{1 + (index >> 16)}.{index >> 8 & 255}.{index & 255}:{PHONES_PORT}"


def own_rule(number: str, target: str) -> Diversion:
    """Return the armed diversion of a single number."""
    scope = NumberScope(number=number)
    return Diversion(id=f"rule{number[1:]}", order=ORDER, scope=scope, armed=True, targets=(Target(number=target),))


def _numbers(plan: NumberPlan) -> Iterator[Entity]:
    return (Number(id=f"n{number[1:]}", order=ORDER, line=LINE, number=number) for number in plan.numbers())


def _diversions(plan: NumberPlan) -> Iterator[Entity]:
    targets = (Target(number=ORDER_TARGET),)
    yield Diversion(id="bench-rule", order=ORDER, scope=OrderScope(), armed=True, targets=targets)
    for number in plan.numbers():
        if target := plan.own_target(number):
            yield own_rule(number, target)


def _block(plan: NumberPlan, line: str) -> Block:
    """Return one block over the range: what all numbers begin with, and the rest as extensions."""
    last = f"+{int(plan.first) + plan.count - 1}"
    common = next((at for at, (one, other) in enumerate(zip(plan.first, last, strict=True)) if one != other), len(last))
    base = plan.first[:common]
    ranges: tuple[ExtensionRange, ...] = ()
    if common < len(last):
        ranges = (ExtensionRange(first=plan.first[common:], last=last[common:]),)
    return Block(id="bench-block", order=ORDER, line=line, base=base, ranges=ranges)


def _accounts(plan: NumberPlan) -> Iterator[Entity]:
    for number in plan.numbers():
        digits = number[1:]
        yield Line(id=f"l{digits}", order=ORDER, kind="registered", users=(number,), request_uri="contact")
        yield Number(id=f"n{digits}", order=ORDER, line=f"l{digits}", number=number)
