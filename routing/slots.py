"""Slots: the small integers by which lines and rules are named to the engine."""


class Slots:
    """Gives each id the next integer and keeps it: a slot is never used for another id, also after the id has gone."""

    def __init__(self) -> None:
        self._by_name: dict[str, int] = {}
        self._names: list[str] = []

    def take(self, name: str) -> int:
        """Return the slot of ``name``, a new one the first time."""
        slot = self._by_name.get(name)
        if slot is None:
            slot = self._by_name[name] = len(self._names)
            self._names.append(name)
        return slot

    def of(self, name: str) -> int | None:
        """Return the slot of ``name`` if it was ever given one."""
        return self._by_name.get(name)

    def name(self, slot: int) -> str | None:
        """Return what has (or had) the slot."""
        return self._names[slot] if 0 <= slot < len(self._names) else None
