"""The play: each step says what it does, does it over real UDP, and is checked; the exit status says whether all were right."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from sipproxy.demo import cast
from sipproxy.demo.keep import keep_running
from sipproxy.demo.ladder import Ladder
from sipproxy.demo.running import RunningService
from sipproxy.demo.ua import NoAnswer, Result
from sipproxy.errors import SipproxyError

_FAULT_S = 60.0  # longest wait for a verdict; the profile's own bound is about 14 s
_PAUSE_S = 1.2
_OK, _MOVED = 200, 302


class StepFailed(Exception):  # noqa: N818 - the name says what is the case
    """A step was not right; the message says what was expected and what came."""


@dataclass(slots=True)
class Times:
    """What was measured, in seconds."""

    first_302: float = 0.0
    verdict: float = 0.0
    redirect: float = 0.0
    first_proxied: float = 0.0


def play(*, keep: bool, fast: bool) -> int:
    """Play the whole outage; 0 when each step was right."""
    console = Console(highlight=False, width=min(Console().width, 100) if sys.stdout.isatty() else 80)
    try:
        return asyncio.run(Play(console, fast=fast).run(keep=keep))
    except (SipproxyError, NoAnswer) as error:
        console.print(f"[red]The demo could not go on:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return 130


class Play:
    """The steps, in order, and what came of them."""

    def __init__(self, console: Console, *, fast: bool) -> None:
        self._console = console
        self._pause_s = 0.0 if fast else _PAUSE_S
        self._ladder = Ladder(console)
        self._results: list[tuple[str, str]] = []
        self._times = Times()

    async def run(self, *, keep: bool) -> int:
        """Set up, play, tidy up; 0 when each step was right."""
        self._say("Starting an embedded store and the proxy on this machine (a few seconds) …")
        async with RunningService() as service, contextlib.AsyncExitStack() as stack:
            self._service = service
            host, port = service.address
            self._say(f"The proxy serves [bold]{host}:{port}[/] (UDP); its folder is {service.folder}.")
            self._cast = await cast.enter(service.address, self._ladder)
            stack.callback(self._cast.close)
            steps: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
                ("Customers, lines, numbers and diversions loaded", self._load),
                ("Phone system and phone registered with digest", self._register),
                ("All three lines judged up", self._all_up),
                ("Healthy line: call proxied to the end", self._healthy),
                ("Phone system dies; the call under way is rescued", self._dies),
                ("Line judged down", self._judged_down),
                ("Block extension: 302 to the block's target, extension kept", self._block_redirected),
                ("Number with its own rule: 302 to its own target", self._own_redirected),
                ("Other customers' lines are not touched", self._others),
                ("Line returns; call proxied again", self._returns),
            )
            for title, step in steps:
                if not await self._step(title, step):
                    break
            self._report(planned=len(steps))
            good = len(self._results) == len(steps) and all(result == "ok" for _, result in self._results)
            if good and keep:
                await keep_running(self._console, service, self._cast)
            self._say("Stopping …")
        return 0 if good else 1

    # -- steps --------------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        text = cast.document(self._cast.gateway.address)
        result = await self._service.ask("load", name="demo.yaml", text=text, dry_run=False)
        _expect("entities written", result["written"] > 0, f"{result['written']}")

    async def _register(self) -> None:
        self._ladder.open("REGISTER of the phone system, with digest", "", "Phone system")
        response = await self._cast.pbx.register()
        self._ladder.close()
        _expect("REGISTER of the phone system answered 200", response.status == _OK, str(response.status))
        response = await self._cast.phone.register()
        _expect("REGISTER of the phone answered 200", response.status == _OK, str(response.status))

    async def _all_up(self) -> None:
        self._say("Waiting until the proxy has seen OPTIONS answered on all lines …")
        for line in cast.LINES:
            await self._until(line, "up")
        self._show_lines(await self._service.ask("status"))

    async def _healthy(self) -> None:
        result = await self._call("Call to block extension 010: the line is up", cast.EXTENSION_CALLED)
        _expect("200", result.status == _OK, str(result.status))
        _expect("the phone system was called", bool(self._cast.pbx.calls), "it was not")

    async def _dies(self) -> None:
        self._say("Now the phone system loses power. Nobody is told; its registration still stands.")
        await asyncio.sleep(self._pause_s)
        self._cast.pbx.die()
        self._fault_at = time.monotonic()
        result = await self._call("Call to block extension 011, at this very moment", cast.EXTENSION_RESCUED, at_once=True)
        self._times.first_302 = time.monotonic() - self._fault_at
        self._redirected(result, cast.RESCUED_TARGET)

    async def _judged_down(self) -> None:
        self._say("Waiting for the verdict: OPTIONS get no answer …")
        line = await self._until(cast.TRUNK, "down")
        self._times.verdict = time.monotonic() - self._fault_at
        self._say(f"Down after {self._times.verdict:.1f} s: {line['cause_text']}")
        _expect("calls are being diverted", line["diverting"], "status says they are not")

    async def _block_redirected(self) -> None:
        result = await self._call("Call to block extension 012: the line is known to be down", cast.EXTENSION_DIVERTED)
        self._times.redirect = result.took_s
        self._redirected(result, cast.DIVERTED_TARGET)
        _expect("no waiting", result.took_s < 1.0, f"{result.took_s:.2f} s")

    async def _own_redirected(self) -> None:
        result = await self._call("Call to the number with its own rule", cast.OWN_NUMBER)
        self._redirected(result, cast.OWN_TARGET)

    async def _others(self) -> None:
        result = await self._call("Meanwhile: call to a single phone (sipAccount)", cast.ACCOUNT_NUMBER, "Phone")
        _expect("200", result.status == _OK, str(result.status))
        result = await self._call("Meanwhile: call to a gateway with fixed address (PMX)", cast.GATEWAY_NUMBER, "Gateway")
        _expect("200", result.status == _OK, str(result.status))

    async def _returns(self) -> None:
        self._say("Power is back: the phone system starts and registers.")
        repaired_at = time.monotonic()
        response = await self._cast.pbx.revive()
        _expect("REGISTER answered 200", response.status == _OK, str(response.status))
        self._say("Waiting until enough good answers in a row came …")
        await self._until(cast.TRUNK, "up")
        result = await self._call("Call to block extension 010 again", cast.EXTENSION_CALLED)
        self._times.first_proxied = time.monotonic() - repaired_at
        _expect("200", result.status == _OK, str(result.status))

    # -- how ----------------------------------------------------------------------------------------------------------

    async def _call(self, title: str, number: str, right: str = "Phone system", *, at_once: bool = False) -> Result:
        """Place a call, draw it, and hang up when it was answered. There is time to read before it, but not with ``at_once``."""
        if not at_once:
            await asyncio.sleep(self._pause_s)
        self._ladder.open(f"{title} ({number})", "Caller", right)
        try:
            result = await self._cast.caller.call(number)
            if result.dialog is not None:
                await asyncio.sleep(0.3)
                bye = await self._cast.caller.hang_up(result.dialog)
                _expect("BYE answered 200", bye.status == _OK, str(bye.status))
        finally:
            self._ladder.close()
        return result

    def _redirected(self, result: Result, target: str) -> None:
        _expect("302", result.status == _MOVED, str(result.status))
        first = result.contacts[0] if result.contacts else "no Contact"
        _expect(f"Contact {target}", target in first, first)

    async def _until(self, line_id: str, health: str) -> dict[str, object]:
        """Wait for a line's health, saying each second that the wait goes on."""
        deadline = time.monotonic() + _FAULT_S
        with self._console.status(f"{line_id} …") as shown:
            while time.monotonic() < deadline:
                line = await self._service.line(line_id)
                if line and line["health"] == health:
                    return line
                state = line.get("health", "not there")
                shown.update(f"{line_id} is {state} ({deadline - time.monotonic():.0f} s left)")
                await asyncio.sleep(0.1)
        raise StepFailed(f"expected: {line_id} {health} within {_FAULT_S:.0f} s; it stayed {state}")

    async def _step(self, title: str, step: Callable[[], Awaitable[None]]) -> bool:
        try:
            await step()
        except (StepFailed, NoAnswer, SipproxyError) as error:
            self._results.append((title, str(error)))
            self._console.print(f"[red]✘ {title}:[/] {error}")
            return False
        self._results.append((title, "ok"))
        self._console.print(f"[green]✔[/] {title}")
        await asyncio.sleep(self._pause_s / 2)
        return True

    def _say(self, text: str) -> None:
        self._console.print(f"[cyan]»[/] {text}")

    def _show_lines(self, status: dict[str, list[dict[str, str]]]) -> None:
        table = Table("line", "product", "state", box=None, padding=(0, 3, 0, 0))
        for line in status["lines"]:
            table.add_row(line["line_id"], line["product"], f"[green]{line['effective']}[/]")
        self._console.print(table)

    def _report(self, planned: int) -> None:
        self._console.print()
        table = Table("measured", "time", title="How long it took", title_justify="left", box=None, padding=(0, 3, 0, 0))
        times = self._times
        for name, value in (
            ("fault → first 302 (call under way, rescued)", times.first_302),
            ("fault → line judged down", times.verdict),
            ("302 once the line is known to be down", times.redirect),
            ("repair → first proxied call (answered and ended)", times.first_proxied),
        ):
            table.add_row(name, f"{value * 1000:.1f} ms" if 0 < value < 0.1 else f"{value:.2f} s" if value else "—")  # noqa: PLR2004
        self._console.print(table)
        good = sum(result == "ok" for _, result in self._results)
        colour = "green" if good == planned else "red"
        self._console.print(f"[{colour}]{good} of {planned} steps were right.[/]")


def _expect(what: str, good: object, found: str) -> None:
    if not good:
        raise StepFailed(f"expected: {what}; found: {found}")
