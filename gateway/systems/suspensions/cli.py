"""`smsward suspension`: which numbers may send nothing, shown and changed."""

# ruff: noqa: PLC0415 - see gateway.terminal

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.sender import PEERS, foreign_number
from gateway.domain.suspension import (
    BLOCKED_FOR,
    Lift,
    NewPortSuspension,
    NewSuspension,
    PortSuspension,
    Suspension,
    SuspensionState,
)
from gateway.runtime.clock import utcnow
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import AsJson, ConfigDirectory, acting, limited
from gateway.terminal.screen import (
    masked_source,
    print_json,
    print_listed,
    print_result,
    print_table,
    say,
    visible,
)

_MAX_OF_ONE = 1000
_MAX_DAYS = 366
_MAX_NOTE_CHARS = 1000
_COLUMNS = ("no", "number", "SP", "rule", "since (UTC)", "until (UTC)", "told", "state", "note")
_PORT_COLUMNS = ("no", "SP", "port", "since (UTC)", "by", "note", "state")

Number = Annotated[str, Parameter(name="NUMBER", help="The number that sends.")]
Note = Annotated[str, Parameter(help="Why, for those who read it later.")]
By = Annotated[str | None, Parameter(help="Who changes it; noted as said by your account.")]

suspension = App(
    name="suspension",
    help="Look up, set and lift suspensions of personal numbers and ports (暂停).",
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

    limited(limit)
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


@suspension.command(name="ports")
def list_ports(
    *,
    past: Annotated[bool, Parameter(name="--all", negative="", help="Lifted ones too.")] = False,
    limit: Annotated[int, Parameter(help="At most so many, up to 10 000.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List ports that are suspended until a person has reviewed them, the newest first (R88).

    Example: smsward suspension ports
    """
    from gateway.systems.suspensions.sql import SuspendedPortStore
    from gateway.terminal.store import on_store

    limited(limit)
    found = on_store(
        config, SuspendedPortStore, lambda store: store.listed(is_in_force=not past, limit=limit)
    )
    described = [asdict(one) | {"port": masked_source(one.port)} for one in found]
    print_listed(
        described, _PORT_COLUMNS, map(_port_row, found), "no port is suspended", as_json=as_json
    )
    return ExitCode.FINE


@suspension.command(name="add-port")
def add_port(
    system_id: Annotated[str, Parameter(name="SENDER", help="The system_id of the SP.")],
    port: Annotated[str, Parameter(name="PORT", help="The port, as senders.yaml has it.")],
    /,
    *,
    note: Note,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Suspend a port of an SP with its extensions. A running gateway obeys within a second.

    It may send nothing until it is lifted. Who suspends it and why is in the journal. With mt_in
    for SENDER a number of another network is blocked, for 30 days.

    Example: smsward suspension add-port shop 10690001 --note "case 12: confirmed"
    """
    from gateway.systems.suspensions.sql import SuspendedPortStore
    from gateway.terminal.deployment import port_owners_of
    from gateway.terminal.store import on_store

    shown, until = visible(masked_source(port)), None
    number, owners = port_owners_of(config).port_of(port)
    is_foreign = foreign_number(port) == port and not owners and not is_mobile(port.encode())
    if system_id == PEERS and is_foreign:
        number, owners, until = port, (PEERS,), utcnow() + BLOCKED_FOR
    if number != port or system_id not in owners:
        raise misused(
            f"{shown} is no port of {visible(system_id)} in senders.yaml",
            f"that owns {visible(masked_source(number))}, with its extensions"
            if system_id in owners
            else "",
        )
    new = NewPortSuspension(system_id, port, utcnow(), acting(by), _note_of(note, by), until)
    if not on_store(config, SuspendedPortStore, lambda store: store.suspend(new)):
        raise CommandError(
            f"port {shown} of {visible(system_id)} is suspended already",
            advice="smsward suspension ports tells since when and why",
        )
    print_result(
        {"system_id": system_id, "port": masked_source(port), "suspended": True},
        f"port {shown} of {visible(system_id)}: suspended",
        as_json=as_json,
    )
    return ExitCode.FINE


@suspension.command(name="lift-port")
def lift_port(  # noqa: PLR0913 - whose port, of which sanction, and who says so
    system_id: Annotated[str, Parameter(name="SENDER", help="The system_id of the SP.")],
    port: Annotated[str, Parameter(name="PORT", help="The port, as `ports` lists it.")],
    /,
    *,
    sanction: Annotated[int, Parameter(help="The NUMBER of the sanction that suspends it.")] = 0,
    note: Note,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Lift the suspension of a port by complaints or a person, or by a sanction.

    It sends again within a second, unless another suspension is in force. What was complained of
    before counts no more. Who lifts it and why is in the journal.

    Example: smsward suspension lift-port shop 10690001 --note "reviewed: case 12"

    Example: smsward suspension lift-port shop 10690001 --sanction 3 --note "fixed"
    """
    from gateway.systems.suspensions.sql import SuspendedPortStore
    from gateway.terminal.store import on_store

    one = Lift(utcnow(), acting(by), _note_of(note, by))

    async def run(store: SuspendedPortStore) -> tuple[bool, list[PortSuspension]]:
        is_lifted = await store.lift(system_id, port, one, sanction)
        return is_lifted, await store.holding(system_id, port)

    is_lifted, others = on_store(config, SuspendedPortStore, run)
    about = f"port {visible(masked_source(port))} of {visible(system_id)}"
    still = ", ".join(_cause(other) for other in others)
    if not is_lifted:
        of_it = f" by sanction {sanction}" if sanction else ""
        raise CommandError(
            f"{about} is suspended by {still}" if others else f"{about} is not suspended{of_it}",
            advice="smsward suspension ports tells which are, and by which --sanction",
        )
    print_result(
        {
            "system_id": system_id,
            "port": masked_source(port),
            "lifted": True,
            "still_suspended": bool(others),
        },
        f"{about}: lifted" + (f", and still suspended by {still}" if others else ""),
        as_json=as_json,
    )
    return ExitCode.FINE


def _cause(one: PortSuspension) -> str:
    return f"sanction {one.sanction}" if one.sanction else visible(one.by)


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


def _port_row(one: PortSuspension) -> tuple[str, ...]:
    state = "suspended" if one.until is None else f"until {_moment(one.until)}"
    if one.lifted_at is not None:
        state = f"lifted {_moment(one.lifted_at)} by {one.lifted_by}: {one.lift_note}"
    shown = one.system_id, masked_source(one.port), _moment(one.since), one.by, one.note, state
    return (str(one.number), *shown)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
