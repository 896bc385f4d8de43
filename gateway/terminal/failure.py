"""How a command ends: its exit code, or what it says when it cannot go on."""

from collections.abc import Coroutine, Iterable
from enum import IntEnum
from typing import TypeVar

T = TypeVar("T")


class ExitCode(IntEnum):
    """What the shell is told."""

    FINE = 0
    FAILED = 1  # it went wrong while it ran
    MISUSED = 2  # the command line or the configuration is wrong


class CommandError(Exception):
    """A command cannot go on. `advice` says what the person at the terminal can do."""

    def __init__(
        self, problem: str, *, advice: str = "", exit_code: ExitCode = ExitCode.FAILED
    ) -> None:
        super().__init__(problem)
        self.advice = advice
        self.exit_code = exit_code


def misused(problem: str, advice: str = "") -> CommandError:
    """Return the error for a command line that cannot be meant."""
    return CommandError(problem, advice=advice, exit_code=ExitCode.MISUSED)


def known(names: Iterable[str], maximum: int = 20) -> str:
    """Return `names` for an advice, the first `maximum` of them."""
    listed = sorted(names)
    shown = ", ".join(listed[:maximum]) or "none"
    return shown if len(listed) <= maximum else f"{shown} and {len(listed) - maximum} more"


def run_async(work: Coroutine[object, object, T]) -> T:
    """Return the result of `work`; asyncio is imported only when a command works."""
    import asyncio  # noqa: PLC0415 - see gateway.terminal

    return asyncio.run(work)
