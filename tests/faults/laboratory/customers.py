"""The customers of the laboratory: their lines, numbers and diversions. Every system under test is given the same.

Numbers of single lines are from the ranges kept for fiction; those of the fleet are synthetic, in namespaces only.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.laboratory import plan

REALM = "sip.laboratory.invalid"
TRUNK, GATEWAY, PAIR = "line-trunk", "line-gateway", "line-pair"
GATEWAY_NAME = "gateway.customer.invalid"
TRUNK_USER, TRUNK_PASSWORD = "trunk-a", "secret-of-trunk-a"
REGION = "access-node-1"
_FLEET = "+49302100"


@dataclass(frozen=True, slots=True)
class Customer:
    """A line, how it is reached, its numbers, and where its calls go while it is down."""

    line: str
    product: str
    base: str
    """Its block: the base with so many `digits` behind."""
    target: str
    peers: tuple[str, ...] = ()
    """Static peers in order of preference; none: it registers."""
    user: str = ""
    password: str = ""
    digits: int = 2
    access: str = ""
    """The node of the access network that it hangs on, where that is known."""
    request_uri: str = ""
    """What it wants in the Request-URI; "" as the product has it."""

    def numbers(self) -> list[str]:
        """Return its numbers."""
        return [f"{self.base}{n:0{self.digits}}" for n in range(10**self.digits)]


def trunk(request_uri: str = "") -> Customer:
    """The phone system behind the router, which registers."""
    return Customer(
        TRUNK,
        "sipTrunk 2.0",
        "+49302312501",
        "+491713920010",
        user=TRUNK_USER,
        password=TRUNK_PASSWORD,
        digits=1,
        request_uri=request_uri,
    )


def gateway(host: str = plan.SECOND) -> Customer:
    """A static gateway with a public address, known by it or by a name."""
    return Customer(GATEWAY, "PMX NGN", "+4940669691", "+491713920030", peers=(f"{host}:{plan.SIP_PORT}",))


def pair() -> Customer:
    """Two static peers: the primary one behind the router (which leads port 5060 to it), the backup at the second site."""
    peers = (f"{plan.ROUTER}:{plan.SIP_PORT}", f"{plan.SECOND}:{plan.SIP_PORT}")
    return Customer(PAIR, "sipTrunk 2.0 Pro", "+4940669692", "+491713920040", peers=peers)


def fleet(count: int, region: int = 0) -> list[Customer]:
    """Lines of customers that share nothing, one static phone each; the first ``region`` of them hang on one access node."""
    return [
        Customer(
            f"line-f{index:05}",
            "PMX NGN",
            f"{_FLEET}{index:04}",
            "+491713920050",
            peers=(f"{plan.fleet_address(index)}:{plan.SIP_PORT}",),
            digits=1,
            access=REGION if index < region else "",
        )
        for index in range(count)
    ]


def document(customers: Sequence[Customer]) -> dict[str, Any]:
    """Return the load document of sipproxy."""
    return {
        "customers": [
            {
                "id": f"customer-{customer.line}",
                "name": f"Customer of {customer.line}",
                "orders": [
                    {
                        "id": f"order-{customer.line}",
                        "product": customer.product,
                        "site": {"id": f"site-{customer.line}", "address": f"Teststraße {number}, Musterstadt"},
                        "lines": [_line(customer)],
                        **_numbers(customer),
                    }
                ],
            }
            for number, customer in enumerate(customers, 1)
        ]
    }


def _line(customer: Customer) -> dict[str, Any]:
    if customer.peers:
        return {"id": customer.line, "peers": list(customer.peers), **({"access": customer.access} if customer.access else {})}
    wanted = {"request_uri": customer.request_uri} if customer.request_uri else {}
    # Old phones, baresip 1.0 among them, stop at a challenge with SHA-256; a line that has MD5 alone is offered MD5 alone.
    secret = f"{customer.user}:{REALM}:{customer.password}".encode()
    ha1 = hashlib.md5(secret, usedforsecurity=False).hexdigest()
    credentials = [{"username": customer.user, "algorithm": "MD5", "ha1": ha1}]
    return {"id": customer.line, "user": customer.user, "credentials": credentials, **wanted}


def _numbers(customer: Customer) -> dict[str, Any]:
    block = f"block-{customer.line}"
    extensions = f"{0:0{customer.digits}}-{10**customer.digits - 1}"
    return {
        "blocks": [{"id": block, "base": customer.base, "extensions": extensions}],
        "diversions": [{"block": block, "to": customer.target, "armed": True}],
    }
