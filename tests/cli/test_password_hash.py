import getpass
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess
from typing import NoReturn

import pytest

from gateway.cli import sessions
from gateway.settings.credentials import verify
from gateway.terminal.failure import CommandError

Cli = Callable[..., CompletedProcess[str]]
Typed = Callable[..., None]


class Terminal:
    """A standard input that is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Return a function that types passwords at the prompts of a terminal."""

    def typed(*secrets: str) -> None:
        left: Iterator[str] = iter(secrets)
        monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(left))
        monkeypatch.setattr("sys.stdin", Terminal())

    return typed


def test_a_password_from_a_pipe_becomes_its_hash(cli: Cli) -> None:
    ran = cli("sender", "hash-password", stdin="secret\nignored\n")

    assert ran.returncode == 0
    assert verify(ran.stdout.strip(), b"secret")
    assert "secret" not in ran.stdout + ran.stderr


def test_a_password_typed_twice_becomes_its_hash(
    typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("secret", "secret")

    sessions.hash_password()

    assert verify(capsys.readouterr().out.strip(), b"secret")


def test_two_passwords_that_differ_are_a_misuse(typed: Typed) -> None:
    typed("secret", "Secret")

    with pytest.raises(CommandError, match="differ"):
        sessions.hash_password()


def test_who_leaves_the_prompt_is_told_so(monkeypatch: pytest.MonkeyPatch, typed: Typed) -> None:
    def leave(_prompt: str) -> NoReturn:
        raise EOFError

    typed()
    monkeypatch.setattr(getpass, "getpass", leave)

    with pytest.raises(CommandError, match="no password"):
        sessions.hash_password()


@pytest.mark.parametrize("secret", ["", "\n", "ninechars\n", "密码密码"])
def test_a_password_that_no_bind_can_carry_is_a_misuse(cli: Cli, secret: str) -> None:
    ran = cli("sender", "hash-password", stdin=secret)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "the password is" in ran.stderr
