"""The watchdog tells that the event loop was stuck, while it is and when it goes on."""

import asyncio
import time

import structlog

from sipproxy.watchdog import Watchdog


async def test_stuck_loop_is_logged_with_its_place() -> None:
    with structlog.testing.capture_logs() as logs:
        watchdog = Watchdog(0.05)
        task = asyncio.ensure_future(watchdog.run())
        await asyncio.sleep(0)
        stuck_here()
        async with asyncio.timeout(5):
            while len(logs) < 2:  # noqa: ASYNC110 - the log is a list
                await asyncio.sleep(0.01)
        task.cancel()
    assert watchdog.blocked == 1
    assert [entry["event"] for entry in logs] == ["event loop stuck; calls go on", "event loop runs again"]
    assert "stuck_here" in logs[0]["at"]


def stuck_here() -> None:
    """Block as a bug would."""
    time.sleep(0.8)


async def test_running_loop_is_not_reported() -> None:
    with structlog.testing.capture_logs() as logs:
        watchdog = Watchdog(0.5)
        task = asyncio.ensure_future(watchdog.run())
        await asyncio.sleep(0.3)
        task.cancel()
    assert logs == []
