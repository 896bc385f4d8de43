"""R50: which of a subscriber's preferences decides, and in which order they are looked at."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import TrafficClass
from gateway.domain.preferences import (
    Preference,
    PreferenceAction,
    PreferenceKind,
    packed,
    preference,
)
from gateway.policy import preferences as module
from gateway.policy.preferences import Preferences

Judge: TypeAlias = Callable[..., Preference | None]

SUBSCRIBER = 8613800138000
ABROAD, AS_MAINLAND = 14155550123, 8614155550123
NOON = datetime(2025, 11, 25, 12)  # noqa: DTZ001 - a subscriber's local time has no zone here
NIGHT = NOON.replace(hour=23)
ALLOW, BLOCK, HOLD = PreferenceAction.ALLOW, PreferenceAction.BLOCK, PreferenceAction.HOLD
COMMERCIAL, SERVICE = TrafficClass.COMMERCIAL, TrafficClass.SERVICE
OTP, PUBLIC = TrafficClass.VERIFICATION, TrafficClass.PUBLIC_INTEREST

ALLOWED = preference(PreferenceKind.NUMBER, "1069000112", ALLOW)
BLOCKED = preference(PreferenceKind.NUMBER, "1069*", BLOCK)
WORD = preference(PreferenceKind.KEYWORD, "开盘", BLOCK)
HOUSES = preference(PreferenceKind.CATEGORY, "real_estate", BLOCK)
ADVERTS = preference(PreferenceKind.CLASS, "commercial", BLOCK)
QUIET = preference(PreferenceKind.QUIET_HOURS, "22:00-08:00", HOLD)
ALL = (QUIET, ADVERTS, HOUSES, WORD, BLOCKED, ALLOWED)


def of(*wishes: Preference) -> Preferences:
    return Preferences([(SUBSCRIBER, packed(wishes))])


def judged(
    preferences: Preferences,
    source: str = "1069000199",
    traffic_class: TrafficClass = COMMERCIAL,
    categories: Sequence[str] = ("real_estate",),
    text: str = "江景新房盛大开盘",
    local: datetime = NIGHT,
) -> Preference | None:
    return preferences.judge(SUBSCRIBER, source, traffic_class, categories, text, lambda _: local)


def test_r50_a_blocked_category_does_not_reach_the_subscriber() -> None:
    preferences = of(HOUSES, ALLOWED)

    assert judged(preferences, source="1069000199") == HOUSES


def test_r50_a_number_that_is_allowed_gets_through_all_the_same() -> None:
    preferences = of(HOUSES, ALLOWED)

    assert judged(preferences, source="1069000112") == ALLOWED


def test_r50_a_verification_code_with_a_blocked_keyword_is_delivered() -> None:
    assert judged(of(WORD, HOUSES, ADVERTS, QUIET), traffic_class=OTP) is None


def test_r50_a_verification_code_from_a_blocked_sender_is_not() -> None:
    assert judged(of(WORD, BLOCKED), traffic_class=OTP) == BLOCKED


@pytest.mark.parametrize(
    ("wishes", "changes", "decides"),
    [
        # Each row takes away what decided the row before.
        (ALL, {"source": "1069000112"}, ALLOWED),
        (ALL, {"source": "1069000112", "traffic_class": PUBLIC}, ALLOWED),
        (ALL, {"traffic_class": PUBLIC}, None),
        (ALL, {}, BLOCKED),
        (ALL, {"traffic_class": OTP}, BLOCKED),
        (ALL, {"traffic_class": OTP, "source": "95588"}, None),
        (ALL, {"source": "95588"}, WORD),
        (ALL, {"source": "95588", "text": "江景新房"}, HOUSES),
        (ALL, {"source": "95588", "text": "", "categories": ()}, ADVERTS),
        (ALL, {"source": "95588", "text": "", "categories": (), "traffic_class": SERVICE}, QUIET),
        (
            ALL,
            {
                "source": "95588",
                "text": "",
                "categories": (),
                "traffic_class": SERVICE,
                "local": NOON,
            },
            None,
        ),
    ],
)
def test_r50_the_kinds_are_looked_at_in_their_order(
    wishes: tuple[Preference, ...], changes: dict[str, object], decides: Preference | None
) -> None:
    assert judged(of(*wishes), **changes) == decides  # type: ignore[arg-type]


def test_within_a_kind_the_subscribers_own_order_decides() -> None:
    kept = preference(PreferenceKind.KEYWORD, "江景", ALLOW)

    assert judged(of(kept, WORD)) == kept
    assert judged(of(WORD, kept)) == WORD


def test_the_same_question_gets_the_same_answer_again() -> None:
    preferences = of(WORD)

    assert judged(preferences) == judged(preferences) == WORD


def test_an_allowed_keyword_goes_before_a_blocked_category() -> None:
    kept = preference(PreferenceKind.KEYWORD, "江景", ALLOW)

    assert judged(of(HOUSES, kept)) == kept


@pytest.mark.parametrize(
    ("value", "source", "fits"),
    [
        ("1069000112", "1069000112", True),
        ("1069000112", "861069000112", True),
        ("1069000112", "10690001121", False),
        ("1069000112", "106900011", False),
        ("1069*", "1069000112", True),
        ("1069*", "+861069000112", True),
        ("1069*", "1068000112", False),
        ("13800138000", "8613800138000", True),
        ("1069*", "LOANCO", False),
    ],
)
def test_a_number_is_meant_exactly_or_as_a_beginning(
    value: str, source: str, *, fits: bool
) -> None:
    wish = preference(PreferenceKind.NUMBER, value, BLOCK)

    assert (judged(of(wish), source=source) == wish) is fits


@pytest.mark.parametrize(
    ("keyword", "text", "fits"),
    [
        ("开盘", "盛大开 . 盘", True),
        ("开盘", "盛大開盤", True),
        ("開盤", "盛大开盘", True),
        ("开盘", "开始盘点", False),
        ("loan", "Quick LOAN today", True),
        ("loan", "快速loan办理", True),
        ("loan", "reloaned", False),
        ("free money", "FREE   money", True),
    ],
)
def test_a_keyword_is_found_however_it_is_disguised(keyword: str, text: str, *, fits: bool) -> None:
    wish = preference(PreferenceKind.KEYWORD, keyword, BLOCK)

    assert (judged(of(wish), text=text) == wish) is fits


@pytest.mark.parametrize(
    ("blocked", "found", "fits"),
    [
        ("fraud", ("fraud_prize",), True),
        ("illegal", ("lure", "fraud_prize"), True),
        ("real_estate", ("房产中介",), True),
        ("fraud_prize", ("fraud",), False),
        ("loan", ("lure",), False),
    ],
)
def test_a_category_holds_all_below_it(blocked: str, found: Sequence[str], *, fits: bool) -> None:
    wish = preference(PreferenceKind.CATEGORY, blocked, BLOCK)

    assert (judged(of(wish), categories=found) == wish) is fits


def test_a_subscriber_without_preferences_gets_everything() -> None:
    preferences = of(*ALL)

    assert SUBSCRIBER in preferences
    assert SUBSCRIBER + 1 not in preferences
    assert (
        preferences.judge(SUBSCRIBER + 1, "1069000199", COMMERCIAL, (), "", lambda _: NIGHT) is None
    )


def test_the_last_preferences_applied_hold() -> None:
    preferences = of(HOUSES)

    preferences.apply(SUBSCRIBER, packed((QUIET,)))
    later = judged(preferences)
    preferences.apply(SUBSCRIBER, "")
    preferences.apply(SUBSCRIBER, "")

    assert later == QUIET
    assert judged(preferences) is None
    assert len(preferences) == 0


def test_a_fresh_table_takes_the_place_of_the_old_one() -> None:
    preferences = Preferences([(SUBSCRIBER, packed((HOUSES,))), (ABROAD, packed((HOUSES,)))])

    preferences.replace(Preferences([(SUBSCRIBER + 1, packed((QUIET,)))]))

    assert judged(preferences) is None
    assert SUBSCRIBER + 1 in preferences
    assert preferences.readings_of(AS_MAINLAND) == ()


@pytest.mark.parametrize(
    ("kept", "meant", "found"),
    [
        ((ABROAD,), ABROAD, (ABROAD,)),
        ((ABROAD,), AS_MAINLAND, (ABROAD,)),
        ((AS_MAINLAND,), ABROAD, (AS_MAINLAND,)),
        ((ABROAD, AS_MAINLAND), ABROAD, (ABROAD, AS_MAINLAND)),
        ((ABROAD, AS_MAINLAND), AS_MAINLAND, (AS_MAINLAND, ABROAD)),
        ((SUBSCRIBER,), SUBSCRIBER, (SUBSCRIBER,)),
        ((SUBSCRIBER, ABROAD), SUBSCRIBER + 1, ()),
        ((AS_MAINLAND,), 447700900123, ()),
    ],
)
def test_r50_a_number_is_looked_up_as_whom_its_digits_may_be_too_itself_first(
    kept: tuple[int, ...], meant: int, found: tuple[int, ...]
) -> None:
    preferences = Preferences((one, packed((HOUSES,))) for one in kept)

    assert preferences.readings_of(meant) == found


@pytest.mark.parametrize("order", [(ABROAD, AS_MAINLAND), (AS_MAINLAND, ABROAD)])
def test_whose_preferences_have_gone_is_not_found_by_others_any_more(
    order: tuple[int, int],
) -> None:
    preferences = Preferences((one, packed((HOUSES,))) for one in order)

    preferences.apply(ABROAD, "")
    left = preferences.readings_of(AS_MAINLAND), preferences.readings_of(ABROAD)
    preferences.apply(AS_MAINLAND, "")

    assert left == ((AS_MAINLAND,), (AS_MAINLAND,))
    assert preferences.readings_of(AS_MAINLAND) == preferences.readings_of(ABROAD) == ()
    assert (len(preferences), preferences.misread) == (0, {})


def test_equal_preferences_of_many_subscribers_are_kept_once() -> None:
    preferences = Preferences((SUBSCRIBER + place, packed(ALL)) for place in range(1_000))

    assert len({id(octets) for octets in preferences.packed.values()}) == 1


def test_what_is_shared_and_what_is_compiled_stays_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MAX_SHARED", 3)
    monkeypatch.setattr(module, "_MAX_COMPILED", 2)
    wishes = [preference(PreferenceKind.NUMBER, str(95500 + place), BLOCK) for place in range(10)]
    preferences = Preferences(
        (SUBSCRIBER + place, packed((wish,))) for place, wish in enumerate(wishes)
    )

    decided = [
        preferences.judge(SUBSCRIBER + place, wish.value, COMMERCIAL, (), "", lambda _: NOON)
        for place, wish in enumerate(wishes)
    ]

    assert decided == wishes
    assert len(preferences.shared) == 3


def test_no_index_is_compiled_for_words_that_the_text_has_no_letters_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fifty words of a subscriber took 2 ms of every message to it."""
    monkeypatch.setattr(module, "KeywordIndex", lambda _: pytest.fail("compiled"))
    words = [preference(PreferenceKind.KEYWORD, f"词{place}", BLOCK) for place in range(50)]

    assert judged(of(*words), text="您的包裹已到") is None


@given(
    st.lists(st.sampled_from(ALL), unique=True),
    st.sampled_from(TrafficClass),
    st.text(),
    st.text(max_size=21),
    st.lists(st.text()),
)
def test_whatever_comes_one_of_the_subscribers_own_wishes_decides_or_none(
    wishes: list[Preference],
    traffic_class: TrafficClass,
    text: str,
    source: str,
    categories: list[str],
) -> None:
    decides = judged(of(*wishes), source, traffic_class, categories, text)

    assert decides is None or decides in wishes
