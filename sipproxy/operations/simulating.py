"""What simulating operations share: when, which fault, and what of the running service has a say."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from routing.faults import FAULTS, FaultName
from routing.local_time import NoInstantError, read_instant
from routing.simulator import Surroundings
from sipproxy.admin.protocol import Json
from sipproxy.config.engine_settings import interconnect_settings
from sipproxy.config.foreign import foreign_registrars
from sipproxy.errors import AdminError

if TYPE_CHECKING:
    from sipproxy.service import Service


def too_large() -> AdminError:
    """Return the refusal of what would take too long."""
    return AdminError("too_large", "this has more numbers than are simulated at once", "ask about one order, or about one number")


def instant(args: dict[str, Json]) -> datetime | None:
    """Return when the call comes, None for now. Raises `AdminError`."""
    text = args.get("at")
    if text is None:
        return None
    try:
        return read_instant(text)
    except (NoInstantError, TypeError) as error:
        why = str(error) or "it is no text"
        raise AdminError(
            "bad_request", f"{text}: {why}", "write a time on the clocks in Germany, such as 2026-12-24 18:30"
        ) from None


def fault(args: dict[str, Json], usual: FaultName) -> FaultName:
    """Return the fault that is supposed. Raises `AdminError`."""
    text = str(args.get("fault") or usual).replace("-", "_")
    for name in FAULTS:
        if name == text:
            return name
    known = ", ".join(name.replace("_", "-") for name in FAULTS)
    raise AdminError("bad_request", f"no fault is named {text!r}", f"known: {known}")


def surroundings(service: "Service", args: dict[str, Json], at: datetime | None) -> Surroundings:
    """Return what has a say besides the entities; call it while the rules are settled. Raises `AdminError`."""
    configuration = service.loaded.configuration
    found = interconnect_settings(configuration)
    name = args.get("interconnect") or found[0]["name"]
    interconnect = next((item for item in found if item["name"] == name), None)
    if interconnect is None:
        known = ", ".join(item["name"] for item in found)
        raise AdminError("unknown", f"no interconnect is named {name!r}", f"known: {known}")
    directory = service.supply.directory
    return Surroundings(
        interconnect=interconnect,
        registrars=tuple(foreign_registrars(configuration)),
        carrier=directory.carrier,
        # What the brake does at another time nobody knows.
        braked=dict(directory.braked) if at is None else {},
        local=service.engine.addresses()[0],
    )


def now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


def plain(value: Any) -> Json:
    """Return dataclasses and what they hold as JSON."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
