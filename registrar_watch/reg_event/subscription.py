"""The life of one subscription (RFC 6665 §4.1), from the wish to know to what is known.

Rules: a refresh goes out well before the end, spread so that a hundred thousand do not meet; a subscription that ends is made anew as
its reason says (§4.1.3); one that fails is tried again after a wait that doubles, and what it knew is then *unknown*. A 2xx without a
NOTIFY within 64·T1 has failed (§4.1.2.4, Timer N). A document that is missing one before it asks for the full state (RFC 3680 §5.2).
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from registrar_watch.reg_event.dialog import Dialog, aor_of
from registrar_watch.reg_event.reginfo import CONTENT_TYPE, BadDocument, read_reginfo
from registrar_watch.reg_event.state import Applied, RegState, Summary
from registrar_watch.reg_event.transaction import Address, ClientTransaction, Wire, new_token
from sipproxy._engine import digest_answer

if TYPE_CHECKING:
    from sipproxy._engine import ParsedMessage

TIMER_N_S = 32.0
FIRST_RETRY_S, LAST_RETRY_S = 5.0, 300.0
REFUSED_RETRY_S = 900.0
"""After an answer that another attempt would only repeat: 403, 404, 489 and their like."""
_REFUSALS = {403, 404, 405, 489, 501, 603, 604}
_FOR_EVER = {"rejected", "noresource", "invariant"}
_AT_ONCE = {"deactivated", "timeout"}
_ANSWERS_TO_CHALLENGES = 2
_LONGEST_S = 6_048_000
_ROUNDING_S = 2.0
"""Registrars write whole seconds, and look after their contacts each second or so."""

Reply = tuple[int, str, tuple[tuple[str, str], ...]]
OK: Reply = (200, "OK", ())


class Party(Protocol):
    """What a subscription needs of the registrar it belongs to."""

    wire: Wire
    domain: str
    local_uri: str
    expires_s: int
    credentials: tuple[str, str] | None

    def hop(self, attempt: int) -> Address:
        """Return the next hop for this attempt."""

    def admit(self, start: Callable[[], None], *, urgent: bool = True) -> None:
        """Call ``start`` when the pace allows."""

    def is_ours(self, host: str) -> bool:
        """Return whether requests may be sent there."""

    def dialog_changed(self, subscription: "Subscription", old: str | None) -> None:
        """Take note of a new Call-ID."""

    def told(self, subscription: "Subscription") -> None:
        """Take note that ``summary`` or ``fault`` has changed."""


class Subscription:
    """One address-of-record at one registrar."""

    __slots__ = (
        "_attempts", "_challenged", "_dialog", "_ends", "_expires_s", "_notified", "_party", "_reply", "_state",
        "_timer", "_timer_n", "_transaction", "fault", "phase", "refreshes_told", "summary", "user",
    )  # fmt: skip

    def __init__(self, party: Party, user: str) -> None:
        self._party = party
        self.user = user
        self.phase = "idle"
        """idle, subscribing, pending, active, waiting (to try again), refused, ended."""
        self.fault = "not asked yet"
        """Why nothing is known; "" when ``summary`` holds."""
        self.summary: Summary | None = None
        self.refreshes_told = False
        self._attempts = 0
        self._challenged = 0
        self._expires_s = party.expires_s
        self._state = RegState()
        self._dialog: Dialog | None = None
        self._transaction: ClientTransaction | None = None
        self._ends: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_n: asyncio.TimerHandle | None = None
        self._notified = False
        self._reply: tuple[int, Reply] | None = None

    @property
    def call_id(self) -> str | None:
        """Call-ID of the dialog, None without one."""
        return self._dialog.call_id if self._dialog is not None else None

    def start(self) -> None:
        """Subscribe as soon as the pace allows."""
        self.phase = "subscribing"
        self._party.admit(self._begin, urgent=False)

    def stop(self) -> None:
        """End it: Expires 0 in the dialog (RFC 6665 §4.1.2.3), and no wait for the answer."""
        established = self._dialog is not None and self._dialog.remote_tag is not None
        self._quiet()
        if established and self.phase in {"active", "pending"}:
            self._send(0, lambda _response: None)
        self.phase = "ended"

    def ask_again(self) -> None:
        """Ask for the full state now (a refresh makes the registrar notify, RFC 6665 §4.2.1.4)."""
        if self._dialog is not None and self._dialog.remote_tag is not None and self.phase in {"active", "pending"}:
            self._party.admit(self._refresh)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Open a new dialog."""
        if self.phase == "ended":
            return
        self._quiet()
        old = self.call_id
        self._dialog = Dialog(aor_of(self.user, self._party.domain), self._party.local_uri)
        self._state = RegState()
        self._notified = False
        self._reply = None
        self._challenged = 0
        self.phase = "subscribing"
        self._party.dialog_changed(self, old)
        self._send(self._expires_s, self._on_response)

    def _refresh(self) -> None:
        if self.phase not in {"active", "pending"}:
            return
        self._challenged = 0
        self._send(self._expires_s, self._on_response)

    def _send(
        self, expires_s: int, on_response: "Callable[[ParsedMessage | None], None]", authorization: tuple[str, str] | None = None
    ) -> None:
        dialog = self._dialog
        if dialog is None:
            return
        if self._transaction is not None:
            self._transaction.cancel()
        to = dialog.next_hop() if dialog.remote_tag is not None else None
        if to is None or not self._party.is_ours(to[0]):
            # A name cannot be looked up here, and nobody may aim us at others.
            to = self._party.hop(self._attempts)
        branch = f"z9hG4bK{new_token(10)}"
        data = dialog.subscribe(self._party.wire.sent_by, branch, expires_s, authorization)
        self._transaction = ClientTransaction(self._party.wire, branch, data, to, on_response)
        self._transaction.start()

    def _on_response(self, response: "ParsedMessage | None") -> None:
        self._transaction = None
        dialog = self._dialog
        if dialog is None or self.phase == "ended":
            return
        if response is None:
            self._failed("no answer to SUBSCRIBE within 32 s")
        elif response.status < 300:  # noqa: PLR2004 - success
            self._accepted(response, dialog)
        elif response.status == 481 and dialog.remote_tag is not None:  # noqa: PLR2004 - the dialog is gone (§4.1.2.2)
            self.phase = "subscribing"
            self._party.admit(self._begin)
        elif not self._mended(response, dialog):
            why = f"SUBSCRIBE was answered {response.status} {response.reason}"
            self._failed(why, _seconds(response, "Retry-After"), refused=response.status in _REFUSALS)

    def _mended(self, response: "ParsedMessage", dialog: Dialog) -> bool:
        """Send what the registrar asks for instead: credentials, or a longer time (423, RFC 3261 §21.4.17)."""
        if response.status in {401, 407}:
            return self._authorize(response, dialog)
        minimum = response.values("Min-Expires")
        if response.status != 423 or not minimum or not minimum[0].strip().isdigit():  # noqa: PLR2004 - Interval Too Brief
            return False
        wanted = int(minimum[0])
        if not self._expires_s < wanted <= _LONGEST_S:
            return False
        self._expires_s = wanted
        self._send(wanted, self._on_response)
        return True

    def _accepted(self, response: "ParsedMessage", dialog: Dialog) -> None:
        dialog.settle(response)
        self._attempts = 0
        granted = min(response.expires if response.expires is not None else self._expires_s, self._expires_s)
        if self.phase == "subscribing":
            self.phase = "pending"
        self._schedule_refresh(granted)
        if not self._notified and self._timer_n is None:
            self._timer_n = asyncio.get_running_loop().call_later(TIMER_N_S, self._no_notify)

    def _authorize(self, response: "ParsedMessage", dialog: Dialog) -> bool:
        """Answer a challenge; False when there are no credentials, or they were refused before."""
        credentials = self._party.credentials
        self._challenged += 1
        if credentials is None or self._challenged > _ANSWERS_TO_CHALLENGES:
            return False
        proxy = response.status == 407  # noqa: PLR2004 - Proxy Authentication Required
        name = "Proxy-Authorization" if proxy else "Authorization"
        for challenge in response.values("Proxy-Authenticate" if proxy else "WWW-Authenticate"):
            value = digest_answer(challenge, "SUBSCRIBE", dialog.target, *credentials, new_token(), 1)
            if value is not None:
                self._send(self._expires_s, self._on_response, (name, value))
                return True
        return False

    def _no_notify(self) -> None:
        self._timer_n = None
        if not self._notified:
            self._failed("SUBSCRIBE was accepted, but no NOTIFY came within 32 s")

    # -- NOTIFY -------------------------------------------------------------------------------------------------------

    def on_notify(self, request: "ParsedMessage") -> Reply:
        """Take a NOTIFY with our Call-ID; return the answer. Its sender is a registrar's."""
        dialog = self._dialog
        known = dialog is not None and request.to_tag == dialog.local_tag and self.phase not in {"ended", "refused", "waiting"}
        if dialog is None or not known or (dialog.remote_tag is not None and request.from_tag != dialog.remote_tag):
            return 481, "Subscription Does Not Exist", ()
        if self._reply is not None and self._reply[0] == request.cseq:
            return self._reply[1]
        if dialog.remote_cseq is not None and request.cseq < dialog.remote_cseq:
            return 500, "CSeq Out of Order", ()
        reply = self._checked(request)
        if reply[0] < 300:  # noqa: PLR2004 - success
            dialog.settle(request)
            dialog.remote_cseq = request.cseq
            reply = self._take(request)
        self._reply = (request.cseq, reply)
        return reply

    def _checked(self, request: "ParsedMessage") -> Reply:
        required = request.values("Require")
        if required:
            return 420, "Bad Extension", (("Unsupported", ", ".join(required)),)
        event = request.values("Event")
        if not event or event[0].partition(";")[0].strip().lower() != "reg":
            return 489, "Bad Event", (("Allow-Events", "reg"),)
        if not request.values("Subscription-State"):
            return 400, "Missing Subscription-State", ()
        kind = request.values("Content-Type")
        if request.body and (not kind or kind[0].partition(";")[0].strip().lower() != CONTENT_TYPE):
            return 415, "Unsupported Media Type", (("Accept", CONTENT_TYPE),)
        return OK

    def _take(self, request: "ParsedMessage") -> Reply:
        self._notified = True
        if self._timer_n is not None:
            self._timer_n.cancel()
            self._timer_n = None
        state, parameters = _subscription_state(request.values("Subscription-State")[0])
        if request.body:
            try:
                document = read_reginfo(request.body)
            except BadDocument as bad:
                self._failed(f"its document cannot be used: {bad}")
                return 400, "Bad Document", ()
            applied = self._state.apply(document)
            if applied is Applied.GAP:
                self._say(None, "a notification was lost, asking for the full state")
                self._party.admit(self._restart_state)
            elif applied is Applied.TAKEN:
                self.refreshes_told = self.refreshes_told or self._state.renewals_told
                self._say(self._dated(self._state.summary(self.user)), "")
        elif self.summary is None:
            self._say(None, "the registrar sent no document")
        if state == "terminated":
            self._terminated(parameters)
        else:
            self.phase = "active" if state == "active" else "pending"
            if parameters.get("expires", "").isdigit():
                self._schedule_refresh(int(parameters["expires"]))
        return OK

    def _dated(self, summary: Summary | None) -> Summary | None:
        """Say that a registration ran out where the registrar only has nothing any more, and its told time is over."""
        now, ends = asyncio.get_running_loop().time(), self._ends
        self._ends = None
        if summary is not None and summary.state == "present" and summary.expires_s is not None:
            self._ends = now + summary.expires_s
        elif summary is not None and summary.state == "absent" and ends is not None and now > ends - _ROUNDING_S:
            return replace(summary, state="expired", evidence="the registrar has no contact any more, the last one ran out")
        return summary

    def _restart_state(self) -> None:
        self._state = RegState()
        self._refresh()

    def _terminated(self, parameters: dict[str, str]) -> None:
        """RFC 6665 §4.1.3: each reason says whether and when to come back."""
        reason = parameters.get("reason", "").lower()
        text = parameters.get("retry-after", "")
        after = float(min(int(text), 86_400)) if text.isdigit() else None
        self._quiet()
        if reason in _FOR_EVER:
            self.phase = "refused"
            if reason != "invariant":
                self._say(None, f"the registrar ended the subscription for good ({reason})")
        elif reason in _AT_ONCE:
            self.phase = "subscribing"
            self._party.admit(self._begin)
        else:
            # probation and giveup may name a time; without one, and without a reason, we come back after ours.
            self._failed(f"the registrar ended the subscription ({reason or 'no reason'})", after)

    # -- clocks and word ------------------------------------------------------------------------------------------------

    def _schedule_refresh(self, granted_s: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # Between 60 and 85 % of the time: early enough for Timer F and a second attempt, and spread.
        wait_s = max(granted_s * random.uniform(0.6, 0.85), 0.5)  # noqa: S311 - spreads load, guards nothing
        self._timer = asyncio.get_running_loop().call_later(wait_s, lambda: self._party.admit(self._refresh))

    def _failed(self, why: str, after_s: float | None = None, *, refused: bool = False) -> None:
        """Try again later; until then nothing is known."""
        self._quiet()
        self._attempts += 1
        wait_s = min(FIRST_RETRY_S * 2 ** min(self._attempts - 1, 10), LAST_RETRY_S)
        wait_s = REFUSED_RETRY_S if refused else wait_s
        wait_s = after_s if after_s is not None else wait_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
        self.phase = "waiting"
        self._timer = asyncio.get_running_loop().call_later(wait_s, self.start)
        self._say(None, why)

    def _say(self, summary: Summary | None, fault: str) -> None:
        if summary is None and not fault:
            fault = "the registrar told nothing of it"
        self.summary, self.fault = summary, fault
        self._party.told(self)

    def _quiet(self) -> None:
        for timer in (self._timer, self._timer_n):
            if timer is not None:
                timer.cancel()
        self._timer = self._timer_n = None
        if self._transaction is not None:
            self._transaction.cancel()
            self._transaction = None


def _subscription_state(value: str) -> tuple[str, dict[str, str]]:
    """Return state and parameters of Subscription-State (RFC 6665 §8.4)."""
    state, *rest = (part.strip() for part in value.split(";"))
    pairs = (part.partition("=") for part in rest)
    return state.lower(), {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}


def _seconds(response: "ParsedMessage", name: str) -> float | None:
    """Return a header field that begins with seconds, at most a day."""
    values = response.values(name)
    digits = values[0].partition(";")[0].partition("(")[0].strip() if values else ""
    return float(min(int(digits), 86_400)) if digits.isascii() and digits.isdigit() else None
