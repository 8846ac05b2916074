"""``sipproxy coverage``: how much of an order or customer is protected, and where the gaps are."""

from datetime import date
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from routing.numbers import pretty
from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json
from sipproxy.commands.simulate import FAULT_NAMES, when

_BAR = 30
_SPANS = 6
"""Rows of numbers that are named in one line; --json has all."""


def coverage(
    *,
    order: Annotated[str | None, typer.Argument(help="The order's id.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", help="All orders of this customer instead.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="When, by the clocks in Germany: '2026-12-24 18:30', or with an offset. Else now.")
    ] = None,
    fault: Annotated[str, typer.Option("--fault", help=f"What is out: {FAULT_NAMES}.")] = "data-line",
    week: Annotated[bool, typer.Option(help="Look at the seven days from then on as well.")] = True,
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Say how many numbers of ORDER are protected in a fault, which are not, why, and at which times of the week."""
    if (order is None) == (customer is None):
        message = "name one order, or --customer C"
        raise typer.BadParameter(message, param_hint="ORDER")
    found = connect(config, socket).request("coverage", order=order or "", customer=customer or "", at=at, fault=fault, week=week)
    if as_json:
        print_json(found)
        return
    output.print(f"{when(found['at'])}  [bold]{escape(found['fault_words'])}[/]  [dim]{escape(found['seen'])}[/]", soft_wrap=True)
    for report in found["orders"]:
        _order(report, found["customer_name"])
    if customer is not None:
        output.print()
        name = escape(f"{found['customer_name']} ({found['customer']}), {len(found['orders'])} orders")
        output.print(f"[bold]{name}[/]")
        output.print(_sum(found), soft_wrap=True)


def _order(report: dict[str, Any], customer: str) -> None:
    output.print()
    head = " · ".join(part for part in (f"order {report['order']}", customer, report["product"], report["address"]) if part)
    output.print(f"[bold]{escape(head)}[/]", soft_wrap=True)
    output.print(_sum(report), soft_wrap=True)
    gaps = [group for group in report["groups"] if not group["protected"]]
    held = [group for group in report["groups"] if group["protected"]]
    if gaps:
        output.print("  [yellow]not protected[/]")
        _table((group["count"], group["gap"]["text"], group) for group in gaps)
    if held:
        output.print("  [green]protected[/]")
        _table((group["count"], group["says"], group) for group in held)
    for base in report["open_blocks"]:
        text = f"block {pretty(base)} holds any extension; counted are its base and what rules name"
        output.print(f"  [dim]{escape(text)}[/]", soft_wrap=True)
    for text in report["later"]:
        output.print(f"  [dim]{escape(text)}[/]", soft_wrap=True)
    _week(report["week"], report["counted"])


def _week(week: dict[str, Any] | None, counted: int) -> None:
    if week is None or not counted:
        return
    first, last = (date.fromisoformat(week[name]).strftime("%a %d %b") for name in ("first", "last"))
    parts = week["parts"]
    if len(parts) == 1:
        output.print(
            f"  [dim]{first} – {last}: {'protected ' if parts[0]['when'] != 'never' else ''}{escape(parts[0]['when'])}[/]"
        )
        return
    output.print(f"  in the week {first} – {last}")
    _table((part["count"], part["when"], part) for part in parts)
    if not week["whole"]:
        output.print("  [dim]more changes than are looked at: the end of the week is not in this[/]")


def _sum(found: dict[str, Any]) -> str:
    counted, protected = found["counted"], found["protected"]
    if not counted:
        return "  [yellow]no numbers[/]"
    full = protected * _BAR // counted
    colour = "green" if protected == counted else "yellow" if protected else "red"
    bar = f"[{colour}]{'━' * full}[/][dim]{'━' * (_BAR - full)}[/]"
    return f"  {bar}  [bold {colour}]{protected:,} of {counted:,} numbers protected[/]"


def _table(rows: Any) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", no_wrap=True, min_width=6)
    grid.add_column(min_width=40, max_width=48)
    grid.add_column(style="dim")
    for count, text, spans in rows:
        grid.add_row(f"{count:,}" if count else "–", escape(text), escape(_spans(spans)))
    output.print(Padding(grid, (0, 0, 0, 1)))


def _spans(held: dict[str, Any]) -> str:
    shown = [span["text"] for span in held["spans"][:_SPANS]]
    more = len(held["spans"]) + held["more"] - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
