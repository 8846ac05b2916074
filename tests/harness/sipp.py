"""Runs SIPp scenarios: one caller or one answering side, with its logs when it fails."""

import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.ports import free_port
from tests.harness.programs import need
from tests.harness.sip import Address
from tests.harness.waiting import until

SCENARIOS = Path(__file__).parent.parent / "sip" / "scenarios"
MEANING = {
    1: "at least one call failed",
    97: "internal command exit",
    99: "ended without processing a call",
    253: "RTP validation failure",
    254: "connection error",
    255: "fatal error",
}
_SIGUSR1 = signal.SIGUSR1  # SIPp: finish the running calls, then end


class Sipp:
    """One SIPp process. As a context manager it is an answering side that runs until the block ends."""

    def __init__(
        self,
        scenario: str,
        folder: Path,
        *,
        remote: Address | None = None,
        port: int = 0,
        rows: Sequence[Sequence[str]] = (),
        keys: Mapping[str, str] | None = None,
        calls: int = 0,
        rate: int = 10,
        timeout_s: int = 30,
    ) -> None:
        self.scenario = scenario
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"sipp-{scenario}-", dir=folder))
        self.timeout_s = timeout_s
        self.arguments = [need("sipp", "sip-tester")]
        if remote:
            self.arguments += [f"{remote[0]}:{remote[1]}"]
        self.arguments += ["-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-p", str(self.port)]
        self.arguments += ["-nostdin", "-timeout_error", "-timeout", f"{timeout_s}s", "-recv_timeout", "8000"]
        self.arguments += ["-trace_err", "-error_file", str(self.folder / "errors.log")]
        self.arguments += ["-trace_msg", "-message_file", str(self.folder / "messages.log")]
        self.arguments += ["-trace_stat", "-stf", str(self.folder / "stat.csv"), "-fd", "1"]
        if calls:
            self.arguments += ["-m", str(calls), "-r", str(rate)]
        if rows:
            table = self.folder / "rows.csv"
            table.write_text("SEQUENTIAL\n" + "".join(";".join(row) + "\n" for row in rows), encoding="utf-8")
            self.arguments += ["-inf", str(table)]
        for key, value in (keys or {}).items():
            self.arguments += ["-key", key, value]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start without waiting for the end."""
        with (self.folder / "screen.log").open("wb") as screen:
            self.process = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT, cwd=self.folder
            )
        return self

    def wait(self) -> None:
        """Wait for the end; a failed call is an `AssertionError` with SIPp's own words."""
        assert self.process is not None
        try:
            code = self.process.wait(self.timeout_s + 10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise AssertionError(f"SIPp {self.scenario} hung\n{self.report()}") from None
        assert code == 0, f"SIPp {self.scenario}: exit {code}, {MEANING.get(code, 'unknown')}\n{self.report()}"

    def run(self) -> Self:
        """Run to the end."""
        self.start().wait()
        return self

    def __enter__(self) -> Self:
        self.start()
        until(self._listens, what=f"SIPp {self.scenario} to listen on {self.port}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(_SIGUSR1)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        if error is None:
            errors = self.text("errors.log")
            assert not errors, f"SIPp {self.scenario} complained:\n{errors[-3000:]}"

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"SIPp {self.scenario} ended at once\n{self.report()}"
        wanted = f":{self.port:04X} "
        return wanted in Path("/proc/net/udp").read_text(encoding="utf-8")

    def messages(self) -> str:
        """Return every message sent and received."""
        return self.text("messages.log")

    def text(self, name: str) -> str:
        """Return a log, "" when SIPp has not written it."""
        file = self.folder / name
        return file.read_text(errors="replace") if file.exists() else ""

    def report(self) -> str:
        """Return what helps to see why a call failed."""
        parts = [("errors", self.text("errors.log")[-3000:]), ("messages", self.messages()[-6000:])]
        parts.append(("screen", self.text("screen.log")[-1500:]))
        return "\n".join(f"---- {name}\n{text}" for name, text in parts if text)
