"""What subscribers said."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.consent import (
    EVERY_SENDER,
    FIRST,
    Answer,
    ConsentAnswer,
    ScopeParts,
    bounded,
    bounds_of_parts,
    day_of,
    end_of,
    end_said,
    parts_of,
    scope_of,
    stands_against,
)

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


def test_r20_an_agreement_that_was_given_for_a_time_is_none_from_its_end_on() -> None:
    end = REFUSAL.since + timedelta(days=1)
    agreed = replace(REFUSAL, answer=Answer.AGREED, until=end)

    assert agreed.standing(end - timedelta(microseconds=1)) is Answer.AGREED
    assert agreed.standing(end) is None
    assert replace(agreed, until=None).standing(end) is Answer.AGREED


def test_an_agreement_is_good_through_its_last_day_in_china() -> None:
    assert end_of(date(2035, 12, 31)) == datetime(2035, 12, 31, 16, tzinfo=UTC)
    assert end_said("2035-12-31") == end_of(date(2035, 12, 31))
    assert end_said("2035-12-31T12:00:00-05:00") == datetime(2035, 12, 31, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "2035", "2035-13-01", "2035-12-31T12:00:00", "明年十二月三十一日"]
)
def test_an_end_that_is_neither_a_day_nor_a_time_with_its_offset_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of the standard library, and of its wording
        end_said(text)


@given(st.dates())
def test_no_last_day_is_too_far_away_to_be_kept(day: date) -> None:
    end = end_of(day)

    assert FIRST <= end <= datetime(9999, 12, 31, tzinfo=UTC)
    assert bounded(end) == end


@given(st.datetimes(timezones=st.timezones()))
def test_no_end_is_too_far_away_to_be_kept(moment: datetime) -> None:
    assert FIRST <= bounded(moment) <= datetime(9999, 12, 31, tzinfo=UTC)


def test_a_day_begins_when_it_begins_in_china() -> None:
    assert day_of(datetime(2035, 12, 30, 15, 59, tzinfo=UTC)) == date(2035, 12, 30)
    assert day_of(datetime(2035, 12, 30, 16, tzinfo=UTC)) == date(2035, 12, 31)


NORTH_AMERICAN = 14165550123
READ_AS = replace(REFUSAL, msisdn=8614165550123)


@pytest.mark.parametrize(
    ("own", "stands"),
    [
        (None, True),
        (replace(REFUSAL, answer=Answer.AGREED), True),  # at the same moment the refusal holds
        (replace(REFUSAL, answer=Answer.AGREED, since=LATER), False),
        (replace(REFUSAL, answer=Answer.ASSERTED, since=LATER), True),
        (replace(REFUSAL, since=LATER), True),
    ],
)
def test_a_refusal_by_whom_a_number_is_read_as_stands_unless_the_number_agreed_later(
    own: ConsentAnswer | None, *, stands: bool
) -> None:
    own = own and replace(own, msisdn=NORTH_AMERICAN)

    assert stands_against(READ_AS, NORTH_AMERICAN, own) is stands
    assert not stands_against(replace(READ_AS, answer=Answer.AGREED), NORTH_AMERICAN, own)


def test_the_refusal_of_a_number_itself_stands_as_long_as_it_is_there() -> None:
    agreed = replace(REFUSAL, answer=Answer.AGREED, since=LATER)

    assert stands_against(REFUSAL, REFUSAL.msisdn, agreed)


@pytest.mark.parametrize(
    ("scope", "parts", "is_part"),
    [
        ("sp1", ScopeParts("sp1"), False),
        ("sp1 10690001", ScopeParts("sp1", port="10690001"), True),
        ("sp1 #loan", ScopeParts("sp1", category="loan"), True),
    ],
)
def test_a_scope_is_an_sp_or_one_of_its_ports_or_categories(
    scope: str, parts: ScopeParts, *, is_part: bool
) -> None:
    assert parts_of(scope) == parts
    assert scope_of(*parts) == scope
    assert parts.is_part is is_part


@pytest.mark.parametrize(
    "other", ["sp", "sp1", "sp10", "sp10 1069", "sp1!", "sp2 1069", "SP1 1069"]
)
def test_between_the_bounds_are_the_parts_of_one_sp_alone(other: str) -> None:
    first, past = bounds_of_parts("sp1")

    assert all(first <= scope_of("sp1", *part) < past for part in (("1069",), ("", "loan")))
    assert not first <= other < past
