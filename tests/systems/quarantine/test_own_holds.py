"""A subscriber decides over what nothing but the subscriber's own rule holds (R50)."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.verdict import Reason
from gateway.stores import Stores
from gateway.systems.quarantine.model import Grounds
from gateway.systems.quarantine.own_holds import MAX_OWN, HeldPart, OwnHolds
from gateway.systems.quarantine.service import Ids, Outcome, QuarantineDesk

Builder: TypeAlias = Callable[..., HeldMessage]

MSISDN = 8613800138000


class Plain:
    """Reads messages whose octets are their text, or `reference/total/number/text`."""

    def part_of(self, held: HeldMessage) -> HeldPart | None:
        if held.pdu.count(b"/") != 3:
            return None
        reference, total, number = map(int, held.pdu.split(b"/")[:3])
        return HeldPart(reference, total, number)

    def text_of(self, together: Sequence[HeldMessage]) -> str:
        return "".join(held.pdu.rpartition(b"/")[2].decode() for held in together)


@pytest.fixture
def own(held: Builder) -> Builder:
    """Build a message that a subscriber's own rule holds; give what should be otherwise."""

    def build(message_id: int, text: str = "开盘", **changes: object) -> HeldMessage:
        usual = {"message_id": message_id, "pdu": text.encode(), "reason": Reason.USER_PREF.value}
        return held(**{**usual, **changes})

    return build


@pytest.fixture
def holds(stores: Stores, desk: QuarantineDesk) -> OwnHolds:
    return OwnHolds(stores.quarantine, desk, Plain())


async def listed(holds: OwnHolds, now: datetime) -> list[tuple[tuple[int, ...], str]]:
    return [(one.message_ids, one.text) for one in await holds.list_own(MSISDN, now)]


async def test_r50_a_subscriber_sees_what_waits_newest_first_with_its_text(
    holds: OwnHolds, stores: Stores, own: Builder, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [
            own(1, "江景新房"),
            own(2, "别墅"),
            own(3, "过期", expires_at=noon),
            own(4, "别人的", destination="13800138001"),
            held(message_id=5),
        ]
    )

    assert await listed(holds, noon) == [((2,), "别墅"), ((1,), "江景新房")]
    (_, first) = await holds.list_own(MSISDN, noon)
    assert (first.message_id, first.source) == (1, "10690001")
    assert "江景" not in repr(first)


async def test_the_list_is_bounded(
    holds: OwnHolds, stores: Stores, own: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([own(n) for n in range(1, MAX_OWN + 5)])

    found = await holds.list_own(MSISDN, noon)

    assert [one.message_id for one in found] == [*range(MAX_OWN + 4, 4, -1)]


async def test_r50_his_release_asks_for_that_message_and_marks_it_as_his(
    holds: OwnHolds, stores: Stores, own: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([own(1), own(2)])

    released = await holds.release_own(MSISDN, (1,), noon)
    again = await holds.release_own(MSISDN, (1,), noon)

    assert [one.message_id for one in released] == [1]
    assert again == []
    message = await stores.quarantine.get(1)
    assert message is not None
    assert (message.state, message.is_wanted) == (HoldState.RELEASE_REQUESTED, True)
    assert not message.is_reviewed
    assert message.note == "release asked by the subscriber"


async def test_r50_what_he_drops_is_gone_and_its_sender_is_told(
    holds: OwnHolds, stores: Stores, own: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([own(1)])

    dropped = await holds.discard_own(MSISDN, (1,), noon)

    assert [one.message_id for one in dropped] == [1]
    message = await stores.quarantine.get(1)
    assert message is not None
    assert (message.state, message.receipt) == (HoldState.DISCARDED, ReceiptState.DUE)
    assert (message.note, message.is_wanted) == ("discarded by the subscriber", False)


async def test_r50_what_is_not_his_alone_is_neither_released_nor_dropped(
    holds: OwnHolds, stores: Stores, own: Builder, held: Builder, noon: datetime
) -> None:
    others = [held(message_id=1), own(2, destination="13800138001")]
    await stores.quarantine.hold(others)

    released = await holds.release_own(MSISDN, (1, 2, 3), noon)
    dropped = await holds.discard_own(MSISDN, (1, 2, 3), noon)
    nothing = await holds.release_own(MSISDN, (), noon)

    assert released == dropped == nothing == []
    assert await stores.quarantine.get_many((1, 2)) == others


async def test_a_message_that_another_took_first_is_not_among_those_released(
    stores: Stores, desk: QuarantineDesk, own: Builder, noon: datetime
) -> None:
    class Late(QuarantineDesk):
        async def release_own(
            self, message_id: int, others: tuple[int, ...], at: datetime
        ) -> Outcome:
            await desk.discard(message_id, "zhao", at)
            return await super().release_own(message_id, others, at)

    late = Late(stores.quarantine, desk._ids)
    await stores.quarantine.hold([own(1)])

    assert await OwnHolds(stores.quarantine, late, Plain()).release_own(MSISDN, (1,), noon) == []


async def test_r50_a_long_message_is_one_and_its_parts_go_together(
    holds: OwnHolds, stores: Stores, own: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([own(1, "7/2/2/开盘"), own(2, "短"), own(3, "7/2/1/新房")])

    found = await listed(holds, noon)
    released = await holds.release_own(MSISDN, (1,), noon)

    assert found == [((3, 1), "新房开盘"), ((2,), "短")]
    assert [one.message_ids for one in released] == [(3, 1)]
    states = [one.state for one in await stores.quarantine.get_many((1, 2, 3))]
    asked = HoldState.RELEASE_REQUESTED
    assert states == [asked, HoldState.HELD, asked]


async def test_a_part_whose_others_are_not_his_is_not_shown(
    holds: OwnHolds, stores: Stores, own: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([own(1, "7/2/1/开盘"), own(2, "7/2/2/贷款", reason="CONTENT")])

    assert await listed(holds, noon) == []


async def test_a_reference_that_is_used_again_is_of_another_message(
    holds: OwnHolds, stores: Stores, own: Builder, noon: datetime
) -> None:
    later = {"held_at": noon + timedelta(minutes=11)}
    await stores.quarantine.hold(
        [
            own(1, "7/2/1/甲"),
            own(2, "7/2/1/乙"),
            own(3, "7/2/2/丙"),
            own(4, "9/2/1/丁"),
            own(5, "9/2/2/戊", **later),
            own(6, "9/2/1/己", **later),
            own(7, "8/2/1/庚"),
            own(8, "8/2/2/辛", source="10690002"),
        ]
    )

    assert await listed(holds, noon) == [((6, 5), "己戊"), ((2, 3), "乙丙")]


async def test_a_part_that_came_alone_later_takes_no_part_of_the_message_before(
    holds: OwnHolds, stores: Stores, own: Builder, noon: datetime
) -> None:
    later = {"held_at": noon + timedelta(minutes=11)}
    await stores.quarantine.hold(
        [
            own(1, "3/2/1/子"),
            own(2, "3/2/2/丑"),
            own(3, "3/2/2/寅"),
            own(4, "4/2/1/卯"),
            own(5, "4/2/2/辰", **later),
        ]
    )

    assert await listed(holds, noon) == [((1, 2), "子丑")]


async def test_r50_what_a_policy_holds_by_the_time_of_the_act_is_neither_released_nor_dropped(
    stores: Stores, desk: QuarantineDesk, own: Builder, noon: datetime
) -> None:
    """Between the look and the act another call let it go, and judging it again flagged it."""
    grounds = Grounds("CONTENT", "K-FRAUD", "fraud", "w", "d", noon + timedelta(days=1))

    class Late(QuarantineDesk):
        async def flag(self, message_id: int, at: datetime) -> None:
            await desk.release_own(message_id, (), at)
            await desk.hold(message_id, grounds, "judged again", at)

        async def discard_own(self, message_id: int, others: Ids, at: datetime) -> Outcome:
            await self.flag(message_id, at)
            return await super().discard_own(message_id, others, at)

        async def release_own(self, message_id: int, others: Ids, at: datetime) -> Outcome:
            await self.flag(message_id, at)
            return await super().release_own(message_id, others, at)

    await stores.quarantine.hold([own(1), own(2)])
    late = OwnHolds(stores.quarantine, Late(stores.quarantine, desk._ids), Plain())

    dropped = await late.discard_own(MSISDN, (1,), noon)
    released = await late.release_own(MSISDN, (2,), noon)

    assert dropped == released == []
    kept = await stores.quarantine.get_many((1, 2))
    assert [(one.state, one.reason) for one in kept] == [(HoldState.HELD, Reason.CONTENT)] * 2


class Watched(Plain):
    """Counts the texts it reads, and notes on which threads."""

    def __init__(self) -> None:
        self.texts = 0
        self.threads: set[int] = set()

    def part_of(self, held: HeldMessage) -> HeldPart | None:
        self.threads.add(threading.get_ident())
        return super().part_of(held)

    def text_of(self, together: Sequence[HeldMessage]) -> str:
        self.texts += 1
        self.threads.add(threading.get_ident())
        return super().text_of(together)


async def test_no_more_texts_are_read_than_shown_and_none_on_the_loop(
    stores: Stores, desk: QuarantineDesk, own: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([own(n) for n in range(1, 200)])
    reader = Watched()
    holds = OwnHolds(stores.quarantine, desk, reader)

    shown = await holds.list_own(MSISDN, noon)

    assert len(shown) == reader.texts == MAX_OWN
    assert threading.get_ident() not in reader.threads


async def test_r50_of_what_is_named_no_other_text_is_read_however_much_came_since(
    stores: Stores, desk: QuarantineDesk, own: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([own(n) for n in range(1, 500)])
    reader = Watched()
    holds = OwnHolds(stores.quarantine, desk, reader)

    released = await holds.release_own(MSISDN, (1, 7), noon)

    assert [one.message_id for one in released] == [7, 1]
    assert reader.texts == 2
    assert threading.get_ident() not in reader.threads
