"""Events in one English line each, for people who read a history."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from registrar_watch.places import Language, place_words
from sipproxy.operations.status import cause_text

Record = Mapping[str, Any]
_NAMED = 20
_WISHES = {
    "enabled": "calls go by what is observed",
    "drained": "drained: no new calls to the line",
    "forced_down": "forced down",
    "forced_up": "forced up",
    "drill": "drill",
}
_COUNTS = ("offered", "completed", "declined", "cancelled", "diverted", "rescued", "failed")


def tell(record: Record, language: Language = "en") -> str:
    """Return what an event says; ``language`` is that of the place of a fault. A kind that is not known is shown as it is."""
    writer = _KINDS.get(record.get("kind", ""))
    if writer is not None:
        with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError, OverflowError):  # not written by us
            return writer(record, language)
    known = {"id", "node", "boot", "seq", "at_unix_ms", "kind", "line", "order", "shard", "position"}
    more = ", ".join(f"{key} {value}" for key, value in record.items() if key not in known)
    return f"{record.get('kind', '?')}: {more}"


def clock(unix_ms: int | None) -> str:
    """Return a time of day, with the date where it is not today's."""
    if unix_ms is None:
        return "—"
    moment = datetime.fromtimestamp(unix_ms / 1000, UTC).astimezone()
    today = datetime.now(UTC).astimezone().date()
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M:%S}"


def lasting(duration_ms: int) -> str:
    """Return a duration as people say it."""
    seconds = duration_ms / 1000
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _place(record: Record, language: Language) -> str:
    words = place_words(record.get("place") or "", language)
    return f" [{words}]" if words else ""


def _registration(record: Record, _: Language) -> str:
    agent = f", {record['user_agent']}" if record.get("user_agent") else ""
    return f"registration {record['change']}: {record['contact']} from {record['received']}{agent}"


def _verdict(record: Record, language: Language) -> str:
    missed = " (events were lost; read again)" if record.get("read_again") else ""
    cause = cause_text(record["cause"], record["evidence"])
    place = _place(record, language) if record["health"] in {"down", "suspect"} else ""
    return f"{record['previous']} → {record['health']}: {cause}{place}{missed}"


def _diversion(record: Record, language: Language) -> str:
    cause = _WISHES[record["wish"]] if record["wish"] != "enabled" else cause_text(record["cause"], "")
    if record["change"] == "began":
        evidence = f": {record['evidence']}" if record.get("evidence") else ""
        return f"calls are diverted: {cause}{evidence}{_place(record, language)}"
    return f"calls are no longer diverted: {record['why']}; {record['diverted']} diverted in {lasting(record['duration_ms'])}"


def first_of(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are: a line may have thousands of rules."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _drill(record: Record, _: Language) -> str:
    note = f" ({record['note']})" if record["note"] else ""
    if record["change"] == "ended":
        by = "by itself" if record["by_itself"] else f"by {record['by'] or '?'}"
        return f"drill ended {by}{note}; {record['diverted']} calls diverted"
    bare = f"; not armed: {', '.join(record['unarmed'])}" if record["unarmed"] else ""
    more = record["unarmed_count"] - len(record["unarmed"])
    bare += f" and {more} more" if more > 0 else ""
    armed = first_of(record["armed"])
    return f"drill {record['change']} by {record['by'] or '?'} until {clock(record['until_unix_ms'])}{note}; armed: {armed}{bare}"


def _wish(record: Record, _: Language) -> str:
    if record["by_itself"]:
        return f"the wish {record['previous']} is over: {_WISHES['enabled']}"
    until = f" until {clock(record['until_unix_ms'])}" if record["until_unix_ms"] else ""
    note = f" ({record['note']})" if record["note"] else ""
    return f"wished by {record['by'] or '?'}: {_WISHES.get(record['wish'], record['wish'])}{until}{note}"


def _calls(record: Record, _: Language) -> str:
    counts = record["counts"]
    words = ", ".join(f"{counts[name]} {name}" for name in _COUNTS if counts.get(name))
    return f"calls since {clock(record['from_unix_ms'])}: {words or 'none'}"


def _diverted(record: Record, _: Language) -> str:
    how = "after the line had its chance" if record["how"] == "rescue" else "at once"
    drill = ", drill" if record["drill"] else ""
    rule = f" by rule {record['rule']}" if record["rule"] else ""
    return f"call to {record['number']} diverted to +{record['target'].removeprefix('+')} {how}{rule}{drill}"


def _returned(record: Record, _: Language) -> str:
    return f"first call delivered to the line again after the {record['after']}"


def _guard(record: Record, _: Language) -> str:
    by = f" by {record['by']}" if record["by"] else ""
    return f"verdicts {record['change']}{by}: {record['why']}; {record['held']} falls held, {record['troubled']} lines in trouble"


def _site(record: Record, _: Language) -> str:
    return f"site {record['site']} {record['state']}: {record['down']} of {record['lines']} lines; {record['evidence']}"


def _brake(record: Record, _: Language) -> str:
    order = record["order"]
    if record["change"] == "ended":
        by = "by themselves" if record["by_itself"] else f"by {record['by']}"
        return f"the rules of order {order} count again {by}, after {lasting(record['at_unix_ms'] - record['began_unix_ms'])}"
    span = "an hour" if record["span"] == "hour" else "a day"
    counts = f"{record['count']} calls diverted within {span}, {record['limit']} are allowed"
    match record["change"]:
        case "warned":
            return f"warning for order {order}: {counts}"
        case "rests":
            return f"the rules of order {order} rest until {clock(record['ends_unix_ms'])} or until they are released: {counts}"
        case _:
            return f"the rules of order {order} would rest, but the brake is off: {counts}"


def _started(record: Record, _: Language) -> str:
    before = record["before"]
    past = {"stopped": "stopped in order before", "killed": f"the run begun {clock(before.get('told_unix_ms'))} was killed"}
    restored = record["restored"]
    had = f"{restored['bindings']} registrations and {restored['verdicts']} verdicts restored"
    return f"started ({past.get(before['end'], 'nothing known of a run before')}): {record['lines']} lines, {had}"


def _stopped(record: Record, _: Language) -> str:
    return f"stopped after {lasting(int(record['uptime_s'] * 1000))}"


def _resync(record: Record, _: Language) -> str:
    return f"the store's rules were read in full again (version {record['sequence']})"


def _lost(record: Record, _: Language) -> str:
    return f"{record['count']} events lost: {record['why']}"


def _gap(record: Record, _: Language) -> str:
    return f"{record['missing'] or 'some'} events are not kept any more"


_KINDS: Mapping[str, Callable[[Record, Language], str]] = {
    "registration": _registration,
    "verdict": _verdict,
    "diversion": _diversion,
    "drill": _drill,
    "wish": _wish,
    "calls": _calls,
    "diverted": _diverted,
    "returned": _returned,
    "guard": _guard,
    "site": _site,
    "brake": _brake,
    "started": _started,
    "stopped": _stopped,
    "resync": _resync,
    "lost": _lost,
    "gap": _gap,
}
