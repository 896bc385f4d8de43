"""What subscribers are answered about their held messages (R50)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outbound_message import MAX_CHARS, chars_of
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.subscription import OfferSession, SessionKind
from gateway.domain.verdict import Reason
from gateway.policy.hub_words import HoldCommand, hub_command_of
from gateway.stores import Stores
from gateway.systems.quarantine import own_holds as own_texts
from gateway.systems.quarantine.own_holds import MAX_OWN, HeldPart, OwnHold, OwnHolds, OwnWords
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.subscriptions.model import Changes

Builder: TypeAlias = Callable[..., HeldMessage]

MSISDN, HUB = 8613800138000, "10086"


class Plain:
    """Reads messages whose octets are their text."""

    def part_of(self, held: HeldMessage) -> HeldPart | None:
        assert held.pdu
        return None

    def text_of(self, together: Sequence[HeldMessage]) -> str:
        return together[0].pdu.decode()


class Subscriber:
    """Writes to the hub, and reads the answer."""

    def __init__(self, stores: Stores, desk: QuarantineDesk, now: datetime) -> None:
        self.words = OwnWords(OwnHolds(stores.quarantine, desk, Plain()), stores.subscriptions)
        self.now = now

    async def writes(self, text: str) -> str:
        command = hub_command_of(text)
        assert isinstance(command, HoldCommand)
        return await self.words.obey(MSISDN, HUB, command, self.now)


@pytest.fixture
def subscriber(stores: Stores, desk: QuarantineDesk, noon: datetime) -> Subscriber:
    return Subscriber(stores, desk, noon)


@pytest.fixture
def own(held: Builder) -> Builder:
    """Build a message that the subscriber's own rule holds, by its id and text."""
    return lambda message_id, text="江景新房盛大开盘": held(
        message_id=message_id, pdu=text.encode(), reason=Reason.USER_PREF.value
    )


async def states(stores: Stores, *message_ids: int) -> list[HoldState]:
    return [one.state for one in await stores.quarantine.get_many(message_ids)]


async def test_r50_the_list_has_numbers_ports_and_first_words(
    subscriber: Subscriber, stores: Stores, own: Builder
) -> None:
    await stores.quarantine.hold([own(1), own(2, "会员日\n全场  八折")])

    assert await subscriber.writes("查拦截") == (
        "拦截2条：1 10690001 会员日 全场 八折；2 10690001 江景新房盛大开盘。回放行1或删除1"
    )


async def test_r50_what_has_no_room_comes_when_asked_again_under_its_own_numbers(
    subscriber: Subscriber, stores: Stores, own: Builder
) -> None:
    await stores.quarantine.hold(
        [own(n, f"第{n}条，江景新房盛大开盘，首付二十万") for n in (1, 2, 3)]
    )

    first = await subscriber.writes("LJ")
    second = await subscriber.writes("LJ")
    third = await subscriber.writes("LJ")
    done = await subscriber.writes("放行 3")

    assert first == (
        "拦截3条：1 10690001 第3条，江景新房盛大开…；2 10690001 第2条，江景新房盛大开…"
        "；余1条再发查拦截。回放行1或删除1"
    )
    assert second == "拦截3条：3 10690001 第1条，江景新房盛大开盘，首付二十万。回放行1或删除1"
    assert third == first
    assert "已放行1条" in done
    assert await states(stores, 1, 2, 3) == [
        HoldState.RELEASE_REQUESTED,
        HoldState.HELD,
        HoldState.HELD,
    ]


async def test_r50_numbers_stay_good_for_a_day_whatever_becomes_of_the_others(
    subscriber: Subscriber, stores: Stores, own: Builder
) -> None:
    await stores.quarantine.hold([own(1), own(2), own(3)])
    await subscriber.writes("查拦截")

    released = await subscriber.writes("放行 1")
    await stores.quarantine.hold([own(4)])
    subscriber.now += timedelta(hours=23)
    dropped = await subscriber.writes("删除 1,3")
    subscriber.now += timedelta(hours=1)
    late = await subscriber.writes("放行 2")

    assert released == "已放行1条，经复核后送达。查看其余请发：查拦截"
    assert dropped == "已删除1条，不可恢复；另1条已不在拦截中。查看其余请发：查拦截"
    assert late == own_texts.LIST_FIRST
    assert await states(stores, 1, 2, 3, 4) == [
        HoldState.DISCARDED,
        HoldState.HELD,
        HoldState.RELEASE_REQUESTED,
        HoldState.HELD,
    ]


@pytest.mark.parametrize("text", ["放行", "放行 0", "放行 3", "放行 1,3", "删除 9999", "删除1-2"])
async def test_a_number_that_is_not_in_the_list_changes_nothing(
    subscriber: Subscriber, stores: Stores, own: Builder, text: str
) -> None:
    await stores.quarantine.hold([own(1), own(2)])
    await subscriber.writes("查拦截")

    assert await subscriber.writes(text) == own_texts.NO_SUCH_ITEM
    assert await states(stores, 1, 2) == [HoldState.HELD, HoldState.HELD]


@pytest.mark.parametrize("kind", [SessionKind.LIST, SessionKind.CANCEL_ALL])
async def test_without_a_list_of_its_own_the_words_are_answered_with_what_to_write(
    subscriber: Subscriber, stores: Stores, own: Builder, noon: datetime, kind: SessionKind
) -> None:
    await stores.quarantine.hold([own(1)])
    orders = OfferSession(MSISDN, HUB, kind, (("sp1", "1"),), noon + timedelta(hours=1))

    first = await subscriber.writes("FX 1")
    await stores.subscriptions.keep(Changes(session=orders))
    second = await subscriber.writes("删除 1")

    assert first == second == own_texts.LIST_FIRST
    assert await states(stores, 1) == [HoldState.HELD]


async def test_nothing_held_is_said_so(subscriber: Subscriber) -> None:
    assert await subscriber.writes("查拦截") == own_texts.NOTHING_HELD


async def test_what_is_gone_altogether_is_said_so(
    subscriber: Subscriber, stores: Stores, desk: QuarantineDesk, own: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([own(1)])
    await subscriber.writes("查拦截")
    await desk.cancel(1, "sp1", noon)

    assert await subscriber.writes("放行1") == own_texts.GONE


NOON = datetime.fromisoformat("2025-11-25T12:00:00+00:00")
OWN = st.builds(
    OwnHold,
    message_ids=st.just((1,)),
    source=st.from_regex(r"[0-9]{3,20}", fullmatch=True) | st.text(max_size=65),
    text=st.text(max_size=100),
    held_at=st.just(NOON),
    expires_at=st.just(NOON),
)


@given(st.lists(OWN, min_size=1, max_size=12), st.integers(0, 11), st.booleans())
def test_any_list_is_one_message_and_gets_to_its_end(
    own: list[OwnHold],
    start: int,
    is_long: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    if is_long:
        own = (own * MAX_OWN)[:MAX_OWN]
    start %= len(own)

    text, shown = own_texts.listing(own, start)

    assert chars_of(text) <= MAX_CHARS
    assert start < shown <= min(start + 5, len(own))


def test_words_that_need_little_room_leave_it_to_the_others() -> None:
    short = OwnHold((1,), "10690001", "好", NOON, NOON)

    text, shown = own_texts.listing([short, replace(short, text="江景新房盛大开盘" * 9)], 0)

    assert chars_of(text) == MAX_CHARS
    assert shown == 2


def test_every_fixed_text_is_one_message() -> None:
    texts = (
        own_texts.NOTHING_HELD,
        own_texts.LIST_FIRST,
        own_texts.NO_SUCH_ITEM,
        own_texts.GONE,
        own_texts.released(MAX_OWN, MAX_OWN),
        own_texts.discarded(MAX_OWN, MAX_OWN),
    )

    assert max(map(chars_of, texts)) <= MAX_CHARS
