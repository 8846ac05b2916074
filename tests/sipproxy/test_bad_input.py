"""Bad input at the command line: every fault with its place and a remedy, and nothing half done."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.document import ACCOUNT, UNKNOWN_NUMBER, document
from tests.harness.service import Service

pytestmark = pytest.mark.service

FAULTY = """\
customers:
  - id: "1"
    name: A
    orders:
      - id: A-1
        product: sipTrank 2.0
        site: {id: s, address: a}
        lines: [{id: l1, user: u1, password: p}]
        blocks: [{base: 030 23125, extensions: "400-4x9"}]
        diversions: [{to: "110", armed: yes}, {to: "12345"}]
      - id: A-2
        product: sipAccount 2.0
        site: {id: s, address: a}
        lines: [{id: l2, user: u2, password: p}]
        numbers: ["hello"]
"""

BAD_CONFIGURATION = """\
data_dir = "data"
[sip]
listen = ["0.0.0.0:5060"]
[[core_peers]]
name = "softswitch"
address = "127.0.0.1"
interconnect = "cor"
[[interconnects]]
name = "core"
[profiles.registred]
fall = 1
"""


@pytest.fixture(scope="module")
def shared(service: Service) -> Iterator[Service]:
    """The module's service; a refused command must leave it as it was."""
    before = service.run("status", "--json")
    yield service
    facts = [json.loads(text)["facts"]["snapshot"] for text in (before, service.run("status", "--json"))]
    assert facts[0]["sequence"] == facts[1]["sequence"], "something was written"


def refused(service: Service, *command: str, code: int = 1) -> list[str]:
    """Run a command that must fail; return the lines that it printed."""
    done = service.try_run(*command)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert "Errno" not in said
    return said.splitlines()


def test_document_with_faults_is_refused_whole_and_each_has_place_and_remedy(shared: Service, tmp_path: Path) -> None:
    file = tmp_path / "faulty.yaml"
    file.write_text(FAULTY, encoding="utf-8")
    said = refused(shared, "load", str(file))
    for line, place, what in (
        (6, "customers[0].orders[0].product", "'sipTrank 2.0' is not a product"),
        (9, "customers[0].orders[0].blocks[0].extensions", "'400-4x9' is no extension or range"),
        (10, "customers[0].orders[0].diversions[0].to", "110 is an emergency number"),
        (10, "customers[0].orders[0].diversions[1].to", "'12345' has no area code"),
        (15, "customers[0].orders[1].numbers[0]", "'hello' contains letters"),
    ):
        found = [text for text in said if text.startswith(f"{file}:{line}: {place}") and what in text and " — " in text]
        assert len(found) == 1, (place, said)
    assert said[-1] == "5 faults; nothing was changed."
    assert "l1" not in shared.lines()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the file is empty"),
        ("customers: [\n - a: }\n", ":2: not YAML"),
        ("[]", "customers"),
        ('customers: [{id: "1"}]', "name"),
    ],
)
def test_what_is_no_document_is_refused_in_words(shared: Service, tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "faulty.yaml"
    file.write_text(text, encoding="utf-8")
    assert what in "\n".join(refused(shared, "load", str(file)))


def test_file_that_cannot_be_read_is_named_with_the_reason(shared: Service, tmp_path: Path) -> None:
    assert f"error: {tmp_path}/none.yaml cannot be read: No such file or directory" in refused(
        shared, "load", str(tmp_path / "none.yaml")
    )
    assert f"error: {tmp_path} cannot be read: Is a directory" in refused(shared, "load", str(tmp_path))


def test_targets_are_judged_all_at_once(shared: Service) -> None:
    said = refused(shared, "divert", "set", ACCOUNT.number, "--to", "110", "--to", "hello", "--to", "+491713920050")
    assert [text.split(" — ")[0] for text in said if text.startswith("targets")] == [
        "targets[0]: 110 is an emergency number",
        "targets[1]: 'hello' contains letters",
    ]


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("divert", "arm", "block:nope"), "there is no block 'nope'"),
        (("divert", "arm", "order:nope"), "there is no order 'nope'"),
        (("divert", "arm", "nonsense"), "'nonsense' contains letters"),
        (("divert", "arm", UNKNOWN_NUMBER), "is not one of our numbers"),
        (("divert", "disarm", ACCOUNT.number), "has no diversion of its own"),
        (("explain", ACCOUNT.number, "-i", "nope"), "no interconnect is named 'nope'"),
        (("call", "nope@nowhere"), "no recent call has the Call-ID 'nope@nowhere'"),
    ],
)
def test_unknown_things_are_named_and_a_remedy_is_given(shared: Service, command: tuple[str, ...], what: str) -> None:
    said = refused(shared, *command)
    assert what in "\n".join(said)
    assert any(text.startswith("try: ") or " — " in text for text in said)


@pytest.mark.parametrize(("number", "what"), [("hello", "no number that can be called"), (UNKNOWN_NUMBER, "not ours")])
def test_explain_says_what_a_wrong_number_gets(shared: Service, number: str, what: str) -> None:
    said = shared.run("explain", number)
    assert what in said
    assert "404" in said


def test_explain_shows_the_302_as_a_caller_gets_it(shared: Service) -> None:
    shared.wait_for_health(ACCOUNT.line, "down")
    host, port = shared.address
    assert shared.explain(ACCOUNT.number)["targets"] == [f"sip:{ACCOUNT.target}@{host}:{port};user=phone"]


def test_configuration_with_faults_names_them_all(shared: Service, tmp_path: Path) -> None:
    file = tmp_path / "faulty.toml"
    file.write_text(BAD_CONFIGURATION, encoding="utf-8")
    said = refused(shared, "check-config", str(file))
    for line, what in (
        (3, "sip.listen[0]: 0.0.0.0:5060 stands for all addresses"),
        (7, "core_peers[0].interconnect: no [[interconnects]] entry is named 'cor' — known: core"),
        (10, "profiles.registred: no such line profile — did you mean 'registered'?"),
    ):
        assert any(text.startswith(f"{file}:{line}: {what}") for text in said), (what, said)


def test_configuration_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    said = refused(Service(tmp_path / "none"), "status", code=3)
    assert said[0] == f"error: the configuration file {tmp_path}/none/sipproxy.toml does not exist"


def test_a_document_is_loaded_after_all_that(shared: Service, tmp_path: Path) -> None:
    file = tmp_path / "good.json"
    file.write_text(json.dumps(document(gateway=5999)), encoding="utf-8")
    assert "dry run" in shared.run("load", str(file), "--dry-run")


def test_a_file_that_would_end_the_service_is_refused(shared: Service, tmp_path: Path) -> None:
    deep, large = tmp_path / "deep.yaml", tmp_path / "large.yaml"
    deep.write_text("customers: " + "[" * 100_000 + "]" * 100_000, "utf-8")
    assert "nested too deeply" in " ".join(refused(shared, "load", str(deep)))
    with large.open("wb") as file:
        file.truncate(1024**3)
    assert "sipproxy import" in " ".join(refused(shared, "load", str(large)))
