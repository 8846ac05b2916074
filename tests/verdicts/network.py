"""The real engine on a virtual clock, with phones, a caller and a network that loses and delays between them.

Time passes only in `SimulatedNetwork.pass_time`; a run with one seed is always the same run, but for the engine's own branches
and tags. Times are Unix microseconds.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from routing.profiles import PROFILES
from sipproxy._engine import VirtualEngine
from tests.harness.sip import Message, host_port, parameter, parse, response, token, uri

if TYPE_CHECKING:
    from sipproxy._engine import (
        BindingRow,
        Delta,
        EngineSettings,
        InterconnectSettings,
        LineSpec,
        LineState,
        ProfileSettings,
        RuleSpec,
        VerdictRow,
        Wish,
    )

US = "192.0.2.10:5060"
CORE = "198.51.100.1:5060"
DOMAIN = "example.net"
START_US = 1_760_000_000_000_000
SECOND = 1_000_000


@dataclass
class Probe:
    """One OPTIONS as it left the engine."""

    sent_us: int
    answered_us: int | None = None
    """When its answer came in."""
    status: int = 0
    refused_us: int | None = None
    """When ICMP about it came in."""


@dataclass
class Phone:
    """What stands at an address. Its flags may change at any time."""

    address: str
    options: bool = True
    """Answers OPTIONS."""
    invite: str = "answer"
    """To an INVITE: answer (100, 180, 200), trying (100 and nothing more), refuse (503), busy (486), silent."""
    connected: bool = True
    """False: the line is cut, nothing gets there or back."""
    unreachable: str = ""
    """Not empty: what gets here is answered with this ICMP error."""
    ring_us: int = SECOND
    probes: list[Probe] = field(default_factory=list)
    invites: dict[str, int] = field(default_factory=dict)
    """Call-ID → when its first INVITE got here."""
    refused: set[tuple[int, str]] = field(default_factory=set)
    """When ICMP about an INVITE came in, and its Call-ID."""
    acknowledged: set[str] = field(default_factory=set)
    byes: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)

    def misses(self, now_us: int, timeout_us: int) -> int:
        """Count the probes in a row, up to now, that got no answer in time; those still waited for are passed over."""
        count = 0
        for probe in reversed(self.probes):
            if probe.answered_us is not None and probe.answered_us <= now_us:
                return count
            if min(probe.sent_us + timeout_us, probe.refused_us or now_us + 1) <= now_us:
                count += 1
        return count

    def longest_row(self, from_us: int, now_us: int, timeout_us: int) -> int:
        """Count the most probes in a row without an answer in time, of those sent in an interval."""
        longest = row = 0
        for probe in self.probes:
            if from_us <= probe.sent_us <= now_us - timeout_us:
                row = 0 if probe.answered_us is not None else row + 1
                longest = max(longest, row)
        return longest


@dataclass
class Call:
    """A call as its caller sees it."""

    at_us: int
    number: str
    responses: list[tuple[int, Message]] = field(default_factory=list)

    @property
    def finals(self) -> set[int]:
        """Statuses of final answers."""
        return {message.status for _, message in self.responses if message.status >= 200}

    @property
    def final(self) -> tuple[int, Message] | None:
        """The first final answer, and when it came."""
        return next(((at, message) for at, message in self.responses if message.status >= 200), None)


@dataclass(order=True)
class _Arrival:
    at_us: int
    order: int
    deliver: Callable[[], None] = field(compare=False)


class SimulatedNetwork:
    """Carries datagrams between the engine, the phones and one caller in the core network."""

    def __init__(
        self,
        lines: "Iterable[LineSpec]",
        *,
        seed: int = 0,
        loss: float = 0.0,
        delay_us: int = 5_000,
        jitter_us: int = 0,
        profiles: "Iterable[ProfileSettings]" = (),
    ) -> None:
        """``loss``, ``delay_us`` and ``jitter_us`` (uniform, added) are per direction, between the engine and the phones."""
        self.random = random.Random(seed)
        self.loss, self.delay_us, self.jitter_us = loss, delay_us, jitter_us
        self.lines = list(lines)
        self.profiles = list(profiles) or [profile.copy() for profile in PROFILES.values()]
        self.phones: dict[str, Phone] = {}
        self.calls: dict[str, Call] = {}
        self.events: list[dict[str, object]] = []
        self._answers_to_us: dict[str, Message] = {}
        self._arrivals: list[_Arrival] = []
        self._order = itertools.count()
        self._cseq = itertools.count(1)
        self.engine = self._engine(START_US)

    # ---- the engine ------------------------------------------------------------------------------------------------------

    def _engine(self, now_us: int) -> VirtualEngine:
        engine = VirtualEngine(settings(self.profiles), now_us)
        engine.apply(self._delta())
        return engine

    def _delta(self) -> "Delta":
        rules: list[RuleSpec] = [
            {
                "slot": line["slot"],
                "rule_id": f"rule-{line['slot']}",
                "label": f"line {line['slot']}",
                "armed": True,
                "targets": [{"digits": f"4917139200{line['slot'] % 100:02}", "keep_after": None}],
            }
            for line in self.lines
        ]
        numbers = [(number(line["slot"])[1:], line["slot"], line["slot"], 0) for line in self.lines]
        return {"lines": self.lines, "rules": rules, "exact": numbers}

    def restart(self, pause_us: int) -> None:
        """Kill the engine and start another one from what the store has: registrations and verdicts."""
        bindings: list[BindingRow] = self.engine.bindings()
        verdicts: list[VerdictRow] = [
            {
                "line": state["line"],
                **{key: state[key] for key in ("health", "since_unix_ms", "cause", "evidence")},  # type: ignore[typeddict-item]
                **({"place": state["place"]} if "place" in state else {}),  # type: ignore[typeddict-item]
            }
            for state in self.engine.line_states()
        ]
        self._collect_events()
        now = self.engine.now() + pause_us
        self._arrivals = [arrival for arrival in self._arrivals if arrival.at_us > now]
        heapq.heapify(self._arrivals)
        self.engine = VirtualEngine(settings(self.profiles), now)
        self.engine.restore_bindings(bindings)
        self.engine.restore_verdicts(verdicts)
        self.engine.apply(self._delta())
        self._carry(self.engine.sent())

    def wish(self, slot: int, wish: "Wish") -> None:
        """Set the operator's wish for a line."""
        for line in self.lines:
            if line["slot"] == slot:
                line["wish"] = wish
                self.engine.apply({"lines": [line]})
        self._carry(self.engine.sent())

    def state(self, slot: int) -> "LineState":
        """Return the state of a line."""
        return next(state for state in self.engine.line_states() if state["line"] == slot)

    @property
    def now(self) -> int:
        """Unix microseconds."""
        return self.engine.now()

    # ---- time ------------------------------------------------------------------------------------------------------------

    def pass_time(self, microseconds: int) -> None:
        """Let time pass, carrying what is sent."""
        end = self.now + microseconds
        while True:
            arrival = self._arrivals[0].at_us if self._arrivals else end
            until = min(end, arrival)
            if self.now < until:
                self._carry(self.engine.run(until))
                continue
            if not self._arrivals or arrival > end:
                break
            heapq.heappop(self._arrivals).deliver()
            self._carry(self.engine.sent())
        self._collect_events()

    def until(self, condition: Callable[[], bool], at_most_us: int) -> int:
        """Let time pass in steps of 10 ms until a condition holds; returns how long it took. Fails beyond ``at_most_us``."""
        begun = self.now
        while not condition():
            assert self.now - begun < at_most_us, f"not within {at_most_us / SECOND} s"
            self.pass_time(10_000)
        return self.now - begun

    def _at(self, at_us: int, deliver: Callable[[], None]) -> None:
        heapq.heappush(self._arrivals, _Arrival(max(at_us, self.now), next(self._order), deliver))

    def _collect_events(self) -> None:
        while batch := self.engine.events():
            self.events += batch  # type: ignore[arg-type]
            self.engine.stored(batch[-1]["seq"])
            self._carry(self.engine.sent())

    # ---- the wire --------------------------------------------------------------------------------------------------------

    def _crossing_us(self) -> int | None:
        """Time on the way to or from a phone, or None for a datagram that is lost."""
        if self.loss and self.random.random() < self.loss:
            return None
        return self.delay_us + (self.random.randrange(self.jitter_us) if self.jitter_us else 0)

    def _carry(self, datagrams: "Iterable[tuple[int, str, str, bytes]]") -> None:
        for at_us, _, destination, octets in datagrams:
            if destination == CORE:
                self._at(at_us + 1_000, lambda octets=octets: self._to_core(octets))  # type: ignore[misc]
                continue
            phone = self.phones.get(destination)
            if phone is None:
                continue
            probe = None
            if octets.startswith(b"OPTIONS "):
                probe = Probe(at_us)
                phone.probes.append(probe)
            crossing = self._crossing_us()
            if phone.connected and crossing is not None:
                self._at(at_us + crossing, lambda p=phone, o=octets, q=probe: self._to_phone(p, o, q))  # type: ignore[misc]

    def _from_phone(self, phone: Phone, message: Message, after_us: int = 0, probe: Probe | None = None) -> None:
        crossing = self._crossing_us()
        if not phone.connected or crossing is None:
            return

        def deliver() -> None:
            if not phone.connected:
                return
            if probe is not None and probe.answered_us is None:
                probe.answered_us, probe.status = self.now, message.status
            self.engine.receive(message.encode(), phone.address, US)

        self._at(self.now + after_us + crossing, deliver)

    # ---- phones ----------------------------------------------------------------------------------------------------------

    def phone(self, address: str) -> Phone:
        """Return the phone at an address, put there if there is none."""
        return self.phones.setdefault(address, Phone(address))

    def register(self, slot: int, address: str, expires_s: int) -> int:
        """REGISTER the user of a line from an address (0 removes); returns the status of the answer, 0 when there was none."""
        phone = self.phone(address)
        user = f"line{slot}"
        call_id = f"registration-{slot}-{address}"
        message = Message(
            f"REGISTER sip:{DOMAIN} SIP/2.0",
            [
                ("Via", f"SIP/2.0/UDP {address};branch=z9hG4bK{token()};rport"),
                ("Max-Forwards", "70"),
                ("From", f"<sip:{user}@{DOMAIN}>;tag={token()}"),
                ("To", f"<sip:{user}@{DOMAIN}>"),
                ("Call-ID", call_id),
                ("CSeq", f"{next(self._cseq)} REGISTER"),
                ("Contact", f"<sip:{user}@{address}>"),
                ("Expires", str(expires_s)),
            ],
        )
        self._answers_to_us.pop(call_id, None)
        self._from_phone(phone, message)
        self.pass_time(self.delay_us + self.jitter_us + 1_000)
        self.pass_time(self.delay_us + self.jitter_us + 1_000)
        answer = self._answers_to_us.get(call_id)
        return answer.status if answer else 0

    def _to_phone(self, phone: Phone, octets: bytes, probe: Probe | None) -> None:
        if not phone.connected:
            return
        if phone.unreachable:
            self._refuse(phone, octets, probe)
            return
        message = parse(octets)
        if message.status:
            self._answers_to_us[message.call_id] = message
        elif message.method == "OPTIONS" and phone.options:
            self._from_phone(phone, response(message, 200, "OK", tag="phone"), probe=probe)
        elif message.method == "INVITE":
            self._invited(phone, message)
        elif message.method == "CANCEL":
            self._from_phone(phone, response(message, 200, "OK", tag="phone"))
        elif message.method == "ACK":
            phone.acknowledged.add(message.call_id)
        elif message.method == "BYE":
            phone.byes.add(message.call_id)
            self._from_phone(phone, response(message, 200, "OK"))

    def _refuse(self, phone: Phone, octets: bytes, probe: Probe | None) -> None:
        """Send ICMP back, quoting as much as Linux does."""
        crossing = self._crossing_us()
        if crossing is None:
            return

        def deliver() -> None:
            if probe is not None:
                probe.refused_us = self.now
            elif octets.startswith(b"INVITE "):
                phone.refused.add((self.now, parse(octets).call_id))
            by_target = phone.unreachable == "port_unreachable"
            self.engine.unreachable(phone.unreachable or "host_unreachable", by_target, phone.address, octets[:520])

        self._at(self.now + crossing, deliver)

    def _invited(self, phone: Phone, invite: Message) -> None:
        begun = phone.invites.setdefault(invite.call_id, self.now)
        contact = ("Contact", f"<sip:phone@{phone.address}>")
        if phone.invite == "silent":
            return
        if phone.invite in {"refuse", "busy"}:
            status, reason = (503, "Service Unavailable") if phone.invite == "refuse" else (486, "Busy Here")
            self._from_phone(phone, response(invite, status, reason, tag="phone"))
            return
        first = begun == self.now and invite.call_id not in phone.answered
        ringing = response(invite, 180, "Ringing", contact, tag="phone")
        # What a server transaction repeats is its last provisional response (RFC 3261 §17.2.1).
        if first or phone.invite == "trying" or self.now < begun + 200_000:
            self._from_phone(phone, response(invite, 100, "Trying"))
        if phone.invite != "answer":
            return
        if not first and begun + 200_000 <= self.now < begun + phone.ring_us:
            self._from_phone(phone, ringing)
        if first:
            phone.answered.add(invite.call_id)
            self._from_phone(phone, ringing, after_us=200_000)
            accepted = response(invite, 200, "OK", contact, tag="phone")
            self._at(self.now + phone.ring_us, lambda: self._accept(phone, accepted, 500_000))

    def _accept(self, phone: Phone, accepted: Message, again_us: int) -> None:
        """Send a 200 until its ACK comes (RFC 3261 §13.3.1.4)."""
        if accepted.call_id in phone.acknowledged or again_us > 64 * 500_000:
            return
        self._from_phone(phone, accepted)
        self._at(self.now + again_us, lambda: self._accept(phone, accepted, min(2 * again_us, 4 * SECOND)))

    # ---- the caller ------------------------------------------------------------------------------------------------------

    def dial(self, slot: int) -> Call:
        """Call the number of a line, with the repetitions of Timer A (RFC 3261 §17.1.1.2); the call goes on as time passes."""
        called = number(slot)
        call = Call(self.now, called)
        target = f"sip:{called}@{DOMAIN}"
        invite = Message(
            f"INVITE {target} SIP/2.0",
            [
                ("Via", f"SIP/2.0/UDP {CORE};branch=z9hG4bK{token()}"),
                ("Max-Forwards", "70"),
                ("From", f"<sip:caller@{CORE}>;tag={token()}"),
                ("To", f"<{target}>"),
                ("Call-ID", f"{token()}@core"),
                ("CSeq", "1 INVITE"),
                ("Contact", f"<sip:caller@{CORE}>"),
            ],
        )
        self.calls[invite.call_id] = call

        def send(after_us: int) -> None:
            if not call.responses:
                self.engine.receive(invite.encode(), CORE, US)
                self._at(self.now + after_us, lambda: send(2 * after_us))

        send(500_000)
        self._carry(self.engine.sent())
        return call

    def _to_core(self, octets: bytes) -> None:
        message = parse(octets)
        if not message.status:
            return
        call = self.calls.get(message.call_id)
        if call is None or message.cseq[1] != "INVITE":
            return
        call.responses.append((self.now, message))
        if message.status < 200:
            return
        # ACK: of the transaction for a refusal, through the route set for a 2xx (RFC 3261 §17.1.1.3, §13.2.2.4).
        accepted = message.status < 300
        routes = [("Route", value) for value in reversed(message.all("record-route"))] if accepted else []
        remote = uri(message.first("contact")) if accepted else f"sip:{call.number}@{DOMAIN}"
        branch = token() if accepted else parameter(message.first("via"), "branch").removeprefix("z9hG4bK")
        ack = Message(
            f"ACK {remote} SIP/2.0",
            [
                ("Via", f"SIP/2.0/UDP {CORE};branch=z9hG4bK{branch}"),
                ("Max-Forwards", "70"),
                *routes,
                ("From", message.one("from")),
                ("To", message.one("to")),
                ("Call-ID", message.call_id),
                ("CSeq", "1 ACK"),
            ],
        )
        self.engine.receive(ack.encode(), CORE, US)


def number(slot: int) -> str:
    """Return the number of a line, from the synthetic range."""
    return f"+49302{slot:07}"


def static_line(slot: int, *peers: str, profile: str = "static", wish: "Wish" = "enabled") -> "LineSpec":
    """Return a line with peers, the preferred first."""
    return {**_line(slot, profile, wish), "kind": "static", "peers": [(peer, at) for at, peer in enumerate(peers, 1)]}


def registered_line(slot: int, profile: str = "registered", wish: "Wish" = "enabled") -> "LineSpec":
    """Return a line that registers as ``line<slot>`` without digest."""
    return {**_line(slot, profile, wish), "kind": "registered", "users": [f"line{slot}"]}


def _line(slot: int, profile: str, wish: "Wish") -> "LineSpec":
    return {
        "slot": slot,
        "line_id": f"L-{slot}",
        "order_id": f"O-{slot}",
        "site_id": f"S-{slot}",
        "groups": [],
        "product": "sipTrunk 2.0",
        "profile": profile,
        "kind": "static",
        "users": [],
        "credentials": [],
        "peers": [],
        "request_uri": "contact",
        "wish": wish,
    }


def peer_address(index: int, port: int = 5060) -> str:
    """Return an address of its own for each ``index``, from the range for benchmarks (RFC 2544)."""
    return host_port((f"198.{18 + (index >> 16)}.{index >> 8 & 255}.{index & 255}", port))


def interconnect() -> "InterconnectSettings":
    """Return a core network that takes everything."""
    return {
        "name": "core",
        "country_code": "49",
        "national_prefix": "0",
        "international_prefix": "00",
        "porting_prefixes": [],
        "domain": "core.example.net",
        "number_format": "+e164",
        "uri_scheme": "sip",
        "diversion": True,
        "history_info": "if_offered",
        "max_diversions": 5,
        "reason_sip": False,
        "unknown_number_status": 404,
        "redirect_only": False,
    }


def settings(profiles: "list[ProfileSettings]", workers: int = 1) -> "EngineSettings":
    """Return the settings of an engine in this network."""
    return {
        "listen": [US],
        "workers": workers,
        "domains": [DOMAIN],
        "server_header": "",
        "core_peers": [{"name": "core", "network": "198.51.100.0/24", "port": 0, "interconnect": "core"}],
        "interconnects": [interconnect()],
        "profiles": profiles,
        "registrar": {
            "realm": DOMAIN,
            "open": True,
            "min_expires_s": 5,
            "default_expires_s": 600,
            "max_expires_s": 3600,
            "max_contacts": 10,
            "nonce_life_s": 300,
            "store_wait_s": 0.1,
            "restart_grace_s": 60.0,
        },
        "guard": {"enabled": True, "window_s": 10.0, "min_lines": 20, "share": 0.1, "freeze_limit_s": 60.0},
        "event_queue": 1_000_000,
        "call_records": 64,
        "secret": bytes(32),
    }
