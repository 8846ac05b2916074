"""Read and check a configuration file as a whole: all faults at once, or a configuration that can be used."""

import difflib
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from routing.overrides import contradictions
from sipproxy.config.faults import faults_of
from sipproxy.config.model import Configuration
from sipproxy.config.positions import Path as KeyPath
from sipproxy.config.positions import line_of, positions
from sipproxy.config.resolve import Lookup, ResolvedPeer, addresses_of, resolve_peers
from sipproxy.config.types import split_endpoint
from sipproxy.errors import ConfigurationError, Fault


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that passed every check, with the core peers' names resolved."""

    file: Path
    configuration: Configuration
    peers: list[ResolvedPeer]
    positions: dict[KeyPath, int] = field(default_factory=dict, repr=False)

    def line_of(self, path: KeyPath) -> int | None:
        """Line of a key, for faults that only others can find."""
        return line_of(path, self.positions)


def load(file: Path, lookup: Lookup = addresses_of) -> Loaded:
    """Read ``file``. Raises `ConfigurationError` with every fault that was found; nothing is written anywhere."""
    text, table = _read(file)
    found = positions(text)
    try:
        configuration = Configuration.model_validate(table)
    except ValidationError as error:
        raise ConfigurationError(faults_of(error.errors(include_url=False), str(file), found)) from None
    configuration = _absolute(configuration, file.resolve().parent)
    faults = list(_references(configuration, str(file), found))
    peers, unresolved = resolve_peers(configuration.core_peers, str(file), lookup)
    faults += [_with_line(fault, found) for fault in unresolved]
    if faults:
        raise ConfigurationError(tuple(faults))
    return Loaded(file, configuration, peers, found)


def _read(file: Path) -> tuple[str, dict[str, object]]:
    try:
        text = file.read_text("utf-8")
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = getattr(error, "lineno", None) or _line_in(str(error))
        fault = Fault(str(file), "", f"not TOML: {error}", "see https://toml.io for the form of the file", line)
    except UnicodeDecodeError as error:
        fault = Fault(str(file), "", f"not UTF-8 at byte {error.start}", "save the file as UTF-8")
    except FileNotFoundError:
        remedy = "copy deploy/sipproxy.toml there, or name another file with --config"
        fault = Fault(str(file), "", "no such file", remedy)
    except OSError as error:
        fault = Fault(str(file), "", f"cannot be read ({error.strerror})", "check path and rights")
    raise ConfigurationError((fault,))


def _line_in(message: str) -> int | None:
    """Tomllib tells the line in its text: ``(at line 3, column 5)``."""
    _, mark, rest = message.partition("(at line ")
    digits = rest.partition(",")[0]
    return int(digits) if mark and digits.isdigit() else None


def _absolute(configuration: Configuration, folder: Path) -> Configuration:
    admin, store = configuration.admin, configuration.store
    if admin.socket is not None:
        admin = admin.model_copy(update={"socket": folder / admin.socket})
    registrars = [
        entry.model_copy(update={"password_file": folder / entry.password_file}) if entry.password_file is not None else entry
        for entry in configuration.registrars
    ]
    for name in ("password_file", "ca_file", "server_binary"):
        path = getattr(store, name)
        if path is not None:
            store = store.model_copy(update={name: folder / path})
    changes = {"data_dir": folder / configuration.data_dir, "admin": admin, "store": store, "registrars": registrars}
    return configuration.model_copy(update=changes)


def _with_line(fault: Fault, found: dict[KeyPath, int]) -> Fault:
    name, _, rest = fault.key.partition("[")
    index, _, key = rest.partition("].")
    line = line_of((name, int(index), key), found)
    return Fault(fault.file, fault.key, fault.message, fault.remedy, line)


def _references(configuration: Configuration, file: str, found: dict[KeyPath, int]) -> Iterator[Fault]:
    """Find what no single field shows: names that nobody defines, names given twice, addresses that collide."""

    def fault(path: KeyPath, key: str, message: str, remedy: str) -> Fault:
        return Fault(file, key, message, remedy, line_of(path, found))

    names = [entry.name for entry in configuration.interconnects]
    for index, name in enumerate(names):
        if name in names[:index]:
            key = f"interconnects[{index}].name"
            yield fault(("interconnects", index, "name"), key, f"{name!r} is defined twice", "give each its own name")
    for index, peer in enumerate(configuration.core_peers):
        if peer.interconnect not in names:
            key = f"core_peers[{index}].interconnect"
            message = f"no [[interconnects]] entry is named {peer.interconnect!r}"
            yield fault(("core_peers", index, "interconnect"), key, message, f"known: {', '.join(names)}")
    yield from _listen_faults(configuration, fault)
    yield from _registrar_faults(configuration, fault)
    yield from _profile_faults(configuration, fault)
    socket_bytes = len(str(configuration.admin_socket).encode())
    if socket_bytes > _UNIX_PATH_MAX:
        message = f"the path of the admin socket has {socket_bytes} bytes; the system allows {_UNIX_PATH_MAX}"
        yield fault(("admin", "socket"), "admin.socket", message, "set a shorter one, such as /run/sipproxy/admin.sock")


_NewFault = Callable[[KeyPath, str, str, str], Fault]


def _listen_faults(configuration: Configuration, fault: _NewFault) -> Iterator[Fault]:
    seen: set[tuple[str, int]] = set()
    for index, listen in enumerate(configuration.sip.listen):
        key, endpoint = f"sip.listen[{index}]", split_endpoint(listen)
        if endpoint in seen and endpoint[1]:
            yield fault(("sip", "listen"), key, f"{listen} is listed twice", "remove one of them")
        if endpoint[0] in {"0.0.0.0", "::"}:  # noqa: S104 - refused, not used
            message = f"{listen} stands for all addresses, but Via and Record-Route must name one"
            yield fault(("sip", "listen"), key, message, "name each address of this host that shall take SIP")
        seen.add(endpoint)


def _registrar_faults(configuration: Configuration, fault: _NewFault) -> Iterator[Fault]:
    names = [entry.name for entry in configuration.registrars]
    for index, entry in enumerate(configuration.registrars):
        path, key = ("registrars", index, "name"), f"registrars[{index}].name"
        if entry.name in names[:index]:
            yield fault(path, key, f"{entry.name!r} is defined twice", "give each its own name")
        for at, address in enumerate(entry.addresses):
            if not split_endpoint(address)[1]:
                path, key = ("registrars", index, "addresses"), f"registrars[{index}].addresses[{at}]"
                yield fault(path, key, f"{address} has no port to send to", "name its port, as a rule 5060")
        if entry.password_file is not None and not entry.password_file.exists():
            path, key = ("registrars", index, "password_file"), f"registrars[{index}].password_file"
            yield fault(path, key, f"there is no file {entry.password_file}", "write the password there, mode 0600")
        if (entry.username is None) != (entry.password_file is None):
            path, key = ("registrars", index, "username"), f"registrars[{index}].username"
            yield fault(path, key, "username and password_file go together", "set both, or none of them")


def _profile_faults(configuration: Configuration, fault: _NewFault) -> Iterator[Fault]:
    if not configuration.profiles:
        return
    from routing.profiles import PROFILES  # noqa: PLC0415 - the products import slowly, and most files change no profile

    for name, changes in configuration.profiles.items():
        if name not in PROFILES:
            near = difflib.get_close_matches(name, PROFILES, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(PROFILES))}"
            yield fault(("profiles", name), f"profiles.{name}", "no such line profile", remedy)
            continue
        for field_name, message, remedy in contradictions({**PROFILES[name], **changes.model_dump(exclude_none=True)}):
            yield fault(("profiles", name, field_name), f"profiles.{name}.{field_name}", message, remedy)


_UNIX_PATH_MAX = 107  # sun_path of unix(7), less the closing zero byte
