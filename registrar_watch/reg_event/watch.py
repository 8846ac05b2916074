"""The subscriptions of all foreign lines, and what they make known to the engine."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from registrar_watch.reg_event.dialog import answer
from registrar_watch.reg_event.subscription import Subscription
from registrar_watch.reg_event.transaction import Address, Wire

if TYPE_CHECKING:
    from sipproxy._engine import ParsedMessage, RegistrationRow

_log = structlog.get_logger(__name__)
_TICK_S = 0.02
_AGAIN_S = 0.1
_AFTER_EXPIRY_S = 2.0
"""A registrar whose renewals we never saw is asked this long after the told end, before its word is believed to be over."""


@dataclass(frozen=True, slots=True)
class RegistrarAccess:
    """A registrar that notifies, as the configuration has it."""

    name: str
    domain: str
    hops: tuple[Address, ...]
    sources: frozenset[str]
    expires_s: int
    credentials: tuple[str, str] | None
    rate: float
    trust_expiry: bool | None


class Report(Protocol):
    """``Engine.report_registrations``."""

    def __call__(self, rows: "Sequence[RegistrationRow]", /) -> int:
        """Return how many rows were taken."""


class Registrar:
    """One registrar with its pace; the party of its subscriptions."""

    def __init__(self, access: RegistrarAccess, watch: "RegEventWatch") -> None:
        self.access = access
        self.wire = watch.wire
        self.domain = access.domain
        self.local_uri = f"sip:{access.credentials[0] if access.credentials else 'sipproxy'}@{access.domain}"
        self.expires_s = access.expires_s
        self.credentials = access.credentials
        self.tells_renewals = access.trust_expiry is True
        self._watch = watch
        self._urgent: deque[Callable[[], None]] = deque()
        self._waiting: deque[Callable[[], None]] = deque()
        self._tokens = 1.0
        self._filled_at = 0.0
        self._timer: asyncio.Handle | None = None

    def hop(self, attempt: int) -> Address:
        """Return the next hops in turn: one that did not answer is not asked again at once."""
        return self.access.hops[attempt % len(self.access.hops)]

    def is_ours(self, host: str) -> bool:
        """Return whether the address is the registrar's."""
        return host in self.access.sources

    def admit(self, start: Callable[[], None], *, urgent: bool = True) -> None:
        """Call ``start`` when the pace allows: at most ``rate`` a second, what is urgent first."""
        (self._urgent if urgent else self._waiting).append(start)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_soon(self._release)

    def dialog_changed(self, subscription: Subscription, old: str | None) -> None:
        """Know the subscription by its new Call-ID."""
        self._watch.dialog_changed(subscription, old)

    def told(self, subscription: Subscription) -> None:
        """Report the line."""
        if subscription.refreshes_told and self.access.trust_expiry is None and not self.tells_renewals:
            self.tells_renewals = True
            _log.info("registrar tells of renewals: the end of a registration is acted on by itself", registrar=self.access.name)
        self._watch.told(subscription)

    def close(self) -> None:
        """Forget what waits."""
        self._urgent.clear()
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _release(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        burst = max(1.0, self.access.rate * _TICK_S * 2)
        self._tokens = min(self._tokens + (now - self._filled_at) * self.access.rate, burst)
        self._filled_at = now
        while self._tokens >= 1 and (self._urgent or self._waiting):
            self._tokens -= 1
            (self._urgent or self._waiting).popleft()()
        waits = self._urgent or self._waiting
        self._timer = loop.call_later(max(_TICK_S, (1 - self._tokens) / self.access.rate), self._release) if waits else None


class LineWatch:
    """The subscriptions of one line, one a user."""

    __slots__ = ("line_id", "poll", "registrar", "subscriptions", "users")

    def __init__(self, line_id: str, registrar: Registrar, users: tuple[str, ...]) -> None:
        self.line_id = line_id
        self.registrar = registrar
        self.users = users
        self.subscriptions = [Subscription(registrar, user) for user in users]
        self.poll: asyncio.TimerHandle | None = None

    def ask_again(self) -> None:
        """Ask the registrar for all it knows of the line."""
        for subscription in self.subscriptions:
            subscription.ask_again()

    def stop(self) -> None:
        """End all subscriptions."""
        if self.poll is not None:
            self.poll.cancel()
            self.poll = None
        for subscription in self.subscriptions:
            subscription.stop()


Wanted = Mapping[str, tuple[str, tuple[str, ...]]]
"""Line → registrar and users."""


class RegEventWatch:
    """Keeps one subscription for each user of each foreign line whose registrar notifies."""

    def __init__(
        self, registrars: Iterable[RegistrarAccess], report: Report, slot_of: Callable[[str], int | None], listen: Address
    ) -> None:
        """``slot_of`` names lines to the engine; ``listen`` is bound by `open`."""
        self.wire = Wire(self._on_request, self._is_known)
        self._registrars = {access.name: Registrar(access, self) for access in registrars}
        self._sources = frozenset(source for item in self._registrars.values() for source in item.access.sources)
        self._report = report
        self._slot_of = slot_of
        self._listen = listen
        self._lines: dict[str, LineWatch] = {}
        self._line_of: dict[Subscription, LineWatch] = {}
        self._by_call_id: dict[str, Subscription] = {}
        self._changed: dict[str, LineWatch] = {}
        self._flushing = False
        self.notifies = 0

    async def open(self) -> None:
        """Bind the socket. Raises `OSError`."""
        await self.wire.open(*self._listen)

    def close(self) -> None:
        """End all subscriptions and close the socket."""
        for registrar in self._registrars.values():
            registrar.close()
        for line in self._lines.values():
            line.stop()
        self._lines.clear()
        self.wire.close()

    # -- lines --------------------------------------------------------------------------------------------------------

    def keep(self, line_id: str, wanted: tuple[str, tuple[str, ...]] | None) -> None:
        """Watch a line at ``(registrar, users)``, or no longer; a registrar that does not notify counts as none."""
        registrar = self._registrars.get(wanted[0]) if wanted is not None else None
        users = wanted[1] if wanted is not None else ()
        known = self._lines.get(line_id)
        if known is not None and known.registrar is registrar and known.users == users:
            return
        if known is not None:
            self._drop(known)
        if registrar is not None and users:
            line = self._lines[line_id] = LineWatch(line_id, registrar, users)
            for subscription in line.subscriptions:
                self._line_of[subscription] = line
                subscription.start()

    def keep_only(self, wanted: Wanted) -> None:
        """Watch these lines and no others."""
        for line_id in [line_id for line_id in self._lines if line_id not in wanted]:
            self.keep(line_id, None)
        for line_id, what in wanted.items():
            self.keep(line_id, what)

    def _drop(self, line: LineWatch) -> None:
        line.stop()
        self._lines.pop(line.line_id, None)
        self._changed.pop(line.line_id, None)
        for subscription in line.subscriptions:
            self._line_of.pop(subscription, None)
            if subscription.call_id is not None:
                self._by_call_id.pop(subscription.call_id, None)

    # -- figures ------------------------------------------------------------------------------------------------------

    def phases(self) -> dict[str, float]:
        """Return the number of subscriptions by phase. Callable from another thread."""
        counted = Counter(subscription.phase for subscription in list(self._line_of))
        return {phase: float(counted[phase]) for phase in ("subscribing", "pending", "active", "waiting", "refused")}

    def sentences(self) -> dict[str, str]:
        """Return what there is to say of each registrar."""
        found: dict[str, str] = {}
        for name, registrar in self._registrars.items():
            lines = [line for line in self._lines.values() if line.registrar is registrar]
            faults = Counter(item.fault for line in lines for item in line.subscriptions if item.fault)
            text = f"{len(lines)} lines watched"
            if faults:
                fault, _ = faults.most_common(1)[0]
                text += f", {sum(faults.values())} registrations unknown: {fault}"
            found[name] = text
        return found

    # -- what comes in --------------------------------------------------------------------------------------------------

    def _is_known(self, host: str) -> bool:
        return host in self._sources

    def _on_request(self, request: "ParsedMessage", source: Address) -> None:
        if request.method != "NOTIFY":
            if request.method != "ACK":
                self.wire.send(answer(request, source, 405, "Method Not Allowed", ("Allow", "NOTIFY")), source)
            return
        self.notifies += 1
        subscription = self._by_call_id.get(request.call_id)
        if subscription is None or not self._line_of[subscription].registrar.is_ours(source[0]):
            self.wire.send(answer(request, source, 481, "Subscription Does Not Exist"), source)
            return
        status, reason, extra = subscription.on_notify(request)
        self.wire.send(answer(request, source, status, reason, *extra), source)

    def dialog_changed(self, subscription: Subscription, old: str | None) -> None:
        """Know a subscription by its new Call-ID."""
        if old is not None:
            self._by_call_id.pop(old, None)
        if subscription.call_id is not None and subscription in self._line_of:
            self._by_call_id[subscription.call_id] = subscription

    # -- what goes to the engine ----------------------------------------------------------------------------------------

    def told(self, subscription: Subscription) -> None:
        """Report its line, with all others of this turn of the loop."""
        line = self._line_of.get(subscription)
        if line is None:
            return
        if subscription.fault:
            _log.info("registration unknown", line=line.line_id, registrar=line.registrar.access.name, why=subscription.fault)
        self._changed[line.line_id] = line
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        changed, self._changed = self._changed, {}
        rows = [row for line in changed.values() if (row := self._row(line)) is not None]
        if rows and self._report(rows) < len(rows):
            # A worker was busy; the same rows change nothing where they were taken.
            self._changed = {**changed, **self._changed}
            self._flushing = True
            asyncio.get_running_loop().call_later(_AGAIN_S, self._flush)

    def _row(self, line: LineWatch) -> "RegistrationRow | None":
        slot = self._slot_of(line.line_id)
        if slot is None:
            return None
        now_ms = int(time.time() * 1000)
        known = [item.summary for item in line.subscriptions if item.summary is not None]
        present = [item for item in known if item.state == "present"]
        if present:
            ends = [item.expires_s for item in present]
            left_s = None if None in ends else max(end for end in ends if end is not None)
            self._plan_poll(line, left_s)
            acted_on = left_s is not None and line.registrar.tells_renewals
            until = now_ms + int((left_s or 0) * 1000) + 1000 if acted_on else 0
            return slot, "present", now_ms, until, sum(item.contacts for item in present), present[0].evidence
        self._plan_poll(line, None)
        for item in line.subscriptions:
            if item.fault:
                return slot, "unknown", now_ms, 0, 0, item.fault
        return slot, known[-1].state, now_ms, 0, 0, known[-1].evidence

    def _plan_poll(self, line: LineWatch, left_s: int | None) -> None:
        """A registrar whose renewals we never saw is asked when the told time is over."""
        if line.poll is not None:
            line.poll.cancel()
            line.poll = None
        if left_s is not None and not line.registrar.tells_renewals and line.registrar.access.trust_expiry is None:
            line.poll = asyncio.get_running_loop().call_later(left_s + _AFTER_EXPIRY_S, line.ask_again)
