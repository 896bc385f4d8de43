"""Errands are single messages, and tell nobody what they say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.errand import ErrandKind, NewErrand
from gateway.domain.short_texts import MAX_CHARS

NOON = datetime(2013, 9, 25, 12, tzinfo=UTC)


def errand(text: str) -> NewErrand:
    return NewErrand("10086", 8613800138000, text, ErrandKind.CODE, "r", NOON, NOON)


@pytest.mark.parametrize("text", ["", "字" * (MAX_CHARS + 1), "😀" * (MAX_CHARS // 2 + 1)])
def test_what_is_no_single_message_is_no_errand(text: str) -> None:
    with pytest.raises(ValueError, match="one message"):
        errand(text)


@pytest.mark.parametrize("text", ["1", "字" * MAX_CHARS, "😀" * (MAX_CHARS // 2)])
def test_a_single_message_is_one(text: str) -> None:
    assert errand(text).text == text


def test_a_text_shows_in_no_repr() -> None:
    assert "482913" not in repr(errand("482913"))


def test_an_errand_is_due_at_once_unless_it_has_to_wait() -> None:
    later = NOON + timedelta(hours=1)

    assert errand("1").due_at == NOON
    assert replace(errand("1"), not_before=later).due_at == later
