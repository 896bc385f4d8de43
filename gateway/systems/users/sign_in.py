"""Sign people in and out: password, then a code; who guesses locks only himself out."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import structlog

from gateway.runtime.tasks import spawn
from gateway.storage.errors import logged
from gateway.systems.users.credentials import (
    DECOY_HASH,
    compact_code,
    hash_password,
    is_password,
    must_rehash,
    new_recovery_codes,
    new_secret,
    new_token,
    recovery_digest,
    step_of,
    token_digest,
)
from gateway.systems.users.model import (
    NewSession,
    SessionLimits,
    SignInProof,
    StoredCredentials,
    UserError,
    UserSession,
    checked_name,
    checked_password,
    normal_password,
    own_act,
)
from gateway.systems.users.session_store import UserSessionStore

log = structlog.get_logger()

T = TypeVar("T")

# Each verification takes 64 MiB and some 100 ms of a core.
CHECKS_AT_ONCE = 2
CHECKS_WAITING = 16
MAX_WRONG_CODES = 10
CODES_WINDOW_S = 900.0
_MOST_COUNTED = 10_000
_NO_USER = "no user of this name"
# No name of a user: what cannot be one is counted under it.
_NO_NAME = "?"


class GuessLimits(Protocol):
    """Says who may try a password now, by address and name, as `Lockouts` does. Bounded."""

    def may_check(self, address: str, name: str, now: float, /) -> bool:
        """Tell whether a password may be verified now; count it."""

    def failed(self, address: str, name: str, now: float, /) -> None:
        """Count a failure."""

    def succeeded(self, address: str, name: str, now: float, /) -> None:
        """Know this pair for a while."""

    def delay_s(self, address: str, name: str, now: float, /) -> float:
        """Return how long a failure is to be answered later."""


class RefusalRepeats(Protocol):
    """How often a refusal came besides the one that was kept."""

    @property
    def reason(self) -> str:
        """Return why."""

    @property
    def origin(self) -> str:
        """Return from where, "" for many places."""

    @property
    def system_id(self) -> str:
        """Return the name that was tried, "" for many."""

    @property
    def times(self) -> int:
        """Return how often."""


class RefusalQuota(Protocol):
    """Says which refusals the audit has, as `EventQuota` does: few in a minute, and counts."""

    def admits(
        self, event: str, reason: str, address: str, now: float, system_id: str = ""
    ) -> bool:
        """Count a refusal; tell whether it is the first of its kind, address and name."""

    def repeated(self, now: float) -> Sequence[RefusalRepeats]:
        """Return the counts once a minute is over."""


class SignInRefusal(StrEnum):
    """Why a sign-in was refused; the same for every name, also for an unknown one."""

    WRONG = "wrong"
    LOCKED = "locked"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """What a browser brings: besides what is typed its address, and the tokens of its cookies."""

    name: str
    password: str = field(repr=False)
    code: str = field(repr=False)
    address: str
    device_token: str = field(repr=False, default="")
    session_token: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Tokens for the cookies of a browser: of its session, and of the device for later."""

    name: str
    session_token: str = field(repr=False)
    device_token: str = field(repr=False)


class _PasswordCheck(NamedTuple):
    """Whether a password was right, and its new hash where the old one is out of date."""

    is_right: bool
    rehashed: str


@dataclass(frozen=True, slots=True)
class PasswordTurn:
    """Who tries a password, to the limits of guesses."""

    guesses: GuessLimits
    origin: str
    name: str
    now: Callable[[], float]

    def may_check(self) -> bool:
        """Tell whether the password may be verified now; count it."""
        return self.guesses.may_check(self.origin, self.name, self.now())

    def failed(self) -> None:
        """Count a failure."""
        self.guesses.failed(self.origin, self.name, self.now())

    def delay_s(self) -> float:
        """Return how long the failure is to be answered later."""
        return self.guesses.delay_s(self.origin, self.name, self.now())


class PasswordLane:
    """Verifies passwords in threads, `at_once` at the same time, while `waiting` more wait."""

    def __init__(self, at_once: int = CHECKS_AT_ONCE, waiting: int = CHECKS_WAITING) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._room = at_once + waiting
        self._taken = 0

    def start(
        self, turn: PasswordTurn, password_hash: str, password: str
    ) -> asyncio.Task[_PasswordCheck | None] | None:
        """Begin a verification; None when there is no room for it.

        Its result is None if it may not be done when its turn comes. It has its place until its
        thread has ended and a wrong password is counted, also if its caller is gone by then.
        """
        if self._taken >= self._room:
            return None
        self._taken += 1
        return spawn(self._run(turn, password_hash, password), name="users.password")

    async def _run(
        self, turn: PasswordTurn, password_hash: str, password: str
    ) -> _PasswordCheck | None:
        try:
            async with self._turns:
                if not turn.may_check():
                    return None
                checked = await asyncio.to_thread(_check, password_hash, password)
                if not checked.is_right:
                    turn.failed()  # before the next one asks whether it may
                return checked
        finally:
            self._taken -= 1


def _check(password_hash: str, password: str) -> _PasswordCheck:
    if not is_password(password_hash, password):
        return _PasswordCheck(is_right=False, rehashed="")
    is_old = must_rehash(password_hash)
    return _PasswordCheck(is_right=True, rehashed=hash_password(password) if is_old else "")


class CodeGuesses:
    """Counts wrong codes of those who know the password; bounded.

    All devices that are not known count together, so that guessing from many addresses is of no
    use; a known device counts for itself, so that it is not locked with them.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[tuple[int, str], tuple[float, int]] = OrderedDict()

    def is_locked(self, number: int, device: str, now: float) -> bool:
        """Tell whether codes of the app are refused, right ones too. Recovery codes are not."""
        return self._count(number, device, now)[1] >= MAX_WRONG_CODES

    def failed(self, number: int, device: str, now: float) -> bool:
        """Count a wrong code; tell whether it was the one that locks."""
        since, count = self._count(number, device, now)
        self._wrong[number, device] = since, count + 1
        self._wrong.move_to_end((number, device))
        if len(self._wrong) > _MOST_COUNTED:
            self._wrong.popitem(last=False)
        return count + 1 == MAX_WRONG_CODES

    def _count(self, number: int, device: str, now: float) -> tuple[float, int]:
        since, count = self._wrong.get((number, device), (now, 0))
        return (since, count) if now - since < CODES_WINDOW_S else (now, 0)


@dataclass(frozen=True, slots=True)
class SignInClocks:
    """The clocks of a process, and how it waits."""

    now: Callable[[], float]
    utcnow: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class SignInDesk:
    """Signs people in. Every call raises StoreUnavailable.

    Name, password and code come together: an answer never says which was wrong. The address of a
    known device does not matter: strangers' guesses neither lock it nor take its turns.
    """

    def __init__(
        self,
        store: UserSessionStore,
        guesses: GuessLimits,
        clocks: SignInClocks,
        limits: SessionLimits | None = None,
        *,
        refusals: RefusalQuota,
    ) -> None:
        self._store = store
        self._guesses = guesses
        self._clocks = clocks
        self.limits = limits or SessionLimits()
        self._codes = CodeGuesses()
        self._strangers, self._known = PasswordLane(), PasswordLane()
        self._no_secret = new_secret()
        self._refusals = refusals

    async def sign_in(self, attempt: SignInAttempt) -> SignedIn | SignInRefusal:
        """Open a session; the one that the browser brought ends with it."""
        return await self._proved(attempt, partial(self._open, attempt))

    async def change_password(self, attempt: SignInAttempt, password: str) -> SignInRefusal | bool:
        """Give a user another password, who has proved the one before and a code.

        All sessions but that of the attempt end. Raises UserError for a password that is weak.
        """
        new = checked_password(password, _named(attempt.name))
        hashed = await asyncio.to_thread(hash_password, new)
        kept, at = token_digest(attempt.session_token), self._clocks.utcnow()

        async def keep(proof: SignInProof) -> bool | None:
            changed = replace(proof, rehashed=hashed)
            return await self._store.set_password(changed, kept, at) or None

        return await self._proved(attempt, keep)

    async def renew_recovery_codes(self, attempt: SignInAttempt) -> SignInRefusal | tuple[str, ...]:
        """Return new recovery codes for a user who has proved password and code; once."""
        codes, at = new_recovery_codes(), self._clocks.utcnow()
        digests = tuple(map(recovery_digest, codes))

        async def keep(proof: SignInProof) -> tuple[str, ...] | None:
            return codes if await self._store.set_recovery_codes(proof, digests, at) else None

        return await self._proved(attempt, keep)

    async def _proved(
        self, attempt: SignInAttempt, use: Callable[[SignInProof], Awaitable[T | None]]
    ) -> T | SignInRefusal:
        """Return what `use` returns for a right password with a right code.

        `use` uses the proof up, and returns None where it is not good any more.
        """
        name = _named(attempt.name)
        device = await self._device_of(name, attempt.device_token)
        origin, lane = (device, self._known) if device else (attempt.address, self._strangers)
        found = await self._store.credentials_of(name)
        turn = PasswordTurn(self._guesses, origin, name, self._clocks.now)
        expected = DECOY_HASH if found is None else found.password_hash
        checking = lane.start(turn, expected, normal_password(attempt.password))
        if checking is None:
            return SignInRefusal.BUSY
        # A caller that is gone leaves the thread in its place.
        checked = await asyncio.shield(checking)
        audited = _NO_USER if found is None else name
        if checked is None:
            await self._audit(audited, SignInRefusal.LOCKED, attempt.address)
            return SignInRefusal.LOCKED
        proof = self._proof(found, checked, attempt.code, device)
        if proof is not None and (done := await use(proof)) is not None:
            # The device has another token from now on: only its address can be known longer.
            self._guesses.succeeded(attempt.address, name, self._clocks.now())
            return done
        if checked.is_right:
            turn.failed()  # a wrong password is counted by now
        await self._audit(audited, SignInRefusal.WRONG, attempt.address)
        await self._clocks.sleep(turn.delay_s())
        return SignInRefusal.WRONG

    async def session_of(self, token: str, *, is_used: bool = True) -> UserSession | None:
        """Return the open session of a cookie, or None. One that no person uses becomes idle."""
        return await self._store.session_of(
            token_digest(token), self._clocks.utcnow(), self.limits, is_used=is_used
        )

    async def open_among(self, digests: Collection[str]) -> frozenset[str]:
        """Return which of these digests of cookies are of open sessions."""
        return await self._store.open_among(digests, self._clocks.utcnow(), self.limits)

    async def sign_out(self, token: str) -> None:
        """End the session of a cookie, if there is one."""
        await self._store.end(token_digest(token), self._clocks.utcnow())

    async def sign_out_others(self, session: UserSession, token: str) -> int:
        """End all sessions of a user but this one; return how many."""
        at = self._clocks.utcnow()
        return await self._store.end_others(session, token_digest(token), at)

    async def sessions_of(self, name: str) -> list[UserSession]:
        """Return the open sessions of a user, the newest first."""
        return await self._store.sessions_of(name, self._clocks.utcnow(), self.limits)

    async def session_counts(self) -> dict[str, int]:
        """Return how many sessions each user has open."""
        return await self._store.counts(self._clocks.utcnow(), self.limits)

    async def sign_out_everywhere(self, session: UserSession) -> int:
        """End all sessions of a user, this one too, and forget the devices; return how many."""
        act = own_act(session.name, self._clocks.utcnow())
        return await self._store.end_all(session.name, act) or 0

    async def _audit(self, name: str, refusal: SignInRefusal, address: str) -> None:
        """Keep the first refusal of a kind, name and address in a minute, later how many came.

        What was typed in the place of a name may be a password: only names of users are kept.
        """
        now, at = self._clocks.now(), self._clocks.utcnow()
        for one in self._refusals.repeated(now):
            said = f"{one.reason}, {one.times} times more"
            origin = one.origin or "others"
            await logged(self._store.note_refusal(one.system_id or "users", said, origin, at))
        if self._refusals.admits("sign-in", refusal, address, now, name):
            await logged(self._store.note_refusal(name, refusal, address, at))

    async def _device_of(self, name: str, token: str) -> str:
        """Return what a known device of this user is counted under, "" for any other."""
        if not token:
            return ""
        digest = token_digest(token)
        is_known = await self._store.is_known_device(name, digest, self._clocks.utcnow())
        return f"device {digest}" if is_known else ""

    def _proof(
        self, found: StoredCredentials | None, checked: _PasswordCheck, code: str, device: str
    ) -> SignInProof | None:
        """Return what was proved; the code is looked at also where the password was wrong."""
        typed, at_s, now = compact_code(code), self._clocks.utcnow().timestamp(), self._clocks.now()
        secret, after, digests = self._no_secret, 0, tuple[str, ...]()
        if found is not None:
            secret, after, digests = found.totp_secret, found.totp_step, found.recovery_digests
        step = step_of(secret, typed, at_s, after)
        digest = recovery_digest(typed)
        is_recovery = digest in digests
        if found is None or not checked.is_right:
            return None
        if is_recovery:
            return SignInProof(found.number, found.password_hash, None, digest, checked.rehashed)
        if step is not None and not self._codes.is_locked(found.number, device, now):
            return SignInProof(found.number, found.password_hash, step, "", checked.rehashed)
        if self._codes.failed(found.number, device, now):
            log.warning("user.codes_guessed", name=found.name, wrong=MAX_WRONG_CODES)
        return None

    async def _open(self, attempt: SignInAttempt, proof: SignInProof) -> SignedIn | None:
        # Anew each time: a token that somebody else has put into the browser is worth nothing.
        token, device = new_token(), new_token()
        new = NewSession(
            token_digest(token),
            token_digest(device),
            token_digest(attempt.session_token),
            token_digest(attempt.device_token),
            attempt.address,
            self._clocks.utcnow(),
        )
        if not await self._store.open(proof, new, self.limits):
            return None
        name = _named(attempt.name)
        log.info("user.signed_in", name=name, recovery_code=proof.step is None)
        return SignedIn(name, token, device)


def _named(name: str) -> str:
    try:
        return checked_name(name[:64].strip().lower())
    except UserError:
        return _NO_NAME
