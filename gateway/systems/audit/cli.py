"""`smsward audit`: who did what (审计), read, verified and exported."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gateway.domain.audit import ActFilter, AuditKind, kind_of
from gateway.domain.records import Access, JournalRow, NewAccess
from gateway.runtime.clock import utcnow
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import AsJson, ConfigDirectory, acting, limited
from gateway.terminal.screen import (
    counted,
    print_listed,
    print_result,
    private_file,
    progress_bar,
    visible,
)

if TYPE_CHECKING:  # its SQL would make help slow
    from gateway.storage.journals import Told

audit = App(
    name="audit",
    help="Who did what (审计): sign-ins, looks, decisions, policies, users, exports; verify it.",
    sort_key=8,
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries are meant."""

    kind: Annotated[
        AuditKind | None, Parameter(name_transform=str.lower, help="Only acts of this kind.")
    ] = None
    by: Annotated[str, Parameter(show_default=False, help="Only of whom this is part.")] = ""
    about: Annotated[
        str, Parameter(show_default=False, help="Only about this: a user, an id, a port.")
    ] = ""
    since: Annotated[
        datetime | None, Parameter("--from", help="From this time on; UTC unless it has an offset.")
    ] = None
    until: Annotated[datetime | None, Parameter("--to", help="Until before this time.")] = None

    def wanted(self) -> ActFilter:
        """Return what the store is asked for."""
        from gateway.terminal.arguments import moment_of

        since, until = (
            None if given is None else moment_of(given) for given in (self.since, self.until)
        )
        return ActFilter(self.kind, self.by, self.about, since, until)


EVERYTHING = AuditQuery()


@audit.command
def show(
    *,
    query: AuditQuery = EVERYTHING,
    limit: Annotated[int, Parameter(help="The last so many.")] = 50,
    before: Annotated[int | None, Parameter(help="Only those before this NO.")] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List who did what, when and why, the newest first.

    Example: smsward audit show --kind decision --by lin --from 2013-09-30

    Example: smsward audit show --kind look --json
    """
    from gateway.storage.journals import SqlJournals
    from gateway.systems.audit.service import described
    from gateway.terminal.store import on_store

    most, wanted = limited(limit), query.wanted()
    found = on_store(config, SqlJournals, lambda journals: journals.accesses(most, wanted, before))
    columns = ("no", "at (UTC)", "kind", "act", "by", "about", "reason")
    shown = [described(one) for one in found]
    print_listed(shown, columns, map(_row, found), "nothing fits", as_json=as_json)
    return ExitCode.FINE


@audit.command
def verify(
    *,
    head: Annotated[
        str | None,
        Parameter(help="NUMBER:DIGEST of a row, as a log or an export has kept it.", name="--head"),
    ] = None,
    export: Annotated[
        Path | None, Parameter(help="Verify this exported file instead of the store.")
    ] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Verify that no entry was changed, deleted or put in; the journal of purges, too.

    Each row is chained to the one before. The first one that does not fit is named, and the exit
    code is 1. A running gateway does this once a day and logs both heads (`journal.verified`):
    with --head an entry is compared with what the log of another machine has.

    Example: smsward audit verify

    Example: smsward audit verify --export audit.jsonl --json
    """
    if export is not None:
        return _verify_file(export, as_json=as_json)
    from gateway.storage.journals import SqlJournals
    from gateway.systems.audit.service import row_noted
    from gateway.terminal.store import on_store

    noted: JournalRow | None = None
    if head is not None and (noted := row_noted(head)) is None:
        raise misused("--head: NUMBER:DIGEST, the digest in 64 hexadecimal digits")
    with _progress() as told:
        states = on_store(config, SqlJournals, lambda journals: journals.states(told, noted))
    columns = ("journal", "rows", "head", "first broken", "problem")
    rows = (
        (one.journal, str(one.rows), one.head, str(one.broken or ""), one.problem or "none")
        for one in states
    )
    print_listed(states, columns, rows, "", as_json=as_json)
    return ExitCode.FAILED if any(one.problem for one in states) else ExitCode.FINE


@audit.command
async def export(
    *,
    output: Annotated[Path, Parameter(alias="-o", help="Write this file, for its owner alone.")],
    query: AuditQuery = EVERYTHING,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Write entries as JSON Lines, the oldest first; the last line has the SHA-256 of the others.

    `smsward audit verify --export FILE` compares it, on any machine. The export is in the audit
    itself.

    Example: smsward audit export --from 2013-09-01 --to 2013-10-01 -o audit.jsonl
    """
    from gateway.storage.journals import SqlJournals
    from gateway.systems.audit.service import export_lines
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import opened_store

    wanted, by, written = query.wanted(), acting(None), -1
    async with opened_store(load_settings(config), SqlJournals) as journals:
        await journals.note_access(NewAccess(by, "audit export", "", _asked(wanted), utcnow()))
        with private_file(output) as file:
            async for line in export_lines(journals, wanted, by, utcnow()):
                file.write(line.decode())
                written += 1
    told = f"written: {counted(written, 'entry')} to {visible(str(output))}"
    print_result({"output": str(output), "entries": written}, told, as_json=as_json)
    return ExitCode.FINE


def _asked(wanted: ActFilter) -> str:
    return f"entries of {wanted.kind or 'every kind'}"


def _verify_file(path: Path, *, as_json: bool) -> int:
    from gateway.systems.audit.service import verify_export

    try:
        with path.open("rb") as file:
            state = verify_export(file)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    line = f"{counted(state.entries, 'row')}: {state.problem or 'as it was written'}"
    shown = {"export": str(path), "is_whole": state.is_whole, "entries": state.entries}
    print_result({**shown, "problem": state.problem}, line, as_json=as_json)
    return ExitCode.FINE if state.is_whole else ExitCode.FAILED


@contextmanager
def _progress() -> Iterator["Told"]:
    """Give what is told how far a verification has come."""
    with progress_bar() as progress:
        tasks = {}

        def told(journal: str, done: int, total: int) -> None:
            if journal not in tasks:
                tasks[journal] = progress.add_task(journal, total=total)
            progress.update(tasks[journal], completed=done, total=total)

        yield told


def _row(one: Access) -> tuple[str, ...]:
    at = f"{one.at:%Y-%m-%d %H:%M:%S}"
    return (str(one.number), at, kind_of(one.action), one.action, one.by, one.about, one.reason)
