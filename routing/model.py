"""The entities of the domain, as they are stored: customer, user, order, line, number, block, diversion.

An *order* is one product at one site. A *line* is the SIP side of it, where calls are delivered. A *diversion* says where
calls go while the line is down; *armed* means the customer switched it on, which is not the same as diverting now.
Numbers are canonical E.164 with ``+`` (`routing.numbers`); extensions are digit strings, so ``"01"`` and ``"1"`` differ.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from routing.local_time import Instant

EntityId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{2,14}$")]
GroupName = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]([^\x00-\x1f]{0,62}[^\s\x00-\x1f])?$")]
Extension = Annotated[str, Field(pattern=r"^[0-9]{0,8}$")]
ProfileValue = bool | int | float | str | tuple[int, ...]
PlanName = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]([^\x00-\x1f]{0,38}[^\s\x00-\x1f])?$")]
LocalTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
"""Time of day on the wall clock in Germany; ``24:00`` is the end of the day."""

Allowance = Literal["international", "shared_cost"]
"""A class of targets that is barred unless the customer has it."""
Role = Literal["owner", "editor", "viewer", "operator", "auditor"]
"""owner, editor, viewer: of one customer; operator (staff, may change) and auditor (staff, may read): of the carrier."""
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
State = Literal["BW", "BY", "BE", "BB", "HB", "HH", "HE", "MV", "NI", "NW", "RP", "SL", "SN", "ST", "SH", "TH"]
"""A German state (ISO 3166-2:DE), by which public holidays differ."""


class Entity(BaseModel):
    """Common to all stored entities: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: EntityId


class Limits(BaseModel):
    """What a customer may do at most; None: what the product says (`routing.products`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules_per_line: int | None = Field(default=None, ge=1, le=100_000)
    changes_per_hour: int | None = Field(default=None, ge=1, le=100_000)
    diverted_per_hour: int | None = Field(default=None, ge=1, le=10_000_000)
    """Calls of one order that are diverted in an hour; above it its rules rest (a brake against fraud)."""
    diverted_per_day: int | None = Field(default=None, ge=1, le=10_000_000)


class Customer(Entity):
    """A business customer; ``id`` is the customer number."""

    name: str = Field(min_length=1, max_length=200)
    allowances: tuple[Allowance, ...] = ()
    limits: Limits = Limits()


class User(Entity):
    """Somebody who may look at or change rules; ``id`` stays, also when the user name changes."""

    name: str = Field(min_length=1, max_length=200)
    role: Role
    customer: EntityId | None = None
    """None for the carrier's own staff."""
    orders: tuple[EntityId, ...] = ()
    """Of the customer's orders only these; empty: all."""
    locked: bool = False


class Site(BaseModel):
    """Where an order's equipment stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: EntityId
    address: str = Field(max_length=300)
    region: GroupName | None = None
    """What fails together beyond the site: an exchange area, a town, a ring of the access network."""
    state: State | None = None
    """Whose public holidays count; None: those that all states have."""


class Order(Entity):
    """One product at one site."""

    customer: EntityId
    product: str
    site: Site
    data_line: str | None = None
    bandwidth: str | None = None
    active_from: Instant | None = None
    """Day of porting or new provision: from here on, calls are routed."""
    active_until: Instant | None = None
    """Calls are routed until before this time."""
    plan: PlanName | None = None
    """The plan that is on: of rules with a plan only those of this one count."""


class Credential(BaseModel):
    """Digest secret of a line as HA1 = H(user:realm:password), RFC 7616 §3.4.2; the password itself is never stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str = Field(min_length=1, max_length=128)
    algorithm: Literal["MD5", "SHA-256"]
    ha1: Annotated[str, Field(pattern=r"^([0-9a-f]{32}|[0-9a-f]{64})$", repr=False)]


class Peer(BaseModel):
    """A static peer; the lowest priority number is tried first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    priority: int = Field(default=1, ge=1, le=100)


Wish = Literal["enabled", "drained", "forced_down", "forced_up", "drill"]
"""What the operator wants of a line, beside what is observed of it."""


class Line(Entity):
    """Where calls are delivered: a registered address-of-record, static peers, or the network of somebody else's registrar."""

    order: EntityId
    kind: Literal["registered", "static", "foreign"]
    users: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()
    peers: tuple[Peer, ...] = ()
    registrar: str | None = None
    """Of a foreign line: the registrar of the configuration at which its users register."""
    request_uri: Literal["contact", "number"] = "number"
    profile: str | None = None
    profile_changes: dict[str, ProfileValue] = Field(default_factory=dict)
    """What this line has other than its profile; the profile's field names (`routing.overrides`)."""
    site: Site | None = None
    """Where this line's equipment stands, if not at the order's site."""
    access: GroupName | None = None
    """Node of the access network (DSLAM, OLT, edge router) that it hangs on."""
    wish: Wish = "enabled"
    wish_until: Instant | None = None
    """From here on the wish is over and the line is enabled (`routing.wishes.effective_wish`); None: it stands."""
    wish_by: str = Field(default="", max_length=64)
    """Who wished it, as the admin socket knows him."""
    wish_note: str = Field(default="", max_length=500)


class ExtensionRange(BaseModel):
    """Extensions ``first``…``last`` of equal length, both included; ``"10"``…``"99"``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: Extension
    last: Extension


class Move(BaseModel):
    """From the instant ``at`` on, a number or block belongs to another order and is delivered on a line of that one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Instant
    order: EntityId
    line: EntityId


class Block(Entity):
    """A number block: base and the extensions behind it. No range means every extension, of any length."""

    order: EntityId
    line: EntityId
    base: E164
    ranges: tuple[ExtensionRange, ...] = ()
    active_from: Instant | None = None
    """Ported in at this instant; None: with its order."""
    active_until: Instant | None = None
    """Ported out at this instant; None: with its order."""
    move: Move | None = None


class Number(Entity):
    """A single number (MSN)."""

    order: EntityId
    line: EntityId
    number: E164
    active_from: Instant | None = None
    """Ported in at this instant; None: with its order."""
    active_until: Instant | None = None
    """Ported out at this instant; None: with its order."""
    move: Move | None = None


class Target(BaseModel):
    """Where a diverted call goes: one number, or a base that keeps the called extension."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: E164
    keep_extension: bool = False
    ring_s: int | None = Field(default=None, ge=5, le=180)
    """How long it rings before the next target is called, where we forward the call ourselves. Whoever follows a 302 decides
    that for himself: there only the order of the targets counts."""


class NumberScope(BaseModel):
    """The rule is for one number, single or an extension of a block."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["number"] = "number"
    number: E164


class RangeScope(BaseModel):
    """The rule is for some extensions of a block."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["range"] = "range"
    block: EntityId
    first: Extension
    last: Extension


class BlockScope(BaseModel):
    """The rule is for a whole block."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["block"] = "block"
    block: EntityId


class OrderScope(BaseModel):
    """The rule is for all numbers of the order that have none of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["order"] = "order"


Scope = Annotated[NumberScope | RangeScope | BlockScope | OrderScope, Field(discriminator="kind")]


Targets = Annotated[tuple[Target, ...], Field(max_length=10)]


class Period(BaseModel):
    """Times at which a rule has other targets: all that is said must hold. Wall clock of Europe/Berlin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="", max_length=80)
    first: date | None = None
    """The first day; with ``last`` the holidays of a company, a fair, one single day."""
    last: date | None = None
    """The last day, included."""
    days: tuple[Weekday, ...] = ()
    """Empty: every day."""
    start: LocalTime = "00:00"
    end: LocalTime = "24:00"
    """Not above ``start``: of the following day; day and holiday are those of the start."""
    holidays: Literal["any", "only", "except"] = "any"
    """Whether it holds on public holidays of the site's state: as on other days, on them only, not on them."""
    targets: Targets = ()
    """Empty: nothing is diverted in these times; with targets for the phone system those of the rule count for other faults."""
    phone_system_targets: Targets = ()


class Diversion(Entity):
    """Where calls go while the line is down."""

    order: EntityId
    scope: Scope
    armed: bool = False
    targets: Targets = Field(min_length=1)
    phone_system_targets: Targets = ()
    """Instead of ``targets`` when only the phone system is out and the site itself is reached; empty: ``targets`` too."""
    periods: tuple[Period, ...] = Field(default=(), max_length=20)
    """The first that holds at the time of the call has the say, else ``targets``."""
    plan: PlanName | None = None
    """It counts only while the order has this plan on; None: always."""
    note: str = Field(default="", max_length=500)


KINDS: dict[str, type[Entity]] = {
    "customer": Customer,
    "user": User,
    "order": Order,
    "line": Line,
    "block": Block,
    "number": Number,
    "diversion": Diversion,
}
"""Entity kinds by the name they have in the store, in the order in which they refer to each other."""
