"""Outbound messages are single messages, and tell nobody what they say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.outbound_message import (
    MAX_CHARS,
    NewOutboundMessage,
    OutboundKind,
    chars_of,
    filled,
)

NOON = datetime(2013, 9, 25, 12, tzinfo=UTC)


def outbound(text: str) -> NewOutboundMessage:
    return NewOutboundMessage("10086", 8613800138000, text, OutboundKind.CODE, "r", NOON, NOON)


@pytest.mark.parametrize("text", ["", "字" * (MAX_CHARS + 1), "😀" * (MAX_CHARS // 2 + 1)])
def test_what_is_no_single_message_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 70 characters"):
        outbound(text)


@pytest.mark.parametrize("text", ["1", "字" * MAX_CHARS, "😀" * (MAX_CHARS // 2)])
def test_a_single_message_is_one(text: str) -> None:
    assert outbound(text).text == text


def test_a_text_shows_in_no_repr() -> None:
    assert "482913" not in repr(outbound("482913"))


def test_an_outbound_message_is_due_at_once_unless_it_has_to_wait() -> None:
    later = NOON + timedelta(hours=1)

    assert outbound("1").due_at == NOON
    assert replace(outbound("1"), not_before=later).due_at == later


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        ("春晓书店", "春晓书店：回复 TD 退订"),
        ("字" * 70, "字" * 61 + "：回复 TD 退订"),
        ("😀" * 70, "😀" * 30 + "：回复 TD 退订"),  # a half is not told
        ("一" + "😀" * 70, "一" + "😀" * 30 + "：回复 TD 退订"),
        ("", "：回复 TD 退订"),
    ],
)
def test_the_name_of_a_sender_is_cut_so_that_its_text_is_a_single_message(
    sender: str, told: str
) -> None:
    text = filled("{sender}：回复 {orders} 退订", sender, "TD")

    assert text == told
    assert chars_of(text) <= MAX_CHARS
    assert outbound(text).text == told


def test_of_a_text_that_is_too_long_itself_the_whole_name_is_cut() -> None:
    assert filled("字" * 71 + "{sender}", "春晓书店") == "字" * 71
