"""Kamailio in its fastest fair configuration: one worker, `F_MALLOC`, no log, and no more modules than the job needs."""

import os
import shutil
from pathlib import Path

from benchmarks.plan import ORDER_TARGET, OWN_BASE, OWN_KEEP, OWN_SUFFIX, NumberPlan

_TEMPLATES = Path(__file__).resolve().parent
_BYTES_PER_NUMBER = 512
"""Shared memory to reserve; an entry takes about 170 bytes."""


class KamailioMissingError(Exception):
    """Kamailio or its modules are not installed."""


def _modules() -> Path:
    for place in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"):
        if (found := Path(place, "kamailio", "modules")).is_dir():
            return found
    raise KamailioMissingError("Kamailio's modules were not found; install Debian's package kamailio")


def _headers(listen: str, *, histinfo: bool) -> str:
    """Return the header fields of the 302, as a string of Kamailio's configuration language (``%`` is not special there)."""
    contact = f"<sip:$var(target)@{listen};user=phone;cause=404>"
    fields = [
        f"Contact: {contact};q=1.0",
        f"Diversion: <sip:$rU@{listen};user=phone>;reason=out-of-service;counter=1",
        r"Reason: Q.850;cause=27;text=\"Destination out of order\"",
    ]
    if histinfo:
        fields.append(f"History-Info: <sip:$rU@{listen};user=phone>;index=1,{contact};index=1.1")
    return "".join(f"{field}\\r\\n" for field in fields)


def _fill(role: str, values: dict[str, str]) -> str:
    text = (_TEMPLATES / "common.cfg.in").read_text() + (_TEMPLATES / f"{role}.cfg.in").read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def configuration(role: str, listen: str, plan: NumberPlan, *, uas: str, histinfo: bool, children: int = 1) -> str:
    """Return the configuration file for ``redirect``, ``proxy`` or ``registrar``."""
    prefix, suffix = plan.split()
    values = {
        "children": str(children),
        "listen": listen,
        "modules": f"{_modules()}/",
        # One bucket per number, as a power of two within the module's bounds.
        "size": str(min(max(plan.count.bit_length(), 8), 20 if role == "redirect" else 16)),
        "headers": _headers(listen, histinfo=histinfo),
        "numbers": str(plan.count),
        "prefix": prefix,
        "suffix": str(suffix),
        "own_digits": str(len(OWN_SUFFIX)),
        "own_suffix": OWN_SUFFIX,
        "own_base": OWN_BASE,
        "own_keep": str(OWN_KEEP),
        "target": ORDER_TARGET,
        "uas": uas,
    }
    return _fill(role, values)


def command(config: Path, plan: NumberPlan) -> list[str]:
    """Return the command that runs Kamailio in the foreground with its files in the configuration's folder."""
    binary = shutil.which("kamailio", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        raise KamailioMissingError("kamailio was not found; install Debian's package kamailio")
    shared = max(128, plan.count * _BYTES_PER_NUMBER >> 20)
    folder = config.parent
    return [
        *(binary, "-f", str(config), "-x", "fm", "-X", "fm", "-DD", "-E"),
        *("-m", str(shared), "-M", "16", "-Y", str(folder), "-P", str(folder / "kamailio.pid")),
    ]
