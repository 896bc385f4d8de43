"""The work of `smsward warnings`: what SPs were warned of, and what came of it."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from gateway.cli.failure import CommandError, ExitCode, misused
from gateway.cli.harms import told_category
from gateway.cli.known_sender import require_sender
from gateway.cli.person import acting
from gateway.cli.screen import print_fields, print_json, print_table, say
from gateway.cli.storage import opened_store
from gateway.cli.warning_options import WarningNoteOptions, WarningQuery
from gateway.domain.warning import MEANINGS, EarlyWarning, WarningNote
from gateway.ports.warnings import WarningSelection
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings

_MAX_LISTED = 10_000
_MAX_NOTE_CHARS = 1000
_COLUMNS = ("number", "SP\nport", "warning", "rule\nseverity", "messages", "since (UTC)", "state")


async def list_raised(
    settings: GatewaySettings, wanted: WarningQuery, config: Path | None = None, *, as_json: bool
) -> int:
    """Print the warnings that are `wanted`; return the exit code."""
    if not 1 <= wanted.limit <= _MAX_LISTED:
        raise misused(
            f"--limit: 1 to {_MAX_LISTED}", "--before NUMBER gives the page after that NUMBER"
        )
    selection = WarningSelection(
        wanted.system_id, wanted.code, wanted.state, wanted.violations, wanted.before
    )
    async with opened_store(settings) as stores:
        found = await stores.warnings.find(selection, wanted.limit)
    if not found:
        require_sender(wanted.system_id, config)
    if as_json:
        print_json([described(one) for one in found])
        return ExitCode.FINE
    if not found:
        say("no warnings")
        return ExitCode.FINE
    print_table(_COLUMNS, map(_row, found))
    if len(found) == wanted.limit:
        say(f"older ones: add --before {found[-1].number}")
    return ExitCode.FINE


async def show_raised(settings: GatewaySettings, number: int, *, as_json: bool) -> int:
    """Print one warning; return the exit code."""
    async with opened_store(settings) as stores:
        warning = await stores.warnings.get(number)
    if warning is None:
        raise _missing(number)
    told = described(warning)
    if as_json:
        print_json(told)
        return ExitCode.FINE
    meaning = MEANINGS[warning.gathered.kind.code]
    told |= {
        "meaning": " / ".join(meaning),
        "samples": "\n".join(warning.gathered.samples),
        "answer": _said(warning.answer),
        "closing": _said(warning.closing),
    }
    shown = ((name, value) for name, value in told.items() if value not in (None, ""))
    print_fields((name.replace("_", " "), str(value)) for name, value in shown)
    return ExitCode.FINE


async def answer_raised(settings: GatewaySettings, number: int, noted: WarningNoteOptions) -> int:
    """Note what an SP answers to a warning; return the exit code."""
    handling = _handling(noted)
    async with opened_store(settings) as stores:
        if not await stores.warnings.answer(number, handling):
            raise _unmoved(number, await stores.warnings.get(number))
    say(f"warning {number} is answered")
    return ExitCode.FINE


async def close_raised(settings: GatewaySettings, number: int, noted: WarningNoteOptions) -> int:
    """Close a warning; return the exit code."""
    handling = _handling(noted)
    async with opened_store(settings) as stores:
        if not await stores.warnings.close(number, handling):
            raise _unmoved(number, await stores.warnings.get(number))
    say(f"warning {number} is closed")
    return ExitCode.FINE


def described(warning: EarlyWarning) -> dict[str, object]:
    """Return a warning for programs; nothing in it is a subscriber's."""
    gathered = warning.gathered
    chinese, english = MEANINGS[gathered.kind.code]
    return {
        "number": warning.number,
        "state": warning.state,
        "code": gathered.kind.code,
        "meaning": {"zh": chinese, "en": english},
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
        (f"{kind.code} {MEANINGS[kind.code][0]}", MEANINGS[kind.code][1], *about),
        (kind.rule, gathered.severity or ""),
        (str(gathered.count), *on_trial),
        (f"{gathered.first_at:%Y-%m-%d %H:%M:%S}", f"to {gathered.last_at:%m-%d %H:%M:%S}"),
        warning.state,
    )


def _handling(noted: WarningNoteOptions) -> WarningNote:
    note = noted.note.strip()
    if not 0 < len(note) <= _MAX_NOTE_CHARS:
        raise misused(f"--note: 1 to {_MAX_NOTE_CHARS} characters, without subscribers' numbers")
    return WarningNote(acting(noted.by), utcnow(), note)


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
