"""The configuration is checked whole: each fault names file, line, key and remedy."""

import re
from pathlib import Path

import pytest

from sipproxy.config import load
from sipproxy.config.engine_settings import engine_settings
from sipproxy.config.positions import positions
from sipproxy.config.reference import reference
from sipproxy.config.secret import engine_secret
from sipproxy.errors import ConfigurationError, Fault

ROOT = Path(__file__).parents[2]
GOOD = """\
data_dir = "data"

[sip]
listen = ["127.0.0.1:5060"]

[[core_peers]]
name = "softswitch"
address = "192.0.2.10"
interconnect = "core"

[[interconnects]]
name = "core"
"""


def no_lookup(host: str) -> list[str]:
    raise OSError(-2, f"no such name {host}")


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sipproxy.toml"
    file.write_text(text)
    return file


def faults(tmp_path: Path, text: str) -> dict[str, Fault]:
    with pytest.raises(ConfigurationError) as refused:
        load(write(tmp_path, text), no_lookup)
    return {fault.key: fault for fault in refused.value.faults}


def test_smallest_file_has_defaults_and_absolute_paths(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, GOOD), no_lookup)
    assert loaded.configuration.data_dir == tmp_path / "data"
    assert loaded.configuration.admin_socket == tmp_path / "data" / "admin.sock"
    assert [peer.network for peer in loaded.peers] == ["192.0.2.10/32"]


@pytest.mark.parametrize(
    ("change", "key", "line", "remedy"),
    [
        ('listen = ["127.0.0.1:5060"]', "sip.lisen", 4, "did you mean 'listen'?"),
        ('name = "softswitch"', "core_peers[0].nmae", 7, "did you mean 'name'?"),
    ],
)
def test_unknown_key_gets_a_suggestion(tmp_path: Path, change: str, key: str, line: int, remedy: str) -> None:
    wrong = change.replace("listen", "lisen").replace("name", "nmae")
    found = faults(tmp_path, GOOD.replace(change, wrong, 1))
    assert (found[key].line, found[key].remedy) == (line, remedy)


@pytest.mark.parametrize(
    ("before", "after", "key", "line"),
    [
        ("127.0.0.1:5060", "127.0.0.1", "sip.listen[0]", 4),
        ("127.0.0.1:5060", "127.0.0.1:99999", "sip.listen[0]", 4),
        ("192.0.2.10", "192.0.2.10/24", "core_peers[0].address", 8),
        ("192.0.2.10", "no such host", "core_peers[0].address", 8),
        ("192.0.2.10", "sbc.example.net", "core_peers[0].address", 8),
        ('interconnect = "core"', 'interconnect = "kore"', "core_peers[0].interconnect", 9),
        ('name = "core"', 'name = "core"\nunknown_number_status = 200', "interconnects[0].unknown_number_status", 13),
        ('name = "core"', 'name = "core"\nhistory_info = "maybe"', "interconnects[0].history_info", 13),
        ('name = "core"', 'name = "core"\n\n[registrar]\nmin_expires_s = 900', "registrar", 14),
        ('name = "core"', 'name = "core"\n\n[metrics]\nenabled = "yes"', "metrics.enabled", 15),
        ('name = "core"', 'name = "core"\n\n[[interconnects]]\nname = "core"', "interconnects[1].name", 15),
        ('data_dir = "data"', "", "data_dir", None),
    ],
)
def test_each_fault_has_key_line_and_remedy(tmp_path: Path, before: str, after: str, key: str, line: int | None) -> None:
    found = faults(tmp_path, GOOD.replace(before, after, 1))
    assert list(found) == [key]
    assert found[key].line == line
    assert found[key].remedy


REGISTRAR = """
[[registrars]]
name = "ims"
addresses = ["192.0.2.20:5060"]
domain = "ims.example.net"
"""


@pytest.mark.parametrize(
    ("more", "key", "line"),
    [
        ("\n[profiles.phone]\ntimeout_s = 20", "profiles.phone.timeout_s", 15),
        ("\n[profiles.phone]\ntimeout_s = 3", "profiles.phone.timeout_s", 15),
        ("\n[profiles.phone]\nfast_interval_s = 20", "profiles.phone.fast_interval_s", 15),
        ("\n[profiles.phone]\nfall_max = 5\nfall = 6", "profiles.phone.fall", 16),
        ("\n[profiles.phone]\nhold_max_s = 1", "profiles.phone.hold_s", 14),
        ("\n[profiles.phone]\nsuspect_timer_s = 2", "profiles.phone.suspect_timer_s", 15),
        (REGISTRAR.replace(":5060", ":0"), "registrars[0].addresses[0]", 16),
        (REGISTRAR + 'username = "us"\npassword_file = "absent"', "registrars[0].password_file", 19),
    ],
)
def test_values_that_do_not_fit_each_other_or_lead_nowhere_are_refused(tmp_path: Path, more: str, key: str, line: int) -> None:
    found = faults(tmp_path, GOOD + more)
    assert list(found) == [key]
    assert found[key].line == line
    assert found[key].remedy


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("127.0.0.1:5060", "nowhere").replace("192.0.2.10", "?").replace("data_dir", "datadir")
    assert set(faults(tmp_path, text)) == {"data_dir", "datadir", "sip.listen[0]", "core_peers[0].address"}


def test_text_that_is_no_toml_names_the_line(tmp_path: Path) -> None:
    found = faults(tmp_path, GOOD.replace("[sip]", "[sip"))
    assert found[""].line == 3


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no such file.*deploy/sipproxy\.toml"):
        load(tmp_path / "absent.toml")


def test_name_of_a_core_peer_becomes_all_its_addresses(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD.replace("192.0.2.10", "sbc.example.net"))
    loaded = load(file, lambda host: ["192.0.2.1", "2001:db8::1"] if host == "sbc.example.net" else [])
    assert [peer.network for peer in loaded.peers] == ["192.0.2.1/32", "2001:db8::1/128"]


def test_sample_is_valid_and_names_only_known_keys() -> None:
    sample = (ROOT / "deploy/sipproxy.toml").read_text()
    load(ROOT / "deploy/sipproxy.toml", no_lookup)
    # Commented defaults are keys as well: with the marks removed the file must still be right.
    uncommented = re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", sample)
    assert uncommented != sample


def test_sample_is_valid_with_every_comment_mark_removed(tmp_path: Path) -> None:
    sample = (ROOT / "deploy/sipproxy.toml").read_text()
    load(write(tmp_path, re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", sample)), no_lookup)


def test_documentation_and_model_agree() -> None:
    documented = (ROOT / "docs/configuration.md").read_text()
    assert documented.partition("python -m sipproxy.config.reference -->\n\n")[2] == reference()


def test_engine_gets_what_the_file_says(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, GOOD), no_lookup)
    settings = engine_settings(loaded.configuration, loaded.peers, [], b"s" * 32)
    assert settings["listen"] == ["127.0.0.1:5060"]
    assert settings["workers"] >= 1
    assert settings["core_peers"][0] == {
        "name": "softswitch",
        "network": "192.0.2.10/32",
        "port": 0,
        "interconnect": "core",
    }


def test_positions_skip_multi_line_strings_and_count_entries() -> None:
    text = 'a = """\nb = 1\n"""\n[[t]]\nx = 1\n[[t]]\n"y z" = 2\n[t.u]\nv = 3\n'
    found = positions(text)
    assert ("b",) not in found
    assert found["t", 0, "x"] == 5
    assert found["t", 1, "y z"] == 7
    assert found["t", 1, "u", "v"] == 9


def test_secret_is_made_once_and_private(tmp_path: Path) -> None:
    first = engine_secret(tmp_path / "data")
    assert isinstance(first, bytes)
    assert len(first) == 32
    assert engine_secret(tmp_path / "data") == first
    assert (tmp_path / "data/engine.secret").stat().st_mode & 0o777 == 0o600


def test_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    engine_secret(tmp_path)
    (tmp_path / "engine.secret").chmod(0o644)
    assert isinstance(engine_secret(tmp_path), Fault)
