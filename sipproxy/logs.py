"""Logs: structlog to standard error, JSON lines for machines, colours for a terminal. Secrets and whole numbers never enter."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from registrar_watch.names import mask

_SECRET = frozenset({"password", "ha1", "secret", "authorization", "url"})
_NUMBERS = frozenset({"number", "called", "caller", "target"})

# Never the values of local variables: a request in hand may carry a password.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def hide(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask numbers and drop secrets, whoever logs them."""
    for key in event.keys() & _SECRET:
        event[key] = "(hidden)"
    for key in event.keys() & _NUMBERS:
        event[key] = mask(str(event[key]))
    return event


def set_up(form: Literal["auto", "json", "console"], level: str) -> None:
    """Configure structlog and the libraries that use `logging`."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    last: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            hide,
            *([] if console else [_TRACEBACKS]),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", force=True)
