"""Diversions of the load file: what they are for, their targets, times and plans."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Literal, TypeVar

from routing.blocks import parse_range
from routing.model import (
    BlockScope,
    Diversion,
    ExtensionRange,
    NumberScope,
    OrderScope,
    Period,
    RangeScope,
    Scope,
    Target,
    Weekday,
)
from routing.numbers import parse_number
from routing.reader import Group, build, named
from routing.rejection import RuleRejected, fault, reject
from routing.target_policy import TargetPolicy, parse_target
from routing.times import Times, parse_times

DIVERSION_FIELDS = (
    "id",
    "number",
    "block",
    "extensions",
    "to",
    "phone_system_to",
    "periods",
    "plan",
    "armed",
    "note",
)
_PERIOD = ("name", "times", "days", "start", "end", "first", "last", "holidays", "to", "phone_system_to")
_TARGET = ("number", "ring_s")
_LONG_FORM = ("days", "start", "end")
MAX_PERIODS = 20
_KEEPS = ("…", "...", "x", "X")

T = TypeVar("T")
Placed = dict[tuple[str, int], int]
"""(place of a diversion, index of a period of it) → index of the entry of the file that it comes from."""


def read_diversion(group: Group, order: str, policy: TargetPolicy, placed: Placed) -> Diversion | None:
    """Read one diversion of an order; None if it cannot be read, with the faults in ``group``. ``placed`` is added to."""
    scope = _scope(group)
    if group.sound and not group.has("to"):
        group.say("field_missing", "to", field="to")
    targets, others = read_targets(group, "to", policy), read_targets(group, "phone_system_to", policy)
    periods = _periods(group, policy, placed)
    plan = group.value("plan", str)
    if scope is None or not targets:
        return None
    return build(
        Diversion,
        group,
        id=group.value("id", str) or default_id(order, scope.model_dump(), plan),
        order=order,
        scope=scope,
        armed=group.value("armed", bool) or False,
        targets=targets,
        phone_system_targets=others,
        periods=periods,
        plan=plan,
        note=group.value("note", str) or "",
    )


def default_id(order: str, scope: Mapping[str, str], plan: str | None = None) -> str:
    """Return the id of a rule that names none: what it is for (the fields of a `Scope`), and its plan behind that."""
    match scope["kind"]:
        case "number":
            key = f"{order}.n{scope['number'][1:]}"
        case "range":
            key = f"{scope['block']}.r{scope['first']}-{scope['last']}"
        case "block":
            key = f"{scope['block']}.block"
        case _:
            key = f"{order}.order"
    return key if plan is None else f"{key}.{plan_slug(plan)}"


def in_file(location: str, diversion: Diversion) -> str:
    """Turn a place in a diversion into one in its group of the file, "" for the group itself: targets are ``to`` there."""
    if location.startswith("scope."):
        return location.removeprefix("scope.")
    head, _, rest = location.partition(".")
    if head.startswith("periods["):
        index = int(head[len("periods[") : -1])
        period = diversion.periods[index]
        return f"{head}.{_list_in_file(rest, period)}"
    return _list_in_file(location, diversion)


def moved(location: str, placed: Placed) -> str:
    """Return a place of the file with the entry that a period comes from, where one entry came to several periods."""
    head, found, rest = location.partition(".periods[")
    index, _, tail = rest.partition("]")
    entry = placed.get((head, int(index))) if found and index.isdigit() else None
    return location if entry is None else f"{head}.periods[{entry}]{tail}"


def read_extensions(group: Group) -> tuple[ExtensionRange, ...]:
    """Read the extensions of a block or diversion: one text or a list."""
    found: list[ExtensionRange] = []
    for place, item in group.one_or_many("extensions"):
        if not isinstance(item, str):
            hint = " by putting it in quotes; without them leading zeros are lost"
            group.faults.append(fault("field_type", place, found=named(type(item)), wanted=named(str), hint=hint))
            continue
        held = attempt(group, lambda text=item, place=place: parse_range(text, place))  # type: ignore[misc] # bound now
        if held is not None:
            found.append(held)
    return tuple(found)


def read_targets(group: Group, field: str, policy: TargetPolicy) -> tuple[Target, ...]:
    """Read the targets of a field: one or a list, each a text or ``number`` and ``ring_s``."""
    found: list[Target] = []
    for place, item in group.one_or_many(field):
        if isinstance(item, dict):
            inner = Group(item, place, group.faults, _TARGET)
            text, where, ring_s = inner.value("number", str, needed=True), inner.at("number"), inner.value("ring_s", int)
        else:
            if not isinstance(item, str):
                hint = " by putting it in quotes"
                group.faults.append(fault("field_type", place, found=named(type(item)), wanted=named(str), hint=hint))
                continue
            inner, text, where, ring_s = group, item, place, None
        if text is None:
            continue
        target = attempt(group, lambda text=text, where=where: read_target(text, policy, where))  # type: ignore[misc] # as above
        if target is not None and ring_s is not None:
            target = build(Target, inner, number=target.number, keep_extension=target.keep_extension, ring_s=ring_s)
        if target is not None:
            found.append(target)
    return tuple(found)


def read_target(text: str, policy: TargetPolicy, location: str) -> Target:
    """Read a target as typed; ``…``, ``...`` or ``XX`` behind it keeps the extension. Raises `RuleRejected`."""
    short, keep = without_mark(text.strip())
    return Target(number=parse_target(short, policy, location, base=keep), keep_extension=keep)


def without_mark(text: str) -> tuple[str, bool]:
    """Return a target as typed without the mark that says that it keeps the extension, and whether it has one."""
    if not text.endswith(_KEEPS):
        return text, False
    return text.rstrip("xX").removesuffix("…").removesuffix("...").rstrip(" -/"), True


def attempt(group: Group, parse: Callable[[], T]) -> T | None:
    """Return what ``parse`` returns; note its faults if it refuses."""
    try:
        return parse()
    except RuleRejected as refused:
        group.take(refused)
        return None


def _scope(group: Group) -> Scope | None:
    """Return what a diversion is for."""
    number, block = group.value("number", str), group.value("block", str)
    if number is not None and (block is not None or group.has("extensions")):
        group.say("field_value", "number", text=number[:40], why="a diversion is for a number or for a block, not both")
        return None
    if number is not None:
        e164 = attempt(group, lambda: parse_number(number, location=group.at("number")).e164)
        return NumberScope(number=e164) if e164 is not None else None
    if block is None:
        if group.has("extensions"):
            group.say("field_missing", "block", field="block")
        wrong = group.has("extensions") or group.has("number") or group.has("block")
        return None if wrong or not group.sound else OrderScope()
    ranges = read_extensions(group)
    if not group.has("extensions"):
        return build(BlockScope, group, block=block)
    if len(ranges) != 1:
        if ranges:
            why = "a diversion has one range; give each range a diversion of its own"
            group.say("field_value", "extensions", text=str(len(ranges)), why=why)
        return None
    return build(RangeScope, group, block=block, first=ranges[0].first, last=ranges[0].last)


def _periods(group: Group, policy: TargetPolicy, placed: Placed) -> tuple[Period, ...]:
    found: list[Period] = []
    for entry, (place, item) in enumerate(group.items("periods")):
        for period in _period(Group(item, place, group.faults, _PERIOD), policy):
            placed[group.location, len(found)] = entry
            found.append(period)
    if len(found) > MAX_PERIODS:
        group.say("periods_many", "periods", count=str(len(found)), limit=str(MAX_PERIODS))
        return ()
    return tuple(found)


def _period(group: Group, policy: TargetPolicy) -> Iterator[Period]:
    """Yield the periods of an entry: one for each of its times, all with the same targets and dates."""
    if group.sound and not group.has("to") and not group.has("phone_system_to"):
        # Said by an empty list, not by forgetting it.
        group.say("period_targets", "to", field="to")
    targets, others = read_targets(group, "to", policy), read_targets(group, "phone_system_to", policy)
    first, last = _day(group, "first"), _day(group, "last")
    if first is not None and last is not None and last < first:
        group.say("period_dates", "last", first=first.isoformat(), last=last.isoformat())
    for times in _times(group):
        period = build(
            Period,
            group,
            name=group.value("name", str),
            first=first,
            last=last,
            days=times.days,
            start=times.start,
            end=times.end,
            holidays=times.holidays,
            targets=targets,
            phone_system_targets=others,
        )
        if period is not None:
            yield period


def _times(group: Group) -> tuple[Times, ...]:
    holidays = _holidays(group)
    if not group.has("times"):
        days = attempt(group, lambda: _days(group)) or ()
        start, end = _clock(group, "start", "00:00"), _clock(group, "end", "24:00")
        return (Times(days, start, end, holidays),)
    if any(group.has(field) for field in _LONG_FORM):
        group.say(
            "field_value", "times", text=str(group.raw("times"))[:40], why="times and days, start or end say the same twice"
        )
        return ()
    found: list[Times] = []
    for place, item in group.one_or_many("times"):
        if isinstance(item, str):
            found += attempt(group, lambda text=item, place=place: parse_times(text, place)) or ()  # type: ignore[misc] # bound now
        else:
            hint = " by putting it in quotes"
            group.faults.append(fault("field_type", place, found=named(type(item)), wanted=named(str), hint=hint))
    if holidays == "any":
        return tuple(found)
    if any(times.holidays != "any" for times in found):
        group.say("field_value", "holidays", text=holidays, why="the times speak of public holidays already")
        return ()
    return tuple(times._replace(holidays=holidays) for times in found)


def _days(group: Group) -> tuple[Weekday, ...]:
    days: list[Weekday] = []
    for place, item in group.one_or_many("days"):
        text = item if isinstance(item, str) else ""
        (times, *more) = parse_times(text, place)
        if more or times[1:] != ("00:00", "24:00", "any"):
            raise reject("times_text", place, text=text[:60], what=text[:20], why="only days of the week stand here")
        days += (day for day in times.days if day not in days)
    return tuple(days)


def _clock(group: Group, field: str, default: str) -> str:
    """Return a time of day as the model wants it: ``8:00`` is ``08:00``."""
    text = group.value(field, str, hint=" by putting it in quotes")
    if text is None:
        return default
    hours, found, minutes = text.strip().replace(".", ":").partition(":")
    return f"{hours:0>2}:{minutes or '00'}" if hours.isdigit() and (not found or minutes.isdigit()) else text


def _holidays(group: Group) -> Literal["any", "only", "except"]:
    text = group.value("holidays", str)
    match text:
        case None | "any":
            return "any"
        case "only":
            return "only"
        case "except":
            return "except"
    group.say("field_value", "holidays", text=text[:40], why="it is any, only or except")
    return "any"


def _day(group: Group, field: str) -> date | None:
    """Read a day: a date of YAML, ``2026-12-24`` or ``24.12.2026``."""
    value = group.raw(field)
    if isinstance(value, str):
        for form in ("%Y-%m-%d", "%d.%m.%Y"):
            try:
                return datetime.strptime(value.strip(), form).date()  # noqa: DTZ007 - a day of the calendar has no zone
            except ValueError:
                continue
    elif isinstance(value, date) and not isinstance(value, datetime):
        return value
    if value is not None:
        group.say("field_value", field, text=str(value)[:40], why="it is no day such as 2026-12-24")
    return None


def _list_in_file(location: str, holder: Diversion | Period) -> str:
    for name, shown, targets in (
        ("targets", "to", holder.targets),
        ("phone_system_targets", "phone_system_to", holder.phone_system_targets),
    ):
        if location.startswith(f"{name}["):
            return location.replace(name, shown, 1) if len(targets) > 1 else shown
    return ""


def plan_slug(text: str) -> str:
    """Return a text in the letters of an id; two plans may come to the same, which is then told as an id used twice."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "-" for char in text)
