"""A line with changes of its own is judged by them, beside one that has none."""

from datetime import UTC, datetime

from routing.compile import Compiler
from routing.model import Customer, Entity, Line, Order, Peer, Site
from routing.profiles import PROFILES
from sipproxy.profiles import derived_settings
from tests.verdicts.network import SECOND, SimulatedNetwork, peer_address, static_line


def line(key: str, peer: str, **changes: float) -> Line:
    return Line(id=key, order="o", kind="static", peers=(Peer(address=peer),), profile_changes=changes)


def test_changed_interval_and_fall_act_on_that_line_alone() -> None:
    peers = [peer_address(0), peer_address(1)]
    order = Order(id="o", customer="c", product="sipTrunk 2.0 Pro", site=Site(id="s", address=""))
    lines = [line("usual", peers[0]), line("quick", peers[1], interval_s=2.0, fall=1, fall_max=1, hold_s=0.0)]
    entities: list[Entity] = [Customer(id="c", name="c"), order, *lines]
    compiler = Compiler()
    (delta,) = compiler.load(entities, datetime(2026, 3, 1, tzinfo=UTC))
    names = {spec["line_id"]: spec["profile"] for spec in delta["lines"]}
    usual = [profile.copy() for profile in PROFILES.values()]
    profiles = [*usual, *derived_settings(usual, compiler.derived())]
    specs = [static_line(slot, peer, profile=names[key]) for slot, (key, peer) in enumerate(zip(names, peers, strict=True))]
    slots = {key: slot for slot, key in enumerate(names)}
    network = SimulatedNetwork(specs, profiles=profiles)
    for peer in peers:
        network.phone(peer)
    network.until(lambda: all(network.state(slot)["health"] == "up" for slot in (0, 1)), 15 * SECOND)
    network.pass_time(20 * SECOND)
    probes = {key: len(network.phone(peers[slots[key]]).probes) for key in names}
    assert probes["quick"] > 3 * probes["usual"]
    for peer in peers:
        network.phone(peer).connected = False
    took = network.until(lambda: network.state(slots["quick"])["health"] == "down", 6 * SECOND)
    assert took <= 3.5 * SECOND, "interval 2 s and a time-out of 1 s"
    assert network.state(slots["usual"])["health"] != "down"
    network.until(lambda: network.state(slots["usual"])["health"] == "down", 15 * SECOND)
