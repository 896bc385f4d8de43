"""What gateway.systems.users.sql promises of users, on every store."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.domain.permissions import UserRole
from gateway.stores import Stores
from gateway.systems.users.model import (
    LINK_LIFE,
    NewCredentials,
    RoleGrant,
    SignInLink,
    User,
    UserAct,
    UserState,
)
from gateway.systems.users.sql import UserOutcome, UserStore

pytestmark = pytest.mark.every_store

ADMIN, REVIEWER = RoleGrant(UserRole.ADMIN), RoleGrant(UserRole.REVIEWER)
CREDENTIALS = NewCredentials("$argon2id$", "SECRET" * 5 + "AA", 7, ("d1", "d2"))


@pytest.fixture
def act(noon: datetime) -> UserAct:
    return UserAct("root", noon)


@pytest.fixture
def users(stores: Stores) -> UserStore:
    return stores.users


def link(name: str, at: datetime) -> SignInLink:
    return SignInLink(f"{name}-link".ljust(64, "0"), at + LINK_LIFE)


async def added(users: UserStore, name: str, grant: RoleGrant, act: UserAct) -> User:
    assert await users.add(name, grant, link(name, act.at), act)
    return await found(users, name)


async def enrolled(users: UserStore, name: str, grant: RoleGrant, act: UserAct) -> User:
    await added(users, name, grant, act)
    user = await users.enrol(link(name, act.at).token_sha256, CREDENTIALS, act.at)
    assert user is not None
    return user


async def found(users: UserStore, name: str) -> User:
    user = await users.get(name)
    assert user is not None
    return user


async def test_a_user_is_added_once(users: UserStore, act: UserAct) -> None:
    grant = RoleGrant(UserRole.SENDER, system_id="shop")

    user = await added(users, "lin", grant, act)
    again = await users.add("lin", ADMIN, link("other", act.at), act)

    assert not again
    assert user == User(
        number=user.number,
        name="lin",
        grant=grant,
        state=UserState.ACTIVE,
        is_enrolled=False,
        link_until=act.at + LINK_LIFE,
        created_at=act.at,
        created_by="root",
        changed_at=act.at,
        changed_by="root",
    )
    assert await users.get("wu") is None


async def test_of_two_who_add_a_name_at_once_one_does(users: UserStore, act: UserAct) -> None:
    adding = (users.add("lin", REVIEWER, link(str(n), act.at), act) for n in range(5))

    assert sorted(await asyncio.gather(*adding)) == [False] * 4 + [True]


async def test_users_are_listed_by_name_and_role(users: UserStore, act: UserAct) -> None:
    for name, grant in (("wu", ADMIN), ("lin", REVIEWER), ("an", ADMIN)):
        await added(users, name, grant, act)

    assert [one.name for one in await users.listed()] == ["an", "lin", "wu"]
    assert [one.name for one in await users.listed(UserRole.ADMIN)] == ["an", "wu"]
    assert await users.listed(UserRole.AUDITOR) == []


async def test_a_link_is_good_once_and_in_its_time(users: UserStore, act: UserAct) -> None:
    user = await added(users, "lin", REVIEWER, act)
    token, over = link("lin", act.at).token_sha256, act.at + LINK_LIFE

    assert await users.of_link(token, act.at) == user
    assert await users.of_link("0" * 64, act.at) is None
    assert await users.of_link(token, over) is None
    assert await users.enrol(token, CREDENTIALS, over) is None
    after = await users.enrol(token, CREDENTIALS, over - timedelta(seconds=1))
    assert after == replace(user, is_enrolled=True, link_until=None)
    assert await users.enrol(token, CREDENTIALS, act.at) is None
    assert await users.of_link(token, act.at) is None
    assert await users.recovery_codes_left(user.number) == 2


async def test_of_two_who_use_a_link_at_once_one_enrols(users: UserStore, act: UserAct) -> None:
    await added(users, "lin", REVIEWER, act)
    token = link("lin", act.at).token_sha256

    ended = await asyncio.gather(*(users.enrol(token, CREDENTIALS, act.at) for _ in range(4)))

    assert [one is not None for one in ended].count(True) == 1


async def test_a_disabled_user_has_no_link_and_is_enabled_as_before(
    users: UserStore, act: UserAct
) -> None:
    user = await enrolled(users, "lin", REVIEWER, act)
    await added(users, "wu", REVIEWER, act)
    later = UserAct("wang", act.at + timedelta(hours=1))

    assert await users.disable("lin", later) is UserOutcome.DONE
    assert await users.disable("wu", later) is UserOutcome.DONE
    assert await users.disable("lin", later) is UserOutcome.UNCHANGED
    assert await users.disable("nobody", later) is UserOutcome.UNKNOWN

    assert await users.of_link(link("wu", act.at).token_sha256, act.at) is None
    changed = replace(user, changed_at=later.at, changed_by="wang")
    assert await found(users, "lin") == replace(changed, state=UserState.DISABLED)
    assert await users.enable("lin", later) is UserOutcome.DONE
    assert await users.enable("lin", later) is UserOutcome.UNCHANGED
    assert await found(users, "lin") == changed


async def test_a_role_takes_the_place_of_the_one_before(users: UserStore, act: UserAct) -> None:
    await added(users, "lin", RoleGrant(UserRole.SENDER, system_id="shop"), act)

    assert await users.give_role("lin", REVIEWER, act) is UserOutcome.DONE
    assert await users.give_role("lin", REVIEWER, act) is UserOutcome.UNCHANGED
    assert await users.give_role("nobody", REVIEWER, act) is UserOutcome.UNKNOWN
    assert (await found(users, "lin")).grant == REVIEWER


async def test_the_last_admin_stays(users: UserStore, act: UserAct) -> None:
    await enrolled(users, "an", ADMIN, act)
    await added(users, "lin", REVIEWER, act)

    assert await users.disable("an", act) is UserOutcome.LAST_ADMIN
    assert await users.give_role("an", REVIEWER, act) is UserOutcome.LAST_ADMIN
    assert await users.give_role("an", ADMIN, act) is UserOutcome.UNCHANGED
    assert await users.give_role("lin", ADMIN, act) is UserOutcome.DONE
    # lin has no password yet: it is as if there were no other.
    assert await users.disable("an", act) is UserOutcome.LAST_ADMIN
    assert await users.enrol(link("lin", act.at).token_sha256, CREDENTIALS, act.at)
    assert await users.disable("an", act) is UserOutcome.DONE
    assert await users.disable("lin", act) is UserOutcome.LAST_ADMIN


async def test_of_two_admins_who_disable_each_other_one_stays(
    users: UserStore, act: UserAct
) -> None:
    await enrolled(users, "an", ADMIN, act)
    await enrolled(users, "lin", ADMIN, act)

    ended = await asyncio.gather(users.disable("an", act), users.disable("lin", act))

    assert sorted(ended) == [UserOutcome.DONE, UserOutcome.LAST_ADMIN]


async def test_a_reset_forgets_what_a_user_signs_in_with(users: UserStore, act: UserAct) -> None:
    user = await enrolled(users, "an", ADMIN, act)
    anew = SignInLink("1" * 64, act.at + LINK_LIFE)

    assert await users.reset("an", anew, act) is UserOutcome.DONE
    assert await users.reset("nobody", anew, act) is UserOutcome.UNKNOWN

    assert await found(users, "an") == replace(user, is_enrolled=False, link_until=anew.until)
    assert await users.recovery_codes_left(user.number) == 0
    assert await users.of_link(link("an", act.at).token_sha256, act.at) is None
    assert await users.enrol(anew.token_sha256, CREDENTIALS, act.at)
    assert await users.recovery_codes_left(user.number) == 2


async def test_a_disabled_user_is_not_reset(users: UserStore, act: UserAct) -> None:
    await enrolled(users, "lin", REVIEWER, act)
    await users.disable("lin", act)

    outcome = await users.reset("lin", SignInLink("1" * 64, act.at + LINK_LIFE), act)

    assert outcome is UserOutcome.UNCHANGED
    assert (await found(users, "lin")).is_enrolled


async def test_every_change_is_journaled_with_who_made_it(
    stores: Stores, users: UserStore, act: UserAct
) -> None:
    await enrolled(users, "lin", REVIEWER, act)
    await users.give_role("lin", RoleGrant(UserRole.REGULATOR, province="福建"), act)
    await users.give_role("lin", RoleGrant(UserRole.REGULATOR, province="福建"), act)
    await users.disable("lin", act)
    await users.enable("lin", act)
    await users.reset("lin", SignInLink("1" * 64, act.at + LINK_LIFE), act)

    rows = reversed(await stores.journals.accesses())

    assert [(one.by, one.action, one.about, one.reason) for one in rows] == [
        ("root", "user add", "lin", "reviewer"),
        ("user: lin", "user enrol", "lin", ""),
        ("root", "user role", "lin", "regulator of 福建"),
        ("root", "user disable", "lin", ""),
        ("root", "user enable", "lin", ""),
        ("root", "user reset", "lin", ""),
    ]
    assert all(one.problem == "" for one in await stores.journals.states())
