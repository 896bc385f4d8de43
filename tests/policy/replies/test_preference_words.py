"""Commands for preferences are understood, and nothing else is taken for one (R51)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.preferences import (
    MAX_KEYWORD_CHARS,
    Preference,
    PreferenceAction,
    PreferenceKind,
    preference,
)
from gateway.policy.hub_words import (
    MAX_CHARS,
    PreferenceCommand,
    Verb,
    hub_command_of,
)
from gateway.policy.replies import (
    CONFIRM,
    HELP,
    LISTING,
    OPT_OUT,
    OPT_OUT_ALL,
    REFUSE,
    RESTORE,
    Intent,
    MoContext,
    meaning_of,
)

NUMBER, KEYWORD, CATEGORY = (
    PreferenceKind.NUMBER,
    PreferenceKind.KEYWORD,
    PreferenceKind.CATEGORY,
)
CLASS, QUIET = PreferenceKind.CLASS, PreferenceKind.QUIET_HOURS
ALLOW, BLOCK = PreferenceAction.ALLOW, PreferenceAction.BLOCK
HOLD = PreferenceAction.HOLD


def setting(kind: PreferenceKind, value: str, action: PreferenceAction) -> PreferenceCommand:
    return PreferenceCommand(Verb.SET, preference(kind, value, action))


def taking_back(kind: PreferenceKind, value: str, action: PreferenceAction) -> PreferenceCommand:
    return PreferenceCommand(Verb.TAKE_BACK, preference(kind, value, action))


def test_r51_the_command_to_unblock_is_not_read_as_an_opt_out() -> None:
    assert hub_command_of("取消屏蔽 房产") == taking_back(CATEGORY, "real_estate", BLOCK)
    assert meaning_of("取消屏蔽 房产").intent is Intent.NONE


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("屏蔽 房产", setting(CATEGORY, "real_estate", BLOCK)),
        ("屏蔽房产", setting(CATEGORY, "real_estate", BLOCK)),
        ("屏蔽：房产。", setting(CATEGORY, "real_estate", BLOCK)),
        ("屏蔽+房产", setting(CATEGORY, "real_estate", BLOCK)),
        ("屏蔽房產類短信", setting(CATEGORY, "real_estate", BLOCK)),
        ("屏蔽 房产类短信", setting(CATEGORY, "real_estate", BLOCK)),
        ("拉黑 贷款", setting(CATEGORY, "loan", BLOCK)),
        ("屏蔽 广告", setting(CLASS, "commercial", BLOCK)),
        ("屏蔽 营销短信", setting(CLASS, "commercial", BLOCK)),
        ("屏蔽 服务通知", setting(CLASS, "service", BLOCK)),
        ("屏蔽 1069000112", setting(NUMBER, "1069000112", BLOCK)),
        ("屏蔽１０６９０００１１２", setting(NUMBER, "1069000112", BLOCK)),
        ("屏蔽 +86 1069-0001-12", setting(NUMBER, "1069000112", BLOCK)),
        ("屏蔽 1069*", setting(NUMBER, "1069*", BLOCK)),
        ("屏蔽 免费领取", setting(KEYWORD, "免费领取", BLOCK)),
        ("BLOCK 95588", setting(NUMBER, "95588", BLOCK)),
        ("block Real Estate", setting(CATEGORY, "real_estate", BLOCK)),
        ("block free money", setting(KEYWORD, "free money", BLOCK)),
        ("UNBLOCK 95588", taking_back(NUMBER, "95588", BLOCK)),
        ("解除屏蔽 免费领取", taking_back(KEYWORD, "免费领取", BLOCK)),
        ("白名单 1069000112", setting(NUMBER, "1069000112", ALLOW)),
        ("暂存 房产", setting(CATEGORY, "real_estate", HOLD)),
        ("暂存1069000112", setting(NUMBER, "1069000112", HOLD)),
        ("取消暂存 房产", taking_back(CATEGORY, "real_estate", HOLD)),
        ("ALLOW 1069000112", setting(NUMBER, "1069000112", ALLOW)),
        ("取消白名单 1069000112", taking_back(NUMBER, "1069000112", ALLOW)),
        ("免打扰 22:00-08:00", setting(QUIET, "22:00-08:00", BLOCK)),
        ("免打扰22点30到8点", setting(QUIET, "22:30-08:00", BLOCK)),
        ("免打扰 22~8", setting(QUIET, "22:00-08:00", BLOCK)),
        ("dnd 22:00-08:00", setting(QUIET, "22:00-08:00", BLOCK)),
        ("取消免打扰 22:00-08:00", taking_back(QUIET, "22:00-08:00", BLOCK)),
        ("取消免打扰", PreferenceCommand(Verb.TAKE_BACK)),
        ("我的屏蔽", PreferenceCommand(Verb.SHOW)),
        (" Preferences ", PreferenceCommand(Verb.SHOW)),
    ],
)
def test_a_command_is_understood(text: str, command: PreferenceCommand) -> None:
    assert hub_command_of(text) == command


@pytest.mark.parametrize(
    "text",
    [
        "屏蔽",
        "取消屏蔽",
        "BLOCK",
        "白名单",
        "免打扰",
        "屏蔽 10",
        "屏蔽 ！！",
        "屏蔽 房产 贷款",
        "屏蔽 怎么设置",
        "屏蔽 房产吗？",
        f"屏蔽 {'奖' * (MAX_KEYWORD_CHARS + 1)}",
        "免打扰 24:00-08:00",
        "免打扰 22:00-22:00",
        "免打扰 晚上",
        "取消免打扰 晚上",
    ],
)
def test_what_begins_like_a_command_and_cannot_be_kept_is_unclear(text: str) -> None:
    assert hub_command_of(text) == PreferenceCommand(Verb.UNCLEAR)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "TD",
        "取消",
        "0000",
        "屏蔽不了",
        "屏蔽器多少钱",
        "暂存柜在哪里",
        "我要屏蔽 房产",
        "不要屏蔽 房产",
        "别屏蔽1069000112",
        "取消订阅 房产",
        "取消房产",
        "屏蔽 退订",
        "屏蔽 TD",
        "blocked 95588",
        "blocking loans",
        "unblocked",
        "allowance 1000",
        "免打扰模式怎么开",
        "1069000112",
        "房产",
        f"屏蔽 房产{' ' * MAX_CHARS}",
    ],
)
def test_any_other_text_is_no_command(text: str) -> None:
    assert hub_command_of(text) is None


@pytest.mark.parametrize(
    "word",
    sorted(OPT_OUT | OPT_OUT_ALL | LISTING | RESTORE | HELP | CONFIRM | REFUSE),
)
def test_no_word_of_the_dialogue_is_a_command(word: str) -> None:
    assert hub_command_of(word) is None
    assert hub_command_of(f"回复{word}谢谢") is None


BEGINNINGS = ("屏蔽", "取消屏蔽", "拉黑", "白名单", "免打扰", "BLOCK", "unblock", "我的屏蔽")


@given(st.text() | st.builds(str.__add__, st.sampled_from(BEGINNINGS), st.text(max_size=40)))
def test_any_text_is_a_command_or_none_and_never_both_a_command_and_a_refusal(text: str) -> None:
    command = hub_command_of(text)

    if command is not None:
        assert meaning_of(text).intent is Intent.NONE
    if isinstance(command, PreferenceCommand):
        assert (command.about is not None) or command.verb is not Verb.SET


OBJECTS = st.builds(
    preference,
    st.just(NUMBER),
    st.from_regex(r"[1-9][0-9]{4,15}\*?", fullmatch=True),
    st.just(BLOCK),
) | st.builds(preference, st.just(CATEGORY), st.sampled_from(["loan", "fraud"]), st.just(BLOCK))


@given(OBJECTS)
def test_what_is_blocked_by_a_command_is_taken_back_by_its_counterpart(about: Preference) -> None:
    assert hub_command_of(f"屏蔽 {about.value}") == PreferenceCommand(Verb.SET, about)
    assert hub_command_of(f"取消屏蔽 {about.value}") == PreferenceCommand(Verb.TAKE_BACK, about)
    pending = MoContext(is_pending=True, listed=3)
    assert meaning_of(f"取消屏蔽 {about.value}", pending).intent is Intent.NONE
