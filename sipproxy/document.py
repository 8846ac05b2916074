"""A load file as text: YAML or JSON, with the line of every place, so that a fault can name it."""

import json
from collections.abc import Iterator
from typing import Any, Final

import yaml

from sipproxy.errors import AdminError, Fault

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST: Final = 60
"""Levels of nesting; the form has ten. The reader in C takes a level of the machine's stack for each, and ends the process without one."""
_ADDED: Final = 1_000_000
"""What aliases (``*name``) may add to what stands in the file: ten lines of them can stand for ten thousand million values."""
_EXAMPLE = "docs/load-file.md tells what belongs in it; docs/samples/customers.yaml is an example"


def read_document(name: str, text: str) -> Any:
    """Parse ``text``. Raises `AdminError` with the line where it stops to be YAML or JSON."""
    if not text.strip():
        raise AdminError("rejected", f"{name}: not accepted", "", (Fault(name, "", "the file is empty", _EXAMPLE),))
    try:
        # The loader is the safe one, in C where there is one.
        if not name.casefold().endswith(".json"):
            _bounded(text)
            found = yaml.load(text, Loader=_LOADER)  # noqa: S506
        else:
            found = json.loads(text)
    except RecursionError:
        fault = Fault(name, "", "it is nested too deeply", _EXAMPLE)
    except json.JSONDecodeError as error:
        fault = Fault(name, "", f"not JSON: {error.msg}", "correct it there or just before", error.lineno)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else None
        fault = Fault(name, "", f"not YAML: {error.problem}", "check indentation and quotes there", line)
    except yaml.YAMLError as error:
        fault = Fault(name, "", f"not YAML: {error}", "save the file as UTF-8 text")
    else:
        if isinstance(found, dict):
            return found
        fault = Fault(name, "", "it does not begin with customers:", _EXAMPLE)
    raise AdminError("rejected", f"{name}: not accepted", "", (fault,))


def lines_of(text: str) -> dict[str, int]:
    """Return the line (from 1) of each place, written as in ``customers[0].orders[1].id``. JSON is read as YAML."""
    try:
        _bounded(text)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError:
        return {}
    return dict(_places(root, "")) if root is not None else {}


def _bounded(text: str) -> None:
    """Raise `yaml.MarkedYAMLError` for what would take more stack or memory than a file should, before it is built."""
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []  # anchor, and the values in it so far
    added = 0
    for event in yaml.parse(text, Loader=_LOADER):
        size = 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 1))
            if len(open_) > _DEEPEST:
                raise _refused("it is nested too deeply", event)
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
            if anchor is not None:
                sizes[anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_):
                raise _refused("it contains itself", event)
            size = sizes.get(event.anchor or "", 1)
            added += size
            if added > _ADDED:
                raise _refused("its aliases stand for too much", event)
        if open_:
            anchor, so_far = open_[-1]
            open_[-1] = anchor, so_far + size


def _refused(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = event.start_mark  # two kinds that have the same
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _places(node: yaml.Node, place: str) -> Iterator[tuple[str, int]]:
    if place:
        yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{place}.{key.value}" if place else str(key.value)
            yield from _places(value, inner)
            yield inner, key.start_mark.line + 1  # the key's line wins over that of a value below it
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _places(item, f"{place}[{index}]")
