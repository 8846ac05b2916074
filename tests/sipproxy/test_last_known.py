"""The last known rules survive as they were, and a damaged file is not used."""

from pathlib import Path

import pytest
import yaml

from routing.document import parse_document
from routing.model import Customer
from routing.registry import Registry
from sipproxy import last_known
from sipproxy.demo import cast


def test_written_rules_are_read_back(tmp_path: Path) -> None:
    entities = parse_document(yaml.safe_load(cast.document(("127.0.0.1", 5999))), "demo.invalid")
    registry = Registry()
    registry.load(entities)
    last_known.write(tmp_path / "rules", last_known.entities_of(registry), 7)
    found = last_known.read(tmp_path / "rules")
    assert found is not None
    assert sorted(found[0], key=lambda e: e.id) == sorted(entities, key=lambda e: e.id)
    assert found[1] == 7
    assert (tmp_path / "rules").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"version": 9}', '{"version": 1, "sequence": 1}\n["line", {}]'])
def test_damaged_file_is_not_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "rules").write_text(text)
    assert last_known.read(tmp_path / "rules") is None


def test_no_file_is_no_rules(tmp_path: Path) -> None:
    assert last_known.read(tmp_path / "absent") is None


def test_rules_that_an_older_release_wrote_down_are_read(tmp_path: Path) -> None:
    lines = ['{"version": 1, "sequence": 3}', '["customer", {"id": "C1", "name": "Hafenbau", "allow_international": true}]']
    (tmp_path / "rules").write_text("\n".join(lines))
    assert last_known.read(tmp_path / "rules") == ([Customer(id="C1", name="Hafenbau", allowances=("international",))], 3)
