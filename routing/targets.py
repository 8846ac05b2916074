"""Which numbers a customer may divert to; checked when a rule is saved and again when it is compiled."""

from dataclasses import dataclass
from typing import Protocol

from routing.model import Diversion
from routing.rejection import Fault


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """What a customer's targets may be."""

    home: str = "49"
    allow_international: bool = False
    allow_shared_cost: bool = False


@dataclass(frozen=True, slots=True)
class Owner:
    """Where a number of ours is delivered."""

    order: str
    site: str
    line: str


class DomainView(Protocol):
    """What the checks need to know about the other entities; `routing.directory.Directory` is one."""

    def owner(self, number: str) -> Owner | None:
        """Return who has the E.164 number."""

    def applying(self, number: str) -> Diversion | None:
        """Return the armed diversion that applies to the E.164 number."""


def parse_target(text: str, policy: TargetPolicy, location: str = "target") -> str:
    """Return the canonical E.164 form of a target as typed; raises `RuleRejected`."""
    raise NotImplementedError


def target_fault(number: str, policy: TargetPolicy, location: str = "target") -> Fault | None:
    """Return why a canonical number may not be a target; no phone number library, a microsecond."""
    raise NotImplementedError


def check_diversion(diversion: Diversion, policy: TargetPolicy, view: DomainView) -> list[Fault]:
    """Return all that is wrong with a diversion: its scope, each target, own numbers, same line or site, loops."""
    raise NotImplementedError
