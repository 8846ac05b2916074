"""The ``sipproxy`` command: one file per sub-command under `sipproxy.commands`, errors as sentences, exit codes.

Exit codes: 0 done, 1 refused or faulty (the message says why), 2 wrong usage, 3 the service is not running.
"""

import sys

import typer
from rich.markup import escape

from sipproxy.commands import (
    brake,
    bulk,
    call,
    check_config,
    coverage,
    customer,
    demo,
    divert,
    drill,
    explain,
    guard,
    history,
    line,
    load,
    plan,
    reload,
    serve,
    simulate,
    status,
    versions,
)
from sipproxy.commands.output import errors
from sipproxy.errors import ConfigurationError, ServiceNotRunning, SipproxyError

EXIT_REFUSED = 1
EXIT_NOT_RUNNING = 3

app = typer.Typer(
    name="sipproxy",
    help="SIP routing proxy that diverts the calls of a failed line to the customer's own targets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done · 1 refused or faulty · 2 wrong usage · 3 service not running.",
)
app.command("serve")(serve.serve)
app.command("check-config")(check_config.check_config)
app.command("reload")(reload.reload)
app.command("load")(load.load)
app.command("import")(bulk.import_)
app.command("export")(bulk.export)
app.command("status")(status.status)
app.command("explain")(explain.explain)
app.command("simulate")(simulate.simulate)
app.command("coverage")(coverage.coverage)
app.command("call")(call.call)
app.command("history")(history.history)
app.command("events")(history.events)
app.add_typer(line.app, name="line")
app.command("drill")(drill.drill)
app.add_typer(divert.app, name="divert")
app.command("plan")(plan.plan)
app.add_typer(guard.app, name="guard")
app.command("log")(versions.log)
app.command("undo")(versions.undo)
app.command("audit")(versions.audit)
app.add_typer(customer.app, name="customer")
app.add_typer(brake.app, name="brake")
app.command("demo")(demo.demo)


def main() -> None:
    """Run the command line. Errors of ours are printed without a traceback."""
    try:
        app()
    except SipproxyError as error:
        sys.exit(_report(error))


def _report(error: SipproxyError) -> int:
    faults = getattr(error, "faults", ())
    if not isinstance(error, ConfigurationError):
        errors.print(f"[red]error:[/] {escape(error.message)}", highlight=False, soft_wrap=True)
    for fault in faults:
        errors.print(str(fault), style="red", markup=False, highlight=False, soft_wrap=True)
    if len(faults) > 1:
        errors.print(f"{len(faults)} faults; nothing was changed.", highlight=False)
    if error.remedy:
        errors.print(f"[green]try:[/] {escape(error.remedy)}", highlight=False, soft_wrap=True)
    return EXIT_NOT_RUNNING if isinstance(error, ServiceNotRunning) else EXIT_REFUSED
