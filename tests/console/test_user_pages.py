"""The pages of users: what an administrator does with them, and what users do for themselves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.domain.permissions import USER_PERMISSIONS, Permission, UserRole
from gateway.systems.users.model import UserState
from gateway.systems.users.user_pages import ROLES, STATES
from gateway.web.pages import Templates
from tests.console.browsing import SAME, Site, post, sign_in
from tests.systems.users.people import PASSWORD, Person, enrolled

NEW = "another horse, correct"


async def audit(site: Site) -> list[tuple[str, str, str]]:
    return [(one.by, one.action, one.about) for one in await site.stores.journals.accesses()]


async def state_of(site: Site, name: str) -> UserState | None:
    user = await site.stores.users.get(name)
    return None if user is None else user.state


def token_in(page: str) -> str:
    return page.partition("http://console/enrol/")[2].partition("<")[0].strip()


# Who may


@pytest.mark.parametrize("role", sorted(set(UserRole) - {UserRole.SENDER, UserRole.REGULATOR}))
async def test_only_who_may_reads_and_only_admins_change_users(
    browser: httpx.AsyncClient, site: Site, role: UserRole
) -> None:
    await sign_in(browser, site, role)
    await enrolled(site.stores, "mei")

    pages = [await browser.get(path) for path in ("/users", "/users/mei")]
    acts = [
        await post(browser, f"/users{act}", {"name": "wu", "role": "viewer"})
        for act in ("", "/mei/role", "/mei/disable", "/mei/enable", "/mei/reset", "/mei/sign-out")
    ]

    reads = Permission.READ_USERS in USER_PERMISSIONS[role]
    manages = Permission.MANAGE_USERS in USER_PERMISSIONS[role]
    assert [one.status_code for one in pages] == [200 if reads else 403] * 2
    assert {one.status_code for one in acts} == ({200, 303} if manages else {403})
    assert ('action="/users"' in pages[0].text) is manages
    assert ("/mei/disable" in pages[1].text) is manages


async def test_reading_pages_changes_nothing(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)
    await enrolled(site.stores, "mei")
    before = await audit(site)

    for path in ("disable", "reset", "sign-out", "role"):
        assert (await browser.get(f"/users/mei/{path}")).status_code == 404

    assert await audit(site) == before


async def test_the_list_tells_roles_sessions_and_states(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    await post(browser, "/users", {"name": "mei", "role": "sender", "system_id": "sp1"})

    page = (await browser.get("/users")).text

    for shown in ("mei", "sender", "<bdi>sp1</bdi>", "one-time link until", "user: lin", "Active"):
        assert shown in page
    assert 'data-label="Sessions">1<' in page
    assert 'data-label="Sessions">0<' in page


# Adding


async def test_the_link_of_a_new_user_is_shown_once_and_works(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)

    added = await post(browser, "/users", {"name": "mei", "role": "reviewer"})
    token = token_in(added.text)

    assert added.status_code == 200
    assert (await browser.get(f"/enrol/{token}")).status_code == 200
    for path in ("/users", "/users/mei", "/audit"):
        assert token not in (await browser.get(path)).text
    assert (await audit(site))[0] == ("user: lin", "user add", "mei")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "Mei"}, "a name has 2 to 32 of a-z"),
        ({"name": "<b>"}, "a name has 2 to 32 of a-z"),
        ({"name": "lin"}, "there is a user lin already"),
        ({"name": "mei", "role": "root"}, "there is no such role"),
        ({"name": "mei", "role": "sender"}, "the role sender needs a system_id"),
        ({"name": "mei", "role": "sender", "system_id": "nobody"}, "there is no sender nobody"),
        ({"name": "mei", "province": "福建"}, "the role viewer has no province"),
        ({"name": "mei", "role": "regulator", "province": "x" * 17}, "a province has at most 16"),
    ],
)
async def test_what_is_wrong_with_a_new_user_is_said_and_nothing_is_added(
    browser: httpx.AsyncClient, site: Site, fields: dict[str, str], said: str
) -> None:
    await sign_in(browser, site)

    answer = await post(browser, "/users", {"role": "viewer", **fields})

    assert (answer.status_code, said in answer.text) == (422, True)
    assert "<b>" not in answer.text
    assert [one.name for one in await site.stores.users.listed()] == ["lin"]


async def test_a_refusal_is_said_in_chinese(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)
    browser.headers["Accept-Language"] = "zh"

    answer = await post(browser, "/users", {"name": "lin", "role": "viewer"})

    assert "用户 lin 已存在" in answer.text


# Changing


async def test_an_administrator_changes_a_user(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)
    await enrolled(site.stores, "mei")

    role = await post(browser, "/users/mei/role", {"role": "sender", "system_id": "sp1"})
    disabled = await post(browser, "/users/mei/disable")
    state = await state_of(site, "mei")
    again = await post(browser, "/users/mei/disable")
    await post(browser, "/users/mei/enable")
    signed_out = await post(browser, "/users/mei/sign-out")

    user = await site.stores.users.get("mei")
    assert user is not None
    assert (str(user.grant), user.state, state) == ("sender of sp1", "active", "disabled")
    assert {one.headers["location"] for one in (role, disabled, signed_out)} == {"/users/mei"}
    assert (again.status_code, "mei is disabled already" in again.text) == (422, True)
    assert [one[1] for one in await audit(site)][:4] == [
        "user sign-out",
        "user enable",
        "user disable",
        "user role",
    ]


async def test_a_reset_gives_a_link_and_ends_what_was(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    await enrolled(site.stores, "mei")

    token = token_in((await post(browser, "/users/mei/reset")).text)
    await post(browser, "/users/mei/disable")
    refused = await post(browser, "/users/mei/reset")

    assert len(token) == 43
    assert "mei is disabled: enable the user first" in refused.text


async def test_the_last_admin_stays_one(browser: httpx.AsyncClient, site: Site) -> None:
    await sign_in(browser, site)

    answer = await post(browser, "/users/lin/disable")

    assert "lin is the last admin who can sign in" in answer.text
    assert await state_of(site, "lin") is UserState.ACTIVE


@pytest.mark.parametrize("name", ["nobody", "<b>", "..%2Fme", "LIN", "x" * 99])
async def test_a_user_that_there_is_not_is_not_found(
    browser: httpx.AsyncClient, site: Site, name: str
) -> None:
    await sign_in(browser, site)

    assert (await browser.get(f"/users/{name}")).status_code == 404
    for act in ("disable", "reset", "role", "nothing"):
        assert (await post(browser, f"/users/{name}/{act}")).status_code == 404


def test_every_role_and_state_has_its_words_in_chinese() -> None:
    templates = Templates({"web": "gateway.web", "users": "gateway.systems.users"})
    said = templates._words["zh"].gettext

    assert all(said(word) != word for word in (*ROLES.values(), *STATES.values()))
    assert ROLES.keys() == set(UserRole)


# Own settings


@asynccontextmanager
async def other_session(site: Site, person: Person) -> AsyncIterator[httpx.AsyncClient]:
    """Give another browser in which the same user has signed in, a code later."""
    site.clock.move(60)
    transport = httpx.ASGITransport(site.app(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as other:
        code = person.code(site.clock.at)
        fields = {"name": person.name, "password": PASSWORD, "code": code}
        assert (await post(other, "/sign-in", fields)).status_code == 303
        site.clock.move(60)
        yield other


@pytest.mark.parametrize("role", [UserRole.VIEWER, UserRole.SENDER])
async def test_everybody_has_own_settings(
    browser: httpx.AsyncClient, site: Site, role: UserRole
) -> None:
    await sign_in(browser, site, role, "sp1" if role is UserRole.SENDER else "")

    page = await browser.get("/me")

    assert page.status_code == 200
    assert "this one" in page.text


async def test_a_stranger_has_none(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/me")).headers["location"] == "/sign-in?next=/me"
    for path in ("password", "recovery-codes", "sign-out-others"):
        assert (await post(browser, f"/me/{path}")).status_code == 401


async def test_other_sessions_are_ended_and_this_one_stays(
    browser: httpx.AsyncClient, site: Site
) -> None:
    person = await sign_in(browser, site, UserRole.VIEWER)
    async with other_session(site, person) as other:
        before = (await browser.get("/me")).text.count('data-label="Address"')

        ended = await post(browser, "/me/sign-out-others")

        assert before == 2
        assert (
            "Your other sessions have ended." in (await browser.get(ended.headers["location"])).text
        )
        assert (await other.get("/")).status_code == 303
    assert (await audit(site))[0] == ("user: lin", "user sign-out", "lin")


async def test_a_password_is_changed_with_the_one_before_and_a_code(
    browser: httpx.AsyncClient, site: Site
) -> None:
    person = await sign_in(browser, site, UserRole.VIEWER)
    async with other_session(site, person) as other:
        fields = {"password": PASSWORD, "code": person.code(site.clock.at)}

        changed = await post(browser, "/me/password", {**fields, "new": NEW, "again": NEW})

        assert changed.headers["location"] == "/me?done=password"
        assert (await browser.get("/me")).status_code == 200
        assert (await other.get("/")).status_code == 303
        site.clock.move(60)
        code = person.code(site.clock.at)
        old = await post(other, "/sign-in", {"name": "lin", "password": PASSWORD, "code": code})
        new = await post(other, "/sign-in", {"name": "lin", "password": NEW, "code": code})
    assert (old.status_code, new.status_code) == (401, 303)
    assert ("user: lin", "user password", "lin") in await audit(site)


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"password": "not this one"}, 401, "Password or code is wrong."),
        ({"code": "000000"}, 401, "Password or code is wrong."),
        ({"new": "short", "again": "short"}, 422, "12 to 256 characters"),
        ({"again": "other"}, 422, "The two passwords differ."),
        ({"new": "lin" * 5, "again": "lin" * 5}, 422, "the password is the name"),
    ],
)
async def test_what_is_wrong_with_a_new_password_is_said(
    browser: httpx.AsyncClient, site: Site, fields: dict[str, str], status: int, said: str
) -> None:
    person = await sign_in(browser, site, UserRole.VIEWER)
    site.clock.move(60)
    usual = {"password": PASSWORD, "code": person.code(site.clock.at), "new": NEW, "again": NEW}

    answer = await post(browser, "/me/password", {**usual, **fields})

    assert (answer.status_code, said in answer.text) == (status, True)
    assert all(one[1] != "user password" for one in await audit(site))
    assert NEW not in answer.text


async def test_a_code_that_signed_somebody_in_changes_no_password(
    browser: httpx.AsyncClient, site: Site
) -> None:
    person = await sign_in(browser, site, UserRole.VIEWER)
    fields = {"password": PASSWORD, "code": person.code(site.clock.at), "new": NEW, "again": NEW}

    assert (await post(browser, "/me/password", fields)).status_code == 401


async def test_guesses_of_who_took_a_session_over_are_locked(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site, UserRole.VIEWER)
    browser.cookies.delete("smsward_device")
    fields = {"password": "guess", "code": "000000", "new": NEW, "again": NEW}

    answers = [await post(browser, "/me/password", fields) for _ in range(12)]

    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429


async def test_new_recovery_codes_take_the_place_of_those_before(
    browser: httpx.AsyncClient, site: Site
) -> None:
    person = await sign_in(browser, site, UserRole.VIEWER)
    site.clock.move(60)

    wrong = await post(browser, "/me/recovery-codes", {"password": PASSWORD, "code": "0"})
    fields = {"password": PASSWORD, "code": person.code(site.clock.at)}
    page = (await post(browser, "/me/recovery-codes", fields)).text
    new = page.partition('class="sw-secret">')[2].partition("<")[0]
    by_code = {
        code: (
            await post(browser, "/sign-in", {"name": "lin", "password": PASSWORD, "code": code})
        ).status_code
        for code in (person.recovery[0], new)
    }

    assert wrong.status_code == 401
    assert page.count('class="sw-secret"') == 10
    assert by_code == {person.recovery[0]: 401, new: 303}
    assert ("user: lin", "user recovery codes", "lin") in await audit(site)


@pytest.mark.parametrize("path", ["password", "recovery-codes", "sign-out-others"])
async def test_what_another_site_sends_changes_nothing(
    browser: httpx.AsyncClient, site: Site, path: str
) -> None:
    await sign_in(browser, site, UserRole.VIEWER)

    answer = await browser.post(f"/me/{path}", headers=SAME | {"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
