"""What gateway.storage.change_feed promises, on every store."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.consent import ConsentAnswer
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Preference,
    PreferenceAction,
    PreferenceKind,
)
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.storage.change_feed import UNNAMED, Change, ChangeKind
from gateway.stores import Stores

pytestmark = pytest.mark.every_store

Builder: TypeAlias = Callable[..., HeldMessage]
AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]


async def discard(stores: Stores, message_id: int, at: datetime) -> None:
    await stores.quarantine.move(
        message_id, allowed=frozenset({HoldState.HELD}), to=HoldState.DISCARDED, at=at
    )


async def test_an_untouched_store_has_no_change(stores: Stores) -> None:
    assert await stores.changes.latest() == 0
    assert await stores.changes.changes(0) == []


async def test_one_number_grows_over_all_kinds(
    stores: Stores, held: Builder, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=7)])
    await discard(stores, 7, noon)
    number = await stores.consent.record([answer()])

    first, second = await stores.changes.changes(0)

    assert first == Change(1, ChangeKind.QUARANTINE, "7", noon)
    assert (second.number, second.kind, second.key) == (number, ChangeKind.CONSENT, "")
    assert await stores.changes.latest() == number


async def test_a_reader_goes_on_from_where_it_was(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=message_id) for message_id in range(1, 6)])
    for message_id in range(1, 6):
        await discard(stores, message_id, noon)

    first = await stores.changes.changes(0, limit=2)
    rest = await stores.changes.changes(first[-1].number)

    assert [change.key for change in first + rest] == ["1", "2", "3", "4", "5"]
    assert await stores.changes.changes(rest[-1].number) == []


async def test_pruned_changes_are_gone_and_their_numbers_not_given_again(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=message_id) for message_id in (1, 2, 3)])
    await discard(stores, 1, noon)
    await discard(stores, 2, noon + timedelta(hours=1))

    assert await stores.changes.prune(noon) == 0
    assert await stores.changes.prune(noon + timedelta(hours=1)) == 1
    assert await stores.changes.prune(noon + timedelta(hours=2)) == 0
    assert [change.key for change in await stores.changes.changes(0)] == ["2"]

    await discard(stores, 3, noon)

    assert await stores.changes.latest() == 3


async def test_after_a_while_the_feed_does_not_say_whose_preferences_changed(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    wish = Preference(PreferenceKind.NUMBER, "13911112222", PreferenceAction.BLOCK)
    await stores.quarantine.hold([held(message_id=7)])
    await discard(stores, 7, noon)
    await stores.preferences.change(
        8613800138000, lambda _: (wish,), ChangeOrigin(Channel.CLI, noon, "clerk")
    )
    named = await stores.changes.changes(0)
    at = named[-1].at

    assert await stores.changes.forget_subscribers(at) == 0
    assert await stores.changes.changes(0) == named
    assert await stores.changes.forget_subscribers(at + timedelta(seconds=1)) == 1
    assert await stores.changes.forget_subscribers(at + timedelta(seconds=1)) == 0

    assert [change.key for change in await stores.changes.changes(0)] == ["7", UNNAMED]
    assert await stores.changes.latest() == named[-1].number
