"""Registrars that notify: from the configuration and the lines of the store to the subscriptions of `registrar_watch.reg_event`."""

from pathlib import Path
from typing import TYPE_CHECKING

from registrar_watch.reg_event.watch import RegEventWatch, RegistrarAccess
from sipproxy.config.model import Configuration
from sipproxy.config.types import split_endpoint
from sipproxy.errors import ConfigurationError, Fault

if TYPE_CHECKING:
    from sipproxy._engine import Engine
    from sipproxy.supply import Supply

_MAX_PASSWORD_FILE = 4096


class ForeignRegistrations:
    """Keeps a subscription for each line whose registrar notifies."""

    def __init__(self, configuration: Configuration, engine: "Engine", supply: "Supply") -> None:
        """Raises `ConfigurationError` when a password cannot be read."""
        self._supply = supply
        self._access = {entry.name: entry for entry in configuration.registrars if entry.mode == "reg_event"}
        listen = configuration.sip.reg_event_listen
        self._listen = split_endpoint(listen) if listen is not None else (split_endpoint(configuration.sip.listen[0])[0], 0)
        access = [
            RegistrarAccess(
                entry.name,
                entry.domain,
                tuple(split_endpoint(address) for address in entry.addresses),
                frozenset(split_endpoint(address)[0] for address in entry.addresses) | frozenset(entry.sources),
                entry.expires_s,
                _credentials(entry.username, entry.password_file),
                entry.subscribe_rate,
                entry.trust_expiry,
            )
            for entry in self._access.values()
        ]
        self.watch = RegEventWatch(access, engine.report_registrations, supply.line_slot, self._listen)
        self._open = False

    async def start(self) -> None:
        """Bind the socket and subscribe for all lines. Raises `ConfigurationError`. Without a registrar that notifies nothing is done."""
        if not self._access:
            return
        try:
            await self.watch.open()
        except OSError as error:
            shown = f"{self._listen[0]}:{self._listen[1]}"
            message, remedy = f"cannot bind {shown}: {error.strerror}", "use an address of this host and a free port"
            raise ConfigurationError((Fault("", "sip.reg_event_listen", message, remedy),)) from None
        self._open = True
        self.lines_changed(None)

    def stop(self) -> None:
        """End the subscriptions."""
        if self._open:
            self._open = False
            self.watch.close()

    def lines_changed(self, ids: list[str] | None) -> None:
        """Follow the lines of the store; None: all of them."""
        if not self._open:
            return
        lines = self._supply.directory.registry.lines
        if ids is None:
            wanted = {
                key: (line.registrar, line.users)
                for key, line in list(lines.items())
                if line.kind == "foreign" and line.registrar is not None
            }
            self.watch.keep_only(wanted)
            return
        for key in ids:
            line = lines.get(key)
            foreign = line is not None and line.kind == "foreign" and line.registrar is not None
            self.watch.keep(key, (line.registrar or "", line.users) if line is not None and foreign else None)


def _credentials(username: str | None, file: Path | None) -> tuple[str, str] | None:
    if username is None or file is None:
        return None
    try:
        with file.open(encoding="utf-8") as opened:
            password = opened.read(_MAX_PASSWORD_FILE).strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise ConfigurationError((Fault(str(file), "registrars.password_file", message, "check path and rights"),)) from None
    return username, password
