"""The real machine against what may be expected of it: whatever happens, no verdict without its evidence, and none for ever.

Hypothesis chooses what phones, cables, operators and kills do; the model keeps only what was on the wire. After each step:

- each line has its prober: the last OPTIONS to each target is never older than the interval;
- the bindings are those that were registered and have not run out;
- a line that fell had the evidence: lost OPTIONS, failed calls, or the loss of its registration;
- a line that rose had rested for ``hold`` and had good evidence;
- a caller gets at most one kind of final answer.

At the end all phones live, and every line must come up; then all are cut, and every line must go down: nothing sticks.
"""

from typing import TYPE_CHECKING, Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from routing.profiles import PROFILES
from sipproxy._engine import detection_bounds
from tests.verdicts.network import SECOND, Phone, SimulatedNetwork, peer_address, registered_line, static_line

if TYPE_CHECKING:
    from sipproxy._engine import ProfileSettings

ALONE, PAIR, REGISTERED = 1, 2, 3
LINES = (ALONE, PAIR, REGISTERED)
PEERS = {ALONE: (peer_address(1),), PAIR: (peer_address(2), peer_address(3))}
PHONES = (peer_address(4), peer_address(5))
"""Where the registered line's phones stand."""

ADDRESSES = (*PEERS[ALONE], *PEERS[PAIR], *PHONES)
GRACE_US = 60 * SECOND
SLACK_US = 100_000
"""For the way of packets and the ticks of the timer wheel."""

address = st.sampled_from(ADDRESSES)
line = st.sampled_from(LINES)


def profile(slot: int) -> dict[str, Any]:
    """Return the profile of a line."""
    return cast("dict[str, Any]", PROFILES["registered" if slot == REGISTERED else "static"])


class Verdicts(RuleBasedStateMachine):
    """Three lines: one static peer, two static peers, one registered."""

    def __init__(self) -> None:
        super().__init__()
        self.net = SimulatedNetwork(
            [static_line(ALONE, *PEERS[ALONE]), static_line(PAIR, *PEERS[PAIR]), registered_line(REGISTERED)]
        )
        self.bound: dict[str, int] = {}
        """Phone → when its binding runs out."""
        self.judged = 0
        """Events looked at so far."""
        self.health = dict.fromkeys(LINES, "unknown")
        self.since = dict.fromkeys(LINES, self.net.now)
        self.never_well = set[int]()
        """Lines that are down and were not seen well before: they rest out no hold."""
        self.started_us = self.net.now
        self.bound_us: dict[str, int] = {}
        """Phone → when its binding was made or last made anew."""

    @initialize()
    def everybody_lives(self) -> None:
        for at in ADDRESSES:
            self.net.phone(at)

    # ---- what may happen -------------------------------------------------------------------------------------------------

    @rule(tenths=st.integers(1, 400))
    def time_passes(self, tenths: int) -> None:
        self.net.pass_time(tenths * 100_000)

    @rule(at=address, connected=st.booleans())
    def cable(self, at: str, connected: bool) -> None:  # noqa: FBT001 - hypothesis names its arguments
        self.net.phones[at].connected = connected

    @rule(at=address, options=st.booleans())
    def answers_options(self, at: str, options: bool) -> None:  # noqa: FBT001
        self.net.phones[at].options = options

    @rule(at=address, how=st.sampled_from(("answer", "trying", "refuse", "busy", "silent")))
    def answers_calls(self, at: str, how: str) -> None:
        self.net.phones[at].invite = how

    @rule(at=address, how=st.sampled_from(("", "port_unreachable", "host_unreachable")))
    def gone_with_a_word(self, at: str, how: str) -> None:
        self.net.phones[at].unreachable = how

    @rule(at=st.sampled_from(PHONES), expires_s=st.integers(5, 120))
    def registers(self, at: str, expires_s: int) -> None:
        if self.net.phones[at].unreachable:
            return
        sent = self.net.now
        status = self.net.register(REGISTERED, at, expires_s)
        if self.net.phones[at].connected:
            assert status == 200
            if self.bound.get(at, 0) <= self.net.now:
                self.bound_us[at] = self.net.now
            self.bound[at] = sent + self.net.delay_us + expires_s * SECOND

    @rule(at=st.sampled_from(PHONES))
    def goes(self, at: str) -> None:
        if self.net.phones[at].unreachable:
            return
        self.net.register(REGISTERED, at, 0)
        if self.net.phones[at].connected:
            self.bound.pop(at, None)

    @rule(slot=line)
    def somebody_calls(self, slot: int) -> None:
        self.net.dial(slot)

    @rule(slot=line, count=st.integers(2, 5), apart_ms=st.integers(50, 3000))
    def many_call(self, slot: int, count: int, apart_ms: int) -> None:
        for _ in range(count):
            self.net.dial(slot)
            self.net.pass_time(apart_ms * 1000)

    @rule(slot=line, wish=st.sampled_from(("enabled", "drained", "forced_down", "forced_up", "drill")))
    def the_operator_wishes(self, slot: int, wish: str) -> None:
        self.net.wish(slot, wish)  # type: ignore[arg-type]

    @rule(tenths=st.integers(1, 300))
    def killed_and_started(self, tenths: int) -> None:
        self._look()
        before = {slot: self.net.state(slot)["health"] for slot in LINES}
        self.bound = {at: expires for at, expires in self.bound.items() if expires > self.net.now}
        self.net.restart(tenths * 100_000)
        self.started_us = self.net.now
        for at, expires in self.bound.items():
            if expires <= self.net.now:
                self.bound[at] = self.net.now + GRACE_US
        for slot in LINES:
            health = self.net.state(slot)["health"]
            # What was down for want of a registration and has one now is tried again.
            tried = slot == REGISTERED and before[slot] == "down" and health == "unknown" and self.bound
            assert health == before[slot] or tried, f"line {slot} was {before[slot]}, and is {health}: a restart is no evidence"

    # ---- what must hold --------------------------------------------------------------------------------------------------

    @invariant()
    def each_line_has_its_prober(self) -> None:
        if not self.net.phones:
            return
        assert self.net.engine.counters()["probers_missing"] == 0
        for slot in LINES:
            for target in self._targets(slot):
                limit = profile(slot)["interval_s"] * SECOND + SLACK_US
                probes = self.net.phones[target].probes
                last = max(probes[-1].sent_us if probes else 0, self.started_us, self.bound_us.get(target, 0))
                assert self.net.now - last <= limit, f"nobody asks {target} of line {slot}"

    @invariant()
    def bindings_stay(self) -> None:
        wanted = {at for at, expires in self.bound.items() if expires > self.net.now + SLACK_US}
        perhaps = {at for at, expires in self.bound.items() if abs(expires - self.net.now) <= SLACK_US}
        present = {row[2] for row in self.net.engine.bindings()}
        assert wanted <= present <= wanted | perhaps

    @invariant()
    def verdicts_have_their_evidence(self) -> None:
        self._look()

    @invariant()
    def one_outcome_for_the_caller(self) -> None:
        for call in self.net.calls.values():
            assert len(call.finals) <= 1, f"two answers: {sorted(call.finals)}"

    # ---- the end ---------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not self.net.phones:
            return
        for phone in self.net.phones.values():
            phone.connected, phone.options, phone.invite, phone.unreachable = True, True, "answer", ""
        for slot in LINES:
            self.net.wish(slot, "enabled")
        self._all_rise()
        self.net.pass_time(12 * SECOND)  # each contact has answered an OPTIONS
        for phone in self.net.phones.values():
            phone.connected = False
        for slot in LINES:
            bound_s = _detection_s(slot)
            took = self.net.until(lambda slot=slot: self.net.state(slot)["health"] == "down", 60 * SECOND)  # type: ignore[misc]
            assert took <= bound_s * SECOND + SLACK_US, f"line {slot} went down after {took / SECOND} s"
        self._look()
        self.one_outcome_for_the_caller()

    def _all_rise(self) -> None:
        """With calls: what calls took down only a call brings back."""
        for _ in range(150):
            self.registers(PHONES[0], 120)
            if all(self.net.state(slot)["health"] == "up" for slot in LINES):
                return
            for slot in LINES:
                self.net.dial(slot)
            self.net.pass_time(3 * SECOND)
            self._look()
        states = {slot: self.net.state(slot) for slot in LINES}
        raise AssertionError(f"stuck: {states}")

    # ---- the model -------------------------------------------------------------------------------------------------------

    def _targets(self, slot: int) -> tuple[str, ...]:
        if slot in PEERS:
            return PEERS[slot]
        return tuple(at for at, expires in self.bound.items() if expires > self.net.now + SLACK_US)

    def _look(self) -> None:
        """Judge the verdict events since the last look."""
        for event in self.net.events[self.judged :]:
            if event["kind"] != "verdict":
                continue
            verdict = cast("dict[str, Any]", event["verdict"])
            slot, at_us = verdict["line"], verdict["since_unix_ms"] * 1000
            assert event["previous"] == self.health[slot], "a change that was not told"
            if verdict["health"] == "down":
                self._may_fall(slot, at_us, verdict["cause"])
                self.never_well.discard(slot)
                if event["previous"] == "unknown":
                    self.never_well.add(slot)
            elif event["previous"] == "down":
                self._may_rise(slot, at_us, verdict)
            self.health[slot], self.since[slot] = verdict["health"], at_us
        self.judged = len(self.net.events)

    def _may_fall(self, slot: int, at_us: int, cause: str) -> None:
        settings_, state = profile(slot), f"line {slot} fell by {cause}"
        if cause in {"expired", "removed", "not_registered"}:
            assert slot == REGISTERED
            assert not [at for at, expires in self.bound.items() if expires > at_us + SLACK_US], state
            return
        timeout_us = int(settings_["timeout_s"] * SECOND)
        for target in self._targets(slot):
            phone = self.net.phones[target]
            misses = phone.misses(at_us + 20_000, timeout_us - 20_000)
            if len(self._targets(slot)) > 1:
                # The others may have fallen before, answer again, and still rest out their hold.
                held_us = int(settings_["hold_max_s"] * SECOND)
                misses = max(misses, phone.longest_row(at_us - held_us, at_us, timeout_us))
            failures = self._failed_calls(phone, at_us) + len({call for when, call in phone.refused if when <= at_us})
            assert misses + failures >= settings_["fall"], f"{state}: {target} missed {misses} OPTIONS and {failures} calls"

    def _failed_calls(self, phone: Phone, at_us: int) -> int:
        """Count the calls that got to nothing at a phone, since the last that got somewhere."""
        count = 0
        for call_id, call in self.net.calls.items():
            if call.at_us > at_us:
                continue
            if call_id in phone.answered and phone.connected:
                continue
            if {302, 408, 480, 500, 503} & call.finals or not call.finals:
                count += 1
        return count

    def _may_rise(self, slot: int, at_us: int, verdict: dict[str, Any]) -> None:
        settings_, state = profile(slot), f"line {slot} rose by {verdict['cause']}"
        if verdict["health"] == "unknown":
            return
        rested = at_us - self.since[slot]
        held_us = 0 if slot in self.never_well else settings_["hold_s"] * SECOND
        assert rested >= held_us - 20_000, f"{state} after {rested / SECOND} s"
        registered = any(self.bound_us.get(target, 0) >= self.since[slot] for target in self._targets(slot))
        good = (
            registered
            or verdict["cause"] in {"registered", "call_answered"}
            or any(
                probe.answered_us and probe.answered_us >= self.since[slot]
                for target in self._targets(slot)
                for probe in self.net.phones[target].probes
            )
        )
        assert good, f"{state} without evidence"


def _detection_s(slot: int) -> float:
    """Silence → down, at most: short cuts before may count as loss of the way."""
    return detection_bounds(cast("ProfileSettings", profile(slot)))["bound_s"]


TestVerdicts = Verdicts.TestCase
TestVerdicts.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    report_multiple_bugs=False,
)
