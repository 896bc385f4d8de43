"""Listening sockets that outlive a process, and the processes of a hand-over.

The process that serves starts its `Successor`, which loads all it can, says that it is ready, and
gets the sockets from its `Predecessor`. What was started first stays, under its id, as the `Mind`
of those that follow: it imports next to nothing, passes signals on, and ends when they have ended.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, Self

# As sd_listen_fds(3) has it: the descriptors from here on, in the order of their names.
_FIRST = 3
# Tells a process that it follows another: two descriptors, and the id of its parent.
_FOLLOWS = "SMSWARD_FOLLOWS"
_READY = b"!"
_MAX_OCTETS, _MAX_SOCKETS = 1 << 16, 253  # the kernel passes no more at once
_PR_SET_PDEATHSIG = 1
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
_MINDED = frozenset({*_ENDING, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD})
# The exit code of a process that another one has followed.
PASSED_ON = 75


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """A listening socket; `name` is that of its listener, or of systemd's unit.

    `opened_for` is the address of that listener, as its settings say it; systemd knows none.
    """

    name: str
    socket: socket.socket
    opened_for: tuple[str, int] | None = None


def passed_sockets(
    environ: MutableMapping[str, str] = os.environ, first: int = _FIRST
) -> list[PassedSocket]:
    """Take the sockets that systemd passed to this process; a second call finds none.

    Raises OSError for a descriptor that is no socket.
    """
    pid, count, names = (
        environ.pop(key, "") for key in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    )
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    named = [*names.split(":"), *[""] * int(count)]
    found: list[PassedSocket] = []
    for number in range(int(count)):
        one = socket.socket(fileno=first + number)
        one.set_inheritable(False)
        found.append(PassedSocket(named[number], one))
    return found


@dataclass(frozen=True, slots=True)
class Successor:
    """A process that shall follow this one. `channel` can be read once it is ready or has ended.

    `pid` is 0 where it is no child of this process; then `link` is another's, too.
    """

    channel: socket.socket
    pid: int = 0
    link: socket.socket | None = None

    @classmethod
    def start(cls, command: Sequence[str]) -> Self:
        """Start a program; it ends with the thread that called this. Raises OSError."""
        (channel, its_channel), (link, its_link) = socket.socketpair(), socket.socketpair()
        with its_channel, its_link:
            for one in (its_channel, its_link):
                one.set_inheritable(True)
            follows = f"{its_channel.fileno()} {its_link.fileno()} {os.getpid()}"
            environ = {**os.environ, _FOLLOWS: follows}
            try:
                pid = os.posix_spawn(command[0], [*command], environ, setsigmask=())
            except OSError:
                channel.close()
                link.close()
                raise
        return cls(channel, pid, link)

    def is_ready(self) -> bool:
        """Tell whether it is, once `channel` can be read; reap it if it has ended."""
        if self.channel.recv(1):
            return True
        self.dismiss()
        if self.pid:
            os.waitpid(self.pid, 0)
        return False

    def dismiss(self) -> None:
        """Let it end, without sockets."""
        self.channel.close()
        if self.link is not None:
            self.link.close()

    def pass_on(self, passed: Sequence[PassedSocket]) -> None:
        """Let it serve with these sockets; they are closed here."""
        said = json.dumps([(one.name, one.opened_for) for one in passed]).encode()
        self.channel.setblocking(True)
        socket.send_fds(self.channel, [said], [one.socket.fileno() for one in passed])
        for one in (self.channel, *(each.socket for each in passed)):
            one.close()


class Predecessor:
    """The process that serves until this one is ready, and who minds this one from then on."""

    def __init__(self, channel: socket.socket, link: socket.socket) -> None:
        self.channel, self.link = channel, link

    @classmethod
    def of(cls, environ: MutableMapping[str, str] = os.environ) -> Self | None:
        """Return that of this process, None for one that follows no other; to be called once.

        The process ends with its parent from now on (Linux: prctl(2)), and takes signals that end
        it or let it reload from its parent alone: systemd and terminals send them to both.
        """
        said = environ.pop(_FOLLOWS, "")
        if not said:
            return None
        channel, link, parent = map(int, said.split())
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit()
        for number in _MINDED - {signal.SIGCHLD}:
            signal.signal(number, _leave)  # unlike SIG_IGN it is not what children inherit
        sockets = [socket.socket(fileno=one) for one in (channel, link)]
        for one in sockets:
            one.set_inheritable(False)
        return cls(*sockets)

    def say_ready(self) -> None:
        """Say that all is loaded; `channel` can be read once `sockets` is to be called."""
        self.channel.send(_READY)

    def sockets(self) -> list[PassedSocket]:
        """Return the sockets to serve with, none if the process before has ended without that."""
        said, sockets = _received(self.channel, _MAX_OCTETS, _MAX_SOCKETS)
        self.channel.close()
        return [
            PassedSocket(name, one, address and (*address,))
            for (name, address), one in zip(json.loads(said or "[]"), sockets, strict=True)
        ]

    def hear(self, act: Callable[[signal.Signals, Successor | None], object]) -> None:
        """Give a signal to `act`, with who shall follow, now that `link` can be read."""
        octets, sockets = _received(self.link, 1, 1)
        if not octets:
            os.kill(os.getpid(), signal.SIGKILL)  # as its parent was
        following = [Successor(one) for one in sockets]
        act(signal.Signals(octets[0]), following[0] if following else None)


def _received(from_: socket.socket, octets: int, most: int) -> tuple[bytes, list[socket.socket]]:
    """Return what was sent with sockets, which no child inherits: one would keep ports open."""
    said, descriptors, _, _ = socket.recv_fds(from_, octets, most)
    sockets = [socket.socket(fileno=one) for one in descriptors]
    for one in sockets:
        one.set_inheritable(False)
    return said, sockets


def _leave(_number: int, _frame: object) -> None:
    """Do nothing."""


def become_mind(successor: Successor) -> NoReturn:
    """Let this process be nothing but who minds `successor`, under its own id.

    Call `block_signals` before the successor gets its sockets, or one could end both.
    """
    assert successor.link is not None  # noqa: S101 - a caller's mistake
    successor.link.set_inheritable(True)
    about = str(successor.pid), str(successor.link.fileno())
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [sys.executable, "-m", __name__, *about, *command_line()]
    os.execv(sys.executable, arguments)  # noqa: S606 - the same program


def block_signals() -> None:
    """Let signals wait for a `Mind`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _MINDED)


class Mind:
    """Passes signals to the process `pid` and to those that follow it; SIGUSR2 starts the next one.

    `link` is the first one's, and `command` starts the others.
    """

    def __init__(self, pid: int, link: socket.socket, command: Sequence[str]) -> None:
        self._pid, self._link, self._command = pid, link, command
        self._following: Successor | None = None
        self._is_ending = self._is_wanted = False  # another one, once this one has followed
        self._code = 0

    def run(self) -> int:
        """Return the exit code of the last one that has served."""
        block_signals()
        while not any(self._is_last(*ended) for ended in _ended()):
            number = signal.sigwait(_MINDED)
            self._is_ending |= number in _ENDING
            if number == signal.SIGUSR2:
                self._start()
            elif number != signal.SIGCHLD:
                _tell(self._link, number)
        return self._code

    def _start(self) -> None:
        self._is_wanted = self._following is not None
        if self._is_wanted:
            return
        try:
            following = self._following = Successor.start(self._command)
        except OSError:
            _tell(self._link, signal.SIGUSR2)  # it says so
        else:
            _tell(self._link, signal.SIGUSR2, following.channel)
            following.channel.close()

    def _is_last(self, ended: int, code: int) -> bool:
        """Note that a child has ended; tell whether none follows."""
        following = self._following
        if following is not None and ended == following.pid:
            self._following = None
        if ended != self._pid:
            if self._is_wanted:
                self._start()
            return False
        if code != PASSED_ON or following is None or following.link is None:
            self._code = code
            return True
        self._pid, self._link, self._following = following.pid, following.link, None
        if self._is_ending:
            _tell(self._link, signal.SIGTERM)
        elif self._is_wanted:
            self._start()
        return False


def _ended() -> list[tuple[int, int]]:
    """Return the children that have ended, each with its exit code as a shell says it."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not pid:
            return found
        code = os.waitstatus_to_exitcode(status)
        found.append((pid, code if code >= 0 else 128 - code))


def _tell(link: socket.socket, number: int, *passed: socket.socket) -> None:
    try:
        socket.send_fds(link, [bytes((number,))], [one.fileno() for one in passed])
    except OSError:
        return  # it has ended, as SIGCHLD tells


def ignore_early_signals() -> None:
    """Keep SIGHUP and SIGUSR2 from ending a program that is being loaded.

    They would ask for what it is about to do: to read its files, and itself, from disk.
    """
    for number in (signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def command_line() -> list[str]:
    """Return what started this process."""
    return [sys.executable, *sys.orig_argv[1:]]


if __name__ == "__main__":
    sys.exit(Mind(int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])), sys.argv[3:]).run())
