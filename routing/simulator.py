"""What a call to a number would get: at any instant, with any fault, from any interconnect, and why.

The answer is the engine's own: the entities are compiled for the instant into a small table, and the code that decides calls decides.
Here is only put into words what it says, with what the domain knows besides: whose number it is, which rules were looked at, times,
plans and dates. Nothing of a running service is touched, and nothing but the rules is looked at: lines are as the question supposes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from routing.answers import Answer, Contact, Outcome, Owner, Question, Times
from routing.compile import Compiler
from routing.faults import FAULTS, Fault, FaultName
from routing.foreign import ForeignRegistrar
from routing.holiday import is_holiday
from routing.local_time import checked_instant, local_day, shown
from routing.model import Diversion, Entity, Target
from routing.number_sets import Piece, dialled
from routing.precedence import Considered
from routing.stays import told
from routing.target_policy import NATIONAL, CarrierPolicy
from sipproxy._engine import RouteTable

if TYPE_CHECKING:
    from sipproxy._engine import Explanation, InterconnectSettings, Supposed, SurveyRow


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of a carrier's configuration has a say, besides the entities."""

    interconnect: "InterconnectSettings"
    registrars: tuple[ForeignRegistrar, ...] = ()
    carrier: CarrierPolicy = NATIONAL
    braked: Mapping[str, str] = field(default_factory=dict)
    """Orders whose rules rest because too many calls were diverted → why."""
    local: str = "127.0.0.1:5060"
    """Our address where calls come in: the host of URIs where the interconnect names no domain."""


class Simulator:
    """Answers questions about some entities, at instants; going from one instant to another costs what changes between the two.

    Not thread-safe, and no part of a service: made for a question and thrown away.
    """

    def __init__(self, entities: Iterable[Entity], at: datetime, around: Surroundings) -> None:
        self.around = around
        self.compiler = Compiler(registrars=around.registrars, carrier=around.carrier)
        self.compiler.directory.braked = dict(around.braked)
        self._table = RouteTable()
        for delta in self.compiler.load(entities, checked_instant(at)):
            self._table.apply(delta)

    def move(self, at: datetime) -> None:
        """Go to an instant."""
        for delta in self.compiler.advance(checked_instant(at)):
            self._table.apply(delta)

    def survey(self, numbers: list[str], fault: FaultName) -> "list[SurveyRow]":
        """Return the engine's bare answers for E.164 numbers, as things are at this instant."""
        held = FAULTS[fault]
        rows = self._surveyed(numbers, held)
        if held.bound:
            return rows
        # Only where a line registers can a registration be missing.
        bound = self._surveyed(numbers, replace(held, bound=True))
        return [row if self._registers(row[3]) else other for row, other in zip(rows, bound, strict=True)]

    def ask(self, question: Question) -> Answer:
        """Answer one question; the simulator stands at its instant afterwards."""
        self.move(question.at)
        fault = FAULTS[question.fault]
        found = self._explain(question, fault)
        if not fault.bound and found["line"] is not None and not self._registers(found["line"]):
            found = self._explain(question, replace(fault, bound=True))
        digits = found["number"] or ""
        rules = tuple(self.compiler.explain_rules(digits)) if digits else ()
        rule = self._rule(found["rule"])
        contacts = self._contacts(found, rule)
        outcome = _outcome(found)
        return Answer(
            number=f"+{digits}" if digits else question.number.strip(),
            at=question.at,
            fault=question.fault,
            outcome=outcome,
            status=found["status"],
            reason=found["reason"],
            sentence=self._sentence(found, outcome),
            targets=contacts if outcome in {"diverted", "rescued"} else (),
            headers=tuple(found["headers"]) if outcome in {"diverted", "rescued", "unavailable"} else (),
            owner=self.owner(digits),
            rule=rule.id if rule is not None else "",
            rules=rules,
            times=self._times(digits, rules),
            dates=tuple(self._dates(digits)),
            notes=tuple(self._notes(question, found, contacts)),
            trace=tuple((step["step"], step["text"]) for step in found["trace"]),
        )

    # -- the engine -----------------------------------------------------------------------------------------------------

    def _explain(self, question: Question, fault: Fault) -> "Explanation":
        supposed: Supposed = {
            **self._supposed(fault),
            "diverted_from": list(question.diverted_from),
            "offers_history": question.offers_history,
        }
        number = "".join(question.number.split())
        return self._table.explain(number, self.around.interconnect, fault.health, fault.place, supposed)

    def _supposed(self, fault: Fault) -> "Supposed":
        return {
            "cause": fault.cause,
            "wish": fault.wish,
            "bound": fault.bound,
            "whole_site": fault.whole_site,
            "local": self.around.local,
        }

    def _surveyed(self, numbers: list[str], fault: Fault) -> "list[SurveyRow]":
        return self._table.survey(numbers, self.around.interconnect, fault.health, fault.place, self._supposed(fault))

    def _registers(self, slot: int) -> bool:
        """Return whether a line registers here; others have an address without that."""
        line = self.compiler.directory.registry.lines.get(self.compiler.line_id(slot) or "")
        return line is not None and line.kind == "registered"

    def _rule(self, slot: int | None) -> Diversion | None:
        key = self.compiler.rule_id(slot) if slot is not None else None
        return self.compiler.directory.registry.diversions.get(key) if key is not None else None

    # -- what the domain knows besides ----------------------------------------------------------------------------------

    def owner(self, digits: str) -> Owner | None:
        """Return whose number it is at this instant, None if it is nobody's."""
        directory = self.compiler.directory
        registry = directory.registry
        place = directory.place(digits) if digits else None
        if place is None:
            return None
        order, site = registry.orders[place.order], registry.site_of(place.line)
        customer = registry.customers.get(order.customer)
        single = next((key for key in registry.ids_of(digits) if registry.numbers[key].order == place.order), None)
        return Owner(
            customer=order.customer,
            customer_name=customer.name if customer is not None else "",
            order=order.id,
            product=order.product,
            site=site.id if site is not None else "",
            address=site.address if site is not None else "",
            line=place.line,
            held_by=f"number {single}" if single is not None else f"block {place.part.block}" if place.part is not None else "",
        )

    def _contacts(self, found: "Explanation", rule: Diversion | None) -> tuple[Contact, ...]:
        if rule is None:
            return ()
        called = Piece(found["number"] or "", len(found["number"] or ""))
        standing = self.compiler.directory.standings.get(rule.id)
        held = standing if standing is not None else rule
        base = self.compiler.directory.base_of(rule)
        rings: dict[str, int | None] = {}
        for target in (*held.targets, *held.phone_system_targets):
            reached = _reached(called, target, base)
            if reached is not None:
                rings.setdefault(reached, target.ring_s)
        qualities = _qualities(found["headers"])
        return tuple(
            Contact(f"+{number}", uri, qualities.get(index, ""), rings.get(number))
            for index, (number, uri) in enumerate(zip(found["numbers"], found["targets"], strict=True))
        )

    def _times(self, digits: str, rules: tuple[Considered, ...]) -> Times | None:
        directory = self.compiler.directory
        registry = directory.registry
        place = directory.place(digits) if digits else None
        if place is None:
            return None
        first = next((item for item in rules if item.applies), rules[0] if rules else None)
        rule = registry.diversions.get(first.rule_id) if first is not None else None
        if rule is not None:
            state = directory.state_of(rule)
        else:
            site = registry.site_of(place.line)
            state = site.state if site is not None else None
        day = local_day(registry.now)
        following = self.compiler.next_change_at(registry.now)
        return Times(
            day=day.isoformat(),
            holiday=is_holiday(day, state),
            state=state or "",
            plan=registry.orders[place.order].plan or "",
            period=first.context.get("period", "") if first is not None else "",
            next_change=following.isoformat() if following is not None else "",
        )

    def _dates(self, digits: str) -> Iterable[str]:
        directory = self.compiler.directory
        if not digits:
            return
        yield from (told(item) for item in directory.registry.dated.with_number(digits))
        place = directory.place(digits)
        order = directory.registry.orders.get(place.order) if place is not None else None
        if order is not None and order.active_from is not None:
            word = "is" if order.active_from <= directory.registry.now else "goes"
            yield f"Order {order.id} {word} live from {shown(order.active_from)} on."
        if order is not None and order.active_until is not None:
            yield f"Order {order.id} is live until {shown(order.active_until)}."

    def _notes(self, question: Question, found: "Explanation", contacts: tuple[Contact, ...]) -> Iterable[str]:
        fault = FAULTS[question.fault]
        if found["line"] is not None and question.fault != "none":
            yield f"Supposed: {fault.words}. What the proxy sees of it: {fault.seen}."
        caller = question.caller
        if caller and any(contact.number == caller for contact in contacts):
            yield f"The caller {caller} is a target himself: he would be busy with his own call there."
        if caller and found["number"] is not None and caller == f"+{found['number']}":
            yield "The caller calls his own number; that changes nothing of the decision."
        if found["reason"] == "emergency":
            yield "Emergency calls are not for this proxy: the core sends them elsewhere, and no rule diverts them."

    def _sentence(self, found: "Explanation", outcome: Outcome) -> str:
        line = self.compiler.line_id(found["line"]) if found["line"] is not None else ""
        targets = ", then ".join(f"+{number}" for number in found["numbers"])
        status, reason = found["status"], found["reason"]
        rescue = f"; should this call fail there, 302 to {targets}" if targets else ""
        sentences: dict[Outcome, str] = {
            "diverted": f"302 to {targets}",
            "rescued": f"sent to line {line} with the short answer timer; without an answer 302 to {targets}",
            "line": f"sent to line {line}{rescue}",
            "line_contact": f"302 to the contact of line {line} itself",
            "last_try": f"tried at line {line} although it is out, because nothing diverts; if that fails, 480",
            "unavailable": f"{status}: line {line} is out, and nothing diverts",
            "not_found": f"{status}: {_NOT_FOUND.get(reason, 'there is no such number')}",
            "bad_number": f"{status}: {_NO_NUMBER.get(reason, 'this is no number')}",
        }
        return sentences[outcome]


_NOT_FOUND = {
    "unknown_number": "the number is nobody's at this time",
    "not_live": "its order is not live at this time",
    "no_line": "its line is gone",
}
_NO_NUMBER = {
    "emergency": "an emergency code is no number of anybody",
    "short_code": "a short code is no number of anybody",
    "local": "it has neither country nor area code",
}


def _outcome(found: "Explanation") -> Outcome:
    match found["decision"]:
        case "redirect":
            return "line_contact" if found["sent"] == "own_contact" else "diverted"
        case "proxy" if found["sent"] == "last_try":
            return "last_try"
        case "proxy":
            return "rescued" if found["sent"] == "short_timer" and found["numbers"] else "line"
        case decision:
            return decision


def _reached(called: Piece, target: Target, base: str | None) -> str | None:
    """Return where a call to one number is sent by a target, as digits."""
    piece = dialled(called, target, base)
    return piece.digits if piece is not None else None


def _qualities(headers: list[tuple[str, str]]) -> dict[int, str]:
    """Return the q of each contact by its place, as the answer has them."""
    contact = dict(headers).get("Contact", "")
    return {index: value.partition(";q=")[2] for index, value in enumerate(contact.split(", ")) if ";q=" in value}


def canonical(number: str, interconnect: "InterconnectSettings") -> str | None:
    """Return the E.164 digits that the engine reads in a called number, None when it is no number."""
    return RouteTable().explain("".join(number.split()), interconnect, "up")["number"]
