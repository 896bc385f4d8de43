"""`smsward user`: who may sign in, on the command line."""

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from gateway.domain.permissions import USER_PERMISSIONS, UserRole
from gateway.stores import Stores
from gateway.systems.users import service
from gateway.systems.users.model import NewSession, SessionLimits, SignInProof
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

SECRET = base64.b32encode(b"12345678901234567890").decode()
PASSWORD = "correct horse"


@pytest.fixture
def user(cli: Cli, deployment: Path, in_store: InStore) -> Command:
    in_store(lambda _stores: None)
    config = str(deployment / "config")
    return lambda *arguments, **given: cli("user", *arguments, "--config", config, **given)


@pytest.fixture
def app_code(monkeypatch: pytest.MonkeyPatch, noon: datetime) -> str:
    """Return what the authenticator app shows at noon for the secret that every link gives."""
    monkeypatch.setattr(service, "new_secret", lambda: SECRET)
    monkeypatch.setattr("gateway.systems.users.cli.utcnow", lambda: noon)
    totp = TOTP(base64.b32decode(SECRET), 6, SHA1(), 30)  # noqa: S303
    return totp.generate(noon.timestamp()).decode()


def token_of(ran: CompletedProcess[str]) -> str:
    assert ran.returncode == 0, ran.stderr
    return str(json.loads(ran.stdout)["token"])


def test_a_user_is_added_and_enrols_with_the_token(user: Command, app_code: str) -> None:
    token = token_of(user("add", "lin", "reviewer", "--json"))
    enrolled = user("enrol", "--json", stdin=f"{token}\n{PASSWORD}\n{app_code}\n")
    shown = json.loads(user("show", "lin", "--json").stdout)

    assert enrolled.returncode == 0, enrolled.stderr
    opened, done = map(json.loads, enrolled.stdout.splitlines())
    assert (opened["name"], opened["secret"]) == ("lin", SECRET)
    assert len(done["recovery_codes"]) == 10
    assert (shown["role"], shown["state"], shown["is_enrolled"]) == ("reviewer", "active", True)
    assert shown["recovery_codes_left"] == 10
    assert shown["may"] == sorted(USER_PERMISSIONS[UserRole.REVIEWER])
    assert shown["created_by"] == acting(None)
    again = user("enrol", stdin=f"{token}\n{PASSWORD}\n{app_code}\n")
    assert (again.returncode, again.stdout) == (1, "")
    assert "the link is unknown, used or over" in again.stderr


def test_people_read_it_too(user: Command, app_code: str) -> None:
    added = user("add", "lin", "sender", "--system-id", "shop")
    token = added.stdout.splitlines()[1]
    enrolled = user("enrol", stdin=f"{token}\n{PASSWORD}\n{app_code}\n")

    assert added.stdout.startswith("one-time token, for lin alone, until 20")
    assert added.stdout.endswith("lin sets password and second factor with: smsward user enrol\n")
    assert enrolled.returncode == 0, enrolled.stderr
    assert SECRET in enrolled.stdout
    assert "otpauth://totp/smsward:lin?" in enrolled.stdout
    assert PASSWORD not in enrolled.stdout + enrolled.stderr
    assert "password and code" in user("list").stdout
    assert "warnings.answer" in user("show", "lin").stdout


def test_no_token_is_kept_or_shown_again(user: Command, deployment: Path, app_code: str) -> None:
    token = token_of(user("add", "lin", "admin", "--json"))
    enrolled = user("enrol", "--json", stdin=f"{token}\n{PASSWORD}\n{app_code}\n")
    codes = json.loads(enrolled.stdout.splitlines()[1])["recovery_codes"]

    kept = b"".join(path.read_bytes() for path in (deployment / "var").glob("smsward.db*"))
    assert token.encode() not in kept
    assert PASSWORD.encode() not in kept
    assert not [
        one for one in codes if one.encode() in kept or one.replace("-", "").encode() in kept
    ]
    assert token not in user("show", "lin", "--json").stdout


def test_roles_states_and_resets_change_on_command(user: Command) -> None:
    user("add", "an", "admin")
    first = token_of(user("add", "lin", "viewer", "--json"))

    role = user("role", "lin", "regulator", "--province", "福建")
    off = user("disable", "lin", "--by", "wang")
    on = user("enable", "lin")
    second = token_of(user("reset", "lin", "--json"))

    assert role.stdout == "lin: regulator of 福建\n"
    assert off.stdout == "lin: disabled\n"
    assert on.stdout == "lin: active; smsward user reset lin next\n"
    assert first != second
    (lin,) = json.loads(user("list", "--role", "regulator", "--json").stdout)
    assert (lin["name"], lin["province"], lin["system_id"]) == ("lin", "福建", None)
    assert "one-time link until" in user("list").stdout


def test_an_admin_by_command_is_told_to_be_the_act_of_one_person_where_the_pages_ask_two(
    user: Command, deployment: Path
) -> None:
    console = deployment / "config" / "console.yaml"
    console.write_text("version: 1\ntwo_persons: {make_admin: true}\n", encoding="utf-8")

    made, given = user("add", "an", "admin", "--json"), user("add", "lin", "viewer")
    raised = user("role", "lin", "admin")
    console.write_text("version: 1\n", encoding="utf-8")

    for done in (made, raised):
        assert done.returncode == 0
        assert "done by one person" in done.stderr
        assert f"two_persons.make_admin). It is noted under {acting(None)}" in done.stderr
    assert given.stderr == ""
    assert user("add", "wu", "admin").stderr == ""


def test_who_changes_users_stands_in_the_journal(user: Command, cli: Cli, deployment: Path) -> None:
    user("add", "lin", "viewer", "--by", "wang")

    journal = cli("audit", "show", "--json", "--config", str(deployment / "config"))

    (row,) = json.loads(journal.stdout)
    assert (row["by"], row["action"], row["about"]) == (acting("wang"), "user add", "lin")


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("disable", "an"), 1, "an is the last admin who can sign in"),
        (("role", "an", "viewer"), 1, "an is the last admin who can sign in"),
        (("add", "an", "viewer"), 1, "there is a user an already"),
        (("add", "sp", "sender"), 2, "the role sender needs a system_id"),
        (("role", "an", "viewer", "--province", "福建"), 2, "the role viewer has no province"),
        (("add", "sp", "sender", "--system-id", "none"), 2, "there is no sender none"),
        (("show", "lin"), 1, "there is no user lin"),
        (("show", "13800138000"), 2, "a name has 2 to 32"),
        (("reset", "lin"), 1, "there is no user lin"),
        (("role", "an", "emperor"), 2, "emperor"),
    ],
)
def test_what_cannot_be_says_why(
    user: Command, given: tuple[str, ...], code: int, said: str
) -> None:
    user("add", "an", "admin")

    ran = user(*given)

    assert (ran.returncode, ran.stdout) == (code, "")
    assert said in ran.stderr


@pytest.mark.parametrize(
    ("password", "code", "said"),
    [
        ("short", "", "a password has 12 to 256"),
        (PASSWORD, "000000", "the code is wrong"),
        ("", "", "a password"),
    ],
)
def test_a_mistake_leaves_the_token_good(
    user: Command, app_code: str, password: str, code: str, said: str
) -> None:
    token = token_of(user("add", "lin", "viewer", "--json"))

    wrong = user("enrol", stdin=f"{token}\n{password}\n{code or app_code}\n")
    right = user("enrol", stdin=f"{token}\n{PASSWORD}\n{app_code}\n")

    assert (wrong.returncode, right.returncode) == (1, 0)
    assert said in wrong.stderr


async def sign_in(stores: Stores, at: datetime) -> None:
    """Open a session of lin with a recovery code."""
    found = await stores.user_sessions.credentials_of("lin")
    assert found is not None
    digest = found.recovery_digests[0]
    proof = SignInProof(found.number, found.password_hash, None, digest)
    new = NewSession("1" * 64, "2" * 64, "", "", "192.0.2.7", at)
    assert await stores.user_sessions.open(proof, new, SessionLimits())


def test_sessions_are_listed_and_ended(
    user: Command, app_code: str, in_store: InStore, noon: datetime
) -> None:
    token = token_of(user("add", "lin", "viewer", "--json"))
    user("enrol", stdin=f"{token}\n{PASSWORD}\n{app_code}\n")
    in_store(lambda stores: sign_in(stores, noon))

    listed = json.loads(user("sessions", "lin", "--json").stdout)
    shown = user("sessions", "lin").stdout
    ended = user("sign-out", "lin", "--by", "wang")
    again = json.loads(user("sign-out", "lin", "--json").stdout)

    (one,) = listed
    assert (one["name"], one["address"]) == ("lin", "192.0.2.7")
    assert "2025-11-25 12:00" in shown
    assert ended.stdout == "lin: 1 session ended\n"
    assert again == {"name": "lin", "ended": 0}
    assert user("sessions", "lin").stdout == "lin is not signed in\n"
    assert "there is no user wu" in user("sign-out", "wu").stderr


def test_roles_are_listed_with_what_they_may(cli: Cli) -> None:
    shown = json.loads(cli("user", "roles", "--json").stdout)

    assert [one["role"] for one in shown] == list(UserRole)
    assert [one["limited_to"] for one in shown if one["limited_to"]] == ["system_id", "province"]
    assert "quarantine.decide" in cli("user", "roles").stdout
