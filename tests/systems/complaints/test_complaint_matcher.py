"""Complaints are checked, and those of one campaign become one case (R82)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.records import RecordProof, ReportedMessage
from gateway.domain.warning import Severity
from gateway.filter.classifier.score import Piece, TextClass, TextScore
from gateway.filter.fingerprints import fingerprint_of, sound_of_text
from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.normalise.views import Views
from gateway.stores import Stores
from gateway.systems.cases.model import CaseChange, CaseState
from gateway.systems.complaints import complaint_matcher
from gateway.systems.complaints.complaint_matcher import (
    ComplaintMatcher,
    MatchCounts,
    RecentCampaigns,
)
from gateway.systems.complaints.model import ComplaintState, InvalidReason
from gateway.systems.complaints.service import ComplaintDesk
from tests.memory_stores import memory_stores
from tests.systems.complaints.conftest import SUBSCRIBER, Clock, ComplaintBuilder, Intake, cases_of
from tests.systems.complaints.conftest import desk as made_desk

DAY = timedelta(days=1)
SPAM = "恭喜您获得万元现金大奖，请登录网站领取并提供银行卡号和密码"
ADVERT = "【某商城】双十一全场五折优惠促销，会员专享满减，立即抢购，退订回T"


@dataclass
class Records:
    """Proves every message, but for those of some complaints."""

    lacking: set[int] = field(default_factory=set)
    unread: set[int] = field(default_factory=set)
    asked: list[ReportedMessage] = field(default_factory=list)
    is_stopped: bool = False

    def stop(self) -> None:
        self.is_stopped = True

    def search(self, reported: Sequence[ReportedMessage]) -> RecordProof:
        self.asked += reported
        numbers = {one.number for one in reported}
        passed = numbers - self.lacking - self.unread
        return RecordProof(frozenset(passed), frozenset(numbers & self.unread))


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def matcher(stores: Stores, records: Records) -> ComplaintMatcher:
    return ComplaintMatcher(stores.complaints, cases_of(stores), records)


async def outcome(stores: Stores) -> dict[int, tuple[ComplaintState, InvalidReason | None]]:
    found = await stores.complaints.find(limit=1000)
    return {one.number: (one.state, one.invalid_reason) for one in reversed(found)}


def coded(number: int) -> str:
    return f"{SPAM}，验证码{number * 7919 % 10**6:06}"


async def test_r82_forty_reports_of_one_text_with_varying_codes_are_one_case(
    stores: Stores,
    desk: ComplaintDesk,
    matcher: ComplaintMatcher,
    complaint: ComplaintBuilder,
    noon: datetime,
) -> None:
    await desk.receive(
        [
            complaint(source_id=str(one), text=coded(one), reporter=SUBSCRIBER + one // 2)
            for one in range(40)
        ]
    )

    counts = await matcher.work(noon)

    (case,) = await stores.cases.find()
    assert (case.complaints, case.reporters, case.front_owner) == (40, 20, "unicom/北京")
    assert (counts.valid, dict(counts.cases)) == (40, {"open": 1, "join": 39})
    found = await stores.complaints.find(state=ComplaintState.CLUSTERED, limit=100)
    assert [one.case_number for one in found] == [case.number] * 40
    assert await stores.complaints.count_of(set(ComplaintState) - {ComplaintState.CLUSTERED}) == 0


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(
    codes=st.lists(st.integers(0, 10**8), min_size=1, max_size=40),
    senders=st.lists(st.sampled_from(["10690001", "1069000112", "10690002", "95588"]), min_size=1),
    rounds=st.integers(1, 3),
)
async def test_r82_one_campaign_is_one_case_across_codes_senders_and_numbers(
    codes: list[int], senders: list[str], rounds: int, noon: datetime, complaint: ComplaintBuilder
) -> None:
    async with memory_stores() as stores:
        clock = Clock(noon)
        desk: ComplaintDesk = made_desk.__wrapped__(stores, clock)  # type: ignore[attr-defined]
        given = [
            complaint(
                source_id=str(at),
                sender=senders[at % len(senders)],
                text=f"{SPAM}，验证码{code}",
                reporter=SUBSCRIBER + at,
            )
            for at, code in enumerate(codes)
        ]
        for at in range(rounds):
            await desk.receive(given[at::rounds])
            # A process that begins anew finds the campaign again.
            await ComplaintMatcher(stores.complaints, cases_of(stores)).work(noon)

        (case,) = await stores.cases.find()
        assert (case.complaints, case.reporters) == (len(codes), len(codes))


async def test_r82_a_text_that_differs_a_little_more_joins_the_case_also_after_a_restart(
    stores: Stores, desk: ComplaintDesk, complaint: ComplaintBuilder, noon: datetime
) -> None:
    more = f"{SPAM}，本活动由公证处监督"
    other = "您的快递已到小区门口的驿站，请凭取件码尽快来取，谢谢配合"
    for at, text in enumerate((SPAM, more, other)):
        await desk.receive([complaint(source_id=str(at), text=text, reporter=SUBSCRIBER + at)])
        await ComplaintMatcher(stores.complaints, cases_of(stores)).work(noon)

    assert [one.complaints for one in await stores.cases.find()] == [1, 2]


@pytest.mark.parametrize("is_new", [False, True])
async def test_r82_a_case_is_opened_again_by_a_text_that_differs_a_little(
    intake: Intake, clock: Clock, *, is_new: bool
) -> None:
    more, stores = f"{SPAM}，本活动由公证处监督", intake.stores
    matcher = intake.matcher()
    await intake.receive({"text": SPAM}, {"text": more})
    await matcher.work(clock.at)
    clock.at += 20 * DAY
    await stores.cases.change(
        1,
        lambda case: CaseChange(replace(case, state=CaseState.CLOSED, closed_at=clock.at), ()),
    )
    clock.at += 29 * DAY
    await intake.receive({"text": more})
    # A process that begins anew knows the campaign too.
    await (intake.matcher() if is_new else matcher).work(clock.at)
    clock.at += 4 * DAY
    await intake.receive({"text": more})
    await matcher.work(clock.at)

    assert [(one.number, one.complaints, one.state) for one in await stores.cases.find()] == [
        (2, 1, CaseState.OPEN),  # the first is open, and has not grown for 72 hours
        (1, 3, CaseState.REOPENED),
    ]


@pytest.mark.parametrize("are_proved", [True, False])
async def test_r89_one_reporter_begins_few_cases_a_day_and_all_it_says_is_in_a_case(
    intake: Intake, clock: Clock, monkeypatch: pytest.MonkeyPatch, *, are_proved: bool
) -> None:
    most = "MOST_BEGUN" if are_proved else "MOST_BEGUN_BY_CLIENT"
    monkeypatch.setattr(complaint_matcher, most, 2)
    same: dict[str, object] = {"reporter": SUBSCRIBER, "sender": "95588"} if are_proved else {}
    texts = [
        "".join(chr(0x4E00 + (977 * one + 131 * place) % 5003) for place in range(30))
        for one in range(8)
    ]
    await intake.receive(*({"text": one, **same} for one in texts[:7]), are_proved=are_proved)
    await intake.matcher().work(clock.at)
    matcher = intake.matcher()  # it does not take the rest for a campaign
    await intake.receive({"text": texts[2], "reporter": SUBSCRIBER + 99})
    await matcher.work(clock.at)
    clock.at += DAY
    await intake.receive({"text": texts[7], **same}, are_proved=are_proved)
    await matcher.work(clock.at)

    found = await intake.stores.cases.find()
    assert [one.complaints for one in reversed(found)] == [1, 1, 5, 1, 1]
    assert [one.campaign for one in found if one.campaign.startswith("rest-")] == ["rest-3"]
    assert await intake.stores.complaints.count_of([ComplaintState.CLUSTERED]) == 9


async def test_r89_what_is_over_the_limit_is_one_case_for_each_carrier_that_must_act(
    intake: Intake, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaint_matcher, "MOST_BEGUN", 0)
    mobile, here, unicom = (
        *({"13900139000", "13800138000"}, {"1069000112", "106900010"}),
        {"1065500012", "1065500013"},
    )
    texts = (
        "".join(chr(0x4E00 + (977 * one + 131 * place) % 5003) for place in range(30))
        for one in range(12)
    )
    senders = sorted(mobile | here | unicom) * 2
    await intake.receive(
        *(
            {"text": text, "sender": sender, "reporter": SUBSCRIBER}
            for text, sender in zip(texts, senders, strict=True)
        )
    )

    matcher = intake.matcher(carrier_of=lambda one: "cmcc" if one[:2] == "13" else "unicom")
    await matcher.work(clock.at)

    cases = intake.stores.cases
    theirs = [await cases.complaints_of(one.number, 50) for one in await cases.find()]
    shown = [{sender for _, sender in some} for some in theirs]
    assert sorted(map(sorted, shown)) == sorted(map(sorted, (mobile, here, unicom)))
    assert [len(some) for some in theirs] == [4, 4, 4]


async def test_who_stops_the_matcher_stops_the_search(intake: Intake, records: Records) -> None:
    intake.matcher().stop()
    intake.matcher(records=records).stop()

    assert records.is_stopped


def test_a_campaign_is_found_by_its_likes_and_the_oldest_make_room() -> None:
    first, more = (fingerprint_of(sound_of_text(one)) for one in (SPAM, f"{SPAM}，由公证处监督"))
    short = fingerprint_of(sound_of_text("7点"))

    campaigns = RecentCampaigns()
    begun = campaigns.campaign_of(first)
    assert campaigns.campaign_of(more) == begun
    assert campaigns.campaign_of(short) == campaigns.campaign_of(short) != begun

    few = RecentCampaigns(most=1)
    few.campaign_of(first)
    few.campaign_of(fingerprint_of(sound_of_text(ADVERT)))
    assert few.campaign_of(more) != begun


async def test_r82_each_invalid_complaint_has_its_reason(
    stores: Stores,
    desk: ComplaintDesk,
    matcher: ComplaintMatcher,
    records: Records,
    complaint: ComplaintBuilder,
    noon: datetime,
) -> None:
    number = (SUBSCRIBER + one for one in count())
    agreed = ConsentAnswer(next(number), "sp1", Answer.AGREED, noon - 9 * DAY, "hall")
    fraud = replace(agreed, msisdn=next(number))
    earlier = replace(agreed, msisdn=next(number), since=noon - timedelta(hours=1))
    await stores.consent.record([agreed, fraud, earlier])
    before = noon - timedelta(hours=2)
    await desk.receive(
        [
            complaint(source_id="1", reporter=next(number)),
            complaint(source_id="2", reporter=next(number), received_at=noon - 31 * DAY),
            complaint(source_id="3", reporter=SUBSCRIBER + 3),
            complaint(source_id="4", reporter=next(number)),
            complaint(source_id="5", reporter=agreed.msisdn, text=ADVERT),
            complaint(source_id="6", reporter=fraud.msisdn, text=ADVERT, category="fraud"),
            complaint(source_id="7", reporter=earlier.msisdn, text=ADVERT, received_at=before),
            complaint(source_id="8", reporter=next(number), sender="95588"),
            complaint(source_id="9", reporter=next(number)),
        ]
    )
    records.lacking, records.unread = {4, 8}, {9}

    counts = await matcher.work(noon)

    valid, invalid = (ComplaintState.CLUSTERED, None), ComplaintState.INVALID
    assert await outcome(stores) == {
        1: valid,
        2: (invalid, InvalidReason.OUT_OF_WINDOW),
        3: (invalid, InvalidReason.DUPLICATE),
        4: (invalid, InvalidReason.NO_RECORD),
        5: (invalid, InvalidReason.CONSENTED),
        6: valid,
        7: valid,  # it came before the agreement
        8: valid,  # the carrier of the sender verifies it
        9: valid,  # the records of the time cannot be read
    }
    assert dict(counts.invalid) == {
        "out_of_window": 1,
        "duplicate": 1,
        "no_record": 1,
        "consented": 1,
    }
    assert {one.number for one in records.asked} == {1, 3, 4, 5, 6, 7, 9}
    assert {one.severity for one in await stores.cases.find()} == {
        Severity.GENERAL,
        Severity.MAJOR,
    }


async def test_the_records_are_asked_for_the_time_that_the_reporter_names(
    desk: ComplaintDesk,
    matcher: ComplaintMatcher,
    records: Records,
    complaint: ComplaintBuilder,
    noon: datetime,
) -> None:
    named = complaint(received_at=noon - DAY)
    await desk.receive([named, complaint(source_id="2", reporter=None)])

    await matcher.work(noon)

    times = [(one.msisdn, one.since - noon, one.until - noon) for one in records.asked]
    hour = timedelta(hours=1)
    assert times == [
        (SUBSCRIBER, -30 * hour, 6 * hour),
        (None, -30 * DAY, 6 * hour),
    ]


async def test_a_repeated_complaint_is_valid_if_the_one_before_was_not(
    intake: Intake, records: Records, clock: Clock
) -> None:
    same: dict[str, object] = {"reporter": SUBSCRIBER}
    await intake.receive(same, same)
    records.lacking = {1}
    matcher = intake.matcher(records=records)
    await matcher.work(clock.at)
    clock.at += 4 * DAY
    await intake.receive(same)
    await matcher.work(clock.at)

    valid = (ComplaintState.CLUSTERED, None)
    no_record = (ComplaintState.INVALID, InvalidReason.NO_RECORD)
    assert await outcome(intake.stores) == {1: no_record, 2: valid, 3: valid}


async def test_a_reporter_that_is_not_proved_ends_no_complaint_of_the_proved_one(
    intake: Intake, noon: datetime
) -> None:
    same: dict[str, object] = {"reporter": SUBSCRIBER}
    await intake.receive(same, are_proved=False)
    await intake.receive(same)

    await intake.matcher().work(noon)

    valid = (ComplaintState.CLUSTERED, None)
    assert await outcome(intake.stores) == {1: valid, 2: valid}
    (case,) = await intake.stores.cases.find()
    assert (case.complaints, case.reporters) == (2, 1)


async def test_a_list_gives_a_category_to_a_complaint_without_one(
    intake: Intake, noon: datetime
) -> None:
    lists = (KeywordList("l", "诈骗", ListAction.REJECT, ("现金大奖",)),)
    await intake.receive({"text": SPAM}, {"text": "今晚七点开会请准时参加"})

    await intake.matcher(keywords=KeywordIndex(lists)).work(noon)

    found = await intake.stores.cases.find()
    assert sorted((one.category, one.severity) for one in found) == [
        ("", Severity.GENERAL),
        ("fraud", Severity.MAJOR),
    ]


class Guessing:
    """A classifier that takes all with a 赢 for gambling."""

    digest = "0" * 64
    measured_from: ClassVar[dict[TextClass, float]] = {}

    def pieces(self, text: Views, maximum: int, *, is_port: bool = True) -> list[Piece]:
        raise NotImplementedError

    def score(self, texts: Sequence[Views], *, is_port: bool = True) -> list[TextScore]:
        assert is_port
        return [
            TextScore(TextClass.PORT, 0.9 if "赢" in text.folded else 0.1, "gambling")
            for text in texts
        ]


async def test_the_classifier_gives_a_category_to_what_no_list_knows(
    intake: Intake, noon: datetime
) -> None:
    lists = (KeywordList("l", "诈骗", ListAction.REJECT, ("现金大奖",)),)
    await intake.receive({"text": SPAM}, {"text": "今晚七点开会请准时参加"}, {"text": "来就赢"})

    counts = await intake.matcher(keywords=KeywordIndex(lists), classifier=Guessing()).work(noon)

    assert counts.valid == 3
    found = await intake.stores.cases.find()
    assert sorted(one.category for one in found) == ["", "fraud", "gambling"]


class KilledError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", ["judge", "take", "cluster"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_between_two_commits_loses_and_doubles_nothing(
    intake: Intake, noon: datetime, step: str, when: str
) -> None:
    await intake.receive(*[{}] * 5)
    cases = cases_of(intake.stores)
    target = cases if step == "take" else intake.stores.complaints
    work: Callable[..., Awaitable[object]] = getattr(target, step)

    async def killed(*given: object) -> None:
        if when == "after":
            await work(*given)
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, step, killed)
        with pytest.raises(KilledError):
            await ComplaintMatcher(intake.stores.complaints, cases).work(noon)
    for _ in range(2):
        await intake.matcher().work(noon)

    (case,) = await intake.stores.cases.find()
    assert (case.complaints, case.reporters) == (5, 5)
    assert set((await outcome(intake.stores)).values()) == {(ComplaintState.CLUSTERED, None)}


async def test_several_workers_at_once_do_no_harm(intake: Intake, noon: datetime) -> None:
    await intake.receive(*[{}] * 60)

    await asyncio.gather(*(intake.matcher().work(noon) for _ in range(3)))

    (case,) = await intake.stores.cases.find()
    assert (case.complaints, case.reporters) == (60, 60)


async def test_a_round_takes_500_at_most_and_says_that_there_is_more(
    intake: Intake, noon: datetime
) -> None:
    foreign: dict[str, object] = {"sender": "95588"}
    for _ in range(2):
        await intake.receive(*[foreign] * 300)

    matcher, total, rounds = intake.matcher(), MatchCounts(has_more=True), 0
    while total.has_more:
        total.add(await matcher.work(noon))
        rounds += 1

    assert (total.valid, total.handled, rounds) == (600, 600, 2)
    assert total.cases == {"open": 1, "join": 599}


@pytest.mark.parametrize("text", ["\n", "٠" * 65_000, "㎐" * 65_000, "a.b" * 21_000])
async def test_no_text_stops_the_work(intake: Intake, noon: datetime, text: str) -> None:
    await intake.receive({"text": text, "sender": "95588"}, {"text": text})

    assert (await intake.matcher(keywords=KeywordIndex(())).work(noon)).valid == 2
