"""Waiting for conditions, so that no test sleeps and hopes."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

POLL_S = 0.02


def until(condition: Callable[[], Value | None], *, timeout_s: float = 10.0, what: str) -> Value:
    """Return the first true result of ``condition``. Raises `AssertionError` naming ``what`` after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain: {what}; last seen: {value!r}")
        time.sleep(POLL_S)
