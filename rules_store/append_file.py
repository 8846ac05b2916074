"""Mending the embedded server's append-only file before the server reads it.

A script's commands stand in the file between MULTI and EXEC, and count only together. When the server is killed while it writes
them, the file may end within a command between the two. Redis 7.0 then cuts off that command alone and leaves the MULTI: the
next script's commands run into it, and at the following start the half-written ones count after all. So the whole unfinished
transaction is cut off here, first. It was never acknowledged, for the acknowledgement follows the write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_EXEC: Final = b"*1\r\n$4\r\nEXEC\r\n"
_WINDOW: Final = 32 * 1024 * 1024  # far more than one script writes


def mend(directory: Path) -> int:
    """Cut an unfinished transaction off the end of the newest append-only file below ``directory``; return octets cut.

    What is cut off is kept beside it as ``cut-tail.aof``. A file that does not read as commands is left to the server, which
    says what is wrong with it. Raises `OSError` when the file cannot be read or cut.
    """
    found = sorted(directory.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
    if not found:
        return 0
    newest = found[-1]
    size = newest.stat().st_size
    with newest.open("r+b") as file:
        start = max(0, size - _WINDOW)
        file.seek(start)
        tail = file.read()
        last = tail.rfind(_EXEC)
        if last < 0 and start > 0:
            return 0
        at = 0 if last < 0 else last + len(_EXEC)
        unfinished = _unfinished_transaction(tail, at)
        if unfinished is None:
            return 0
        newest.with_name("cut-tail.aof").write_bytes(tail[unfinished:])
        file.truncate(start + unfinished)
        file.flush()
        os.fsync(file.fileno())
        return len(tail) - unfinished


def _unfinished_transaction(data: bytes, at: int) -> int | None:
    """Return where the MULTI begins that has no EXEC, reading from ``at``."""
    open_at: int | None = None
    for begin, words in _commands(data, at):
        if words == [b"MULTI"]:
            open_at = begin if open_at is None else open_at
        elif words == [b"EXEC"]:
            open_at = None
    return open_at


def _commands(data: bytes, at: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield whole commands with their place, up to the first that is not whole."""
    while at < len(data):
        begin = at
        line, at = _line(data, at)
        if line.startswith(b"#"):  # an annotation, e.g. the time
            continue
        if not line.startswith(b"*") or not line[1:].isdigit():
            return
        words = []
        for _ in range(int(line[1:])):
            line, at = _line(data, at)
            if not line.startswith(b"$") or not line[1:].isdigit():
                return
            end = at + int(line[1:])
            if data[end : end + 2] != b"\r\n":
                return
            words.append(data[at:end])
            at = end + 2
        yield begin, words


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\r\n", at)
    return (b"", len(data)) if end < 0 else (data[at:end], end + 2)
