"""What the running service does on request of a command: one file per operation, results and errors as data."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from sipproxy.admin.protocol import Json
from sipproxy.admin.server import Handler
from sipproxy.errors import AdminError
from sipproxy.operations.brake import brake
from sipproxy.operations.call import call
from sipproxy.operations.coverage import coverage
from sipproxy.operations.customer import customer
from sipproxy.operations.divert import divert
from sipproxy.operations.drill import drill
from sipproxy.operations.explain import explain
from sipproxy.operations.guard import guard
from sipproxy.operations.history import events, history
from sipproxy.operations.line import line
from sipproxy.operations.load import load
from sipproxy.operations.plan import plan
from sipproxy.operations.reload import reload
from sipproxy.operations.simulate import simulate
from sipproxy.operations.status import status
from sipproxy.operations.versions import audit, log, undo

if TYPE_CHECKING:
    from sipproxy.service import Service

Operation = Callable[["Service", dict[str, Json]], Awaitable[Json]]


def handlers(service: "Service") -> Mapping[str, Handler]:
    """Return the operations by name."""
    operations: dict[str, Operation] = {
        "status": status,
        "explain": explain,
        "simulate": simulate,
        "coverage": coverage,
        "call": call,
        "history": history,
        "events": events,
        "line": line,
        "drill": drill,
        "load": load,
        "divert": divert,
        "plan": plan,
        "guard": guard,
        "log": log,
        "undo": undo,
        "audit": audit,
        "customer": customer,
        "brake": brake,
        "reload": reload,
    }
    return {name: functools.partial(_when_ready, service, operation) for name, operation in operations.items()}


async def _when_ready(service: "Service", operation: Operation, args: dict[str, Json]) -> Json:
    """Refuse while the service is starting: an answer means that it serves."""
    if service.state == "starting":
        raise AdminError("starting", "the service is still starting (it reads the rules)", "try again in a moment")
    return await operation(service, args)
