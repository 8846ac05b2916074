"""What is told of a line follows from what was observed, wished and armed; a start tells the difference and nothing twice."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registrar_watch.call_sums import QUIET_MS
from registrar_watch.going import Going, WishState
from registrar_watch.history import History
from registrar_watch.outbox import Outbox, Waiting
from routing.coverage import Coverage

LINE = "L1"


class Rules:
    """The rules as a test sets them."""

    def __init__(self) -> None:
        self.wish = WishState()
        self.armed = True
        self.resting = ""
        self.settled = True
        self.order = "O1"

    def line_id(self, slot: int) -> str:  # noqa: ARG002 - one line is all there is
        return LINE

    def rule_id(self, slot: int) -> str:  # noqa: ARG002 - one line is all there is
        return "R1"

    def rests(self, line_id: str) -> str:  # noqa: ARG002 - one line is all there is
        return self.resting

    def order_of(self, line_id: str) -> str:  # noqa: ARG002 - one line is all there is
        return self.order

    def wish_of(self, line_id: str) -> WishState:  # noqa: ARG002 - one line is all there is
        return self.wish

    def is_armed(self, line_id: str) -> bool:  # noqa: ARG002 - one line is all there is
        return self.armed

    def coverage_of(self, line_id: str) -> Coverage:  # noqa: ARG002 - one line is all there is
        return Coverage(("order O1",), ("number +493023125010",), 1)

    def wished_lines(self) -> list[str]:
        return [LINE] if self.wish.wish != "enabled" else []

    def is_settled(self) -> bool:
        return self.settled


def verdict(health: str, since: int, cause: str = "options_timeout") -> Any:
    """Return a verdict as the engine has it."""
    return {"line": 0, "health": health, "since_unix_ms": since, "cause": cause, "evidence": "e", "place": "unclear"}


class World:
    """A history with its rules, a clock by hand, and a store that keeps what it is given."""

    def __init__(
        self, rules: Rules | None = None, states: dict[str, Any] | None = None, *, now: int = 1_000_000, observed: str = ""
    ) -> None:
        """``states`` is what the store has, ``observed`` the health of the verdict that it has."""
        self.now = now
        self.stored = json.dumps((states or {}).get(LINE, {}))
        self.rules = rules or Rules()
        self.outbox = Outbox(self._never, node="n", boot="b")
        self.history = History(self.rules, self.outbox, lambda: self.now)
        if observed:
            self.history.restored([(LINE, verdict(observed, 5))])
        self.history.open(states or {})
        self.history.tick()

    async def _never(self, boot: str, batch: Sequence[Waiting]) -> None:
        raise NotImplementedError

    def health(self, health: str, previous: str = "up", cause: str = "options_timeout") -> None:
        self.now += 1000
        self.history.verdict(LINE, previous, verdict(health, self.now, cause), self.now)

    def wished(self, wish: str, until: int | None = None) -> None:
        self.now += 1000
        self.rules.wish = WishState(wish, until, "anna", "why")  # type: ignore[arg-type]
        self.history.changed([LINE])

    def calls(self, **counts: int) -> None:
        zero = dict.fromkeys(("offered", "completed", "declined", "cancelled", "diverted", "rescued", "failed"), 0)
        self.now += 1000
        event = {"kind": "calls", "line": 0, "seq": 1, "at_unix_ms": self.now, "interval_ms": 1000, **zero, **counts}
        self.history.calls(LINE, event)  # type: ignore[arg-type]

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(entry.text) for entry in self.outbox._waiting]

    def shapes(self) -> list[str]:
        return [f"{e['kind']} {e.get('change', e.get('health', e.get('wish', '')))}".strip() for e in self.told()]

    def state(self) -> dict[str, Any]:
        """Return what the store has of the line after all that was told."""
        last = self.stored
        for entry in self.outbox._waiting:
            last = entry.state if entry.state is not None else last
        return json.loads(last) if last else {}


def test_a_diversion_begins_with_the_fall_and_ends_with_the_return() -> None:
    world = World()
    world.health("suspect")
    world.health("down", "suspect")
    world.calls(offered=3, diverted=3)
    world.health("up", "down", "options_answered")
    assert world.shapes() == ["verdict suspect", "verdict down", "diversion began", "verdict up", "calls", "diversion ended"]
    ended = world.told()[-1]
    assert (ended["diverted"], ended["duration_ms"], ended["why"]) == (3, 2000, "the line is back")
    world.calls(offered=1, declined=1)
    assert world.shapes()[-1] == "returned", "a phone that is busy is a phone that was reached"
    assert world.state() == {}


def test_a_line_that_is_removed_is_not_said_to_be_back() -> None:
    world = World()
    world.health("down")
    world.rules.order, world.rules.armed = "", False
    world.history.removed([LINE])
    assert world.shapes()[-1] == "diversion ended"
    assert world.told()[-1]["why"] == "the line was removed"
    assert world.state() == {}


def test_without_an_armed_rule_nothing_is_diverted_until_it_is_armed() -> None:
    world = World()
    world.rules.armed = False
    world.health("down")
    assert world.shapes() == ["verdict down"]
    world.rules.armed = True
    world.history.changed([LINE])
    assert world.shapes()[-1] == "diversion began"
    world.rules.armed = False
    world.history.changed(None)
    assert world.told()[-1]["why"] == "no rule is armed any more"


def test_a_drill_is_told_with_what_is_armed_and_what_is_not_and_ends_at_its_instant() -> None:
    world = World()
    world.wished("drill", world.now + 61_000)
    assert world.shapes() == ["drill began", "diversion began"]
    assert world.told()[0]["unarmed"] == ["number +493023125010"]
    assert world.told()[0]["by"] == "anna"
    end = world.told()[0]["until_unix_ms"]
    world.now = end + 7
    world.rules.wish = WishState()
    world.history.changed([LINE])
    assert world.shapes()[2:] == ["drill ended", "diversion ended"]
    ended = world.told()[2]
    assert (ended["at_unix_ms"], ended["by_itself"], ended["began_by"]) == (end, True, "anna")


def test_a_drill_that_ends_on_a_line_that_is_down_hands_over_to_the_fault() -> None:
    world = World()
    world.wished("drill", world.now + 600_000)
    world.health("down")
    world.wished("enabled")
    assert world.shapes()[-4:] == ["verdict down", "drill ended", "diversion ended", "diversion began"]
    assert world.told()[-1]["cause"] == "options_timeout"


def test_a_start_goes_on_with_what_was_told_and_tells_only_what_is_different() -> None:
    world = World()
    world.health("down")
    world.calls(offered=2, diverted=2)
    world.now += 20_000
    world.history.tick()  # the counts are told, and kept with the state
    state = world.state()
    same = World(states={LINE: state})
    assert same.shapes() == ["diversion ended"], "no verdict says that it is down"

    again = World(states={LINE: state}, now=world.now, observed="down")
    assert again.shapes() == []
    again.health("up", "down")
    assert again.told()[-1]["diverted"] == 2
    assert again.told()[-1]["began_unix_ms"] == state["diversion"][0]


def test_a_drill_that_ran_out_while_nobody_was_there_ended_then() -> None:
    world = World()
    world.wished("drill", world.now + 61_000)
    end = world.told()[0]["until_unix_ms"]
    later = World(states={LINE: world.state()}, now=end + 3_600_000)
    assert later.shapes() == ["drill ended", "diversion ended"]
    assert later.told()[0]["at_unix_ms"] == end


def test_while_the_rules_change_nothing_is_judged_and_nothing_is_forgotten() -> None:
    world = World()
    world.rules.settled = False
    world.health("down")
    assert world.shapes() == ["verdict down"]
    world.rules.settled = True
    world.history.tick()
    assert world.shapes() == ["verdict down", "diversion began"]


def test_lost_events_are_told_and_what_they_said_is_read_again() -> None:
    world = World()
    world.history.lost(7)
    for _ in range(2):
        world.history.read_again(LINE, verdict("down", 5, "expired"))
    assert world.shapes() == ["lost", "verdict down", "diversion began"]
    assert world.told()[1]["read_again"] is True


def test_calls_that_went_well_wait_for_one_event() -> None:
    world = World()
    for _ in range(100):
        world.calls(offered=2, completed=2)
        world.history.tick()
    assert world.shapes() == []
    world.now += QUIET_MS
    world.history.tick()
    assert world.told()[0]["counts"]["offered"] == 200
    world.calls(offered=1, failed=1)
    world.now += 15_000
    world.history.tick()
    assert world.told()[1]["counts"]["failed"] == 1


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["up", "down", "suspect", "unknown"]).map(lambda health: ("health", health)),
        st.sampled_from(["enabled", "drained", "forced_down", "forced_up", "drill"]).map(lambda wish: ("wish", wish)),
        st.booleans().map(lambda armed: ("armed", armed)),
        st.booleans().map(lambda settled: ("settled", settled)),
        st.just(("calls", 1)),
        st.just(("restart", 1)),
    ),
    max_size=30,
)


@given(STEPS)
def test_began_and_ended_take_turns_over_any_number_of_restarts(steps: list[tuple[str, Any]]) -> None:
    world, told, observed = World(), [], "up"
    for kind, value in steps:
        if kind == "health":
            world.health(value, observed)
            observed = value
        elif kind == "wish":
            world.wished(value, world.now + 10**9)
        elif kind == "armed":
            world.rules.armed = value
            world.history.changed([LINE])
        elif kind == "settled":
            world.rules.settled = value
        elif kind == "calls":
            world.calls(offered=1, completed=1)
        else:
            world.rules.settled = True
            world.history.tick()
            told += world.told()
            state, rules = Going.of(world.state()).record(), world.rules
            assert state == world.state(), "what is stored reads back"
            world = World(rules, {LINE: state} if state else {}, now=world.now, observed=observed)
    world.rules.settled = True
    world.history.tick()
    told += world.told()
    for kind in ("diversion", "drill"):
        changes = [event["change"] for event in told if event["kind"] == kind and event["change"] != "prolonged"]
        assert changes == ["began", "ended"] * (len(changes) // 2) + ["began"] * (len(changes) % 2)
    out = world.rules.wish.wish in {"drained", "forced_down", "drill"} or (
        world.rules.wish.wish == "enabled" and observed == "down"
    )
    open_now = [event for event in told if event["kind"] == "diversion"][-1:]
    assert bool(open_now and open_now[0]["change"] == "began") == (out and world.rules.armed)
