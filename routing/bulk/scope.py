"""What an import with ``--replace`` is the whole truth about."""

from collections.abc import Mapping
from dataclasses import dataclass

from routing.model import Block, Customer, Diversion, Entity, Line, Number, Order, User
from routing.rejection import reject


@dataclass(frozen=True, slots=True)
class Replace:
    """What is in this scope and not in the file is removed: all (``kind`` "all"), a customer, or an order."""

    kind: str
    id: str = ""

    def __str__(self) -> str:
        """As it is written on the command line."""
        return f"{self.kind}:{self.id}" if self.id else self.kind


def parse_replace(text: str) -> Replace:
    """Read ``all``, ``customer:100001`` or ``order:A-1001``. Raises `RuleRejected`."""
    kind, _, key = text.partition(":")
    if (text == "all") or (kind in {"customer", "order"} and key):
        return Replace(kind, key)
    raise reject("field_value", "replace", text=text[:40], why="it is none of all, customer:ID and order:ID")


def inside(entity: Entity, scope: Replace, orders: Mapping[str, Order]) -> bool:
    """Return whether an entity belongs to a scope."""
    if scope.kind == "all":
        return True
    if scope.kind == "order":
        return (isinstance(entity, Order) and entity.id == scope.id) or getattr(entity, "order", None) == scope.id
    match entity:
        case Customer():
            return entity.id == scope.id
        case User() | Order():
            return entity.customer == scope.id
        case Line() | Block() | Number() | Diversion():
            order = orders.get(entity.order)
            return order is not None and order.customer == scope.id
        case _:
            return False
