"""What is done beside the service, now and then: records of an older schema, and what is kept no longer."""

import asyncio

import structlog

from rules_store import ChangePace, EventStore, StoreConnection, StoreError, VersionLog, migrate

_log = structlog.get_logger(__name__)
_EVERY_S = 3600.0
_RETRY_S = 60.0


async def keep_house(connection: StoreConnection, events: EventStore) -> None:
    """Do it for ever; a store that is away is tried again later."""
    while True:
        try:
            await tidy(connection, events)
        except StoreError as error:
            _log.warning("housekeeping not done, trying again", what=error.what)
            await asyncio.sleep(_RETRY_S)
        else:
            await asyncio.sleep(_EVERY_S)


async def tidy(connection: StoreConnection, events: EventStore) -> None:
    """Write anew what is of an older schema, and remove what is older than is kept (docs/data-protection.md)."""
    await migrate(connection)
    versions = await VersionLog(connection).trim()
    if versions:
        _log.info("removed versions that are kept no longer", versions=versions)
    await events.sweep()
    await ChangePace(connection).sweep()
