"""What a sample of asserted consents says of all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.consent_audits.model import AuditTally, SampleShare, share_proven


# From the table of R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3, and by
# hand for the last one.
@pytest.mark.parametrize(
    ("proven", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_r26_the_share_of_all_lies_where_wilson_says(
    proven: int, of: int, low: float, high: float
) -> None:
    found = share_proven(AuditTally(5, proven, of - proven))

    assert found is not None
    assert found.share == pytest.approx(proven / of)
    assert found.low == pytest.approx(low, abs=1e-4)
    assert found.high == pytest.approx(high, abs=1e-4)


def test_r26_a_sample_without_an_answer_shows_no_share() -> None:
    assert share_proven(AuditTally(open=50)) is None


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_share_lies_within_its_interval_and_all_between_none_and_all(
    proven: int, unproven: int
) -> None:
    found = share_proven(AuditTally(0, proven, unproven))

    if found is None:
        assert proven + unproven == 0
    else:
        assert 0 <= found.low <= found.share + 1e-12
        assert found.share <= found.high + 1e-12
        assert found.high <= 1
        assert isinstance(found, SampleShare)
