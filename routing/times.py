"""Times as people write them: ``Mo-Fr 08:00-17:00``, ``Sat 9-13, 15-18``, ``public holidays``.

One text may hold several times of several days; each becomes a period of its own::

    times   = part *( ("," / ";" / " ") part )
    part    = days / clock / holidays
    days    = day ["-" day] / "daily" / "täglich"
    clock   = time "-" time ["Uhr"]          ; 08:00-17:00, 8-17, 22:00-06:00, 8.30–17.15
    holidays = ["not" / "nicht" / "except" / "außer" / "ohne"] ["an" / "on" / "public" / "gesetzlichen"] ("holidays" / "Feiertagen" / …)

Days before a clock are those of all clocks that follow, until other days are named: ``Mo-Do 8-17, Fr 8-12`` and ``Mo-Fr 8-12, 13-17``.
Days that stand only behind a clock are refused: ``8-17 Mo-Fr`` would be every day from 8 to 17 and the whole of Monday to Friday.
Public holidays are named like a day, and are one more of them: ``Sa, So, Feiertage 10-16``. ``nicht an Feiertagen`` is for the whole
text. Without days it is every day, without a clock the whole day. German and English names of days may be short or long.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, NoReturn
from unicodedata import normalize

from routing.model import Weekday
from routing.rejection import reject

MAX_TEXT = 200


class Times(NamedTuple):
    """The fields of a period that say when."""

    days: tuple[Weekday, ...]
    start: str
    end: str
    holidays: Literal["any", "only", "except"]


_WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES: dict[str, Weekday] = {
    name: day
    for day, names in zip(
        _WEEK,
        (
            "mo mon monday montag montags",
            "tu tue tues tuesday di dienstag dienstags",
            "we wed wednesday mi mit mittwoch mittwochs",
            "th thu thur thurs thursday do don donnerstag donnerstags",
            "fr fri friday fre freitag freitags",
            "sa sat saturday sam samstag samstags sonnabend sonnabends",
            "su sun sunday so son sonntag sonntags",
        ),
        strict=True,
    )
    for name in names.split()
}
_GROUPS: dict[str, tuple[Weekday, ...]] = {
    **dict.fromkeys(("weekend", "weekends", "wochenende", "wochenends"), ("sat", "sun")),
    **dict.fromkeys(("weekday", "weekdays"), ("mon", "tue", "wed", "thu", "fri")),
}
# In law Saturday is one, in most offices it is not.
_UNCLEAR = frozenset({"werktag", "werktage", "werktags", "werktagen"})
_DAILY = frozenset({"daily", "täglich", "taeglich", "always", "immer", "everyday"})
_HOLIDAYS = frozenset({"holiday", "holidays", "feiertag", "feiertage", "feiertags", "feiertagen"})
_NOT = frozenset({"not", "nicht", "except", "außer", "ausser", "ohne", "without"})
_NOTHING = frozenset({"only", "nur", "on", "an", "public", "gesetzliche", "gesetzlichen", "uhr", "and", "und"})
_DASH = "-"
_TOKEN = re.compile(
    r"(?P<clock>(?P<h1>[0-9]{1,2})(?:[:.](?P<m1>[0-9]{2}))?\s*(?:uhr\s*)?-\s*(?P<h2>[0-9]{1,2})(?:[:.](?P<m2>[0-9]{2}))?)"
    r"|(?P<range>(?P<d1>[^\W\d_]+)\.?\s*-\s*(?P<d2>[^\W\d_]+)\.?)|(?P<word>[^\W\d_]+)\.?|(?P<gap>[\s,;+/&]+)"
)


def parse_times(text: str, location: str = "times") -> tuple[Times, ...]:
    """Return the times that a text names, in its order, at least one. Raises `RuleRejected`."""
    return _Reading(text, location).read()


class _Reading:
    def __init__(self, text: str, location: str) -> None:
        self.text = text
        self.location = location
        self.days: list[Weekday] = []
        self.everyday = False
        self.holiday = False
        self.used = False  # by a clock, so that the next day begins new ones
        self.bare = False  # a clock came before any day
        self.negated = False
        self.rest: Literal["any", "except"] = "any"
        self.found: list[Times] = []

    def read(self) -> tuple[Times, ...]:
        if len(self.text) > MAX_TEXT:
            self.refuse(self.text[:20], f"it is longer than {MAX_TEXT} characters")
        plain = re.sub(r"\s+bis\s+|[\u2010-\u2015\u2212]", _DASH, normalize("NFKC", self.text).casefold())
        at = 0
        while at < len(plain):
            match = _TOKEN.match(plain, at)
            if match is None:
                self.refuse(plain[at : at + 20], "it is neither a day nor a time")
            at = match.end()
            if match["clock"]:
                self.clock(match)
            elif match["range"]:
                self.day_range(match["d1"], match["d2"])
            elif match["word"]:
                self.word(match["word"])
        if self.negated:
            self.refuse(self.text, "what does not count is not named")
        if not self.used and (self.days or self.everyday or self.holiday or self.rest == "except"):
            self.emit("00:00", "24:00")
        if not self.found:
            self.refuse(self.text, "it names no time")
        return tuple(times if times.holidays == "only" else times._replace(holidays=self.rest) for times in self.found)

    def emit(self, start: str, end: str) -> None:
        if self.days or self.everyday or not self.holiday:
            self.found.append(Times(() if self.everyday else tuple(self.days), start, end, "any"))
        if self.holiday:
            self.found.append(Times((), start, end, "only"))

    def clock(self, match: re.Match[str]) -> None:
        start, end = self.time(match["h1"], match["m1"]), self.time(match["h2"], match["m2"])
        if start == "24:00":
            self.refuse(match.group(), "a day begins at 00:00")
        self.used = True
        self.bare |= not (self.days or self.everyday or self.holiday)
        self.emit(start, end)

    def time(self, hours: str, minutes: str | None) -> str:
        shown = f"{int(hours):02}:{minutes or '00'}"
        if shown > "24:00" or (minutes or "00") > "59":
            self.refuse(shown, "there is no such time of day")
        return shown

    def day_range(self, first: str, last: str) -> None:
        low, high = (_WEEK.index(self.day(name)) for name in (first, last))
        # Sat-Mon goes over the end of the week.
        self.add(_WEEK[(low + step) % 7] for step in range((high - low) % 7 + 1))

    def word(self, word: str) -> None:
        if word in _HOLIDAYS and self.negated:
            self.rest, self.negated = "except", False
        elif word in _HOLIDAYS:
            self.add(())
            self.holiday = True
        elif word in _NOT:
            self.negated = True
        elif word in _DAILY:
            self.add(())
            self.everyday = True
        elif word in _GROUPS:
            self.add(_GROUPS[word])
        elif word in _UNCLEAR:
            self.refuse(word, "whether Saturday is one is unclear, so name the days")
        elif word not in _NOTHING:
            self.add((self.day(word),))

    def day(self, name: str) -> Weekday:
        found = _NAMES.get(name)
        if found is None:
            self.refuse(name, "it is no day of the week")
        return found

    def add(self, days: Iterable[Weekday]) -> None:
        if self.negated:
            self.refuse(self.text, "only public holidays can be left out")
        if self.bare:
            self.refuse(self.text, "days stand before their times")
        if self.used:
            self.days, self.everyday, self.holiday, self.used = [], False, False, False
        self.days += (day for day in days if day not in self.days)

    def refuse(self, what: str, why: str) -> NoReturn:
        raise reject("times_text", self.location, text=self.text[:60], what=what[:20], why=why)
