"""A question to the simulator and its answer, as values for pages, the REST API and the command line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from routing.faults import FaultName
from routing.precedence import Considered

Outcome = Literal["diverted", "rescued", "line", "line_contact", "last_try", "unavailable", "not_found", "bad_number"]
"""302 to targets; sent to the line with a short patience and then 302 to targets; sent to the line; 302 to the line's own contact; tried
at the line because nothing diverts; 480; not found; no number."""


@dataclass(frozen=True, slots=True)
class Question:
    """A call that is asked about."""

    number: str
    """The called number, in any form that the interconnect sends."""
    at: datetime
    """When it comes: an aware time."""
    fault: FaultName = "none"
    caller: str = ""
    """Who calls, E.164; it changes nothing but what is said about it."""
    diverted_from: tuple[str, ...] = ()
    """The numbers that it was diverted from before, in order, as Diversion header fields would tell."""
    offers_history: bool = False
    """The call says ``Supported: histinfo`` (RFC 7044)."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One target of the 302, in the order of preference."""

    number: str
    """E.164."""
    uri: str
    q: str
    ring_s: int | None
    """How long it rings; acts only where the call is forwarded by us."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose number it is."""

    customer: str
    customer_name: str
    order: str
    product: str
    site: str
    address: str
    line: str
    held_by: str
    """``number`` or ``block`` and its id."""


@dataclass(frozen=True, slots=True)
class Times:
    """What of the calendar counts for the answer."""

    day: str
    """The day in Germany, ISO."""
    holiday: bool
    """Whether it is a public holiday where the rule's line stands."""
    state: str
    """That state; "" where none is known, then holidays of all states count."""
    plan: str
    """The plan that the order has on; ""."""
    period: str
    """The period of the applying rule that has the say; "" when none does."""
    next_change: str
    """When dates or times change something around this number next (instant, ISO); ""."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets, and why."""

    number: str
    """E.164; what was asked if that is no number."""
    at: datetime
    fault: FaultName
    outcome: Outcome
    status: int
    """Of the answer at once; 0: sent to the line."""
    reason: str
    """Slug of `Explanation.reason`."""
    sentence: str
    targets: tuple[Contact, ...]
    headers: tuple[tuple[str, str], ...]
    """Those of the answer that say where to and why, as they would be sent."""
    owner: Owner | None
    rule: str
    """The rule that diverts or would; ""."""
    rules: tuple[Considered, ...]
    """All that were looked at, most specific first."""
    times: Times | None
    dates: tuple[str, ...]
    """When the number belongs to whom, and when its order is live; none when it always is."""
    notes: tuple[str, ...]
    """What is to be known besides."""
    trace: tuple[tuple[str, str], ...]
    """The engine's steps: (step, sentence)."""

    @property
    def diverts(self) -> bool:
        """Whether the caller is sent to a target."""
        return self.outcome in {"diverted", "rescued"}
