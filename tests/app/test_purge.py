"""R70 to R72 over records and held messages: what goes, what stays, what is journaled."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.housekeeping import (
    PurgeJob,
    PurgeResult,
    RecordPurger,
    RelationPurger,
    purge_before,
    purgers_of,
)
from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.records import DecisionRow, Why, is_purgeable
from gateway.domain.subscription import (
    Cycle,
    Event,
    MessageEvidence,
    Subscription,
    SubscriptionAct,
    Terms,
    advance,
)
from gateway.policy.knowledge import ConsentSets
from gateway.records.archive import RecordArchive, hour_of
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.legal_holds.model import LegalHold
from gateway.systems.subscriptions.model import Changes, SubscriptionStep

RECORDED = datetime(2013, 9, 30, 8, 30, tzinfo=UTC)
NOW = datetime(2014, 4, 15, 3, tzinfo=UTC)
BEFORE = purge_before(6, NOW)
HELD = 8613800138007


@pytest.fixture
def records(tmp_path: Path) -> RecordArchive:
    """Give a directory with an hour of ten records, two of them of one subscriber."""
    lines, files = RecordLines(), HourFiles(tmp_path / "cdr")
    numbers = [b"13800138007" if n in {3, 8} else b"1390013900%d" % n for n in range(10)]
    epoch = RECORDED.timestamp()
    rows: list[DecisionRow] = [
        ("d", epoch, (1, "shop", 4), n, b"1069", to, Why("forward", "", "", "", "digest"), 0, None)
        for n, to in enumerate(numbers)
    ]
    files.append(hour_of(RECORDED), b"".join(map(lines.line, rows)))
    files.close()
    return RecordArchive(tmp_path / "cdr")


@pytest.fixture
def message() -> HeldMessage:
    return HeldMessage(
        message_id=1,
        system_id="shop",
        source="10690001",
        destination="13800138007",
        pdu=b"",
        reason="CONTENT",
        rule="K",
        category="loan",
        evidence="",
        digest="",
        receipt_asked=False,
        held_at=RECORDED,
        expires_at=RECORDED,
        state=HoldState.DISCARDED,
        receipt=ReceiptState.NONE,
    )


@pytest.fixture
def record_purger(records: RecordArchive, stores: Stores) -> RecordPurger:
    return RecordPurger(records.directory, None, stores.journals, lambda *_: None)


def job(*holds: LegalHold, **changes: object) -> PurgeJob:
    usual = PurgeJob(BEFORE, [hold for hold in holds if hold.is_in_force(NOW)], NOW, "lin")
    changed: PurgeJob = replace(usual, **changes)  # type: ignore[arg-type]
    return changed


def case(**changes: object) -> LegalHold:
    since, until = RECORDED - timedelta(days=1), RECORDED + timedelta(days=1)
    usual = LegalHold(since, until, None, HELD, "fraud", "case 7", "lin", RECORDED, 1)
    changed: LegalHold = replace(usual, **changes)  # type: ignore[arg-type]
    return changed


async def left(archive: RecordArchive) -> int:
    return sum(len(list(archive.read(hour))) for hour in archive.hours())


@pytest.mark.parametrize(
    ("at", "is_there"),
    [
        ("2014-02-27T23:59:59+08:00", True),
        ("2014-02-28T23:59:58+08:00", True),
        ("2014-03-02T00:00:00+08:00", False),
    ],
)
async def test_r70_a_record_is_there_for_five_calendar_months_on_whichever_clock(
    record_purger: RecordPurger, records: RecordArchive, at: str, *, is_there: bool
) -> None:
    before = purge_before(5, datetime.fromisoformat(at))

    await record_purger.purge(job(before=before))

    assert bool(await left(records)) is is_there


@pytest.mark.parametrize("offset_hours", [-12, 0, 8, 14])
@pytest.mark.parametrize(
    ("recorded", "last"),
    [
        ("2013-09-15", "2014-02-15"),
        ("2013-09-28", "2014-02-28"),  # as the 29th and the 30th
        ("2013-03-01", "2013-08-01"),  # though February 28 went four days before
    ],
)
def test_r70_nowhere_on_earth_a_record_goes_before_its_last_day_is_over(
    recorded: str, last: str, offset_hours: int
) -> None:
    clock = timezone(timedelta(hours=offset_hours))
    first_moment = datetime.fromisoformat(recorded).replace(tzinfo=clock)
    almost_over = datetime.fromisoformat(f"{last}T23:59:58").replace(tzinfo=clock)

    assert purge_before(5, almost_over) <= first_moment
    assert purge_before(5, almost_over + timedelta(days=5)) > first_moment


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 40),
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.integers(-12, 14),
)
def test_r70_what_goes_may_go_on_every_clock(
    at: datetime, months: int, before: timedelta, offset_hours: int
) -> None:
    clock = timezone(timedelta(hours=offset_hours))
    recorded = purge_before(months, at) - before - timedelta(microseconds=1)

    assert is_purgeable(recorded.astimezone(clock).date(), months, at.astimezone(clock))


async def test_r72_ten_expired_records_two_in_an_open_case_and_eight_go(
    record_purger: RecordPurger, records: RecordArchive, stores: Stores
) -> None:
    assert await record_purger.purge(job(case())) == PurgeResult("records", 8, 2)

    assert await left(records) == 2
    (noted,) = await stores.journals.purges()
    assert (noted.what, noted.count, noted.by, noted.at) == ("records", 8, "lin", NOW)
    assert (noted.since, noted.until) == (
        datetime(2013, 9, 30, 8, tzinfo=UTC),
        datetime(2013, 9, 30, 9, tzinfo=UTC),
    )


async def test_r72_a_day_after_the_hold_is_lifted_the_other_two_go(
    record_purger: RecordPurger, records: RecordArchive, stores: Stores
) -> None:
    await record_purger.purge(job(case()))

    await record_purger.purge(job(case(lifted_at=NOW - timedelta(hours=23))))
    assert await left(records) == 2
    await record_purger.purge(job(case(lifted_at=NOW - timedelta(days=1))))

    assert await left(records) == 0
    assert [noted.count for noted in await stores.journals.purges()] == [2, 8]


async def test_a_rehearsal_counts_and_touches_nothing(
    record_purger: RecordPurger, records: RecordArchive, stores: Stores, message: HeldMessage
) -> None:
    await stores.quarantine.hold([message])
    rehearsal = job(case(msisdn=HELD + 1), is_rehearsal=True)

    assert await record_purger.purge(rehearsal) == PurgeResult("records", 10, 0)
    assert await purgers_of(stores)["messages"].purge(rehearsal) == PurgeResult("messages", 1, 0)

    assert await left(records) == 10
    assert await stores.quarantine.get(1) == message
    assert await stores.journals.purges() == []


async def test_nothing_is_purged_that_cannot_be_journaled(
    record_purger: RecordPurger,
    records: RecordArchive,
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(_purge: object) -> int:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(stores.journals, "note_purge", refuse)

    with pytest.raises(StoreUnavailable):
        await record_purger.purge(job())

    assert await left(records) == 10


async def test_a_gateway_that_has_written_no_record_has_none_to_purge(
    tmp_path: Path, stores: Stores
) -> None:
    purger = RecordPurger(tmp_path / "nowhere", None, stores.journals, lambda *_: None)

    assert await purger.purge(job()) == PurgeResult("records", 0, 0)


async def test_what_a_killed_sealing_left_is_cleared_away_first(
    record_purger: RecordPurger, records: RecordArchive
) -> None:
    half = records.directory / ".cdr-20130930-08.jsonl.gz.part"
    half.touch()

    await record_purger.purge(job(before=RECORDED - timedelta(days=1)))

    assert not half.exists()


async def test_r72_decided_messages_go_but_for_those_in_an_open_case(
    stores: Stores, message: HeldMessage
) -> None:
    numbers = range(1, 1_203)  # more than a page
    await stores.quarantine.hold(
        [
            replace(message, message_id=n, destination="13800138007" if n in {3, 800} else "139")
            for n in numbers
        ]
    )
    purger = purgers_of(stores)["messages"]

    assert await purger.purge(job(case())) == PurgeResult("messages", 1_200, 2)

    assert {held.message_id for held in await stores.quarantine.find(limit=9)} == {3, 800}
    assert sum(noted.count for noted in await stores.journals.purges()) == 1_200
    assert {noted.what for noted in await stores.journals.purges()} == {"messages"}


@pytest.mark.parametrize(
    "change",
    [
        {"state": HoldState.HELD},
        {"state": HoldState.IN_DOUBT},
        {"held_at": BEFORE},
        {"receipt": ReceiptState.DUE},
    ],
)
async def test_a_message_that_is_not_done_with_stays(
    stores: Stores, message: HeldMessage, change: dict[str, object]
) -> None:
    kept: HeldMessage = replace(message, **change)  # type: ignore[arg-type]
    await stores.quarantine.hold([kept])

    assert await purgers_of(stores)["messages"].purge(job()) == PurgeResult("messages", 0, 0)

    assert await stores.quarantine.get(1) == kept


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        ({}, True),
        ({"msisdn": None}, True),
        ({"system_id": "shop"}, True),
        ({"msisdn": 10690001}, True),
        ({"system_id": "bank"}, False),
        ({"msisdn": HELD + 1}, False),
        ({"until": RECORDED}, False),
        ({"since": RECORDED + timedelta(seconds=1)}, False),
    ],
)
async def test_a_hold_keeps_the_messages_it_is_about(
    stores: Stores, message: HeldMessage, change: dict[str, object], *, is_kept: bool
) -> None:
    await stores.quarantine.hold([message])

    purged = await purgers_of(stores)["messages"].purge(job(case(**change)))

    assert purged == PurgeResult("messages", int(not is_kept), int(is_kept))


JANUARY, JUNE = datetime(2013, 1, 1, 12, tzinfo=UTC), datetime(2014, 6, 30, 12, tzinfo=UTC)


async def order_and_refuse(stores: Stores) -> None:
    """Let a subscriber order in January 2013, cancel in June 2014, and want no more."""
    terms = Terms("示例商城", "天气", "10690001", 500, Cycle.MONTH)
    one = Subscription(HELD, "shop", "weather", terms, JANUARY)
    for act, at in (
        (SubscriptionAct.ORDER, JANUARY),
        (SubscriptionAct.CONFIRM, JANUARY),
        (SubscriptionAct.CANCEL, JUNE),
    ):
        said = MessageEvidence(f"id-{act}", "5c" * 32, at)
        after = advance(one, Event(act, said, terms, said), at)
        assert isinstance(after, Subscription)
        one = after
        await stores.subscriptions.keep(Changes((SubscriptionStep(one, act, said),)))
    refusal = ConsentAnswer(HELD, "shop", Answer.REFUSED, JUNE, "mo", "message 7")
    await stores.consent.record([refusal])


async def purged_at(stores: Stores, at: datetime, *holds: LegalHold) -> PurgeResult:
    return await RelationPurger(stores.ended_relations).purge(
        PurgeJob(purge_before(5, at), holds, at, "lin")
    )


async def test_r71_orders_are_kept_five_months_past_the_end_and_the_refusal_holds_after_that(
    stores: Stores,
) -> None:
    await order_and_refuse(stores)

    early = await purged_at(stores, datetime(2014, 11, 29, 23, 59, tzinfo=UTC))
    history = await stores.subscriptions.history(HELD, ("shop", "weather"))
    late = await purged_at(stores, datetime(2014, 12, 3, tzinfo=UTC))
    sets = ConsentSets()
    async for page in stores.consent.all_answers():
        for msisdn, scope, answer in page:
            sets.apply(msisdn, scope, answer)

    assert early == PurgeResult("relations", 0, 0)
    assert [event.act for event in history] == ["order", "confirm", "cancel"]
    assert late == PurgeResult("relations", 1, 0)
    assert await stores.subscriptions.history(HELD, ("shop", "weather")) == []
    told = await stores.consent.answer_of(HELD, "shop")
    assert told is not None
    assert (told.channel, told.evidence) == ("forgotten", "")
    assert sets.is_refused("shop", HELD)
    (log,) = await stores.journals.purges()
    assert (log.what, log.since, log.count) == ("relations", JANUARY, 1)


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({"system_id": "shop"}, True),
        ({"msisdn": HELD}, True),
        ({"until": JANUARY}, False),
        ({"since": JUNE + timedelta(seconds=1)}, False),
        ({"system_id": "bank"}, False),
        ({"msisdn": HELD + 1}, False),
    ],
)
async def test_r72_a_hold_keeps_the_relations_it_is_about(
    stores: Stores,
    changes: dict[str, datetime | str | int],
    is_kept: bool,  # noqa: FBT001
) -> None:
    await order_and_refuse(stores)
    every = case(since=JANUARY, until=JUNE + timedelta(days=1), system_id=None, msisdn=None)
    hold = replace(every, **changes)  # type: ignore[arg-type]

    purged = await purged_at(stores, datetime(2014, 12, 3, tzinfo=UTC), hold)

    assert purged == PurgeResult("relations", int(not is_kept), int(is_kept))


@pytest.mark.parametrize("about", [{}, {"system_id": "shop"}, {"msisdn": HELD}])
@pytest.mark.parametrize("scope", [EVERY_SENDER, "shop 10690001", "shop #loan"])
async def test_r72_a_hold_keeps_an_agreement_to_every_sp_or_a_part_of_one_that_has_ended(
    stores: Stores, about: dict[str, str | int], scope: str
) -> None:
    said = ConsentAnswer(HELD, scope, Answer.AGREED, JANUARY, "hall", "form 7", JUNE)
    await stores.consent.record([said])
    every = case(since=JANUARY, until=JUNE, system_id=None, msisdn=None)
    hold = replace(every, **about)  # type: ignore[arg-type]
    at = datetime(2014, 12, 3, tzinfo=UTC)

    early = await purged_at(stores, datetime(2014, 11, 29, 23, 59, tzinfo=UTC))
    held = await purged_at(stores, at, hold)
    late = await purged_at(stores, at)

    assert [early, held, late] == [PurgeResult("relations", *n) for n in ((0, 0), (0, 1), (1, 0))]
    assert await stores.consent.answer_of(HELD, scope) is None


async def test_a_rehearsal_forgets_no_relation(stores: Stores) -> None:
    await order_and_refuse(stores)
    at = datetime(2014, 12, 3, tzinfo=UTC)
    rehearsal = PurgeJob(purge_before(5, at), (), at, "lin", is_rehearsal=True)

    purged = await RelationPurger(stores.ended_relations).purge(rehearsal)

    assert purged == PurgeResult("relations", 1, 0)
    assert await stores.journals.purges() == []
    assert await stores.subscriptions.history(HELD, ("shop", "weather")) != []
