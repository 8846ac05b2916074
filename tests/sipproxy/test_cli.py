"""The command line says what is wrong and what to do, and its exit status is for scripts."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sipproxy.commands.status import _lines
from sipproxy.config import load
from sipproxy.reload import merged, restart_notes

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


def run(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command in an empty environment of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sipproxy", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def write(folder: Path, text: str) -> str:
    file = folder / "sipproxy.toml"
    file.write_text(text)
    return str(file)


def test_good_file_is_ok(tmp_path: Path) -> None:
    done = run("check-config", write(tmp_path, GOOD), folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok ")


def test_an_address_in_brackets_is_no_markup(tmp_path: Path) -> None:
    done = run("check-config", write(tmp_path, GOOD.replace("127.0.0.1", "[fd00::1]")), folder=tmp_path)
    assert "[fd00::1]:5060" in done.stdout
    line = {"line_id": "l", "product": "p", "effective": "down", "wish": "enabled", "diverting": False, "since_unix_ms": 0}
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(_lines([{**line, "cause_text": "no answer of [fd00::1]:5060 [/]", "bindings": 0}]))
    assert "no answer of [fd00::1]:5060 [/]" in console.export_text()


def test_faults_are_listed_with_line_and_remedy(tmp_path: Path) -> None:
    text = GOOD.replace("listen", "lisen") + "[profiles.registred]\nfall = 0\n"
    done = run("check-config", write(tmp_path, text), folder=tmp_path)
    assert done.returncode == 1
    assert "sipproxy.toml:3: sip.lisen: unknown key — did you mean 'listen'?" in done.stderr
    assert "sipproxy.toml:11: profiles.registred.fall: 0 is out of bounds — it must be at least 1" in done.stderr


def test_unknown_profile_gets_a_suggestion(tmp_path: Path) -> None:
    done = run("check-config", write(tmp_path, GOOD + "[profiles.registred]\nfall = 2\n"), folder=tmp_path)
    assert done.returncode == 1
    assert "sipproxy.toml:10: profiles.registred: no such line profile — did you mean 'registered'?" in done.stderr


@pytest.mark.parametrize("command", [["status"], ["explain", "030"], ["reload"], ["divert", "arm", "030 23125000"]])
def test_service_that_does_not_run_is_told_apart(tmp_path: Path, command: list[str]) -> None:
    config = write(tmp_path, GOOD)
    done = run(*command, "--config", config, folder=tmp_path)
    assert done.returncode == 3
    assert f"sipproxy serve --config {config}" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_status_2(tmp_path: Path) -> None:
    assert run("explain", folder=tmp_path).returncode == 2


def test_reload_takes_what_it_can_and_names_the_rest(tmp_path: Path) -> None:
    running = load(Path(write(tmp_path, GOOD))).configuration
    changed = GOOD.replace("5060", "5070").replace("192.0.2.10", "192.0.2.11") + '[registrar]\nrealm = "new"\n'
    fresh = load(Path(write(tmp_path, changed))).configuration
    effective = merged(running, fresh)
    assert effective.sip.listen == ["127.0.0.1:5060"]
    assert effective.core_peers[0].address == "192.0.2.11"
    notes = restart_notes(running, fresh)
    assert any(note.startswith("sip.listen") for note in notes)
    assert any("realm" in note for note in notes)
    assert restart_notes(running, running) == []
