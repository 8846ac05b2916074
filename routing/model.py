"""The entities of the domain, as they are stored: customer, order, line, number, block, diversion.

An *order* is one product at one site. A *line* is the SIP side of it, where calls are delivered. A *diversion* says where
calls go while the line is down; *armed* means the customer switched it on, which is not the same as diverting now.
Numbers are canonical E.164 with ``+`` (`routing.numbers`); extensions are digit strings, so ``"01"`` and ``"1"`` differ.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

EntityId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{2,14}$")]
GroupName = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]([^\x00-\x1f]{0,62}[^\s\x00-\x1f])?$")]
Extension = Annotated[str, Field(pattern=r"^[0-9]{0,8}$")]
ProfileValue = bool | int | float | str | tuple[int, ...]


class Entity(BaseModel):
    """Common to all stored entities: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: EntityId


class Customer(Entity):
    """A business customer; ``id`` is the customer number."""

    name: str = Field(min_length=1, max_length=200)
    allow_international: bool = False


class Site(BaseModel):
    """Where an order's equipment stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: EntityId
    address: str = Field(max_length=300)
    region: GroupName | None = None
    """What fails together beyond the site: an exchange area, a town, a ring of the access network."""


class Order(Entity):
    """One product at one site."""

    customer: EntityId
    product: str
    site: Site
    data_line: str | None = None
    bandwidth: str | None = None
    active_from: AwareDatetime | None = None
    """Day of porting or new provision: from here on, calls are routed."""
    active_until: AwareDatetime | None = None
    """Calls are routed until before this time."""


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
    access: GroupName | None = None
    """Node of the access network (DSLAM, OLT, edge router) that it hangs on."""
    wish: Wish = "enabled"
    wish_until: AwareDatetime | None = None
    """From here on the wish is over and the line is enabled (`routing.wishes.effective_wish`); None: it stands."""
    wish_by: str = Field(default="", max_length=64)
    """Who wished it, as the admin socket knows him."""
    wish_note: str = Field(default="", max_length=500)


class ExtensionRange(BaseModel):
    """Extensions ``first``…``last`` of equal length, both included; ``"10"``…``"99"``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: Extension
    last: Extension


class Block(Entity):
    """A number block: base and the extensions behind it. No range means every extension, of any length."""

    order: EntityId
    line: EntityId
    base: E164
    ranges: tuple[ExtensionRange, ...] = ()


class Number(Entity):
    """A single number (MSN)."""

    order: EntityId
    line: EntityId
    number: E164


class Target(BaseModel):
    """Where a diverted call goes: one number, or a base that keeps the called extension."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: E164
    keep_extension: bool = False


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


class Diversion(Entity):
    """Where calls go while the line is down."""

    order: EntityId
    scope: Scope
    armed: bool = False
    targets: tuple[Target, ...] = Field(min_length=1, max_length=10)
    note: str = Field(default="", max_length=500)


KINDS: dict[str, type[Entity]] = {
    "customer": Customer,
    "order": Order,
    "line": Line,
    "block": Block,
    "number": Number,
    "diversion": Diversion,
}
"""Entity kinds by the name they have in the store, in the order in which they refer to each other."""
