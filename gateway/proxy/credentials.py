"""Whether a bind's password is right, without paying a slow hash for every reconnect."""

import asyncio
import hmac
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

Verify = Callable[[str, bytes], bool]

_MAX_REMEMBERED = 10_000
_AT_ONCE = 2  # checks take milliseconds of CPU each: strangers must not get all of it
# A tenth of what the loop gets of the same core, when it wants all of it.
_NICENESS = 10


class Credentials:
    """Checks passwords in threads, a few at a time, and remembers the right ones.

    What is kept is a keyed digest that is worth nothing outside this process. Wrong
    passwords are never remembered: each costs the full check.
    """

    def __init__(self, verify: Verify, decoy: str) -> None:
        self._verify = verify
        self._decoy = decoy
        self._key = secrets.token_bytes(32)
        self._known: dict[str, bytes] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(_AT_ONCE, "passwords", initializer=_let_pass)

    async def are_right(
        self, stored: str | None, secret: bytes, is_locked: Callable[[], bool]
    ) -> bool:
        """Tell whether `secret` is the password `stored`, None for an unknown sender.

        `is_locked` is asked once, right before the check, or guesses that wait side by side
        would all get theirs.
        """
        if stored is not None and self._is_known(stored, secret):
            return not is_locked()
        async with self._gate:
            if is_locked():
                return False
            is_right = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._verify, stored or self._decoy, secret
            )
        if stored is None or not is_right:
            return False
        # env: and plain: are cheap to check and may change behind the same name.
        if stored.startswith("$"):
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[stored] = self._digest(secret)
        return True

    def _is_known(self, stored: str, secret: bytes) -> bool:
        known = self._known.get(stored)
        return known is not None and hmac.compare_digest(known, self._digest(secret))

    def _digest(self, secret: bytes) -> bytes:
        return hmac.digest(self._key, secret, "sha256")


def _let_pass() -> None:
    """Let the loop run before this thread on the core that they share (Linux: setpriority(2)).

    Where that is not to be had, as outside Linux, both run alike.
    """
    thread = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS)
