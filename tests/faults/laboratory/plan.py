"""Addresses of the laboratory: documentation ranges in public, 10/8 behind NAT and for the fleet."""

from typing import Final

PROXY: Final = "192.0.2.1"
"""Ours, the same for the core and for the lines."""
SIP_PORT: Final = 5060

CORE: Final = "192.0.2.18"
CORE_NET: Final = "192.0.2.16/28"
"""Core peers are trusted by this network."""
US_AT_CORE: Final = "192.0.2.17"
NAME_SERVER: Final = "192.0.2.20"

US_AT_EDGE: Final = "192.0.2.65"
EDGE: Final = "192.0.2.66"
"""The provider's edge router; its ICMP errors come from here."""

EDGE_AT_LINE: Final = "198.51.100.1"
ROUTER: Final = "198.51.100.2"
"""The customer's public address at first."""
ROUTER_RENEWED: Final = "198.51.100.3"
"""The one after a reboot of the router."""
LINE_NET: Final = "198.51.100.0/24"

ROUTER_AT_LAN: Final = "10.1.0.1"
PBX: Final = "10.1.0.10"
"""The phone system, behind NAT."""

EDGE_AT_SECOND: Final = "203.0.113.1"
SECOND: Final = "203.0.113.2"
"""The customer's second site, with a public address of its own and without NAT."""

EDGE_AT_FLEET: Final = "203.0.113.129"
FLEET_GATEWAY: Final = "203.0.113.130"
FLEET_NET: Final = "10.64.0.0/16"
"""Every address of it can be bound in the namespace ``fleet``, without being assigned."""


def fleet_address(index: int) -> str:
    """Return the address of phone ``index`` (from 0, up to 65,000) of the fleet."""
    if not 0 <= index < 65_000:
        raise ValueError(f"the fleet has 65,000 addresses, there is no number {index}")
    index += 256
    return f"10.64.{index >> 8}.{index & 255}"
