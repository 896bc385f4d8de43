"""A program beside this one: started again, and ended with it."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.runtime.child_process import (
    LONGEST_PAUSE_S,
    PRIORITY,
    ChildProcess,
    end_with_parent,
)
from tests.real_time import until

LogLines = list[dict[str, object]]
Sleep = Callable[[float], Awaitable[None]]

PAUSES = 8
WAITS = (sys.executable, "-c", "import signal; signal.pause()")
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('!', flush=True)"
# Starts a child that writes its id and the file of which it waits; then waits itself.
PARENT = """
import asyncio, sys
from gateway.runtime.child_process import ChildProcess

async def main():
    ChildProcess("child", (sys.executable, "-c", sys.argv[1], sys.argv[2]))
    await asyncio.Event().wait()

asyncio.run(main())
"""
CHILD = """
import os, signal, sys
from gateway.runtime.child_process import end_with_parent
end_with_parent()
print("child", os.getpid(), "SMSWARD_PARENT" in os.environ, flush=True)
signal.pause()
"""


@pytest.fixture
def paused() -> list[float]:
    """The seconds that were to be slept; none was."""
    return []


@pytest.fixture
def sleep(paused: list[float]) -> Sleep:
    async def note(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == PAUSES:
            await asyncio.Event().wait()

    return note


def has_said(heard: list[str], capfd: pytest.CaptureFixture[str]) -> bool:
    heard.append(capfd.readouterr().out)
    return "!" in "".join(heard)


def pids(log: LogLines) -> list[int]:
    return [int(str(one["pid"])) for one in log if one["event"] == "child.started"]


async def test_a_child_that_is_killed_is_started_again(log_lines: LogLines, sleep: Sleep) -> None:
    child = ChildProcess("console", WAITS, sleep)
    await until(lambda: len(pids(log_lines)) == 1)

    os.kill(pids(log_lines)[0], signal.SIGKILL)
    await until(lambda: len(pids(log_lines)) == 2)
    await child.stop()
    await child.stop()

    ended = next(one for one in log_lines if one["event"] == "child.ended")
    assert (ended["child"], ended["said"], ended["again_in_s"]) == ("console", "exit code -9", 1.0)
    stopped = [one for one in log_lines if one["event"] == "child.stopped"]
    assert [one["code"] for one in stopped] == [-signal.SIGTERM]


async def test_the_pause_doubles_up_to_a_minute(paused: list[float], sleep: Sleep) -> None:
    child = ChildProcess("console", ("/nowhere/at/all",), sleep)

    await until(lambda: len(paused) == PAUSES)
    await child.stop()

    assert paused == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


async def test_why_it_cannot_be_started_is_told(log_lines: LogLines) -> None:
    child = ChildProcess("console", ("/nowhere/at/all",))

    await until(lambda: bool(log_lines))
    await child.stop()

    assert log_lines[0]["said"] == "/nowhere/at/all: No such file or directory"


async def test_a_child_that_does_not_hear_is_killed(
    log_lines: LogLines, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gateway.runtime.child_process._STOP_S", 0.01)
    child = ChildProcess("console", (sys.executable, "-c", f"{STUBBORN}; signal.pause()"))
    heard: list[str] = []
    await until(lambda: has_said(heard, capfd))

    await child.stop()

    assert log_lines[-1]["code"] == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is of Linux")
async def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, CHILD, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    said = b""
    while not said.startswith(b"child"):  # what comes before it is the log
        said = await parent.stdout.readline()
    _, pid, has_it = said.split()

    parent.kill()
    await parent.wait()
    rest = await parent.stdout.read()  # ends once neither holds it open

    assert (has_it, rest) == (b"False", b"")
    assert int(pid) != parent.pid


def test_a_child_whose_parent_is_gone_already_ends() -> None:
    with pytest.raises(SystemExit):
        end_with_parent({"SMSWARD_PARENT": "1" if os.getppid() != 1 else "2"})


def test_what_is_no_child_goes_on() -> None:
    environ = {"HOME": "/"}

    end_with_parent(environ)

    assert environ == {"HOME": "/"}


GIVES_WAY = """
import os, threading
from gateway.runtime.child_process import give_way
give_way(); give_way()
own = os.getpriority(os.PRIO_PROCESS, 0)
thread = threading.Thread(target=lambda: print(own, os.getpriority(os.PRIO_PROCESS, 0)))
thread.start(); thread.join()
"""


async def test_what_gives_way_has_a_lower_priority_with_its_threads() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", GIVES_WAY), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()

    lower = max(PRIORITY, os.getpriority(os.PRIO_PROCESS, 0))
    assert [int(one) for one in said.split()] == [lower, lower]
