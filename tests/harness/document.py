"""The customers, lines and diversions that the black-box tests use; numbers are BNetzA's for fiction."""

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


TRUNK = Registered("line-trunk", "trunk-a", "secret of trunk a", "+493023125010", "+491713920010")
TRUNK_OWN_NUMBER, TRUNK_OWN_TARGET = "+493023125077", "+491713920077"
"""An extension of the trunk's block with a rule of its own."""
ACCOUNT = Registered("line-account", "phone-b", "secret of phone b", "+496990009001", "+491713920020")
VOIP = Registered("line-voip", "phone-c", "secret of phone c", "+496990009002", "+491713920021")
CLIENT = Registered("line-client", "phone-d", "secret of phone d", "+496990009003", "+491713920022")

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
                        **_order("order-trunk", "sipTrunk 2.0", "site-a"),
                        "lines": [_line(TRUNK)],
                        "blocks": [_block("block-trunk", TRUNK.line, "+493023125", "000", "399")],
                        "diversions": [
                            _rule("rule-trunk", {"kind": "block", "block": "block-trunk"}, TRUNK.target),
                            _rule("rule-trunk-own", {"kind": "number", "number": TRUNK_OWN_NUMBER}, TRUNK_OWN_TARGET),
                        ],
                    },
                    {
                        **_order("order-idle", "sipTrunk 2.0", "site-b"),
                        "lines": [{"id": IDLE_LINE, "kind": "registered", "users": ["trunk-idle"]}],
                        "blocks": [_block("block-idle", IDLE_LINE, "+492214710", "000", "399")],
                        "diversions": [
                            _rule("rule-idle", {"kind": "block", "block": "block-idle"}, "+498999998", keep_extension=True)
                        ],
                    },
                    {
                        **_order("order-gateway", "PMX NGN", "site-c"),
                        "lines": [{"id": GATEWAY_LINE, "kind": "static", "peers": [{"address": address}]}],
                        "blocks": [_block("block-gateway", GATEWAY_LINE, GATEWAY_NUMBER, "00", "99")],
                        "diversions": [_rule("rule-gateway", {"kind": "block", "block": "block-gateway"}, GATEWAY_TARGET)],
                    },
                    *(_account(phone) for phone in (ACCOUNT, VOIP, CLIENT)),
                ],
            }
        ]
    }


def _order(key: str, product: str, site: str) -> dict[str, Any]:
    return {"id": key, "product": product, "site": {"id": site, "address": "Musterstraße 1, 12345 Musterstadt"}}


def _line(phone: Registered) -> dict[str, Any]:
    credentials = [{"username": phone.user, "password": phone.password}]
    return {"id": phone.line, "kind": "registered", "users": [phone.user], "credentials": credentials}


def _block(key: str, line: str, base: str, first: str, last: str) -> dict[str, Any]:
    return {"id": key, "line": line, "base": base, "ranges": [{"first": first, "last": last}]}


def _rule(key: str, scope: dict[str, str], target: str, *, keep_extension: bool = False) -> dict[str, Any]:
    return {"id": key, "scope": scope, "armed": True, "targets": [{"number": target, "keep_extension": keep_extension}]}


def _account(phone: Registered) -> dict[str, Any]:
    key = phone.user
    return {
        **_order(f"order-{key}", "sipAccount 2.0", f"site-{key}"),
        "lines": [_line(phone)],
        "numbers": [{"id": f"number-{key}", "line": phone.line, "number": phone.number}],
        "diversions": [_rule(f"rule-{key}", {"kind": "number", "number": phone.number}, phone.target)],
    }
