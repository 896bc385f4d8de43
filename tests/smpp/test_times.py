from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.fields import moment_of

NOW = datetime(2013, 11, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (b"131101120000032+", datetime(2013, 11, 1, 4, 0, tzinfo=UTC)),  # eight hours ahead
        (b"131101120000000+", datetime(2013, 11, 1, 12, 0, tzinfo=UTC)),
        (b"131101120000020-", datetime(2013, 11, 1, 17, 0, tzinfo=UTC)),
        (b"000000020000000R", NOW + timedelta(hours=2)),
        (b"000007000000000R", NOW + timedelta(days=7)),
        (b"010100000000000R", NOW + timedelta(days=395)),
    ],
)
def test_a_time_on_the_wire_names_one_moment(value: bytes, moment: datetime) -> None:
    assert moment_of(value, NOW) == moment


@pytest.mark.parametrize(
    "value", [b"", b"tomorrow", b"131301120000032+", b"1311011200000", b"000000020000001R"]
)
def test_what_is_no_time_names_none(value: bytes) -> None:
    assert moment_of(value, NOW) is None


@given(st.binary(max_size=20) | st.from_regex(rb"[0-9]{15}[R+-]", fullmatch=True))
def test_any_octets_name_a_moment_or_none(value: bytes) -> None:
    moment = moment_of(value, NOW)

    assert moment is None or moment.tzinfo is not None
