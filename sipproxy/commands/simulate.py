"""``sipproxy simulate``: what a call would get at a time, in a fault, and why."""

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from routing.faults import FAULTS
from routing.local_time import BERLIN
from routing.numbers import pretty
from sipproxy.commands.output import AsJson, ConfigFile, SocketPath, connect, output, print_json

FAULT_NAMES = ", ".join(name.replace("_", "-") for name in FAULTS)
_GOOD = {"diverted": "green", "rescued": "green", "line": "cyan", "line_contact": "cyan"}


def simulate(
    *,
    number: Annotated[str, typer.Argument(help="The called number in any form: +49…, 0049…, 030….")],
    at: Annotated[
        str | None, typer.Option("--at", help="When, by the clocks in Germany: '2026-12-24 18:30', or with an offset. Else now.")
    ] = None,
    fault: Annotated[str, typer.Option("--fault", help=f"What is out: {FAULT_NAMES}.")] = "none",
    caller: Annotated[str, typer.Option("--caller", help="Who calls.")] = "",
    interconnect: Annotated[
        str | None,
        typer.Option("--interconnect", "-i", help="As if the call came from this interconnect; else the first one."),
    ] = None,
    diverted_from: Annotated[
        list[str] | None,
        typer.Option("--diverted-from", help="A number that the call was diverted from before; again for each, in order."),
    ] = None,
    offers_history: Annotated[bool, typer.Option("--offers-history", help="The call says Supported: histinfo.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    socket: SocketPath = None,
) -> None:
    """Say what a call to NUMBER would get at a time and in a fault, and why. No call is made and nothing is changed."""
    answer = connect(config, socket).request(
        "simulate",
        number=number,
        at=at,
        fault=fault,
        caller=caller,
        interconnect=interconnect,
        diverted_from=diverted_from or [],
        offers_history=offers_history,
    )
    if as_json:
        print_json(answer)
        return
    colour = _GOOD.get(answer["outcome"], "yellow")
    output.print(
        f"[bold]{escape(pretty(answer['number']))}[/]  {when(answer['at'])}  {escape(answer['fault_words'])}", soft_wrap=True
    )
    output.print(f"[bold {colour}]→ {escape(answer['sentence'])}[/]", soft_wrap=True)
    output.print()
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", justify="right", no_wrap=True)
    grid.add_column()
    for name, text in _rows(answer):
        grid.add_row(name, text)
    output.print(grid)


def when(text: str) -> str:
    """Return an instant (ISO) as people in Germany read it, with its day of the week."""
    return datetime.fromisoformat(text).astimezone(BERLIN).strftime("%a %d %b %Y %H:%M %Z")


def _rows(answer: dict[str, Any]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for index, target in enumerate(answer["targets"], 1):
        rings = f", rings {target['ring_s']} s" if target["ring_s"] else ""
        line = f"{index}. [bold]{escape(pretty(target['number']))}[/]  [dim]q {target['q']}{rings}[/]"
        rows.append(("targets" if index == 1 else "", line))
    owner = answer["owner"]
    if owner is not None:
        whose = f"{owner['customer_name']} ({owner['customer']}), order {owner['order']}, {owner['product']}, {owner['address']}"
        rows += [("whose", escape(whose)), ("line", escape(f"{owner['line']}, by {owner['held_by'] or 'nothing'}"))]
    for index, rule in enumerate(answer["rules"]):
        mark = "[green]✓[/]" if rule["applies"] else "[dim]·[/]"
        rows.append(("rules" if index == 0 else "", f"{mark} {escape(rule['text'])}"))
    if owner is not None and not answer["rules"]:
        rows.append(("rules", "[yellow]none[/]"))
    rows += [("times" if index == 0 else "", escape(text)) for index, text in enumerate(_times(answer["times"]))]
    rows += [("dates" if index == 0 else "", escape(text)) for index, text in enumerate(answer["dates"])]
    rows.append(("call", escape(_call(answer))))
    rows += [("note" if index == 0 else "", escape(text)) for index, text in enumerate(answer["notes"])]
    rows += [("header" if index == 0 else "", f"[dim]{escape(f'{n}: {v}')}[/]") for index, (n, v) in enumerate(answer["headers"])]
    before = ""
    for step, text in answer["trace"]:
        rows.append((f"[not dim]{step}[/]" if step != before else "", escape(text)))
        before = step
    return rows


def _times(times: dict[str, Any] | None) -> list[str]:
    if times is None:
        return []
    day = datetime.fromisoformat(times["day"]).strftime("%a %d %b %Y")
    where = f" in {times['state']}" if times["state"] else " (state not known)"
    said = [f"{day} is {'a' if times['holiday'] else 'no'} public holiday{where}"]
    if times["plan"]:
        said.append(f"the plan {times['plan']!r} is on")
    if times["period"]:
        said.append(f"the period {times['period']!r} has the say")
    found = ["; ".join(said)]
    if times["next_change"]:
        found.append(f"something changes next on {when(times['next_change'])}")
    return found


def _call(answer: dict[str, Any]) -> str:
    text = f"from interconnect {answer['interconnect']}"
    if answer["caller"]:
        text = f"by {pretty(answer['caller'])}, {text}"
    if answer["diverted_from"]:
        text += f", diverted before from {', then from '.join(answer['diverted_from'])}"
    return text
