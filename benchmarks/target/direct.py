"""The engine alone with a job's table: no store and no control plane but what takes its events.

For tables so large that filling a store with them would take longer than anything that is measured. What a packet meets is the same: the
engine with the settings of the full service.
"""

import secrets
import select
import signal
import tempfile
from pathlib import Path
from types import FrameType

from benchmarks import tables
from benchmarks.target.serve import Target, configuration
from sipproxy._engine import Engine, RouteTable
from sipproxy.config.engine_settings import engine_settings
from sipproxy.config.load import load
from sipproxy.profiles import profile_settings

_EVENTS_PER_TURN = 1000


class _Stop(BaseException):
    """SIGINT or SIGTERM."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise _Stop


def run(target: Target) -> None:
    """Serve the job `redirect` until SIGINT or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    with tempfile.TemporaryDirectory(prefix="sipproxy-bench-") as temporary:
        file = Path(temporary) / "sipproxy.toml"
        file.write_text(configuration(target))
        loaded = load(file)
        engine = Engine(engine_settings(loaded.configuration, loaded.peers, profile_settings(loaded), secrets.token_bytes(32)))
    try:
        table = RouteTable()
        for delta in tables.redirects(target.plan):
            table.apply(delta)
        engine.replace(table)
        del table
        engine.start()
        what = f"{target.plan.count:,} numbers from {target.plan.first}, engine alone"
        print(f"ready {target.role} on {target.listen}: {what}; Ctrl-C or SIGTERM ends it", flush=True)
        while True:
            select.select([engine.event_fd()], [], [])
            engine.events(_EVENTS_PER_TURN)
    except _Stop:
        pass
    finally:
        engine.stop()
