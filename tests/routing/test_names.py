"""Named peers: which texts are names, and what the engine is told of their lines."""

from datetime import UTC, datetime

import pytest

from routing.compile import Compiler
from routing.model import Customer, Line, Order, Peer, Site
from routing.names import name_of, resolved

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("pbx.example.net:5060", "pbx.example.net"),
        ("PBX.example.net.:5060", "pbx.example.net"),
        ("pbx:5060", "pbx"),
        ("192.0.2.1:5060", None),
        ("[2001:db8::1]:5060", None),
        ("pbx.example.net", None),
        ("pbx.example.net:0", None),
        ("pbx.example.net:70000", None),
        ("-pbx.example.net:5060", None),
        ("p bx.example.net:5060", None),
        (f"{'a' * 64}.example.net:5060", None),
        (".:5060", None),
        ("example.1:5060", None),
    ],
)
def test_a_name_is_told_from_an_address(address: str, name: str | None) -> None:
    assert name == name_of(address)


def test_a_named_peer_has_all_addresses_of_its_name_at_its_place() -> None:
    peers = [Peer(address="pbx.example.net:5070", priority=2), Peer(address="192.0.2.9:5060", priority=1)]
    names = {"pbx.example.net": ("192.0.2.1", "2001:db8::1")}
    expected = [("192.0.2.9:5060", 1), ("192.0.2.1:5070", 2), ("[2001:db8::1]:5070", 2)]
    assert expected == resolved(peers, names)
    assert resolved(peers, {}) == [("192.0.2.9:5060", 1)]


def test_what_a_name_resolves_to_reaches_the_lines_that_have_it_and_no_others() -> None:
    compiler = Compiler()
    customer = Customer(id="K-1", name="A")
    order = Order(id="A-1", customer=customer.id, product="sipTrunk 2.0 Pro", site=Site(id="S-1", address="Musterstr. 1"))
    named = Line(id="L-1", order=order.id, kind="static", peers=(Peer(address="pbx.example.net:5060"),))
    plain = Line(id="L-2", order=order.id, kind="static", peers=(Peer(address="192.0.2.7:5060"),))
    list(compiler.load([customer, order, named, plain], NOW))
    spec = compiler.spec_of("L-1")
    assert spec is not None
    assert spec["peers"] == []
    assert {"pbx.example.net": {"L-1"}} == compiler.names()
    [delta] = compiler.resolve("pbx.example.net", ["192.0.2.1"])
    assert [(line["line_id"], line["peers"]) for line in delta["lines"]] == [("L-1", [("192.0.2.1:5060", 1)])]
    assert compiler.resolve("pbx.example.net", ["192.0.2.1"]) == []
    compiler.change([("line", "L-1", None)], NOW)
    assert compiler.names() == {}
