"""The work of `smsward suspension`: which numbers may send nothing, shown and changed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.cli.failure import CommandError, ExitCode, misused
from gateway.cli.person import acting
from gateway.cli.screen import print_json, print_table, say, visible
from gateway.cli.storage import opened_store
from gateway.cli.subscriber import subscriber_of
from gateway.domain.msisdn import masked
from gateway.domain.suspension import Lift, NewSuspension, Suspension, SuspensionState
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings

_MAX_LISTED = 10_000
_MAX_OF_ONE = 1000
_MAX_DAYS = 366
_MAX_NOTE_CHARS = 1000
_COLUMNS = ("no", "number", "SP", "rule", "since (UTC)", "until (UTC)", "told", "state", "note")


@dataclass(frozen=True, slots=True)
class SuspensionOptions:
    """What a clerk wants done to a number, why, and who it is."""

    number: str
    note: str
    by: str | None


async def list_suspensions(
    settings: GatewaySettings, state: SuspensionState | None, limit: int, *, as_json: bool
) -> int:
    """Print suspensions, the newest first; return the exit code."""
    if not 1 <= limit <= _MAX_LISTED:
        raise misused(f"--limit: 1 to {_MAX_LISTED}")
    async with opened_store(settings) as stores:
        found = await stores.suspensions.listed(state, limit=limit)
    if as_json:
        print_json([_described(one) for one in found])
    elif found:
        print_table(_COLUMNS, map(_row, found))
        if len(found) == limit:
            say("there may be more: narrow it down, or raise --limit")
    else:
        say("no such suspensions")
    return ExitCode.FINE


async def show_number(settings: GatewaySettings, number: str, *, as_json: bool) -> int:
    """Print whether a number may send, and what is on record of it; return the exit code."""
    msisdn = subscriber_of(number)
    async with opened_store(settings) as stores:
        found = await stores.suspensions.listed(msisdn=msisdn, limit=_MAX_OF_ONE)
    holds = next((one for one in found if _holds(one)), None)
    if as_json:
        suspensions = [_described(one) for one in found]
        print_json(
            {
                "number": masked(msisdn),
                "suspended": holds is not None,
                "suspensions": suspensions,
            }
        )
        return ExitCode.FINE
    if found:
        print_table(_COLUMNS, map(_row, found))
    until = "may send" if holds is None else f"is suspended until {_moment(holds.until)} UTC"
    say(f"{masked(msisdn)} {until}")
    return ExitCode.FINE


async def suspend_number(
    settings: GatewaySettings, wish: SuspensionOptions, days: int, *, as_json: bool
) -> int:
    """Suspend a number; return the exit code. Raises CommandError when it is already."""
    msisdn, note = subscriber_of(wish.number), _note_of(wish)
    if not 1 <= days <= _MAX_DAYS:
        raise misused(f"--days: 1 to {_MAX_DAYS}")
    since = utcnow()
    new = NewSuspension(msisdn, "", "", since, since + timedelta(days=days), note, is_told=True)
    async with opened_store(settings) as stores:
        is_news = await stores.suspensions.suspend(new)
        active = await stores.suspensions.active_of(msisdn)
    if not is_news:
        raise CommandError(
            f"{masked(msisdn)} is suspended already",
            advice="smsward suspension show tells until when; lift it first to change that",
        )
    if as_json and active is not None:
        print_json(_described(active))
    else:
        say(f"{masked(msisdn)}: suspended until {_moment(new.until)} UTC")
    return ExitCode.FINE


async def lift_suspension(
    settings: GatewaySettings, wish: SuspensionOptions, *, as_json: bool
) -> int:
    """Let a number send again; return the exit code. Raises CommandError when it may."""
    msisdn, note = subscriber_of(wish.number), _note_of(wish)
    async with opened_store(settings) as stores:
        active = await stores.suspensions.active_of(msisdn)
        lift = Lift(utcnow(), acting(wish.by), note)
        is_lifted = active is not None and await stores.suspensions.lift(active.number, lift)
    if not is_lifted:
        raise CommandError(
            f"{masked(msisdn)} is not suspended",
            advice="smsward suspension list --state active lists who is",
        )
    if as_json:
        print_json({"number": masked(msisdn), "lifted": True})
    else:
        say(f"{masked(msisdn)}: lifted; the caps of the hour and of the day go on to hold")
    return ExitCode.FINE


def _note_of(wish: SuspensionOptions) -> str:
    """Return the note that is kept: who, and why."""
    note = visible(wish.note.strip())
    if not 1 <= len(note) <= _MAX_NOTE_CHARS:
        raise misused(f"--note: 1 to {_MAX_NOTE_CHARS} characters")
    return f"{acting(wish.by)}: {note}"


def _holds(one: Suspension) -> bool:
    return one.state is SuspensionState.ACTIVE and one.until > utcnow()


def _described(one: Suspension) -> dict[str, object]:
    return {
        "no": one.number,
        "number": masked(one.msisdn),
        "system_id": one.system_id or None,
        "rule": one.rule or None,
        "since": one.since,
        "until": one.until,
        "state": one.state,
        "told": one.is_told and bool(one.rule),
        "lifted_at": one.lifted_at,
        "lifted_by": None if one.lifted_at is None else one.lifted_by or "the number itself",
        "note": one.note,
    }


def _row(one: Suspension) -> tuple[str, ...]:
    state = one.state.value
    if one.lifted_at is not None:
        state = f"lifted {_moment(one.lifted_at)} by {one.lifted_by or 'the number itself'}"
    return (
        str(one.number),
        masked(one.msisdn),
        one.system_id,
        one.rule or "by hand",
        _moment(one.since),
        _moment(one.until),
        "yes" if one.is_told and one.rule else "no",
        state,
        one.note,
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
