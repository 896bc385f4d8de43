"""`smsward warnings`: what SPs were warned of, and what came of it."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.warning import (
    EarlyWarning,
    WarningCode,
    WarningNote,
    WarningState,
)
from gateway.runtime.clock import utcnow
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import AsJson, ConfigDirectory, acting
from gateway.terminal.screen import (
    print_fields,
    print_json,
    print_result,
    print_table,
    say,
    told_category,
)

_MAX_LISTED = 10_000
_MAX_NOTE_CHARS = 1000
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
    violations: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Only violations, the grave ones."),
    ] = False
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
    """
    from gateway.systems.early_warnings.sql import WarningStore
    from gateway.terminal.deployment import require_sender
    from gateway.terminal.store import on_store

    if not 1 <= wanted.limit <= _MAX_LISTED:
        raise misused(
            f"--limit: 1 to {_MAX_LISTED}", "--before NUMBER gives the page after that NUMBER"
        )
    found = on_store(config, WarningStore, lambda warnings: warnings.find(**asdict(wanted)))
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
def answer(
    number: Number,
    /,
    *,
    noted: WarningNoteOptions,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Note what the SP answers to an open warning; it is due within 24 hours.

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
        "first_at": _iso(gathered.first_at),
        "last_at": _iso(gathered.last_at),
        "samples": list(gathered.samples),
        "answer": _mapping(warning.answer),
        "closing": _mapping(warning.closing),
    }


def _row(warning: EarlyWarning) -> tuple[str | tuple[str, ...], ...]:
    gathered = warning.gathered
    kind = gathered.kind
    about = filter(None, (told_category(gathered.category), gathered.campaign))
    on_trial = (f"{gathered.on_trial} in shadow mode",) if gathered.on_trial else ()
    return (
        str(warning.number),
        (kind.system_id, kind.port),
        (f"{kind.code} {kind.code.zh}", kind.code.en, *about),
        (kind.rule, gathered.severity or ""),
        (str(gathered.count), *on_trial),
        (f"{gathered.first_at:%Y-%m-%d %H:%M:%S}", f"to {gathered.last_at:%m-%d %H:%M:%S}"),
        warning.state,
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


def _mapping(handling: WarningNote | None) -> Mapping[str, str] | None:
    if handling is None:
        return None
    return {"by": handling.by, "at": _iso(handling.at), "note": handling.note}


def _said(handling: WarningNote | None) -> str:
    if handling is None:
        return ""
    return f"{handling.by}, {handling.at:%Y-%m-%d %H:%M:%S}\n{handling.note}"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
