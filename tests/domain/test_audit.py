"""What the acts of the audit are, of which kind, and how many whole numbers one has shown."""

import pytest

from gateway.domain.audit import KNOWN_ACTIONS, UNMASKING, AuditKind, kind_of, numbers_shown
from gateway.domain.policy import OverdueAction, ReviewLimit


@pytest.mark.parametrize(
    ("action", "about", "count"),
    [
        ("trace unmask", "3 numbers: 7", 3),
        ("trace unmask", "message 7", 1),
        ("quarantine release", "3 numbers: 7", 0),
    ],
)
def test_an_act_shows_as_many_whole_numbers_as_its_entry_counts(
    action: str, about: str, count: int
) -> None:
    assert numbers_shown(action, about) == count


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("sanction reopen ask", AuditKind.SANCTION),
        ("session close", AuditKind.OPERATION),
        ("approval give", AuditKind.APPROVAL),
        ("approval", AuditKind.OTHER),
        ("", AuditKind.OTHER),
    ],
)
def test_an_act_is_of_the_kind_that_names_it_and_any_other_of_none(
    action: str, kind: AuditKind
) -> None:
    assert kind_of(action) is kind


def test_each_act_that_shows_whole_numbers_has_a_kind() -> None:
    assert UNMASKING <= KNOWN_ACTIONS
    assert AuditKind.OTHER not in {kind_of(one) for one in KNOWN_ACTIONS}


def test_a_time_limit_is_told_in_words() -> None:
    assert str(ReviewLimit(600.0, OverdueAction.DISCARD)) == "within 600 s, then discard"
