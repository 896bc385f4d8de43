"""Who is refused and who has agreed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.policy import knowledge
from gateway.policy.knowledge import ConsentSets

SUBSCRIBER = 8613800138000
OTHER = 8613900139000
NORTH_AMERICAN, READ_AS = 14165550123, 8614165550123


def test_a_subscriber_who_never_answered_neither_refused_nor_agreed() -> None:
    sets = ConsentSets()

    assert not sets.is_refused("sp1", SUBSCRIBER)
    assert not sets.has_agreed("sp1", SUBSCRIBER)


def test_a_refusal_holds_for_the_sender_it_was_given_to() -> None:
    sets = ConsentSets()

    sets.apply(SUBSCRIBER, "sp1", Answer.REFUSED)

    assert sets.is_refused("sp1", SUBSCRIBER)
    assert not sets.is_refused("sp2", SUBSCRIBER)
    assert not sets.is_refused("sp1", OTHER)


def test_what_is_heard_before_the_store_has_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge, "_MAX_HEARD", 1)
    sets = ConsentSets()

    for number in (SUBSCRIBER, OTHER):
        sets.apply(number, "sp1", Answer.REFUSED)

    assert list(sets.heard) == [("sp1", SUBSCRIBER)]
    assert sets.is_refused("sp1", OTHER)


def test_a_refusal_of_every_sender_holds_for_all_of_them() -> None:
    sets = ConsentSets()

    sets.apply(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED)

    assert sets.is_refused("sp1", SUBSCRIBER)
    assert sets.is_refused("sp2", SUBSCRIBER)


def test_the_last_answer_to_a_sender_holds() -> None:
    sets = ConsentSets()

    sets.apply(SUBSCRIBER, "sp1", Answer.REFUSED)
    sets.apply(SUBSCRIBER, "sp1", Answer.AGREED)

    assert not sets.is_refused("sp1", SUBSCRIBER)
    assert sets.has_agreed("sp1", SUBSCRIBER)

    sets.apply(SUBSCRIBER, "sp1", Answer.REFUSED)

    assert sets.is_refused("sp1", SUBSCRIBER)
    assert not sets.has_agreed("sp1", SUBSCRIBER)


@pytest.mark.parametrize("scope", ["sp1", EVERY_SENDER])
def test_a_north_american_number_is_refused_where_whom_it_is_read_as_refused(scope: str) -> None:
    sets = ConsentSets()

    sets.apply(READ_AS, scope, Answer.REFUSED)

    assert sets.is_refused("sp1", NORTH_AMERICAN)
    assert not sets.is_refused("sp1", NORTH_AMERICAN + 1)
    assert sets.is_refused("sp2", NORTH_AMERICAN) is (scope == EVERY_SENDER)


def test_what_a_north_american_number_agreed_to_itself_counts_over_that() -> None:
    sets = ConsentSets()

    sets.apply(READ_AS, "sp1", Answer.REFUSED)
    sets.apply(NORTH_AMERICAN, "sp1", Answer.AGREED)
    sets.apply(NORTH_AMERICAN, "sp2", Answer.AGREED)
    sets.apply(READ_AS, "sp2", Answer.ASSERTED)

    assert not sets.is_refused("sp1", NORTH_AMERICAN)
    assert sets.is_refused("sp1", READ_AS)
    assert not sets.is_refused("sp2", NORTH_AMERICAN)


def test_agreeing_with_one_sender_does_not_lift_a_refusal_of_all() -> None:
    sets = ConsentSets()

    sets.apply(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED)
    sets.apply(SUBSCRIBER, "sp1", Answer.AGREED)

    assert sets.is_refused("sp1", SUBSCRIBER)


def test_agreeing_with_every_sender_lifts_a_refusal_and_is_nobodys_consent() -> None:
    sets = ConsentSets()

    sets.apply(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED)
    sets.apply(SUBSCRIBER, EVERY_SENDER, Answer.AGREED)

    assert not sets.is_refused("sp1", SUBSCRIBER)
    assert not sets.has_agreed("sp1", SUBSCRIBER)


def test_r26_what_an_sp_asserts_counts_only_where_the_policy_accepts_that() -> None:
    sets = ConsentSets()

    sets.apply(SUBSCRIBER, "sp1", Answer.ASSERTED)

    assert not sets.has_agreed("sp1", SUBSCRIBER, accept_asserted=False)
    assert sets.has_agreed("sp1", SUBSCRIBER, accept_asserted=True)
    assert not sets.has_agreed("sp2", SUBSCRIBER, accept_asserted=True)
    assert not sets.is_refused("sp1", SUBSCRIBER)


def test_r26_a_proof_takes_the_place_of_an_assertion() -> None:
    sets = ConsentSets()

    sets.apply(SUBSCRIBER, "sp1", Answer.ASSERTED)
    sets.apply(SUBSCRIBER, "sp1", Answer.AGREED)

    assert sets.has_agreed("sp1", SUBSCRIBER, accept_asserted=False)
    assert SUBSCRIBER not in sets.asserted["sp1"]


@pytest.mark.parametrize("answer", [Answer.AGREED, Answer.ASSERTED])
def test_an_agreement_that_ends_is_no_consent_any_more(answer: Answer) -> None:
    sets = ConsentSets()
    sets.load("sp1", answer, [SUBSCRIBER, OTHER])
    sets.apply(SUBSCRIBER, "sp2", answer)

    sets.end("sp1", [SUBSCRIBER])

    assert [sets.has_agreed("sp1", one, accept_asserted=True) for one in (SUBSCRIBER, OTHER)] == [
        False,
        True,
    ]
    assert sets.has_agreed("sp2", SUBSCRIBER, accept_asserted=True)
    assert not sets.is_refused("sp1", SUBSCRIBER)


def test_a_refusal_that_came_before_an_agreement_ended_stays() -> None:
    sets = ConsentSets()
    sets.apply(SUBSCRIBER, "sp1", Answer.AGREED)
    sets.apply(SUBSCRIBER, "sp1", Answer.REFUSED)

    sets.end("sp1", [SUBSCRIBER])

    assert sets.is_refused("sp1", SUBSCRIBER)


def test_r24_a_running_order_is_consent_to_its_sp_while_it_runs() -> None:
    sets = ConsentSets()

    sets.subscribe("sp1", [SUBSCRIBER])

    assert sets.has_agreed("sp1", SUBSCRIBER)
    assert not sets.has_agreed("sp1", OTHER)
    assert not sets.has_agreed("sp2", SUBSCRIBER)

    sets.unsubscribe("sp1", [SUBSCRIBER, OTHER])
    sets.unsubscribe("sp2", [SUBSCRIBER])

    assert not sets.has_agreed("sp1", SUBSCRIBER)


def test_no_set_is_made_before_it_holds_a_number() -> None:
    sets = ConsentSets()

    sets.apply(SUBSCRIBER, "sp1", Answer.REFUSED)

    assert (sets.agreed, sets.asserted, sets.subscribed) == ({}, {}, {})


def test_a_fresh_load_replaces_every_answer() -> None:
    sets, fresh = ConsentSets(), ConsentSets()
    sets.apply(SUBSCRIBER, "sp1", Answer.REFUSED)
    fresh.load("sp1", Answer.AGREED, [OTHER])
    fresh.load("sp2", Answer.ASSERTED, [OTHER])
    fresh.subscribe("sp3", [OTHER])

    sets.replace(fresh)

    assert not sets.is_refused("sp1", SUBSCRIBER)
    assert sets.has_agreed("sp1", OTHER)
    assert sets.has_agreed("sp2", OTHER, accept_asserted=True)
    assert sets.has_agreed("sp3", OTHER)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5),
            st.sampled_from(["sp1", "sp2", EVERY_SENDER]),
            st.sampled_from(Answer),
        ),
        max_size=40,
    )
)
def test_one_by_one_or_in_bulk_the_last_answers_are_the_same(
    answers: list[tuple[int, str, Answer]],
) -> None:
    singly, in_bulk = ConsentSets(), ConsentSets()
    last = {(number, scope): answer for number, scope, answer in answers}

    for number, scope, answer in answers:
        singly.apply(number, scope, answer)
    for (number, scope), answer in last.items():
        in_bulk.load(scope, answer, [number])

    for number in range(1, 6):
        for scope in ("sp1", "sp2"):
            assert singly.is_refused(scope, number) == in_bulk.is_refused(scope, number)
            assert singly.is_refused(scope, number) == (
                Answer.REFUSED in (last.get((number, scope)), last.get((number, EVERY_SENDER)))
            )
            assert singly.has_agreed(scope, number) == (last.get((number, scope)) is Answer.AGREED)
            assert singly.has_agreed(scope, number, accept_asserted=True) == (
                last.get((number, scope)) in {Answer.AGREED, Answer.ASSERTED}
            )


def test_r31_what_was_not_read_again_in_time_is_not_judged_by() -> None:
    sets = ConsentSets()
    unfollowed = _is_current(sets, 1e9)
    sets.read_by = 100.0

    seen = [_is_current(sets, now) for now in (100.0, 100.1, 99.0)]

    assert unfollowed
    assert seen == [True, False, True]
    assert sets.is_current  # the store said nothing else: the delay may be ours


def test_r31_what_the_store_failed_on_is_not_current_however_lately_it_was_read() -> None:
    sets = ConsentSets()
    sets.read_by, sets.is_current = 100.0, False

    assert not _is_current(sets, 99.0)
    assert not sets.is_current


def test_a_fault_while_judging_leaves_the_sets_as_current_as_they_were() -> None:
    sets = ConsentSets()
    sets.read_by = 100.0

    with pytest.raises(ValueError, match="a fault of ours"), sets.judged_by(101.0):
        raise ValueError("a fault of ours")

    assert sets.is_current


def _is_current(sets: ConsentSets, now: float) -> bool:
    with sets.judged_by(now):
        return sets.is_current


@pytest.mark.parametrize("answer", [None, Answer.AGREED, Answer.ASSERTED])
def test_who_refused_one_account_of_an_owner_refused_all_of_them(answer: Answer | None) -> None:
    sets = ConsentSets()
    sets.companions = {"sp1": ("sp2",), "sp2": ("sp1",)}

    sets.apply(SUBSCRIBER, "sp1", Answer.REFUSED)
    sets.apply(SUBSCRIBER, "sp2", answer)

    assert sets.is_refused("sp1", SUBSCRIBER)
    assert sets.is_refused("sp2", SUBSCRIBER)
    assert sets.refused_companion("sp2", SUBSCRIBER) == "sp1"
    assert sets.refused_companion("sp1", SUBSCRIBER) is None
    assert sets.refused_companion("sp2", OTHER) is None
    assert not sets.is_refused("sp2", OTHER)
    assert not sets.is_refused("sp3", SUBSCRIBER)

    sets.apply(SUBSCRIBER, "sp1", Answer.AGREED)

    assert not sets.is_refused("sp2", SUBSCRIBER)


def test_companions_outlive_a_snapshot_of_the_store() -> None:
    sets, fresh = ConsentSets(), ConsentSets()
    sets.companions = {"sp1": ("sp2",), "sp2": ("sp1",)}
    fresh.apply(SUBSCRIBER, "sp1", Answer.REFUSED)

    sets.replace(fresh)

    assert sets.is_refused("sp2", SUBSCRIBER)


def test_of_a_north_american_number_too_the_refusal_of_one_account_is_of_all() -> None:
    sets = ConsentSets()
    sets.companions = {"sp1": ("sp2",), "sp2": ("sp1",)}

    sets.apply(READ_AS, "sp1", Answer.REFUSED)

    assert sets.is_refused("sp2", NORTH_AMERICAN)
    assert not sets.is_refused("sp3", NORTH_AMERICAN)


def test_r22_what_was_refused_of_an_sp_is_known_by_port_and_by_category() -> None:
    sets, fresh = ConsentSets(), ConsentSets()
    assert sets.refused_parts("sp1", "1069", SUBSCRIBER) == []
    for scope in ("sp1 1069", "sp1 1070", "sp1 #loan", "sp2 #games"):
        fresh.apply(SUBSCRIBER, scope, Answer.REFUSED)

    sets.replace(fresh)

    assert sets.refused_parts("sp1", "1069", SUBSCRIBER) == ["sp1 1069", "sp1 #loan"]
    assert sets.refused_parts("sp1", "", SUBSCRIBER) == ["sp1 #loan"]
    assert sets.refused_parts("sp1", "1069", SUBSCRIBER + 1) == []
    assert not sets.is_refused("sp1", SUBSCRIBER)
    assert sets.is_refused_at("sp1", "1070", SUBSCRIBER)
    assert not sets.is_refused_at("sp3", "1070", SUBSCRIBER)


def test_r22_of_a_north_american_number_too_a_refusal_may_be_of_a_part() -> None:
    sets = ConsentSets()
    sets.apply(8614165550123, "sp1 #loan", Answer.REFUSED)

    assert sets.refused_parts("sp1", "1069", 14165550123) == ["sp1 #loan"]
    sets.apply(14165550123, "sp1 #loan", Answer.AGREED)
    assert sets.refused_parts("sp1", "1069", 14165550123) == []


def test_r22_what_was_refused_of_one_account_is_refused_of_all_of_its_owner() -> None:
    sets = ConsentSets()
    sets.companions = {"sp1": ("sp2",), "sp2": ("sp1",)}
    for scope in ("sp1 1069", "sp3 1070"):
        sets.apply(SUBSCRIBER, scope, Answer.REFUSED)

    assert sets.is_refused_at("sp2", "1069", SUBSCRIBER)
    assert not sets.is_refused_at("sp2", "1070", SUBSCRIBER)
    assert not sets.is_refused_at("sp3", "1069", SUBSCRIBER)
    sets.apply(SUBSCRIBER, "sp1 #loan", Answer.REFUSED)
    assert sets.is_refused_at("sp2", "1070", SUBSCRIBER)
    assert sets.refused_parts("sp2", "1069", SUBSCRIBER) == []  # it was not asked of this one
