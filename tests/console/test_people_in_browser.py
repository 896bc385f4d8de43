"""The pages of users, of one's own settings and of the audit, as people see them in Chromium."""

import re

import pytest

from gateway.domain.permissions import UserRole
from gateway.domain.records import NewAccess
from gateway.systems.approvals.service import TwoPersonRule
from tests.console import test_pages_in_browser as shared
from tests.console.browsing import Site
from tests.console.test_pages_in_browser import LOOKS, Look, Screen, screen_of, submit
from tests.systems.users.people import PASSWORD, code_of, enrolled

pytestmark = shared.pytestmark
base, site = shared.base, shared.site

NEW = "another horse, correct"


async def add_user(screen: Screen) -> str:
    """Add a user by the page, and return the one-time link that it shows."""
    page = screen.page
    await page.goto(f"{screen.base}/users")
    await page.wait_for_selector("details[open] #name")
    await screen.see("users")
    await page.fill("#name", "mei")
    await page.select_option("#role", "auditor")
    await page.click("form[action='/users'] button")
    link = (await page.locator("p.sw-secret").inner_text()).strip()
    await screen.see("one-time-link")
    return link


async def verify_and_export(screen: Screen) -> str:
    """Verify the chain on the page, filter, and export; return what the file says."""
    page = screen.page
    await page.goto(f"{screen.base}/audit")
    await screen.see("audit")
    await page.click("form[action='/audit/verify'] button")
    await page.wait_for_selector("main .alert-success")
    await screen.see("audit-verified")
    await page.select_option("#kind", "decision")
    await page.click("form[action='/audit'] button")
    await page.wait_for_url("**/audit?kind=decision*")
    async with page.expect_download() as started:
        await page.click("form[action='/audit/export'] button")
    download = await started.value
    return (await download.path()).read_text(encoding="utf-8")


@LOOKS
async def test_an_admin_adds_a_user_changes_it_and_reads_the_audit(
    site: Site, base: str, look: Look
) -> None:
    person = await enrolled(site.stores, "lin", site.clock.at, role=UserRole.ADMIN)
    for number, (action, by) in enumerate(
        (("quarantine release", "user: wu"), ("quarantine discard", "smsward (login lin)"))
    ):
        about = f"message {8176407200000001000 + number}"
        entry = NewAccess(by, action, "用户来电要求放行", about, site.clock.at)
        await site.stores.journals.note_access(entry)
    async with shared.browser() as found:
        screen = await screen_of(found, base, look)
        page = screen.page
        await page.goto(f"{base}/sign-in?next=/users")
        await submit(screen, name="lin", password=PASSWORD, code=person.code(site.clock.at))
        await page.wait_for_selector("h1")
        link = await add_user(screen)
        await page.goto(f"{base}/users/mei")
        await screen.see("user")
        await page.click("form[action$='/disable'] button")
        await page.wait_for_selector("form[action$='/enable']")
        await screen.see("user-disabled")

        exported = await verify_and_export(screen)
        await page.goto(f"{base}/me")
        await screen.see("own-settings")
        site.clock.move(60)
        for name, value in (
            ("password", PASSWORD),
            ("code", code_of(person.secret, site.clock.at)),
            ("new", NEW),
            ("again", NEW),
        ):
            await page.fill(f"#{name}", value)
        await page.click("form[action='/me/password'] button")
        await page.wait_for_selector(".alert-success")

    assert re.fullmatch(rf"{base}/enrol/[\w-]{{43}}", link)
    assert exported.count("quarantine ") == 2
    assert '"sha256":' in exported.splitlines()[-1]
    assert screen.faults == []


@pytest.fixture
def strict(site: Site) -> Site:
    """Return the site where two persons make an admin; to be asked for before `base`."""
    site.rule = TwoPersonRule(make_admin=True)
    return site


@pytest.mark.parametrize("look", [Look("zh", 1280), Look("en", 390)], ids=str)
async def test_two_people_make_a_user_an_admin(strict: Site, base: str, look: Look) -> None:
    people = [
        await enrolled(strict.stores, name, strict.clock.at, role=UserRole.ADMIN)
        for name in ("lin", "wu")
    ]
    await enrolled(strict.stores, "mei", strict.clock.at)
    async with shared.browser() as found:
        screens = []
        for person in people:
            screen = await screen_of(found, base, look)
            await screen.page.goto(f"{base}/sign-in?next=/users/mei")
            code = person.code(strict.clock.at)
            await submit(screen, name=person.name, password=PASSWORD, code=code)
            await screen.page.wait_for_selector("#role")
            screens.append(screen)
        first, second = screens
        await first.page.select_option("#role", "admin")
        await first.page.click("form[action$='/role'] button")
        await first.page.wait_for_url("**/approvals")
        await first.see("approvals-own")
        await second.page.goto(f"{base}/approvals")
        await second.see("approvals")
        await second.page.click("form[action$='/approve'] button")
        await second.page.wait_for_selector("form[action$='/approve']", state="detached")
        await second.see("approvals-done")

    mei = await strict.stores.users.get("mei")
    assert mei is not None
    assert mei.grant.role is UserRole.ADMIN
    assert [screen.faults for screen in screens] == [[], []]
