"""Signing in: who may, who guesses, and who is not locked out by it."""

import asyncio
import threading
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.console.pages import REFUSALS_AUDITED
from gateway.session.stranger_limits import WINDOW_S, EventQuota, Lockouts
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.users import sign_in as module
from gateway.systems.users.credentials import DECOY_HASH, STEP_S
from gateway.systems.users.model import SessionLimits, UserAct
from gateway.systems.users.session_store import UserSessionStore
from gateway.systems.users.sign_in import (
    CHECKS_AT_ONCE,
    CODES_WINDOW_S,
    MAX_WRONG_CODES,
    CodeGuesses,
    PasswordLane,
    PasswordTurn,
    SignedIn,
    SignInAttempt,
    SignInDesk,
    SignInRefusal,
)
from tests.systems.users.people import CAFE, HOME, PASSWORD, Person, StillClock, enrolled

PER_MINUTE = 5


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def desk(stores: Stores, clock: StillClock) -> SignInDesk:
    guesses, refusals = Lockouts(PER_MINUTE), EventQuota(REFUSALS_AUDITED)
    return SignInDesk(stores.user_sessions, guesses, clock.clocks, refusals=refusals)


@pytest.fixture
async def lin(stores: Stores) -> Person:
    return await enrolled(stores, "lin")


async def signed_in(desk: SignInDesk, attempt: SignInAttempt) -> SignedIn:
    found = await desk.sign_in(attempt)
    assert isinstance(found, SignedIn)
    return found


async def test_password_and_code_sign_in(desk: SignInDesk, lin: Person, clock: StillClock) -> None:
    opened = await signed_in(desk, lin.attempt(lin.code(clock.at)))

    session = await desk.session_of(opened.session_token)
    assert session is not None
    assert (session.name, session.grant.role, session.address) == ("lin", "reviewer", HOME)
    assert await desk.session_of(opened.device_token) is None
    assert opened.session_token not in repr(opened)
    assert clock.waits == []


async def test_a_name_is_read_as_people_type_it(
    desk: SignInDesk, lin: Person, clock: StillClock
) -> None:
    code = f" {lin.code(clock.at)[:3]} {lin.code(clock.at)[3:]} "

    assert (await signed_in(desk, SignInAttempt(" Lin ", PASSWORD, code, HOME))).name == "lin"


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("lin", PASSWORD, "000000"),
        ("lin", PASSWORD, ""),
        ("lin", PASSWORD, "aaaa-bbbb-cccc-dddd"),
        ("lin", "correct hors", "right"),
        ("lin", "", "right"),
        ("wu", PASSWORD, "right"),
        ("", PASSWORD, "right"),
        ("?", PASSWORD, "right"),
        ("' OR 1=1 --", PASSWORD, "right"),
        ("\ud800" * 100, "\ud800" * 100, "\ud800" * 100),
        ("x" * 10**6, "x" * 10**6, "1" * 10**6),
    ],
)
async def test_whatever_is_wrong_the_answer_is_the_same(
    desk: SignInDesk, lin: Person, clock: StillClock, name: str, password: str, code: str
) -> None:
    typed = lin.code(clock.at) if code == "right" else code

    refused = await desk.sign_in(SignInAttempt(name, password, typed, HOME))

    assert refused is SignInRefusal.WRONG
    assert clock.waits == [0.25]


@pytest.mark.usefixtures("lin")
async def test_the_dear_part_is_done_once_for_every_name(
    desk: SignInDesk, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def compare(password_hash: str, _password: str) -> bool:
        compared.append(password_hash)
        return False

    monkeypatch.setattr(module, "is_password", compare)
    monkeypatch.setattr(module, "DECOY_HASH", DECOY_HASH)
    await enrolled(stores, "wu")
    await stores.users.disable("wu", UserAct("root", StillClock().at))

    for name in ("lin", "wu", "nobody"):
        await desk.sign_in(SignInAttempt(name, PASSWORD, "000000", HOME))

    assert compared[0] != DECOY_HASH
    assert compared[1:] == [DECOY_HASH, DECOY_HASH]


async def test_a_right_decoy_signs_nobody_in(
    desk: SignInDesk, lin: Person, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "is_password", lambda _hash, _password: True)

    refused = await desk.sign_in(SignInAttempt("nobody", PASSWORD, lin.code(clock.at), HOME))

    assert refused is SignInRefusal.WRONG


async def test_a_code_is_good_once(desk: SignInDesk, lin: Person, clock: StillClock) -> None:
    code = lin.code(clock.at)
    both = await asyncio.gather(*(desk.sign_in(lin.attempt(code)) for _ in range(2)))

    assert sorted(isinstance(one, SignedIn) for one in both) == [False, True]
    assert await desk.sign_in(lin.attempt(code, address=CAFE)) is SignInRefusal.WRONG
    clock.move(STEP_S)
    assert await desk.sign_in(lin.attempt(code)) is SignInRefusal.WRONG
    assert isinstance(await desk.sign_in(lin.attempt(lin.code(clock.at))), SignedIn)


async def test_a_recovery_code_takes_the_place_of_a_code_once(
    desk: SignInDesk, lin: Person
) -> None:
    typed = lin.recovery[0].upper()

    assert isinstance(await desk.sign_in(lin.attempt(typed)), SignedIn)
    assert await desk.sign_in(lin.attempt(typed)) is SignInRefusal.WRONG
    refused = await desk.sign_in(lin.attempt(lin.recovery[1], password="correct hors"))
    assert refused is SignInRefusal.WRONG
    assert isinstance(await desk.sign_in(lin.attempt(lin.recovery[1])), SignedIn)


async def test_the_token_that_was_in_the_browser_before_is_worth_nothing(
    desk: SignInDesk, lin: Person, clock: StillClock
) -> None:
    planted = await signed_in(desk, lin.attempt(lin.recovery[0]))

    fresh = await signed_in(
        desk, lin.attempt(lin.code(clock.at), session_token=planted.session_token)
    )
    invented = await signed_in(desk, lin.attempt(lin.recovery[1], session_token="invented"))

    assert len({planted.session_token, fresh.session_token, invented.session_token}) == 3
    assert await desk.session_of(planted.session_token) is None
    assert await desk.session_of("invented") is None
    assert await desk.session_of(fresh.session_token) is not None


async def test_signing_out_ends_this_session_or_all(desk: SignInDesk, lin: Person) -> None:
    tokens = [(await signed_in(desk, lin.attempt(code))).session_token for code in lin.recovery[:3]]

    await desk.sign_out(tokens[0])
    await desk.sign_out(tokens[0])
    left = [await desk.session_of(one) for one in tokens]
    assert left[1] is not None
    assert await desk.sign_out_everywhere(left[1]) == 2

    assert left[0] is None
    assert [await desk.session_of(one) for one in tokens] == [None, None, None]


async def test_a_session_that_is_not_used_ends(
    desk: SignInDesk, lin: Person, clock: StillClock
) -> None:
    opened = await signed_in(desk, lin.attempt(lin.code(clock.at)))
    clock.at += SessionLimits().idle

    assert await desk.session_of(opened.session_token) is None


async def test_who_guesses_locks_his_own_address_out_and_no_other(
    desk: SignInDesk, lin: Person, clock: StillClock
) -> None:
    guess = lin.attempt("000000", password="wrong password", address=CAFE)

    guesses = [await desk.sign_in(guess) for _ in range(PER_MINUTE + 1)]
    from_there = await desk.sign_in(lin.attempt(lin.code(clock.at), address=CAFE))
    from_home = await desk.sign_in(lin.attempt(lin.code(clock.at)))

    assert guesses == [SignInRefusal.WRONG] * PER_MINUTE + [SignInRefusal.LOCKED]
    assert from_there is SignInRefusal.LOCKED
    assert isinstance(from_home, SignedIn)
    assert clock.waits == [0.25, 0.5, 1.0, 2.0, 2.0]
    clock.move(WINDOW_S)
    assert isinstance(await desk.sign_in(lin.attempt(lin.code(clock.at), address=CAFE)), SignedIn)


async def test_a_known_device_is_not_locked_by_guesses_from_its_own_address(
    desk: SignInDesk, lin: Person, clock: StillClock
) -> None:
    """As in an office behind one address, where one guesses the password of another."""
    first = await signed_in(desk, lin.attempt(lin.recovery[0]))
    for _ in range(PER_MINUTE + 3):
        await desk.sign_in(lin.attempt("000000", password="wrong password"))
    locked = await desk.sign_in(lin.attempt(lin.code(clock.at)))

    known = await desk.sign_in(lin.attempt(lin.code(clock.at), device_token=first.device_token))

    assert locked is SignInRefusal.LOCKED
    assert isinstance(known, SignedIn)


async def test_a_device_is_known_for_its_own_user_alone(
    desk: SignInDesk, lin: Person, stores: Stores, clock: StillClock
) -> None:
    wu = await enrolled(stores, "wu")
    of_wu = await signed_in(desk, wu.attempt(wu.recovery[0]))
    for _ in range(PER_MINUTE):
        await desk.sign_in(lin.attempt("", password="wrong password", address=CAFE))

    tried = lin.attempt(lin.code(clock.at), address=CAFE, device_token=of_wu.device_token)

    assert await desk.sign_in(tried) is SignInRefusal.LOCKED


async def test_who_has_stolen_a_device_guesses_no_more_than_others(
    desk: SignInDesk, lin: Person
) -> None:
    stolen = (await signed_in(desk, lin.attempt(lin.recovery[0]))).device_token
    guess = lin.attempt("", password="wrong password", device_token=stolen, address=CAFE)

    guesses = [await desk.sign_in(guess) for _ in range(PER_MINUTE + 3)]

    assert guesses == [SignInRefusal.WRONG] * PER_MINUTE + [SignInRefusal.LOCKED] * 3


async def test_who_knows_the_password_guesses_few_codes_from_however_many_addresses(
    desk: SignInDesk, lin: Person, clock: StillClock
) -> None:
    own = (await signed_in(desk, lin.attempt(lin.recovery[0]))).device_token
    with capture_logs() as lines:
        for nth in range(MAX_WRONG_CODES + 5):
            refused = await desk.sign_in(lin.attempt("000000", address=f"203.0.113.{nth}"))
            assert refused is SignInRefusal.WRONG

    clock.move(STEP_S)
    right = lin.code(clock.at)
    guessed = await desk.sign_in(lin.attempt(right, address="203.0.113.99"))
    by_paper = await desk.sign_in(lin.attempt(lin.recovery[1], address="203.0.113.98"))
    from_own = await desk.sign_in(lin.attempt(right, device_token=own))

    assert guessed is SignInRefusal.WRONG
    assert isinstance(by_paper, SignedIn)
    assert isinstance(from_own, SignedIn)
    told = [(line["event"], line["name"]) for line in lines if line["log_level"] == "warning"]
    assert told == [("user.codes_guessed", "lin")]
    clock.move(CODES_WINDOW_S)
    assert isinstance(await desk.sign_in(lin.attempt(lin.code(clock.at), address=CAFE)), SignedIn)


async def test_who_does_not_know_the_password_cannot_lock_the_codes(
    desk: SignInDesk, lin: Person, clock: StillClock
) -> None:
    for nth in range(MAX_WRONG_CODES + 5):
        guess = lin.attempt("000000", password="wrong password", address=f"203.0.113.{nth}")
        await desk.sign_in(guess)

    assert isinstance(await desk.sign_in(lin.attempt(lin.code(clock.at), address=CAFE)), SignedIn)


def test_counts_of_wrong_codes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_COUNTED", 3)
    guesses = CodeGuesses()

    for number in range(10):
        guesses.failed(number, "", 0.0)

    assert len(guesses._wrong) == 3


async def test_a_password_hashed_with_parameters_of_before_is_hashed_anew(
    desk: SignInDesk, lin: Person, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await stores.user_sessions.credentials_of("lin")
    monkeypatch.setattr(module, "must_rehash", lambda _hash: True)
    await signed_in(desk, lin.attempt(lin.recovery[0]))
    monkeypatch.setattr(module, "must_rehash", lambda _hash: False)

    after = await stores.user_sessions.credentials_of("lin")

    assert before is not None
    assert after is not None
    assert before.password_hash != after.password_hash
    assert isinstance(await desk.sign_in(lin.attempt(lin.recovery[1])), SignedIn)


def turn(per_minute: int = 100) -> PasswordTurn:
    """Return a turn of who may try so often a minute; with 0 the address is locked."""
    limits = Lockouts(per_minute or 1)
    if not per_minute:
        limits.failed(CAFE, "lin", 0.0)
    return PasswordTurn(limits, CAFE, "lin", lambda: 0.0)


class Gate:
    """Holds verifications in their threads until it is opened, and counts them."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def is_password(self, _hash: str, _password: str) -> bool:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.opened.wait(60)
        with self._lock:
            self.inside -= 1
        return False


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(module, "is_password", gate.is_password)
    return gate


async def test_few_verifications_run_at_once_and_few_wait(gate: Gate) -> None:
    lane = PasswordLane(at_once=2, waiting=3)

    started = [lane.start(turn(), "", "") for _ in range(7)]
    gate.opened.set()
    ended = [await one for one in started if one is not None]

    assert [one is None for one in started] == [False] * 5 + [True] * 2
    assert gate.most <= 2
    assert [one is not None and not one.is_right for one in ended] == [True] * 5
    again = lane.start(turn(per_minute=0), "", "")
    assert again is not None
    assert await again is None  # whether it may be is asked when its turn comes


async def test_who_hangs_up_leaves_no_room_for_more_threads(gate: Gate) -> None:
    lane, limits = PasswordLane(at_once=1, waiting=0), Lockouts(1)
    started = lane.start(PasswordTurn(limits, CAFE, "lin", lambda: 0.0), "", "")
    assert started is not None

    async def wait() -> None:
        await asyncio.shield(started)

    waiting = asyncio.get_running_loop().create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert lane.start(turn(), "", "") is None
    gate.opened.set()
    await started
    assert limits.is_locked(CAFE, "lin", 0.0)  # it is counted, although nobody waits
    assert lane.start(turn(per_minute=0), "", "") is not None


async def test_strangers_who_fill_all_places_do_not_keep_a_known_device_out(
    desk: SignInDesk, lin: Person, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (await signed_in(desk, lin.attempt(lin.recovery[0]))).device_token
    monkeypatch.setattr(desk, "_strangers", PasswordLane(at_once=1, waiting=-1))

    stranger = await desk.sign_in(lin.attempt(lin.code(clock.at), address=CAFE))
    known = await desk.sign_in(lin.attempt(lin.code(clock.at), device_token=own, address=CAFE))

    assert stranger is SignInRefusal.BUSY
    assert isinstance(known, SignedIn)


async def test_a_clock_that_is_a_step_behind_is_right(
    desk: SignInDesk, lin: Person, clock: StillClock
) -> None:
    behind = lin.code(clock.at - timedelta(seconds=STEP_S))

    assert isinstance(await desk.sign_in(lin.attempt(behind)), SignedIn)


async def test_guesses_at_once_are_no_more_than_one_after_the_other(
    desk: SignInDesk, lin: Person
) -> None:
    guess = lin.attempt("000000", password="wrong password", address=CAFE)

    ended = await asyncio.gather(*(desk.sign_in(guess) for _ in range(18)))

    # The others of those that run at once have begun before the last one failed.
    assert PER_MINUTE <= ended.count(SignInRefusal.WRONG) < PER_MINUTE + CHECKS_AT_ONCE
    assert ended.count(SignInRefusal.LOCKED) == 18 - ended.count(SignInRefusal.WRONG)


# The audit


async def refused(stores: Stores) -> list[tuple[str, str, str]]:
    found = reversed(await stores.journals.accesses())
    return [
        (one.by, one.reason, one.about) for one in found if one.action == "user sign-in refused"
    ]


async def test_a_refused_sign_in_is_in_the_audit_without_what_was_typed(
    desk: SignInDesk, stores: Stores, lin: Person
) -> None:
    await desk.sign_in(lin.attempt("000000"))
    await desk.sign_in(SignInAttempt("my-password-is-9", "lin", "000000", CAFE))

    assert await refused(stores) == [
        (f"address {HOME}", "wrong", "lin"),
        (f"address {CAFE}", "wrong", "no user of this name"),
    ]


async def test_a_locked_sign_in_is_told_from_a_wrong_one(
    desk: SignInDesk, stores: Stores, lin: Person
) -> None:
    for _ in range(PER_MINUTE + 1):
        await desk.sign_in(lin.attempt("000000", password="guess"))

    assert await refused(stores) == [
        (f"address {HOME}", "wrong", "lin"),
        (f"address {HOME}", "locked", "lin"),
    ]


async def test_guesses_cannot_fill_the_audit_and_are_counted(
    desk: SignInDesk, stores: Stores, clock: StillClock
) -> None:
    for number in range(3 * REFUSALS_AUDITED):
        await desk.sign_in(SignInAttempt("lin", "guess", "0", f"192.0.2.{number}"))
    before = len(await refused(stores))
    clock.move(61)
    await desk.sign_in(SignInAttempt("lin", "guess", "0", HOME))

    *_, count, last = await refused(stores)
    assert before == REFUSALS_AUDITED
    assert count == ("address others", f"wrong, {2 * REFUSALS_AUDITED} times more", "users")
    assert last == (f"address {HOME}", "wrong", "no user of this name")


async def test_a_store_that_takes_no_entry_stops_no_answer(
    desk: SignInDesk, lin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(UserSessionStore, "note_refusal", fail)
    with capture_logs() as logs:
        assert await desk.sign_in(lin.attempt("000000")) is SignInRefusal.WRONG

    assert [one["event"] for one in logs] == ["store.failed"]
