"""The SIP data plane: Rust threads that move packets, and the values that cross the boundary to Python.

Nothing crosses per message. Policy goes down as whole tables and small deltas; what happened comes up as batches of events
from a bounded queue. No call here blocks on the network; long ones release the GIL.

Addresses are ``"192.0.2.1:5060"`` or ``"[2001:db8::1]:5060"``. Times are Unix milliseconds (``*_unix_ms``) or seconds
(``*_s``). Numbers are E.164 digits without ``+``. A *slot* is the small integer by which Python names a line or a rule to
the engine; a slot is never used again for another thing while the process lives.
"""

from collections.abc import Sequence
from typing import Literal, NotRequired, Self, TypedDict, final

__all__ = [
    "BUILD",
    "NOT_LIVE",
    "VERSION",
    "DeltaError",
    "Engine",
    "EngineError",
    "MessageError",
    "ParsedMessage",
    "RouteTable",
    "SettingsError",
    "VirtualEngine",
    "detection_bounds",
    "digest_answer",
    "parse_message",
]

VERSION: str
BUILD: dict[str, str]
"""``version``, ``profile`` (debug/release), ``rustc``."""

class EngineError(Exception):
    """Base of what the engine raises; the state before the call still holds."""

class SettingsError(EngineError):
    """A setting cannot be used: ``args == (where, what, remedy)``, e.g. ``("listen[0]", "address in use", "...")``."""

class DeltaError(EngineError):
    """A delta names a slot, number or profile that cannot be right: ``args == (where, what)``. Nothing was applied."""

class MessageError(EngineError):
    """Octets that are no SIP message: ``args == (status to answer a request with or 0, reason phrase)``."""

@final
class ParsedMessage:
    """A request or response, read by the engine's parser. Text is ISO 8859-1: each octet is one character and comes back as it was."""

    @property
    def method(self) -> str:
        """Of the request, or of the request that a response belongs to."""
    @property
    def request_uri(self) -> str:
        """``""`` in a response."""
    @property
    def status(self) -> int:
        """0 in a request."""
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> list[tuple[str, str]]:
        """Name and value in their order; compact names written out, folds joined."""
    @property
    def body(self) -> bytes: ...
    @property
    def call_id(self) -> str: ...
    @property
    def cseq(self) -> int: ...
    @property
    def from_tag(self) -> str | None: ...
    @property
    def to_tag(self) -> str | None: ...
    @property
    def branch(self) -> str | None:
        """Of the topmost Via."""
    @property
    def expires(self) -> int | None: ...
    @property
    def contact_uris(self) -> list[str]: ...
    @property
    def record_routes(self) -> list[str]:
        """Each value with its brackets, topmost first."""
    def values(self, name: str) -> list[str]:
        """The values of all lines of that name, one a line."""

def parse_message(data: bytes) -> ParsedMessage:
    """Parse one datagram. Raises `MessageError`."""

def digest_answer(
    challenge: str, method: str, uri: str, username: str, password: str, cnonce: str, nonce_count: int
) -> str | None:
    """Return Authorization's value for a WWW- or Proxy-Authenticate value (RFC 7616 §3.4); None if that cannot be answered."""

Health = Literal["up", "suspect", "down", "unknown"]
Wish = Literal["enabled", "drained", "forced_down", "forced_up", "drill"]
FaultPlace = Literal["data_line", "network", "router", "phone_system", "unclear"]

class ProfileSettings(TypedDict):
    """How the lines of a product are judged. All times in seconds."""

    name: str
    interval_s: float  # between OPTIONS while all is well
    fast_interval_s: float  # between OPTIONS while in doubt, and while down
    timeout_s: float  # one OPTIONS without an answer; its own, not the transaction's 32 s
    timeout_max_s: float  # the longest time-out that a measured round trip brings about
    fall: int  # consecutive faults until down, on a line that was measured to lose nothing
    fall_max: int  # the most that measured loss asks for
    rise: int  # consecutive good answers until up
    hold_s: float  # shortest stay in down
    hold_max_s: float  # the longest that it becomes on a line that falls again and again
    flap_half_life_s: float  # half of the penalty for falling is forgotten in this time
    hold_down_max_s: float  # the longest that a 503 with Retry-After holds judgement back
    judge_options: bool  # False: registration and calls only
    judge_registration: bool  # True: no binding means down
    answer_timer_s: float  # INVITE: silence until this call is diverted
    trying_timer_s: float  # INVITE: 100 and nothing more
    ring_timer_s: float  # INVITE: ringing (Timer C, at least 180)
    suspect_timer_s: float  # INVITE to a suspect line: silence until this call is diverted
    fault_codes: list[int]  # final answers before any 18x that count as a fault, e.g. [408, 503]
    return_calls: int  # after a recovery so many calls carry the suspect timer
    ill_codes: list[int]  # OPTIONS answers that are faults, e.g. [408, 503]; any other shows life
    from_uri: str  # From of the probe
    contact_uri: str  # Contact of the probe ("" = our address)

class DetectionBounds(TypedDict):
    """How long a verdict takes at most, in seconds (docs/verdicts.md)."""

    clean_s: float  # from silence to down, where the way was measured to lose nothing
    fresh_s: float  # the same where nothing is known of the way yet
    bound_s: float  # the same on the worst way that the profile allows for
    recovery_s: float  # from answering again to up, after a first fall

def detection_bounds(profile: ProfileSettings) -> DetectionBounds:
    """What follows from a profile. Raises `SettingsError` where a value cannot be used."""

class InterconnectSettings(TypedDict):
    """What one core network sends and what it wants back."""

    name: str
    country_code: str  # "49": what a national number is completed with
    national_prefix: str  # "0"
    international_prefix: str  # "00"
    porting_prefixes: list[str]  # "D" plus hex digits that the core puts before a ported number, e.g. ["D123"]
    domain: str  # host part of Contact, Diversion and History-Info URIs ("" = the address the request came to)
    number_format: Literal["+e164", "00e164", "national"]
    uri_scheme: Literal["sip", "tel"]
    diversion: bool  # add a Diversion header field (RFC 5806)
    history_info: Literal["if_offered", "always", "never"]  # RFC 7044
    max_diversions: int  # that a call may have in all, by its Diversion or History-Info (ITU-T Q.732.2: up to 5)
    reason_sip: bool  # add a SIP reason beside Q.850
    unknown_number_status: int  # 404 as a rule
    redirect_only: bool  # a healthy line is answered with 302 to its contact as well

class CorePeerSettings(TypedDict):
    """Who may send INVITEs."""

    name: str
    network: str  # "192.0.2.0/24", "192.0.2.7/32", "2001:db8::/64"
    port: int  # 0 = any source port
    interconnect: str

class RegistrarSettings(TypedDict):
    realm: str
    open: bool  # True: REGISTER without digest, for laboratories only
    min_expires_s: int
    default_expires_s: int
    max_expires_s: int
    max_contacts: int
    nonce_life_s: int
    store_wait_s: float  # how long a 200 waits for `stored`; then it is sent all the same, and counted
    restart_grace_s: float  # bindings that ran out while we were down live this long after `restore_bindings`

class GuardSettings(TypedDict):
    """When many lines fall together: are they out, or are we? (docs/verdicts.md)"""

    enabled: bool
    window_s: float  # lines count as falling together when they fall within this time (or the profile's interval, if longer)
    min_lines: int  # fewer never freeze anything
    share: float  # 0…1 of the lines that answered before
    freeze_limit_s: float  # a freeze ends by itself after this time; 0: only evidence or the operator ends it

class ForeignRegistrarSettings(TypedDict):
    """Somebody else's registrar, where the phones of foreign lines register."""

    name: str
    domain: str  # host part of its addresses-of-record
    mode: Literal["reg_event", "third_party", "path"]
    sources: list[str]  # addresses that its requests come from, without ports

class EngineSettings(TypedDict):
    listen: list[str]
    workers: int
    domains: list[str]  # host parts that are ours besides the listen addresses
    server_header: str  # "" = none
    core_peers: list[CorePeerSettings]
    interconnects: list[InterconnectSettings]
    profiles: list[ProfileSettings]
    registrar: RegistrarSettings
    guard: GuardSettings
    foreign_registrars: NotRequired[list[ForeignRegistrarSettings]]
    event_queue: int  # events kept for Python before the oldest are dropped and counted
    call_records: int  # calls per worker that `calls` can find again
    secret: bytes  # 32 bytes; signs nonces, tags and Record-Route tokens; same on all nodes

class LineSpec(TypedDict):
    slot: int
    line_id: str  # name in the store, unique
    order_id: str
    site_id: str
    groups: list[str]  # what it shares with others and may fail with, one of a kind: "access:AN-7", "region:north"
    product: str
    profile: str
    kind: Literal["registered", "static", "foreign"]
    users: list[str]  # user parts of the AoR(s), without domain; [] for static
    credentials: list[tuple[str, str, str]]  # (username, "MD5" | "SHA-256", HA1 in hex) for RegistrarSettings.realm
    peers: list[tuple[str, int]]  # (address, priority), lowest priority number first; of a foreign line its registrar's next hops
    registrar: NotRequired[tuple[str, int] | None]  # foreign: name, and the slot of the static line that watches its next hops
    request_uri: Literal["contact", "number"]  # what the line wants in the Request-URI of a call
    wish: Wish

class TargetSpec(TypedDict):
    digits: str  # the number, or the base when keep_after is set
    keep_after: int | None  # append the called number's digits after this many (a block that keeps the extension)

class RuleSpec(TypedDict):
    slot: int
    rule_id: str  # name in the store
    label: str  # for people: "number +49 30 23125 010", "block +49 30 23125 0…", "order A-1"
    armed: bool
    rests: NotRequired[str]  # why it does not count now although it is armed, as half a sentence; "" or missing: it counts
    targets: list[TargetSpec]  # in order, at most 10; one of the two lists has a target
    phone_system_targets: NotRequired[list[TargetSpec]]  # instead of them when only the phone system is out

NOT_LIVE: int
"""Number flag: the order is not yet (or no longer) live; calls get the interconnect's `unknown_number_status`."""

class Delta(TypedDict, total=False):
    """Upserts and removals; within one delta removals come first, then lines and rules, then numbers."""

    lines: list[LineSpec]
    lines_removed: list[int]
    rules: list[RuleSpec]
    rules_removed: list[int]
    exact: list[tuple[str, int, int, int]]  # (digits, line slot, rule slot or -1, flags)
    exact_removed: list[str]
    prefixes: list[tuple[str, int, int, int, int, int]]  # (digits, min_len, max_len, line slot, rule slot or -1, flags)
    prefixes_removed: list[str]

class TraceStep(TypedDict):
    step: str  # "number", "match", "line", "health", "rule", "decision"
    text: str  # one English sentence

class Explanation(TypedDict):
    number: str | None  # canonical digits, None when the input is no number
    decision: Literal["proxy", "redirect", "not_found", "unavailable", "bad_number"]
    status: int  # what the caller gets from us: 302, 404, 480, 484; 0 when proxied
    reason: (
        str  # why no number, line or diversion: "emergency", "short_code", "local", "no_number"; "unknown_number", "not_live",
    )
    # "no_line"; "circle", "back", "too_often"; else ""
    line: int | None
    rule: int | None  # diverts, or would rescue the call
    found_rule: int | None  # the number's, whether it is in force or not
    in_force: bool  # that one is armed and counts now
    health: Health | None
    sent: Literal[
        "normal", "short_timer", "last_try", "own_contact", ""
    ]  # how it gets to the line: "last_try" although it is down,
    # "own_contact" by a 302; "": not at all
    targets: list[str]  # Contact URIs in order, as the interconnect wants them
    numbers: list[str]  # the same as E.164 digits
    left_out: list[
        tuple[str, str, str]
    ]  # where no target is left: digits, "itself" | "same_line" | "same_site" | "came_from", text
    headers: list[tuple[str, str]]  # of the answer: Contact, Diversion, History-Info, Reason; of a rescue those for silence
    next_hops: list[str]  # addresses that would be tried, in order
    trace: list[TraceStep]

class Supposed(TypedDict):
    """What else a simulation supposes of the called line and of the call."""

    cause: str | None  # slug, as in VerdictRow; None: one that fits the health
    wish: NotRequired[Wish | None]  # None: what the table says
    bound: NotRequired[bool]  # there is an address to send a call to (True)
    whole_site: NotRequired[bool]  # the other lines at its site are in the same state (True); all others are up
    diverted_from: NotRequired[list[str]]  # numbers that the call was diverted from before, in order
    offers_history: NotRequired[bool]  # it says Supported: histinfo
    local: NotRequired[str]  # our address where it comes in, "127.0.0.1:5060"

SurveyRow = tuple[str, int, str, int, int, bool, list[str], str]
"""(decision as in Explanation or "last_try", status, reason, line or -1, found rule or -1, in force, numbers, left out for what)."""

@final
class RouteTable:
    """Lines, rules and numbers. Cheap to share; the engine and the simulator read the same object."""

    def __new__(cls) -> Self: ...
    def apply(self, delta: Delta) -> None:
        """Apply a delta whole or not at all (`DeltaError`). A million numbers take about a second: page them."""
    def counts(self) -> dict[str, int]:
        """``lines``, ``rules``, ``exact``, ``prefixes``, ``bytes``."""
    def explain(
        self,
        number: str,
        interconnect: InterconnectSettings,
        health: Health,
        place: FaultPlace | None = None,
        supposed: Supposed | None = None,
    ) -> Explanation:
        """What a call to ``number`` would get if its line were in ``health``, with its fault at ``place``. No engine needed."""
    def survey(
        self,
        numbers: Sequence[str],
        interconnect: InterconnectSettings,
        health: Health,
        place: FaultPlace | None = None,
        supposed: Supposed | None = None,
    ) -> list[SurveyRow]:
        """The same for many numbers, in their order, without sentences: a microsecond or two each."""

BindingRow = tuple[int, str, str, int, str, int, int, str, str]
"""(line slot, contact URI, received address, expires_unix_ms, Call-ID, CSeq, q·1000, User-Agent, user of the AoR)."""

RegistrationRow = tuple[int, Literal["present", "absent", "expired", "removed", "unknown"], int, int, int, str]
"""(line slot, state, since_unix_ms, expires_unix_ms or 0, contacts alive, one line for people): what a registrar elsewhere says.

``unknown``: it does not tell any more, which is no reason to divert. A row that is older than the last one of its line is passed over.
"""

class VerdictRow(TypedDict):
    line: int
    health: Health
    since_unix_ms: int
    cause: (
        str  # slug: "options_timeout", "options_code", "not_registered", "expired", "call_failed", "port_unreachable", "wish", …
    )
    evidence: str  # one line for people: "3 OPTIONS without answer, last 10:02:31"
    place: FaultPlace

class BindingEvent(TypedDict):
    kind: Literal["binding"]
    seq: int
    at_unix_ms: int
    change: Literal["added", "refreshed", "moved", "removed", "replaced", "expired"]
    binding: BindingRow

class VerdictEvent(TypedDict):
    kind: Literal["verdict"]
    seq: int
    at_unix_ms: int
    previous: Health
    verdict: VerdictRow

class DivertedEvent(TypedDict):
    """One diverted call. At most 100 a second and worker are told one by one; ``CallsEvent`` counts all."""

    kind: Literal["diverted"]
    seq: int
    at_unix_ms: int
    line: int
    rule: int
    number: str  # the called one, masked: last three digits are dots
    target: str  # first target the caller was given, E.164 digits
    how: Literal["redirect", "rescue"]  # at once, or after the line had its chance with this very call
    cause: str  # slug, as in VerdictRow
    drill: bool  # diverted on purpose, to prove the rule

class CallsEvent(TypedDict):
    """What became of a line's calls at one worker since it last told: at most every 5 s, for lines that had calls.

    A call counts once in ``offered``, by its first INVITE, and once in one of the others when its caller has his final answer.
    Several workers tell of one line; the counts are to be added up.
    """

    kind: Literal["calls"]
    seq: int
    at_unix_ms: int
    line: int
    interval_ms: int  # over how long they were counted
    offered: int
    completed: int  # answered with a 2xx (or 302 to the line itself where the interconnect wants that)
    declined: int  # a living phone said no
    cancelled: int  # the caller hung up first
    diverted: int  # 302 to the rule's targets at once
    rescued: int  # 302 to the rule's targets after the line had its chance
    failed: int  # neither line nor target: 480, 408, 500

GuardReason = Literal["many_lines", "send_refused", "operator"]

class GroupRow(TypedDict):
    """Lines that share something, at the time of a freeze."""

    group: str  # "site:S-1", "access:AN-7", "region:north", "network:192.0.2.0/24"
    troubled: int  # fallen or in doubt for want of an answer
    lines: int  # that answered before

class GuardRow(TypedDict):
    """A freeze as it began, or as it ended."""

    change: Literal["frozen", "released"]
    why: str  # frozen: a GuardReason; released: "limit", "operator", "answered", "explained", "disabled"
    by: str  # the operator's name, "" without one
    held: int  # lines that would be down
    troubled: int
    lines: int  # that answered before
    groups: list[GroupRow]  # the largest, at most 8

class GuardEvent(TypedDict):
    kind: Literal["guard"]
    seq: int
    at_unix_ms: int
    guard: GuardRow

class PastFreeze(TypedDict):
    reason: GuardReason
    by: str
    from_unix_ms: int
    until_unix_ms: int | None  # None: it goes on
    released: str  # why it ended, "" while it goes on
    held: int  # at most
    troubled: int  # at most
    lines: int

class GuardState(TypedDict):
    enabled: bool
    frozen: bool
    reason: GuardReason | None
    by: str
    since_unix_ms: int | None
    until_unix_ms: int | None  # when the limit ends it; None: no limit, or not frozen
    held: int
    troubled: int
    lines: int
    groups: list[GroupRow]  # the most troubled, at most 8
    freezes: int  # since the start
    last: list[PastFreeze]  # the latest first, at most 16

class LostEvent(TypedDict):
    kind: Literal["lost"]
    seq: int
    at_unix_ms: int
    count: int  # events dropped since the last batch: read `bindings` and `verdicts` again

Event = BindingEvent | VerdictEvent | DivertedEvent | CallsEvent | GuardEvent | LostEvent

class TargetState(TypedDict):
    address: str
    health: Health
    rtt_ms: float | None  # last OPTIONS round trip
    last_seen_unix_ms: int | None

class LineState(TypedDict):
    line: int
    line_id: str
    wish: Wish
    health: Health
    effective: Health  # after the wish
    diverting: bool
    since_unix_ms: int
    cause: str
    evidence: str
    place: FaultPlace
    bindings: int
    targets: list[TargetState]

class CallRecord(TypedDict):
    call_id: str
    at_unix_ms: int
    number: str  # masked: last three digits are dots
    line: int | None
    rule: int | None
    decision: str
    steps: list[tuple[int, str]]  # (milliseconds since `at`, "→ INVITE 192.0.2.7:5060", "← 180", "302 to caller", …)

@final
class Engine:
    """Worker threads with their sockets. Created bound but silent; `start` lets packets in."""

    def __new__(cls, settings: EngineSettings) -> Self:
        """Bind the sockets. Raises `SettingsError`; nothing is left bound then."""
    def start(self) -> None: ...
    def addresses(self) -> list[str]:
        """The bound addresses, with real ports where 0 was asked for."""
    def reconfigure(self, settings: EngineSettings) -> None:
        """Peers, interconnects, profiles, registrar and server header change at once; `listen`, `workers`, `secret` must be equal
        to the running ones (`SettingsError`). All or nothing."""
    def replace(self, table: RouteTable) -> None:
        """Route by ``table`` from now on. Lines that it lacks lose their bindings; the others keep them."""
    def apply(self, delta: Delta) -> None:
        """Apply to the current table; the next packet sees it. All or nothing (`DeltaError`)."""
    def counts(self) -> dict[str, int]: ...
    def restore_bindings(self, rows: Sequence[BindingRow]) -> int:
        """Take bindings from the store at start, before `start`. Newer ones in memory win. Returns how many were taken."""
    def restore_verdicts(self, rows: Sequence[VerdictRow]) -> int: ...
    def report_registrations(self, rows: Sequence[RegistrationRow]) -> int:
        """Take what registrars elsewhere say of foreign lines; others are passed over. ``present`` is evidence that the line lives and
        ends by itself at ``expires_unix_ms``. Returns how many rows were taken; the rest met a full mailbox: report them again."""
    def event_fd(self) -> int:
        """An eventfd that becomes readable when events wait; `events` resets it."""
    def events(self, limit: int = 1000) -> list[Event]: ...
    def stored(self, seq: int) -> None:
        """All binding events up to ``seq`` are on disk: the 200s that wait for them go out."""
    def bindings(self, offset: int, limit: int) -> list[BindingRow]: ...
    def verdicts(self, offset: int, limit: int) -> list[VerdictRow]: ...
    def line_states(self, offset: int, limit: int) -> list[LineState]: ...
    def explain(self, number: str, interconnect: str) -> Explanation: ...
    def calls(self, call_id: str) -> list[CallRecord]: ...
    def counters(self) -> dict[str, int]:
        """Monotonic counters and gauges, summed over workers; names are ``snake_case`` and stable."""
    def histograms(self) -> dict[str, tuple[list[float], list[int], float]]:
        """name → (upper bounds in seconds, counts per bucket plus overflow, sum in seconds)."""
    def worker_counters(self) -> list[dict[str, int]]:
        """Per worker: ``received``, ``handed_over``, ``transactions``, …"""
    def guard(self) -> GuardState:
        """Whether falls are held back, and what the guard sees."""
    def guard_freeze(self, by: str, limit_s: float) -> bool:
        """Hold falls from now on, for ``limit_s`` seconds (0: until released). False if they were held already."""
    def guard_release(self, by: str) -> bool:
        """End the freeze: what is held falls within two seconds, unless it answers. False if nothing was frozen."""
    def doubt(self, lines: Sequence[int]) -> None:
        """Something else speaks against these lines: ask each within its fast interval, evenly spread. It is no evidence by itself."""
    def drain(self) -> None:
        """Answer OPTIONS and new INVITEs with 503, finish what is running."""
    def drained(self) -> bool: ...
    def stop(self) -> None:
        """Stop the threads and close the sockets. Idempotent."""

Datagram = tuple[int, str, str, bytes]
"""(sent at, Unix time in microseconds; our address; destination; octets)."""

@final
class VirtualEngine:
    """The same workers without threads and sockets, on a clock that stands still until `run` moves it.

    For simulations and model-based tests: a run can be repeated, and hours of a line pass in moments. What is not named here
    is as in `Engine`.
    """

    def __new__(cls, settings: EngineSettings, now_unix_us: int) -> Self:
        """``listen`` is bound nowhere; ports must be given."""
    def now(self) -> int:
        """Unix time in microseconds."""
    def run(self, until_unix_us: int) -> list[Datagram]:
        """Let time pass until something is sent, at most until ``until_unix_us``; see `now` for how far it came."""
    def sent(self) -> list[Datagram]:
        """What the calls since the last `run` sent, without letting time pass."""
    def receive(self, octets: bytes, source: str, destination: str) -> None:
        """A datagram comes in for ``destination``, one of ``listen`` (`EngineError`)."""
    def unreachable(self, kind: str, by_target: bool, destination: str, quote: bytes) -> None:
        """ICMP about a datagram that was sent: ``"port_unreachable"``, ``"host_unreachable"``, ``"network_unreachable"``,
        ``"prohibited"``; ``by_target``: it came from the destination itself, not from a router on the way."""
    def reconfigure(self, settings: EngineSettings) -> None: ...
    def replace(self, table: RouteTable) -> None: ...
    def apply(self, delta: Delta) -> None: ...
    def restore_bindings(self, rows: Sequence[BindingRow]) -> None: ...
    def restore_verdicts(self, rows: Sequence[VerdictRow]) -> None: ...
    def events(self, limit: int = 1000) -> list[Event]: ...
    def stored(self, seq: int) -> None: ...
    def bindings(self) -> list[BindingRow]: ...
    def line_states(self) -> list[LineState]: ...
    def counters(self) -> dict[str, int]: ...
