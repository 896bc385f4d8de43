"""Rows of detectors that make no sense are refused."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.detector import Baseline, Detector, Measure, moment_of
from gateway.domain.warning import WarningCode

BURST = {"counts": Measure.MESSAGES, "baseline": Baseline.SAME_HOUR}
SHARE = {"counts": Measure.UNSIGNED, "per": Measure.MESSAGES}


@pytest.mark.parametrize(
    "said",
    [
        BURST,
        SHARE | {"share": 0.1},
        SHARE | {"baseline": Baseline.DAYS},
        SHARE | {"baseline": Baseline.HIGH_DAYS, "lag_days": 1},
    ],
)
def test_r95_a_count_is_compared_by_hour_and_a_share_with_its_limit_or_its_days(
    said: dict[str, object],
) -> None:
    assert Detector("one", WarningCode.W1, **said).z == 3.5  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"counts": Measure.MESSAGES}, "same_hour"),
        (BURST | {"per": Measure.MESSAGES}, "same_hour"),
        (SHARE, "needs a baseline"),
        (BURST | {"share": 0.1}, "share goes with per"),
        (BURST | {"lag_days": 1}, "lag_days goes with per"),
        ({"counts": Measure.MESSAGES, "baseline": Baseline.HIGH_DAYS}, "same_hour"),
        (BURST | {"window": timedelta(minutes=7)}, "whole steps"),
        (BURST | {"window": timedelta(minutes=1)}, "whole steps"),
        (BURST | {"window": timedelta(hours=25)}, "whole steps"),
    ],
)
def test_a_row_that_can_find_nothing_is_refused(said: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Detector("one", WarningCode.W1, **said)  # type: ignore[arg-type]


def test_each_measure_says_what_it_counts() -> None:
    assert all(one.en for one in Measure)
    assert dict.fromkeys(Measure, 1)["messages"] == 1  # type: ignore[index]


def test_a_step_begins_at_a_moment_since_1970() -> None:
    assert moment_of(25) == datetime(1970, 1, 1, 2, 5, tzinfo=UTC)
