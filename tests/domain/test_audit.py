"""What the acts of the audit are, and how many whole numbers one has shown."""

import pytest

from gateway.domain.audit import numbers_shown
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


def test_a_time_limit_is_told_in_words() -> None:
    assert str(ReviewLimit(600.0, OverdueAction.DISCARD)) == "within 600 s, then discard"
