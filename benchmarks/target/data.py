"""The entities of a job.

redirect: one registered line that is forced down owns all numbers, so nothing probes; the order has one armed diversion, and
each number that ends in ``00`` one of its own. proxy: one static line, whose peer is the called side, owns one block.
registrar: one registered line per number, whose user is the number.
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


def entities(role: str, plan: NumberPlan, uas: str) -> Iterator[Entity]:
    """Yield all entities of a role, in the order in which they refer to each other."""
    product = {"redirect": "sipTrunk 2.0", "proxy": "sipTrunk 2.0 Pro", "registrar": "sipAccount 2.0"}[role]
    yield Customer(id="bench-customer", name="Benchmark")
    yield Order(id=ORDER, customer="bench-customer", product=product, site=Site(id="bench-site", address="Loopback 1"))
    if role == "redirect":
        yield Line(id=LINE, order=ORDER, kind="registered", users=("bench",), wish="forced_down")
        yield from _numbers(plan)
        yield from _diversions(plan)
    elif role == "proxy":
        yield Line(id=LINE, order=ORDER, kind="static", peers=(Peer(address=uas),))
        yield _block(plan)
    else:
        yield from _accounts(plan)


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


def _block(plan: NumberPlan) -> Block:
    """Return one block over the range: what all numbers begin with, and the rest as extensions."""
    last = f"+{int(plan.first) + plan.count - 1}"
    common = next((at for at, (one, other) in enumerate(zip(plan.first, last, strict=True)) if one != other), len(last))
    base = plan.first[:common]
    ranges: tuple[ExtensionRange, ...] = ()
    if common < len(last):
        ranges = (ExtensionRange(first=plan.first[common:], last=last[common:]),)
    return Block(id="bench-block", order=ORDER, line=LINE, base=base, ranges=ranges)


def _accounts(plan: NumberPlan) -> Iterator[Entity]:
    for number in plan.numbers():
        digits = number[1:]
        yield Line(id=f"l{digits}", order=ORDER, kind="registered", users=(number,), request_uri="contact")
        yield Number(id=f"n{digits}", order=ORDER, line=f"l{digits}", number=number)
