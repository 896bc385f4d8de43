"""Reporters are told what became of their complaints, each once (R87)."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from gateway.domain.outbound_message import MAX_CHARS, OutboundKind, OutboundMessage, chars_of
from gateway.policy.hours import HolidayCalendar
from gateway.systems.cases.model import (
    Actor,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    CaseState,
    MeasureKind,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints import reporter_teller
from gateway.systems.complaints.complaint_replies import words_of
from gateway.systems.complaints.model import ComplaintSource, ComplaintState
from gateway.systems.complaints.reporter_teller import ReporterTeller, TellRound
from tests.systems.complaints.conftest import SUBSCRIBER, Clock, Intake, cases_of

SPAM = "恭喜您获得万元现金大奖，请登录网站领取并提供银行卡号和密码"
OTHER = "您的快递已到小区门口的驿站，请凭取件码尽快来取，谢谢配合"
MO, CARRIER = ComplaintSource.MO, ComplaintSource.CARRIER
CODES = ("12321", "10010")


class Cases:
    """Cases of complaints, and what the owner answers."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.stores = intake.stores
        self.desk = CaseDesk(self.stores.cases, lambda: HolidayCalendar("none"))

    async def begin(self, *changes: dict[str, object], text: str = SPAM) -> None:
        await self.intake.receive(*({"text": text, **one} for one in changes))
        await self.intake.matcher().work(self.intake.clock.at)

    async def answer(self, number: int = 1, answer: str = "已停用该端口") -> None:
        who = Actor("lin", self.intake.clock.at)
        await self.desk.verify(number, who)
        finding = CaseFeedback(CaseFinding.UNFOUNDED, evidence="CDR", answer=answer)
        assert (await self.desk.feedback(number, finding, who)).state is CaseState.FEEDBACK_RECEIVED

    def teller(self, codes: tuple[str, ...] = CODES) -> ReporterTeller:
        return ReporterTeller(self.stores.complaints, cases_of(self.stores), codes)

    async def tell(self) -> TellRound:
        return await self.teller().work(self.intake.clock.at)

    async def sent(self) -> list[OutboundMessage]:
        count = await self.stores.outbound_messages.count_waiting()
        found = [await self.stores.outbound_messages.get(one + 1) for one in range(count)]
        return [one for one in found if one is not None]

    async def state(self, number: int = 1) -> CaseState:
        case = await self.stores.cases.get(number)
        assert case is not None
        return case.state


@pytest.fixture
def cases(intake: Intake) -> Cases:
    return Cases(intake)


async def test_nobody_is_told_who_is_only_said_to_have_complained(cases: Cases) -> None:
    await cases.intake.receive({"source": ComplaintSource.CLIENT}, are_proved=False)
    await cases.intake.matcher().work(cases.intake.clock.at)
    await cases.answer()

    told = await cases.tell()

    assert (told.told, await cases.sent()) == (0, [])
    assert await cases.state() is CaseState.CLOSED


async def test_r87_reporters_are_told_and_their_case_is_closed(
    cases: Cases, noon: datetime
) -> None:
    await cases.begin(
        {"source": MO, "by": "10010"},
        {"source": MO, "by": "10086"},
        {"source": ComplaintSource.CUSTOMER_SERVICE, "reporter": 12025550123},
        {"source": CARRIER},
        {"reporter": None},
    )
    await cases.begin({}, text=OTHER)
    before = await cases.tell()
    await cases.answer()

    told = await cases.tell()

    assert (before, told) == (TellRound(0, has_more=False), TellRound(3, has_more=True))
    assert [(one.port, one.msisdn, one.text) for one in await cases.sent()] == [
        ("10010", SUBSCRIBER + 1, "您的举报1：已停用该端口"),
        ("12321", SUBSCRIBER + 2, "您的举报2：已停用该端口"),
        ("12321", 12025550123, "Report 3: 已停用该端口"),
    ]
    assert {(one.kind, one.not_after - noon) for one in await cases.sent()} == {
        (OutboundKind.COMPLAINT, timedelta(days=3))
    }
    assert (await cases.state(1), await cases.state(2)) == (CaseState.CLOSED, CaseState.OPEN)
    assert await cases.stores.complaints.clustered(1, 9) == []
    assert [one.act for one in await cases.stores.cases.journal_of(1)][-2:] == [
        "tell_user",
        "close",
    ]
    assert await cases.tell() == TellRound(0, has_more=False)


async def test_without_an_answer_the_usual_words_are_said_and_a_long_one_is_cut(
    cases: Cases,
) -> None:
    await cases.begin({}, {"reporter": 12025550123})
    await cases.begin({}, text=OTHER)
    await cases.answer(answer="")
    await cases.answer(2, "处理" * 400)
    await cases.tell()

    usual, abroad, long = [one.text for one in await cases.sent()]
    assert usual == "您的举报1：已依法依规核查处理，感谢您的监督"
    assert abroad == "Report 2: it was looked into and dealt with. Thank you"
    assert chars_of(long) == MAX_CHARS


@pytest.mark.parametrize(
    ("kinds", "told", "abroad"),
    [
        (
            (MeasureKind.SENDER_WARNED, MeasureKind.PORT_SUSPENDED),
            "您的举报1：经核查属实，已暂停相关端口，感谢您的监督",
            "Report 2: confirmed, and the port suspended. Thank you",
        ),
        (
            (MeasureKind.OTHER,),
            "您的举报1：已依法依规核查处理，感谢您的监督",
            "Report 2: it was looked into and dealt with. Thank you",
        ),
    ],
)
async def test_r87_without_an_answer_reporters_are_told_what_was_done(
    cases: Cases, kinds: tuple[MeasureKind, ...], told: str, abroad: str
) -> None:
    await cases.begin({}, {"reporter": 12025550123})
    who = Actor("lin", cases.intake.clock.at)
    measures = tuple(CaseMeasure(one, who.at) for one in kinds)
    feedback = CaseFeedback(CaseFinding.CONFIRMED, measures, evidence="CDR")
    await cases.desk.verify(1, who)
    assert (await cases.desk.feedback(1, feedback, who)).state is CaseState.FEEDBACK_RECEIVED

    await cases.tell()

    assert [one.text for one in await cases.sent()] == [told, abroad]


@pytest.mark.parametrize("msisdn", [SUBSCRIBER, 12025550123])
def test_r87_there_are_words_for_each_measure_that_is_known(msisdn: int) -> None:
    words = words_of(msisdn)

    assert words.outcomes.keys() == {one.value for one in MeasureKind} - {MeasureKind.OTHER}
    number = 10**9
    told = [words.answered.format(number=number, answer=one) for one in words.outcomes.values()]
    assert all(chars_of(one) <= MAX_CHARS for one in told)


async def test_without_a_report_code_cases_stay_for_people(cases: Cases) -> None:
    await cases.begin({})
    await cases.answer()

    assert await cases.teller(()).work(cases.intake.clock.at) == TellRound(0, has_more=False)
    assert await cases.state() is CaseState.FEEDBACK_RECEIVED


async def test_r87_another_front_owner_tells_its_own_reporters(cases: Cases) -> None:
    await cases.begin({})
    await cases.answer()
    others = cases_of(cases.stores, "cmcc/广东")

    await ReporterTeller(cases.stores.complaints, others, CODES).work(cases.intake.clock.at)

    assert await cases.state() is CaseState.FEEDBACK_RECEIVED


async def test_who_joins_a_case_that_is_closed_is_told_too(cases: Cases, clock: Clock) -> None:
    await cases.begin({})
    await cases.answer()
    await cases.intake.receive({"text": SPAM})  # taken before the end, looked at after it
    teller = cases.teller()
    await teller.work(clock.at)
    await cases.intake.matcher().work(clock.at)
    clock.at += timedelta(seconds=59)
    early = await teller.work(clock.at)
    clock.at += timedelta(seconds=1)

    assert (early.told, (await teller.work(clock.at)).told) == (0, 1)
    assert len(await cases.sent()) == 2
    assert await cases.stores.complaints.count_of([ComplaintState.CLUSTERED]) == 0


@pytest.mark.parametrize("page", [1, 200])
async def test_who_joins_a_closed_case_days_later_is_told_too(
    cases: Cases, clock: Clock, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(reporter_teller, "_TOLD_AT_ONCE", 1)
    monkeypatch.setattr(reporter_teller, "_PAGES", 2)
    monkeypatch.setattr(reporter_teller, "_LATE_CASES", page)
    await cases.begin({}, text=OTHER)  # a case that stays open
    await cases.begin({})
    await cases.answer(2)
    same: dict[str, object] = {"text": SPAM}
    await cases.intake.receive(same, same, same)
    await cases.tell()
    clock.at += timedelta(days=9)
    await cases.intake.matcher().work(clock.at)
    teller = cases.teller()

    rounds = 1
    while (await teller.work(clock.at)).has_more:
        rounds += 1

    assert rounds < 9
    assert sorted(one.msisdn - SUBSCRIBER for one in await cases.sent()) == [2, 3, 4, 5]
    assert await cases.stores.complaints.count_of([ComplaintState.CLUSTERED]) == 1


async def test_r87_a_case_that_somebody_noted_as_told_is_told_to_the_rest_and_closed(
    cases: Cases,
) -> None:
    await cases.begin({}, {})
    await cases.answer()
    await cases.desk.tell_user(1, Actor("lin", cases.intake.clock.at))

    told = await cases.tell()

    assert (told.told, await cases.state()) == (2, CaseState.CLOSED)
    acts = [one.act for one in await cases.stores.cases.journal_of(1)]
    assert acts[-2:] == ["tell_user", "close"]


class KilledError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", ["close", "told"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("turn", [1, 2])
async def test_r87_a_kill_at_any_moment_forgets_no_reporter_and_tells_none_twice(
    cases: Cases, monkeypatch: pytest.MonkeyPatch, step: str, when: str, turn: int
) -> None:
    monkeypatch.setattr(reporter_teller, "_TOLD_AT_ONCE", 2)
    await cases.begin(*[{}] * 5)
    await cases.begin({}, text=OTHER)
    await cases.answer(1)
    await cases.answer(2)
    answered, left = cases_of(cases.stores), [turn]
    target = answered if step == "told" else cases.stores.complaints
    work: Callable[..., Awaitable[object]] = getattr(target, step)

    async def killed(*given: object) -> object:
        left[0] -= 1
        if left[0]:
            return await work(*given)
        if when == "after":
            await work(*given)
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, step, killed)
        with pytest.raises(KilledError):
            await ReporterTeller(cases.stores.complaints, answered, CODES).work(
                cases.intake.clock.at
            )
    while (await cases.tell()).has_more:
        pass

    assert sorted(one.msisdn - SUBSCRIBER for one in await cases.sent()) == [1, 2, 3, 4, 5, 6]
    assert (await cases.state(1), await cases.state(2)) == (CaseState.CLOSED, CaseState.CLOSED)


async def test_a_round_is_bounded(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter_teller, "_TOLD_AT_ONCE", 2)
    monkeypatch.setattr(reporter_teller, "_PAGES", 2)
    await cases.begin(*[{}] * 5)
    await cases.answer()

    assert await cases.tell() == TellRound(4, has_more=True)
    assert await cases.tell() == TellRound(1, has_more=True)
    assert await cases.tell() == TellRound(0, has_more=False)
