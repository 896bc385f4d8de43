"""`smsward session` and `sender`: what the running gateway knows of SPs, and orders to it."""

# ruff: noqa: PLC0415 - see gateway.terminal

import getpass
import sys
from dataclasses import asdict
from typing import Annotated

import orjson
from cyclopts import App, Parameter

from gateway.cli.live import Note, asked, moment, rates, why
from gateway.domain.live import LiveSender, LiveSession, SuspendedSender
from gateway.terminal.failure import ExitCode, known, misused
from gateway.terminal.options import FLAG, AsJson, By, ConfigDirectory, acting, limited
from gateway.terminal.screen import (
    counted,
    masked_source,
    print_fields,
    print_json,
    print_listed,
    print_result,
)

session = App(
    name="session", help="Sessions of SPs at the running gateway: list and close.", sort_key=7
)
sender = App(name="sender", help="What is needed to admit an SP.", sort_key=7)

_MAX_PASSWORD_CHARS = 256

_SESSIONS = ("no", "SP", "bind", "address", "since (UTC)", "window", "per s", "smsc")
_ALERTS = ("at (UTC)", "SP", "alert", "what", "told (UTC)")
_SENDERS = ("SP", "name", "state", "sessions", "per s", "ports")

SystemId = Annotated[str, Parameter(name="SYSTEM_ID")]


@session.command(name="list")
def list_sessions(
    *,
    of_sender: Annotated[str | None, Parameter("--sender", help="Only of this SP.")] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List the sessions that are bound: SP, address, since when, window and rate.

    Example: smsward session list --sender shop
    """
    found = asked(config, "sessions", tuple[LiveSession, ...])
    shown = [one for one in found if of_sender in (None, one.system_id)]
    rows = (
        (
            str(one.number),
            one.system_id,
            one.bind_type,
            one.address,
            moment(one.since),
            f"{one.window_used} of {one.window}",
            f"{one.per_s:g}",
            "bound" if one.has_smsc else "LOST",
        )
        for one in shown
    )
    print_listed(shown, _SESSIONS, rows, "no sessions", as_json=as_json)
    return ExitCode.FINE


@session.command
def close(
    number: Annotated[int | None, Parameter(name="NUMBER", show_default=False)] = None,
    /,
    *,
    of_sender: Annotated[
        str | None, Parameter("--sender", help="All sessions of this SP, in place of NUMBER.")
    ] = None,
    note: Note,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Unbind from a session, or from all of an SP, once what it sent is answered.

    New messages on it are refused at once. The SP may bind again: `smsward sender suspend` keeps
    it out. It is in the journal, with who and why.

    Example: smsward session close 17 --note "hangs, told by phone"

    Example: smsward session close --sender shop --note "moves to the other node"
    """
    if (number is None) == (of_sender is None):
        raise misused("which session: its NUMBER, or --sender", "`smsward session list` has both")
    meant = {"number": number} if of_sender is None else {"system_id": of_sender}
    order = {**meant, "by": acting(by), "note": why(note)}
    numbers = asked(config, "session close", tuple[int, ...], **order)
    closed = f"closing {counted(len(numbers), 'session')}: {', '.join(map(str, numbers))}"
    print_result({"closed": numbers}, closed, as_json=as_json)
    return ExitCode.FINE


@sender.command(name="list")
def list_senders(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """List the SPs that the running gateway knows: state, sessions, ports, messages a second.

    Example: smsward sender list --json
    """
    found = asked(config, "senders", tuple[LiveSender, ...])
    rows = (
        (
            one.system_id,
            one.name,
            _state(one),
            f"{one.sessions} of {one.most_sessions}",
            f"{sum(one.per_s.values()):g}",
            _ports(one),
        )
        for one in found
    )
    print_listed(list(map(_described, found)), _SENDERS, rows, "no senders", as_json=as_json)
    return ExitCode.FINE


@sender.command
def alerts(
    *,
    system_id: Annotated[str | None, Parameter(help="Only those to this SP.")] = None,
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List what SPs were told of themselves by webhook, or wait to hear, the newest first.

    What they have filed ends, a warning was raised, they were throttled for long, a port was
    suspended or may send again.

    Example: smsward sender alerts --system-id shop --json
    """
    from gateway.systems.sender_alerts import SenderAlertStore
    from gateway.terminal.store import on_store

    limited(limit)
    found = on_store(config, SenderAlertStore, lambda store: store.listed(system_id, limit))
    fields = [_masked(one.fields) for one, _ in found]
    shown = [
        {"at": one.at, "system_id": one.system_id, "kind": one.kind, **own, "told_at": told_at}
        for (one, told_at), own in zip(found, fields, strict=True)
    ]
    rows = (
        (
            moment(one.at),
            one.system_id,
            one.kind,
            ", ".join(f"{name} {value}" for name, value in own.items() if value != ""),
            "not yet" if told_at is None else moment(told_at),
        )
        for (one, told_at), own in zip(found, fields, strict=True)
    )
    print_listed(shown, _ALERTS, rows, "no alerts", as_json=as_json)
    return ExitCode.FINE


@sender.command
def show(system_id: SystemId, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show one SP: its state, who suspended it and why, ports, limits, what it sent.

    Example: smsward sender show shop
    """
    senders = asked(config, "senders", tuple[LiveSender, ...])
    found = {one.system_id: one for one in senders}
    one = found.get(system_id)
    if one is None:
        raise misused(f"there is no sender {system_id}", f"there are: {known(found)}")
    if as_json:
        print_json(_described(one))
        return ExitCode.FINE
    fields = [
        ("SP", f"{one.system_id} ({one.name})"),
        ("state", _state(one)),
        ("sessions", f"{one.sessions} of {one.most_sessions}, windows of {one.window}"),
        ("per second", f"{rates(one.per_s)}; allowed {one.per_s_allowed:g}"),
        ("since the start", rates(one.messages)),
        ("ports", _ports(one)),
    ]
    if one.suspended is not None:
        fields.insert(2, ("suspended", f"by {one.suspended.by}: {one.suspended.note}"))
    print_fields(fields)
    return ExitCode.FINE


@sender.command
def suspend(
    system_id: SystemId,
    /,
    *,
    note: Note,
    unbind: Annotated[bool, FLAG, Parameter(help="Unbind from its sessions, too.")] = False,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Refuse all that an SP submits from this moment on, and its binds, until it is resumed.

    Its sessions stay and hear SENDER_STATE, unless --unbind is given. It holds over restarts. It
    is in the journal, with who and why.

    Example: smsward sender suspend shop --note "case 2026-118: fraud"
    """
    order = {"system_id": system_id, "by": acting(by), "note": why(note), "unbind": unbind}
    one = asked(config, "sender suspend", SuspendedSender, **order)
    shown = {"state": "suspended", "of": one}
    print_result(shown, f"{system_id}: suspended", as_json=as_json)
    return ExitCode.FINE


@sender.command
def resume(
    system_id: SystemId,
    /,
    *,
    note: Note,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Let an SP send again that was suspended by order.

    Example: smsward sender resume shop --note "case 2026-118: closed"
    """
    order = {"system_id": system_id, "by": acting(by), "note": why(note), "unbind": False}
    one = asked(config, "sender resume", SuspendedSender, **order)
    print_result({"state": "resumed", "of": one}, f"{system_id}: resumed", as_json=as_json)
    return ExitCode.FINE


def _described(one: LiveSender) -> dict[str, object]:
    """Return an SP for programs; a port may be a person's number."""
    ports = {masked_source(number): purpose for number, purpose in one.ports.items()}
    return {**asdict(one), "ports": ports}


def _state(one: LiveSender) -> str:
    if one.suspended is None:
        return one.state
    return f"SUSPENDED since {moment(one.suspended.since)} UTC"


def _ports(one: LiveSender) -> str:
    return ", ".join(f"{masked_source(port)} {purpose}" for port, purpose in one.ports.items())


def _masked(alert: str) -> dict[str, object]:
    """Return the fields of an alert; a port that is a person's number is masked."""
    fields: dict[str, object] = orjson.loads(alert)
    port = fields.get("port")
    return {**fields, "port": masked_source(port)} if isinstance(port, str) else fields


@sender.command
def hash_password() -> int:
    """Turn a password into what senders.yaml holds: a PHC string of argon2id.

    On a terminal it is asked for twice and not shown; otherwise it is the first line of the
    standard input. A bind carries at most eight octets of it (SMPP 3.4, 5.2.2).

    Example: smsward sender hash-password < password.txt
    """
    from gateway.settings import credentials

    secret = (
        _asked_password()
        if sys.stdin.isatty()
        else sys.stdin.readline(_MAX_PASSWORD_CHARS).rstrip("\r\n")
    )
    try:
        phc = credentials.hash_password(secret)
    except ValueError as error:
        raise misused(str(error)) from None
    sys.stdout.write(f"{phc}\n")
    return ExitCode.FINE


def _asked_password() -> str:
    try:
        secret = getpass.getpass("Password: ")
        repeated = getpass.getpass("Once more: ")
    except EOFError:
        raise misused("no password was given") from None
    if secret != repeated:
        raise misused("the two passwords differ", "try again")
    return secret
