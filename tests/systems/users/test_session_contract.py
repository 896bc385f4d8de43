"""What gateway.systems.users.session_store promises, on every store."""

import asyncio
from datetime import datetime, timedelta

import pytest

from gateway.domain.permissions import UserRole
from gateway.stores import Stores
from gateway.systems.users.credentials import token_digest
from gateway.systems.users.model import (
    DEVICE_LIFE,
    LINK_LIFE,
    MOST_DEVICES,
    NewCredentials,
    NewSession,
    RoleGrant,
    SessionLimits,
    SignInLink,
    SignInProof,
    User,
    UserAct,
)
from gateway.systems.users.session_store import SEEN_EVERY, UserSessionStore

pytestmark = pytest.mark.every_store

LIMITS = SessionLimits()
SECRET = "S" * 32
HASH = "$argon2id$of lin"


@pytest.fixture
def act(noon: datetime) -> UserAct:
    return UserAct("root", noon)


@pytest.fixture
def store(stores: Stores) -> UserSessionStore:
    return stores.user_sessions


async def enrolled(stores: Stores, name: str, act: UserAct) -> User:
    """Give a user with two recovery codes; the code of step 7 is used up."""
    link = SignInLink(token_digest(f"link of {name}"), act.at + LINK_LIFE)
    grant = RoleGrant(UserRole.SENDER, system_id="shop")
    assert await stores.users.add(name, grant, link, act)
    new = NewCredentials(HASH, SECRET, 7, (token_digest("r1"), token_digest("r2")))
    user = await stores.users.enrol(link.token_sha256, new, act.at)
    assert user is not None
    return user


def proof_of(user: User, step: int | None = 8, code: str = "", rehashed: str = "") -> SignInProof:
    digest = token_digest(code) if code else ""
    return SignInProof(user.number, HASH, step, digest, rehashed)


def session(name: str, at: datetime, *, before: str = "", device_before: str = "") -> NewSession:
    return NewSession(
        token_sha256=token_digest(name),
        device_sha256=token_digest(f"device {name}"),
        session_before=token_digest(before),
        device_before=token_digest(device_before),
        address="192.0.2.7",
        at=at,
    )


async def is_open(store: UserSessionStore, name: str, at: datetime) -> bool:
    return await store.session_of(token_digest(name), at, LIMITS) is not None


async def test_what_a_user_must_prove_is_read_back(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    user = await enrolled(stores, "lin", act)

    found = await store.credentials_of("lin")

    assert found is not None
    assert (found.number, found.name, found.password_hash) == (user.number, "lin", HASH)
    assert (found.totp_secret, found.totp_step) == (SECRET, 7)
    assert set(found.recovery_digests) == {token_digest("r1"), token_digest("r2")}
    assert SECRET not in repr(found)
    assert HASH not in repr(found)


async def test_who_may_not_sign_in_has_nothing_to_prove(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    await enrolled(stores, "lin", act)
    link = SignInLink("1" * 64, act.at + LINK_LIFE)
    await stores.users.add("wu", RoleGrant(UserRole.VIEWER), link, act)
    await stores.users.disable("lin", act)

    assert [await store.credentials_of(one) for one in ("lin", "wu", "an", "?")] == [None] * 4


async def test_a_session_is_found_by_its_token_with_the_role_of_now(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    user = await enrolled(stores, "lin", act)

    assert await store.open(proof_of(user), session("s1", act.at), LIMITS)

    found = await store.session_of(token_digest("s1"), act.at, LIMITS)
    assert found is not None
    assert (found.name, found.grant, found.address) == ("lin", user.grant, "192.0.2.7")
    assert (found.created_at, found.seen_at) == (act.at, act.at)
    assert not await is_open(store, "s2", act.at)
    assert await store.sessions_of("lin", act.at, LIMITS) == [found]
    assert await store.sessions_of("wu", act.at, LIMITS) == []


async def test_a_code_is_taken_once_also_by_two_at_once(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    user = await enrolled(stores, "lin", act)

    opening = (store.open(proof_of(user), session(str(n), act.at), LIMITS) for n in range(4))
    opened = await asyncio.gather(*opening)

    assert opened.count(True) == 1
    assert not await store.open(proof_of(user, 7), session("old", act.at), LIMITS)
    assert not await store.open(proof_of(user, 8), session("again", act.at), LIMITS)
    assert await store.open(proof_of(user, 9), session("next", act.at), LIMITS)


async def test_a_recovery_code_is_taken_once_and_only_from_its_user(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    lin, wu = await enrolled(stores, "lin", act), await enrolled(stores, "wu", act)
    with_code = proof_of(lin, None, code="r1")

    opening = (store.open(with_code, session(str(n), act.at), LIMITS) for n in range(4))
    opened = await asyncio.gather(*opening)

    assert opened.count(True) == 1
    assert not await store.open(with_code, session("again", act.at), LIMITS)
    unknown = proof_of(lin, None, code="r3")
    assert not await store.open(unknown, session("unknown", act.at), LIMITS)
    assert await stores.users.recovery_codes_left(lin.number) == 1
    assert await stores.users.recovery_codes_left(wu.number) == 2


@pytest.mark.parametrize("change", ["disable", "reset"])
async def test_who_is_disabled_or_reset_while_signing_in_is_not_signed_in(
    stores: Stores, store: UserSessionStore, act: UserAct, change: str
) -> None:
    user = await enrolled(stores, "lin", act)
    if change == "disable":
        await stores.users.disable("lin", act)
    else:
        await stores.users.reset("lin", SignInLink("1" * 64, act.at), act)

    with_code = proof_of(user, None, code="r1")
    assert not await store.open(proof_of(user), session("s1", act.at), LIMITS)
    assert not await store.open(with_code, session("s2", act.at), LIMITS)
    assert await store.sessions_of("lin", act.at, LIMITS) == []


@pytest.mark.parametrize("change", ["disable", "role", "reset"])
async def test_sessions_end_when_their_user_changes(
    stores: Stores, store: UserSessionStore, act: UserAct, change: str
) -> None:
    lin, wu = await enrolled(stores, "lin", act), await enrolled(stores, "wu", act)
    await store.open(proof_of(lin), session("s1", act.at), LIMITS)
    await store.open(proof_of(wu), session("s2", act.at), LIMITS)

    match change:
        case "disable":
            await stores.users.disable("lin", act)
            await stores.users.enable("lin", act)
        case "role":
            await stores.users.give_role("lin", RoleGrant(UserRole.VIEWER), act)
        case _:
            await stores.users.reset("lin", SignInLink("1" * 64, act.at), act)

    assert not await is_open(store, "s1", act.at)
    assert await is_open(store, "s2", act.at)
    is_known = await store.is_known_device("lin", token_digest("device s1"), act.at)
    assert is_known is (change == "role")


async def test_a_session_ends_when_nobody_uses_it_and_at_the_latest_after_twelve_hours(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    user = await enrolled(stores, "lin", act)
    await store.open(proof_of(user), session("s1", act.at), LIMITS)
    await store.open(proof_of(user, 9), session("s2", act.at), LIMITS)

    at, last = act.at, act.at + LIMITS.absolute
    assert await is_open(store, "s2", act.at + LIMITS.idle - timedelta(seconds=1))
    while at < last:
        assert await is_open(store, "s1", at)
        at += LIMITS.idle - SEEN_EVERY

    assert not await is_open(store, "s1", last)
    assert not await is_open(store, "s2", act.at + 2 * LIMITS.idle)


async def test_a_request_within_the_minute_writes_nothing(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    user = await enrolled(stores, "lin", act)
    await store.open(proof_of(user), session("s1", act.at), LIMITS)

    await is_open(store, "s1", act.at + SEEN_EVERY / 2)
    (early,) = await store.sessions_of("lin", act.at, LIMITS)
    await is_open(store, "s1", act.at + SEEN_EVERY)
    (late,) = await store.sessions_of("lin", act.at + SEEN_EVERY, LIMITS)

    assert (early.seen_at, late.seen_at) == (act.at, act.at + SEEN_EVERY)


async def test_the_session_that_the_browser_brought_ends(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    lin, wu = await enrolled(stores, "lin", act), await enrolled(stores, "wu", act)
    await store.open(proof_of(wu), session("planted", act.at), LIMITS)

    await store.open(proof_of(lin), session("fresh", act.at, before="planted"), LIMITS)

    assert not await is_open(store, "planted", act.at)
    assert await is_open(store, "fresh", act.at)


async def test_a_sign_in_that_fails_ends_nothing(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    user = await enrolled(stores, "lin", act)
    await store.open(proof_of(user), session("s1", act.at), LIMITS)

    assert not await store.open(proof_of(user), session("s2", act.at, before="s1"), LIMITS)

    assert await is_open(store, "s1", act.at)


async def test_of_too_many_sessions_the_one_seen_longest_ago_goes(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    lin, wu = await enrolled(stores, "lin", act), await enrolled(stores, "wu", act)
    await store.open(proof_of(wu), session("other", act.at), LIMITS)
    few = SessionLimits(per_user=3)
    for nth in range(3):
        at = act.at + timedelta(seconds=nth)
        assert await store.open(proof_of(lin, 8 + nth), session(f"s{nth}", at), few)
    await is_open(store, "s0", act.at + SEEN_EVERY)
    later = act.at + 2 * SEEN_EVERY

    assert await store.open(proof_of(lin, 20), session("s3", later), few)

    opened = [await is_open(store, name, later) for name in ("s0", "s1", "s2", "s3", "other")]
    assert opened == [True, False, True, True, True]


async def test_a_device_is_known_for_its_user_and_for_a_while(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    lin = await enrolled(stores, "lin", act)
    await enrolled(stores, "wu", act)
    await store.open(proof_of(lin), session("s1", act.at), LIMITS)
    device, late = token_digest("device s1"), act.at + DEVICE_LIFE

    assert await store.is_known_device("lin", device, late - timedelta(seconds=1))
    assert not await store.is_known_device("lin", device, late)
    assert not await store.is_known_device("wu", device, act.at)
    assert not await store.is_known_device("lin", token_digest("device s2"), act.at)


async def test_one_browser_is_one_device_however_often_it_signs_in(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    lin = await enrolled(stores, "lin", act)
    await store.open(proof_of(lin), session("home", act.at), LIMITS)
    before = ""
    for nth in range(MOST_DEVICES + 2):
        new = session(f"s{nth}", act.at, device_before=before)
        assert await store.open(proof_of(lin, 9 + nth), new, LIMITS)
        before = f"device s{nth}"

    assert await store.is_known_device("lin", token_digest("device home"), act.at)
    assert await store.is_known_device("lin", token_digest(before), act.at)
    assert not await store.is_known_device("lin", token_digest("device s0"), act.at)


async def test_of_too_many_devices_the_oldest_is_forgotten(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    lin = await enrolled(stores, "lin", act)
    for nth in range(MOST_DEVICES + 1):
        new = session(f"s{nth}", act.at + timedelta(seconds=nth))
        assert await store.open(proof_of(lin, 8 + nth), new, LIMITS)

    digests = [token_digest(f"device s{nth}") for nth in range(MOST_DEVICES + 1)]
    known = [await store.is_known_device("lin", one, act.at) for one in digests]
    assert known == [False] + [True] * MOST_DEVICES


async def test_signing_out_ends_one_session_or_all(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    lin, wu = await enrolled(stores, "lin", act), await enrolled(stores, "wu", act)
    for nth in range(3):
        await store.open(proof_of(lin, 8 + nth), session(f"s{nth}", act.at), LIMITS)
    await store.open(proof_of(wu), session("other", act.at), LIMITS)

    assert await store.end(token_digest("s0"), act.at)
    assert not await store.end(token_digest("s0"), act.at)
    assert len(await store.sessions_of("lin", act.at, LIMITS)) == 2
    assert await store.end_all("lin", act) == 2
    assert await store.end_all("nobody", act) is None
    assert await store.sessions_of("lin", act.at, LIMITS) == []
    assert not await store.is_known_device("lin", token_digest("device s1"), act.at)
    assert await is_open(store, "other", act.at)


async def ended(stores: Stores) -> list[tuple[str, str, str, str]]:
    """Return who ended sessions of whom, how and why, the oldest first."""
    found = reversed(await stores.journals.accesses())
    return [
        (one.by, one.action, one.about, one.reason)
        for one in found
        if one.action in {"user sign-out", "user session end"}
    ]


async def test_each_end_of_a_session_is_in_the_audit(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    lin, second = await enrolled(stores, "lin", act), timedelta(seconds=1)
    two = SessionLimits(timedelta(minutes=30), timedelta(hours=12), per_user=2)

    for nth, name in enumerate(("own", "first", "next", "third")):
        await store.open(proof_of(lin, 8 + nth), session(name, act.at + nth * second), two)
        if name == "own":
            await store.end(token_digest("own"), act.at)
    late = act.at + timedelta(minutes=30)
    assert await store.session_of(token_digest("next"), late + 2 * second, two) is None
    assert await store.session_of(token_digest("next"), late + 2 * second, two) is None
    await store.forget(act.at + timedelta(hours=12, minutes=1), two)
    await store.end_all("lin", act)

    assert await ended(stores) == [
        ("user: lin", "user sign-out", "lin", ""),
        ("automatic", "user session end", "lin", "too many"),
        ("automatic", "user session end", "lin", "not used"),
        ("automatic", "user session end", "lin", "absolute limit"),
        (act.by, "user sign-out", "lin", "everywhere"),
    ]


async def test_a_browser_that_signs_in_anew_ends_its_session_before(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    lin = await enrolled(stores, "lin", act)
    await store.open(proof_of(lin, 8), session("s1", act.at), LIMITS)
    await store.open(proof_of(lin, 9), session("s2", act.at, before="s1"), LIMITS)

    assert await ended(stores) == [("automatic", "user session end", "lin", "another sign-in")]


async def test_a_hash_that_is_out_of_date_is_replaced_with_the_sign_in(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    user = await enrolled(stores, "lin", act)

    await store.open(proof_of(user, rehashed="$argon2id$new"), session("s1", act.at), LIMITS)

    found = await store.credentials_of("lin")
    assert found is not None
    assert (found.password_hash, found.totp_step) == ("$argon2id$new", 8)


async def test_what_is_over_is_forgotten(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    user = await enrolled(stores, "lin", act)
    await store.open(proof_of(user), session("s1", act.at), LIMITS)
    await store.open(proof_of(user, 9), session("s2", act.at + LIMITS.idle), LIMITS)

    assert await store.forget(act.at + LIMITS.idle, LIMITS) == 0  # the second took the place
    assert await store.forget(act.at + LIMITS.absolute, LIMITS) == 1
    assert await store.forget(act.at + DEVICE_LIFE, LIMITS) == 1
    assert await store.forget(act.at + 2 * DEVICE_LIFE, LIMITS) == 1


async def test_a_link_that_is_over_is_forgotten(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    link = SignInLink("1" * 64, act.at + LINK_LIFE)
    await stores.users.add("lin", RoleGrant(UserRole.VIEWER), link, act)

    assert await store.forget(link.until - timedelta(seconds=1), LIMITS) == 0
    assert await store.forget(link.until, LIMITS) == 1
    (lin,) = await stores.users.listed()
    assert lin.link_until is None


async def test_sign_ins_stand_in_the_journal(
    stores: Stores, store: UserSessionStore, act: UserAct
) -> None:
    user = await enrolled(stores, "lin", act)
    await store.open(proof_of(user), session("s1", act.at), LIMITS)
    with_code = proof_of(user, None, code="r1")
    await store.open(with_code, session("s2", act.at), LIMITS)
    await store.end_all("lin", UserAct("root", act.at))

    rows = (await stores.journals.accesses())[:3]

    assert [(one.by, one.action, one.about, one.reason) for one in reversed(rows)] == [
        ("user: lin", "user sign-in", "lin", "code, from 192.0.2.7"),
        ("user: lin", "user sign-in", "lin", "recovery code, from 192.0.2.7"),
        ("root", "user sign-out", "lin", "everywhere"),
    ]


async def test_a_user_whom_a_provider_vouches_for_has_a_session_without_a_proof(
    stores: Stores, store: UserSessionStore, act: UserAct, noon: datetime
) -> None:
    user = await enrolled(stores, "lin", act)
    before = NewSession("s1", "d1", "", "", "192.0.2.7", noon)
    after = NewSession("s2", "d2", "s1", "d1", "192.0.2.7", noon)

    opened = [await store.open_vouched("lin", one, LIMITS, "oidc") for one in (before, after)]
    unknown = await store.open_vouched("wu", after, LIMITS, "oidc")
    (session,) = await store.sessions_of("lin", noon, LIMITS)
    await stores.users.disable("lin", act)
    disabled = await store.open_vouched("lin", before, LIMITS, "oidc")

    assert (opened, unknown, disabled) == ([True, True], False, False)
    assert session.user_number == user.number
    assert await store.session_of("s1", noon, LIMITS) is None
    assert await store.sessions_of("lin", noon, LIMITS) == []
