"""What the commands share: consoles, the option that finds the service, and one request to it."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sipproxy.admin.client import AdminClient
from sipproxy.config.sockets import admin_socket_of, usual_file
from sipproxy.errors import ServiceNotRunning

output = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="SIPPROXY_CONFIG",
        help="Configuration file; else ./sipproxy.toml or /etc/sipproxy/sipproxy.toml.",
    ),
]
SocketPath = Annotated[
    Path | None,
    typer.Option("--socket", envvar="SIPPROXY_SOCKET", help="Admin socket of the service; else the one that --config names."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the raw answer as JSON.")]


def connect(config: Path | None, socket: Path | None) -> AdminClient:
    """Return a client for the running service. Raises `ServiceNotRunning` when no socket can be found."""
    if socket is None:
        file = config or usual_file()
        if config is not None and not config.is_file():
            message = f"the configuration file {config} does not exist"
            raise ServiceNotRunning(message, "correct --config (or SIPPROXY_CONFIG)")
        socket = admin_socket_of(file) if file is not None else None
    if socket is None:
        message = "no configuration file names the service's admin socket"
        remedy = "name it with --config FILE or --socket PATH (or SIPPROXY_CONFIG, SIPPROXY_SOCKET)"
        raise ServiceNotRunning(message, remedy)
    return AdminClient(socket, start_hint=f"sipproxy serve --config {config or usual_file() or 'FILE'}")


def print_json(value: Any) -> None:
    """Print ``value`` as JSON, unwrapped and uncoloured, for scripts."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
