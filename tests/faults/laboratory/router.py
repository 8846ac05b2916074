"""The customer's router: NAT by nftables, a stealthy front, and what a reboot does to it."""

import socket
import struct

from tests.faults.laboratory import plan
from tests.faults.laboratory.namespaces import LaboratoryError, Namespace

_PORTS = ((20_000, 29_999), (30_000, 39_999))
"""Ports of NAT, in turn: after a reboot no flow keeps its port."""
_NETLINK_NETFILTER = 12
_DELETE_FLOWS = (1 << 8) | 2
_REQUEST_AND_ACKNOWLEDGE = 1 | 4
_ERROR = 2


class Router:
    """Changes what the router does; the network is there already."""

    def __init__(self, namespace: Namespace, *, forwarding: bool, timeout_s: int) -> None:
        self._namespace, self._forwarding, self._timeout_s = namespace, forwarding, timeout_s
        self._reboots = 0
        self.address = plan.ROUTER
        """The public address now."""

    def begin(self) -> None:
        """Load the rules."""
        self._namespace.nft(self._rules())
        for kind in ("", "_stream"):
            self._namespace.set(f"netfilter.nf_conntrack_udp_timeout{kind}", self._timeout_s)

    def dead(self, *, dead: bool) -> None:
        """Switch the power off or on; the flows are forgotten, the address stays."""
        if dead:
            hooks = ("prerouting", "output")
            chains = "\n".join(f"chain {hook} {{ type filter hook {hook} priority -500; drop; }}" for hook in hooks)
            self._namespace.nft(f"table ip off {{\n{chains}\n}}\n")
        else:
            self._namespace.nft("delete table ip off\n")
        self.forget_flows()

    def renew(self) -> None:
        """Take another public address and other ports for all flows, as after a reboot on a line with changing addresses."""
        self._reboots += 1
        before, self.address = self.address, (plan.ROUTER, plan.ROUTER_RENEWED)[self._reboots % 2]
        self._namespace.ip(
            f"address delete {before}/24 dev wan",
            f"address add {self.address}/24 dev wan",
            f"route replace default via {plan.EDGE_AT_LINE}",
            f"neighbour replace {plan.EDGE_AT_LINE} lladdr 02:00:00:00:01:01 dev wan nud permanent",
        )
        self._namespace.nft("delete table ip nat\ndelete table ip front\n" + self._rules())
        self.forget_flows()

    def forget_flows(self) -> None:
        """Empty the table of flows: what was open is not known any more."""
        request = struct.pack("=IHHIIBBH", 20, _DELETE_FLOWS, _REQUEST_AND_ACKNOWLEDGE, 1, 0, 0, 0, 0)
        with self._namespace.inside(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
            netlink.settimeout(5)
            netlink.send(request)
            kind, error = struct.unpack_from("=4xH10xi", netlink.recv(4096))
        if kind != _ERROR or error:
            raise LaboratoryError(f"the router's flows could not be forgotten: netlink says {error}")

    def _rules(self) -> str:
        low, high = _PORTS[self._reboots % 2]
        lead_in = f"iifname wan udp dport {plan.SIP_PORT} dnat to {plan.PBX}:{plan.SIP_PORT}" if self._forwarding else ""
        keep = f"oifname wan ip saddr {plan.PBX} udp sport {plan.SIP_PORT} snat to {self.address}:{plan.SIP_PORT}"
        return f"""
table ip nat {{
  chain pre {{ type nat hook prerouting priority dstnat;
    {lead_in}
  }}
  chain post {{ type nat hook postrouting priority srcnat;
    {keep if self._forwarding else ""}
    oifname wan meta l4proto udp snat to {self.address}:{low}-{high}
    oifname wan snat to {self.address}
  }}
}}
table ip front {{
  chain input {{ type filter hook input priority filter;
    iifname wan ct state established,related accept
    iifname wan meta l4proto icmp accept
    iifname wan drop
  }}
}}
"""
