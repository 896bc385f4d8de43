"""Do what a subscriber writes about what to receive, and keep all preferences at hand."""

from collections.abc import Sequence
from datetime import datetime

from gateway.domain.categories import TrafficClass, category_of
from gateway.domain.preferences import (
    MAX_PREFERENCES,
    ChangeOrigin,
    Channel,
    Preference,
    PreferenceAction,
    PreferenceError,
    PreferenceKind,
    PreferenceList,
    with_preference,
    without_preference,
)
from gateway.policy.hub_words import PreferenceCommand, Verb
from gateway.policy.preferences import Preferences
from gateway.storage.change_feed import ChangeFeed, ChangeKind, FeedFollower
from gateway.systems.preferences.sql import PreferenceStore


class PreferencesFollower(FeedFollower):
    """Follows every subscriber's preferences; one change is one subscriber's few lines."""

    kind = ChangeKind.PREFERENCES

    def __init__(self, store: PreferenceStore, feed: ChangeFeed, preferences: Preferences) -> None:
        super().__init__(feed, preferences)
        self._store = store
        self._preferences = preferences

    async def _load(self) -> int:
        fresh = Preferences()
        async for rows in self._store.all_preferences():
            fresh.load(rows)
        self._preferences.replace(fresh)
        return len(fresh)

    async def _apply(self, keys: Sequence[str]) -> None:
        msisdns = sorted(map(int, keys))
        found = await self._store.packed_of(msisdns)
        self._preferences.load((one, found.get(one, "")) for one in msisdns)


MAX_REPLY_CHARS = 70  # one message in UCS-2

_TEACHING = "请这样回复：屏蔽 房产；取消屏蔽 房产；白名单 10690001；免打扰 22:00-08:00；我的屏蔽"
_FULL = f"接收设置已满{MAX_PREFERENCES}条，本条未生效。请先取消一些，查询请发：我的屏蔽"
_NOTHING_TO_TAKE_BACK = "没有这条接收设置，无需取消。查询请发：我的屏蔽"
_NONE = "您还没有接收设置。例如屏蔽一类短信请发：屏蔽 房产"
_ACTIONS = {
    PreferenceAction.ALLOW: "白名单",
    PreferenceAction.BLOCK: "屏蔽",
    PreferenceAction.HOLD: "暂存",
}
_CLASSES = {TrafficClass.COMMERCIAL: "营销", TrafficClass.SERVICE: "服务通知"}


async def obey(
    store: PreferenceStore, msisdn: int, command: PreferenceCommand, at: datetime
) -> str:
    """Keep what `command` changes for the subscriber; return the one reply, for the same port.

    Safe to repeat: what is set already is confirmed again. Raises StoreUnavailable; nothing
    was changed then, and nothing is to be confirmed.
    """
    origin = ChangeOrigin(Channel.MO, at)
    match command:
        case PreferenceCommand(Verb.SET, Preference() as wanted):
            return await _set(store, msisdn, wanted, origin)
        case PreferenceCommand(Verb.TAKE_BACK, about):
            return await _take_back(store, msisdn, about, origin)
        case PreferenceCommand(Verb.SHOW):
            return _listed(await store.of(msisdn))
        case _:
            return _TEACHING


async def _set(
    store: PreferenceStore, msisdn: int, wanted: Preference, origin: ChangeOrigin
) -> str:
    try:
        await store.change(msisdn, lambda before: with_preference(before, wanted), origin)
    except PreferenceError:
        return _FULL
    return _confirmed(wanted)


async def _take_back(
    store: PreferenceStore, msisdn: int, about: Preference | None, origin: ChangeOrigin
) -> str:
    def edit(before: PreferenceList) -> PreferenceList:
        return _without(before, about)

    before, after = await store.change(msisdn, edit, origin)
    if before == after:
        return _NOTHING_TO_TAKE_BACK
    gone = next(one for one in before if one not in after)
    return f"已取消：{_described(gone)}。查询其余设置请发：我的屏蔽"


def _without(before: PreferenceList, about: Preference | None) -> PreferenceList:
    if about is None:
        return tuple(one for one in before if one.kind is not PreferenceKind.QUIET_HOURS)
    # 取消屏蔽 takes no number off the white list, and the other way round.
    is_allowing = about.action is PreferenceAction.ALLOW
    same = (one for one in before if (one.kind, one.value) == (about.kind, about.value))
    if any((one.action is PreferenceAction.ALLOW) is not is_allowing for one in same):
        return before
    return without_preference(before, about.kind, about.value)


def _confirmed(wanted: Preference) -> str:
    if wanted.kind is PreferenceKind.QUIET_HOURS:
        return f"已设置{_described(wanted)}，验证码不受影响。恢复请发：取消免打扰"
    look = "查看请发：查拦截；" if wanted.action is PreferenceAction.HOLD else ""
    undo = f"取消{_ACTIONS[wanted.action]} {_name_of(wanted)}"
    return f"已设置：{_described(wanted)}。{look}恢复请发：{undo}"


def _described(one: Preference) -> str:
    """Say what is wished, the action before what it is about."""
    if one.kind is PreferenceKind.QUIET_HOURS:
        return f"免打扰{one.value}"
    return f"{_ACTIONS[one.action]}{_name_of(one)}"


def _name_of(one: Preference) -> str:
    """Return what a subscriber calls it, and may write to take it back."""
    if one.kind is PreferenceKind.CLASS:
        return _CLASSES[TrafficClass(one.value)]
    category = category_of(one.value) if one.kind is PreferenceKind.CATEGORY else None
    return one.value if category is None else category.name


def _listed(preferences: PreferenceList) -> str:
    """Name as many as one message holds, and how many there are."""
    if not preferences:
        return _NONE
    reply = f"共{len(preferences)}条："
    for place, one in enumerate(preferences):
        named = f"{'；' if place else ''}{_described(one)}"
        if len(reply) + len(named) >= MAX_REPLY_CHARS:
            return f"{reply}…"
        reply += named
    return reply
