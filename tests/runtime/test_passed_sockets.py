"""Listening sockets that are passed to a process and on to the next."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway.runtime.passed_sockets import passed_sockets

_SCRIPT = """
import os, select, signal, socket, sys
from gateway.runtime.passed_sockets import *

def tell(*words):
    print(os.getpid(), *words, flush=True)

def readable(one):
    select.select([one], [], [])

def follow(successor, passed):
    readable(successor.channel)
    if not successor.is_ready():
        tell("refused")
        return False
    block_signals()
    successor.pass_on(passed)
    return True

def act(number, successor):
    tell(number.name)
    assert successor is None or not successor.channel.get_inheritable()
    if number == signal.SIGTERM:
        sys.exit(3)
    if successor is not None and follow(successor, passed):
        sys.exit(PASSED_ON)

before = Predecessor.of()
if before is None:
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    passed = [PassedSocket(name, one, ("h", 1)) for name, one in zip(("a", "b:c"), opened)]
    tell(*(one.getsockname()[1] for one in opened))
    successor = Successor.start(command_line())
    os.environ["TRIED"] = "1"
    follow(successor, passed)
    become_mind(successor)
if BROKEN and "TRIED" in os.environ:
    sys.exit(2)
before.say_ready()
readable(before.channel)
passed = before.sockets()
assert [(one.name, one.opened_for) for one in passed] == [("a", ("h", 1)), ("b:c", ("h", 1))]
assert not any(one.socket.get_inheritable() for one in passed)
tell(*(one.socket.getsockname()[1] for one in passed))
while True:
    readable(before.link)
    before.hear(act)
"""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def environ(**changes: str) -> dict[str, str]:
    usual = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "plain"}
    return usual | changes


def test_a_socket_of_systemd_is_taken_once_and_not_by_children(listening: socket.socket) -> None:
    given = environ()
    passed = os.dup(listening.fileno())

    (found,) = passed_sockets(given, passed)

    with found.socket:
        assert found.name == "plain"
        assert found.socket.getsockname() == listening.getsockname()
        assert not found.socket.get_inheritable()
    assert given == {}
    assert passed_sockets(given, passed) == []


def test_a_socket_needs_no_name(listening: socket.socket) -> None:
    (found,) = passed_sockets(environ(LISTEN_FDNAMES=""), os.dup(listening.fileno()))

    with found.socket:
        assert found.name == ""


@pytest.mark.parametrize("change", [{"LISTEN_PID": "1"}, {"LISTEN_FDS": "x"}, {"LISTEN_FDS": ""}])
def test_what_is_meant_for_another_process_is_left(change: dict[str, str]) -> None:
    assert passed_sockets(environ(**change)) == []


# Processes that follow each other


class Chain:
    """Processes that follow each other; each prints what it has got, and what it is told."""

    def __init__(self, *, is_broken: bool = False) -> None:
        script = _SCRIPT.replace("BROKEN", str(is_broken))
        self._first = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
        )

    def line(self) -> list[str]:
        """Return what is printed next."""
        assert self._first.stdout is not None
        return self._first.stdout.readline().split()

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started first."""
        self._first.send_signal(number)

    def end(self) -> int:
        """Return the exit code of the process that was started first."""
        code = self._first.wait(60)
        assert self._first.stdout is not None
        self._first.stdout.close()
        return code


def test_processes_that_follow_each_other_pass_their_sockets_and_hear_signals_of_the_first() -> (
    None
):
    chain = Chain()
    (first, *opened), (second, *passed) = chain.line(), chain.line()
    chain.tell(signal.SIGHUP)
    heard = chain.line()
    chain.tell(signal.SIGUSR2)
    asked, (third, *passed_again) = chain.line(), chain.line()
    chain.tell(signal.SIGTERM)
    ending = chain.line()

    assert chain.end() == 3
    assert opened == passed == passed_again
    assert len({first, second, third}) == 3
    assert heard == [second, "SIGHUP"]
    assert asked == [second, "SIGUSR2"]
    assert ending == [third, "SIGTERM"]


def test_a_hand_over_that_is_wanted_during_another_comes_after_it() -> None:
    chain = Chain()
    chain.line()
    chain.line()
    chain.tell(signal.SIGUSR2)
    chain.line()
    chain.tell(signal.SIGUSR2)
    (third, *_), asked, (fourth, *_) = chain.line(), chain.line(), chain.line()
    chain.tell(signal.SIGTERM)

    assert asked == [third, "SIGUSR2"]
    assert chain.line() == [fourth, "SIGTERM"]
    assert chain.end() == 3


def test_a_process_that_cannot_follow_leaves_the_one_before_in_its_place() -> None:
    chain = Chain(is_broken=True)
    _, (second, *_) = chain.line(), chain.line()
    chain.tell(signal.SIGUSR2)
    asked, refused = chain.line(), chain.line()
    chain.tell(signal.SIGTERM)

    assert asked == [second, "SIGUSR2"]
    assert refused == [second, "refused"]
    assert chain.line() == [second, "SIGTERM"]
    assert chain.end() == 3


def test_who_follows_ends_with_the_process_that_was_started_first() -> None:
    chain = Chain()
    first, second = chain.line(), chain.line()

    chain.tell(signal.SIGKILL)

    assert first
    assert second
    assert chain.line() == []  # the end of a pipe that both had open
    assert chain.end() == -signal.SIGKILL
