"""The products with diversion included, and what each means for its lines: one table, easy to correct."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from routing import product_texts as texts
from routing.product_texts import ProductTexts

LineKind = Literal["registered", "static", "foreign"]
NumberKind = Literal["number", "block"]


@dataclass(frozen=True, slots=True)
class ProductLimits:
    """How much a customer may do with an order, unless he has limits of his own (`routing.limits`)."""

    rules_per_line: int
    """Enough for a rule for each number that such a line has as a rule."""
    changes_per_hour: int
    """Saved changes of rules, an import counting as one: more than a person makes, less than a script gone wild."""
    diverted_per_hour: int
    """Some 20 calls for each channel that such an order has as a rule: an honest outage diverts no more than the line carries."""
    diverted_per_day: int
    """Five such hours."""


def _limits(rules: int, changes: int, channels: int) -> ProductLimits:
    return ProductLimits(rules, changes, channels * 20, channels * 100)


DEFAULT_LEAD_DAYS = 14
DEFAULT_LIMITS = _limits(100, 60, 4)


@dataclass(frozen=True, slots=True)
class Product:
    """What an order of this product has, unless its line says otherwise."""

    name: str
    texts: ProductTexts
    """What the pages say of it."""
    line_kinds: tuple[LineKind, ...]
    """What a line may be; the first is the default."""
    profiles: Mapping[LineKind, str]
    """How a line is judged (`routing.profiles`), by its kind."""
    request_uri: Literal["contact", "number"]
    """What the line wants in the Request-URI of a call: its own contact (RFC 3261 §16.6) or the called number."""
    numbers: tuple[NumberKind, ...]
    """Which numbers an order may have."""
    limits: ProductLimits = DEFAULT_LIMITS
    edit_lead_days: int = DEFAULT_LEAD_DAYS
    """So many days before calls reach its numbers, customers may begin to manage their targets (`routing.lead`)."""
    site_share: float = 1.0
    """The share of a site's lines that are down when the site is."""
    eligible: bool = True
    """Diversion is included, without being ordered. Of another product rules are refused, and those stored are not used."""

    @property
    def line_kind(self) -> LineKind:
        """The kind of a line that does not say."""
        return self.line_kinds[0]

    def profile(self, kind: LineKind) -> str:
        """Return the name of the profile for a line of ``kind``."""
        return self.profiles[kind]


_BOTH: tuple[NumberKind, ...] = ("number", "block")
_PRODUCTS = (
    # name, texts, line kinds, profiles, Request-URI, numbers; limits: rules per line, changes an hour, channels
    Product(
        "sipAccount 2.0",
        texts.ACCOUNT,
        ("registered", "foreign"),
        {"registered": "phone", "foreign": "foreign"},
        "contact",
        ("number",),
        limits=_limits(100, 60, 4),
    ),
    Product(
        "sipTrunk 2.0",
        texts.TRUNK,
        ("registered", "foreign"),
        {"registered": "registered", "foreign": "foreign"},
        "number",
        _BOTH,
        limits=_limits(1000, 200, 30),
    ),
    Product(
        "sipTrunk 2.0 Pro",
        texts.TRUNK_PRO,
        ("static", "registered", "foreign"),
        {"static": "static", "registered": "registered", "foreign": "foreign"},
        "number",
        ("block",),
        limits=_limits(2000, 200, 100),
    ),
    Product(
        "Jubiläumstarif",
        texts.BUNDLE,
        ("registered", "foreign"),
        {"registered": "registered", "foreign": "foreign"},
        "number",
        _BOTH,
        limits=_limits(1000, 200, 30),
    ),
    Product(
        "office-flat NGN",
        texts.OFFICE_FLAT,
        ("registered", "foreign"),
        {"registered": "access-device", "foreign": "foreign"},
        "number",
        _BOTH,
        limits=_limits(200, 60, 8),
    ),
    Product(
        "voice-direct NGN",
        texts.VOICE_DIRECT,
        ("registered", "foreign"),
        {"registered": "access-device", "foreign": "foreign"},
        "number",
        _BOTH,
        limits=_limits(200, 60, 8),
    ),
    Product(
        "PMX NGN",
        texts.PRIMARY_RATE,
        ("static", "registered", "foreign"),
        {"static": "gateway", "registered": "access-device", "foreign": "foreign"},
        "number",
        ("block",),
        limits=_limits(2000, 200, 100),
    ),
    Product(
        "PMX NGN Option",
        texts.PRIMARY_RATE_OPTION,
        ("static", "registered", "foreign"),
        {"static": "gateway", "registered": "access-device", "foreign": "foreign"},
        "number",
        ("block",),
        limits=_limits(2000, 200, 100),
    ),
    # A number of its own per extension leads to that extension's line; the block holds them together.
    Product(
        "centrex Premium",
        texts.CENTREX,
        ("registered", "foreign"),
        {"registered": "phone", "foreign": "foreign"},
        "contact",
        _BOTH,
        limits=_limits(200, 200, 50),
        # One phone that somebody unplugged must not keep a dead site alive.
        site_share=0.8,
    ),
)

PRODUCTS: Mapping[str, Product] = MappingProxyType({product.name: product for product in _PRODUCTS})
"""Name → product."""


def product(name: str) -> Product | None:
    """Return the product of that name; case and spacing do not matter, names are else taken literally."""
    return PRODUCTS.get(name) or _FOLDED.get(_fold(name))


def _fold(name: str) -> str:
    return "".join(name.casefold().split())


_FOLDED: Mapping[str, Product] = {_fold(item.name): item for item in _PRODUCTS}
