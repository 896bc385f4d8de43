"""The outer edge of the command line: every exception becomes a message and an exit code."""

import os
import signal
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from gateway.cli.application import app
from gateway.cli.failure import CommandError, ExitCode

_INTERRUPTED = 128 + signal.SIGINT


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code.

    Mistakes of the person at the terminal are said on the standard error, with what to do
    about them. A traceback means a fault of smsward's own.
    """
    try:
        code = app(
            arguments,
            exit_on_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except CycloptsError:
        return ExitCode.MISUSED  # cyclopts has said what is wrong
    except CommandError as error:
        _say(f"error: {error}", f"hint: {error.advice}" if error.advice else "")
        return error.exit_code
    except BrokenPipeError:
        return _nobody_reads()
    except KeyboardInterrupt:
        return _INTERRUPTED
    # The listing of commands and --version return nothing.
    return code if isinstance(code, int) else ExitCode.FINE


def _say(*lines: str) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in lines if line))


def _nobody_reads() -> int:
    """End quietly when the reader of a pipe has gone, as `| head` does."""
    # The interpreter flushes once more at its end, and must not find the pipe again.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return ExitCode.FAILED
