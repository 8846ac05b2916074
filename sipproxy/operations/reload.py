"""``reload``: read the configuration again."""

from typing import TYPE_CHECKING

from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError, ConfigurationError

if TYPE_CHECKING:
    from sipproxy.service import Service


async def reload(service: "Service", _args: dict[str, Json]) -> Json:
    """Return the file and what needs a restart; all faults when the file cannot be used."""
    try:
        notes = await service.reload()
    except ConfigurationError as error:
        raise AdminError("rejected", "the old configuration stays in force", "", error.faults) from None
    return {"file": str(service.loaded.file), "notes": notes}
