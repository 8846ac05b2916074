"""``sipproxy customer``: everything that is stored about a customer, given out or erased."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, errors, output, print_json
from sipproxy.private_file import private_file

app = typer.Typer(help="Data protection: what is stored about a customer, given out or erased.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer number.")]


@app.command()
def export(
    *,
    customer: Number,
    to: Annotated[Path | None, typer.Option("--to", help="File to write (mode 0600); else standard output.")] = None,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Export everything that is stored about a customer as one JSON object, without secrets."""
    found = connect(config, socket).request("customer", action="export", customer=customer)
    if to is None:
        print_json(found)
        return
    with private_file(to) as file:
        file.write(json.dumps(found, indent=2, ensure_ascii=False).encode() + b"\n")
    errors.print(f"written to {escape(str(to))}")


@app.command()
def erase(
    *,
    customer: Number,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="CUSTOMER", help="The customer number again; else it is asked for.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Erase a customer: orders, lines, numbers, rules, users, registrations, events, calls, versions. It cannot be undone."""
    client = connect(config, socket)
    if confirm is None:
        confirm = typer.prompt(f"Everything about customer {customer} is lost. Type the customer number again", err=True)
    done = client.request("customer", action="erase", customer=customer, confirm=confirm)
    if as_json:
        print_json(done)
        return
    removed = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in done["removed"].items() if count)
    output.print(f"[green]customer {escape(customer)} is erased:[/] {removed}", soft_wrap=True)
    output.print("[dim]Backups, and files that were exported before, are not touched.[/]")
