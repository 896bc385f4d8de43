"""Commands about held messages are understood, and nothing else is taken for one (R50)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.hub_words import (
    MAX_CHARS,
    HoldCommand,
    HoldVerb,
    PreferenceCommand,
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

LIST = HoldCommand(HoldVerb.LIST)
ANYTHING_BEFORE = MoContext(is_pending=True, listed=9_999)


def release(*items: int) -> HoldCommand:
    return HoldCommand(HoldVerb.RELEASE, items)


def discard(*items: int) -> HoldCommand:
    return HoldCommand(HoldVerb.DISCARD, items)


# What is understood, and that no other reading of the same words is in its way.
VECTORS = [
    ("查拦截", LIST),
    ("查攔截。", LIST),
    ("查询 拦截", LIST),
    ("LJ", LIST),
    ("ｌｊ", LIST),
    ("放行 1,3", release(1, 3)),
    ("放行1、3", release(1, 3)),
    ("放行：１，３", release(1, 3)),
    ("放行 3 1 3", release(1, 3)),
    ("放行第1条", release(1)),
    ("请放行1和2", release(1, 2)),
    ("回复放行1", release(1)),
    ("FX 1", release(1)),
    ("fx1", release(1)),
    ("删除 2", discard(2)),
    ("刪除2", discard(2)),
    ("SC2,4", discard(2, 4)),
    ("放行0", release(0)),
]
UNCLEAR = [
    ("放行", release()),
    ("FX", release()),
    ("删除", discard()),
    ("放行 1-3", release()),
    ("放行 10690001", release()),
]


@pytest.mark.parametrize(("text", "command"), [*VECTORS, *UNCLEAR])
def test_r50_a_command_is_understood_and_means_nothing_else(
    text: str, command: HoldCommand
) -> None:
    assert hub_command_of(text) == command
    assert meaning_of(text, ANYTHING_BEFORE).intent is Intent.NONE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,3",
        "拦截",
        "查拦截怎么用",
        "谁拦截了我的短信",
        "放行条怎么开",
        "放行吧师傅",
        "请问车辆什么时候放行 1号门吗",
        "我要放行 1",
        "不要放行1",
        "放行1吗",
        "删除我的号码",
        "删除订单2",
        "FXX1",
        "scan 2",
        "LJX",
        "TD",
        "0000",
        "QX2",
        f"放行 1{' ' * MAX_CHARS}",
    ],
)
def test_any_other_text_is_no_command(text: str) -> None:
    assert hub_command_of(text) is None


def test_what_takes_a_preference_back_drops_no_message() -> None:
    assert isinstance(hub_command_of("删除屏蔽 房产"), PreferenceCommand)
    assert hub_command_of("你好") is None


@pytest.mark.parametrize(
    "word",
    sorted(OPT_OUT | OPT_OUT_ALL | LISTING | RESTORE | HELP | CONFIRM | REFUSE),
)
def test_no_word_of_the_dialogue_is_a_command(word: str) -> None:
    assert hub_command_of(word) is None
    assert hub_command_of(f"回复{word}谢谢") is None


BEGINNINGS = ("查拦截", "放行", "删除", "FX", "SC", "LJ", "请放行 ")


@given(st.text() | st.builds(str.__add__, st.sampled_from(BEGINNINGS), st.text(max_size=40)))
def test_any_text_is_a_command_or_none_and_never_both_a_command_and_a_refusal(text: str) -> None:
    command = hub_command_of(text)

    if command is not None:
        assert meaning_of(text).intent is Intent.NONE
    if isinstance(command, HoldCommand):
        assert list(command.items) == sorted(set(command.items))


@given(st.lists(st.integers(0, 9_999), min_size=1, max_size=8), st.sampled_from(",、 ，;"))
def test_numbers_come_back_however_they_are_set_apart(items: list[int], between: str) -> None:
    said = between.join(map(str, items))

    assert hub_command_of(f"放行 {said}") == release(*sorted(set(items)))
