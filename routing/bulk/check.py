"""Whether what an import brings, and what it removes, fits together with what stays.

An entity that is not right by itself, or refers to nothing, is told and left out; what refers to it in turn is left out in silence,
for its row is not to blame. The rest is held against each other and against what is stored by `routing.crosscheck`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from routing.bulk.faults import row_of
from routing.bulk.reading import STEP, Known, Reading, Tell
from routing.bulk.scope import Replace, inside
from routing.bulk.single import single_faults
from routing.crosscheck import crosscheck
from routing.model import KINDS, Block, Diversion, Entity, Line, Number, Order, User
from routing.references import references
from routing.rejection import Fault, RuleWarning, fault
from routing.target_policy import NATIONAL, CarrierPolicy

KIND_OF: Mapping[type[Entity], str] = {model: kind for kind, model in KINDS.items()}
RANK: Mapping[str, int] = {kind: rank for rank, kind in enumerate(KINDS)}
"""Kinds in the order in which they refer to each other."""
Name = tuple[str, str]
"""Kind and id."""


def name_of_entity(entity: Entity) -> Name:
    """Return kind and id."""
    return KIND_OF[type(entity)], entity.id


def stored_orders(known: Known) -> dict[str, Order]:
    """Return the orders among what is known."""
    return {key: entity for (kind, key), entity in known.items() if kind == "order" and isinstance(entity, Order)}


def check(
    reading: Reading,
    scope: Replace | None = None,
    registrars: Collection[str] = (),
    carrier: CarrierPolicy = NATIONAL,
    tell: Tell = lambda _: None,
) -> dict[Name, Entity]:
    """Return what is to be removed. All that is wrong is added to ``reading.faults``; nothing is raised.

    ``registrars`` are the names of the configuration at which the users of foreign lines may register; ``carrier`` says what may be
    a target; ``tell`` is told of each entity twice, for it is looked at by itself, then beside the others.
    """
    names = {name_of_entity(entity) for _, entity in reading.placed}
    gone = _removed(scope, reading, names)
    if scope is not None and scope.id and not {(scope.kind, scope.id)} & {*names, *reading.known, *reading.unread}:
        reading.faults.add(fault("reference_missing", "", kind=scope.kind, id=scope.id))
    check_with(reading, gone, scope, registrars, carrier=carrier, tell=tell)
    return gone


def check_with(
    reading: Reading,
    gone: Mapping[Name, Entity],
    scope: Replace | None = None,
    registrars: Collection[str] | None = None,
    *,
    carrier: CarrierPolicy = NATIONAL,
    tell: Tell = lambda _: None,
) -> None:
    """Check what was read beside what stays when ``gone`` is removed.

    Without ``registrars`` nothing is looked at by itself: it stood in the store like that.
    """
    here = _Here(reading, gone)
    sound: list[tuple[str, Entity]] = []
    for count, (place, entity) in enumerate(sorted(reading.placed, key=lambda placed: RANK[KIND_OF[type(placed[1])]]), start=1):
        if count % STEP == 0:
            tell(STEP)
        wrong = list(here.missing(place, entity))
        if scope is not None and not inside(entity, scope, here.orders):
            kind = KIND_OF[type(entity)].capitalize()
            wrong.append(fault("scope_outside", place, kind=kind, id=entity.id, scope=str(scope)))
        if registrars is not None:
            wrong += single_faults(place, entity, here.orders.get(getattr(entity, "order", "")), registrars)
        reading.faults.add(*wrong)
        if wrong or here.follows(entity):
            here.leave_out(entity)
        else:
            sound.append((place, entity))
    reading.faults.add(*here.needed())
    staying = (entity for name, entity in reading.known.items() if name not in gone)
    targets = "target" if reading.simple else "targets"
    told: list[RuleWarning] = []
    found = crosscheck(sound, staying, carrier, reading.now, told=told)
    reading.faults.add(*(replace(one, location=_column(one.location, targets)) for one in found))
    reading.told += [replace(one, location=_column(one.location, targets)) for one in told]
    tell(len(sound))


def _removed(scope: Replace | None, reading: Reading, names: Collection[Name]) -> dict[Name, Entity]:
    """Return what is stored in the scope, of the kinds that the files are about, and not in them."""
    if scope is None:
        return {}
    orders = stored_orders(reading.known)
    return {
        name: entity
        for name, entity in reading.known.items()
        if name[0] in reading.kinds
        and name not in names
        and name not in reading.unread
        and inside(entity, scope, orders)
        and not (reading.simple and isinstance(entity, Diversion) and (entity.plan is not None or entity.scope.kind == "order"))
    }


class _Here:
    """What there will be after the import."""

    def __init__(self, reading: Reading, gone: Mapping[Name, Entity]) -> None:
        self._known = reading.known
        self._gone = gone
        self._new: dict[Name, Entity] = {name_of_entity(entity): entity for _, entity in reading.placed}
        self._out = set(reading.unread)
        self.orders: Mapping[str, Order] = stored_orders(reading.known) | reading.orders

    def find(self, kind: str, key: str) -> Entity | None:
        """Return an entity as it will be."""
        name = kind, key
        return self._new.get(name) or (None if name in self._gone else self._known.get(name))

    def leave_out(self, entity: Entity) -> None:
        """Note that an entity is not right."""
        self._out.add(name_of_entity(entity))

    def follows(self, entity: Entity) -> bool:
        """Return whether an entity refers to one that is not right."""
        return bool(self._out) and any((kind, key) in self._out for _, kind, key in references(entity))

    def missing(self, place: str, entity: Entity) -> Iterator[Fault]:
        """Yield the references of an entity that lead nowhere, or to another customer."""
        for column, kind, key in references(entity):
            held = self.find(kind, key)
            if held is None and (kind, key) not in self._out:
                yield fault("reference_missing", f"{place}.{column}", kind=kind, id=key)
            if isinstance(entity, User) and isinstance(held, Order) and held.customer != entity.customer:
                yield fault("reference_missing", f"{place}.{column}", kind=f"order of customer {entity.customer}", id=key)
        move = entity.move if isinstance(entity, Number | Block) else None
        line = self.find("line", move.line) if move is not None else None
        if move is not None and isinstance(line, Line) and line.order != move.order:
            yield fault("line_other_order", f"{place}.move_line", line=move.line, order=move.order)

    def needed(self) -> Iterator[Fault]:
        """Yield what would be removed though something that stays, and is not in the file, refers to it."""
        if not self._gone:
            return
        for name, entity in self._known.items():
            if name in self._gone or name in self._new:
                continue
            for _, kind, key in references(entity):
                if (kind, key) in self._gone:
                    other = f"{name[0]} {name[1]!r}"
                    yield fault("reference_kept", "", kind=kind.capitalize(), id=key, other=other)


def _column(location: str, targets: str) -> str:
    """Name a place by its column: a load file's ``to`` is the column ``targets`` here, its ``move.at`` is ``move_at``."""
    row = row_of(location)
    head, _, tail = location[len(row) :].lstrip(".").removeprefix("scope.").partition(".")
    field = head.partition("[")[0]
    names = {"to": targets, "phone_system_to": "phone_system_targets"}
    column = f"move_{tail}" if field == "move" and tail else names.get(field, field)
    return f"{row}.{column}" if column else row
