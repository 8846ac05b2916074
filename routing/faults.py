"""Faults in the words of the service description, and what the engine sees of each.

What is seen of a fault is not always the fault: a data line that is cut, a router without power and a phone system without network
are the same silence (docs/verdicts.md). `Fault.seen` says so.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from routing.model import Wish
    from sipproxy._engine import FaultPlace, Health

FaultName = Literal[
    "none", "no_answer", "data_line", "network", "router", "phone_system", "unregistered", "drained", "forced_down", "drill"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is supposed, as the verdicts would see it after they have noticed it."""

    name: FaultName
    words: str
    """What is out, for people."""
    seen: str
    """What the proxy sees of it."""
    health: "Health"
    cause: str
    """Slug, as in `VerdictRow`."""
    place: "FaultPlace" = "unclear"
    wish: "Wish | None" = None
    """None: what is wished of the line anyway."""
    bound: bool = True
    """Whether a registered line still has an address."""
    whole_site: bool = False
    """Whether the other lines at the same site are out as well."""


def _wish(name: Literal["drained", "forced_down", "drill"], words: str, seen: str) -> Fault:
    return Fault(name, words, seen, "up", "options_answered", wish=name)


FAULTS: Final[dict[FaultName, Fault]] = {
    fault.name: fault
    for fault in (
        Fault("none", "no fault", "the line answers", "up", "options_answered"),
        Fault(
            "no_answer",
            "a line in doubt that does not answer this call",
            "one or two OPTIONS without answer, and silence to the call until the short answer timer ends",
            "suspect",
            "options_timeout",
        ),
        Fault(
            "data_line",
            "fault of the data line",
            "silence of all lines at the site; seen from the core it looks like any other silence",
            "down",
            "options_timeout",
            whole_site=True,
        ),
        Fault(
            "network",
            "fault in the customer's network",
            "the customer's router reports the phone system unreachable",
            "down",
            "host_unreachable",
            "network",
            whole_site=True,
        ),
        Fault(
            "router",
            "fault of the IP router",
            "the network reports the site unreachable",
            "down",
            "host_unreachable",
            "router",
            whole_site=True,
        ),
        Fault(
            "phone_system",
            "fault of the IP phone system",
            "the phone system of this line answers that it cannot, or refuses packets; the site itself is reached",
            "down",
            "options_code",
            "phone_system",
        ),
        Fault(
            "unregistered",
            "a registration that ran out",
            "the line is not registered any more, so there is no address to try",
            "down",
            "expired",
            bound=False,
        ),
        _wish("drained", "a line that the operator drains", "the line answers, but gets no new calls"),
        _wish("forced_down", "a line that the operator forced down", "the line is taken as down, whatever is observed"),
        _wish("drill", "a drill", "the line answers, and its calls are diverted on purpose"),
    )
}
