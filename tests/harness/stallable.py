"""Runs ``sipproxy`` with one addition for tests: SIGUSR2 stops all of its Python for a while.

The handler calls libc through `ctypes.PyDLL`, which keeps the interpreter's lock: no coroutine, thread or signal handler of
Python runs until it returns. The threads of the engine are not touched. Usage: ``stallable.py SECONDS serve --config FILE``.
"""

import ctypes
import signal
import sys

from sipproxy.cli import main

_LIBC = ctypes.PyDLL(None)


def _stall(seconds: float) -> None:
    _LIBC.usleep(ctypes.c_uint(int(seconds * 1_000_000)))


if __name__ == "__main__":
    stall_s = float(sys.argv.pop(1))
    signal.signal(signal.SIGUSR2, lambda *_: _stall(stall_s))
    main()
