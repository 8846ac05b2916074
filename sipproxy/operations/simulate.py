"""``simulate``: what a call would get at a time, in a fault, from an interconnect; nothing of the service is touched."""

import asyncio
from typing import TYPE_CHECKING

from routing.answers import Answer, Question
from routing.excerpt import TooLargeError, excerpt_of_number
from routing.faults import FAULTS
from routing.numbers import parse_number
from routing.rejection import RuleRejected
from routing.simulator import Simulator, canonical
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument
from sipproxy.operations.simulating import fault, instant, now, plain, surroundings, too_large

if TYPE_CHECKING:
    from sipproxy.service import Service


async def simulate(service: "Service", args: dict[str, Json]) -> Json:
    """Return the answer (`routing.simulator.Answer`) with the fault in words."""
    number, at = argument(args, "number", str), instant(args)
    diverted_from = argument(args, "diverted_from", list, [])
    if not all(isinstance(item, str) for item in diverted_from):
        raise AdminError("bad_request", "diverted_from is no list of numbers")
    question = Question(
        number=number,
        at=at or now(),
        fault=fault(args, "none"),
        caller=_caller(argument(args, "caller", str, "")),
        diverted_from=tuple("".join(item.split()) for item in diverted_from),
        offers_history=argument(args, "offers_history", bool, default=False),
    )
    async with service.supply.settled() as compiler:
        around = surroundings(service, args, at)
        digits = canonical(number, around.interconnect)
        directory = compiler.directory
        try:
            # In a thread: a block may hold very many numbers.
            entities = await asyncio.to_thread(excerpt_of_number, directory, digits) if digits is not None else []
        except TooLargeError:
            raise too_large() from None

    def asked() -> Answer:
        return Simulator(entities, question.at, around).ask(question)

    answer = await asyncio.to_thread(asked)
    supposed = FAULTS[question.fault]
    return {
        **plain(answer),
        "fault_words": supposed.words,
        "interconnect": around.interconnect["name"],
        "caller": question.caller,
        "diverted_from": list(question.diverted_from),
    }


def _caller(text: str) -> str:
    """Return the caller as E.164 if that can be read, else as it is."""
    try:
        return parse_number(text).e164 if text else ""
    except RuleRejected:
        return text
