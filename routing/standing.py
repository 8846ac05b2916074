"""What a rule comes to at an instant: which targets, or why it diverts nothing just now.

An armed rule *rests* while its plan is not on, while the period that has the say has no targets, or while the brake holds its
order (`routing.brake`). It is passed over like one that is not armed, and the engine is told why, for its trace.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from routing.model import Diversion, Period, PlanName, Target
from routing.schedule import Outlook


class Rest(NamedTuple):
    """Why an armed rule does not count now."""

    reason: Literal["other_plan", "period", "barred", "brake"]
    """Its plan is not on; it diverts nothing at this time; none of its targets for this time may be used; too many calls of its order were
    diverted (`routing.brake`)."""
    name: str
    """Of the rule's plan; of the period, or its place such as "period 2"; of the brake, half a sentence."""
    plan: PlanName | None = None
    """The plan that is on."""

    @property
    def context(self) -> Mapping[str, str]:
        """Return the values that the text is built from, for translations."""
        key = {"other_plan": "plan", "brake": "brake"}.get(self.reason, "period")
        return {key: self.name} | ({"on": self.plan} if self.plan is not None else {})

    @property
    def text(self) -> str:
        """Half an English sentence; the subject is the rule."""
        match self.reason:
            case "other_plan":
                on = f"the plan {self.plan!r} is on" if self.plan is not None else "no plan is on"
                return f"it belongs to the plan {self.name!r}, and {on}"
            case "period":
                return f"it diverts nothing in these times ({self.name})"
            case "barred":
                return "none of its targets for this time may be used"
            case "brake":
                return self.name


@dataclass(frozen=True, slots=True)
class Standing:
    """A rule at one instant; its targets are not yet looked at for what may be used."""

    targets: tuple[Target, ...]
    phone_system_targets: tuple[Target, ...]
    index: int | None
    """Of the period that has the say, None when none does."""
    period: str
    """Its name; "" when none has the say."""
    rest: Rest | None
    since: datetime | None
    """From when on periods make it what it is, as far as is known; None: for ever."""
    until: datetime | None
    """When periods make it another; None: never."""


def standing_of(diversion: Diversion, plan: PlanName | None, outlook: Outlook | None) -> Standing:
    """Return what a rule comes to, with the plan that its order has on.

    ``outlook``: which of its periods holds; None for a rule without, and for one that is only held against others, at no time.
    """
    rest = Rest("other_plan", diversion.plan, plan) if diversion.plan is not None and diversion.plan != plan else None
    targets, others, name = diversion.targets, diversion.phone_system_targets, ""
    index = outlook.period if outlook is not None else None
    if index is not None:
        period = diversion.periods[index]
        targets, others, name = period.targets, period.phone_system_targets, name_of(period, index)
        if others and not targets:
            targets = diversion.targets
        if rest is None and not targets:
            rest = Rest("period", name)
    since, until = (outlook.since, outlook.until) if outlook is not None else (None, None)
    return Standing(targets, others, index, name, rest, since, until)


def name_of(period: Period, index: int) -> str:
    """Return what a period is called: by its name, or by its place among those of its rule."""
    return period.name or f"period {index + 1}"
