"""Who gets in: the password, the lock-outs, the limits of an account."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.dataplane.plane import Plane
from gateway.domain.sender import Sender
from gateway.proxy.credentials import Credentials
from gateway.proxy.stranger_log import StrangerLog
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.records import Records
from gateway.session.binding import BindReason, BindRequest, judge_bind, read_bind
from gateway.session.lockout import Lockouts

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Admission:
    """Who asked; `sender` is None when the bind is refused."""

    request: BindRequest
    sender: Sender | None


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
        self.known: Callable[[str, str], None] = _unheard
        self._plane = plane
        self._credentials = credentials
        self._lockouts = lockouts
        self.strangers = StrangerLog(records)
        self._live: Counter[str] = Counter()

    async def admit(self, pdu: bytes, address: str) -> Admission:
        """Judge a bind. Whoever is admitted counts as bound until `leave`.

        Raises DecodeError for a bind that can not be read.
        """
        request = read_bind(pdu, address)
        account = self._plane.rules.accounts.get(request.system_id)
        sender = account.sender if account is not None else None
        lock = _Lock(self._lockouts, request)
        is_right = await self._credentials.are_right(
            sender.password if sender is not None else None, request.password, lock.refuses
        )
        verdict = judge_bind(
            request,
            sender,
            password_is_right=is_right,
            live_binds=self._live[request.system_id],
            locked=lock.stands,
            licence=self._licence_of(request.system_id),
        )
        self.binds[verdict.reason.value] += 1
        if verdict.is_accepted and sender is not None:
            self._lockouts.succeeded(address, request.system_id, monotonic())
            self.known(request.system_id, address)
            self._live[request.system_id] += 1
            self._warn_of_licence(request.system_id)
            return Admission(request, sender)
        await self._turn_away(request, verdict.reason, is_known=sender is not None)
        return Admission(request, None)

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
        return self._lockouts.is_known(address, monotonic())

    def _licence_of(self, system_id: str) -> BindReason:
        ends = self.licence_ends(system_id)
        if ends is None:
            return BindReason.LICENCE_MISSING if self.licence_required else BindReason.OK
        return BindReason.OK if epoch() < ends else BindReason.LICENCE_EXPIRED

    def _warn_of_licence(self, system_id: str) -> None:
        ends = self.licence_ends(system_id)
        days = _WARNED_DAYS if ends is None else int((ends - epoch()) // _DAY_S)
        if days < _WARNED_DAYS:
            log.warning("licence.ending", system_id=system_id, days=days)

    async def _turn_away(self, request: BindRequest, reason: BindReason, *, is_known: bool) -> None:
        if reason is BindReason.CREDENTIALS:
            self._lockouts.failed(request.address, request.system_id, monotonic())
        # A name that is no account's may be a password typed into the wrong field.
        shown = request.system_id if is_known else "unknown"
        has_proved = reason not in _UNPROVED
        self.strangers.refused(reason.value, request.address, shown, has_proved=has_proved)
        await asyncio.sleep(self._lockouts.delay_s(request.address, request.system_id, monotonic()))


def _unheard(_system_id: str, _address: str) -> None:
    """Do nothing yet: the shell is not wired."""
