"""Python's collector, kept out of work that makes hundreds of thousands of entities, none of them in a circle."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Switch the collector off for a while: else it looks at all of them again and again. For processes that do nothing else."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
