"""``call``: what did happen to a recent call."""

from typing import TYPE_CHECKING

from sipproxy.admin.protocol import Json
from sipproxy.operations.arguments import argument

if TYPE_CHECKING:
    from sipproxy.service import Service


async def call(service: "Service", args: dict[str, Json]) -> Json:
    """Return the records of a Call-ID, with lines and rules by name; the engine masks the numbers."""
    names = service.supply
    return [
        {
            **record,
            "line": names.line_id(record["line"]) if record["line"] is not None else None,
            "rule": names.rule_id(record["rule"]) if record["rule"] is not None else None,
        }
        for record in service.engine.calls(argument(args, "call_id", str))
    ]
