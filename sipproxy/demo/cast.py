"""Who takes part: a phone system on a sipTrunk, a phone on a sipAccount, a gateway with fixed address, and the caller."""

from dataclasses import dataclass

from sipproxy.demo.ladder import Ladder
from sipproxy.demo.ua import Address, Caller, Phone

TRUNK, ACCOUNT, GATEWAY = "demo-trunk", "demo-account", "demo-gateway"
LINES = (TRUNK, ACCOUNT, GATEWAY)

# BNetzA's numbers for fiction.
EXTENSION_CALLED = "+493023125010"
EXTENSION_RESCUED, RESCUED_TARGET = "+493023125011", "+496990009011"
EXTENSION_DIVERTED, DIVERTED_TARGET = "+493023125012", "+496990009012"
OWN_NUMBER, OWN_TARGET = "+493023125020", "+491713920010"
ACCOUNT_NUMBER = "+494066969100"
GATEWAY_NUMBER = "+498999998010"

_DOCUMENT = """\
# Customers, orders, lines, numbers and diversions of the demo.
customers:
  - id: "100001"
    name: Bakery (demo)
    orders:
      - id: demo-1
        product: sipTrunk 2.0
        site: {{id: berlin, address: "Musterstraße 1, Berlin"}}
        data_line: VDSL 50
        lines:
          - id: demo-trunk
            user: demo-trunk
            password: trunk-password
        blocks:
          - id: demo-block
            base: "+49 30 23125 0"
            extensions: "00-99"
        diversions:
          - block: demo-block
            to: "+49 69 90009 0…"
            armed: true
          - number: "+49 30 23125 020"
            to: "+491713920010"
            armed: true
  - id: "100002"
    name: Surgery (demo)
    orders:
      - id: demo-2
        product: sipAccount 2.0
        site: {{id: hamburg, address: "Musterweg 2, Hamburg"}}
        lines:
          - id: demo-account
            user: demo-account
            password: account-password
        numbers: ["+494066969100"]
        diversions:
          - to: "0176 04069010"
            armed: true
  - id: "100003"
    name: Town hall (demo)
    orders:
      - id: demo-3
        product: PMX NGN
        site: {{id: munich, address: "Musterplatz 3, München"}}
        lines:
          - id: demo-gateway
            peers: ["{gateway}"]
        blocks:
          - id: demo-pmx
            base: "+49 89 99998 0"
            extensions: "00-99"
        diversions:
          - block: demo-pmx
            to: "+49 221 4710 000"
            armed: true
"""


def document(gateway: Address) -> str:
    """Return the load file of the demo; the gateway stands at a fixed address."""
    return _DOCUMENT.format(gateway=f"{gateway[0]}:{gateway[1]}")


@dataclass(slots=True)
class Cast:
    """The agents, each with its socket."""

    caller: Caller
    pbx: Phone
    phone: Phone
    gateway: Phone

    def close(self) -> None:
        """Close all sockets."""
        for agent in (self.caller, self.pbx, self.phone, self.gateway):
            agent.close()


async def enter(proxy: Address, ladder: Ladder) -> Cast:
    """Open the sockets of all agents."""
    cast = Cast(
        Caller(proxy, ladder.observer("left")),
        Phone(proxy, "demo-trunk", "trunk-password", ladder.observer("right")),
        Phone(proxy, "demo-account", "account-password", ladder.observer("right")),
        Phone(proxy, "gateway", "", ladder.observer("right")),
    )
    for agent in (cast.caller, cast.pbx, cast.phone, cast.gateway):
        await agent.open()
    return cast
