"""The ladder of sanctions, and when a probation ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.sanction import (
    ReopeningTerms,
    Sanction,
    SanctionLadder,
    SanctionRefusal,
    SanctionState,
    SanctionStep,
    as_given,
)
from gateway.domain.warning import Severity

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ASKED = ReopeningTerms("lin", NOON, "new owner", "own lists only", days=30)
CLOSED = Sanction(
    1,
    2,
    "shop",
    "10690001",
    Severity.MAJOR,
    SanctionStep.CLOSE,
    SanctionState.APPLIED,
    NOON,
)


@pytest.mark.parametrize(
    ("severity", "steps"),
    [
        (Severity.GENERAL, ["notice", "notice", "notice", "close", "close"]),
        (Severity.SERIOUS, ["suspend", "close", "close"]),
        (Severity.MAJOR, ["close", "close"]),
    ],
)
def test_r96_the_steps_of_each_severity(severity: Severity, steps: list[str]) -> None:
    ladder = SanctionLadder()

    assert [ladder.step(severity, earlier) for earlier in range(len(steps))] == steps


@pytest.mark.parametrize(
    ("asked", "reopened_at", "until"),
    [
        (None, None, None),
        (ASKED, None, None),
        (ASKED, NOON, NOON + timedelta(days=30)),
    ],
)
def test_r97_a_probation_runs_from_the_second_approval(
    asked: ReopeningTerms | None, reopened_at: datetime | None, until: datetime | None
) -> None:
    assert replace(CLOSED, reopening=asked, reopened_at=reopened_at).probation_until == until


@pytest.mark.parametrize(("reopened_at", "seen"), [(None, None), (NOON, replace(ASKED, reason=""))])
def test_an_sp_sees_the_conditions_once_they_hold_and_never_what_staff_say(
    reopened_at: datetime | None, seen: ReopeningTerms | None
) -> None:
    one = replace(CLOSED, note="they lie", reopening=ASKED, reopened_at=reopened_at)

    assert as_given(one) == replace(one, note="", reopening=seen)
    assert as_given(replace(CLOSED, note="they lie")) == CLOSED


@pytest.mark.parametrize(
    ("by", "refusal"),
    [
        ("lin", SanctionRefusal.SAME_PERSON),
        ("client lin", SanctionRefusal.OTHER_CHANNEL),
        ("client wu", SanctionRefusal.OTHER_CHANNEL),
        ("wu", None),
    ],
)
def test_r97_another_person_decides_in_the_same_way(
    by: str, refusal: SanctionRefusal | None
) -> None:
    assert ASKED.refusal_of(by) is refusal


@pytest.mark.parametrize(
    "change",
    [
        {"by": "wu"},
        {"at": NOON + timedelta(microseconds=1)},
        {"reason": "x"},
        {"conditions": "x"},
        {"days": 31},
        {"daily_max": 1},
    ],
)
def test_r97_other_terms_have_another_digest(change: dict[str, Any]) -> None:
    other = replace(ASKED, **change)

    assert other.digest != ASKED.digest
    assert replace(ASKED).digest == ASKED.digest
    assert other.is_like(ASKED) is ("at" in change)
