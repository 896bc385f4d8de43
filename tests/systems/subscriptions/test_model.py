from datetime import UTC, datetime, timedelta

from gateway.systems.subscriptions.model import ConsentRequest, ConsentRequestState

NOON = datetime(2013, 11, 25, 12, tzinfo=UTC)
REQUEST = ConsentRequest(8613800138000, "sp1", 1, "00", NOON, NOON + timedelta(hours=24))


def test_r23_a_request_can_be_answered_until_its_time_is_over() -> None:
    assert REQUEST.is_open(REQUEST.until - timedelta(microseconds=1))
    assert not REQUEST.is_open(REQUEST.until)


def test_r23_a_request_is_answered_once() -> None:
    answered = ConsentRequest(*REQUEST.key, "00", NOON, REQUEST.until, ConsentRequestState.REFUSED)

    assert not answered.is_open(NOON)
