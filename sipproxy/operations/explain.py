"""``explain``: what a call to a number would get now, from the engine's own decision, with the rules that were looked at."""

from typing import TYPE_CHECKING, Any

from routing.stays import told
from sipproxy._engine import EngineError
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument

if TYPE_CHECKING:
    from routing.precedence import Considered
    from sipproxy._engine import Explanation
    from sipproxy.service import Service


async def explain(service: "Service", args: dict[str, Json]) -> Json:
    """Return the engine's explanation, the rules considered, and one sentence."""
    number = "".join(argument(args, "number", str).split())
    known = [entry.name for entry in service.loaded.configuration.interconnects]
    interconnect = args.get("interconnect") or known[0]
    if interconnect not in known:
        raise AdminError("unknown", f"no interconnect is named {interconnect!r}", f"known: {', '.join(known)}")
    try:
        explanation = service.engine.explain(number, interconnect)
    except EngineError as error:
        raise AdminError("refused", str(error)) from None
    called = explanation["number"] or ""
    async with service.supply.settled() as compiler:
        rules = compiler.explain_rules(called)
        dates = [told(item) for item in compiler.directory.registry.dated.with_number(called.removeprefix("+"))]
    line, rule = explanation["line"], explanation["rule"]
    result: dict[str, Any] = {
        **explanation,
        "line_id": service.supply.line_id(line) if line is not None else None,
        "rule_id": service.supply.rule_id(rule) if rule is not None else None,
        "sentence": sentence(explanation),
        "rules": [
            {
                "rule_id": r.rule_id,
                "level": r.level,
                "armed": r.armed,
                "applies": r.applies,
                "reason": r.reason,
                "text": r.text,
            }
            for r in rules
        ],
        "dates": dates,
    }
    *steps, decision = explanation["trace"]
    said = ({"step": "rule", "text": r.text} for r in rules if _is_news(r))
    result["trace"] = [*steps, *({"step": "dates", "text": text} for text in dates), *said, decision]
    return result


def _is_news(considered: "Considered") -> bool:
    """Return whether it says more than the engine does, which names the rule that applies."""
    return not considered.applies or len(considered.context) > 1


def sentence(explanation: "Explanation") -> str:
    """Say the outcome in one sentence."""
    match explanation["decision"]:
        case "redirect" if explanation["sent"] == "own_contact":
            return f"302 to the line itself: {', '.join(explanation['next_hops']) or 'nobody is registered'}"
        case "redirect":
            return f"302 to {', '.join(explanation['targets'])}"
        case "proxy":
            return f"sent on to {', '.join(explanation['next_hops']) or 'the line'}"
        case "not_found":
            return f"{explanation['status']}: the number is not ours, or its order is not live"
        case "unavailable":
            tried = "tried at the line, and if that fails " if explanation["next_hops"] else ""
            return f"{tried}{explanation['status']}: the line is down and no rule is armed"
        case _:
            return f"{explanation['status']}: this is no number"
