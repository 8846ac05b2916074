"""Lines and rules in the engine's terms."""

from collections.abc import Collection, Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING

from routing.foreign import Registrars, watch_line, watch_spec, watched_registrar
from routing.model import BlockScope, Diversion, Line, NumberScope, Order, RangeScope, Target
from routing.names import Names, resolved
from routing.products import product
from routing.profiles import DEFAULT_PROFILE
from routing.registry import Registry
from routing.rejection import Fault, fault
from routing.slots import Slots

if TYPE_CHECKING:
    from routing.directory import Judged
    from sipproxy._engine import LineSpec, RuleSpec, TargetSpec


def line_spec(
    registry: Registry,
    key: str,
    slots: Slots,
    profiles: Collection[str],
    registrars: Registrars,
    *,
    wished: bool = True,
    names: Names = MappingProxyType({}),
) -> tuple["LineSpec | None", Fault | None]:
    """Return what the engine is told of a line (None: nothing), and what is wrong with it.

    ``wished``: whether the operator's wish still holds. ``names``: addresses of named peers; one that is not in it has none.
    """
    watched = watched_registrar(key)
    if watched is not None:
        return (watch_spec(registrars[watched], slots), None) if watched in registrars else (None, None)
    line = registry.lines.get(key)
    if line is None:
        return None, None
    order = registry.orders.get(line.order)
    if order is None:
        return None, fault("reference_missing", "order", kind="order", id=line.order)
    profile, what = _profile(line, order, profiles)
    spec: LineSpec = {
        "slot": slots.take(key),
        "line_id": key,
        "order_id": order.id,
        "site_id": (line.site or order.site).id,
        "groups": _groups(line, order),
        "product": order.product,
        "profile": profile,
        "kind": line.kind,
        "users": list(line.users),
        "credentials": [(item.username, item.algorithm, item.ha1) for item in line.credentials],
        "peers": resolved(line.peers, names) if line.peers else [],
        "request_uri": line.request_uri,
        "wish": line.wish if wished else "enabled",
    }
    if line.kind == "foreign":
        name = line.registrar or ""
        registrar = registrars.get(name)
        # Without its registrar there is no address to send a call to: the line is routed like one that is not registered.
        what = what or (fault("reference_missing", "registrar", kind="registrar", id=name) if registrar is None else None)
        spec["peers"] = list(registrar.hops) if registrar is not None else []
        spec["registrar"] = (name, slots.take(watch_line(name) if registrar is not None else key))
    return spec, what


def _groups(line: Line, order: Order) -> list[str]:
    """Return what the line shares with others; the engine knows site and network by itself."""
    named = (("access", line.access), ("region", (line.site or order.site).region))
    return [f"{kind}:{name}" for kind, name in named if name is not None]


def _profile(line: Line, order: Order, profiles: Collection[str]) -> tuple[str, Fault | None]:
    """Return the profile by which a line is judged; a wrong name leaves the line routed, by its product's profile."""
    what = None
    if line.profile is not None:
        if line.profile in profiles:
            return line.profile, None
        what = fault("profile_unknown", "profile", profile=line.profile, known=", ".join(sorted(profiles)))
    held = product(order.product)
    name = held.profiles.get(line.kind, DEFAULT_PROFILE) if held is not None else DEFAULT_PROFILE
    if name not in profiles:
        what = what or fault("profile_unknown", "profile", profile=name, known=", ".join(sorted(profiles)))
        name = DEFAULT_PROFILE if DEFAULT_PROFILE in profiles else min(profiles, default=DEFAULT_PROFILE)
    return name, what


def rule_spec(diversion: Diversion, judged: "Judged", base: str | None, slot: int) -> "RuleSpec":
    """Return what the engine is told of a diversion as it was judged; ``base`` is that of its block."""
    after = len(base) - 1 if base is not None else 0
    spec: RuleSpec = {
        "slot": slot,
        "rule_id": diversion.id,
        "label": _label(diversion, base),
        "armed": diversion.armed,
        "targets": _targets(judged.targets, after),
    }
    if judged.phone_system_targets:
        spec["phone_system_targets"] = _targets(judged.phone_system_targets, after)
    if judged.rest is not None:
        spec["rests"] = judged.rest.text
    return spec


def _targets(targets: Iterable[Target], after: int) -> "list[TargetSpec]":
    return [{"digits": target.number[1:], "keep_after": after if target.keep_extension else None} for target in targets]


def _label(diversion: Diversion, base: str | None) -> str:
    scope = diversion.scope
    if isinstance(scope, NumberScope):
        return f"number {scope.number}"
    if isinstance(scope, RangeScope):
        return f"range {base} -{scope.first}…-{scope.last}"
    if isinstance(scope, BlockScope):
        return f"block {base}…"
    return f"order {diversion.order}"
