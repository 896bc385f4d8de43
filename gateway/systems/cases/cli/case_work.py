"""What `smsward cases` does on the store of a deployment, and how it prints cases."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from gateway.runtime.clock import utcnow
from gateway.systems.cases.model import Case, CaseEntry, CaseRefusal, CaseState
from gateway.systems.cases.service import CaseDesk
from gateway.systems.cases.sql import CaseStore
from gateway.terminal.deployment import calendar_in, located
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import Directories
from gateway.terminal.screen import masked_source, print_result, shown_fields, told_category
from gateway.terminal.store import on_store

T = TypeVar("T")

_MOST_COMPLAINTS = 20

COLUMNS = ("no", "campaign\ncategory", "complaints", "severity\nstate", "must act", "clocks (UTC)")
JOURNAL_COLUMNS = ("at (UTC)", "who", "act", "of", "note")

# The number of each, and its sender.
Complaints = Sequence[tuple[int, str]]


def on_desk(places: Directories, work: Callable[[CaseDesk], Awaitable[T]]) -> T:
    """Return what `work` returns for the desk of a deployment. Raises CommandError."""
    config, policies = located(places)
    calendar = calendar_in(policies)
    try:
        return on_store(config, CaseStore, lambda store: work(CaseDesk(store, lambda: calendar)))
    except ValueError as error:
        raise misused(str(error)) from error


def whole_case(
    config: Path | None, number: int
) -> tuple[Case, list[tuple[int, str]], list[CaseEntry]]:
    """Return a case, its newest complaints and its journal. Raises CommandError without it."""

    async def read(
        store: CaseStore,
    ) -> tuple[Case | None, list[tuple[int, str]], list[CaseEntry]]:
        complaints = await store.complaints_of(number, _MOST_COMPLAINTS)
        return await store.get(number), complaints, await store.journal_of(number)

    case, complaints, journal = on_store(config, CaseStore, read)
    if case is None:
        raise _missing(number)
    return case, complaints, journal


def done(
    places: Directories,
    work: Callable[[CaseDesk], Awaitable[Case | CaseRefusal]],
    *,
    as_json: bool,
) -> int:
    """Act on a case, and print it as it is then. Raises CommandError if that is refused."""
    case = on_desk(places, work)
    if isinstance(case, CaseRefusal):
        if case.state is None:
            raise _missing(case.number)
        raise CommandError(
            f"case {case.number} is {case.state}: {case.why}",
            advice=f"`smsward cases show {case.number}` shows what was done to it",
        )
    line = f"case {case.number} is {case.state}; {case.responsible} must act"
    if case.referred_by and case.state is not CaseState.REFERRED:
        line = f"case {case.number}: one approval of two that it goes to {case.authority}"
    elif case.state is CaseState.CLOSED:
        line = f"case {case.number} is closed"
    print_result(described(case, utcnow()), line, as_json=as_json)
    return ExitCode.FINE


def _missing(number: int) -> CommandError:
    return CommandError(
        f"there is no case {number}", advice="`smsward cases list` shows the numbers"
    )


def described(case: Case, at: datetime) -> dict[str, object]:
    """Return a case for programs; nothing in it is a subscriber's."""
    return shown_fields(
        case,
        "number campaign category severity state profile front_owner owner responsible opened_at"
        " grown_at complaints reporters hops closed_at finding evidence system_id answer"
        " authority referred_by origin subject sender recheck is_assist",
        overdue=[one.name for one in case.overdue(at)],
        measures=[
            shown_fields(one, "kind at", about=masked_source(one.about)) for one in case.measures
        ],
        clocks=[shown_fields(one, "name start due stop escalated") for one in case.clocks],
    )


def row_of(case: Case, at: datetime) -> tuple[str | tuple[str, ...], ...]:
    """Return a case as a row of the list."""
    return (
        str(case.number),
        (case.campaign, told_category(case.category)),
        (str(case.complaints), f"of {case.reporters} people"),
        (case.severity, case.state),
        (case.responsible, "(assist here)") if case.is_assist else case.responsible,
        tuple(_clock_lines(case, at)),
    )


def _clock_lines(case: Case, at: datetime, *, is_all: bool = False) -> list[str]:
    lines = []
    for one in case.clocks:
        if one.stop is not None and not is_all:
            continue
        due = "due unknown: no calendar" if one.due is None else f"{one.due:%Y-%m-%d %H:%M}"
        stop = "" if one.stop is None else f", done {one.stop:%Y-%m-%d %H:%M}"
        late = " OVERDUE" if one.is_overdue(at) else ""
        lines.append(f"{one.name} {due}{stop}{late}")
    return lines


def entry_row(entry: CaseEntry) -> tuple[str, ...]:
    """Return an entry of the journal as a row."""
    return (f"{entry.at:%Y-%m-%d %H:%M}", entry.by, entry.act, entry.about, entry.note)


def described_whole(
    case: Case, complaints: Complaints, journal: Sequence[CaseEntry], at: datetime
) -> dict[str, object]:
    """Return a case for programs with its newest complaints and its journal."""
    return described(case, at) | {
        "newest_complaints": [
            {"complaint": complaint, "sender": masked_source(sender)}
            for complaint, sender in complaints
        ],
        "journal": [shown_fields(one, " ".join(one._fields)) for one in journal],
    }


def fields_of(case: Case, complaints: Complaints, at: datetime) -> Iterator[tuple[str, str]]:
    """Yield what a case is, by names for people."""
    for name, value in described(case, at).items():
        is_empty = value is False or value in (None, "")
        if name not in ("clocks", "measures", "overdue") and not is_empty:
            yield name.replace("_", " "), str(value)
    yield "clocks", "\n".join(_clock_lines(case, at, is_all=True))
    if case.measures:
        told = (
            f"{one.kind} {masked_source(one.about)} {one.at:%Y-%m-%d %H:%M}"
            for one in case.measures
        )
        yield "measures", "\n".join(told)
    senders = (f"{complaint}: {masked_source(sender)}" for complaint, sender in complaints)
    yield "newest complaints", "\n".join(senders)
