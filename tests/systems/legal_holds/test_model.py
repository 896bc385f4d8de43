from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.systems.legal_holds.model import LegalHold

NOON = datetime(2014, 3, 1, 12, tzinfo=UTC)
HOLD = LegalHold(NOON, NOON, None, 8613800138000, "fraud", "case 7", "lin", NOON, 1)


def test_a_hold_is_in_force_until_it_is_lifted() -> None:
    assert HOLD.is_in_force(NOON + timedelta(days=10_000))


def test_r72_what_a_hold_kept_goes_a_day_after_it_is_lifted() -> None:
    lifted = replace(HOLD, lifted_at=NOON, lifted_by="wu")

    assert lifted.is_in_force(NOON + timedelta(hours=23, minutes=59))
    assert not lifted.is_in_force(NOON + timedelta(days=1))


def test_a_hold_does_not_tell_its_subscriber_where_it_is_printed() -> None:
    assert "13800138000" not in repr(HOLD)
