"""Core peers as networks: names are looked up once, at start and at reload, never while calls are routed."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sipproxy.config.model import CorePeer
from sipproxy.errors import Fault

Lookup = Callable[[str], Sequence[str]]


class ResolvedPeer(NamedTuple):
    """One network of a core peer."""

    name: str
    network: str
    port: int
    interconnect: str


def addresses_of(host: str) -> Sequence[str]:
    """All addresses of ``host``; `OSError` when the name cannot be resolved. Blocks."""
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    return sorted({str(answer[4][0]) for answer in answers})


def resolve_peers(peers: Sequence[CorePeer], file: str, lookup: Lookup = addresses_of) -> tuple[list[ResolvedPeer], list[Fault]]:
    """All peers as networks, and a fault for each name without an address. A name may stand for several addresses."""
    resolved: list[ResolvedPeer] = []
    faults: list[Fault] = []
    for index, peer in enumerate(peers):
        try:
            networks = [str(ipaddress.ip_network(peer.address.strip("[]")))]
        except ValueError:
            try:
                networks = [str(ipaddress.ip_network(address)) for address in lookup(peer.address)]
            except OSError as error:
                message = f"the name {peer.address!r} cannot be resolved ({error.strerror or error})"
                remedy = "correct the name, or write the address"
                faults.append(Fault(file, f"core_peers[{index}].address", message, remedy))
                continue
        resolved += [ResolvedPeer(peer.name, network, peer.port, peer.interconnect) for network in networks]
    return resolved, faults
