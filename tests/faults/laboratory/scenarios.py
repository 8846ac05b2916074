"""What is broken, when, under which traffic, and what must come out of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.faults.laboratory import faults, plan
from tests.faults.laboratory.customers import GATEWAY, PAIR, TRUNK
from tests.faults.laboratory.network import Laboratory

Line = Literal["trunk", "gateway", "pair", "fleet"]
LINES = {"trunk": TRUNK, "gateway": GATEWAY, "pair": PAIR}

FIRST_S, AFTER_ICMP_S = 2.0, 0.05
"""Delay that the first diverted call may have: without prior evidence, and after ICMP."""
SILENT_CUT_S, SILENT_CUT_NEW_S, SILENT_CUT_KNOWN_S = 14.0, 8.5, 12.2
"""A silent cut without any call is a verdict within; where the line is known to lose nothing, which is 12.0 s and the machine's time."""
HALF_NEW_S, HALF_KNOWN_S = 6.25, 7.25
"""Half of the lines that are cut at all phases of the interval are down within."""
RETURN_S = 2.0
"""Reachable and registered → delivered."""


@dataclass(frozen=True)
class Limits:
    """What a run must keep; None is not asked for."""

    lost: int | None = 0
    wrongly_diverted: int | None = 0
    false_verdicts: int | None = 0
    first_diverted_s: float | None = FIRST_S
    down_s: float | None = None
    """The slowest verdict of a line that is out; all of them must have one."""
    half_down_s: float | None = None
    """The median."""
    by_arithmetic: bool = False
    """No more wrong diversions than the arithmetic of retransmissions allows."""
    not_behind: tuple[str, ...] = ()
    """Figures of `compare.FIGURES` in which we must not stand behind the other system of the same run."""
    delivered_s: float | None = RETURN_S
    diverts: bool = True
    """False: no call of this run may be diverted at all."""


@dataclass(frozen=True)
class Scenario:
    """One fault under traffic. Seconds count from the first call."""

    key: str
    fault: Callable[[], faults.Fault]
    line: Line = "trunk"
    limits: Limits = field(default_factory=Limits)
    before_s: float = 12.0
    fault_s: float = 22.0
    after_s: float = 16.0
    rate: float = 20.0
    quiet: bool = False
    """No calls from one second before the fault until it is over: probing alone must notice."""
    meanwhile_s: float = 0.0
    """For two faults: the second begins so long after the first."""
    reregister_s: float | None = None
    """The phone system registers again so long after the repair; its own refresh is left alone."""
    expires_s: int = 300
    refresh_s: float = 60.0
    forwarding: bool = False
    """The router leads port 5060 to the phone system."""
    fleet: int = 12
    """Lines of other customers that stand beside it, in order unless the fault is theirs."""
    region: int = 0
    """So many of them hang on one access node, the one that fails."""
    alone: bool = False
    """Run by itself: its figures are small, or its load is large."""
    kamailio: bool = True
    clock: bool = False
    """The system runs with a wall clock that can jump."""
    called: str = ""
    """Its title where the fault's own does not tell it from others."""
    named: bool = False
    """The gateway is known to us by a name; Kamailio, which would hold a worker for each look-up, has its address."""
    settings: dict[str, Any] = field(default_factory=dict)
    judged: bool = True
    phone: Literal["ours", "sipp", "baresip"] = "ours"
    smoke: bool = False
    known: bool = False
    """Our lines are asked often for 80 s before, so that they count as clean, like lines that have lived for 40 minutes."""
    remark: str = ""
    """What the report says beside its comparison."""
    percent: float = 0.0
    """Loss per direction on a line whose diversions are compared with the arithmetic of retransmissions (`arithmetic`)."""

    @property
    def title(self) -> str:
        """What the report calls it."""
        return self.called or self.fault().title

    @property
    def round_trip_s(self) -> float:
        """What its impairment adds to a round trip."""
        fault = self.fault()
        return fault.round_trip_s if isinstance(fault, faults.Impaired) else 0.0

    @property
    def length_s(self) -> float:
        """How long calls are placed."""
        return self.before_s + self.fault_s + self.after_s


class Nothing(faults.Fault):
    """No fault: the time around it shows what is normal."""

    name = "nothing"
    description = "Everything is in order."
    who = "nobody"
    deliverable = True
    sign = "none"
    place = ""

    def begin(self, lab: Laboratory) -> None:
        """Leave it."""

    def end(self, lab: Laboratory) -> None:
        """Leave it."""


class ServerRestarted(faults.Fault):
    """The system under test itself is killed and started again while every line is well."""

    name = "server killed and restarted"
    description = "kill -9 of the server under test, then a start on what it had stored; every line is well."
    who = "nobody"
    deliverable = True
    sign = "none"
    place = ""

    _restarted = ""

    def begin(self, lab: Laboratory) -> None:
        """Kill and start."""
        self._restarted = faults.restarted(lab)

    def evidence(self, lab: Laboratory) -> str:  # noqa: ARG002 - seen at the beginning
        """Its processes are others."""
        return self._restarted

    def end(self, lab: Laboratory) -> None:
        """It runs already."""


class RegionCut(faults.FleetCut):
    """An access node falls with all its lines; the others are well and show that it is not us."""

    name = "access node with a thousand lines"
    description = "The access node of a thousand lines loses everything; four hundred other lines are well."

    def begin(self, lab: Laboratory) -> None:
        """Lose what goes to the node's network and comes from it."""
        drops = "\n".join(f"ip {way} {plan.fleet_address(0)}-{plan.fleet_address(999)} drop" for way in ("saddr", "daddr"))
        chain = f"chain forward {{\ntype filter hook forward priority filter;\n{drops}\n}}"
        lab.namespaces.edge.nft(f"table ip node {{\n{chain}\n}}\n")

    def end(self, lab: Laboratory) -> None:
        """Let it pass."""
        lab.namespaces.edge.nft("delete table ip node\n")


def _misbehaves(mode: str) -> Callable[[], faults.Fault]:
    return lambda: faults.PhoneMisbehaves(mode=mode)  # type: ignore[arg-type]


_ICMP = Limits(first_diverted_s=AFTER_ICMP_S)
_NONE = Limits(first_diverted_s=None, delivered_s=None, diverts=False)
_LOSSY = Limits(wrongly_diverted=None, first_diverted_s=None, delivered_s=None, by_arithmetic=True)
_HELD = "when all lines fall silent together no line is judged: the fault may be ours, and each call is saved by itself"
_TOGETHER = "while OPTIONS are answered, calls in silence that fail together are one fault, not three"
_ONE_MOMENT = (
    "Kamailio asks all lines in the same moment, ours spread over the interval: its times of a cut are one draw from 2 to 12 s"
)
_PHASES = ("fault_to_down_s", "slowest_down_s", "lines_unnoticed", "lost")

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("data-line-cut", faults.DataLineCut, smoke=True),
    Scenario(
        "data-line-cut-without-calls",
        faults.DataLineCut,
        quiet=True,
        fault_s=20.0,
        rate=5.0,
        smoke=True,
        limits=Limits(first_diverted_s=None, down_s=SILENT_CUT_S),
        called="data line cut, without calls",
        remark="one cut: what differs is where in each system's interval it fell; sixty cuts at all phases stand in the next two rows",
    ),
    Scenario(
        "lines-cut-without-calls",
        faults.CutInWaves,
        line="fleet",
        fleet=100,
        region=60,
        quiet=True,
        fault_s=27.0,
        limits=Limits(first_diverted_s=None, down_s=SILENT_CUT_NEW_S, half_down_s=HALF_NEW_S, not_behind=_PHASES),
        called="60 lines cut at all phases, without calls; our lines are new",
    ),
    Scenario(
        "known-lines-cut-without-calls",
        faults.CutInWaves,
        line="fleet",
        fleet=100,
        region=60,
        quiet=True,
        fault_s=27.0,
        known=True,
        limits=Limits(first_diverted_s=None, down_s=SILENT_CUT_KNOWN_S, half_down_s=HALF_KNOWN_S, not_behind=_PHASES),
        called="60 lines cut at all phases, without calls; our lines are known",
    ),
    # The router needs three seconds to find out that nobody is there; until then the line is silent.
    Scenario("customer-network-cut", faults.LanUnplugged),
    Scenario("customer-network-cut-silent", faults.LanSilent),
    Scenario("router-dead", faults.RouterDead, reregister_s=2.0, limits=_ICMP),
    Scenario("router-reboot", faults.RouterReboot, reregister_s=2.0, fault_s=10.0),
    Scenario("phone-killed", faults.PhoneKilled, limits=_ICMP, smoke=True, called="phone system killed (port unreachable)"),
    Scenario("phone-hung", _misbehaves("silent"), smoke=True, called="phone system hung (reads, never answers)"),
    Scenario("phone-503", _misbehaves("unavailable"), limits=_ICMP, called="phone system answers 503"),
    # It asks for ten seconds of peace, the last time just before it is well again.
    Scenario(
        "phone-503-retry-after",
        _misbehaves("retry_after"),
        limits=Limits(first_diverted_s=AFTER_ICMP_S, delivered_s=RETURN_S + 10),
        remark="it is left in peace for the time that it asks for; Kamailio asks on, and comes back when its next OPTIONS is answered",
        called="phone system answers 503 with Retry-After: 10",
    ),
    # 100 alone says that somebody is there: the trying timer holds, not the answer timer.
    Scenario(
        "phone-100-only",
        _misbehaves("trying_only"),
        limits=Limits(first_diverted_s=None),
        called="phone system answers 100 and no more",
    ),
    Scenario(
        "phone-options-only",
        _misbehaves("options_only"),
        smoke=True,
        called="phone system answers OPTIONS, not INVITE",
        remark=_TOGETHER,
    ),
    Scenario("phone-invites-only", faults.InvitesOnly, limits=_NONE, called="phone system answers INVITE, not OPTIONS"),
    Scenario("registration-expires", faults.RegistrationExpires, expires_s=10, refresh_s=4.0, fault_s=26.0, limits=_ICMP),
    Scenario("deregisters", faults.Deregisters, limits=_ICMP),
    Scenario("loss-5", lambda: faults.loss(5), limits=_NONE, fault_s=40.0),
    Scenario("loss-20", lambda: faults.loss(20), fault_s=40.0, limits=_LOSSY, percent=20.0),
    Scenario(
        "loss-50",
        lambda: faults.loss(50),
        fault_s=40.0,
        judged=False,
        limits=Limits(wrongly_diverted=None, false_verdicts=None, first_diverted_s=None, delivered_s=None),
    ),
    Scenario("slow", faults.slow, limits=_NONE, fault_s=30.0),
    Scenario("disordered", faults.disordered, limits=_NONE, fault_s=30.0),
    Scenario("names-gone", faults.NamesGone, line="gateway", named=True, limits=_NONE),
    Scenario("names-hung", lambda: faults.NamesGone(hung=True), line="gateway", named=True, limits=_NONE),
    Scenario("clock-forward", lambda: faults.ClockJump(3600), limits=_NONE, clock=True),
    Scenario("clock-back", lambda: faults.ClockJump(-3600), limits=_NONE, clock=True),
    Scenario("server-restarted", ServerRestarted, limits=_NONE),
    Scenario("cut-and-server-restarted", faults.Amid, meanwhile_s=9.0),
    Scenario("cut-and-store-hung", lambda: faults.Amid(second=faults.StoreGone()), meanwhile_s=5.0, kamailio=False),
    Scenario("cut-and-store-killed", lambda: faults.Amid(second=faults.StoreGone(hung=False)), meanwhile_s=5.0, kamailio=False),
    Scenario("uplink-cut", faults.UplinkCut, fleet=60, remark=_HELD),
    Scenario("uplink-unplugged", faults.UplinkUnplugged, fleet=60, limits=_ICMP, remark=_HELD),
    Scenario(
        "thousand-lines",
        RegionCut,
        line="fleet",
        fleet=1400,
        region=1000,
        rate=40.0,
        fault_s=24.0,
        alone=True,
        remark=_ONE_MOMENT,
    ),
    Scenario(
        "all-lines",
        faults.FleetCut,
        line="fleet",
        fleet=1000,
        rate=40.0,
        fault_s=24.0,
        alone=True,
        called="a thousand lines at once, no other is left",
        remark=_HELD,
    ),
    # Hold and penalty keep calls away from a line that comes and goes: that is their purpose, but it must not cost more than without.
    Scenario(
        "flapping",
        faults.Flapping,
        fault_s=60.0,
        limits=Limits(wrongly_diverted=None, delivered_s=None, not_behind=("wrongly_diverted", "lost")),
    ),
    Scenario("primary-dead", faults.PrimaryDead, line="pair", forwarding=True, limits=_NONE, smoke=True),
    Scenario("both-peers-dead", faults.BothPeersDead, line="pair", forwarding=True, limits=_ICMP),
    Scenario(
        "gateway-hung",
        faults.PrimaryHung,
        line="pair",
        forwarding=True,
        phone="sipp",
        limits=_NONE,
        called="SIPp, primary of two, stopped",
    ),
    Scenario("baresip-hung", faults.PhoneStopped, phone="baresip", called="baresip stopped"),
    Scenario("baresip-killed", faults.PhoneKilled, phone="baresip", limits=_ICMP, called="baresip killed"),
    # The long ones: no wrong diversion in 10,000 calls, no false verdict in 100 line-hours (2,000 lines for three minutes).
    Scenario(
        "ten-thousand-calls",
        lambda: faults.slow(percent=5),
        fault_s=200.0,
        rate=50.0,
        limits=_NONE,
        alone=True,
        percent=5.0,
        called="10,000 calls, round trip 400 ms, loss 5 %",
    ),
    Scenario(
        "four-thousand-calls-at-20",
        lambda: faults.slow(percent=20),
        fault_s=80.0,
        rate=50.0,
        limits=_LOSSY,
        alone=True,
        percent=20.0,
        called="4,000 calls, round trip 400 ms, loss 20 %",
    ),
    Scenario(
        "hundred-line-hours",
        lambda: faults.slow(percent=5, wire="fleet"),
        line="fleet",
        fleet=2000,
        fault_s=180.0,
        rate=10.0,
        limits=_NONE,
        alone=True,
        percent=5.0,
        called="100 line-hours, round trip 400 ms, loss 5 %",
    ),
    Scenario(
        "hundred-line-hours-at-20",
        lambda: faults.slow(percent=20, wire="fleet"),
        line="fleet",
        fleet=2000,
        fault_s=180.0,
        rate=10.0,
        limits=replace(_LOSSY, false_verdicts=1),
        alone=True,
        percent=20.0,
        called="100 line-hours, round trip 400 ms, loss 20 %",
    ),
)
"""All of them; the four causes first."""


def scenario(key: str) -> Scenario:
    """Return one by its key. `KeyError` when there is none."""
    return next(one for one in SCENARIOS if one.key == key)
