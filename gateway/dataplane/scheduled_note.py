"""What the SMSC has for later delivery: noted, because a refusal must stop it (R21)."""

from dataclasses import replace

from gateway.dataplane.attention import Ask
from gateway.dataplane.carriers import Carrier
from gateway.dataplane.submit_request import Care, Schedule, SubmitRequest
from gateway.domain.categories import TrafficClass
from gateway.domain.msisdn import with_plus
from gateway.policy.submission import DeliveryTimes
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import SmeAddress

_COMMERCIAL = TrafficClass.COMMERCIAL


def schedule_of(carrier: Carrier, timing: DeliveryTimes | None, at: float) -> Schedule | None:
    """Return when and where a request is to be delivered; None if it goes at once."""
    if timing is None or timing.scheduled_at is None or timing.scheduled_at <= at:
        return None
    pdu, scheduled_at = carrier.pdu, timing.scheduled_at
    source = SmeAddress(
        pdu.number("source_addr_ton"), pdu.number("source_addr_npi"), carrier.source
    )
    if pdu.command_id == CommandId.REPLACE_SM:
        return Schedule(scheduled_at, source, (), message_id=pdu.octets("message_id"))
    listed = tuple(each for each in carrier.destinations if isinstance(each, SmeAddress))
    if not listed:
        ton, npi = pdu.number("dest_addr_ton"), pdu.number("dest_addr_npi")
        listed = (SmeAddress(ton, npi, pdu.octets("destination_addr")),)
    return Schedule(scheduled_at, source, listed)


def context_of(message: SubmitRequest, care: Care) -> object:
    """Return what must be known when the answer to a request comes; None if nothing.

    Only a commercial message is noted: a refusal stops nothing else (R22). A new time for a
    message (replace_sm) is noted without a check of its class: it only affects a noted message.
    """
    schedule = care.schedule
    if schedule is not None and schedule.message_id:
        return schedule
    if schedule is None or not _is_commercial(message, care):
        return care.refused or None
    reached = frozenset(care.reached)
    there = tuple(
        each
        for each in schedule.destinations
        if not reached or with_plus(each.address, each.ton) in reached
    )
    return replace(schedule, destinations=there, refused=care.refused)


def schedule_in(context: object) -> Schedule | None:
    """Return the schedule that a context contains, or None."""
    match context:
        case Schedule():
            return context
        case Ask(message=message) if message.care is not None:
            # A request for consent is itself commercial (R23).
            return message.care.schedule
        case _:
            return None


def _is_commercial(message: SubmitRequest, care: Care) -> bool:
    copies = [each.message for each in care.addressees if each.message.verdict is None]
    return any(one.traffic is _COMMERCIAL for one in copies or (message,))
