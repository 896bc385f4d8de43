"""R51: what a subscriber commands is kept, journaled, and confirmed in one short message."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import CATEGORIES
from gateway.domain.preferences import (
    MAX_KEYWORD_CHARS,
    MAX_PREFERENCES,
    ChangeOrigin,
    Channel,
    JournalEntry,
    Preference,
    PreferenceAction,
    PreferenceKind,
    preference,
)
from gateway.policy.hub_words import PreferenceCommand, Verb, hub_command_of
from gateway.stores import Stores
from gateway.systems.preferences.service import MAX_REPLY_CHARS, obey
from tests.memory_stores import memory_stores

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
SUBSCRIBER = 8613800138000
BLOCK, HOLD, ALLOW = PreferenceAction.BLOCK, PreferenceAction.HOLD, PreferenceAction.ALLOW
HOUSES = preference(PreferenceKind.CATEGORY, "real_estate", BLOCK)
PORT = preference(PreferenceKind.NUMBER, "1069000112", ALLOW)
NIGHT = preference(PreferenceKind.QUIET_HOURS, "22:00-08:00", BLOCK)


async def said(stores: Stores, *texts: str) -> list[str]:
    """Return the replies to `texts`, each a command."""
    replies = []
    for text in texts:
        command = hub_command_of(text)
        assert isinstance(command, PreferenceCommand)
        replies.append(await obey(stores.preferences, SUBSCRIBER, command, NOON))
    return replies


async def kept(stores: Stores, *wanted: Preference) -> None:
    await stores.preferences.change(
        SUBSCRIBER, lambda _before: wanted, ChangeOrigin(Channel.CLI, NOON)
    )


async def test_r51_a_category_is_blocked_by_a_command_and_confirmed_once(stores: Stores) -> None:
    replies = await said(stores, "屏蔽 房产")

    assert replies == ["已设置：屏蔽房产中介。恢复请发：取消屏蔽 房产中介"]
    assert await stores.preferences.of(SUBSCRIBER) == (HOUSES,)
    assert await stores.preferences.journal_of(SUBSCRIBER) == [
        JournalEntry(ChangeOrigin(Channel.MO, NOON), (), (HOUSES,))
    ]


async def test_r51_what_was_blocked_is_taken_back_by_a_command(stores: Stores) -> None:
    await kept(stores, PORT)

    replies = await said(stores, "屏蔽 房产", "取消屏蔽 房产")

    assert replies[1] == "已取消：屏蔽房产中介。查询其余设置请发：我的屏蔽"
    assert await stores.preferences.of(SUBSCRIBER) == (PORT,)
    assert len(await stores.preferences.journal_of(SUBSCRIBER)) == 3


async def test_a_command_sent_twice_is_confirmed_twice_and_kept_once(stores: Stores) -> None:
    first, second = await said(stores, "屏蔽 房产", "屏蔽房产")

    assert first == second
    assert len(await stores.preferences.journal_of(SUBSCRIBER)) == 1


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("屏蔽 1069*", "已设置：屏蔽1069*。恢复请发：取消屏蔽 1069*"),
        ("屏蔽 广告", "已设置：屏蔽营销。恢复请发：取消屏蔽 营销"),
        ("白名单 1069000112", "已设置：白名单1069000112。恢复请发：取消白名单 1069000112"),
        (
            "免打扰 22:00-8:00",
            "已设置免打扰22:00-08:00，验证码不受影响。恢复请发：取消免打扰",
        ),
    ],
)
async def test_the_confirmation_says_how_to_come_back(
    stores: Stores, text: str, reply: str
) -> None:
    [confirmed] = await said(stores, text)
    undo = hub_command_of(confirmed.rpartition("：")[2])

    assert confirmed == reply
    assert isinstance(undo, PreferenceCommand)
    await obey(stores.preferences, SUBSCRIBER, undo, NOON)
    assert await stores.preferences.of(SUBSCRIBER) == ()


async def test_every_quiet_hour_is_taken_back_when_none_is_named(stores: Stores) -> None:
    noon = preference(PreferenceKind.QUIET_HOURS, "12:00-14:00", HOLD)
    await kept(stores, NIGHT, HOUSES, noon)

    [reply] = await said(stores, "取消免打扰")

    assert reply.startswith("已取消：免打扰22:00-08:00")
    assert await stores.preferences.of(SUBSCRIBER) == (HOUSES,)


@pytest.mark.parametrize("text", ["取消屏蔽 房产", "取消屏蔽 1069000112", "取消免打扰"])
async def test_what_is_not_set_cannot_be_taken_back(stores: Stores, text: str) -> None:
    await kept(stores, PORT)

    [reply] = await said(stores, text)

    assert reply == "没有这条接收设置，无需取消。查询请发：我的屏蔽"
    assert await stores.preferences.of(SUBSCRIBER) == (PORT,)


async def test_a_held_category_is_taken_back_like_a_blocked_one(stores: Stores) -> None:
    await kept(stores, preference(PreferenceKind.CATEGORY, "real_estate", HOLD))

    [reply] = await said(stores, "取消屏蔽 房产")

    assert reply.startswith("已取消：暂存房产中介")
    assert await stores.preferences.of(SUBSCRIBER) == ()


async def test_beyond_fifty_preferences_the_subscriber_hears_that_nothing_was_kept(
    stores: Stores,
) -> None:
    full = tuple(
        preference(PreferenceKind.NUMBER, str(1069000 + place), BLOCK)
        for place in range(MAX_PREFERENCES)
    )
    await kept(stores, *full)

    [reply] = await said(stores, "屏蔽 房产")

    assert "未生效" in reply
    assert await stores.preferences.of(SUBSCRIBER) == full


async def test_the_preferences_can_be_asked_for(stores: Stores) -> None:
    before = await said(stores, "我的屏蔽")
    await kept(stores, HOUSES, PORT, NIGHT)

    after = await said(stores, "我的屏蔽")

    assert before == ["您还没有接收设置。例如屏蔽一类短信请发：屏蔽 房产"]
    assert after == ["共3条：屏蔽房产中介；白名单1069000112；免打扰22:00-08:00"]


async def test_a_command_that_is_not_clear_is_answered_with_examples(stores: Stores) -> None:
    [reply] = await said(stores, "屏蔽")

    assert "屏蔽 房产" in reply
    assert await stores.preferences.of(SUBSCRIBER) == ()


LONGEST = (
    st.builds(
        preference,
        st.just(PreferenceKind.NUMBER),
        st.just("1" * 20 + "*"),
        st.sampled_from(PreferenceAction),
    )
    | st.builds(
        preference,
        st.just(PreferenceKind.KEYWORD),
        st.text("奖金红包", min_size=MAX_KEYWORD_CHARS, max_size=MAX_KEYWORD_CHARS),
        st.sampled_from(PreferenceAction),
    )
    | st.builds(
        preference,
        st.just(PreferenceKind.CATEGORY),
        st.sampled_from([category.id for category in CATEGORIES]),
        st.sampled_from(PreferenceAction),
    )
    | st.just(NIGHT)
)


@given(st.sampled_from(Verb), LONGEST, st.lists(LONGEST, max_size=10, unique=True))
async def test_every_reply_fits_one_message(
    verb: Verb, about: Preference, before: list[Preference]
) -> None:
    async with memory_stores() as stores:
        await kept(stores, *before)

        reply = await obey(stores.preferences, SUBSCRIBER, PreferenceCommand(verb, about), NOON)

    assert 0 < len(reply) <= MAX_REPLY_CHARS
