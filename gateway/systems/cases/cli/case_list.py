"""`smsward cases list`: the newest cases, or those that fit a search."""

# ruff: noqa: PLC0415 - see gateway.terminal

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gateway.runtime.clock import utcnow
from gateway.systems.cases.model import CaseState, Recheck
from gateway.terminal.failure import ExitCode, misused, run_async
from gateway.terminal.options import FLAG, AsJson, ConfigDirectory, limited
from gateway.terminal.screen import print_listed, say, warn

if TYPE_CHECKING:  # it imports SQL, which the help does without
    from gateway.systems.cases.case_search import CaseFilter

_MAX_WANTED_CHARS = 400


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class CaseQuery:
    """Which cases to list."""

    state: Annotated[
        CaseState | None,
        Parameter(show_choices=False, help=f"Only those in this state: {', '.join(CaseState)}."),
    ] = None
    owner: Annotated[str | None, Parameter(help="Only those of this carrier/province.")] = None
    category: Annotated[str | None, Parameter(help="Only those of this category.")] = None
    campaign: Annotated[str | None, Parameter(help="Only those of this campaign.")] = None
    recheck: Annotated[Recheck | None, Parameter(help="Only those whose second look is so.")] = None
    assist: Annotated[
        bool, FLAG, Parameter(help="Only assist tasks: open, taken here, of another owner.")
    ] = False
    sender: Annotated[
        str | None, Parameter(help="Only those with a complaint of this port or number.")
    ] = None
    prefix: Annotated[
        str | None, Parameter(help="Only those with a sender that begins with this.")
    ] = None
    reporter: Annotated[
        str | None, Parameter(help="Only those that this subscriber complained of; journaled.")
    ] = None
    words: Annotated[
        str | None, Parameter(help="Only those with all these words in a text; journaled.")
    ] = None
    before: Annotated[int | None, Parameter(help="Only those older than this NUMBER.")] = None
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50


_ALL = CaseQuery()


def list_cases(
    *,
    wanted: CaseQuery = _ALL,
    overdue: Annotated[
        bool, FLAG, Parameter(help="Only open ones with a clock past its limit; alone, the oldest.")
    ] = False,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List cases, the newest first: what they are about, who must act, and by when.

    All options must fit. Senders, reporters and texts are sealed: for --prefix and --words at most
    500 cases are opened, and it is said where older ones were not.

    Example: smsward cases list --state dispatched

    Example: smsward cases list --overdue --json

    Example: smsward cases list --prefix 106900 --words "贷款 免息"
    """
    from gateway.systems.cases.case_search import MOST_OPENED, CasePage
    from gateway.systems.cases.cli.case_work import COLUMNS, described, row_of
    from gateway.systems.cases.sql import CaseStore
    from gateway.terminal.store import on_store

    limited(wanted.limit, "--before NUMBER gives the page after that NUMBER")
    now = utcnow()
    is_oldest_first = overdue and wanted == CaseQuery(limit=wanted.limit)
    asked = _filter_of(wanted, overdue=overdue)
    _journal_look(asked, config)

    async def look(store: CaseStore) -> CasePage:
        if is_oldest_first:
            return CasePage(await store.overdue(now, wanted.limit), None)
        return await store.search(asked, before=wanted.before, limit=wanted.limit)

    found = on_store(config, CaseStore, look)
    shown = [described(one, now) for one in found.cases]
    rows = [row_of(one, now) for one in found.cases]
    print_listed(shown, COLUMNS, rows, "no such cases", as_json=as_json)
    if found.is_cut:
        warn(f"{MOST_OPENED} cases were opened: add --before {found.before} for older ones")
    elif found.before is not None and not as_json:
        say(f"older ones: add --before {found.before}")
    return ExitCode.FINE


def _filter_of(wanted: CaseQuery, *, overdue: bool) -> "CaseFilter":
    from gateway.systems.cases.case_search import CaseFilter
    from gateway.terminal.arguments import subscriber_of

    for name in ("sender", "prefix", "words"):
        value = getattr(wanted, name)
        if value is not None and not 0 < len(value.strip()) <= _MAX_WANTED_CHARS:
            raise misused(f"--{name} has 1 to {_MAX_WANTED_CHARS} characters")
    reporter = wanted.reporter
    return CaseFilter(
        state=wanted.state,
        owner=wanted.owner,
        category=wanted.category,
        campaign=wanted.campaign,
        recheck=wanted.recheck,
        overdue_at=utcnow() if overdue else None,
        is_assist=wanted.assist,
        sender=wanted.sender,
        prefix=wanted.prefix,
        reporter=None if reporter is None else subscriber_of(reporter, "--reporter "),
        words=wanted.words,
    )


def _journal_look(asked: "CaseFilter", config: ConfigDirectory) -> None:
    """Note that somebody looks for a person, or into texts, before it is done (R73)."""
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import journal_access

    about = asked.journaled()
    if about:
        run_async(journal_access(load_settings(config), "cases list", "", about))
