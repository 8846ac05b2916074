"""Who takes part: a phone system on a sipTrunk, a phone on a sipAccount, a gateway with fixed address, and the caller."""

from dataclasses import dataclass

from sipproxy.demo.ladder import Ladder
from sipproxy.demo.ua import Address, Caller, Phone

TRUNK, ACCOUNT, GATEWAY = "demo-trunk", "demo-account", "demo-gateway"
LINES = (TRUNK, ACCOUNT, GATEWAY)

# BNetzA's numbers for fiction.
BLOCK_BASE, TARGET_BASE = "+4930231250", "+4969900090"  # extensions 00…99
EXTENSION_CALLED = "+493023125010"
EXTENSION_RESCUED, RESCUED_TARGET = "+493023125011", "+496990009011"
EXTENSION_DIVERTED, DIVERTED_TARGET = "+493023125012", "+496990009012"
OWN_NUMBER, OWN_TARGET = "+493023125020", "+491713920010"
ACCOUNT_NUMBER = "+494066969100"
GATEWAY_NUMBER = "+4989999980010"


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
