"""Peers that are named: ``pbx.example.net:5060``.

A name has a port, as an address has, so only A and AAAA records are asked for; NAPTR and SRV (RFC 3263 §4) would find what has none.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping

from routing.model import Line, Peer

Names = Mapping[str, tuple[str, ...]]
"""Host name → IP addresses, best first. A name without an entry, or with an empty one, was never resolved."""

_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)\Z")
_MAX_NAME = 253
_MAX_PORT = 65535


def name_of(address: str) -> str | None:
    """Return the host name of ``name:port`` in small letters, None for anything else, an IP address among it."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT) or len(host) > _MAX_NAME:
        return None
    labels = host.removesuffix(".").split(".")
    # RFC 3696 §2: the last label of a name is not all digits, so that it is told from an address.
    if labels[-1].isdigit() or not all(_LABEL.match(label) for label in labels):
        return None
    return host.removesuffix(".").lower()


def peer_names(line: Line) -> set[str]:
    """Return the host names among the peers of a line."""
    return {name for peer in line.peers if (name := name_of(peer.address)) is not None}


def resolved(peers: Iterable[Peer], names: Names) -> list[tuple[str, int]]:
    """Return (address, priority) of all peers, lowest priority number first; a named peer has as many as its name."""
    found: dict[str, int] = {}
    for peer in sorted(peers, key=lambda peer: peer.priority):
        name = name_of(peer.address)
        if name is None:
            found.setdefault(peer.address, peer.priority)
            continue
        port = peer.address.rpartition(":")[2]
        for ip in names.get(name, ()):
            host = f"[{ip}]" if ipaddress.ip_address(ip).version == 6 else ip  # noqa: PLR2004 - IP version 6
            found.setdefault(f"{host}:{port}", peer.priority)
    return list(found.items())
