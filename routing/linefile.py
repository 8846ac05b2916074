"""Lines of the load file: passwords become HA1 hashes here, so that nothing further on ever sees one."""

import hashlib
import ipaddress
from collections.abc import Collection
from datetime import datetime

from routing.model import Credential, Line, Peer, Site
from routing.names import name_of
from routing.overrides import FIELDS, ProfileChanges
from routing.products import LineKind, Product
from routing.reader import Group, build, named
from routing.rejection import fault
from routing.states import STATES, state_of

LINE_FIELDS = (
    "id",
    "kind",
    "user",
    "users",
    "password",
    "credentials",
    "peers",
    "registrar",
    "request_uri",
    "profile",
    "profile_changes",
    "site",
    "access",
    "wish",
    "wish_until",
    "wish_note",
)
_CREDENTIAL = ("username", "algorithm", "ha1")
_PEER = ("address", "priority")
_SITE = ("id", "address", "region", "state")
_MAX_PORT = 65_535


def ha1(username: str, realm: str, password: str) -> tuple[Credential, Credential]:
    """Return HA1 = H(username:realm:password) for both algorithms (RFC 7616 §3.4.2, RFC 8760 §2.1)."""
    secret = f"{username}:{realm}:{password}".encode()
    # MD5 is what phones of the field can do; it stands beside SHA-256, which is offered first.
    md5 = hashlib.md5(secret, usedforsecurity=False).hexdigest()
    sha = hashlib.sha256(secret).hexdigest()
    return (
        Credential(username=username, algorithm="MD5", ha1=md5),
        Credential(username=username, algorithm="SHA-256", ha1=sha),
    )


def read_line(
    group: Group,
    order: str,
    held: Product | None,
    realm: str,
    *,
    wish_until: datetime | None = None,
    registrars: Collection[str] = (),
) -> Line | None:
    """Read one line of an order; None if it cannot be read, with the faults in ``group``.

    ``registrars`` are the names of the configuration at which the users of a foreign line may register. A wish that the document
    does not name is not set (``model_fields_set``): a line that is stored keeps what it has.
    """
    before = len(group.faults)
    kind = _kind(group, held)
    users = _texts(group, "user") + _texts(group, "users")
    credentials = _credentials(group, users, realm)
    peers = _peers(group)
    if kind == "static":
        if not group.has("peers"):
            group.say("line_kind", problem="A static line has no peers", remedy="Add the addresses under peers")
        if users:
            group.say("line_kind", problem="A static line does not register", remedy="Remove its users")
    elif group.sound:
        if not (group.has("user") or group.has("users")):
            group.say("line_kind", problem=f"A {kind} line has no user", remedy="Add the user part of its address under user")
        if kind == "foreign":
            _check_foreign(group, registrars)
        elif group.has("registrar"):
            group.say(
                "line_kind", "registrar", problem="A line that registers here has another registrar", remedy="Set kind: foreign"
            )
        if peers and kind == "registered":
            group.say("line_kind", problem="A registered line has no peers", remedy="Remove them, or set kind: static")
    key = group.value("id", str, needed=True)
    line = build(
        Line,
        group,
        id=key,
        order=order,
        kind=kind,
        users=tuple(dict.fromkeys(users)),
        credentials=credentials,
        peers=peers,
        registrar=group.value("registrar", str) if kind == "foreign" else None,
        request_uri=group.value("request_uri", str) or (held.request_uri if held is not None else "number"),
        profile=group.value("profile", str),
        profile_changes=_profile_changes(group),
        site=read_site(group) if group.has("site") else None,
        access=group.value("access", str),
        **_wish(group, wish_until),
    )
    return line if len(group.faults) == before else None


def read_site(group: Group) -> Site | None:
    """Read the site of an order or line; None if it cannot be read, with the faults in ``group``."""
    inner = Group(group.raw("site") or {}, group.at("site"), group.faults, _SITE)
    text = inner.value("state", str)
    state = state_of(text) if text is not None else None
    if text is not None and state is None:
        inner.say("state_unknown", "state", text=text[:40], known=", ".join(f"{code} ({name})" for code, name in STATES.items()))
    return build(
        Site,
        inner,
        id=inner.value("id", str, needed=True),
        address=inner.value("address", str) or "",
        region=inner.value("region", str),
        state=state,
    )


def _check_foreign(group: Group, registrars: Collection[str]) -> None:
    """Its registrar must be known here; it has neither peers nor secrets of its own."""
    name = group.value("registrar", str, needed=True)
    if name is not None and name not in registrars:
        group.say("reference_missing", "registrar", kind="registrar", id=name[:64])
    for field, remedy in (
        ("peers", "Calls go to its registrar's network: remove the peers"),
        ("password", "The phone logs in at its own registrar: remove the password"),
        ("credentials", "The phone logs in at its own registrar: remove the credentials"),
    ):
        if group.has(field):
            group.say("line_kind", field, problem=f"A foreign line has {field}", remedy=remedy)


def _kind(group: Group, held: Product | None) -> LineKind:
    text = group.value("kind", str)
    if text is None and group.has("registrar"):
        text = "foreign"
    if text is None:
        if held is None:
            return "static" if group.has("peers") else "registered"
        # Peers speak for themselves where the product leaves both open.
        wanted: LineKind = "static" if group.has("peers") else "registered"
        said = group.has("peers") or group.has("user") or group.has("users")
        return wanted if said and wanted in held.line_kinds else held.line_kind
    kinds: dict[str, LineKind] = {"registered": "registered", "static": "static", "foreign": "foreign"}
    found = kinds.get(text)
    if found is None:
        group.say("field_value", "kind", text=text[:40], why="a line is registered, static or foreign")
        return "registered"
    if held is not None and found not in held.line_kinds:
        remedy = f"Use kind: {held.line_kind}"
        group.say("line_kind", "kind", problem=f"A line of {held.name} cannot be {found}", remedy=remedy)
        return held.line_kind
    return found


def _wish(group: Group, until: datetime | None) -> dict[str, object]:
    if not group.has("wish"):
        if group.has("wish_until") or group.has("wish_note"):
            group.say("field_missing", "wish", field="wish")
        return {}
    return {
        "wish": group.value("wish", str) or "enabled",
        "wish_until": until,
        "wish_note": group.value("wish_note", str) or "",
    }


def _profile_changes(group: Group) -> dict[str, object] | None:
    if not group.has("profile_changes"):
        return None
    inner = Group(group.raw("profile_changes"), group.at("profile_changes"), group.faults, FIELDS)
    given = {name: inner.raw(name) for name in FIELDS if inner.has(name)}
    changes = build(ProfileChanges, inner, **given)
    return changes.model_dump(exclude_none=True) if changes is not None else None


def _texts(group: Group, field: str) -> list[str]:
    found: list[str] = []
    for place, item in group.one_or_many(field):
        if not isinstance(item, str):
            hint = " by putting it in quotes"
            group.faults.append(fault("field_type", place, found=named(type(item)), wanted=named(str), hint=hint))
        elif not item or len(item) > 128 or any(c.isspace() or c in '@<>"' for c in item):  # noqa: PLR2004 - as Credential
            why = "a user is the part before @, without blanks"
            group.faults.append(fault("field_value", place, text=item[:40], why=why))
        else:
            found.append(item)
    return found


def _credentials(group: Group, users: list[str], realm: str) -> tuple[Credential, ...]:
    found: list[Credential] = []
    password = group.value("password", str)
    if password is not None:
        if not (group.has("user") or group.has("users")):
            group.say("line_kind", "password", problem="There is a password without a user", remedy="Add the user")
        for user in users:
            found += ha1(user, realm, password)
    for place, item in group.items("credentials"):
        inner = Group(item, place, group.faults, _CREDENTIAL)
        fields = {name: inner.value(name, str, needed=True) for name in _CREDENTIAL}
        credential = build(Credential, inner, **fields)
        if credential is not None:
            found.append(credential)
    return tuple(found)


def _peers(group: Group) -> tuple[Peer, ...]:
    found: list[Peer] = []
    for rank, (place, item) in enumerate(group.items("peers"), start=1):
        # A plain list means: the first is the primary, the others are backups in their order.
        inner = Group({"address": item} if isinstance(item, str) else item, place, group.faults, _PEER)
        address = inner.value("address", str, needed=True)
        if address is None:
            continue
        if not is_address(address) and name_of(address) is None:
            why = "an address has an IP address or a name, and a port, such as 192.0.2.1:5060 or pbx.example.net:5060"
            inner.say("field_value", "address", text=address[:60], why=why)
            continue
        peer = build(Peer, inner, address=address, priority=inner.value("priority", int) or rank)
        if peer is not None:
            found.append(peer)
    return tuple(found)


def is_address(text: str) -> bool:
    """Return whether it is an IP address and a port."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT):
        return False
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        found = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        return False
    return bracketed == (found.version == 6)  # noqa: PLR2004 - IP version 6
