"""From a load file to what the engine decides, for tables of examples: the whole domain in between, nothing of it replaced."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from routing.compile import Compiler
from routing.document import parse_document
from routing.model import Entity
from sipproxy._engine import RouteTable
from tests.routing.test_compile_properties import INTERCONNECT


class Answer(NamedTuple):
    """What a call gets while the line is down."""

    line: str | None
    """None: the number is nobody's, or not live."""
    rule: str | None
    """The armed rule that applies."""
    targets: tuple[str, ...]


class Stage:
    """A compiler at an instant, and the engine's table."""

    def __init__(self, entities: Sequence[Entity], now: datetime) -> None:
        self.compiler, self.table = Compiler(), RouteTable()
        for delta in self.compiler.load(entities, now):
            self.table.apply(delta)

    def advance(self, now: datetime) -> None:
        """Let time go by."""
        for delta in self.compiler.advance(now):
            self.table.apply(delta)

    def call(self, number: str) -> Answer:
        """Ask the engine what a call gets whose line is down."""
        found = self.table.explain(number, INTERCONNECT, "down")
        if found["decision"] in {"not_found", "bad_number"}:
            return Answer(None, None, ())
        line, rule = found["line"], found["rule"]
        assert line is not None
        targets = tuple(uri.removeprefix("sip:").partition("@")[0] for uri in found["targets"])
        applies = found["decision"] == "redirect" and rule is not None
        return Answer(self.compiler.line_id(line), self.compiler.rule_id(rule) if applies and rule is not None else None, targets)


def document(*orders: dict[str, Any]) -> list[Entity]:
    """Read orders of one customer as the load file has them."""
    return parse_document({"customers": [{"id": "c", "name": "c", "orders": list(orders)}]}, "realm")


def order(key: str, **more: Any) -> dict[str, Any]:
    """An order with a site and a line of its name."""
    site = {"id": f"site-{key}", "address": ""}
    lines = [{"id": key, "user": f"user-{key}", "password": "never used"}]
    return {"id": key, "product": "sipTrunk 2.0", "site": site, "lines": lines, **more}
