"""Sites: when some lines of one site fall, the others are asked at once; when enough of them are down, the site is.

A site is what orders with the same site id share. It is *down* when k of its n lines are, k being a share of n by product
(`routing.products.Product.site_share`); *degraded* when some are down but not so many. A site with a single line is that line, and
tells nothing of its own. Nothing here decides about calls: each line is diverted by its own verdict.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import structlog

if TYPE_CHECKING:
    from sipproxy._engine import VerdictRow

_log = structlog.get_logger(__name__)

SiteState = Literal["up", "degraded", "down"]
_NAMED = 5
"""Lines named in the evidence."""


class SiteBook(Protocol):
    """Which lines stand where."""

    def site_of(self, line: str) -> str | None:
        """Return the site of a line, None if the line is gone."""

    def lines_at(self, site: str) -> Collection[str]:
        """Return the lines of a site."""

    def site_share(self, site: str) -> float:
        """Return the share of its lines, 0…1, from which on the site is down."""


@dataclass(frozen=True, slots=True)
class Site:
    """How a site is; the counts are of lines."""

    site: str
    state: SiteState
    down: int
    total: int
    since_unix_ms: int
    evidence: str


OnSite = Callable[[Site], None]
"""A site changed; this is how it is now."""


class Sites:
    """Follows the verdicts of lines. Synchronous and quick; one thread."""

    def __init__(self, book: SiteBook, on_site: OnSite, doubt: Callable[[list[str]], None]) -> None:
        """``doubt(lines)`` has lines asked soon."""
        self._book = book
        self._on_site = on_site
        self._doubt = doubt
        self._down: dict[str, dict[str, VerdictRow]] = {}
        self._site_of: dict[str, str] = {}  # lines that are down → where they were counted
        self._sites: dict[str, Site] = {}

    def verdict(self, line: str, row: "VerdictRow", at_unix_ms: int) -> None:
        """A line's health changed."""
        site = self._count(line, row)
        if site is not None:
            self._judge(site, at_unix_ms)

    def restored(self, verdicts: Iterable[tuple[str, "VerdictRow"]]) -> None:
        """These verdicts hold from before the start, when what they mean for their sites was told."""
        touched = {site for line, row in verdicts if (site := self._count(line, row)) is not None}
        for site in touched:
            down = self._down[site]
            found = self._find(site, max(row["since_unix_ms"] for row in down.values()))
            if found.state != "up":
                self._sites[site] = found

    def read_again(self, rows: Mapping[str, "VerdictRow"], at_unix_ms: int) -> None:
        """These are the verdicts of all lines, read when events were lost."""
        touched = set(self._sites)
        for line in [line for line in self._site_of if line not in rows]:
            touched.add(self._forget(line))
        touched |= {site for line, row in rows.items() if (site := self._count(line, row)) is not None}
        for site in sorted(touched):
            self._judge(site, at_unix_ms)

    def tick(self, at_unix_ms: int) -> None:
        """Look again at the sites that are not up: lines may have come, gone, or moved."""
        for line in [line for line, site in self._site_of.items() if self._book.site_of(line) != site]:
            row = self._down[self._site_of[line]][line]
            self._forget(line)
            self._count(line, row)
        for site in {*self._sites, *self._down}:
            self._judge(site, at_unix_ms)

    def faulty(self) -> list[Site]:
        """Return the sites that are not up, by name."""
        return [self._sites[site] for site in sorted(self._sites)]

    def counts(self) -> dict[str, int]:
        """Return how many sites are degraded and down."""
        states = Counter(site.state for site in self._sites.values())
        return {"degraded": states["degraded"], "down": states["down"]}

    def _count(self, line: str, row: "VerdictRow") -> str | None:
        """Note a line's health; return the site that it may change."""
        before = self._forget(line) if line in self._site_of else None
        if row["health"] != "down":
            return before
        site = self._book.site_of(line)
        if site is None:
            return before
        self._site_of[line] = site
        self._down.setdefault(site, {})[line] = row
        return site

    def _forget(self, line: str) -> str:
        site = self._site_of.pop(line)
        lines = self._down[site]
        del lines[line]
        if not lines:
            del self._down[site]
        return site

    def _judge(self, site: str, at_unix_ms: int) -> None:
        before, now = self._sites.get(site), self._find(site, at_unix_ms)
        if now.state == (before.state if before is not None else "up"):
            if before is not None and (before.down, before.total) != (now.down, now.total):
                self._sites[site] = replace(now, since_unix_ms=before.since_unix_ms)
            return
        if now.state == "up":
            del self._sites[site]
        else:
            self._sites[site] = now
            if before is None or now.state == "down":
                self._doubt(sorted(line for line in self._book.lines_at(site) if line not in self._down[site]))
        write = _log.warning if now.state == "down" else _log.info
        write(f"site {now.state}", site=site, down=now.down, lines=now.total, evidence=now.evidence)
        self._on_site(now)

    def _find(self, site: str, since_unix_ms: int) -> Site:
        """Return how a site is, by the lines of it that are down."""
        down, total = self._down.get(site, {}), len(self._book.lines_at(site))
        state = _state(len(down), total, self._book.site_share(site) if down else 1.0)
        return Site(site, state, len(down), total, since_unix_ms, _evidence(down))


def _state(down: int, total: int, share: float) -> SiteState:
    if total <= 1 or not down:
        return "up"
    return "down" if down >= min(total, max(1, math.ceil(share * total - 1e-9))) else "degraded"


def _evidence(down: Mapping[str, "VerdictRow"]) -> str:
    """Say which lines are down and why. The place of the fault is named only where all of them agree on it."""
    if not down:
        return "no line is down"
    named = ", ".join(sorted(down)[:_NAMED]) + (f" and {len(down) - _NAMED} more" if len(down) > _NAMED else "")
    causes: Iterable[tuple[str, int]] = Counter(row["cause"] for row in down.values()).most_common()
    text = f"down: {named}; " + ", ".join(f"{cause} × {count}" for cause, count in causes)
    places = {row["place"] for row in down.values()}
    return f"{text}; all say {places.pop()}" if len(places) == 1 and places != {"unclear"} else text
