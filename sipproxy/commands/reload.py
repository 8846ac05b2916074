"""``sipproxy reload``: read the configuration again."""

from rich.markup import escape

from sipproxy.commands.output import ConfigFile, SocketPath, connect, output


def reload(config: ConfigFile = None, socket: SocketPath = None) -> None:
    """Read the configuration again; what takes effect at the next start only is named. On a fault the old one stays."""
    result = connect(config, socket).request("reload")
    output.print(f"[green]reloaded[/] {escape(result['file'])}", soft_wrap=True)
    for note in result["notes"]:
        output.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
