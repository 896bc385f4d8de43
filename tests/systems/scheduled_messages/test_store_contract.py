"""What gateway.systems.scheduled_messages promises, on every store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.stores import Stores
from gateway.systems.scheduled_messages import ScheduledMessage

pytestmark = pytest.mark.every_store

MessageBuilder: TypeAlias = Callable[..., ScheduledMessage]
AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]

MINUTE = timedelta(minutes=1)
NOON, FAR_AWAY = datetime(2025, 11, 25, 12, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
ABROAD, AS_READ_BARE = 14155550123, 8614155550123


@pytest.fixture
def message(noon: datetime) -> MessageBuilder:
    """Build a message for tomorrow; give what should be otherwise."""
    usual = ScheduledMessage(
        system_id="sp1",
        smsc="main",
        message_id="7F3A",
        source_ton=1,
        source_npi=2,
        source="10690001",
        dest_ton=3,
        dest_npi=4,
        destination="13800138000",
        msisdn=8613800138000,
        scheduled_at=noon + timedelta(days=1),
    )
    return lambda **changes: replace(usual, **changes)


SHARED_PARTS = [
    ("sp1 10699999", True),
    ("sp1 1068", False),
    ("sp1 #loan", True),
    ("sp10 10699999", False),
    ("sp3 #loan", False),
]


async def _refused(stores: Stores, now: datetime) -> list[ScheduledMessage]:
    """Return what is refused; whoever asks again finds it again."""
    taken = await stores.scheduled.take(now, now, await stores.scheduled.waiting_senders(now), 99)
    return [replace(one, number=0) for one in taken]


async def test_what_nobody_refused_is_not_to_be_cancelled(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    assert not await stores.scheduled.keep([message(), message(msisdn=8613800138001)])
    await stores.consent.record([answer(answer=Answer.AGREED), answer(scope="sp2")])

    assert not await stores.scheduled.note_refusals(0, await stores.changes.latest())

    assert await stores.scheduled.waiting_senders(noon) == set()
    assert await stores.scheduled.take(noon, noon, ["sp1"], 9) == []


async def test_a_later_refusal_finds_every_message_to_its_subscriber_whole(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    first, second = message(), message(message_id="7F3B", destination="8613800138000")
    stranger, other = message(message_id="7F3C", msisdn=8613800138001), message(system_id="sp2")
    await stores.consent.record([answer(msisdn=8613800138099)])
    seen = await stores.changes.latest()
    await stores.scheduled.keep([first, second, stranger, other])
    through = await stores.consent.record([answer()])

    assert await stores.scheduled.note_refusals(seen, through)

    assert await stores.scheduled.waiting_senders(noon) == {"sp1"}
    assert await _refused(stores, noon) == [first, second]
    assert not await stores.scheduled.note_refusals(seen, through)


async def test_r96_all_that_a_closed_sp_has_scheduled_is_to_be_cancelled_while_it_is_closed(
    stores: Stores, message: MessageBuilder, noon: datetime
) -> None:
    store, later = stores.scheduled, noon + timedelta(days=2)
    await store.keep([message(), message(system_id="sp2"), message(message_id="7F3B")])

    waiting = await store.waiting_senders(noon, ["sp1", "sp9"])
    first = await store.take(noon, noon + MINUTE, ["sp1", "sp2"], 1, ["sp1"])
    rest = await store.take(noon, noon + MINUTE, ["sp1", "sp2"], 9, ["sp1"])

    assert waiting == {"sp1"}
    assert [one.message_id for one in (*first, *rest)] == ["7F3A", "7F3B"]
    assert await store.waiting_senders(noon) == set()  # once it is open again
    assert await store.take(noon + MINUTE, noon + 2 * MINUTE, ["sp1"], 9) == []
    assert await store.waiting_senders(later, ["sp1"]) == set()


async def test_a_refusal_of_every_sender_finds_those_of_all(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    mine, other = message(), message(system_id="sp2")
    await stores.scheduled.keep([mine, other])
    await stores.consent.record([answer(answer=Answer.AGREED)])
    through = await stores.consent.record([answer(scope=EVERY_SENDER)])

    assert await stores.scheduled.note_refusals(through - 1, through)

    assert await _refused(stores, noon) == [mine, other]


COMPANY = {"sp1": ("sp2",), "sp2": ("sp1",)}


@pytest.mark.parametrize("asked_at", ["once", "the start", "keeping"])
async def test_a_refusal_finds_those_of_the_other_accounts_of_its_owner(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime, asked_at: str
) -> None:
    mine, companion, stranger = message(), message(system_id="sp2"), message(system_id="sp3")
    other = message(system_id="sp2", message_id="7F3B", msisdn=8613800138001)
    messages = [mine, companion, stranger, other]
    if asked_at == "keeping":
        await stores.consent.record([answer(), answer(scope="sp2", answer=Answer.AGREED)])
        assert await stores.scheduled.keep(messages, COMPANY)
    else:
        await stores.scheduled.keep(messages, COMPANY)
        await stores.consent.record([answer(scope="sp2", answer=Answer.AGREED)])
        through = await stores.consent.record([answer()])
        after = through - 1 if asked_at == "once" else 0
        assert await stores.scheduled.note_refusals(after, through, COMPANY)

    assert await _refused(stores, noon) == [mine, companion]


async def test_a_refusal_of_whom_a_number_is_read_as_finds_those_of_companions_too(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    companion = message(system_id="sp2", msisdn=ABROAD)
    agreed = message(system_id="sp2", msisdn=ABROAD + 1, message_id="7F3B")
    await stores.consent.record([answer(msisdn=ABROAD + 1, answer=Answer.AGREED)])
    await stores.scheduled.keep([companion, agreed], COMPANY)
    through = await stores.consent.record(
        [answer(msisdn=AS_READ_BARE), answer(msisdn=AS_READ_BARE + 1)]
    )

    assert await stores.scheduled.note_refusals(0, through, COMPANY)

    assert await _refused(stores, noon) == [companion]


@pytest.mark.parametrize(("scope", "is_found"), SHARED_PARTS)
@pytest.mark.parametrize("after", [0, 1])
async def test_a_refusal_of_a_part_finds_those_of_the_other_accounts_of_its_owner(
    stores: Stores,
    message: MessageBuilder,
    answer: AnswerBuilder,
    scope: str,
    after: int,
    *,
    is_found: bool,
) -> None:
    company = {"sp1": ("longer2",), "longer2": ("sp1",)}
    await stores.scheduled.keep([message(system_id="longer2", source="1069999901")], company)
    through = await stores.consent.record([answer(scope=scope)])

    found = await stores.scheduled.note_refusals(after and through - 1, through, company)

    assert found is is_found


async def test_refusals_of_others_find_nothing_of_a_company(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder
) -> None:
    await stores.scheduled.keep([message(), message(system_id="sp2")], COMPANY)
    through = await stores.consent.record([answer(scope="sp3")])

    assert not await stores.scheduled.note_refusals(through - 1, through, COMPANY)
    assert not await stores.scheduled.note_refusals(0, through, COMPANY)


async def test_only_refusals_that_were_not_looked_at_count(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder
) -> None:
    await stores.scheduled.keep([message()])
    through = await stores.consent.record([answer()])
    later = await stores.consent.record([answer(msisdn=8613800138077)])

    assert not await stores.scheduled.note_refusals(through, later)
    assert await stores.scheduled.note_refusals(0, later)


async def test_a_refusal_on_record_is_found_when_the_message_is_kept(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.consent.record([answer()])

    assert await stores.scheduled.keep([message(), message(system_id="sp2")])

    assert await _refused(stores, noon) == [message()]


async def test_a_message_is_kept_once_and_a_repetition_says_when(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    later = message(scheduled_at=noon + timedelta(days=2))
    await stores.consent.record([answer()])
    await stores.scheduled.keep([message()])
    await stores.scheduled.keep([later])
    await stores.scheduled.keep([])

    assert await _refused(stores, noon) == [later]


async def test_what_its_sp_puts_off_is_due_later(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.consent.record([answer()])
    await stores.scheduled.keep([message(), message(system_id="sp2"), message(message_id="7F3B")])
    later = noon + timedelta(days=3)

    await stores.scheduled.move("sp1", "7F3A", later)

    assert [one.scheduled_at for one in await _refused(stores, noon)] == [
        noon + timedelta(days=1),
        later,
    ]


async def test_refused_messages_are_taken_by_one_process_the_most_urgent_first(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    late, soon = message(), message(message_id="7F3B", scheduled_at=noon + MINUTE)
    away = message(system_id="sp2")
    await stores.consent.record([answer(), answer(scope="sp2")])
    await stores.scheduled.keep([late, soon, away])

    first = await stores.scheduled.take(noon, noon + MINUTE, ["sp1"], 1)
    second = await stores.scheduled.take(noon, noon + MINUTE, ["sp1"], 9)
    third = await stores.scheduled.take(noon, noon + MINUTE, ["sp1"], 9)

    assert [one.message_id for one in first] == ["7F3B"]
    assert [one.message_id for one in second] == ["7F3A"]
    assert third == []


async def test_what_is_claimed_comes_back_with_the_end_of_the_claim_or_when_it_is_put_back(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.consent.record([answer()])
    await stores.scheduled.keep([message()])
    (taken,) = await stores.scheduled.take(noon, noon + 2 * MINUTE, ["sp1"], 9)

    assert await stores.scheduled.take(noon + MINUTE, noon + MINUTE, ["sp1"], 9) == []
    assert await stores.scheduled.take(noon + 2 * MINUTE, noon + 9 * MINUTE, ["sp1"], 9) == [taken]
    await stores.scheduled.put_back(taken.number, noon + 3 * MINUTE)
    assert await stores.scheduled.take(noon + 2 * MINUTE, noon, ["sp1"], 9) == []
    assert await stores.scheduled.take(noon + 3 * MINUTE, noon, ["sp1"], 9) == [taken]
    await stores.scheduled.put_back(taken.number + 1, noon)


async def test_what_is_settled_is_forgotten(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.consent.record([answer()])
    await stores.scheduled.keep([message()])
    (taken,) = await stores.scheduled.take(noon, noon, ["sp1"], 9)

    assert await stores.scheduled.settle(taken.number)

    assert not await stores.scheduled.settle(taken.number)
    assert await _refused(stores, noon) == []


async def test_what_nobody_stopped_in_time_is_told_once(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.consent.record([answer()])
    soon, claimed = (
        message(message_id=one, scheduled_at=noon + MINUTE) for one in ("7F3B", "7F3C")
    )
    await stores.scheduled.keep([message(), soon])
    await stores.scheduled.keep([claimed])
    await stores.scheduled.take(noon, noon + 2 * MINUTE, ["sp1"], 1)

    over = await stores.scheduled.take_overdue(noon + MINUTE, 9)
    again = await stores.scheduled.take_overdue(noon + MINUTE, 9)
    rest = await stores.scheduled.take_overdue(noon + 2 * MINUTE, 9)

    assert [one.message_id for one in (*over, *rest)] == ["7F3C", "7F3B"]
    assert again == []
    assert await stores.scheduled.waiting_senders(noon) == {"sp1"}
    assert await stores.scheduled.waiting_senders(noon + timedelta(days=1)) == set()


async def test_what_was_delivered_undisturbed_is_forgotten(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    refused = message(msisdn=8613800138001, destination="13800138001")
    await stores.consent.record([answer(msisdn=8613800138001)])
    await stores.scheduled.keep([message(), refused])
    tomorrow = noon + timedelta(days=1)

    assert await stores.scheduled.prune(tomorrow - MINUTE) == 0
    assert await stores.scheduled.prune(tomorrow) == 1
    assert await stores.scheduled.prune(tomorrow) == 0

    assert await _refused(stores, noon) == [refused]


async def test_r21_a_refusal_typed_bare_finds_the_messages_to_the_north_american_number(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    abroad = message(destination="+14155550123", msisdn=ABROAD)
    to_all = message(destination="+14155550123", msisdn=ABROAD, system_id="sp2")
    await stores.scheduled.keep([abroad, to_all, message()])
    refused = answer(msisdn=AS_READ_BARE)
    through = await stores.consent.record([refused])

    assert await stores.scheduled.note_refusals(through - 1, through)
    assert await _refused(stores, noon) == [abroad]

    through = await stores.consent.record([replace(refused, scope=EVERY_SENDER)])
    assert await stores.scheduled.note_refusals(0, through)
    assert await _refused(stores, noon) == [abroad, to_all]


async def test_r21_a_refusal_typed_bare_is_found_when_the_message_is_kept(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder, noon: datetime
) -> None:
    abroad = message(destination="+14155550123", msisdn=ABROAD)
    await stores.consent.record([answer(msisdn=AS_READ_BARE)])

    assert await stores.scheduled.keep([abroad])
    assert await _refused(stores, noon) == [abroad]


async def test_r21_a_refusal_with_the_plus_is_not_one_of_the_mainland_number(
    stores: Stores, message: MessageBuilder, answer: AnswerBuilder
) -> None:
    await stores.scheduled.keep([message(msisdn=AS_READ_BARE)])
    through = await stores.consent.record([answer(msisdn=ABROAD)])

    assert not await stores.scheduled.note_refusals(0, through)
    assert not await stores.scheduled.note_refusals(through - 1, through)


@pytest.mark.parametrize(
    ("own", "is_refused"),
    [
        (ConsentAnswer(ABROAD, "sp1", Answer.AGREED, NOON, "mo"), False),
        (ConsentAnswer(ABROAD, "sp1", Answer.AGREED, NOON, "mo", until=FAR_AWAY), False),
        (ConsentAnswer(ABROAD, "sp1", Answer.AGREED, NOON, "mo", until=NOON), True),
        (ConsentAnswer(ABROAD, "sp1", Answer.ASSERTED, NOON, "import"), True),
        (ConsentAnswer(ABROAD, EVERY_SENDER, Answer.AGREED, NOON, "mo"), True),
    ],
)
async def test_what_a_number_itself_agreed_to_counts_over_a_refusal_typed_bare(
    stores: Stores,
    message: MessageBuilder,
    answer: AnswerBuilder,
    noon: datetime,
    own: ConsentAnswer,
    is_refused: bool,  # noqa: FBT001 - a column of the table
) -> None:
    theirs, other = message(msisdn=ABROAD), message(message_id="7F3B", msisdn=ABROAD + 1)
    await stores.consent.record([own, answer(msisdn=AS_READ_BARE), answer(msisdn=AS_READ_BARE + 1)])

    await stores.scheduled.keep([theirs, other])

    assert await _refused(stores, noon) == ([theirs, other] if is_refused else [other])


@pytest.mark.parametrize(
    ("scope", "ids"),
    [
        ("sp1 10690001", ["A", "B"]),
        ("sp1 10690002", ["C"]),
        ("sp1 #loan", ["A", "B", "C"]),  # what they say is not kept
        ("sp2 10690001", []),
        ("sp 10690001", []),
        ("sp1 9", []),
    ],
)
async def test_r22_a_refusal_of_a_port_or_a_category_finds_what_it_may_be_about(
    stores: Stores,
    message: MessageBuilder,
    answer: AnswerBuilder,
    noon: datetime,
    scope: str,
    ids: list[str],
) -> None:
    sources = {"A": "10690001", "B": "1069000112", "C": "10690002"}
    await stores.scheduled.keep(
        [message(message_id=one, source=source) for one, source in sources.items()]
    )
    await stores.consent.record([answer(scope=scope)])

    await stores.scheduled.note_refusals(0, await stores.changes.latest())

    assert sorted(one.message_id for one in await _refused(stores, noon)) == ids
