"""What the service does beside calls: records of an older schema are written anew, what is kept no longer goes."""

import json
import time
from pathlib import Path

from routing.model import Customer
from rules_store import Entry, EventStore, Retention, RulesStore, StoreConnection, StoreSettings, VersionLog, schema
from sipproxy.housekeeping import tidy

DAY_MS = 86_400_000


async def test_tidying_migrates_trims_and_sweeps(tmp_path: Path) -> None:
    settings = StoreSettings(data_dir=tmp_path / "store", disk_reserve_mb=0)
    async with StoreConnection(settings) as connection:
        store, log = RulesStore(connection), VersionLog(connection)
        for n in range(5):
            await store.put(Customer(id="C1", name=f"{n}"))
        record = '{"v":5,"c":[],"e":{"id":"C1","name":"old","allow_international":true}}'
        await connection.repeat(lambda client: client.hset(schema.entities(connection.generation, "customer"), "C1", record))
        await connection.repeat(lambda client: client.hset(schema.META, "from", "1"))
        old = int(time.time() * 1000) - 20 * DAY_MS
        text = json.dumps({"kind": "test", "line": "L1", "at_unix_ms": old})
        await EventStore(connection).save("boot", [Entry(1, old, "L1", "e", text)])
        few = StoreConnection(settings.model_copy(update={"log_kept": 2}))
        async with few:
            events = EventStore(few, Retention(days=10))
            await tidy(few, events)
            assert await events.history("L1") == []
        stored = await store.get("customer", "C1")
        assert stored is not None
        assert stored.entity == Customer(id="C1", name="old", allowances=("international",))
        assert [entry.version for entry in await log.history("customer", "C1")] == [6, 5]
