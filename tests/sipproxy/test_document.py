"""A load file's faults name the line."""

import pytest

from sipproxy.document import lines_of, read_document
from sipproxy.errors import AdminError

YAML = """\
customers:
  - id: "100"
    orders:
      - id: A
        lines: [{id: L}]
"""


def test_each_place_has_its_line() -> None:
    found = lines_of(YAML)
    assert found["customers[0].id"] == 2
    assert found["customers[0].orders[0].id"] == 4
    assert found["customers[0].orders[0].lines[0].id"] == 5


def test_json_has_lines_too() -> None:
    assert lines_of('{\n "customers": [\n  {"id": "1"}]\n}')["customers[0].id"] == 3


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [("a.yaml", "a: 1\nb: [2\n", 3), ("a.yaml", "a: 1\n b: 2\n", 2), ("a.json", '{"a": 1,\n}', 1)],
)
def test_text_that_does_not_parse_names_the_line(name: str, text: str, line: int) -> None:
    with pytest.raises(AdminError) as refused:
        read_document(name, text)
    found = refused.value.faults[0].line
    assert found is not None
    assert abs(found - line) <= 1


def test_yaml_tags_that_run_code_are_refused() -> None:
    with pytest.raises(AdminError):
        read_document("a.yaml", "!!python/object/apply:os.system [true]")


_LAUGHS = (
    "a: &a ["
    + "1," * 10
    + "]\n"
    + "".join(f"{chr(98 + level)}: &{chr(98 + level)} [{','.join([f'*{chr(97 + level)}'] * 10)}]\n" for level in range(9))
)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("deep.yaml", "customers: " + "[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("deep.yaml", "customers:" + "".join(f"\n{' ' * level}- " for level in range(100)), "nested too deeply"),
        ("deep.json", '{"customers": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ("laughs.yaml", _LAUGHS, "its aliases stand for too much"),
        ("circle.yaml", "customers: &a [*a]", "it contains itself"),
    ],
    ids=["brackets", "lines", "json", "laughs", "circle"],
)
def test_what_would_end_the_process_or_fill_its_memory_is_refused(name: str, text: str, why: str) -> None:
    with pytest.raises(AdminError) as refused:
        read_document(name, text)
    assert why in refused.value.faults[0].message
    assert lines_of(text) == {}


def test_what_is_said_once_may_be_used_again() -> None:
    found = read_document("a.yaml", "x: &site {id: s}\ncustomers: [*site, *site]")
    assert found["customers"] == [{"id": "s"}, {"id": "s"}]
