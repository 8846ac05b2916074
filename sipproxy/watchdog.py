"""Notices when the event loop is stuck. The engine does not care (it has threads of its own), people should."""

import asyncio
import sys
import threading
import time
import traceback

import structlog

_log = structlog.get_logger(__name__)
_BEAT_S = 0.2


class Watchdog:
    """A thread that looks at the loop's heartbeat and logs where the loop is, while it is stuck."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._beat = time.monotonic()
        self._stop = threading.Event()
        self._loop_thread = threading.get_ident()
        self.blocked = 0
        """How often the loop was stuck for longer than the limit."""

    async def run(self) -> None:
        """Beat until cancelled; the watching thread ends with it."""
        self._beat = time.monotonic()
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        thread.start()
        try:
            while True:
                self._beat = time.monotonic()
                await asyncio.sleep(_BEAT_S)
        finally:
            self._stop.set()

    def _watch(self) -> None:
        stuck_since: float | None = None
        while not self._stop.wait(min(_BEAT_S, self._limit_s)):
            beat = self._beat
            late_s = time.monotonic() - beat - _BEAT_S
            if stuck_since is None and late_s > self._limit_s:
                stuck_since = beat
                self.blocked += 1
                _log.warning("event loop stuck; calls go on", for_s=round(late_s, 1), at=self._where())
            elif stuck_since is not None and beat > stuck_since:
                _log.warning("event loop runs again", stuck_s=round(beat - stuck_since, 1))
                stuck_since = None

    def _where(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the documented way to see another thread
        if frame is None:
            return "unknown"
        last = traceback.extract_stack(frame, limit=None)[-1]
        return f"{last.filename}:{last.lineno} in {last.name}"
