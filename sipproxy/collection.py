"""Python's collector of circles, kept away from what is none.

The domain is millions of objects that live as long as the service and refer to each other in no circle. While they are made the collector would
look at all of them again and again; later each of its full rounds would stop the control plane for seconds.
"""

import asyncio
import gc
from types import TracebackType
from typing import Final, Self

_LONGEST_S: Final = 60.0


class Collector:
    """Rests while much is read, and takes no notice of it afterwards. One per process; ended by the end of the block."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def rest(self) -> None:
        """Collect nothing until `resume`; for a minute at most, for a store may be away in the middle of being read."""
        if self._timer is None and gc.isenabled():
            gc.disable()
            self._timer = asyncio.get_running_loop().call_later(_LONGEST_S, self._end)

    def resume(self) -> None:
        """Collect again, from what is made from now on."""
        if self._timer is not None:
            gc.freeze()
            self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.enable()
