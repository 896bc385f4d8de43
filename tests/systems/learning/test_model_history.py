import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.learning.model_directory import (
    ACTS_KEPT,
    FORMER_KEPT,
    MAX_STATE_OCTETS,
    ModelAct,
    ModelActError,
    ModelChange,
    ModelState,
    ModelStateError,
    read,
    written,
)

NOON = datetime(2013, 11, 26, 12, tzinfo=UTC)
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def installed(state: ModelState, digest: str) -> ModelState:
    return state.install(digest, ModelChange(NOON, "lin", "trained on November"))


def promoted(state: ModelState, *digests: str) -> ModelState:
    for digest in digests:
        state = installed(state, digest).promote(ModelChange(NOON, "lin", ""))
    return state


def test_a_new_model_enters_in_shadow() -> None:
    state = installed(ModelState(), A)

    assert (state.active, state.shadow) == ("", A)
    (event,) = state.events
    assert (event.number, event.act, event.digest) == (1, ModelAct.INSTALL, A)
    assert (event.at, event.by, event.note) == (NOON, "lin", "trained on November")


def test_what_is_promoted_is_in_force_and_what_was_is_former() -> None:
    state = promoted(ModelState(), A, B)

    assert (state.active, state.actives, state.shadow) == (B, (A, B), "")


def test_a_rollback_puts_the_model_before_back_one_after_the_other() -> None:
    state = promoted(ModelState(), A, B)

    first = state.roll_back(ModelChange(NOON, "wu", "held honest banks"))
    second = first.roll_back(ModelChange(NOON, "wu", ""))

    assert (first.active, first.events[-1].digest, first.events[-1].note) == (
        A,
        A,
        "held honest banks",
    )
    assert (second.active, second.events[-1].digest) == ("", "")
    with pytest.raises(ModelActError, match="no model in force"):
        second.roll_back(ModelChange(NOON, "wu", ""))


def test_a_rollback_leaves_the_model_in_shadow_where_it_is() -> None:
    state = installed(promoted(ModelState(), A), B).roll_back(ModelChange(NOON, "wu", ""))

    assert (state.active, state.shadow) == ("", B)


def test_what_is_in_shadow_gives_way_to_a_new_one_or_to_a_person() -> None:
    state = installed(installed(ModelState(), A), B)

    assert state.shadow == B
    after = state.withdraw(ModelChange(NOON, "wu", "too slow"))
    assert (after.shadow, after.events[-1].act, after.events[-1].digest) == (
        "",
        ModelAct.WITHDRAW,
        B,
    )


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (lambda state: installed(state, A), "in force already"),
        (lambda state: installed(installed(state, B), B), "in shadow already"),
        (lambda state: state.promote(ModelChange(NOON, "wu", "")), "no model in shadow"),
        (lambda state: state.withdraw(ModelChange(NOON, "wu", "")), "no model in shadow"),
    ],
)
def test_what_changes_nothing_is_refused(
    act: Callable[[ModelState], ModelState], problem: str
) -> None:
    with pytest.raises(ModelActError, match=problem):
        act(promoted(ModelState(), A))


def test_a_former_model_may_come_again_and_is_gone_back_to_once() -> None:
    state = promoted(ModelState(), A, B, A)

    assert state.actives == (B, A)


def test_the_files_of_what_may_come_back_are_kept_and_of_a_few_that_were_there_last() -> None:
    digests = [f"{number:064x}" for number in range(FORMER_KEPT + 4)]
    state = promoted(ModelState(), *digests)

    assert state.actives == tuple(digests[-FORMER_KEPT - 1 :])
    assert set(state.kept) == set(digests[-FORMER_KEPT - 1 :])

    withdrawn = installed(state, C).withdraw(ModelChange(NOON, "wu", ""))
    gone_back = state.roll_back(ModelChange(NOON, "wu", ""))
    assert C in withdrawn.kept
    assert digests[-1] in gone_back.kept
    assert len(withdrawn.kept) == len(set(withdrawn.kept))


def test_the_history_is_bounded_and_its_numbers_grow() -> None:
    state = ModelState()
    for number in range(ACTS_KEPT + 5):
        state = installed(state, f"{number:064x}")

    assert len(state.events) == ACTS_KEPT
    assert (state.events[0].number, state.events[-1].number) == (6, ACTS_KEPT + 5)
    assert len(written(state)) < MAX_STATE_OCTETS


DIGESTS = st.sampled_from([A, B, C])
ACTS = st.lists(
    st.tuples(st.sampled_from(list(ModelAct)), DIGESTS, st.text(max_size=20)), max_size=30
)


@given(ACTS)
def test_whatever_was_done_is_read_back_as_it_was_written(
    acts: list[tuple[ModelAct, str, str]],
) -> None:
    state, at = ModelState(), NOON
    for act, digest, note in acts:
        at += timedelta(seconds=1)
        try:
            match act:
                case ModelAct.INSTALL:
                    state = state.install(digest, ModelChange(at, "lin", note))
                case ModelAct.PROMOTE:
                    state = state.promote(ModelChange(at, "lin", note))
                case ModelAct.ROLLBACK:
                    state = state.roll_back(ModelChange(at, "lin", note))
                case ModelAct.WITHDRAW:
                    state = state.withdraw(ModelChange(at, "lin", note))
        except ModelActError:
            continue

    assert len(set(state.actives)) == len(state.actives)
    assert state.active in {"", *state.kept}
    assert not state.shadow or state.shadow != state.active
    assert read(written(state)) == state


@given(st.binary(max_size=40))
def test_any_octets_are_a_state_or_refused(octets: bytes) -> None:
    try:
        read(octets)
    except ModelStateError as error:
        assert error.place
    else:
        pytest.fail("so few octets are no state")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
EVENT = {
    "number": 1,
    "act": "install",
    "digest": A,
    "at": NOON.isoformat(),
    "by": "lin",
    "note": "",
}
STATE = {"format": 1, "actives": [], "shadow": A, "events": [EVENT]}


@given(name=st.sampled_from(sorted(STATE)), field=st.sampled_from(sorted(EVENT)), value=JSON)
def test_a_state_with_something_else_in_it_is_read_or_refused_at_its_place(
    name: str, field: str, value: object
) -> None:
    for said in (STATE | {name: value}, STATE | {"events": [EVENT | {field: value}]}):
        try:
            state = read(json.dumps(said).encode())
        except ModelStateError as error:
            assert error.place.split("[")[0].split(".")[0] in {*STATE, "file"}
        else:
            assert read(written(state)) == state


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ([], "file"),
        ({**STATE, "more": 1}, "file"),
        ({**STATE, "format": 2}, "format"),
        ({**STATE, "actives": A}, "actives"),
        ({**STATE, "actives": [A, A]}, "actives"),
        ({**STATE, "actives": [f"{one:064x}" for one in range(FORMER_KEPT + 2)]}, "actives"),
        ({**STATE, "actives": ["../models"]}, "actives[0]"),
        ({**STATE, "shadow": "A" * 64}, "shadow"),
        ({**STATE, "events": [EVENT] * (ACTS_KEPT + 1)}, "events"),
        ({**STATE, "events": [EVENT, EVENT]}, "events"),
        ({**STATE, "events": [{**EVENT, "number": True}]}, "events[0].number"),
        ({**STATE, "events": [{**EVENT, "number": 0}]}, "events[0].number"),
        ({**STATE, "events": [{**EVENT, "act": "delete"}]}, "events[0].act"),
        ({**STATE, "events": [{**EVENT, "act": 1}]}, "events[0].act"),
        ({**STATE, "events": [{**EVENT, "digest": "a"}]}, "events[0].digest"),
        ({**STATE, "events": [{**EVENT, "at": "2013-11-26"}]}, "events[0].at"),
        ({**STATE, "events": [{**EVENT, "at": "noon"}]}, "events[0].at"),
        ({**STATE, "events": [{**EVENT, "at": 7}]}, "events[0].at"),
        ({**STATE, "events": [{**EVENT, "by": None}]}, "events[0].by"),
        ({**STATE, "events": [{**EVENT, "note": "n" * 1001}]}, "events[0].note"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(said: object, place: str) -> None:
    with pytest.raises(ModelStateError) as caught:
        read(json.dumps(said).encode())

    assert caught.value.place == place


@pytest.mark.parametrize("octets", [b"{", b"[" * 100_000, b"\xff", b" " * (MAX_STATE_OCTETS + 1)])
def test_what_is_no_json_or_too_much_of_it_is_refused(octets: bytes) -> None:
    with pytest.raises(ModelStateError, match=r"^file: "):
        read(octets)
