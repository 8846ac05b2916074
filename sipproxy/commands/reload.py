"""``sipproxy reload``: read the configuration again."""

from sipproxy.commands.output import ConfigFile, SocketPath, connect, output


def reload(config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Read the configuration again: peers, interconnects, profiles, registrar. On a fault the old one stays."""
    result = connect(config, socket).request("reload")
    output.print(f"[green]reloaded[/] {result['file']}")
    for note in result["notes"]:
        output.print(f"[yellow]note:[/] {note}")
