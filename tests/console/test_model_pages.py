"""The page of models: what is in force, what both say of traffic, and acts with a reason."""

from pathlib import Path

import httpx
import orjson
import pytest

from gateway.domain.permissions import UserRole
from gateway.filter.classifier.score import ModelAgreement
from gateway.settings.gateway import LearningSettings
from gateway.stores import Stores
from gateway.systems.learning.model_directory import ModelChange, ModelDirectory
from gateway.systems.learning.pages import ACTS, AGREEMENTS
from gateway.web.pages import Templates
from tests.console.browsing import Site, post, sign_in
from tests.systems.learning.test_model_directory import model_octets
from tests.systems.users.people import NOON

WU = ModelChange(NOON, "wu", "<b>一月</b>")
COUNTS = {one.value: number for number, one in enumerate(ModelAgreement, start=100)}


@pytest.fixture
def models(tmp_path: Path) -> ModelDirectory:
    """Return models: one in force, another in shadow, and how both compare."""
    found = ModelDirectory(tmp_path / "models")
    active = found.install(model_octets(1), WU)
    found.promote(WU)
    shadow = found.install(model_octets(-1), WU)
    found.write_comparison(
        orjson.dumps(
            {
                "active": active,
                "shadow": shadow,
                "since": NOON,
                "at": NOON,
                "failed": 3,
                "counts": {"<i>commercial": COUNTS},
                "messages": {"<i>commercial": COUNTS},
                "sampled": {"only_active": [], "only_shadow": []},
            }
        )
    )
    return found


@pytest.fixture
def site(stores: Stores, models: ModelDirectory) -> Site:
    return Site(stores, learning=LearningSettings(models=models.path, starter=False))


async def test_models_are_shown_with_their_history_and_what_both_say(
    browser: httpx.AsyncClient, site: Site, models: ModelDirectory
) -> None:
    await sign_in(browser, site, UserRole.VIEWER)

    page = (await browser.get("/models")).text

    state = models.state()
    assert f"<code>{state.active[:12]}</code>" in page
    assert f"<code>{state.shadow[:12]}</code>" in page
    assert all(f'<td class="sw-number">{count}</td>' in page for count in COUNTS.values())
    assert "&lt;b&gt;一月&lt;/b&gt;" in page
    assert "<i>" not in page
    assert "not the models that stand now" not in page
    assert "formaction" not in page


async def test_an_act_needs_a_reason_and_is_in_both_journals(
    browser: httpx.AsyncClient, site: Site, models: ModelDirectory
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)
    before = models.state()

    silent = await post(browser, "/models/promote", {"note": " "})
    promoted = await post(browser, "/models/promote", {"note": "误拦更少"})
    again = await post(browser, "/models/promote", {"note": "再次"})
    back = await post(browser, "/models/rollback", {"note": "误拦"})
    other = await post(browser, "/models/install", {"note": "x"})

    statuses = [one.status_code for one in (silent, promoted, again, back, other)]
    assert statuses == [422, 303, 409, 303, 404]
    after = models.state()
    assert after.active == before.active
    assert [(one.by, one.note) for one in after.events[-2:]] == [
        ("user: lin", "误拦更少"),
        ("user: lin", "误拦"),
    ]
    access, *_ = await site.stores.journals.accesses()
    assert (access.by, access.action, access.reason) == ("user: lin", "model rollback", "误拦")


async def test_what_cannot_be_read_is_said(
    browser: httpx.AsyncClient, site: Site, models: ModelDirectory
) -> None:
    (models.path / "models.json").write_text("{")
    models.write_comparison(b"{}")
    await sign_in(browser, site)

    page = await browser.get("/models")

    assert page.status_code == 200
    assert "it is no JSON" in page.text


async def test_without_a_configuration_nothing_is_known(stores: Stores) -> None:
    transport = httpx.ASGITransport((site := Site(stores)).app())
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as browser:
        browser.headers["Accept-Language"] = "en"
        await sign_in(browser, site)
        page = (await browser.get("/models")).text
        answer = await post(browser, "/models/promote", {"note": "x"})

    assert "knows no configuration" in page
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("role", "looks", "acts"),
    [
        (UserRole.ADMIN, 200, 303),
        (UserRole.OPERATOR, 200, 303),
        (UserRole.REVIEWER, 200, 403),
        (UserRole.AUDITOR, 200, 403),
        (UserRole.SENDER, 403, 403),
    ],
)
async def test_each_role_does_what_it_may(
    browser: httpx.AsyncClient, site: Site, role: UserRole, looks: int, acts: int
) -> None:
    await sign_in(browser, site, role, system_id="shop" if role is UserRole.SENDER else "")

    looked = await browser.get("/models")
    acted = await post(browser, "/models/withdraw", {"note": "x"})

    assert (looked.status_code, acted.status_code) == (looks, acts)


def test_every_act_and_agreement_has_its_words_in_chinese() -> None:
    packages = {"web": "gateway.web", "learning": "gateway.systems.learning"}
    said = Templates(packages)._words["zh"].gettext

    words = [*ACTS.values(), *AGREEMENTS.values()]

    assert [word for word in words if said(word) == word] == []
    assert AGREEMENTS.keys() == set(ModelAgreement)
