import os
import subprocess
import sys
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import NoReturn

import pytest

import gateway.cli
from gateway import __version__
from gateway.cli import application
from gateway.terminal.failure import CommandError, ExitCode

Cli = Callable[..., CompletedProcess[str]]


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def app(*_arguments: object, **_options: object) -> NoReturn:
        raise error

    return app


@pytest.mark.parametrize(
    "arguments",
    [
        ("chek",),
        ("check", "--bogus"),
        ("quarantine", "list", "--limit", "many"),
        ("quarantine", "list", "--state", "lost"),
        ("quarantine", "release"),
        ("explain", "submit", "--system-id", "sp1"),
    ],
)
def test_a_command_line_that_cannot_be_meant_ends_with_2_and_words(
    cli: Cli, arguments: tuple[str, ...]
) -> None:
    ran = cli(*arguments)

    assert ran.returncode == ExitCode.MISUSED
    assert ran.stdout == ""
    assert ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_version_is_told(cli: Cli) -> None:
    ran = cli("--version")

    assert (ran.returncode, ran.stdout) == (ExitCode.FINE, f"{__version__}\n")


def test_an_error_says_what_can_be_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = CommandError("no milk", advice="buy some", exit_code=ExitCode.FAILED)
    monkeypatch.setattr(application, "app", raising(error))

    code = application.run_line([])

    assert code == ExitCode.FAILED
    assert capsys.readouterr().err == "error: no milk\nhint: buy some\n"


def test_an_error_without_advice_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(application, "app", raising(CommandError("no milk")))

    application.run_line([])

    assert capsys.readouterr().err == "error: no milk\n"


def test_an_interrupt_ends_as_shells_expect_and_without_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(application, "app", raising(KeyboardInterrupt()))

    code = application.run_line([])

    assert code == 130
    assert capsys.readouterr().err == ""


def test_a_fault_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "app", raising(ZeroDivisionError()))

    with pytest.raises(ZeroDivisionError):
        application.run_line([])


def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    # No list is as long as a pipe is deep, but the help of everything ends in its flush.
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (ExitCode.FAILED, b"")


def test_main_leaves_with_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["smsward", "nonsense"])

    with pytest.raises(SystemExit) as left:
        gateway.cli.main()

    assert left.value.code == ExitCode.MISUSED


def test_main_takes_arguments_of_a_caller(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        gateway.cli.main(["--version"])

    assert left.value.code == ExitCode.FINE
    assert capsys.readouterr().out == f"{__version__}\n"
