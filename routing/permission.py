"""Who may change the rules of which order: by role, by customer, and by the orders that a user is bound to.

Faces ask nobody else: what a user may see and do is worked out here, for pages, API and commands alike.
"""

from typing import Final

from routing.model import Order, Role, User
from routing.rejection import Fault, fault

CHANGING: Final[frozenset[Role]] = frozenset({"owner", "editor", "operator"})
"""Roles that may change rules; `viewer` and `auditor` look at them."""


def is_staff(user: User | None) -> bool:
    """Return whether somebody is the carrier's staff; nobody in particular is the staff at the admin socket."""
    return user is None or user.customer is None


def sees(user: User | None, order: Order) -> bool:
    """Return whether an order is there for a user: staff has all, a customer's user those of the customer that he is bound to."""
    if user is None or user.customer is None:
        return True
    return order.customer == user.customer and (not user.orders or order.id in user.orders)


def user_fault(user: User | None) -> Fault | None:
    """Return why somebody may change no rule at all, None if he may."""
    if user is None:
        return None
    if user.locked:
        return fault("user_locked", "", user=user.id)
    if user.role not in CHANGING:
        return fault("user_reads", "", user=user.id, role=user.role)
    return None


def order_fault(user: User | None, key: str, order: Order | None) -> Fault | None:
    """Return why somebody may not change the rules of an order, None if he may; to a customer others' orders are not there."""
    if order is None or not sees(user, order):
        return fault("reference_missing", "order", kind="order", id=key)
    return None
