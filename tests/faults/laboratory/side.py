"""One system under test with a laboratory of its own: network, callers, phones, and the log of what it announced."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from tests.faults.laboratory import plan
from tests.faults.laboratory.actors import Mode as Behaviour
from tests.faults.laboratory.caller import Core
from tests.faults.laboratory.customers import Customer
from tests.faults.laboratory.fleet import Fleet
from tests.faults.laboratory.foreign import ForeignPhone
from tests.faults.laboratory.measure import Observation, Standing, Verdict
from tests.faults.laboratory.network import Laboratory
from tests.faults.laboratory.phone_system import Mode, PhoneSystem
from tests.faults.laboratory.systems import System
from tests.faults.laboratory.tap import Tap
from tests.faults.laboratory.truth import LineTruth, Timeline

Result = TypeVar("Result")
_MODES = {
    "well": Mode.NORMAL,
    "silent": Mode.HUNG,
    "unavailable": Mode.REFUSES,
    "trying_only": Mode.TRYING_ONLY,
    "options_only": Mode.OPTIONS_ONLY,
    "invites_only": Mode.CALLS_ONLY,
    "retry_after": Mode.RETRY_AFTER,
}
_POLL_S, _POLL_OF_MANY_S, _MANY = 0.1, 0.5, 200
"""Shorter than the shortest hold, so that no verdict passes unseen."""
_TRUSTED_S = 1.0
"""A system's own time of a change is taken when it lies so near to when it was seen: its clock may have jumped."""


class Hand:
    """The phone system as `faults` sees it: called from a thread, done in the loop."""

    pid = 0

    def __init__(self, phone: PhoneSystem) -> None:
        self._phone = phone
        self._loop = asyncio.get_running_loop()

    def _call(self, work: Callable[[], Result]) -> Result:
        done: Future[Result] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it belongs to the thread that asked
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result(10)

    def behave(self, mode: Behaviour) -> None:
        """Switch the mode."""
        self._call(lambda: self._phone.switch(_MODES[mode]))

    def heard(self, method: str) -> int:
        """Return how many requests of a method it has received."""
        return self._phone.counts[method]

    def kill(self) -> None:
        """Close the port."""
        self._call(self._phone.kill)

    def start(self) -> None:
        """Open it again."""
        self._call(self._phone.start)

    def let_expire(self) -> None:
        """Send no REGISTER any more."""
        self._phone.refreshing = False

    def deregister(self) -> None:
        """Remove the registration."""
        asyncio.run_coroutine_threadsafe(self._phone.deregister(), self._loop).result(40)

    def register(self) -> None:
        """Register again."""
        self._call(self._phone.reregister)


class Side:
    """A system, its laboratory and everybody in it."""

    def __init__(self, lab: Laboratory, system: System, customers: Sequence[Customer]) -> None:
        self.lab, self.system, self.customers = lab, system, list(customers)
        self.phones: dict[str, PhoneSystem] = {}
        self.foreign: list[ForeignPhone] = []
        self.fleet: Fleet | None = None
        self.truth = {customer.line: LineTruth() for customer in customers}
        for truth in self.truth.values():
            truth.path.begin(1.0)
        self.up = Timeline()
        self.verdicts: list[Verdict] = []
        self._watching = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"verdicts of {system.name}", daemon=True)
        with lab.namespaces.core.inside():
            self.core = Core((plan.PROXY, plan.SIP_PORT), plan.CORE, plan.SIP_PORT)
        self.tap = Tap(lab.namespaces.us, "uplink")

    # ---- verdicts ----------------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Begin to write down the verdicts."""
        self._watcher.start()

    def _watch(self) -> None:
        known: dict[str, str] = {}
        pause = _POLL_S if len(self.customers) < _MANY else _POLL_OF_MANY_S
        while not self._watching.wait(pause):
            try:
                faulty = self.system.faulty()
            except Exception:  # noqa: BLE001, S112 - it may be killed at this moment; the next turn tells
                continue
            now = time.time()
            for line in known.keys() | faulty.keys():
                health, cause, since, evidence = faulty.get(line, Standing("up", "", now))
                if known.get(line, "up") != health:
                    at = since if abs(now - since) < _TRUSTED_S else now
                    self.verdicts.append(Verdict(at, line, health, cause, evidence))
                    known[line] = health

    # ---- truth -------------------------------------------------------------------------------------------------------------

    def path(self, *, works: bool, lines: Sequence[str] = ()) -> None:
        """Note that packets pass, or not, to these lines (all by default)."""
        for line in lines or self.truth:
            self.truth[line].path.set(works)

    # ---- results -----------------------------------------------------------------------------------------------------------

    def observation(self) -> Observation:
        """Return everything seen up to now."""
        by_number = {number: customer for customer in self.customers for number in customer.numbers()}
        return Observation(
            self.system.name,
            lines=self.truth,
            line_of=lambda number: by_number[number].line,
            target_of=lambda number: by_number[number].target,
            records=self.core.records,
            verdicts=list(self.verdicts),
            up=self.up,
            end=time.time(),
            late_s=self.core.late_s,
            probes=self.tap.counts["OPTIONS"],
            invites=self.tap.counts["INVITE"],
        )

    def close(self) -> None:
        """End all of it; what is broken already does not keep the rest from ending."""
        self._watching.set()
        if self._watcher.is_alive():
            self._watcher.join(15)
        for phone in self.phones.values():
            phone.close()
        for stranger in self.foreign:
            stranger.close()
        if self.fleet:
            self.fleet.close()
        for part in (self.core, self.tap, self.system, self.lab):
            with suppress(OSError):
                part.close()
