"""Kamailio takes the configurations that are made for it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.peers import kamailio
from benchmarks.plan import NumberPlan

KAMAILIO = shutil.which("kamailio", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.mark.skipif(KAMAILIO is None, reason="Debian's package kamailio is not installed")
@pytest.mark.parametrize("role", ["redirect", "proxy", "registrar"])
@pytest.mark.parametrize("histinfo", [True, False])
def test_the_configuration_is_accepted(tmp_path: Path, role: str, *, histinfo: bool) -> None:
    file = tmp_path / "kamailio.cfg"
    text = kamailio.configuration(role, "127.0.0.1:0", NumberPlan(), uas="127.0.0.1:5088", histinfo=histinfo)
    assert "@" not in text.replace("@$", "").replace("+$rU@127", "").replace("$rU@127", "").replace("$var(target)@127", "")
    file.write_text(text.replace("127.0.0.1:0", "127.0.0.1:5099"))
    command = [*kamailio.command(file, NumberPlan())[:7], "-c"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "ERROR" in done.stderr) == (0, False), done.stderr
