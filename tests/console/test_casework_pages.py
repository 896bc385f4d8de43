"""The pages of warnings, sanctions, complaints and cases: what they show, to whom, and acts."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from gateway.console.case_graph import MOST_NODES, NodeKind, graph_of
from gateway.domain.permissions import UserRole
from gateway.domain.sanction import SanctionLadder, SanctionState, SanctionStep
from gateway.domain.sender import PortOwners
from gateway.domain.warning import (
    Severity,
    WarningCode,
    WarningCount,
    WarningKind,
    WarningNote,
    WarningState,
)
from gateway.stores import Stores
from gateway.systems.cases.model import CaseState
from gateway.systems.cases.pages import ACTS, CLOCKS, FINDINGS, MEASURES
from gateway.systems.cases.pages import STATES as CASE_STATES
from gateway.systems.complaints.model import ComplaintSource, ComplaintState, NewComplaint
from gateway.systems.complaints.pages import REASONS, SOURCES
from gateway.systems.complaints.pages import STATES as COMPLAINT_STATES
from gateway.systems.complaints.service import ComplaintDesk
from gateway.systems.early_warnings.pages import REFUSALS, SANCTION_STATES, STATES, STEPS
from gateway.web.pages import Templates
from tests.console.browsing import Site, complained, post, sign_in
from tests.systems.users.people import NOON

Warn = Callable[..., Awaitable[None]]

CLOSES = replace(SanctionLadder(), automatic=frozenset({SanctionStep.CLOSE}))
TEXT = "【快贷】低息贷款请拨13800138001，详情 http://evil.top/x"
SENDER = "1069000112"


@pytest.fixture
def warn(stores: Stores) -> Warn:
    """Return what raises a warning of an SP."""

    async def warn(
        system_id: str = "shop", port: str = "10690001", severity: Severity | None = None
    ) -> None:
        kind = WarningKind(WarningCode.W5, "R21", system_id, port)
        await stores.warnings.add(
            [WarningCount(kind, severity, 3, 1, NOON, NOON, ("8001", "4:101"), "loan")]
        )

    return warn


@pytest.fixture
async def sanctioned(stores: Stores, warn: Warn) -> None:
    """Let `shop` be closed, and a notice be proposed to `bank`."""
    await warn(severity=Severity.MAJOR)
    await warn("bank", "10690002", Severity.GENERAL)
    await stores.sanctions.propose(CLOSES, NOON)


@pytest.fixture
async def case(stores: Stores) -> int:
    """Return a case of two complaints."""
    return await complained(stores, TEXT, (SENDER, "13911112222"))


# Warnings


async def test_a_warning_is_shown_with_its_evidence(
    browser: httpx.AsyncClient, site: Site, warn: Warn
) -> None:
    await sign_in(browser, site)
    await warn(port="13911112222")

    listed = (await browser.get("/warnings")).text
    shown = (await browser.get("/warnings/1")).text

    assert 'href="/warnings/1"' in listed
    assert "attempts after a refusal" in listed
    assert 'href="/quarantine/8001"' in shown
    assert "4:101" in shown
    assert "o31.18" in shown
    assert "139****2222" in shown
    assert "13911112222" not in shown + listed


async def test_an_answer_and_a_closing_are_kept_with_who_said_it(
    browser: httpx.AsyncClient, site: Site, warn: Warn
) -> None:
    await sign_in(browser, site, UserRole.OPERATOR)
    await warn()

    silent = await post(browser, "/warnings/1/answer", {"note": " "})
    answered = await post(browser, "/warnings/1/answer", {"note": "致电13800138000，名单已删"})
    late = await post(browser, "/warnings/1/answer", {"note": "又一次"})
    closed = await post(browser, "/warnings/1/close", {"note": "十四天未再发生"})

    statuses = [one.status_code for one in (silent, answered, late, closed)]
    assert statuses == [422, 303, 409, 303]
    one = await site.stores.warnings.get(1)
    assert one is not None
    assert one.state is WarningState.CLOSED
    assert one.answer == WarningNote("user: lin", NOON, "致电138****8000，名单已删")
    assert one.closing == WarningNote("user: lin", NOON, "十四天未再发生")


async def test_an_sp_reads_and_answers_its_own_warnings_alone(
    browser: httpx.AsyncClient, site: Site, warn: Warn
) -> None:
    await sign_in(browser, site, UserRole.SENDER, system_id="shop")
    await warn()
    await warn("bank", "10690002")

    listed = (await browser.get("/warnings?system_id=bank")).text
    other = await browser.get("/warnings/2")
    answers = [
        await post(browser, path, {"note": "名单已删除"})
        for path in ("/warnings/1/answer", "/warnings/2/answer", "/warnings/1/close")
    ]

    content = listed.partition("<main")[2]  # around it stands the address that was asked for
    assert "bank" not in content
    assert "shop" in content
    assert other.status_code == 404
    assert [one.status_code for one in answers] == [303, 404, 403]
    own = await site.stores.warnings.get(1)
    assert own is not None
    assert own.answer is not None
    assert own.answer.by == "shop"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("state=open", 2),
        ("state=closed", 0),
        ("system_id=shop", 1),
        ("system_id=%25", 0),
        ("only=violations", 1),
        ("only=overdue", 0),
        ("before=2", 1),
    ],
)
async def test_filters_of_warnings_find_what_is_equal(
    browser: httpx.AsyncClient, site: Site, warn: Warn, query: str, count: int
) -> None:
    await sign_in(browser, site)
    await warn()
    await warn("bank", "10690002", Severity.GENERAL)

    page = await browser.get(f"/warnings?{query}")

    assert page.text.count('<th scope="row">') == count


async def test_an_answer_that_did_not_come_in_time_is_said_to_be_overdue(
    browser: httpx.AsyncClient, site: Site, warn: Warn
) -> None:
    await warn()
    site.clock.at = NOON + timedelta(hours=25)
    await sign_in(browser, site)

    assert "overdue" in (await browser.get("/warnings?only=overdue")).text
    assert "No answer came in time" in (await browser.get("/warnings/1")).text


# Sanctions


@pytest.mark.usefixtures("sanctioned")
async def test_r97_two_persons_reopen_what_was_closed(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)
    asked = {
        "note": "已更换负责人",
        "conditions": "仅向已同意用户",
        "days": "30",
        "daily_max": "500",
    }

    first = await post(browser, "/sanctions/1/reopen", asked)
    one = await site.stores.sanctions.get(1)
    assert one is not None
    assert one.reopening is not None
    terms = {"terms": one.reopening.digest}
    own = await post(browser, "/sanctions/1/approve", terms)
    waiting = (await browser.get("/sanctions/1")).text
    await post(browser, "/sign-out")
    await sign_in(browser, site, name="mei")
    other = await post(browser, "/sanctions/1/approve", {"terms": "0123456789ab"})
    approved = await post(browser, "/sanctions/1/approve", terms)

    assert [item.status_code for item in (first, own, other, approved)] == [303, 409, 409, 303]
    assert "another person must decide" in waiting
    assert "formaction" not in waiting
    after = await site.stores.sanctions.get(1)
    assert after is not None
    assert (after.state, after.reopened_by) == (SanctionState.REOPENED, "user: mei")


@pytest.mark.usefixtures("sanctioned")
async def test_a_proposed_sanction_is_applied_or_dismissed_with_a_note(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)

    silent = await post(browser, "/sanctions/2/apply", {"note": ""})
    applied = await post(browser, "/sanctions/2/apply", {"note": "三次未整改"})
    again = await post(browser, "/sanctions/2/dismiss", {"note": "另一意见"})
    wrong = await post(browser, "/sanctions/1/reopen", {"note": "x", "days": "0"})

    statuses = [one.status_code for one in (silent, applied, again, wrong)]
    assert statuses == [422, 303, 409, 422]
    access, *_ = await site.stores.journals.accesses()
    assert (access.by, access.action) == ("user: lin", "sanction apply")


@pytest.mark.usefixtures("sanctioned")
async def test_r97_an_sp_reads_no_notes_of_staff_and_nothing_that_is_only_proposed(
    browser: httpx.AsyncClient, site: Site
) -> None:
    said = WarningNote("wu", NOON, "an internal note")
    await site.stores.sanctions.decide(2, SanctionState.APPLIED, said)
    await sign_in(browser, site, UserRole.SENDER, system_id="bank")

    listed = (await browser.get("/sanctions")).text
    own, other = await browser.get("/sanctions/2"), await browser.get("/sanctions/1")

    assert 'href="/sanctions/2"' in listed
    assert 'href="/sanctions/1"' not in listed
    assert "internal" not in own.text
    assert "wu" not in own.text
    assert other.status_code == 404


# Complaints


async def test_r73_a_complaint_is_shown_with_its_text_masked_and_the_look_journaled(
    browser: httpx.AsyncClient, site: Site, case: int
) -> None:
    await sign_in(browser, site, UserRole.REVIEWER)

    listed = (await browser.get("/complaints")).text
    shown = (await browser.get("/complaints/1")).text

    assert "低息贷款" not in listed
    assert "低息贷款请拨138****8001" in shown
    assert "<script>alert" not in shown
    assert "13911112222" not in listed
    assert "138****8000" in listed
    assert f'href="/cases/{case}"' not in shown  # a reviewer reads no cases
    look, *_ = await site.stores.journals.accesses()
    assert (look.by, look.action, look.about) == ("user: lin", "complaints show", "complaint 1")


@pytest.mark.usefixtures("case")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("state=clustered&source=cs", 200),
        ("state=valid", 200),
        ("port=13911112222", 422),
        ("state=none", 422),
        ("before=x", 422),
    ],
)
async def test_no_persons_number_stands_in_an_address_of_complaints(
    browser: httpx.AsyncClient, site: Site, query: str, status: int
) -> None:
    await sign_in(browser, site)

    page = await browser.get(f"/complaints?{query}")

    assert page.status_code == status
    assert "13911112222" not in page.text.partition("<main")[2]


async def test_what_a_complaint_lacks_has_a_limit(
    browser: httpx.AsyncClient, site: Site, stores: Stores
) -> None:
    desk = ComplaintDesk(stores.complaints, lambda: PortOwners(()), lambda: NOON)
    lacking = NewComplaint(source=ComplaintSource.MO, source_id="1", reported_at=NOON, text=TEXT)
    (taken,) = await desk.receive([lacking])
    assert taken.state is ComplaintState.NEED_INFO
    site.clock.at = NOON + timedelta(days=8)
    await sign_in(browser, site)

    assert "overdue" in (await browser.get("/complaints")).text
    assert "did not come in time" in (await browser.get("/complaints/1")).text


# Cases


async def test_a_case_is_shown_with_clocks_acts_and_journal(
    browser: httpx.AsyncClient, site: Site, case: int
) -> None:
    await sign_in(browser, site)

    listed = (await browser.get("/cases")).text
    page = (await browser.get(f"/cases/{case}")).text

    assert f'href="/cases/{case}"' in listed
    assert 'value="dispatch"' in page
    assert 'value="accept"' not in page
    assert "<meter" in page
    assert "139****2222" in page
    assert "13911112222" not in page
    assert "matcher" in page


async def test_acts_move_a_case_as_its_state_allows(
    browser: httpx.AsyncClient, site: Site, case: int
) -> None:
    await sign_in(browser, site, UserRole.SENIOR_REVIEWER)
    path = f"/cases/{case}"

    async def act(what: str = "act", **fields: str) -> int:
        return (await post(browser, f"{path}/{what}", fields)).status_code

    statuses = [
        await act(act="close"),
        await act(act="dispatch"),
        await act(act="nothing"),
        await act(act="dispatch", to="中国联通/广东", note="请核查13800138000"),
        await act(act="accept"),
        await act(act="verify"),
        await act("feedback", finding="confirmed", evidence="录音 3"),
        await act("measure", kind="port_suspended", about=SENDER, at="yesterday"),
        await act("measure", kind="port_suspended", about=SENDER, at="2025-11-25T11:00"),
        await act("feedback", finding="confirmed", evidence="录音 3", answer="已停用"),
        await act("feedback", finding="perhaps"),
        await act(act="tell"),
        await act(act="close"),
    ]

    assert statuses == [409, 422, 422, 303, 303, 303, 422, 422, 303, 303, 422, 303, 303]
    found = await site.stores.cases.get(case)
    assert found is not None
    assert found.state is CaseState.CLOSED
    assert (found.owner, found.evidence, found.answer) == ("中国联通/广东", "录音 3", "已停用")
    journal = await site.stores.cases.journal_of(case)
    assert [one.by for one in journal if one.act == "dispatch"] == ["user: lin"]
    assert all("13800138000" not in one.note for one in journal)


async def test_a_clock_is_near_at_80_percent_and_then_overdue(
    browser: httpx.AsyncClient, site: Site, case: int
) -> None:
    found = await site.stores.cases.get(case)
    assert found is not None
    clock = next(one for one in found.clocks if one.due is not None)
    assert clock.due is not None
    site.clock.at = clock.start + (clock.due - clock.start) * 0.85
    await sign_in(browser, site)

    near = (await browser.get(f"/cases/{case}")).text
    site.clock.at = clock.due
    await sign_in(browser, site, name="mei")
    late = (await browser.get("/cases?only=overdue")).text

    assert "80 % used" in near
    assert "sw-state-bad" in late


async def test_the_graph_of_a_case_is_drawn_masked_and_journaled(
    browser: httpx.AsyncClient, site: Site, case: int
) -> None:
    await sign_in(browser, site)

    page = (await browser.get(f"/cases/{case}/graph")).text

    assert "<svg viewBox=" in page
    for label in ("快贷", "evil.top", "138****8001", SENDER, "139****2222"):
        assert label in page
    for whole in ("13800138001", "13911112222"):
        assert whole not in page
    look, *_ = await site.stores.journals.accesses()
    assert (look.action, look.about) == ("cases graph", f"case {case}")


def test_a_graph_has_the_most_frequent_nodes_and_says_how_many_are_left_out() -> None:
    many = [(f"106900{number:04}", TEXT) for number in range(MOST_NODES + 5)]

    graph = graph_of([*many, (SENDER, TEXT), (SENDER, ""), ("", "")])

    senders = [node for node in graph.nodes if node.kind is NodeKind.SENDER]
    assert (len(senders), senders[0].label, senders[0].count) == (MOST_NODES, SENDER, 2)
    assert graph.rest == 6
    assert graph.complaints == MOST_NODES + 8
    assert all(edge.one.kind is not edge.other.kind for edge in graph.edges)
    assert max(edge.count for edge in graph.edges) == MOST_NODES + 6
    assert graph_of([]).edges == []


# Words and people


def test_every_state_act_and_reason_has_its_words_in_chinese() -> None:
    packages = {
        "web": "gateway.web",
        "cases": "gateway.systems.cases",
        "complaints": "gateway.systems.complaints",
        "warnings": "gateway.systems.early_warnings",
    }
    said = Templates(packages)._words["zh"].gettext
    tables = (ACTS, CASE_STATES, CLOCKS, FINDINGS, MEASURES, COMPLAINT_STATES, REASONS)
    more = (REFUSALS, SANCTION_STATES, STATES, STEPS)

    words = [word for table in (*tables, *more) for word in table.values()]
    words += [word for word in SOURCES.values() if word != "12321"]

    assert [word for word in words if said(word) == word] == []


@pytest.mark.parametrize(
    ("role", "warnings", "complaints", "cases", "acts"),
    [
        (UserRole.ADMIN, 200, 200, 200, 303),
        (UserRole.OPERATOR, 200, 200, 200, 403),
        (UserRole.SENIOR_REVIEWER, 200, 200, 200, 303),
        (UserRole.REVIEWER, 200, 200, 403, 403),
        (UserRole.AUDITOR, 200, 403, 403, 403),
        (UserRole.VIEWER, 200, 403, 403, 403),
        (UserRole.SENDER, 200, 403, 403, 403),
    ],
)
@pytest.mark.usefixtures("sanctioned")
async def test_each_role_does_what_it_may(  # noqa: PLR0913, PLR0917 - a table
    browser: httpx.AsyncClient,
    site: Site,
    case: int,
    role: UserRole,
    warnings: int,
    complaints: int,
    cases: int,
    acts: int,
) -> None:
    await sign_in(browser, site, role, system_id="shop" if role is UserRole.SENDER else "")

    async def got(*paths: str) -> list[int]:
        return [(await browser.get(path)).status_code for path in paths]

    graph = (await browser.get(f"/cases/{case}/graph")).status_code
    noted = await post(browser, f"/cases/{case}/act", {"act": "note", "note": "x"})
    decided = await post(browser, "/sanctions/2/apply", {"note": "x"})

    assert await got("/warnings", "/warnings/1", "/sanctions", "/sanctions/1") == [warnings] * 4
    assert await got("/complaints", "/complaints/1") == [complaints] * 2
    assert [*await got("/cases", f"/cases/{case}"), graph] == [cases] * 3
    assert noted.status_code == acts
    assert decided.status_code == (303 if role is UserRole.ADMIN else 403)


@pytest.mark.usefixtures("case", "sanctioned")
async def test_wrong_numbers_are_not_found_and_a_get_does_nothing(
    browser: httpx.AsyncClient, site: Site
) -> None:
    await sign_in(browser, site)

    paths = [
        f"/{what}/{number}"
        for what in ("warnings", "sanctions", "complaints", "cases")
        for number in ("0", "99", "x", "9" * 40, "%3Cb%3E")
    ]
    acts = ["/warnings/1/close", "/sanctions/2/apply", "/cases/1/act"]

    assert [(await browser.get(path)).status_code for path in paths] == [404] * len(paths)
    assert [(await browser.get(path)).status_code for path in acts] == [404] * len(acts)
