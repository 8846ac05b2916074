"""Engine tables of any size, page by page in the deltas of the boundary and without a store: for what is asked of the engine alone.

What they hold is what the compiler makes of the job's entities (`benchmarks.target.data`, `benchmarks.carrier`); tests hold the two
against each other.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.plan import ORDER_TARGET, NumberPlan
from routing.compile import PAGE

if TYPE_CHECKING:
    from sipproxy._engine import Delta, LineSpec, RuleSpec

PER_BLOCK = 45
"""Numbers of a block with the extensions 0 and 10 to 53."""
_PREFIXES = ("1", "2", "3", "4")
_POINTS = ("0", "50", "51", "52", "53")


def line(slot: int) -> "LineSpec":
    """Return a registered line that is forced down, so that nothing probes it and each call to it is diverted."""
    return {
        "slot": slot,
        "line_id": f"l{slot}",
        "order_id": f"o{slot}",
        "site_id": f"s{slot}",
        "groups": [f"region:region {slot % 50}"],
        "product": "sipTrunk 2.0",
        "profile": "registered",
        "kind": "registered",
        "users": [f"l{slot}"],
        "credentials": [],
        "peers": [],
        "request_uri": "number",
        "wish": "forced_down",
    }


def rule(slot: int, label: str, target: str) -> "RuleSpec":
    """Return an armed rule; ``target`` is E.164 with ``+``."""
    targets = [{"digits": target[1:], "keep_after": None}]
    return {"slot": slot, "rule_id": f"r{slot}", "label": label, "armed": True, "targets": targets}  # type: ignore[typeddict-item]


def redirects(plan: NumberPlan) -> Iterator["Delta"]:
    """Yield the job `redirect`: one line has all numbers, the order has a rule, and so has each number that ends in ``00``."""
    yield {"lines": [line(0)], "rules": [rule(0, "order", ORDER_TARGET)]}
    rules: list[RuleSpec] = []
    exact: list[tuple[str, int, int, int]] = []
    slot = 0
    for number in plan.numbers():
        own = plan.own_target(number)
        if own:
            slot += 1
            rules.append(rule(slot, f"number {number}", own))
        exact.append((number[1:], 0, slot if own else 0, 0))
        if len(exact) == PAGE:
            yield {"rules": rules, "exact": exact}
            rules, exact = [], []
    yield {"rules": rules, "exact": exact}


def lines_and_rules(count: int) -> Iterator["Delta"]:
    """Yield so many lines and rules."""
    for start in range(0, count, PAGE // 5):
        slots = range(start, min(start + PAGE // 5, count))
        yield {"lines": [line(slot) for slot in slots], "rules": [rule(slot, f"order {slot}", ORDER_TARGET) for slot in slots]}


def singles(count: int, lines: int) -> Iterator["Delta"]:
    """Yield ``count`` single numbers, dealt out to ``lines`` lines and as many rules."""
    for start in range(0, count, PAGE):
        numbers = range(start, min(start + PAGE, count))
        yield {"exact": [(f"4930{21_000_000 + n}", n % lines, n % lines, 0) for n in numbers]}


def blocks(count: int, lines: int) -> Iterator["Delta"]:
    """Yield blocks with ``count`` numbers in all, in what the extensions 0 and 10 to 53 come to."""
    each = PAGE // (len(_PREFIXES) + len(_POINTS))
    for start in range(0, -(-count // PER_BLOCK), each):
        held = [(f"4930{210_000 + n}", n % lines) for n in range(start, min(start + each, -(-count // PER_BLOCK)))]
        yield {
            "exact": [(base + point, line, line, 0) for base, line in held for point in _POINTS],
            "prefixes": [
                (base + prefix, len(base) + 2, len(base) + 2, line, line, 0) for base, line in held for prefix in _PREFIXES
            ],
        }
