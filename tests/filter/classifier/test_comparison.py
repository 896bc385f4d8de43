from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.classifier.score import Comparison, ModelAgreement, TextClass


def named(name: str) -> Callable[[], str]:
    return lambda: name


NAMES = st.text("0123456789:", min_size=1, max_size=6)


def test_texts_are_counted_by_class_and_by_which_model_would_stop_them() -> None:
    comparison = Comparison("a1", "b2")

    comparison.note(TextClass.PORT, ModelAgreement.BOTH, named("7:1"))
    comparison.note(TextClass.PORT, ModelAgreement.BOTH, named("7:2"))
    comparison.note(TextClass.PERSON, ModelAgreement.ONLY_SHADOW, named("7:3"))
    comparison.note(TextClass.PORT, ModelAgreement.NEITHER, named("7:4"))

    port = comparison.counts[TextClass.PORT]
    assert [port[one] for one in ModelAgreement] == [1, 2, 0, 0]
    assert comparison.counts[TextClass.PERSON][ModelAgreement.ONLY_SHADOW] == 1
    assert sum(comparison.counts[TextClass.FOREIGN].values()) == 0


def test_messages_are_counted_beside_their_texts() -> None:
    comparison = Comparison("a1", "b2")
    comparison.note(TextClass.PORT, ModelAgreement.ONLY_SHADOW, named("7:1"))

    for _ in range(3):
        comparison.note_message(TextClass.PORT, ModelAgreement.ONLY_SHADOW)

    assert comparison.counts[TextClass.PORT][ModelAgreement.ONLY_SHADOW] == 1
    assert comparison.messages[TextClass.PORT][ModelAgreement.ONLY_SHADOW] == 3


def test_only_what_the_models_dispute_is_kept_for_the_audit() -> None:
    comparison = Comparison("a1", "b2")

    for number, agreement in enumerate(ModelAgreement):
        comparison.note(TextClass.PORT, agreement, named(f"7:{number}"))

    assert {one: comparison.names(one) for one in ModelAgreement} == {
        ModelAgreement.NEITHER: (),
        ModelAgreement.BOTH: (),
        ModelAgreement.ONLY_ACTIVE: ("7:2",),
        ModelAgreement.ONLY_SHADOW: ("7:3",),
    }


def test_the_comparison_is_told_with_the_digests_of_both_models() -> None:
    comparison = Comparison("a1", "b2")
    comparison.note(TextClass.FOREIGN, ModelAgreement.ONLY_ACTIVE, named("7:1"))
    for _ in range(2):
        comparison.note_message(TextClass.FOREIGN, ModelAgreement.ONLY_ACTIVE)

    said = comparison.as_json()

    assert (said["active"], said["shadow"], said["failed"]) == ("a1", "b2", 0)
    nothing = dict.fromkeys(("neither", "both", "only_active", "only_shadow"), 0)
    assert said["counts"] == {
        "port": nothing,
        "person": nothing,
        "foreign": nothing | {"only_active": 1},
    }
    assert said["messages"] == {
        "port": nothing,
        "person": nothing,
        "foreign": nothing | {"only_active": 2},
    }
    assert said["sampled"] == {"only_active": ["7:1"], "only_shadow": []}


@given(st.lists(NAMES, max_size=60), st.integers(0, 5))
def test_a_sample_is_bounded_and_does_not_depend_on_the_order(
    names: list[str], maximum: int
) -> None:
    forth, back = (Comparison("a1", "b2", sampled=maximum) for _ in range(2))

    for name in names:
        forth.note(TextClass.PORT, ModelAgreement.ONLY_ACTIVE, named(name))
    for name in reversed(names):
        back.note(TextClass.PORT, ModelAgreement.ONLY_ACTIVE, named(name))

    sampled = forth.names(ModelAgreement.ONLY_ACTIVE)
    assert len(sampled) == min(maximum, len(set(names)))
    assert set(sampled) <= set(names)
    assert back.names(ModelAgreement.ONLY_ACTIVE) == sampled


def test_early_and_late_messages_have_the_same_chance_to_be_sampled() -> None:
    comparison = Comparison("a1", "b2", sampled=200)

    for number in range(2000):
        comparison.note(TextClass.PORT, ModelAgreement.ONLY_SHADOW, named(f"7:{number:04}"))

    late = sum(name >= "7:1000" for name in comparison.names(ModelAgreement.ONLY_SHADOW))
    assert 70 < late < 130
