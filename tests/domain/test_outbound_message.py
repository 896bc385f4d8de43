"""Outbound messages are single messages, and tell nobody what they say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.outbound_message import MAX_CHARS, NewOutboundMessage, OutboundKind

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
