"""Preferences have one normal form, bounds, and come back whole from the form they are kept in."""

from datetime import time
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.preferences import (
    MAX_PREFERENCES,
    Preference,
    PreferenceAction,
    PreferenceError,
    PreferenceKind,
    hours_of,
    is_quiet,
    packed,
    preference,
    sender_number,
    unpacked,
    with_preference,
    without_preference,
)

Kind: TypeAlias = PreferenceKind
ALLOW, BLOCK, HOLD = PreferenceAction.ALLOW, PreferenceAction.BLOCK, PreferenceAction.HOLD


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (Kind.NUMBER, "1069000112", "1069000112"),
        (Kind.NUMBER, " 1069 0001 12 ", "1069000112"),
        (Kind.NUMBER, "+86 1069*", "1069*"),
        (Kind.NUMBER, "8613800138000", "13800138000"),
        (Kind.NUMBER, "00861069", "1069"),
        (Kind.NUMBER, "110", "110"),
        (Kind.NUMBER, "1" * 20, "1" * 20),
        (Kind.KEYWORD, "  免费  领取 ", "免费 领取"),
        (Kind.KEYWORD, "奖" * 20, "奖" * 20),
        (Kind.CATEGORY, "房产", "real_estate"),
        (Kind.CLASS, "Commercial", "commercial"),
        (Kind.CLASS, "service", "service"),
        (Kind.QUIET_HOURS, "22:00 - 8:00", "22:00-08:00"),
        (Kind.QUIET_HOURS, "00：30-23:59", "00:30-23:59"),
    ],
)
def test_what_people_write_is_brought_to_one_form(
    kind: PreferenceKind, written: str, value: str
) -> None:
    wanted = preference(kind, written, BLOCK)

    assert wanted == Preference(kind, value, BLOCK)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Kind.NUMBER, "10"),
        (Kind.NUMBER, "1" * 21),
        (Kind.NUMBER, "*"),
        (Kind.NUMBER, "10*69"),
        (Kind.NUMBER, "１０６９"),
        (Kind.NUMBER, "INFO"),
        (Kind.NUMBER, "0000123"),
        (Kind.KEYWORD, ""),
        (Kind.KEYWORD, " "),
        (Kind.KEYWORD, "奖" * 21),
        (Kind.KEYWORD, "！！"),
        (Kind.KEYWORD, "奖\u200b品"),
        (Kind.CATEGORY, "天气"),
        (Kind.CLASS, "verification"),
        (Kind.CLASS, "public_interest"),
        (Kind.QUIET_HOURS, "22:00"),
        (Kind.QUIET_HOURS, "24:00-08:00"),
        (Kind.QUIET_HOURS, "22:60-08:00"),
        (Kind.QUIET_HOURS, "22:00-22:00"),
    ],
)
def test_what_cannot_be_kept_is_refused(kind: PreferenceKind, written: str) -> None:
    with pytest.raises(PreferenceError):
        preference(kind, written, BLOCK)


@pytest.mark.parametrize("kind", PreferenceKind)
def test_a_refusal_does_not_repeat_what_the_subscriber_wrote(kind: PreferenceKind) -> None:
    written = "13800138000 secret \u200b hidden"

    with pytest.raises(PreferenceError) as refused:
        preference(kind, written, BLOCK)

    assert not any(word in str(refused.value) for word in written.split())


def test_a_value_out_of_its_normal_form_is_no_preference() -> None:
    with pytest.raises(PreferenceError):
        Preference(Kind.CATEGORY, "房产", BLOCK)


def test_quiet_hours_allow_nothing() -> None:
    with pytest.raises(PreferenceError):
        preference(Kind.QUIET_HOURS, "22:00-08:00", ALLOW)


LOAN = preference(Kind.CATEGORY, "loan", BLOCK)
PORT = preference(Kind.NUMBER, "1069*", BLOCK)


def test_a_new_wish_stands_behind_the_others() -> None:
    assert with_preference((LOAN,), PORT) == (LOAN, PORT)
    assert with_preference((LOAN, PORT), LOAN) == (LOAN, PORT)


def test_the_later_wish_about_the_same_thing_takes_the_place_of_the_earlier() -> None:
    held = preference(Kind.CATEGORY, "loan", HOLD)

    assert with_preference((LOAN, PORT), held) == (held, PORT)


def test_a_subscriber_has_at_most_fifty_preferences() -> None:
    full = tuple(
        preference(Kind.NUMBER, str(1069000 + place), BLOCK) for place in range(MAX_PREFERENCES)
    )

    with pytest.raises(PreferenceError):
        with_preference(full, LOAN)

    changed = preference(full[7].kind, full[7].value, ALLOW)
    assert len(with_preference(full, changed)) == MAX_PREFERENCES


def test_what_is_taken_back_is_gone_and_the_rest_stays() -> None:
    assert without_preference((LOAN, PORT), Kind.CATEGORY, "loan") == (PORT,)
    assert without_preference((LOAN, PORT), Kind.NUMBER, "1069") == (LOAN, PORT)


KEPT = st.builds(
    preference,
    st.just(Kind.NUMBER),
    st.from_regex(r"[1-9][0-9]{5,18}\*?", fullmatch=True),
    st.sampled_from(PreferenceAction),
) | st.builds(
    preference,
    st.just(Kind.KEYWORD),
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20),
    st.sampled_from(PreferenceAction),
)


@given(st.lists(KEPT, max_size=10))
def test_what_is_packed_comes_back(kept: list[Preference]) -> None:
    assert unpacked(packed(tuple(kept))) == tuple(kept)


@given(st.text() | st.text(alphabet="nkctqabh0123456789*:-\n"))
def test_any_text_unpacks_to_preferences_in_normal_form(text: str) -> None:
    found = unpacked(text)

    assert unpacked(packed(found)) == found


def test_a_line_of_another_version_is_left_out() -> None:
    assert unpacked("cbloan\nzbfuture\nnx106\ncbno_such_category\nnb106") == (
        LOAN,
        preference(Kind.NUMBER, "106", BLOCK),
    )


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("+8613800138000", "13800138000"),
        ("008613800138000", "13800138000"),
        ("8610690001", "10690001"),
        ("10690001", "10690001"),
        ("86", "86"),
        ("95588", "95588"),
        ("447700900000", "447700900000"),
        ("LOANCO", ""),
        ("", ""),
        ("١٢٣", ""),
    ],
)
def test_one_sender_has_one_number_however_it_is_written(address: str, number: str) -> None:
    assert sender_number(address) == number


@given(st.text(alphabet="+0123456789", max_size=20))
def test_a_number_in_normal_form_stays_as_it_is(address: str) -> None:
    number = sender_number(address)

    assert sender_number(number) == number


@pytest.mark.parametrize(
    ("hours", "at", "quiet"),
    [
        ("22:00-08:00", "21:59", False),
        ("22:00-08:00", "22:00", True),
        ("22:00-08:00", "00:00", True),
        ("22:00-08:00", "07:59", True),
        ("22:00-08:00", "08:00", False),
        ("12:00-14:00", "11:59", False),
        ("12:00-14:00", "12:00", True),
        ("12:00-14:00", "14:00", False),
    ],
)
def test_quiet_hours_begin_at_their_start_and_are_over_at_their_end(
    hours: str, at: str, *, quiet: bool
) -> None:
    assert is_quiet(time.fromisoformat(at), *hours_of(hours)) is quiet
