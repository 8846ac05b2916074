"""``divert``: set the targets of a number, block or order, arm, disarm and remove."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from pydantic import TypeAdapter, ValidationError

from routing.model import Block, BlockScope, Diversion, NumberScope, OrderScope, PlanName, Scope, Target
from routing.numbers import parse_number, pretty
from routing.rejection import Fault, RuleRejected
from routing.rulefile import plan_slug, read_target
from routing.stays import stays
from routing.target_policy import TargetPolicy
from rules_store import ABSENT, Asker, ConflictError, Delete, NumberTakenError, Put, Stored, StoreError
from sipproxy.admin.protocol import Json
from sipproxy.errors import AdminError
from sipproxy.operations.arguments import argument, not_stored, rejected
from sipproxy.operations.authors import operator

if TYPE_CHECKING:
    from routing.directory import Directory
    from sipproxy.service import Service

_log = structlog.get_logger(__name__)


_ARMED = "calls are diverted while the line is down"
_TIMED = f"{_ARMED}; the periods of this rule say where to, and when not"
_OF_PLAN = f"{_ARMED} and the order has this plan on (sipproxy plan ORDER)"
_NOT_ARMED = "this rule diverts no calls; a less specific one that is armed still does (sipproxy explain NUMBER shows it)"
_REMOVED = "the rule is gone; a less specific one that is armed has its calls now (sipproxy undo VERSION brings it back)"
_NOTE = 500
_PLAN_NAME: TypeAdapter[str] = TypeAdapter(PlanName)


class Place(NamedTuple):
    """Whose calls a rule is for, and the rule that is there already."""

    order: str
    scope: Scope
    label: str
    new_id: str
    rules: frozenset[str]
    plan: PlanName | None = None
    """The rule is one of this plan; there may be another for the same numbers that belongs to none."""


async def divert(service: "Service", args: dict[str, Json]) -> Json:
    """Change one diversion; returns it as it is now stored. ``user``: on whose behalf, with his rights; else it is staff's."""
    action, what = argument(args, "action", str), argument(args, "what", str)
    asker = Asker(operator(), argument(args, "user", str, default="") or None)
    try:
        async with service.supply.settled() as compiler:
            place = _place(compiler.directory, what, argument(args, "order", str, default=""))
            place = _of_plan(place, argument(args, "plan", str, default=""))
            change = _change(action, place, args, compiler.directory) if action != "remove" else None
        current = await _current(service, place)
        if change is None:
            return await _remove(service, place, current, asker)
        diversion = change(current.entity if current is not None else None)
        put = Put(diversion, current.version if current is not None else ABSENT)
        saved = await service.rule_saving.save([put], asker)
    except RuleRejected as error:
        raise rejected(error, "") from None
    except (StoreError, ConflictError, NumberTakenError) as error:
        raise not_stored(error) from None
    version = saved.versions[0]
    _log.info("diversion changed", id=diversion.id, order=place.order, action=action, version=version)
    return {
        "id": diversion.id,
        "label": place.label,
        "targets": [_shown(target) for target in diversion.targets],
        "armed": diversion.armed,
        "version": version,
        "state": _state(diversion),
        "warnings": [str(warning) for warning in saved.warnings],
    }


async def _remove(service: "Service", place: Place, current: Stored[Diversion] | None, asker: Asker) -> Json:
    """Remove a rule: the next one that is armed has its calls."""
    if current is None:
        raise _no_rule(place)
    saved = await service.rule_saving.save([Delete("diversion", current.entity.id, current.version)], asker)
    version = saved.versions[0]
    _log.info("diversion removed", id=current.entity.id, order=place.order, version=version)
    return {
        "id": current.entity.id,
        "label": place.label,
        "targets": [],
        "armed": False,
        "version": version,
        "state": _REMOVED,
        "warnings": [str(warning) for warning in saved.warnings],
    }


def _no_rule(place: Place) -> AdminError:
    remedy = "set its targets first: sipproxy divert set … --to TARGET"
    return AdminError("unknown", f"{place.label} has no diversion of its own", remedy)


def _of_plan(place: Place, plan: str) -> Place:
    """Return the place of the rule that belongs to a plan, "" for the one that belongs to none. Raises `AdminError`."""
    if not plan:
        return place
    try:
        _PLAN_NAME.validate_python(plan)
    except ValidationError:
        remedy = "use up to 40 characters in one line, without blanks at the ends"
        raise AdminError("bad_request", f"{plan!r} is no name of a plan", remedy) from None
    return place._replace(label=f"{place.label}, plan {plan}", new_id=f"{place.new_id}.{plan_slug(plan)}", plan=plan)


def _place(directory: "Directory", what: str, order: str) -> Place:
    """Find what ``what`` names, with ``order`` as it belongs to that one at some time: rules may be written before a move.

    Raises `AdminError`, or `RuleRejected` for a text that is no number.
    """
    registry = directory.registry
    kind, colon, name = what.partition(":")
    if colon and kind == "order":
        if name not in registry.orders:
            raise AdminError("unknown", f"there is no order {name!r}", "sipproxy status lists the lines and their products")
        rules = frozenset(registry.order_rules.get(name, ()))
        return Place(name, OrderScope(), f"order {name}", f"{name}.order", rules)
    if colon and kind == "block":
        stored = registry.find("block", name)
        if not isinstance(stored, Block):
            raise AdminError("unknown", f"there is no block {name!r}", "give the id that the loaded document has")
        block = registry.blocks.get(name, stored)
        rules = frozenset(registry.block_rules.get(name, ()))
        new_id = f"{name}.block" if (order or block.order) == stored.order else f"{order or block.order}.{name}.block"
        return Place(order or block.order, BlockScope(block=name), f"block {pretty(block.base)} …", new_id, rules)
    number = parse_number(what).e164
    owner = _order_of(directory, number, order)
    if owner is None:
        of = f" of order {order}" if order else ""
        message = f"{pretty(number)} is not one of our numbers{of}"
        raise AdminError("unknown", message, "load its order first: sipproxy load FILE")
    rules = frozenset(registry.number_rules.get(number[1:], ()))
    return Place(owner, NumberScope(number=number), f"number {pretty(number)}", f"{owner}.n{number[1:]}", rules)


def _order_of(directory: "Directory", number: str, order: str) -> str | None:
    """Return the order that a number belongs to: now, or else next."""
    if order:
        return order if directory.owner_in(number, order) is not None else None
    owner = directory.owner(number)
    if owner is not None:
        return owner.order
    now = directory.registry.now
    to_come = (stay for item in directory.registry.dated.with_number(number[1:]) for stay in stays(item))
    return next((stay.order for stay in to_come if stay.end is None or stay.end > now), None)


def _change(action: str, place: Place, args: dict[str, Json], directory: "Directory") -> Callable[[Diversion | None], Diversion]:
    if action == "set":
        policy = directory.policy(place.order)
        note = argument(args, "note", str, default="")
        if len(note) > _NOTE:
            raise AdminError("bad_request", "the note is too long", f"at most {_NOTE} characters")
        texts = [str(text) for text in argument(args, "to", list)]
        targets = _targets(texts, policy)
        armed = argument(args, "armed", bool, default=True)

        def replace(current: Diversion | None) -> Diversion:
            if current is not None:
                noted = {"note": note} if note else {}
                return current.model_copy(update={"targets": targets, "armed": armed, **noted})
            fields: dict[str, Any] = {"targets": targets, "armed": armed, "plan": place.plan, "note": note}
            return Diversion(id=place.new_id, order=place.order, scope=place.scope, **fields)

        return replace
    if action not in {"arm", "disarm"}:
        raise AdminError("bad_request", f"unknown action {action!r}", "use set, arm, disarm or remove")

    def switch(current: Diversion | None) -> Diversion:
        if current is None:
            raise _no_rule(place)
        return current.model_copy(update={"armed": action == "arm"})

    return switch


def _targets(texts: list[str], policy: TargetPolicy) -> tuple[Target, ...]:
    """Read the targets. Raises `RuleRejected` with the faults of all of them."""
    targets: list[Target] = []
    faults: list[Fault] = []
    for index, text in enumerate(texts):
        try:
            targets.append(read_target(text, policy, f"targets[{index}]"))
        except RuleRejected as error:
            faults += error.faults
    if faults:
        raise RuleRejected(faults)
    return tuple(targets)


def _state(diversion: Diversion) -> str:
    if not diversion.armed:
        return _NOT_ARMED
    if diversion.plan is not None:
        return _OF_PLAN
    return _TIMED if diversion.periods else _ARMED


def _shown(target: Target) -> str:
    return f"{target.number}…" if target.keep_extension else target.number


async def _current(service: "Service", place: Place) -> Stored[Diversion] | None:
    """Read the rule of this scope from the store: what is compiled may be older. The first by id counts.

    Rules of a plan are another matter: they count while that is on, and are changed only where it is named.
    """
    for rule in sorted(place.rules | {place.new_id}):
        stored = await service.rules.get("diversion", rule)
        if stored is None or not isinstance(stored.entity, Diversion):
            continue
        if stored.entity.order == place.order and stored.entity.plan == place.plan:
            return Stored(stored.entity, stored.version)
    return None
