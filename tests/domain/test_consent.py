"""What subscribers said."""

from dataclasses import replace
from datetime import UTC, datetime

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
    assert [answer.value for answer in Answer] == ["agreed", "refused"]
