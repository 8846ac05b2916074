"""Foreign phone systems as other ends: SIPp as a static gateway, baresip as a phone that registers behind NAT."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.faults.laboratory import plan
from tests.faults.laboratory.customers import TRUNK_PASSWORD, TRUNK_USER
from tests.faults.laboratory.namespaces import LaboratoryError, Namespace, program
from tests.faults.laboratory.truth import Timeline

_GATEWAY = Path(__file__).with_name("gateway.xml")
_MODULES = "/usr/lib/baresip/modules"


class ForeignPhone:
    """A program that plays the phone system, in a process of its own: it can be stopped as well as killed."""

    def __init__(self, where: Namespace, folder: Path, command: Sequence[str], *, registers: bool) -> None:
        self._where, self._folder, self._command = where, folder, list(command)
        self.registers = registers
        self.phone, self.registered = Timeline(), Timeline()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        if self._process is None:
            raise LaboratoryError(f"{self._command[0]} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start; who registers is registered when the registrar says so (`registered_at`)."""
        with (self._folder / "phone.log").open("ab") as log:
            self._process = self._where.popen(self._command, stdout=log, stderr=subprocess.STDOUT, cwd=self._folder)
        self.phone.begin()
        if not self.registers:
            self.registered.begin()

    def registered_at(self, at: float) -> None:
        """Note that the registrar has accepted it."""
        if self._process is not None:
            self.registered.begin(at)

    def kill(self) -> None:
        """``kill -9``: its port is closed."""
        self.phone.end()
        if self.registers:
            self.registered.end()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    close = kill

    def behave(self, mode: str) -> None:
        """Foreign programs have no modes."""
        raise LaboratoryError(f"a foreign phone cannot be {mode}")

    def heard(self, method: str) -> int:
        """Foreign programs are not asked."""
        raise LaboratoryError(f"a foreign phone does not count {method}")

    def log(self) -> str:
        """Return what it printed."""
        return (self._folder / "phone.log").read_text(errors="replace")

    def let_expire(self) -> None:
        """It registers as it likes."""
        raise LaboratoryError("a foreign phone registers as it likes")

    deregister = register = let_expire


def sipp(where: Namespace, folder: Path, host: str) -> ForeignPhone:
    """SIPp as a static gateway at ``host``."""
    words = f"-sf {_GATEWAY} -i {host} -p {plan.SIP_PORT} -mi {host} -nostdin -recv_timeout 40000 -aa -rtcheck loose"
    return ForeignPhone(where, folder, [program("sipp", "sip-tester"), *words.split()], registers=False)


def baresip(where: Namespace, folder: Path, host: str) -> ForeignPhone:
    """Baresip as the phone of the trunk's account: answers at once, refreshes every minute."""
    home = folder / "baresip"
    home.mkdir()
    settings = [
        *(f"sip_listen {host}:{plan.SIP_PORT}", "call_max_calls 500", f"module_path {_MODULES}"),
        *("module g711.so", "module_app account.so", "module_app menu.so"),
    ]
    (home / "config").write_text("\n".join(settings) + "\n", encoding="utf-8")
    account = f"<sip:{TRUNK_USER}@{plan.PROXY}>;auth_user={TRUNK_USER};auth_pass={TRUNK_PASSWORD};answermode=auto;regint=60"
    (home / "accounts").write_text(account + "\n", encoding="utf-8")
    (home / "contacts").write_text("", encoding="utf-8")
    return ForeignPhone(where, folder, [program("baresip", "baresip-core"), "-4", "-f", str(home)], registers=True)
