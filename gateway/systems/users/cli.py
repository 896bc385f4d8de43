"""`smsward user`: who may sign in (用户), in which role, and with what."""

# ruff: noqa: PLC0415 - see gateway.terminal

import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from gateway.domain.permissions import SCOPES, USER_PERMISSIONS, UserRole
from gateway.runtime.clock import utcnow
from gateway.systems.users.model import (
    SessionLimits,
    User,
    UserAct,
    UserError,
    UserState,
    checked_name,
    granted,
)
from gateway.terminal.failure import CommandError, ExitCode, misused
from gateway.terminal.options import AsJson, By, ConfigDirectory, acting
from gateway.terminal.screen import (
    counted,
    print_fields,
    print_json,
    print_json_line,
    print_listed,
    print_result,
    say,
    shown_fields,
)

if TYPE_CHECKING:  # their SQL and argon2 would make help slow
    from gateway.systems.users.service import IssuedLink, UserDesk

R = TypeVar("R")

_COLUMNS = ("name", "role", "of", "state", "signs in with", "changed (UTC)", "by")
_MAX_LINE_CHARS = 4096

Name = Annotated[str, Parameter(name="NAME", help="The name by which the user signs in.")]
Role = Annotated[
    UserRole,
    Parameter(name="ROLE", name_transform=str.lower, help="What the user may do: `user roles`."),
]
OfSender = Annotated[
    str, Parameter("--system-id", show_default=False, help="Of a sender: the SP, as it binds.")
]
OfProvince = Annotated[
    str, Parameter("--province", show_default=False, help="Of a regulator: the province.")
]

user = App(
    name="user",
    help="People who may sign in (用户): roles, one-time links, second factors.",
    sort_key=9,
)


@user.command
def add(  # noqa: PLR0913 - one for each option
    name: Name,
    role: Role,
    /,
    *,
    system_id: OfSender = "",
    province: OfProvince = "",
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Add a user, and print a one-time token: give it to that person alone.

    With it the person sets password and second factor, once, within 24 hours. No password is
    taken here: only the user ever knows it.

    Example: smsward user add lin reviewer
    """
    _require_limit(role, system_id, province, config)
    act, of = UserAct(acting(by), utcnow()), _checked(name)
    issued = _on_desk(
        config, lambda desk: desk.add(of, role, act, system_id=system_id, province=province)
    )
    _warn_of_admin(role, config)
    _print_link(issued, config, as_json=as_json)
    return ExitCode.FINE


@user.command(name="list")
def list_all(
    *,
    role: Annotated[
        UserRole | None, Parameter(name_transform=str.lower, help="Only those of this role.")
    ] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List users by name, disabled ones too.

    Example: smsward user list --role admin
    """
    from gateway.systems.users.sql import UserStore
    from gateway.terminal.store import on_store

    found = on_store(config, UserStore, lambda store: store.listed(role))
    shown, rows = list(map(_described, found)), map(_row, found)
    print_listed(shown, _COLUMNS, rows, "no such users", as_json=as_json)
    return ExitCode.FINE


@user.command
def show(name: Name, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show a user: role, state, what the role may do, and recovery codes that are left.

    Example: smsward user show lin
    """
    from gateway.systems.users.sql import UserStore
    from gateway.terminal.store import on_store

    of = _checked(name)

    async def look(store: UserStore) -> tuple[User, int]:
        found = await store.get(of)
        if found is None:
            raise CommandError(f"there is no user {of}", advice="smsward user list lists them")
        return found, await store.recovery_codes_left(found.number)

    found, left = on_store(config, UserStore, look)
    may = sorted(USER_PERMISSIONS[found.grant.role])
    if as_json:
        print_json({**_described(found), "recovery_codes_left": left, "may": may})
        return ExitCode.FINE
    fields = dict(zip(_COLUMNS, _row(found), strict=True))
    fields |= {
        "created (UTC)": f"{_moment(found.created_at)} by {found.created_by}",
        "recovery codes left": str(left),
        "may": "\n".join(may),
    }
    print_fields(fields.items())
    return ExitCode.FINE


@user.command
def disable(
    name: Name, /, *, by: By = None, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """Keep a user from signing in. The last admin who can sign in is not disabled.

    Example: smsward user disable lin
    """
    of, act = _checked(name), UserAct(acting(by), utcnow())
    changed = _on_desk(config, lambda desk: desk.disable(of, act))
    print_result(_described(changed), f"{of}: disabled", as_json=as_json)
    return ExitCode.FINE


@user.command
def enable(
    name: Name, /, *, by: By = None, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """Let a disabled user sign in again, with the password and second factor of before.

    Example: smsward user enable lin
    """
    of, act = _checked(name), UserAct(acting(by), utcnow())
    changed = _on_desk(config, lambda desk: desk.enable(of, act))
    line = f"{of}: active" if changed.is_enrolled else f"{of}: active; smsward user reset {of} next"
    print_result(_described(changed), line, as_json=as_json)
    return ExitCode.FINE


@user.command(name="role")
def give_role(  # noqa: PLR0913 - one for each option
    name: Name,
    role: Role,
    /,
    *,
    system_id: OfSender = "",
    province: OfProvince = "",
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Give a user another role, in the place of the one before.

    Example: smsward user role lin senior_reviewer
    """
    _require_limit(role, system_id, province, config)
    of, act = _checked(name), UserAct(acting(by), utcnow())
    changed = _on_desk(
        config, lambda desk: desk.give_role(of, role, act, system_id=system_id, province=province)
    )
    _warn_of_admin(role, config)
    print_result(_described(changed), f"{of}: {changed.grant}", as_json=as_json)
    return ExitCode.FINE


@user.command
def reset(
    name: Name, /, *, by: By = None, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """Forget password, second factor and recovery codes of a user; print a new one-time token.

    For who has lost the telephone or the password, and where either may be known to others.

    Example: smsward user reset lin
    """
    of, act = _checked(name), UserAct(acting(by), utcnow())
    issued = _on_desk(config, lambda desk: desk.reset(of, act))
    _print_link(issued, config, as_json=as_json)
    return ExitCode.FINE


@user.command
def enrol(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Use a one-time token: set password and second factor; print the recovery codes, once.

    On a terminal the token and the password are asked for and not shown. Otherwise they are the
    first two lines of the standard input; the third is the code of the authenticator app, once
    the secret is printed.

    Example: smsward user enrol
    """
    from gateway.systems.users.service import EnrolmentForm

    token = _asked("One-time token: ").strip()
    opened = _on_desk(config, lambda desk: desk.open_link(token, utcnow()))
    password = _asked("Password: ")
    if sys.stdin.isatty() and _asked("Once more: ") != password:
        raise misused("the two passwords differ", "try again")
    if as_json:
        print_json_line({"name": opened.name, "secret": opened.secret, "uri": opened.uri})
    else:
        say(f"{opened.name}: put this secret into an authenticator app, by hand or as a link")
        say(opened.secret)
        say(opened.uri)
    sys.stdout.flush()
    form = EnrolmentForm(password, opened.secret, _asked("Code of the app: "))
    codes = _on_desk(config, lambda desk: desk.enrol(token, form, utcnow()))
    if as_json:
        print_json_line({"name": opened.name, "recovery_codes": codes})
    else:
        say("recovery codes, each good once in place of a code; they are not shown again")
        for code in codes:
            say(code)
    return ExitCode.FINE


@user.command
def sessions(name: Name, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """List the open sessions of a user, the newest first: since when, and from which address.

    Example: smsward user sessions lin
    """
    from gateway.systems.users.session_store import UserSessionStore
    from gateway.terminal.store import on_store

    of = _checked(name)
    found = on_store(
        config,
        UserSessionStore,
        lambda store: store.sessions_of(of, utcnow(), SessionLimits()),
    )
    shown = [shown_fields(one, "name created_at seen_at address") for one in found]
    rows = [(_moment(one.created_at), _moment(one.seen_at), one.address) for one in found]
    columns = ("since (UTC)", "last seen (UTC)", "from")
    print_listed(shown, columns, rows, f"{of} is not signed in", as_json=as_json)
    return ExitCode.FINE


@user.command(name="sign-out")
def sign_out(
    name: Name, /, *, by: By = None, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """End all sessions of a user, and forget the devices that the user has signed in from.

    Example: smsward user sign-out lin
    """
    from gateway.systems.users.session_store import UserSessionStore
    from gateway.terminal.store import on_store

    of, act = _checked(name), UserAct(acting(by), utcnow())
    count = on_store(config, UserSessionStore, lambda store: store.end_all(of, act))
    if count is None:
        raise CommandError(f"there is no user {of}", advice="smsward user list lists them")
    line = f"{of}: {counted(count, 'session')} ended"
    print_result({"name": of, "ended": count}, line, as_json=as_json)
    return ExitCode.FINE


@user.command
def roles(*, as_json: AsJson = False) -> int:
    """List the roles, and what each may do.

    Example: smsward user roles
    """
    shown = [
        {"role": role, "limited_to": SCOPES.get(role), "may": sorted(may)}
        for role, may in USER_PERMISSIONS.items()
    ]
    rows = [
        (role.value, SCOPES[role].value if role in SCOPES else "", ", ".join(sorted(may)))
        for role, may in USER_PERMISSIONS.items()
    ]
    print_listed(shown, ("role", "limited to one", "may"), rows, "", as_json=as_json)
    return ExitCode.FINE


def _on_desk(config: Path | None, work: Callable[["UserDesk"], Awaitable[R]]) -> R:
    from gateway.systems.users.service import UserDesk
    from gateway.systems.users.sql import UserStore
    from gateway.terminal.store import on_store

    try:
        return on_store(config, lambda database: UserDesk(UserStore(database)), work)
    except UserError as error:
        raise CommandError(str(error)) from error


def _checked(name: str) -> str:
    try:
        return checked_name(name)
    except UserError as error:
        raise misused(str(error)) from error


def _require_limit(role: UserRole, system_id: str, province: str, config: Path | None) -> None:
    try:
        granted(role, system_id, province)
    except UserError as error:
        raise misused(
            str(error), "a sender has a --system-id, a regulator a --province, and nobody else has"
        ) from error
    if system_id:
        from gateway.terminal.deployment import require_sender

        require_sender(system_id, config)


def _warn_of_admin(role: UserRole, config: Path | None) -> None:
    from gateway.terminal.deployment import warn_of_one_person

    if role is UserRole.ADMIN:
        warn_of_one_person(config, "make_admin")


def _asked(prompt: str) -> str:
    """Return what a person types, which is not shown, or the next line of the input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline(_MAX_LINE_CHARS).rstrip("\r\n")
    try:
        return getpass.getpass(prompt)  # a space at the end of a password belongs to it
    except EOFError:
        raise misused("nothing was given") from None


def _print_link(issued: "IssuedLink", config: Path | None, *, as_json: bool) -> None:
    from gateway.terminal.deployment import console_of

    url = console_of(config)
    link = None if url is None else f"{url}/enrol/{issued.token}"
    if as_json:
        told = {"name": issued.name, "token": issued.token, "link": link, "until": issued.until}
        print_json(told)
        return
    say(f"one-time token, for {issued.name} alone, until {_moment(issued.until)} UTC:")
    say(issued.token)
    say(f"{issued.name} sets password and second factor with: smsward user enrol")
    if link is not None:
        say(f"or in a browser: {link}")


def _described(one: User) -> dict[str, object]:
    names = "name state is_enrolled link_until created_at created_by changed_at changed_by"
    grant = {
        "role": one.grant.role,
        "system_id": one.grant.system_id or None,
        "province": one.grant.province or None,
    }
    return shown_fields(one, names) | grant


def _row(one: User) -> tuple[str, ...]:
    return (
        one.name,
        one.grant.role.value,
        one.grant.limit,
        one.state.value,
        _means(one),
        _moment(one.changed_at),
        one.changed_by,
    )


def _means(one: User) -> str:
    if one.is_enrolled:
        return "password and code"
    if one.link_until is None or one.link_until <= utcnow():
        return "nothing: reset it" if one.state is UserState.ACTIVE else "nothing"
    return f"one-time link until {_moment(one.link_until)}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
