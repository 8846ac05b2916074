"""Files for one pair of eyes: what is exported holds data of customers, and nobody else's umask decides who reads it."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sipproxy.errors import SipproxyError


@contextlib.contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that only its owner can read (mode 0600, also where one of another mode stands already).

    It appears whole when the block ends, or not at all when that raises. A device or pipe, such as ``/dev/stdout``, is written
    to as it is. Raises `SipproxyError` for what the system says.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as out:
                yield out
            return
        with _beside(path.resolve()) as out:
            yield out
    except OSError as error:
        raise SipproxyError(f"{path} cannot be written: {error.strerror}", "name a place that you can write to") from None


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    """Write beside the file, and put that in its place."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:200]}.")
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
