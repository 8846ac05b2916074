"""``--keep``: everything stays up; Enter pulls the plug of the phone system and puts it back."""

import asyncio
import contextlib
import signal
import sys

from rich.console import Console

from sipproxy.demo import cast as roles
from sipproxy.demo import sipp
from sipproxy.demo.cast import Cast
from sipproxy.demo.running import RunningService


def commands(service: RunningService) -> list[tuple[str, str]]:
    """Return what to try, with its purpose."""
    host, port = service.address
    proxy, config = f"{host}:{port}", service.config
    number = roles.EXTENSION_CALLED
    own = f"{sys.executable} -m sipproxy"
    call = f"-s {number} -m 1 -i 127.0.0.1 -nostdin -timeout 20 -timeout_error"
    redirected, proxied = service.folder / "redirected.xml", service.folder / "proxied.xml"
    redirected.write_text(sipp.REDIRECTED)
    proxied.write_text(sipp.PROXIED)
    return [
        ("lines and their state", f"{own} status --config {config}"),
        ("what a call would get now, and why", f"{own} explain {number} --config {config}"),
        ("send a number elsewhere", f'{own} divert set {number} --to "0171 3920011" --config {config}'),
        ("a call with SIPp (proxied while the line is up)", f"sipp {proxy} -sf {proxied} {call}"),
        ("OPTIONS to the proxy with sipsak", f"sipsak -vv -s sip:{proxy}"),
        ("a diverted call with SIPp (after Enter, while the line is down)", f"sipp {proxy} -sf {redirected} {call}"),
        ("metrics", f"curl -s http://127.0.0.1:{service.metrics_port}/metrics | grep ^sipproxy_calls"),
    ]


async def keep_running(console: Console, service: RunningService, cast: Cast) -> None:
    """Print the commands and wait for Ctrl-C; register again and again as phones do."""
    console.print("\n[bold]Everything is still running. To try, in another terminal:[/]")
    for purpose, command in commands(service):
        console.print(f"\n[dim]# {purpose}[/]")
        console.print(command, soft_wrap=True, markup=False)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if sys.stdin.isatty():
        console.print("\n[bold]Enter[/] pulls the phone system's plug and puts it back; [bold]Ctrl-C[/] ends.")
        toggles: set[asyncio.Task[None]] = set()
        loop.add_reader(sys.stdin.fileno(), lambda: toggles.add(asyncio.ensure_future(_toggle(console, cast))))
    else:
        console.print("\nIt runs until it gets SIGTERM or Ctrl-C.")
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 240.0)
        if not ended.is_set() and not cast.pbx.deaf:
            await cast.pbx.register()
            await cast.phone.register()


async def _toggle(console: Console, cast: Cast) -> None:
    sys.stdin.readline()
    if cast.pbx.deaf:
        response = await cast.pbx.revive()
        console.print(f"[green]Power is back[/] (REGISTER answered {response.status}).")
    else:
        cast.pbx.die()
        console.print("[red]The phone system has lost power.[/] Calls to it get 302 as soon as that is noticed.")
