"""What an entity refers to, by the field that says it."""

from collections.abc import Iterator

from routing.model import Block, BlockScope, Diversion, Entity, Line, Number, Order, RangeScope, User


def references(entity: Entity) -> Iterator[tuple[str, str, str]]:
    """Yield field (a move's are ``move_order`` and ``move_line``), kind and id of each entity that another one refers to."""
    match entity:
        case User():
            if entity.customer is not None:
                yield "customer", "customer", entity.customer
            yield from (("orders", "order", order) for order in entity.orders)
        case Order():
            yield "customer", "customer", entity.customer
        case Line():
            yield "order", "order", entity.order
        case Number() | Block():
            yield "order", "order", entity.order
            yield "line", "line", entity.line
            if entity.move is not None:
                yield "move_order", "order", entity.move.order
                yield "move_line", "line", entity.move.line
        case Diversion():
            yield "order", "order", entity.order
            if isinstance(entity.scope, BlockScope | RangeScope):
                yield "block", "block", entity.scope.block
        case _:
            return
