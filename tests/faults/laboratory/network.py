"""The laboratory's network: core, our proxy, the provider's edge, the impairment box, and customers behind it.

::

    core ── us ── edge ══ line ═══ router ── pbx       the customer: NAT, a phone system behind it
                       ══ second ═ second              the customer's other site, a static peer with a public address
                       ══ fleet ══ fleet               thousands of phones, each with an address of its own

Double lines are the wires that `impairment.Box` degrades. Our uplink (us ── edge) carries lines only: the core stays in reach when
it is cut. Neighbours on public wires are fixed, as on a point-to-point line: a cut wire is silent for ever, and the only
ICMP errors are those that a fault or a kernel on the way really means.
"""

import itertools
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.laboratory import impairment, namespaces, plan
from tests.faults.laboratory.actors import Actors
from tests.faults.laboratory.clock import Clock
from tests.faults.laboratory.names import NameServer
from tests.faults.laboratory.namespaces import LaboratoryError, Namespace
from tests.faults.laboratory.router import Router

WIRES = ("line", "second", "fleet")
_LINKS_S = 10.0
_serials = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The hosts and routers."""

    core: Namespace
    us: Namespace
    edge: Namespace
    box: Namespace
    router: Namespace
    pbx: Namespace
    second: Namespace
    fleet: Namespace


class Laboratory:
    """A network of its own while the block lasts. Several can stand side by side, in one process or in many.

    ``seed`` decides what the box does to each packet. ``forwarding``: the router leads port 5060 to the phone system (a static
    peer behind NAT). ``nat_timeout_s``: how long the router remembers a flow without packets.
    """

    def __init__(self, *, seed: int, forwarding: bool = True, nat_timeout_s: int = 60) -> None:
        self.seed = seed
        self._forwarding, self._nat_timeout_s = forwarding, nat_timeout_s
        self.actors = Actors()
        self._unreachable: set[str] = set()
        self.prefix = namespaces.prefix(next(_serials))
        self.namespaces: Namespaces
        self.box: impairment.Box
        self.router: Router
        self.names: NameServer
        self.clock: Clock
        """The wall clock of processes that were started with ``clock.environment()``."""
        self.folder: Path
        """A folder for files of this laboratory; gone with it. Its name is short enough for unix sockets."""

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise LaboratoryError("the laboratory needs root: network namespaces, raw sockets")
        namespaces.remove_leftovers()
        self.folder = Path(tempfile.mkdtemp(prefix="faults-"))
        try:
            made = {label: namespaces.make(f"{self.prefix}-{label}", label) for label in Namespaces.__slots__}
            self.namespaces = Namespaces(**made)
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Kill what runs in the laboratory and remove it."""
        if hasattr(self, "box"):
            self.box.close()
        if hasattr(self, "names"):
            self.names.stop()
        namespaces.remove([f"{self.prefix}-{label}" for label in Namespaces.__slots__])
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- our own uplink ----------------------------------------------------------------------------------------------------

    def uplink(self, *, up: bool) -> None:
        """Plug or unplug our card towards the lines, as our own kernel sees it: without it there is no route to any line."""
        if up:
            self.namespaces.us.ip("link set uplink up", *_US_ROUTES)
        else:
            self.namespaces.us.ip("link set uplink down")

    def uplink_silent(self, *, silent: bool) -> None:
        """Lose everything between us and the lines beyond our card: our kernel sees nothing wrong."""
        _drop_all(self.namespaces.edge, "uplink", drop=silent)

    def edge_unreachable(self, address: str, *, unreachable: bool) -> None:
        """Let the edge answer packets for ``address`` with ICMP host unreachable, as it does for a line without a session."""
        if unreachable != (address in self._unreachable):
            self.namespaces.edge.ip(f"route {'add' if unreachable else 'delete'} unreachable {address}/32")
            self._unreachable ^= {address}

    def lose_at_lan(self, *, lose: bool) -> None:
        """Lose everything between the router and the phone system without a word."""
        _drop_all(self.namespaces.router, "lan", drop=lose)

    def lan(self, *, up: bool) -> None:
        """Plug or unplug the phone system's cable. The router finds no neighbour then and says host unreachable after 3 s."""
        self.namespaces.pbx.ip(f"link set lan {'up' if up else 'down'}", *(_PBX_ROUTES if up else ()))

    # ---- building ------------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        spaces = self.namespaces
        _wire(spaces.core, "us", spaces.us, "core")
        _wire(spaces.us, "uplink", spaces.edge, "uplink")
        _wire(spaces.router, "lan", spaces.pbx, "lan")
        customers = {"line": (spaces.router, "wan"), "second": (spaces.second, "wan"), "fleet": (spaces.fleet, "wan")}
        for number, (wire, (customer, port)) in enumerate(customers.items(), 1):
            _wire(spaces.edge, wire, spaces.box, f"{wire}-edge")
            _wire(spaces.box, f"{wire}-far", customer, port)
            spaces.edge.ip(f"link set {wire} address {_link_address(number, 1)}", f"link set {wire} up")
            customer.ip(f"link set {port} address {_link_address(number, 2)}", f"link set {port} up")
            spaces.edge.without_offloads(wire)
            customer.without_offloads(port)
            spaces.box.ip(f"link set {wire}-edge up", f"link set {wire}-far up")
        spaces.us.ip(f"link set uplink address {_link_address(0, 1)}")
        spaces.edge.ip(f"link set uplink address {_link_address(0, 2)}")
        self._address()
        self._await_links()
        for space in (spaces.edge, spaces.router):
            space.set("ipv4.ip_forward", 1)
        self.router = Router(spaces.router, forwarding=self._forwarding, timeout_s=self._nat_timeout_s)
        self.router.begin()
        self.names = NameServer(spaces.core, self.folder)
        self.clock = Clock(self.folder)
        self.box = impairment.Box(spaces.box, {w: (f"{w}-edge", f"{w}-far") for w in WIRES}, self.seed)

    def _await_links(self) -> None:
        deadline = time.monotonic() + _LINKS_S
        for space in (getattr(self.namespaces, label) for label in Namespaces.__slots__):
            while not space.all_up():
                if time.monotonic() > deadline:
                    raise LaboratoryError(f"the links of {space.name} do not come up")
                time.sleep(0.02)

    def _address(self) -> None:
        spaces = self.namespaces
        spaces.core.ip(
            f"address add {plan.CORE}/28 dev us",
            f"address add {plan.NAME_SERVER}/28 dev us",
            "link set us up",
        )
        spaces.us.ip(
            f"address add {plan.PROXY}/32 dev lo",
            f"address add {plan.US_AT_CORE}/28 dev core",
            f"address add {plan.US_AT_EDGE}/30 dev uplink",
            "link set core up",
            "link set uplink up",
            *_US_ROUTES,
        )
        spaces.core.ip(f"route add {plan.PROXY}/32 via {plan.US_AT_CORE}")
        spaces.edge.ip(
            f"address add {plan.EDGE}/30 dev uplink",
            f"address add {plan.EDGE_AT_LINE}/24 dev line",
            f"address add {plan.EDGE_AT_SECOND}/25 dev second",
            f"address add {plan.EDGE_AT_FLEET}/25 dev fleet",
            "link set uplink up",
            f"route add {plan.PROXY}/32 via {plan.US_AT_EDGE}",
            f"neighbour add {plan.US_AT_EDGE} lladdr {_link_address(0, 1)} dev uplink",
            f"route add {plan.FLEET_NET} via {plan.FLEET_GATEWAY}",
            *(f"neighbour add {router} lladdr {_link_address(1, 2)} dev line" for router in (plan.ROUTER, plan.ROUTER_RENEWED)),
            f"neighbour add {plan.SECOND} lladdr {_link_address(2, 2)} dev second",
            f"neighbour add {plan.FLEET_GATEWAY} lladdr {_link_address(3, 2)} dev fleet",
        )
        spaces.router.ip(
            f"address add {plan.ROUTER}/24 dev wan",
            f"address add {plan.ROUTER_AT_LAN}/24 dev lan",
            "link set lan up",
            f"route add default via {plan.EDGE_AT_LINE}",
            f"neighbour add {plan.EDGE_AT_LINE} lladdr {_link_address(1, 1)} dev wan",
        )
        spaces.pbx.ip(f"address add {plan.PBX}/24 dev lan", "link set lan up", *_PBX_ROUTES)
        spaces.second.ip(
            f"address add {plan.SECOND}/25 dev wan",
            f"route add default via {plan.EDGE_AT_SECOND}",
            f"neighbour add {plan.EDGE_AT_SECOND} lladdr {_link_address(2, 1)} dev wan",
        )
        spaces.fleet.ip(
            f"address add {plan.FLEET_GATEWAY}/25 dev wan",
            f"route add local {plan.FLEET_NET} dev lo",
            f"route add default via {plan.EDGE_AT_FLEET}",
            f"neighbour add {plan.EDGE_AT_FLEET} lladdr {_link_address(3, 1)} dev wan",
        )


_US_ROUTES = (
    f"route replace default via {plan.EDGE} src {plan.PROXY}",
    f"neighbour replace {plan.EDGE} lladdr 02:00:00:00:00:02 dev uplink nud permanent",
)
_PBX_ROUTES = (f"route replace default via {plan.ROUTER_AT_LAN}",)


def _link_address(wire: int, end: int) -> str:
    return f"02:00:00:00:{wire:02x}:{end:02x}"


def _wire(one: Namespace, port: str, other: Namespace, other_port: str) -> None:
    words = f"link add {port} netns {one.name} type veth peer name {other_port} netns {other.name}"
    namespaces.command([namespaces.program("ip", "iproute2"), *words.split()])


def _drop_all(namespace: Namespace, port: str, *, drop: bool) -> None:
    """Lose what comes in from and goes out to ``port``, before any other rule sees it."""
    table = f"table netdev cut-{port}"
    if not drop:
        namespace.nft(f"delete {table}\n")
        return
    hooks = (f'chain {way} {{ type filter hook {way} device "{port}" priority -500; drop; }}' for way in ("ingress", "egress"))
    namespace.nft(f"{table} {{\n" + "\n".join(hooks) + "\n}\n")
