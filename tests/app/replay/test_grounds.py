"""Every reason rests on something."""

from gateway.app.replay.grounds import OF_ADDRESSES, OF_THE_MOMENT, OF_THE_TEXT
from gateway.domain.verdict import Reason


def test_every_reason_is_put_where_it_belongs() -> None:
    """One that is new: does it hang on the moment, on the text, or on what is asked again?"""
    asked_again = {
        Reason.OUT_OF_SCOPE,
        Reason.OPTED_OUT,
        Reason.CONSENT_NONE,
        Reason.CONSENT_UNPROVEN,
        Reason.PUBLIC_INTEREST,
        Reason.OUTSIDE_WINDOW,
        Reason.FREQUENCY,
        Reason.NUMBER_WALK,
    }

    placed = [*asked_again, *OF_THE_MOMENT, *OF_THE_TEXT, *OF_ADDRESSES]

    assert sorted(placed) == sorted(Reason)
