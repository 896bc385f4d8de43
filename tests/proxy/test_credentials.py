"""What a password check costs, and whom."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.proxy import gate
from gateway.proxy.gate import Credentials

STORED = "$argon2id$stored"
DECOY = "$argon2id$decoy"


class Checks:
    """Knows one secret, and counts who was checked against what."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.most_at_once = 0
        self._under_way = 0
        self._lock = threading.Lock()
        self.may_end = threading.Event()
        self.may_end.set()

    def verify(self, stored: str, secret: bytes) -> bool:
        with self._counted(stored):
            self.may_end.wait(5)
        return secret == b"secret"

    @contextmanager
    def _counted(self, stored: str) -> Iterator[None]:
        with self._lock:
            self.made.append(stored)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        yield
        with self._lock:
            self._under_way -= 1


def not_locked() -> bool:
    return False


@pytest.fixture
def checks() -> Checks:
    return Checks()


async def test_a_right_password_is_hashed_once(checks: Checks) -> None:
    known = Credentials(checks.verify, DECOY)

    answers = [await known.are_right(STORED, b"secret", not_locked) for _ in range(3)]

    assert answers == [True] * 3
    assert checks.made == [STORED]


async def test_a_wrong_password_is_hashed_each_time(checks: Checks) -> None:
    known = Credentials(checks.verify, DECOY)
    await known.are_right(STORED, b"secret", not_locked)

    answers = [await known.are_right(STORED, b"guess", not_locked) for _ in range(2)]

    assert answers == [False] * 2
    assert checks.made == [STORED] * 3


async def test_a_new_password_ends_what_was_remembered_of_the_old(checks: Checks) -> None:
    known = Credentials(checks.verify, DECOY)
    await known.are_right(STORED, b"secret", not_locked)

    await known.are_right("$argon2id$new", b"secret", not_locked)

    assert checks.made == [STORED, "$argon2id$new"]


async def test_an_unknown_sender_costs_as_much_and_never_gets_in(checks: Checks) -> None:
    known = Credentials(checks.verify, DECOY)

    is_right = await known.are_right(None, b"secret", not_locked)

    assert is_right is False
    assert checks.made == [DECOY]


@pytest.mark.parametrize("stored", ["env:SP1_PASSWORD", "plain:secret"])
async def test_what_may_change_behind_its_name_is_not_remembered(
    checks: Checks, stored: str
) -> None:
    known = Credentials(checks.verify, DECOY)

    for _ in range(2):
        assert await known.are_right(stored, b"secret", not_locked)

    assert checks.made == [stored] * 2


async def test_a_locked_peer_is_not_checked_at_all(checks: Checks) -> None:
    known = Credentials(checks.verify, DECOY)

    is_right = await known.are_right(STORED, b"secret", lambda: True)

    assert is_right is False
    assert checks.made == []


async def test_strangers_get_two_checks_at_a_time(checks: Checks) -> None:
    known = Credentials(checks.verify, DECOY)
    checks.may_end.clear()

    waiting = [
        asyncio.ensure_future(known.are_right(None, b"guess", not_locked))  # noqa: TID251 - a test's own task
        for _ in range(6)
    ]
    await asyncio.to_thread(checks.may_end.wait, 0.05)
    checks.may_end.set()
    await asyncio.gather(*waiting)

    assert checks.most_at_once == 2
    assert len(checks.made) == 6


async def test_what_is_remembered_is_bounded(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_MAX_REMEMBERED", 2)
    known = Credentials(checks.verify, DECOY)

    for number in range(3):
        assert await known.are_right(f"${number}", b"secret", not_locked)
    await known.are_right("$0", b"secret", not_locked)

    assert checks.made == ["$0", "$1", "$2", "$0"]


async def test_checks_let_the_loop_run_first_on_the_core_that_they_share() -> None:
    niceness: list[int] = []

    def verify(_stored: str, _secret: bytes) -> bool:
        niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return False

    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    await Credentials(verify, DECOY).are_right(STORED, b"guess", not_locked)

    assert niceness == [min(19, own + 10)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own


async def test_passwords_are_checked_where_threads_have_no_priority_of_their_own(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refused)

    assert await Credentials(checks.verify, DECOY).are_right(STORED, b"secret", not_locked)
