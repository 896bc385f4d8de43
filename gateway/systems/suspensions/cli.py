"""`smsward suspension`: which numbers may send nothing, shown and changed."""

# ruff: noqa: PLC0415 - see gateway.terminal

from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.msisdn import masked
from gateway.domain.suspension import Lift, NewSuspension, Suspension, SuspensionState
from gateway.runtime.clock import utcnow
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import AsJson, ConfigDirectory, acting
from gateway.terminal.screen import print_json, print_listed, print_table, say, visible

_MAX_LISTED = 10_000
_MAX_OF_ONE = 1000
_MAX_DAYS = 366
_MAX_NOTE_CHARS = 1000
_COLUMNS = ("no", "number", "SP", "rule", "since (UTC)", "until (UTC)", "told", "state", "note")

Number = Annotated[str, Parameter(name="NUMBER", help="The number that sends.")]
Note = Annotated[str, Parameter(help="Why, for those who read it later.")]
By = Annotated[str | None, Parameter(help="Who changes it; noted as said by your account.")]

suspension = App(
    name="suspension",
    help="Look up, set and lift suspensions of personal numbers (暂停).",
    sort_key=7,
)


@suspension.command(name="list")
def list_all(
    *,
    state: Annotated[SuspensionState | None, Parameter(help="Only those in this state.")] = None,
    limit: Annotated[int, Parameter(help="At most so many, up to 10 000.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List suspensions, the newest first. Numbers are masked.

    Example: smsward suspension list --state active
    """
    from gateway.systems.suspensions.sql import SuspensionStore
    from gateway.terminal.store import on_store

    if not 1 <= limit <= _MAX_LISTED:
        raise misused(f"--limit: 1 to {_MAX_LISTED}")
    found = on_store(config, SuspensionStore, lambda store: store.listed(state, limit=limit))
    shown, rows = list(map(_described, found)), map(_row, found)
    print_listed(shown, _COLUMNS, rows, "no such suspensions", as_json=as_json)
    if len(found) == limit and not as_json:
        say("there may be more: narrow it down, or raise --limit")
    return ExitCode.FINE


@suspension.command
def show(number: Number, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show whether a number may send, and every suspension of it that is on record.

    Example: smsward suspension show 13900139000
    """
    from gateway.systems.suspensions.sql import SuspensionStore
    from gateway.terminal.arguments import subscriber_of
    from gateway.terminal.store import on_store

    msisdn = subscriber_of(number)
    found = on_store(
        config, SuspensionStore, lambda store: store.listed(msisdn=msisdn, limit=_MAX_OF_ONE)
    )
    holds = next((one for one in found if _holds(one)), None)
    if as_json:
        described = list(map(_described, found))
        suspended = holds is not None
        print_json({"number": masked(msisdn), "suspended": suspended, "suspensions": described})
        return ExitCode.FINE
    if found:
        print_table(_COLUMNS, map(_row, found))
    until = "may send" if holds is None else f"is suspended until {_moment(holds.until)} UTC"
    say(f"{masked(msisdn)} {until}")
    return ExitCode.FINE


@suspension.command
def add(
    number: Number,
    /,
    *,
    days: Annotated[int, Parameter(help="For so many days from now, 1 to 366.")] = 3,
    note: Note,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Suspend a number by hand: it may send nothing. A running gateway obeys within a second.

    Only a clerk lifts what a clerk has suspended, and the number is not told. It stops
    messages where a rule with the check suspended is enforced, as R43-suspended is shipped.

    Example: smsward suspension add 13900139000 --days 3 --note "case 2026-118"
    """
    from gateway.systems.suspensions.sql import SuspensionStore
    from gateway.terminal.arguments import subscriber_of
    from gateway.terminal.store import on_store

    msisdn, why = subscriber_of(number), _note_of(note, by)
    if not 1 <= days <= _MAX_DAYS:
        raise misused(f"--days: 1 to {_MAX_DAYS}")
    since = utcnow()
    new = NewSuspension(msisdn, "", "", since, since + timedelta(days=days), why, is_told=True)

    async def run(store: SuspensionStore) -> Suspension | None:
        if not await store.suspend(new):
            raise CommandError(
                f"{masked(msisdn)} is suspended already",
                advice="smsward suspension show tells until when; lift it first to change that",
            )
        return await store.active_of(msisdn)

    active = on_store(config, SuspensionStore, run)
    if as_json and active is not None:
        print_json(_described(active))
    else:
        say(f"{masked(msisdn)}: suspended until {_moment(new.until)} UTC")
    return ExitCode.FINE


@suspension.command
def lift(
    number: Number,
    /,
    *,
    note: Note,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Let a number send again, before its time. A running gateway obeys within a second.

    What it sent before stays counted: the caps of the hour and of the day go on to hold.

    Example: smsward suspension lift 13900139000 --note "a club's invitations, checked"
    """
    from gateway.systems.suspensions.sql import SuspensionStore
    from gateway.terminal.arguments import subscriber_of
    from gateway.terminal.store import on_store

    msisdn = subscriber_of(number)
    lift = Lift(utcnow(), acting(by), _note_of(note, by))

    async def run(store: SuspensionStore) -> None:
        active = await store.active_of(msisdn)
        if active is None or not await store.lift(active.number, lift):
            raise CommandError(
                f"{masked(msisdn)} is not suspended",
                advice="smsward suspension list --state active lists who is",
            )

    on_store(config, SuspensionStore, run)
    if as_json:
        print_json({"number": masked(msisdn), "lifted": True})
    else:
        say(f"{masked(msisdn)}: lifted; the caps of the hour and of the day go on to hold")
    return ExitCode.FINE


def _note_of(note: str, by: str | None) -> str:
    """Return the note that is kept: who, and why."""
    why = visible(note.strip())
    if not 1 <= len(why) <= _MAX_NOTE_CHARS:
        raise misused(f"--note: 1 to {_MAX_NOTE_CHARS} characters")
    return f"{acting(by)}: {why}"


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
