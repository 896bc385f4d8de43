"""What subscribers said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer

REFUSAL = ConsentAnswer(
    msisdn=8613800138000,
    scope="sp1",
    answer=Answer.REFUSED,
    since=datetime(2013, 11, 1, tzinfo=UTC),
    channel="sms",
)


def test_the_same_answer_given_twice_is_one_answer() -> None:
    assert len({REFUSAL, replace(REFUSAL)}) == 1


def test_an_answer_to_all_senders_is_another_than_to_one() -> None:
    assert replace(REFUSAL, scope=EVERY_SENDER) != REFUSAL


def test_answers_are_stored_by_lower_case_words() -> None:
    assert [answer.value for answer in Answer] == ["agreed", "refused", "asserted"]


LATER = REFUSAL.since + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("answer", "since", "other", "holds"),
    [
        (Answer.AGREED, LATER, Answer.REFUSED, True),
        (Answer.AGREED, REFUSAL.since, Answer.REFUSED, False),
        (Answer.REFUSED, REFUSAL.since, Answer.AGREED, True),
        (Answer.ASSERTED, LATER, Answer.REFUSED, False),
        (Answer.ASSERTED, LATER, Answer.AGREED, False),
        (Answer.ASSERTED, LATER, Answer.ASSERTED, True),
        (Answer.AGREED, REFUSAL.since - timedelta(days=1), Answer.ASSERTED, True),
    ],
)
def test_r37_the_later_word_holds_but_an_assertion_over_nothing_that_was_said(
    answer: Answer, since: datetime, other: Answer, *, holds: bool
) -> None:
    new = replace(REFUSAL, answer=answer, since=since)

    assert new.holds_over(replace(REFUSAL, answer=other)) is holds
