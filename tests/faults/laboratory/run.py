"""Runs one scenario: builds the sides, lets calls flow, breaks and repairs at the same moments on both, and measures."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.faults.laboratory import arithmetic, customers, faults, foreign, plan
from tests.faults.laboratory.customers import TRUNK
from tests.faults.laboratory.fleet import Fleet
from tests.faults.laboratory.foreign import ForeignPhone
from tests.faults.laboratory.kamailio import KamailioPeer
from tests.faults.laboratory.measure import Observation, Row, measure
from tests.faults.laboratory.network import Laboratory
from tests.faults.laboratory.phone_system import Account, PhoneSystem
from tests.faults.laboratory.scenarios import LINES, Scenario
from tests.faults.laboratory.side import Hand, Side
from tests.faults.laboratory.systems import Ours, System
from tests.faults.laboratory.truth import LineTruth

READY_S = 60.0
"""Beside other work of the machine; alone it takes three seconds."""
_SETTLE_S = 55.0
_CLEAN, _KNOWN_S = 350, 150.0
"""OPTIONS that a line is asked for to count as clean, even if one is lost meanwhile (docs/verdicts.md, *Probes*), and the time for that."""
_OF_THE_PHONE = (faults.PhoneKilled, faults.PhoneMisbehaves, faults.RegistrationExpires)
"""Faults whose truth the phone system writes down itself."""
Say = Callable[[str], None]


@dataclass
class Result:
    """What a run of one system gave."""

    row: Row
    seen: Observation
    outcomes: list[str]
    begun: float
    """When the first call was due."""


async def run(scenario: Scenario, *, seed: int, systems: Sequence[str], say: Say) -> list[Result]:
    """Run a scenario on each system at the same time, in networks of their own; return the results in the order of ``systems``."""
    with ExitStack() as stack:
        sides = list(await asyncio.gather(*(_build(scenario, seed, name) for name in systems)))
        for side in sides:
            stack.callback(side.close)
        await asyncio.gather(*(_ready(scenario, side) for side in sides))
        if scenario.known:
            say("our lines are asked often, until they are known")
            await asyncio.gather(*(_make_known(scenario, side) for side in sides))
        say("all lines are up, calls begin")
        for side in sides:
            side.tap.counts.clear()
        begun = time.time()
        marks = await asyncio.gather(*(_side(scenario, side, seed, begun, say) for side in sides))
        results = []
        for side, (fault, repair, evidence) in zip(sides, marks, strict=True):
            seen = side.observation()
            seen.fault, seen.repair, seen.judged = fault, repair, scenario.judged
            row, outcomes = measure(scenario.key, seen)
            row.takes_out, row.evidence = not _first(scenario.fault()).deliverable, evidence
            if scenario.quiet:
                # The calls came back a second before the repair; the verdict is what was found in time.
                row.fault_to_all_s = row.fault_to_at_once_s = None
            if scenario.percent:
                row.allowed = arithmetic.allowed(scenario.percent, scenario.round_trip_s, seen.offered_in_fault())
            results.append(Result(row, seen, outcomes, begun))
        return results


# ---- building ----------------------------------------------------------------------------------------------------------------


async def _build(scenario: Scenario, seed: int, name: str) -> Side:
    lab = Laboratory(seed=seed, forwarding=scenario.forwarding)
    await asyncio.to_thread(lab.__enter__)
    if scenario.named:
        lab.names.start({customers.GATEWAY_NAME: [plan.SECOND]})
    system = _system(scenario, lab, name)
    lab.actors.server = system
    await asyncio.to_thread(system.start)
    lines = _customers(scenario, by_name=scenario.named and name == "sipproxy")
    await asyncio.to_thread(system.provision, lines)
    side = Side(lab, system, lines)
    side.up.begin()
    _phones(scenario, side, seed)
    return side


def _system(scenario: Scenario, lab: Laboratory, name: str) -> System:
    environment = lab.clock.environment() if scenario.clock else None
    if name == "kamailio":
        return KamailioPeer(lab.namespaces.us, lab.folder, realm=customers.REALM, environment=environment)
    if name == "sipproxy":
        name_server = plan.NAME_SERVER if scenario.named else ""
        return Ours(lab.namespaces.us, lab.folder, changes=scenario.settings, environment=environment, name_server=name_server)
    raise ValueError(f"there is no system {name}")


def _customers(scenario: Scenario, *, by_name: bool) -> list[customers.Customer]:
    # A single phone wants its own contact in the Request-URI, not the number that was called.
    trunk = customers.trunk("contact" if scenario.phone == "baresip" else "")
    single = {
        "trunk": trunk,
        "gateway": customers.gateway(customers.GATEWAY_NAME if by_name else plan.SECOND),
        "pair": customers.pair(),
        "fleet": trunk,
    }
    return [single[scenario.line], *customers.fleet(scenario.fleet, scenario.region)]


def _phones(scenario: Scenario, side: Side, seed: int) -> None:
    """Put the phones into the laboratory, note what tells the truth about each line, and start them."""
    spaces = side.lab.namespaces
    first = side.truth[side.customers[0].line]
    if scenario.line == "pair":
        # Either of the two can answer; `_begin` notes when neither can.
        first.phone.begin(1.0)
        first.registered.begin(1.0)
    if scenario.line != "gateway":
        _behind_the_router(scenario, side, seed, first)
    if scenario.line in {"pair", "gateway"}:
        second = PhoneSystem(spaces.second, plan.SECOND, plan.SIP_PORT, name="second", seed=seed + 1)
        side.phones["second"] = second
        side.lab.actors.second = Hand(second)
        if scenario.line == "gateway":
            first.phone, first.registered = second.phone, second.registered
    side.fleet = Fleet(spaces.fleet, seed=seed)
    for customer in side.customers[1:]:
        side.truth[customer.line].phone = side.fleet.phone
        side.truth[customer.line].registered.begin(1.0)
    for phone in side.phones.values():
        phone.start()
    for stranger in side.foreign:
        stranger.start()
    side.fleet.start()


def _behind_the_router(scenario: Scenario, side: Side, seed: int, truth: LineTruth) -> None:
    """Put the customer's phone system there, ours or a foreign one."""
    where, actors = side.lab.namespaces.pbx, side.lab.actors
    phone: PhoneSystem | ForeignPhone
    if scenario.phone == "ours":
        account = None if scenario.line == "pair" else _account(scenario)
        phone = PhoneSystem(where, plan.PBX, plan.SIP_PORT, name="pbx", seed=seed, account=account)
        side.phones["phone"] = phone
        actors.phone = Hand(phone)
    else:
        make = foreign.sipp if scenario.phone == "sipp" else foreign.baresip
        phone = make(where, side.lab.folder, plan.PBX)
        side.foreign.append(phone)
        actors.phone = phone
        side.tap.registration = phone.registered_at
    if scenario.line != "pair":
        truth.phone, truth.registered = phone.phone, phone.registered


def _account(scenario: Scenario) -> Account:
    login = (customers.TRUNK_USER, customers.TRUNK_PASSWORD, (plan.PROXY, plan.SIP_PORT))
    return Account(*login, expires_s=scenario.expires_s, refresh_s=scenario.refresh_s)


async def _ready(scenario: Scenario, side: Side) -> None:
    """Wait until every line is up and answers OPTIONS."""
    side.watch()
    limit = time.monotonic() + READY_S
    while time.monotonic() < limit:
        faulty = await asyncio.to_thread(side.system.faulty)
        timelines = [phone.registered for phone in side.phones.values()] + [phone.registered for phone in side.foreign]
        registered = all(timeline.at(time.time()) for timeline in timelines)
        probed = all(phone.counts["OPTIONS"] for phone in side.phones.values()) and _fleet_probed(scenario, side)
        if registered and probed and not faulty:
            side.verdicts.clear()
            return
        await asyncio.sleep(0.1)
    heard = {name: dict(phone.counts) for name, phone in side.phones.items()}
    if side.fleet:
        heard["fleet"] = dict(side.fleet.counts)
    logs = "\n".join(phone.log()[-2000:] for phone in side.foreign)
    raise TimeoutError(
        f"{scenario.key}: {side.system.name} is not ready after {READY_S:.0f} s; not up: {faulty}; registered: {registered};"
        f" the phones heard {heard}\n{logs}"
    )


async def _make_known(scenario: Scenario, side: Side) -> None:
    """Let a system that learns about lines learn that the fleet's lose nothing."""
    if side.fleet is None or not await asyncio.to_thread(side.system.ask_often, often=True):
        return
    enough = side.fleet.counts["OPTIONS"] + _CLEAN * scenario.fleet
    async with asyncio.timeout(_KNOWN_S):
        while side.fleet.counts["OPTIONS"] < enough:  # noqa: ASYNC110 - a count, as `_ready` looks at
            await asyncio.sleep(0.5)
    await asyncio.to_thread(side.system.ask_often, often=False)


def _fleet_probed(scenario: Scenario, side: Side) -> bool:
    return side.fleet is None or side.fleet.counts["OPTIONS"] >= scenario.fleet


# ---- the run -----------------------------------------------------------------------------------------------------------------


async def _side(scenario: Scenario, side: Side, seed: int, begun: float, say: Say) -> tuple[float, float, str]:
    """Place calls, break and repair; return when the fault and the repair were in force, and what showed it."""
    traffic = asyncio.create_task(_traffic(scenario, side, seed, begun))
    teller = asyncio.create_task(_tell(side, begun, say))
    fault = scenario.fault()
    try:
        await _until(begun + scenario.before_s)
        began = await _begin(scenario, side, fault)
        say(f"{side.system.name}: {fault.title}")
        if isinstance(fault, faults.Amid):
            await _until(began + scenario.meanwhile_s)
            await _meanwhile(side, fault)
            say(f"{side.system.name}: meanwhile {fault.title}")
        await _until(begun + scenario.before_s + scenario.fault_s)
        evidence = await asyncio.to_thread(fault.evidence, side.lab)
        ended = await _end(scenario, side, fault)
        say(f"{side.system.name}: repaired")
        if scenario.reregister_s is not None and "phone" in side.phones:
            await asyncio.sleep(scenario.reregister_s)
            side.phones["phone"].reregister()
        await traffic
        await side.core.settle(_SETTLE_S)
    finally:
        traffic.cancel()
        teller.cancel()
    return _moment_of_fault(scenario, side, fault, began, ended), ended, evidence


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.time()))


async def _traffic(scenario: Scenario, side: Side, seed: int, begun: float) -> None:
    who = side.customers[1:] if scenario.line == "fleet" else side.customers[:1]
    if scenario.fault.__name__ in {"UplinkCut", "UplinkUnplugged"}:
        who = side.customers
    numbers = [number for customer in who for number in customer.numbers()]
    if not scenario.quiet:
        await side.core.run(numbers, scenario.rate, scenario.length_s, seed)
        return
    await side.core.run(numbers, scenario.rate, scenario.before_s - 1.0, seed)
    # The fault is found without a call; a second before the repair calls show what was found.
    await _until(begun + scenario.before_s + scenario.fault_s - 1.0)
    await side.core.run(numbers, scenario.rate, scenario.after_s + 1.0, seed + 1)


def _concerned(scenario: Scenario, side: Side, fault: faults.Fault) -> list[str]:
    fleet = [customer.line for customer in side.customers[1:] if customer.access or not scenario.region]
    return {
        "customer": [side.customers[0].line],
        "fleet": fleet,
        "all": [customer.line for customer in side.customers],
        "nobody": [],
    }[fault.who]


def _first(fault: faults.Fault) -> faults.Fault:
    return fault.first if isinstance(fault, faults.Amid) else fault


class _WatchedFlapping(faults.Flapping):
    """Says when it turns."""

    turned: Callable[[bool], None]

    def _turn(self, lab: Laboratory, *, cut: bool) -> None:
        if cut:
            self.turned(False)  # noqa: FBT003
        super()._turn(lab, cut=cut)
        if not cut:
            self.turned(True)  # noqa: FBT003


async def _begin(scenario: Scenario, side: Side, fault: faults.Fault) -> float:
    """Break it; return when it was in force. A line counts as unable from before the first move."""
    first = _first(fault)
    lines = _concerned(scenario, side, first)
    if isinstance(fault, faults.CutInWaves):
        fault.cutting = lambda some: side.path(works=False, lines=[lines[line] for line in some])
    elif isinstance(fault, faults.Flapping):
        fault.__class__ = _WatchedFlapping
        fault.turned = lambda works: side.path(works=works, lines=lines)  # type: ignore[attr-defined]
    elif not first.deliverable and not isinstance(first, _OF_THE_PHONE):
        side.path(works=False, lines=lines)
    if isinstance(first, faults.RouterDead) and TRUNK in side.truth:
        side.phones["phone"].binding_lost()
    restarts = type(fault).__name__ == "ServerRestarted"
    if restarts:
        side.up.end()
    began = time.time()
    await asyncio.to_thread(fault.begin, side.lab)
    if restarts:
        side.up.begin()
        return began
    return began if isinstance(first, faults.RegistrationExpires) else time.time()


async def _meanwhile(side: Side, fault: faults.Amid) -> None:
    if fault.second is None:
        side.up.end()
    await asyncio.to_thread(fault.meanwhile, side.lab)
    side.up.begin()


async def _end(scenario: Scenario, side: Side, fault: faults.Fault) -> float:
    """Repair it. A line counts as able from after the last move."""
    await asyncio.to_thread(fault.end, side.lab)
    ended = time.time()
    first = _first(fault)
    if not first.deliverable and not isinstance(first, _OF_THE_PHONE):
        side.path(works=True, lines=_concerned(scenario, side, first))
    return ended


def _moment_of_fault(scenario: Scenario, side: Side, fault: faults.Fault, began: float, ended: float) -> float:
    """A registration that runs out is a fault from then on, not from the first REGISTER that did not come."""
    if isinstance(fault, faults.RegistrationExpires):
        able = side.truth[LINES[scenario.line]].able()
        return next((at for at, value in able.changes if not value and began <= at <= ended), began)
    return began


async def _tell(side: Side, begun: float, say: Say) -> None:
    """Say every five seconds how it goes."""
    while True:
        await asyncio.sleep(5)
        records = side.core.records
        done = sum(200 <= record.status < 300 for record in records)
        diverted = sum(record.diverted for record in records)
        failed = sum(record.status >= 400 or bool(record.gave_up) for record in records)
        state = ", ".join(f"{line} {health}" for line, (health, _, _) in list(_last(side).items())[:3]) or "all up"
        say(
            f"{side.system.name:>9} {time.time() - begun:5.0f} s: {len(records)} calls, {done} answered, {diverted} diverted,"
            f" {failed} failed; {state}"
        )


def _last(side: Side) -> dict[str, tuple[str, str, float]]:
    latest = {verdict.line: (verdict.health, verdict.cause, verdict.at) for verdict in side.verdicts}
    return {line: state for line, state in latest.items() if state[0] != "up"}
