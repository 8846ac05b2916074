"""``sipproxy import`` and ``sipproxy export``: tables and JSON in and out of the store, beside a running service or without one."""

import asyncio
import os
import shlex
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

import typer
from rich.markup import escape

from routing.bulk.scope import parse_replace
from routing.rejection import RuleRejected
from rules_store import Author, ConflictError, NumberTakenError, StoreConnection, StoreError, StoreSettings, VersionGoneError
from sipproxy import logs
from sipproxy.admin.peer import person, user_name
from sipproxy.bulk import export as exporting
from sipproxy.bulk import job, rollback
from sipproxy.bulk.collection import no_collection
from sipproxy.bulk.files import read_source
from sipproxy.commands.bulk_output import SHOWN, Steps, print_diff, print_faults, print_notes
from sipproxy.commands.output import AsJson, ConfigFile, errors, output, print_json
from sipproxy.config.load import Loaded
from sipproxy.config.load import load as load_configuration
from sipproxy.config.sockets import usual_file
from sipproxy.config.store_settings import store_settings
from sipproxy.errors import SipproxyError
from sipproxy.operations.arguments import not_stored
from sipproxy.target_policy import carrier_policy

T = TypeVar("T")
_LONG_S: Final = 60.0
"""A script that copies a page waits its turn behind others; the service's own limit is for a call that waits."""
_INTERRUPTED: Final = 130


class _Session:
    """One event loop and one connection; what is not awaited may be interrupted at once."""

    def __init__(self, config: Path | None) -> None:
        file = config or usual_file()
        if file is None:
            raise SipproxyError("no configuration file names the store", "name it with --config FILE (or SIPPROXY_CONFIG)")
        logs.set_up("console", "WARNING")
        self.loaded: Loaded = load_configuration(file)
        settings = store_settings(self.loaded.configuration)
        _refuse_strangers(settings)
        self.connection = StoreConnection(settings.model_copy(update={"timeout_s": max(settings.timeout_s, _LONG_S)}))
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._runner.run(self.connection.close())
        finally:
            self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await it. Raises `AdminError` for what the store says."""
        try:
            return self._runner.run(work)
        except (StoreError, ConflictError, NumberTakenError) as error:
            raise not_stored(error) from None
        except VersionGoneError as error:
            raise SipproxyError(str(error), "sipproxy import prints the id that --rollback wants") from None


def _refuse_strangers(settings: StoreSettings) -> None:
    """Raise `SipproxyError` for anybody but the owner of an embedded store's files, also for root.

    Where no service runs, the store is started here; what it writes would be ours, and the service could not open it any more.
    """
    try:
        owner = settings.data_dir.stat().st_uid if settings.embedded else os.geteuid()
    except OSError:
        return  # not there yet, or not to be looked into: that is told when it is opened
    if owner != os.geteuid():
        name = user_name(owner)
        message = f"the store in {settings.data_dir} belongs to {name}, and you are {user_name(os.geteuid())}"
        raise SipproxyError(message, f"run it as that user: sudo -u {name} {shlex.join(('sipproxy', *sys.argv[1:]))}")


@dataclass(frozen=True, slots=True)
class _Manner:
    """How the command goes about it."""

    dry_run: bool
    ask: bool
    as_json: bool
    expect: str
    """The plan that must be the one, "" for any."""


def import_(
    *,
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE|DIR", help="Tables (.csv, a directory or .zip of them), .jsonl, or a load file (.yaml, .json)."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
    replace: Annotated[
        str, typer.Option(metavar="all|customer:ID|order:ID", help="Remove what is in this scope and not in the file.")
    ] = "",
    customer: Annotated[str, typer.Option(help="A table of numbers may have only those of this customer.")] = "",
    expect: Annotated[
        str, typer.Option(metavar="PLAN", help="Do exactly what the dry run of this plan has shown, or nothing.")
    ] = "",
    undo: Annotated[
        int | None, typer.Option("--rollback", min=1, max=2**53, metavar="ID", help="Go back to before this import.")
    ] = None,
    keep_changes: Annotated[
        bool, typer.Option("--keep-changes", help="With --rollback: leave alone what was changed since; else that is refused.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Import customers, orders, lines, numbers and rules. All is checked first and shown; then all is switched at once, or nothing."""
    manner = _Manner(dry_run, not yes, as_json, expect)
    _agreeing(manner, path, undo, scoped=bool(replace or customer), keep_changes=keep_changes)
    with no_collection(), _Session(config) as session, Steps(quiet=as_json) as steps:
        try:
            if path is not None:
                _import(session, steps, path, _options(session, replace, customer), manner)
            elif undo is not None:
                _roll_back(session, steps, undo, manner, keep_changes=keep_changes)
        except RuleRejected as refused:
            steps.rest()
            print_faults(refused, as_json=as_json)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            steps.rest()
            # The first ctrl-C at the switch waits for its end; a second one does not.
            if steps.is_switching:
                errors.print("[red]interrupted at the switch:[/] it may have been done; sipproxy log shows whether it was")
            else:
                errors.print("[yellow]interrupted:[/] nothing was changed")
            raise typer.Exit(_INTERRUPTED) from None


def _agreeing(manner: _Manner, path: Path | None, undo: int | None, *, scoped: bool, keep_changes: bool) -> None:
    """Raise `typer.BadParameter` for options that do not go together: none is left out in silence."""
    if (path is None) == (undo is None):
        raise typer.BadParameter("name a FILE or DIR, or --rollback ID")
    if undo is not None and scoped:
        raise typer.BadParameter("--replace and --customer are for a FILE or DIR; --rollback takes an import back whole")
    if undo is None and keep_changes:
        raise typer.BadParameter("--keep-changes is for --rollback")
    if manner.as_json and manner.ask and not manner.dry_run:
        raise typer.BadParameter("--json asks nobody: add --dry-run or --yes")


def _options(session: _Session, replace: str = "", customer: str = "") -> job.Options:
    configuration = session.loaded.configuration
    return job.Options(
        configuration.registrar.realm,
        [entry.name for entry in configuration.registrars],
        parse_replace(replace) if replace else None,
        customer,
        carrier_policy(configuration.targets),
    )


def _import(session: _Session, steps: Steps, path: Path, options: job.Options, manner: _Manner) -> None:
    source = read_source(path)
    state = session.run(job.read_state(session.connection, steps))
    prepared = job.prepare(source, state, options, steps)
    steps.rest()
    if not _agreed(prepared, manner):
        return
    author = Author(person(os.geteuid()), "import", str(path))
    applied = session.run(job.apply(session.connection, prepared, author, note=f"import {path.name}", progress=steps))
    steps.rest()
    _done(applied, prepared, manner)


def _roll_back(session: _Session, steps: Steps, version: int, manner: _Manner, *, keep_changes: bool) -> None:
    state = session.run(job.read_state(session.connection, steps))
    planned = session.run(rollback.plan(session.connection, version, state, _options(session)))
    steps.rest()
    since = [f"{kind} {key}" for kind, key in planned.changed_since]
    if since:
        named = ", ".join(since[:SHOWN]) + (f" and {len(since) - SHOWN} more" if len(since) > SHOWN else "")
        if not keep_changes:
            raise SipproxyError(f"changed since that import: {named}", "--keep-changes leaves these as they are now")
        if not manner.as_json:
            output.print(f"kept as they are now: {escape(named)}", soft_wrap=True)
    if not _agreed(planned.prepared, manner):
        return
    author = Author(person(os.geteuid()), "cli", "import --rollback")
    applied = session.run(rollback.carry_out(session.connection, planned, author, steps))
    steps.rest()
    _done(applied, planned.prepared, manner)


def _agreed(prepared: job.Prepared, manner: _Manner) -> bool:
    """Show what would be done, and return whether it shall be. Raises `SipproxyError` when it is not what was expected."""
    if manner.expect and manner.expect != prepared.plan:
        message = f"the store or the file is not what it was at the dry run of plan {manner.expect} (now {prepared.plan})"
        raise SipproxyError(message, "look at the difference anew: --dry-run")
    if manner.as_json:
        if manner.dry_run or not prepared.writes:
            print_json({"plan": prepared.plan, **prepared.diff.as_json(), "warnings": [str(one) for one in prepared.told]})
    else:
        print_diff(prepared.diff, prepared.plan)
        print_notes(prepared.told)
    if manner.dry_run or not prepared.writes:
        return False
    if manner.ask and not sys.stdin.isatty():
        raise SipproxyError("nothing was changed: there is nobody to ask", "look at --dry-run, then add --yes")
    return not manner.ask or typer.confirm("Switch to this?")


def _done(applied: job.Applied, prepared: job.Prepared, manner: _Manner) -> None:
    if manner.as_json:
        print_json({"id": applied.version, "written": applied.count, "counts": prepared.diff.counts()})
    else:
        back = f"back again: sipproxy import --rollback {applied.version}"
        output.print(f"[green]switched[/] {applied.count:,} changes; id {applied.version} ({back})")


def export(
    *,
    path: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="Where to: a directory or .zip for tables, else a file.")],
    form: Annotated[
        str, typer.Option("--format", metavar="csv|table|json|jsonl", help="csv: a table a kind; table: number;target;armed.")
    ] = "csv",
    customer: Annotated[str, typer.Option(help="Only what is this customer's.")] = "",
    secrets: Annotated[
        bool,
        typer.Option("--secrets", help="With the hashes of the lines' passwords; without them an import leaves those alone."),
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Export customers, orders, lines, numbers and rules; what is imported from it again changes nothing."""
    if form not in exporting.FORMS:
        raise typer.BadParameter(f"must be one of {', '.join(exporting.FORMS)}", param_hint="--format")
    with no_collection(), _Session(config) as session, Steps() as steps:
        state = session.run(job.read_state(session.connection, steps))
        steps.rest()
        count = exporting.export(state, path, form, customer, options=_options(session), secrets=secrets)
    what = "rows" if form == "table" else "entities"
    output.print(f"[green]written:[/] {count:,} {what} to {escape(str(path))}")
    if form == "json":
        errors.print("[dim]A load file has neither users nor operators' wishes; csv and jsonl have them.[/]")
