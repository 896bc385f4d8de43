"""Who gets in: the password, the lock-outs, the limits of an account, known addresses."""

import asyncio
import hmac
import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NoReturn

import structlog

from gateway.dataplane.plane import Plane
from gateway.domain.sender import Sender
from gateway.records.writer import Records
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.session.binding import BindReason, BindRequest, judge_bind, read_bind
from gateway.session.stranger_limits import KNOWN_S, EventQuota, EventRepeats, Lockouts, origin_of
from gateway.storage.errors import StoreUnavailable
from gateway.systems.known_peers import KnownPeer, KnownPeerStore

log = structlog.get_logger()


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


# Lines a minute of single events, and as many of counts. A line has some 250 octets.
STRANGERS_ROWS = 32
# Who proved a password and was refused all the same: its operator asks why, so it has rows that
# strangers can not take.
SENDERS_ROWS = 64


class StrangerLog:
    """Logs the first event of each kind and address in a minute, and once a minute the counts.

    Refused binds stand in the records likewise, one for each that is logged and one for each count.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._strangers = EventQuota(STRANGERS_ROWS)
        self._senders = EventQuota(SENDERS_ROWS)

    def closed(self, reason: str, address: str, system_id: str = "") -> None:
        """Tell that a connection was closed before its bind; `reason` is of a closed list."""
        if self._strangers.admits("esme.closed", reason, address, monotonic()):
            log.warning("esme.closed", system_id=system_id, address=address, reason=reason)

    def refused(self, reason: str, address: str, system_id: str, *, has_proved: bool) -> None:
        """Tell that a bind was refused; `has_proved` says whether its password was right."""
        quota = self._senders if has_proved else self._strangers
        if not quota.admits("esme.refused", reason, address, monotonic(), system_id):
            return
        about = {"system_id": system_id, "address": address, "reason": reason}
        log.warning("esme.refused", **about)
        if reason != "locked":
            self._records.rows.append(("e", epoch(), "refused", about))

    def summarise(self, now: float) -> None:
        """Tell what was only counted, once a minute; to be called each second or so."""
        for quota in (self._strangers, self._senders):
            for one in quota.repeated(now):
                self._tell(one)

    def _tell(self, one: EventRepeats) -> None:
        about = {
            "system_id": one.system_id,
            "address": one.origin or "others",
            "reason": one.reason,
            "count": one.times,
        }
        log.warning("esme.repeated", of=one.event, **about)
        if one.event == "esme.refused" and one.reason != "locked":
            self._records.rows.append(("e", epoch(), "refused", about))


MAX_PEERS = 10_000

_EVERY_S = 1.0
_AGE = timedelta(seconds=KNOWN_S)
# A peer that binds repeatedly is written once an hour.
_STALE = timedelta(hours=1)


class KnownPeers:
    """Loads stored peers into `lockouts` and writes new ones, not within the tick."""

    def __init__(
        self, store: KnownPeerStore, lockouts: Lockouts, now: Callable[[], datetime] = utcnow
    ) -> None:
        self._store = store
        self._lockouts = lockouts
        self._now = now
        self._written: dict[tuple[str, str], datetime] = {}
        self._waiting: dict[tuple[str, str], datetime] = {}
        self._pruned_at: datetime | None = None

    async def load(self) -> None:
        """Load the peers that bound in the last week. Raises StoreUnavailable."""
        now, at = self._now(), monotonic()
        for peer in await self._store.listed(now - _AGE, MAX_PEERS):
            age_s = max(0.0, (now - peer.bound_at).total_seconds())
            self._lockouts.know(peer.origin, peer.system_id, at - age_s)
            self._written[peer.system_id, peer.origin] = peer.bound_at

    def bound(self, system_id: str, address: str) -> None:
        """Note that an SP has bound from `address`."""
        key, now = (system_id, origin_of(address)), self._now()
        written = self._written.get(key)
        is_fresh = written is not None and now - written < _STALE
        if not is_fresh and len(self._waiting) < MAX_PEERS:
            self._waiting[key] = now

    async def keep(self) -> NoReturn:
        """Write new peers every second until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write new peers; at most MAX_PEERS wait while the store does not answer."""
        waiting = dict(self._waiting)
        try:
            await self._store.note([KnownPeer(*key, at) for key, at in waiting.items()])
            await self._prune()
        except StoreUnavailable:
            return
        for key, at in waiting.items():
            self._written[key] = at
            if self._waiting.get(key) == at:
                del self._waiting[key]

    async def _prune(self) -> None:
        now = self._now()
        if self._pruned_at is not None and now - self._pruned_at < _STALE:
            return
        await self._store.forget(now - _AGE, MAX_PEERS)
        self._written = {key: at for key, at in self._written.items() if now - at < _STALE}
        self._pruned_at = now


# When an SP's licence has ended, in epoch seconds; None when none is on file.
LicenceEnds = Callable[[str], float | None]

_UNPROVED = frozenset({BindReason.CREDENTIALS, BindReason.LOCKED})
_DAY_S = 86_400
_WARNED_DAYS = 30


class _Lock:
    """The lock-out that one bind meets."""

    def __init__(self, lockouts: Lockouts, request: BindRequest) -> None:
        self._lockouts = lockouts
        self._of = (request.address, request.system_id)
        self._has_refused = False
        self._is_through = False

    def refuses(self) -> bool:
        """Tell whether the password must not be checked; asked once, right before that."""
        now = monotonic()
        is_locked = self._lockouts.is_locked(*self._of, now)
        self._has_refused = not self._lockouts.may_check(*self._of, now)
        self._is_through = is_locked and not self._has_refused
        return self._has_refused

    @property
    def stands(self) -> bool:
        """Tell whether the bind is refused for it; it may have closed during the check."""
        if self._has_refused or self._is_through:
            return self._has_refused
        return self._lockouts.is_locked(*self._of, monotonic())


class Gate:
    """Judges binds; a refusal takes its time, so that guessing does.

    `licence_ends` is asked of each SP (O31 art. 6, R01). One that has filed no licence gets in
    unless `licence_required` is set. `known` hears the system_id and the address of each bind.
    """

    def __init__(
        self, plane: Plane, credentials: Credentials, lockouts: Lockouts, records: Records
    ) -> None:
        self.binds: Counter[str] = Counter()
        self.licence_ends: LicenceEnds = lambda _system_id: None
        self.licence_required = False
        self.known: Callable[[str, str], None] = lambda _system_id, _address: None
        self._plane = plane
        self._credentials = credentials
        self.lockouts = lockouts
        self.strangers = StrangerLog(records)
        self._live: Counter[str] = Counter()

    async def admit(self, pdu: bytes, address: str) -> tuple[BindRequest, Sender] | None:
        """Judge a bind; return None if it is refused. An admitted one counts until `leave`.

        Raises DecodeError for a bind that can not be read.
        """
        request = read_bind(pdu, address)
        account = self._plane.rules.accounts.get(request.system_id)
        sender = account.sender if account is not None else None
        lock = _Lock(self.lockouts, request)
        is_right = await self._credentials.are_right(
            sender.password if sender is not None else None, request.password, lock.refuses
        )
        reason = judge_bind(
            request,
            sender,
            password_is_right=is_right,
            live_binds=self._live[request.system_id],
            locked=lock.stands,
            licence=self._licence_of(sender),
        )
        self.binds[reason.value] += 1
        if reason is BindReason.OK and sender is not None:
            self.lockouts.succeeded(address, request.system_id, monotonic())
            self.known(request.system_id, address)
            self._live[request.system_id] += 1
            self._warn_of_licence(sender)
            return request, sender
        await self._turn_away(request, reason, is_known=sender is not None)
        return None

    def leave(self, system_id: str) -> None:
        """Note that a bind that was admitted has ended."""
        self._live[system_id] -= 1
        if self._live[system_id] <= 0:
            del self._live[system_id]

    def live_binds(self, system_id: str) -> int:
        """Return how many binds of a sender stand."""
        return self._live[system_id]

    def is_known(self, address: str) -> bool:
        """Tell whether an SP has bound from `address` in the last week."""
        return self.lockouts.is_known(address, monotonic())

    def _licence_of(self, sender: Sender | None) -> BindReason:
        """Return what is against the licence; that of a peer is another carrier's business."""
        if sender is None or sender.is_peer:
            return BindReason.OK
        ends = self.licence_ends(sender.system_id)
        if ends is None:
            return BindReason.LICENCE_MISSING if self.licence_required else BindReason.OK
        return BindReason.OK if epoch() < ends else BindReason.LICENCE_EXPIRED

    def _warn_of_licence(self, sender: Sender) -> None:
        ends = None if sender.is_peer else self.licence_ends(sender.system_id)
        days = _WARNED_DAYS if ends is None else int((ends - epoch()) // _DAY_S)
        if days < _WARNED_DAYS:
            log.warning("licence.ending", system_id=sender.system_id, days=days)

    async def _turn_away(self, request: BindRequest, reason: BindReason, *, is_known: bool) -> None:
        if reason is BindReason.CREDENTIALS:
            self.lockouts.failed(request.address, request.system_id, monotonic())
        # A name that is no account's may be a password typed into the wrong field.
        shown = request.system_id if is_known else "unknown"
        has_proved = reason not in _UNPROVED
        self.strangers.refused(reason.value, request.address, shown, has_proved=has_proved)
        await asyncio.sleep(self.lockouts.delay_s(request.address, request.system_id, monotonic()))
