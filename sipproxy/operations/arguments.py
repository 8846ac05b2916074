"""Arguments of a request, checked: a command of another release, or a person with a socket, gets a sentence."""

from collections.abc import Mapping
from typing import TypeVar

from routing.rejection import RuleRejected
from rules_store import ConflictError, NumberTakenError, StoreError
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError, Fault

T = TypeVar("T")
_DIFFERENCES = 12


def argument(args: Mapping[str, Json], name: str, kind: type[T], default: T | None = None) -> T:
    """Return ``args[name]`` if it is a ``kind``. Raises `AdminError` with code ``bad_request``."""
    value = args.get(name, default)
    if value is None and default is None:
        raise AdminError("bad_request", f"the argument {name!r} is missing")
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise AdminError("bad_request", f"the argument {name!r} is no {kind.__name__}")
    if isinstance(value, str) and not _is_text(value):
        raise AdminError("bad_request", f"the argument {name!r} has half a character in it (a surrogate alone)")
    return value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def rejected(error: RuleRejected, file: str, lines: Mapping[str, int] | None = None) -> AdminError:
    """Turn a refusal of the domain into an answer; ``lines`` says where in the file a location is."""
    faults = tuple(_fault(fault.location, fault.message, file, lines or {}) for fault in error.faults)
    return AdminError("rejected", f"{file}: not accepted" if file else "not accepted", "", faults)


def _fault(location: str, message: str, file: str, lines: Mapping[str, int]) -> Fault:
    """Split "what is wrong. What to do." and find the line of the location or of what holds it."""
    what, _, remedy = message.partition(". ")
    place = location
    while place and place not in lines:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return Fault(file, location, what, remedy or "correct it", lines.get(place))


def not_read(error: StoreError) -> AdminError:
    """Turn a failed reading into an answer."""
    return AdminError("not_read", f"not readable: {error.what}", error.remedy)


def _differing(error: ConflictError) -> str:
    """List what the present state would have become, a line each."""
    found = [str(difference) for difference in error.differences()]
    more = [f"and {len(found) - _DIFFERENCES} more"] if len(found) > _DIFFERENCES else []
    return "".join(f"\n  {line}" for line in [*found[:_DIFFERENCES], *more])


def not_stored(error: StoreError | ConflictError | NumberTakenError) -> AdminError:
    """Turn what the store says into an answer."""
    if isinstance(error, StoreError):
        return AdminError("not_saved", f"not saved: {error.what}", error.remedy)
    if isinstance(error, ConflictError):
        return AdminError(
            "conflict", f"nothing was written: {error}{_differing(error)}", "look at the present state and try again"
        )
    return AdminError("taken", f"nothing was written: {error}", "remove it there first")
