"""Why a message is kept, and until when: the hour it waits for, and the end of its time."""

from datetime import UTC, datetime, timedelta

from gateway.domain.verdict import Action, Verdict
from gateway.policy.subjects import campaign_of, subject_of
from gateway.ports.quarantine import Grounds
from gateway.smpp.errors import DecodeError
from gateway.smpp.pdu import decode
from gateway.smpp.times import moment_of

_SHORT_TEXT = 200
# What waits for its hour, and whose sender did not say how long it is of use, is worth one
# opening; after it the sender may be away for a day before the message is given up.
_PAST_ITS_HOUR = timedelta(hours=48)


def grounds_of(
    verdict: Verdict, pdu: bytes, times: tuple[datetime, datetime], ttl_s: float
) -> Grounds:
    """Return what the store keeps of a verdict that keeps a message.

    `times` are when the message came, which its validity_period counts from, and now. What
    a person is to see waits for at most `ttl_s`; what waits for its hour, as long as it is
    valid (R40).
    """
    came_at, now = times
    deciding = verdict.deciding
    due_at: datetime | None = None
    latest = now + timedelta(seconds=ttl_s)
    valid_until = valid_until_of(pdu, came_at)
    if verdict.action is Action.DEFER:
        due_at = datetime.fromtimestamp(verdict.due, UTC)
        latest = valid_until or due_at + _PAST_ITS_HOUR
    return Grounds(
        reason=deciding.reason.value if deciding is not None else "",
        rule=deciding.rule if deciding is not None else "",
        category=subject_of(verdict),
        evidence=deciding.evidence[:_SHORT_TEXT] if deciding is not None else "",
        digest=verdict.digest,
        expires_at=latest if valid_until is None else min(max(valid_until, now), latest),
        due_at=due_at,
        campaign=campaign_of(verdict),
    )


def valid_until_of(pdu: bytes, came_at: datetime) -> datetime | None:
    """Return until when a request that came at `came_at` is of use; None when it does not say."""
    try:
        request = decode(pdu)
    except DecodeError:  # a plain submit_sm was judged without a full decode
        return None
    scheduled = moment_of(request.octets("schedule_delivery_time"), came_at)
    return moment_of(request.octets("validity_period"), scheduled or came_at)
