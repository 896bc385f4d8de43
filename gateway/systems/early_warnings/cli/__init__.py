"""`smsward warnings`: what SPs were warned of, and what came of it."""

# ruff: noqa: PLC0415 - see gateway.terminal

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.warning import (
    PENALTY,
    UNOBSERVED_ARTICLES,
    EarlyWarning,
    ViolationCount,
    WarningCode,
    WarningNote,
    WarningState,
)
from gateway.runtime.clock import utcnow
from gateway.systems.early_warnings.cli.sanctions import sanction_commands
from gateway.systems.early_warnings.cli.trial import try_detectors
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import FLAG, AsJson, ConfigDirectory, acting, limited
from gateway.terminal.screen import (
    print_fields,
    print_json,
    print_listed,
    print_result,
    print_table,
    say,
    shown_fields,
    told_category,
)

_MAX_NOTE_CHARS = 1000
_MAX_DAYS = 1098  # violations are kept three years
_COUNTED = ("article", "SP", "violation", "violations", "messages", "since")
_COLUMNS = ("number", "SP\nport", "warning", "rule\nseverity", "messages", "since (UTC)", "state")

Number = Annotated[int, Parameter(name="NUMBER", help="The number of a warning, as listed.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WarningQuery:
    """Which warnings to list."""

    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None
    code: Annotated[
        WarningCode | None,
        # As codes are written everywhere else: cyclopts would say w1.
        Parameter(
            "--code",
            name_transform=str.upper,
            show_choices=False,
            help="Only those of this code: W1 to W13.",
        ),
    ] = None
    state: Annotated[
        WarningState | None,
        Parameter(show_choices=False, help=f"Only those in this state: {', '.join(WarningState)}."),
    ] = None
    violations: Annotated[bool, FLAG, Parameter(help="Only violations, the grave ones.")] = False
    overdue: Annotated[bool, FLAG, Parameter(help="Only those without an answer in time.")] = False
    before: Annotated[int | None, Parameter(help="Only those older than this NUMBER.")] = None
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50


_ALL = WarningQuery()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class WarningNoteOptions:
    """What is noted of a warning, and by whom."""

    note: Annotated[str, Parameter(help="What was found, or what the SP says.")]
    by: Annotated[str | None, Parameter(help="Who notes it; noted as said by your account.")] = None


warnings = App(
    name="warnings",
    help="Look through the early warnings (预警) and violations (违规) of SPs, and note answers.",
    sort_key=5,
)


warnings.command(sanction_commands)
warnings.command(try_detectors, name="try")


@warnings.command(name="list")
def list_warnings(
    *, wanted: WarningQuery = _ALL, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List warnings, the newest first: who did what, from which port, how often.

    A warning is raised once in 24 hours for each SP, port, rule and code; what comes meanwhile
    is counted in it. "in shadow mode" counts the messages that a rule in shadow mode noticed: they
    may have passed.

    Example: smsward warnings list --system-id shop --state open

    Example: smsward warnings list --violations --json

    Example: smsward warnings list --overdue
    """
    from gateway.systems.early_warnings.sql import WarningStore
    from gateway.terminal.deployment import require_sender
    from gateway.terminal.store import on_store

    limited(wanted.limit, "--before NUMBER gives the page after that NUMBER")
    asked = asdict(wanted)
    overdue_at = utcnow() if asked.pop("overdue") else None
    found = on_store(
        config, WarningStore, lambda warnings: warnings.find(**asked, overdue_at=overdue_at)
    )
    if not found:
        require_sender(wanted.system_id, config)
    if as_json:
        print_json([_described(one) for one in found])
        return ExitCode.FINE
    if not found:
        say("no warnings")
        return ExitCode.FINE
    print_table(_COLUMNS, map(_row, found))
    if len(found) == wanted.limit:
        say(f"older ones: add --before {found[-1].number}")
    return ExitCode.FINE


@warnings.command
def show(number: Number, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show one warning: what was noticed, where samples stand in the records, what was answered.

    A sample is the id of a held message, which `smsward quarantine show` shows, or session and
    sequence_number, as the records of that hour have them.

    Example: smsward warnings show 7
    """
    from gateway.systems.early_warnings.sql import WarningStore
    from gateway.terminal.store import on_store

    warning = on_store(config, WarningStore, lambda warnings: warnings.get(number))
    if warning is None:
        raise _missing(number)
    told = _described(warning)
    if as_json:
        print_json(told)
        return ExitCode.FINE
    code = warning.gathered.kind.code
    told |= {
        "meaning": f"{code.zh} / {code.en}",
        "samples": "\n".join(warning.gathered.samples),
        "answer": _said(warning.answer),
        "closing": _said(warning.closing),
    }
    shown = ((name, value) for name, value in told.items() if value not in (None, ""))
    print_fields((name.replace("_", " "), str(value)) for name, value in shown)
    return ExitCode.FINE


@warnings.command
def violations(
    *,
    by_article: Annotated[bool, FLAG, Parameter(help="By article, then SP.")] = False,
    system_id: Annotated[str | None, Parameter(help="Only those of this SP.")] = None,
    days: Annotated[int, Parameter(help="Of so many days until now, up to 1098.")] = 366,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Count the violations (违规) of SPs, for the authority: which article, which SP, how many.

    The penalty is what the rules provide: the authority decides on it, not this program.

    Example: smsward warnings violations --by-article --json

    Example: smsward warnings violations --system-id shop --days 30
    """
    from gateway.systems.early_warnings.sql import WarningStore
    from gateway.terminal.store import on_store

    if not 1 <= days <= _MAX_DAYS:
        raise misused(f"--days: 1 to {_MAX_DAYS}")
    until = utcnow()
    since = until - timedelta(days=days)
    found = on_store(config, WarningStore, lambda store: store.violations(since, until, system_id))
    if by_article:
        found.sort(key=lambda one: (not one.article, one.article, one.system_id, one.code))
    else:
        found.sort(key=lambda one: (one.system_id, one.code))
    counts = [_count(one) for one in found]
    if as_json:
        span = {
            "since": since.isoformat(timespec="seconds"),
            "until": until.isoformat(timespec="seconds"),
        }
        unobserved = {"unobserved_articles": UNOBSERVED_ARTICLES} if by_article else {}
        print_json(span | unobserved | _register(counts, by_article=by_article))
        return ExitCode.FINE
    print_listed(counts, _COUNTED, map(_counted, found), "no violations", as_json=False)
    if any(one.article for one in found):
        say(f"penalty that article 33 provides: {PENALTY}")
    if by_article:
        say(f"not observed here, though penalised: {', '.join(UNOBSERVED_ARTICLES)}")
    return ExitCode.FINE


def _register(counts: list[dict[str, object]], *, by_article: bool) -> dict[str, object]:
    """Return the register for programs: by article, or by SP."""
    name = "article" if by_article else "system_id"
    groups: dict[object, list[dict[str, object]]] = {}
    for one in counts:
        rest = {key: value for key, value in one.items() if key != name}
        groups.setdefault(one[name], []).append(rest)
    shown = [
        {name: key, "penalty": PENALTY if key else ""} if by_article else {name: key}
        for key in groups
    ]
    return {
        "articles" if by_article else "senders": [
            head | {"violations": rows} for head, rows in zip(shown, groups.values(), strict=True)
        ]
    }


def _count(one: ViolationCount) -> dict[str, object]:
    return {
        "article": one.article,
        "system_id": one.system_id,
        "code": one.code,
        "meaning": {"zh": one.code.zh, "en": one.code.en},
        **shown_fields(one, "violations messages first_at last_at"),
    }


def _counted(one: ViolationCount) -> tuple[str | tuple[str, ...], ...]:
    return (
        one.article or "none known",
        one.system_id,
        (f"{one.code} {one.code.zh}", one.code.en),
        str(one.violations),
        str(one.messages),
        (f"{one.first_at:%Y-%m-%d}", f"to {one.last_at:%Y-%m-%d}"),
    )


@warnings.command
def answer(
    number: Number,
    /,
    *,
    noted: WarningNoteOptions,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Note what the SP answers to a warning; it is due within 24 hours, and late ones count.

    Example: smsward warnings answer 7 --note "list bought from a broker, deleted" --by lin
    """
    return _note(number, noted, config, is_closing=False, as_json=as_json)


@warnings.command
def close(
    number: Number,
    /,
    *,
    noted: WarningNoteOptions,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Note that nothing is left to do about a warning, answered or not.

    Example: smsward warnings close 7 --note "no more of it in 14 days"
    """
    return _note(number, noted, config, is_closing=True, as_json=as_json)


def _note(
    number: int,
    noted: WarningNoteOptions,
    config: ConfigDirectory,
    *,
    is_closing: bool,
    as_json: bool,
) -> int:
    """Answer or close a warning. Raises CommandError when its state does not allow it."""
    from gateway.systems.early_warnings.sql import WarningStore
    from gateway.terminal.store import on_store

    note = noted.note.strip()
    if not 0 < len(note) <= _MAX_NOTE_CHARS:
        raise misused(f"--note: 1 to {_MAX_NOTE_CHARS} characters, without subscribers' numbers")
    handling = WarningNote(acting(noted.by), utcnow(), note)

    async def run(warnings: WarningStore) -> EarlyWarning:
        is_done = await (warnings.close if is_closing else warnings.answer)(number, handling)
        warning = await warnings.get(number)
        if warning is None or not is_done:
            raise _unmoved(number, warning)
        return warning

    shown = _described(on_store(config, WarningStore, run))
    line = f"warning {number} is {'closed' if is_closing else 'answered'}"
    print_result(shown, line, as_json=as_json)
    return ExitCode.FINE


def _described(warning: EarlyWarning) -> dict[str, object]:
    """Return a warning for programs; nothing in it is a subscriber's."""
    gathered = warning.gathered
    code = gathered.kind.code
    return {
        "number": warning.number,
        "state": warning.state,
        "code": code,
        "meaning": {"zh": code.zh, "en": code.en},
        "rule": gathered.kind.rule,
        "severity": gathered.severity,
        "category": gathered.category,
        "campaign": gathered.campaign,
        "system_id": gathered.kind.system_id,
        "port": gathered.kind.port,
        "messages": gathered.count,
        "on_trial": gathered.on_trial,
        **shown_fields(gathered, "first_at last_at"),
        "samples": list(gathered.samples),
        **shown_fields(warning, "due_at escalated_at"),
        "answer": warning.answer and shown_fields(warning.answer, "by at note"),
        "closing": warning.closing and shown_fields(warning.closing, "by at note"),
    }


def _row(warning: EarlyWarning) -> tuple[str | tuple[str, ...], ...]:
    gathered = warning.gathered
    kind = gathered.kind
    about = filter(None, (told_category(gathered.category), gathered.campaign))
    on_trial = (f"{gathered.on_trial} in shadow mode",) if gathered.on_trial else ()
    is_awaited = warning.state in (WarningState.OPEN, WarningState.ESCALATED)
    awaited = (f"answer due {warning.due_at:%m-%d %H:%M}",) if is_awaited else ()
    return (
        str(warning.number),
        (kind.system_id, kind.port),
        (f"{kind.code} {kind.code.zh}", kind.code.en, *about),
        (kind.rule, gathered.severity or ""),
        (str(gathered.count), *on_trial),
        (f"{gathered.first_at:%Y-%m-%d %H:%M:%S}", f"to {gathered.last_at:%m-%d %H:%M:%S}"),
        (warning.state, *awaited),
    )


def _missing(number: int) -> CommandError:
    return CommandError(
        f"there is no warning {number}", advice="`smsward warnings list` shows the numbers"
    )


def _unmoved(number: int, warning: EarlyWarning | None) -> CommandError:
    if warning is None:
        return _missing(number)
    return CommandError(
        f"warning {number} is {warning.state} already",
        advice=f"`smsward warnings show {number}` shows by whom",
    )


def _said(handling: WarningNote | None) -> str:
    if handling is None:
        return ""
    return f"{handling.by}, {handling.at:%Y-%m-%d %H:%M:%S}\n{handling.note}"
