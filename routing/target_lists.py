"""All targets of a rule: those for any fault, those for the phone system alone, and those of its periods."""

from collections.abc import Iterator

from routing.model import Diversion, Target

Listed = tuple[str, tuple[Target, ...]]
"""Place in the rule, and the list that stands there."""


def target_lists(diversion: Diversion) -> Iterator[Listed]:
    """Yield each list of targets with its place: ``targets``, ``periods[0].phone_system_targets``, and so on."""
    yield "targets", diversion.targets
    yield "phone_system_targets", diversion.phone_system_targets
    for index, period in enumerate(diversion.periods):
        yield f"periods[{index}].targets", period.targets
        yield f"periods[{index}].phone_system_targets", period.phone_system_targets


def is_plain(diversion: Diversion) -> bool:
    """Return whether ``targets`` is the only list, as with most rules."""
    return not diversion.periods and not diversion.phone_system_targets


def every_target(diversion: Diversion) -> Iterator[Target]:
    """Yield all targets, of whatever time and fault."""
    for _, targets in target_lists(diversion):
        yield from targets
