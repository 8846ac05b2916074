"""What saving a rule costs: writes a second, time until acknowledged, and the server's own time for an entity.

``python -m benchmarks.store_writes [SERVER]`` starts an embedded server in a folder of its own (with ``appendfsync always``, so the
disk has the largest share) and prints a line for each way of writing. The server's time does not depend on the disk.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

from benchmarks.rule_change import _quantile
from routing.model import Customer, Diversion, Entity, Number, Order, OrderScope, Site, Target
from rules_store import Put, RulesStore, StoreConnection, StoreSettings, VersionLog

_SINGLE, _WRITERS, _BULK, _IMPORT = 1000, 16, 5000, 30_000


def _rule(n: int, *, armed: bool) -> Diversion:
    return Diversion(id=f"R{n}", order="A1", scope=OrderScope(), armed=armed, targets=(Target(number="+496990009000"),))


def _numbers(count: int, line: str) -> list[Put]:
    return [Put(Number(id=f"N{n:06}", order="A1", line=line, number=f"+493021{n:06}")) for n in range(count)]


async def _server_us(connection: StoreConnection) -> int:
    found = await connection.repeat(lambda client: client.info("commandstats"))
    return sum(row["usec"] for name, row in found.items() if name in {"cmdstat_evalsha", "cmdstat_eval"})


async def _measured(connection: StoreConnection, name: str, count: int, work: Awaitable[object]) -> None:
    """Do the work and print what an entity took."""
    before, began = await _server_us(connection), time.perf_counter()
    await work
    took, used = time.perf_counter() - began, await _server_us(connection) - before
    print(f"{name:<28} {count / took:9.0f} entities/s {used / count:8.1f} µs of the server each")


async def main(server: Path | None) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        async with StoreConnection(StoreSettings(data_dir=Path(folder) / "store", server_binary=server)) as connection:
            store, times = RulesStore(connection), list[float]()
            first: list[Entity] = [Customer(id="C1", name="Hafenbau")]
            first.append(Order(id="A1", customer="C1", product="sipTrunk 2.0", site=Site(id="S1", address="")))
            await store.write_many([Put(entity) for entity in first])

            async def one_after_the_other(writer: int, count: int) -> None:
                for n in range(count):
                    began = time.perf_counter()
                    await store.put(_rule(100 * writer + n % 100, armed=n % 200 < 100))
                    times.append(1000 * (time.perf_counter() - began))

            await one_after_the_other(0, 200)
            times.clear()
            await _measured(connection, "one writer", _SINGLE, one_after_the_other(0, _SINGLE))
            ordered = sorted(times)
            print(f"  acknowledged after p50 {_quantile(ordered, 0.5):.2f} ms, p99 {_quantile(ordered, 0.99):.2f} ms")
            many = asyncio.gather(*(one_after_the_other(n, 100) for n in range(_WRITERS)))
            await _measured(connection, f"{_WRITERS} writers", 100 * _WRITERS, many)
            await _measured(connection, f"one write of {_BULK}", _BULK, store.write_many(_numbers(_BULK, "L1")))
            await _measured(connection, f"import of {_IMPORT}", _IMPORT, store.import_many(_numbers(_IMPORT, "L1")))
            await _measured(connection, "import, all changed", _IMPORT, store.import_many(_numbers(_IMPORT, "L2")))
            began = time.perf_counter()
            history = await VersionLog(connection).history("diversion", "R0")
            print(f"history of {len(history)} versions read in {1000 * (time.perf_counter() - began):.1f} ms")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
