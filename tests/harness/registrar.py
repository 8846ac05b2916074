"""A real Kamailio as somebody else's registrar and presence server, on loopback."""

import shutil
import subprocess
from pathlib import Path

from tests.harness.ports import free_port
from tests.harness.programs import need, need_file
from tests.harness.sip import Address, Endpoint, final, host_port
from tests.harness.waiting import until

CONFIG = Path(__file__).with_name("kamailio") / "registrar.cfg"
TABLES = Path("/usr/share/kamailio/dbtext/kamailio")
DOMAIN = "ims.example.org"
NEEDED = ("version", "presentity", "active_watchers", "watchers", "pua", "xcap")


class ForeignRegistrar:
    """One Kamailio; ``restart`` forgets its registrations, as one that keeps them in memory does."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.program = need("kamailio", "kamailio")
        need_file("/usr/lib/*/kamailio/modules/presence_reginfo.so", "kamailio-presence-modules")
        self.folder = folder
        self.address: Address = (host, free_port(host))
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> "ForeignRegistrar":
        """Start with empty tables, and wait until it answers."""
        shutil.rmtree(self.folder / "db", ignore_errors=True)
        (self.folder / "db").mkdir()
        for table in NEEDED:
            shutil.copy(TABLES / table, self.folder / "db" / table)
        text = CONFIG.read_text(encoding="utf-8")
        for name, value in {"ADDRESS": host_port(self.address), "FOLDER": str(self.folder), "DOMAIN": DOMAIN}.items():
            text = text.replace(name, value)
        config = self.folder / "kamailio.cfg"
        config.write_text(text, encoding="utf-8")
        with (self.folder / "kamailio.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-DD", "-E", "-x", "fm", "-m", "64", "-M", "8", "-f", str(config), "-Y", str(self.folder)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, timeout_s=20, what=f"Kamailio to answer; its log is {self.folder / 'kamailio.log'}")
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"Kamailio ended:\n{self.log()[-3000:]}"
        with Endpoint() as probe:
            request = probe.request("OPTIONS", f"sip:{host_port(self.address)}")
            probe.send(request, self.address)
            try:
                return probe.expect(final(request), what="answer", timeout_s=0.5).status == 200
            except AssertionError:
                return False

    def log(self) -> str:
        """Return what it wrote."""
        return (self.folder / "kamailio.log").read_text(errors="replace")

    def stop(self) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.process = None
