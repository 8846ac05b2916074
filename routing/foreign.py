"""Registrars of others, as far as routing goes: where calls for their lines are sent, and the line that watches those hops."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.slots import Slots

if TYPE_CHECKING:
    from sipproxy._engine import LineSpec

WATCH_PROFILE = "registrar"
"""How the next hops of a registrar are judged (`routing.profiles`)."""


@dataclass(frozen=True, slots=True)
class ForeignRegistrar:
    """A registrar of the configuration, by its name there."""

    name: str
    hops: tuple[tuple[str, int], ...]
    """(address, priority) of its network's next hops, the lowest priority number first."""


Registrars = Mapping[str, ForeignRegistrar]


def watch_line(name: str) -> str:
    """Return the id of the line that watches a registrar's next hops; no line of an order can have it."""
    return f"registrar/{name}"


def watched_registrar(line_id: str) -> str | None:
    """Return the registrar whose hops a line watches, None for the line of an order."""
    return line_id.removeprefix("registrar/") if line_id.startswith("registrar/") else None


def watch_spec(registrar: ForeignRegistrar, slots: Slots) -> "LineSpec":
    """Return the static line by which the engine probes the next hops, once for all lines behind them."""
    key = watch_line(registrar.name)
    return {
        "slot": slots.take(key),
        "line_id": key,
        "order_id": "",
        "site_id": "",
        "groups": [],
        "product": "registrar",
        "profile": WATCH_PROFILE,
        "kind": "static",
        "users": [],
        "credentials": [],
        "peers": list(registrar.hops),
        "request_uri": "contact",
        "wish": "enabled",
    }
