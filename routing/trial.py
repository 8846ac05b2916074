"""Rules as they would be: held by a directory for a moment, and taken back. Nobody else may use the directory meanwhile."""

import contextlib
from collections.abc import Iterator, Mapping

from routing.directory import Directory
from routing.model import Diversion, NumberScope, RangeScope

Rules = Mapping[str, Diversion | None]
"""By id; None: there is none."""


@contextlib.contextmanager
def held(rules: Rules, directory: Directory) -> Iterator[None]:
    """Let the directory hold these rules in place of those of their ids; afterwards it is what it was."""
    before = {key: directory.registry.diversions.get(key) for key in rules}
    try:
        _hold(rules, directory)
        yield
    finally:
        _hold(before, directory)


def _hold(rules: Rules, directory: Directory) -> None:
    registry = directory.registry
    blocks: set[str] = set()
    numbers: set[str] = set()
    for key, rule in rules.items():
        for state in (registry.diversions.get(key), rule):
            if state is not None and isinstance(state.scope, RangeScope):
                blocks.add(state.scope.block)
            elif state is not None and isinstance(state.scope, NumberScope):
                numbers.add(state.scope.number[1:])
        if rule is None:
            registry.remove("diversion", key)
        else:
            registry.put(rule)
    for block in sorted(blocks):
        directory.reclaim(block)
    for key in rules:
        directory.judge_rule(key)
    for digits in sorted(numbers):
        directory.judge_number(digits, directory.place(digits))
