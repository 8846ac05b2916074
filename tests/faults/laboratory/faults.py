"""The faults: each breaks something real and repairs it again.

A fault says what can be known beforehand: whose calls it concerns (``who``), whether a call could still be delivered while it lasts
(``deliverable``: then every diversion is a wrong one), and how it tells of itself (``sign``).
"""

import contextlib
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from tests.faults.laboratory import plan
from tests.faults.laboratory.actors import Mode
from tests.faults.laboratory.impairment import Direction
from tests.faults.laboratory.network import Laboratory

Who = Literal["customer", "fleet", "all", "nobody"]
Sign = Literal["silence", "icmp", "answer", "registration", "local", "none"]
Place = Literal["data_line", "network", "router", "phone_system", "unclear", ""]


@dataclass
class Fault(ABC):
    """One fault. `begin` and `end` return when it is in force, or repaired; both belong to one laboratory."""

    name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    who: ClassVar[Who] = "customer"
    deliverable: ClassVar[bool] = False
    sign: ClassVar[Sign] = "silence"
    place: ClassVar[Place] = "unclear"
    """Where it is, as far as its sign can tell an observer in our position."""

    @property
    def title(self) -> str:
        """The name, with what makes this instance special."""
        return self.name

    @abstractmethod
    def begin(self, lab: Laboratory) -> None:
        """Break it."""

    @abstractmethod
    def end(self, lab: Laboratory) -> None:
        """Repair it."""

    def evidence(self, lab: Laboratory) -> str:  # noqa: ARG002 - most have none
        """Return what shows, just before the repair, that it is in force. "" where calls that reach no phone show it."""
        return ""


# ---- the data line -----------------------------------------------------------------------------------------------------------


class DataLineCut(Fault):
    """The wire between edge and router loses everything."""

    name = "data line cut"
    description = "Data line cut beyond the edge router: every packet is lost in both directions, nobody says so."

    def begin(self, lab: Laboratory) -> None:
        """Cut."""
        lab.box.set(wire="line", loss=100)

    def end(self, lab: Laboratory) -> None:
        """Repair."""
        lab.box.set(wire="line", loss=0)


@dataclass
class Impaired(Fault):
    """The wires are bad, but alive."""

    name = "impaired line"
    description = "Packets are lost, late, doubled or out of order; every call could be delivered."
    deliverable = True
    sign = "none"
    place = ""

    label: str = "impaired line"
    down: Mapping[str, float] = field(default_factory=dict)
    up: Mapping[str, float] = field(default_factory=dict)
    wire: str | None = None
    """None: all wires."""

    @property
    def title(self) -> str:
        """The label."""
        return self.label

    @property
    def round_trip_s(self) -> float:
        """The delay of both ways."""
        return (self.down.get("delay_ms", 0.0) + self.up.get("delay_ms", 0.0)) / 1000

    def begin(self, lab: Laboratory) -> None:
        """Degrade."""
        ways: dict[Direction, Mapping[str, float]] = {"down": self.down, "up": self.up}
        self._before = self._counts(lab)
        for direction, settings in ways.items():
            if settings:
                lab.box.set(direction, wire=self.wire, **settings)

    def evidence(self, lab: Laboratory) -> str:
        """The box counts what it loses, doubles and reorders; a delay is seen by the packets that wait in it."""
        now = self._counts(lab)
        counts = {name: now[name] - self._before[name] for name in ("lost", "duplicated", "reordered")}
        counts["delayed"] = self._waited(lab) if self._asks("delay_ms") else 0
        asked = {"lost": "loss", "duplicated": "duplicate", "reordered": "reorder", "delayed": "delay_ms"}
        if any(self._asks(setting) and not counts[name] for name, setting in asked.items()):
            return ""
        return ", ".join(f"{count:,} packets {name}" for name, count in counts.items() if count)

    def _asks(self, setting: str) -> bool:
        return bool(self.down.get(setting) or self.up.get(setting))

    def _counts(self, lab: Laboratory) -> Counter[str]:
        total: Counter[str] = Counter()
        for wire, ways in lab.box.stats().items():
            if self.wire in {None, wire}:
                for counts in ways.values():
                    total.update(counts)
        return total

    def _waited(self, lab: Laboratory) -> int:
        """Look into the box for a second, up to the first packet that waits there."""
        for _ in range(100):
            if waiting := self._counts(lab)["waiting"]:
                return waiting
            time.sleep(0.01)
        return 0

    def end(self, lab: Laboratory) -> None:
        """Pass everything again."""
        lab.box.clear(wire=self.wire)


def loss(percent: float, wire: str | None = None) -> Impaired:
    """Lose that share of the packets of each direction."""
    return Impaired(f"loss {percent:g} % each way", {"loss": percent}, {"loss": percent}, wire)


def slow(round_trip_ms: float = 400, jitter_ms: float = 50, percent: float = 0, wire: str | None = None) -> Impaired:
    """Delay by half the round trip each way, give or take ``jitter_ms`` (truncated normal), in order."""
    way = {"delay_ms": round_trip_ms / 2, "jitter_ms": jitter_ms, "normal": 1, "loss": percent}
    also = f", loss {percent:g} %" if percent else ""
    return Impaired(f"round trip {round_trip_ms:g} ms ± {2 * jitter_ms:g} ms{also}", way, way, wire)


def disordered(duplicate: float = 20, reorder: float = 20, wire: str | None = None) -> Impaired:
    """Double and reorder packets."""
    way = {"delay_ms": 20.0, "duplicate": duplicate, "reorder": reorder, "reorder_ms": 60.0}
    return Impaired(f"duplicates {duplicate:g} %, reordering {reorder:g} %", way, way, wire)


@dataclass
class Flapping(Fault):
    """The data line goes and comes."""

    name = "flapping line"
    description = "The data line is cut and repaired in turn, every 5 s."
    period_s: float = 5.0

    def __post_init__(self) -> None:
        """Make what the thread needs."""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.cut = False
        """Whether the line is cut at this moment."""

    def begin(self, lab: Laboratory) -> None:
        """Cut, and go on from there."""
        self._over.clear()
        self._turn(lab, cut=True)
        self._thread = threading.Thread(target=self._flap, args=(lab,), name="flapping line", daemon=True)
        self._thread.start()

    def end(self, lab: Laboratory) -> None:
        """Repair for good."""
        self._over.set()
        if self._thread:
            self._thread.join()
        self._turn(lab, cut=False)

    def _flap(self, lab: Laboratory) -> None:
        while not self._over.wait(self.period_s):
            self._turn(lab, cut=not self.cut)

    def _turn(self, lab: Laboratory, *, cut: bool) -> None:
        lab.box.set(wire="line", loss=100 if cut else 0)
        self.cut = cut


# ---- the customer's network and router ---------------------------------------------------------------------------------------


class LanUnplugged(Fault):
    """The cable behind the router is out."""

    name = "customer network cut"
    description = (
        "The cable between router and phone system is out; the router says host unreachable once its ARP has failed (3 s)."
    )
    sign = "icmp"
    place = "network"

    def begin(self, lab: Laboratory) -> None:
        """Unplug."""
        lab.lan(up=False)

    def end(self, lab: Laboratory) -> None:
        """Plug in."""
        lab.lan(up=True)


class LanSilent(Fault):
    """The same without a word."""

    name = "customer network cut, silent"
    description = "A switch behind the router loses everything; the router knows its neighbour still and says nothing."

    def begin(self, lab: Laboratory) -> None:
        """Lose everything."""
        lab.lose_at_lan(lose=True)

    def end(self, lab: Laboratory) -> None:
        """Let it pass."""
        lab.lose_at_lan(lose=False)


class RouterDead(Fault):
    """The router has no power, and the edge knows."""

    name = "router dead"
    description = "The router is without power, the edge has lost its session and answers with host unreachable at once."
    sign = "icmp"
    place = "router"

    def begin(self, lab: Laboratory) -> None:
        """Power off."""
        lab.router.dead(dead=True)
        lab.edge_unreachable(lab.router.address, unreachable=True)

    def end(self, lab: Laboratory) -> None:
        """Power on, with the same address."""
        lab.router.dead(dead=False)
        lab.edge_unreachable(lab.router.address, unreachable=False)


class RouterReboot(RouterDead):
    """The router comes back as somebody else."""

    name = "router reboot"
    description = "The router is off, then comes back with another public address and other ports; it forgot all flows."

    def end(self, lab: Laboratory) -> None:
        """Power on with another address; nobody has the old one."""
        lab.router.renew()
        lab.router.dead(dead=False)
        lab.edge_unreachable(lab.router.address, unreachable=False)


# ---- the phone system --------------------------------------------------------------------------------------------------------


class PhoneKilled(Fault):
    """Its process is gone, its host is there."""

    name = "phone system killed"
    description = "The phone system's process is gone; its host answers port unreachable."
    sign = "icmp"
    place = "phone_system"

    def begin(self, lab: Laboratory) -> None:
        """``kill -9``."""
        lab.actors.the_phone().kill()

    def end(self, lab: Laboratory) -> None:
        """Start it again."""
        lab.actors.the_phone().start()


class PhoneStopped(Fault):
    """It hangs and reads nothing; what arrives is read when it goes on."""

    name = "phone system hung"
    description = "The phone system is stopped (SIGSTOP): its port is open, nothing is read until it goes on."

    def begin(self, lab: Laboratory) -> None:
        """Stop."""
        os.kill(lab.actors.the_phone().pid, signal.SIGSTOP)

    def end(self, lab: Laboratory) -> None:
        """Go on."""
        os.kill(lab.actors.the_phone().pid, signal.SIGCONT)


@dataclass
class PhoneMisbehaves(Fault):
    """The phone system lives and does its job only in part."""

    name = "phone system misbehaves"
    description = "The phone system answers wrongly, in part, or not at all."
    place: ClassVar[Place] = "phone_system"

    mode: Mode = "silent"

    @property
    def title(self) -> str:
        """What it does."""
        return f"phone system: {self.mode.replace('_', ' ')}"

    def begin(self, lab: Laboratory) -> None:
        """Change its mind."""
        lab.actors.the_phone().behave(self.mode)

    def end(self, lab: Laboratory) -> None:
        """Do the job again."""
        lab.actors.the_phone().behave("well")


class InvitesOnly(PhoneMisbehaves):
    """A phone system that ignores OPTIONS takes calls: diverting them would be wrong."""

    name = "phone system: no OPTIONS"
    deliverable = True
    sign = "none"
    place = ""

    def __init__(self) -> None:
        super().__init__(mode="invites_only")

    def begin(self, lab: Laboratory) -> None:
        """Answer no OPTIONS any more."""
        self._heard = lab.actors.the_phone().heard("OPTIONS")
        super().begin(lab)

    def evidence(self, lab: Laboratory) -> str:
        """It hears OPTIONS all the time."""
        heard = lab.actors.the_phone().heard("OPTIONS") - self._heard
        return f"{heard} OPTIONS left unanswered" if heard else ""


class RegistrationExpires(Fault):
    """It is reachable, but registered no more."""

    name = "registration expires"
    description = (
        "The phone system stops refreshing its registration; begins when the last REGISTER is not refreshed, counts from expiry."
    )
    sign = "registration"
    place = "phone_system"

    def begin(self, lab: Laboratory) -> None:
        """Stop REGISTER."""
        lab.actors.the_phone().let_expire()

    def end(self, lab: Laboratory) -> None:
        """Register."""
        lab.actors.the_phone().register()


class Deregisters(RegistrationExpires):
    """It takes its registration back."""

    name = "de-registers"
    description = "The phone system sends REGISTER with Expires 0."

    def begin(self, lab: Laboratory) -> None:
        """De-register."""
        lab.actors.the_phone().deregister()


class PrimaryDead(PhoneKilled):
    """One of two peers is gone: calls go to the other, none is diverted."""

    name = "primary of two peers dead"
    description = "The process of the primary static peer is gone; the backup at the second site takes all calls."
    deliverable = True

    def begin(self, lab: Laboratory) -> None:
        """``kill -9``."""
        self._heard = lab.actors.the_second().heard("INVITE")
        super().begin(lab)

    def evidence(self, lab: Laboratory) -> str:
        """The backup gets calls."""
        return _backup_called(lab, self._heard)


class PrimaryHung(PhoneStopped):
    """One of two peers hangs: calls go to the other, none is diverted."""

    name = "primary of two peers hung"
    description = "The primary static peer is stopped (SIGSTOP); the backup at the second site takes all calls."
    deliverable = True

    def begin(self, lab: Laboratory) -> None:
        """Stop."""
        self._heard = lab.actors.the_second().heard("INVITE")
        super().begin(lab)

    def evidence(self, lab: Laboratory) -> str:
        """The backup gets calls."""
        return _backup_called(lab, self._heard)


def _backup_called(lab: Laboratory, before: int) -> str:
    heard = lab.actors.the_second().heard("INVITE") - before
    return f"the backup heard {heard} INVITEs" if heard else ""


class BothPeersDead(Fault):
    """Both peers are gone."""

    name = "both peers dead"
    description = "The processes of primary and backup peer are gone."
    sign = "icmp"
    place = "phone_system"

    def begin(self, lab: Laboratory) -> None:
        """``kill -9`` for both."""
        lab.actors.the_phone().kill()
        lab.actors.the_second().kill()

    def end(self, lab: Laboratory) -> None:
        """Start both again."""
        lab.actors.the_phone().start()
        lab.actors.the_second().start()


# ---- our own house -----------------------------------------------------------------------------------------------------------


class UplinkCut(Fault):
    """Our fault, not the lines': they all look dead at once."""

    name = "own uplink cut"
    description = "Everything between us and all lines is lost beyond our own card; the core still reaches us."
    who = "all"

    def begin(self, lab: Laboratory) -> None:
        """Cut."""
        lab.uplink_silent(silent=True)

    def end(self, lab: Laboratory) -> None:
        """Repair."""
        lab.uplink_silent(silent=False)


class UplinkUnplugged(Fault):
    """The same, and our kernel knows."""

    name = "own uplink unplugged"
    description = "Our card towards the lines is down: our kernel has no route to any of them."
    who = "all"
    sign = "local"

    def begin(self, lab: Laboratory) -> None:
        """Unplug."""
        lab.uplink(up=False)

    def end(self, lab: Laboratory) -> None:
        """Plug in."""
        lab.uplink(up=True)


class FleetCut(Fault):
    """A region falls: all its lines at once, no other."""

    name = "a thousand lines at once"
    description = "The wire to all phones of the fleet is cut at once; the other customer's line is well."
    who = "fleet"

    def begin(self, lab: Laboratory) -> None:
        """Cut."""
        lab.box.set(wire="fleet", loss=100)

    def end(self, lab: Laboratory) -> None:
        """Repair."""
        lab.box.set(wire="fleet", loss=0)


class CutInWaves(FleetCut):
    """Lines are cut a few at a time, in steps that together fill an interval of OPTIONS: each system is met at all of its phases."""

    name = "lines cut one after the other"
    description = (
        "Sixty lines of an access node lose everything, three at a time every half second, for ten seconds: whenever a system probes,"
        " its lines are cut at all phases of its interval. No call tells; forty other lines are well."
    )
    lines, waves, step_s = 60, 20, 0.5
    cutting: Callable[[Sequence[int]], None]
    """Told which lines are cut now."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, lab: Laboratory) -> None:
        """Cut the first and go on from there."""
        drops = "\n".join(f"ip {way} @cut drop" for way in ("saddr", "daddr"))
        chain = f"chain forward {{\ntype filter hook forward priority filter;\n{drops}\n}}"
        lab.namespaces.edge.nft(f"table ip waves {{\nset cut {{ type ipv4_addr; }}\n{chain}\n}}\n")
        self._cut(lab, 0)
        self._thread = threading.Thread(target=self._go_on, args=(lab, time.monotonic()), name="waves", daemon=True)
        self._thread.start()

    def end(self, lab: Laboratory) -> None:
        """Repair all at once."""
        self._over.set()
        if self._thread:
            self._thread.join()
        lab.namespaces.edge.nft("delete table ip waves\n")

    def _go_on(self, lab: Laboratory, begun: float) -> None:
        for wave in range(1, self.waves):
            if self._over.wait(max(begun + wave * self.step_s - time.monotonic(), 0.0)):
                return
            self._cut(lab, wave)

    def _cut(self, lab: Laboratory, wave: int) -> None:
        lines = range(wave, self.lines, self.waves)
        self.cutting(lines)
        addresses = ", ".join(plan.fleet_address(line) for line in lines)
        lab.namespaces.edge.nft(f"add element ip waves cut {{ {addresses} }}\n")


@dataclass
class NamesGone(Fault):
    """Nobody resolves names."""

    name = "name resolution gone"
    description = "The name server is gone, or hangs; every line is well."
    who = "nobody"
    deliverable = True
    sign = "none"
    place = ""

    hung: bool = False

    @property
    def title(self) -> str:
        """With how."""
        return "name server hung" if self.hung else "name server gone"

    def begin(self, lab: Laboratory) -> None:
        """Take it away."""
        if self.hung:
            lab.names.hang()
        else:
            lab.names.stop()

    def evidence(self, lab: Laboratory) -> str:
        """A query of the server's own host is not answered."""
        return "" if lab.names.answers(lab.namespaces.us) else "a query from the server's host is not answered"

    def end(self, lab: Laboratory) -> None:
        """Bring it back."""
        if self.hung:
            lab.names.go_on()
        else:
            lab.names.start()


@dataclass
class ClockJump(Fault):
    """The wall clock of the server jumps; it must have been started with ``lab.clock.environment()``."""

    name = "clock jump"
    description = "The wall clock of the server under test jumps; every line is well."
    who = "nobody"
    deliverable = True
    sign = "none"
    place = ""

    seconds: float = 3600.0

    @property
    def title(self) -> str:
        """With how far."""
        return f"clock jump {self.seconds:+g} s"

    def begin(self, lab: Laboratory) -> None:
        """Jump."""
        lab.clock.jump(self.seconds)

    def evidence(self, lab: Laboratory) -> str:
        """Processes of the server have that clock."""
        number = lab.clock.used_by(lab.namespaces.us.pids())
        return f"{number} processes of the server have that clock" if number else ""

    def end(self, lab: Laboratory) -> None:
        """Jump back."""
        lab.clock.jump(0)


@dataclass
class StoreGone(Fault):
    """The store is hung or dead; calls need it not."""

    name = "store gone"
    description = "The embedded store is stopped (SIGSTOP) or killed; every line is well."
    who = "nobody"
    deliverable = True
    sign = "none"
    place = ""

    hung: bool = True
    _pid: int = 0

    @property
    def title(self) -> str:
        """With how."""
        return "store hung" if self.hung else "store killed"

    def begin(self, lab: Laboratory) -> None:
        """Stop or kill it; the service starts a killed one again by itself."""
        self._pid = lab.actors.the_server().store_pid()
        os.kill(self._pid, signal.SIGSTOP if self.hung else signal.SIGKILL)

    def evidence(self, lab: Laboratory) -> str:  # noqa: ARG002 - the pid is enough
        """The process is stopped, or gone."""
        state = _state(self._pid)
        if self.hung:
            return "the store is stopped" if state == "T" else ""
        return "the store that was killed is gone" if state in {"", "Z"} else ""

    def end(self, lab: Laboratory) -> None:  # noqa: ARG002 - a stopped process is ended by its pid
        """Let a stopped one go on."""
        if self.hung:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGCONT)


def restarted(lab: Laboratory) -> str:
    """Kill the server and start it again; return what shows that it happened."""
    server = lab.actors.the_server()
    before = set(lab.namespaces.us.pids())
    server.kill()
    server.start()
    new = set(lab.namespaces.us.pids()) - before
    return f"{len(new)} new processes of the server" if new else ""


def _state(pid: int) -> str:
    """Return a process's state as proc(5) has it; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][:1]
    except OSError:
        return ""


# ---- two at once ---------------------------------------------------------------------------------------------------------------


@dataclass
class Amid(Fault):
    """A second fault in the middle of a first: `begin`, `meanwhile` when the scenario says so, `end` for both."""

    name = "two faults"
    description = "While the first fault lasts, a second one begins and ends, or stays."

    first: Fault = field(default_factory=DataLineCut)
    second: Fault | None = None
    """None: the server is killed and started again."""
    _restarted: str = ""

    @property
    def title(self) -> str:
        """Both."""
        return f"{self.first.title}; meanwhile {self.second.title if self.second else 'server killed and restarted'}"

    def begin(self, lab: Laboratory) -> None:
        """Begin the first."""
        self.first.begin(lab)

    def meanwhile(self, lab: Laboratory) -> None:
        """Begin the second, or kill and restart the server."""
        if self.second:
            self.second.begin(lab)
        else:
            self._restarted = restarted(lab)

    def evidence(self, lab: Laboratory) -> str:
        """The second's; calls show the first."""
        return self.second.evidence(lab) if self.second else self._restarted

    def end(self, lab: Laboratory) -> None:
        """End the first with the second still in force, then that."""
        self.first.end(lab)
        if self.second:
            self.second.end(lab)


_BROKEN: tuple[Mode, ...] = ("silent", "unavailable", "retry_after", "trying_only", "options_only")


def every_fault() -> list[Fault]:
    """Return one of each, the four causes of the service description first."""
    return [
        DataLineCut(),
        LanUnplugged(),
        LanSilent(),
        RouterDead(),
        RouterReboot(),
        PhoneKilled(),
        PhoneStopped(),
        *(PhoneMisbehaves(mode=mode) for mode in _BROKEN),
        InvitesOnly(),
        RegistrationExpires(),
        Deregisters(),
        *(loss(percent) for percent in (5, 20, 50)),
        slow(),
        disordered(),
        NamesGone(),
        NamesGone(hung=True),
        ClockJump(3600),
        ClockJump(-3600),
        Amid(),
        Amid(second=StoreGone()),
        Amid(second=StoreGone(hung=False)),
        UplinkCut(),
        UplinkUnplugged(),
        FleetCut(),
        Flapping(),
        PrimaryDead(),
        BothPeersDead(),
    ]


SOURCE_OF_ICMP = {"customer network cut": plan.ROUTER, "router dead": plan.EDGE, "phone system killed": plan.ROUTER}
"""Where the ICMP errors of a fault come from, as we see them."""
