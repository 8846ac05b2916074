"""The customers, lines and diversions that the black-box tests use; numbers are BNetzA's for fiction."""

import hashlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Registered:
    """A registered line and how its phone logs in."""

    line: str
    user: str
    password: str
    number: str
    """A number that leads to it."""
    target: str
    """Where calls to that number go while it is down."""
    md5_only: bool = False
    """SIPp 3.6 and other old systems stop at a challenge with SHA-256; a line with MD5 alone is offered MD5 alone."""


REALM = "sip.test.invalid"
"""The registrar's realm in the tests."""

TRUNK = Registered("line-trunk", "trunk-a", "secret-of-trunk-a", "+493023125010", "+491713920010")
TRUNK_OWN_NUMBER, TRUNK_OWN_TARGET = "+493023125077", "+491713920077"
"""An extension of the trunk's block with a rule of its own."""
ACCOUNT = Registered("line-account", "phone-b", "secret-of-phone-b", "+496990009001", "+491713920020", md5_only=True)
VOIP = Registered("line-voip", "phone-c", "secret-of-phone-c", "+496990009002", "+491713920021")
CLIENT = Registered("line-client", "phone-d", "secret-of-phone-d", "+496990009003", "+491713920022")
BRIEF = Registered("line-brief", "phone-e", "secret-of-phone-e", "+496990009004", "+491713920023", md5_only=True)
"""A line whose bindings run out; other tests leave theirs behind."""

GATEWAY_LINE, GATEWAY_NUMBER, GATEWAY_TARGET = "line-gateway", "+4940669691", "+491713920030"
"""A static gateway with a block; the number is the base, two digits follow."""

IDLE_LINE = "line-idle"
"""A trunk that never registers; its block is diverted to another block and keeps the extension."""


def idle_pair(extension: str) -> tuple[str, str]:
    """Return a number of the idle trunk's block and its target."""
    return f"+492214710{extension}", f"+498999998{extension}"


UNKNOWN_NUMBER = "+496990009999"


def document(*, gateway: int, host: str = "127.0.0.1") -> dict[str, Any]:
    """Return the load document; the static gateway is expected on port ``gateway``."""
    address = f"[{host}]:{gateway}" if ":" in host else f"{host}:{gateway}"
    return {
        "customers": [
            {
                "id": "4711",
                "name": "Muster GmbH",
                "orders": [
                    {
                        **_order("order-trunk", "sipTrunk 2.0"),
                        "lines": [_line(TRUNK)],
                        "blocks": [{"id": "block-trunk", "base": "+493023125", "extensions": "000-399"}],
                        "diversions": [
                            {"block": "block-trunk", "to": TRUNK.target, "armed": True},
                            {"number": TRUNK_OWN_NUMBER, "to": TRUNK_OWN_TARGET, "armed": True},
                        ],
                    },
                    {
                        **_order("order-idle", "sipTrunk 2.0"),
                        "lines": [{"id": IDLE_LINE, "user": "trunk-idle", "password": "never used"}],
                        "blocks": [{"id": "block-idle", "base": "+492214710", "extensions": "000-399"}],
                        "diversions": [{"block": "block-idle", "to": "+498999998…", "armed": True}],
                    },
                    {
                        **_order("order-gateway", "PMX NGN"),
                        "lines": [{"id": GATEWAY_LINE, "peers": [address]}],
                        "blocks": [{"id": "block-gateway", "base": GATEWAY_NUMBER, "extensions": "00-99"}],
                        "diversions": [{"block": "block-gateway", "to": GATEWAY_TARGET, "armed": True}],
                    },
                    *(_account(phone) for phone in (ACCOUNT, VOIP, CLIENT, BRIEF)),
                ],
            }
        ]
    }


def _order(key: str, product: str) -> dict[str, Any]:
    return {"id": key, "product": product, "site": {"id": f"site-{key}", "address": "Musterstraße 1, Musterstadt"}}


def _line(phone: Registered) -> dict[str, Any]:
    if not phone.md5_only:
        return {"id": phone.line, "user": phone.user, "password": phone.password}
    ha1 = hashlib.md5(f"{phone.user}:{REALM}:{phone.password}".encode(), usedforsecurity=False).hexdigest()
    credentials = [{"username": phone.user, "algorithm": "MD5", "ha1": ha1}]
    return {"id": phone.line, "user": phone.user, "credentials": credentials}


def _account(phone: Registered) -> dict[str, Any]:
    return {
        **_order(f"order-{phone.user}", "sipAccount 2.0"),
        "lines": [_line(phone)],
        "numbers": [phone.number],
        "diversions": [{"to": phone.target, "armed": True}],
    }
