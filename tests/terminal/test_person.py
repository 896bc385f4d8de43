"""Who acts is what the kernel says, whatever the environment and the options say."""

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.terminal import options
from gateway.terminal.options import acting

NAMES = {0: "root", 998: "smsward", 1001: "lin"}
NO_LOGIN = "4294967295"

As = Callable[..., None]


class _Entry:
    def __init__(self, name: str) -> None:
        self.pw_name = name


@pytest.fixture
def as_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> As:
    """Run as the account `uid`, in a process that the login `login` started."""

    def named(uid: int) -> _Entry:
        return _Entry(NAMES[uid])

    def become(uid: int, login: str | None = NO_LOGIN) -> None:
        file = tmp_path / "loginuid"
        file.unlink(missing_ok=True)
        if login is not None:
            file.write_text(login)
        monkeypatch.setattr(options, "_LOGIN_UID", file)
        monkeypatch.setattr(os, "getuid", lambda: uid)
        monkeypatch.setattr(pwd, "getpwuid", named)

    return become


@pytest.mark.parametrize("login", [NO_LOGIN, None, "", "none"])
def test_without_a_login_the_account_acts(as_account: As, login: str | None) -> None:
    as_account(998, login)

    assert acting(None) == acting("") == acting("  ") == "smsward"


def test_the_login_stands_beside_the_account_that_it_became(as_account: As) -> None:
    as_account(998, "1001")

    assert acting(None) == "smsward (login lin)"


def test_who_acts_as_itself_is_named_once(as_account: As) -> None:
    as_account(1001, "1001")

    assert acting(None) == acting("lin") == "lin"


def test_a_given_name_is_noted_as_said_by_the_account(as_account: As) -> None:
    as_account(998)
    assert acting("wu") == "wu (said by smsward)"

    as_account(998, "1001")
    assert acting("wu") == "wu (said by smsward, login lin)"
    assert acting("smsward") == "smsward (login lin)"


@pytest.mark.parametrize("variable", ["LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"])
def test_no_environment_variable_says_who_acts(
    as_account: As, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    as_account(0)
    monkeypatch.setenv(variable, "boss")
    monkeypatch.setenv("SUDO_UID", "1001")

    assert acting(None) == "root"


def test_no_name_hides_who_said_it(as_account: As) -> None:
    as_account(998)

    assert acting("root (said by root)\x1b[2K") == (
        "root (said by root)\\u001b[2K (said by smsward)"
    )
    assert acting("n" * 500) == "n" * 64 + " (said by smsward)"


def test_an_account_without_a_name_is_a_number(
    as_account: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(uid: int) -> _Entry:
        raise KeyError(uid)

    as_account(10001, "10002")
    monkeypatch.setattr(pwd, "getpwuid", nameless)

    assert acting(None) == "uid 10001 (login uid 10002)"
