"""Hours of many lines over a network that loses and delays: no line is said to be down that lives.

The engine is the real one, its probes cross a simulated network with 400 ms of round trip and independent loss in each
direction. Seeds are fixed, so a run counts the same losses each time.
"""

import pytest

from tests.verdicts.network import SECOND, SimulatedNetwork, peer_address, static_line

ONE_WAY_US = 175_000
JITTER_US = 50_000
HOUR = 3600 * SECOND


def false_verdicts(lines: int, duration_us: int, loss: float, seed: int) -> int:
    """Return how often a line that lived all the time was said to be down."""
    net = SimulatedNetwork(
        [static_line(slot, peer_address(slot)) for slot in range(1, lines + 1)],
        seed=seed,
        loss=loss,
        delay_us=ONE_WAY_US,
        jitter_us=JITTER_US,
    )
    for slot in range(1, lines + 1):
        net.phone(peer_address(slot))
    net.pass_time(duration_us)
    probes = sum(len(phone.probes) for phone in net.phones.values())
    assert probes >= lines * duration_us / (10 * SECOND), "the lines were asked"
    up = sum(state["health"] in {"up", "suspect"} for state in net.engine.line_states())
    assert up >= 0.98 * lines, "what is measured are lines that were found alive"
    return sum(event["kind"] == "verdict" and event["verdict"]["health"] == "down" for event in net.events)  # type: ignore[index]


@pytest.mark.parametrize(("loss", "at_most"), [(0.05, 0), (0.20, 1)], ids=["5 %", "20 %"])
@pytest.mark.parametrize(
    ("lines", "duration_us"), [(20, 5 * HOUR), (1000, HOUR // 10)], ids=["20 lines of 5 hours", "1000 lines of 6 minutes"]
)
def test_loss_is_no_outage(lines: int, duration_us: int, loss: float, at_most: int) -> None:
    assert false_verdicts(lines, duration_us, loss, seed=1) <= at_most


def test_a_cut_is_an_outage_on_a_lossy_line_too() -> None:
    """The patience that loss has taught has its bound."""
    net = SimulatedNetwork([static_line(1, peer_address(1))], seed=3, loss=0.2, delay_us=ONE_WAY_US, jitter_us=JITTER_US)
    phone = net.phone(peer_address(1))
    net.pass_time(HOUR)
    phone.connected = False
    assert net.until(lambda: net.state(1)["health"] == "down", 60 * SECOND) <= 18 * SECOND


@pytest.mark.parametrize("measured", [True, False], ids=["measured line", "fresh line"])
def test_no_call_of_ten_thousand_is_diverted_from_a_living_phone(measured: bool) -> None:  # noqa: FBT001
    """5 % loss in each direction, 400 ms: each call reaches the phone, rings, and is answered by it."""
    lines, calls = (20, 10_000)
    net = SimulatedNetwork(
        [static_line(slot, peer_address(slot)) for slot in range(1, lines + 1)],
        seed=5,
        loss=0.05,
        delay_us=ONE_WAY_US,
        jitter_us=JITTER_US,
    )
    for slot in range(1, lines + 1):
        net.phone(peer_address(slot)).ring_us = 4 * SECOND
    net.pass_time(HOUR if measured else 30 * SECOND)
    for call in range(calls):
        net.dial(1 + call % lines)
        net.pass_time(SECOND // 20)
    net.pass_time(60 * SECOND)
    finals = [call.finals for call in net.calls.values()]
    assert finals.count({302}) == 0
    assert finals.count({200}) >= 0.999 * calls, "the rest lost all repetitions of its 200"
