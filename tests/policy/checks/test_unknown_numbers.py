"""What the SMSC answered before (R28)."""

from datetime import timedelta

import pytest

from gateway.domain.verdict import Action, ReasonCode
from gateway.policy.checks.unknown_numbers import UnknownNumbers
from gateway.policy.knowledge import Knowledge
from tests.policy.conftest import World, rule, why

MOSTLY = UnknownNumbers(0.3, timedelta(minutes=10), 50)
R28 = rule("R28-unknown", MOSTLY, action=Action.QUARANTINE)
AT = 1_700_000_000.0


@pytest.mark.parametrize(
    ("passed", "unknown", "reason"),
    [
        (50, 15, UnknownNumbers.reason),
        (50, 14, None),
        (49, 49, None),
        (1000, 299, None),
        (1000, 300, UnknownNumbers.reason),
        (0, 0, None),
    ],
)
def test_r28_from_a_share_of_unknown_numbers_on_a_sender_is_held(
    passed: int, unknown: int, reason: ReasonCode | None
) -> None:
    world = World(R28)

    world.knowledge.answers.feed({"sp1": (passed, unknown)}, AT)

    assert world.reason() is reason
    assert why(world.judge(system_id="sp2")) is None


def test_r28_ten_minutes_later_the_sender_may_send_again() -> None:
    world = World(R28)
    world.knowledge.answers.feed({"sp1": (50, 50)}, AT)

    held = world.reason()
    world.knowledge.answers.feed({"sp1": (50, 50)}, AT + 600)

    assert held is UnknownNumbers.reason
    assert world.reason() is None


def test_a_reload_goes_on_from_the_same_answers() -> None:
    known = Knowledge()
    world = World(R28, knowledge=known)
    known.answers.feed({"sp1": (50, 50)}, AT)

    assert World(R28, before=world).reason() is UnknownNumbers.reason
