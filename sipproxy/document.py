"""A load file as text: YAML or JSON, with the line of every place, so that a fault can name it."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from sipproxy.errors import AdminError, Fault

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_EXAMPLE = "docs/load-file.md tells what belongs in it; docs/samples/customers.yaml is an example"


def read_document(name: str, text: str) -> Any:
    """Parse ``text``. Raises `AdminError` with the line where it stops to be YAML or JSON."""
    if not text.strip():
        raise AdminError("rejected", f"{name}: not accepted", "", (Fault(name, "", "the file is empty", _EXAMPLE),))
    try:
        # The loader is the safe one, in C where there is one.
        found = json.loads(text) if name.endswith(".json") else yaml.load(text, Loader=_LOADER)  # noqa: S506
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
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError:
        return {}
    return dict(_places(root, "")) if root is not None else {}


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
