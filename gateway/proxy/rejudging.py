"""Held messages judged again at the moment they leave (R21, R40, R61)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.dataplane.assembled import assembled
from gateway.dataplane.carried import Schedule
from gateway.dataplane.carriers import Carrier, read_carrier
from gateway.dataplane.carrying import timing_of
from gateway.dataplane.judging import UNCHECKED, note_hint
from gateway.dataplane.plane import Plane
from gateway.dataplane.scheduling import schedule_of
from gateway.domain.msisdn import msisdn_of, with_plus
from gateway.domain.quarantine import HeldMessage
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.filter.facts import TextFacts
from gateway.policy.account import Account
from gateway.policy.asking import is_asking
from gateway.policy.judging_again import judge_again, judge_due
from gateway.policy.submission import Submission, Timing, Wanted
from gateway.proxy.grounds import valid_until_of
from gateway.runtime.clock import epoch, monotonic
from gateway.smpp.pdu import SmeAddress

# A person has seen it, and must not see it again for the same: it is refused.
_UNCHECKED_AGAIN = Finding(
    "CONTENT", Reason.CONTENT_UNCHECKED, Action.REJECT, "the content filter failed"
)


def judge_leaving(
    plane: Plane,
    account: Account,
    held: HeldMessage,
    others: Sequence[HeldMessage] = (),
    *,
    is_counted: bool = False,
) -> Verdict | None:
    """Judge a message that is to leave now; return what stops it, or None.

    What a person let go is judged for what was refused meanwhile. What waited for its hour
    alone nobody has seen: it is judged in full, and counted unless `is_counted` (R42). So is
    what its addressee let go, but for his own preferences (R50), and no limit is against what
    he asks for. `others` are the other parts of a long message, which has one verdict (R62).
    """
    source, destination = held.source.encode("latin-1"), held.destination.encode("latin-1")
    submission = Wanted if held.is_wanted else Submission
    one = submission(account, source, destination)
    judge = judge_again if held.is_reviewed else judge_due
    try:
        carrier = read_carrier(held.pdu)
        carriers = [carrier, *(read_carrier(other.pdu) for other in others)]
        units = 0 if is_counted or held.is_wanted else max(map(_units, carriers))
        joined = tuple(one.joined for one in (held, *others) if one.joined)
        facts = _facts_of(plane, carriers, joined)
        timing = _timing(carrier, valid_until_of(held.pdu, held.held_at))
        asking: Verdict | None = None
        now = monotonic()
        for address in _addressees(carrier, (held, *others)):
            one = submission(account, source, address, units)
            one.timing = timing
            with plane.rules.knowledge.consent.judged_by(now):
                judge(plane.rules, one, facts, now, epoch())
            if one.verdict is not None and not is_asking(one.verdict):
                return one.verdict
            asking = asking or one.verdict
        note_hint(plane, account.system_id, facts)
    except Exception:  # noqa: BLE001 - as in the tick: what cannot be judged is not passed, and stops no other
        plane.tally.filter_failures += 1
        plane.rules.hold_against(one, (_UNCHECKED_AGAIN if held.is_reviewed else UNCHECKED,))
        return one.verdict
    return asking


def schedule_of_leaving(plane: Plane, held: HeldMessage) -> Schedule | None:
    """Return what must be noted of a commercial message that leaves for later (R21)."""
    account = plane.rules.accounts.get(held.system_id)
    carrier = read_carrier(held.pdu)
    schedule = schedule_of(carrier, _timing(carrier, None), epoch())
    if schedule is None or account is None:
        return None
    one = Submission(account, held.source.encode("latin-1"), held.destination.encode("latin-1"))
    try:
        plane.rules.judge_rules(one, _facts_of(plane, (carrier,), (held.joined,)), epoch())
    except Exception:  # noqa: BLE001 - as above; it was judged a moment ago, and is on its way
        plane.tally.filter_failures += 1
        return schedule
    return schedule if one.traffic is TrafficClass.COMMERCIAL else None


def outranked(
    plane: Plane, verdict: Verdict, held: HeldMessage, others: Sequence[HeldMessage] = ()
) -> Verdict:
    """Return what is to be said of a message that `verdict` holds for its addressee's own rule.

    That rule is asked first, and what it alone holds is the addressee's to let go (R50). What
    is against the message besides is not his: it takes the place of `verdict`. Neither the
    hour nor what cannot be looked up for a moment does, for it is asked again at the release.
    """
    account = plane.rules.accounts.get(held.system_id)
    if account is None or not is_own_rules(verdict):
        return verdict
    besides = judge_leaving(plane, account, replace(held, is_wanted=True), others)
    if besides is None or besides.action is Action.DEFER:
        return verdict
    return verdict if _reason_of(besides) is Reason.CONSENT_UNCHECKED else besides


def is_own_rules(verdict: Verdict) -> bool:
    """Tell whether `verdict` holds a message for its addressee's own rule (R50)."""
    return verdict.action is Action.QUARANTINE and _reason_of(verdict) is Reason.USER_PREF


def _reason_of(verdict: Verdict) -> Reason | None:
    deciding = verdict.deciding
    return None if deciding is None else deciding.reason


def text_of(plane: Plane, together: Sequence[HeldMessage]) -> str:
    """Return what people see of a message that was judged, or of all parts of one."""
    carriers = [read_carrier(held.pdu) for held in together]
    joined = tuple(held.joined for held in together if held.joined)
    return _facts_of(plane, carriers, joined).texts[0]


def _facts_of(plane: Plane, carriers: Sequence[Carrier], joined: tuple[str, ...]) -> TextFacts:
    """Return what the text of a message shows, or of all parts of one that there are."""
    judge = plane.rules.scan.judge_texts
    if not carriers[0].concats:
        texts = tuple(text for place in carriers[0].texts() for text in place)
        return judge((*texts, *joined))
    message = assembled(carriers)
    return judge(
        (*message.texts, *joined),
        is_unreadable=message.is_unreadable,
        is_whole=message.is_whole,
    )


def _addressees(carrier: Carrier, together: Sequence[HeldMessage]) -> Iterable[bytes]:
    """Return everybody whom a request lists, or else whom the parts of a long message are for.

    They may spell one number so that it is read as two, and each has to be asked about.
    """
    listed = [each for each in carrier.destinations if isinstance(each, SmeAddress)]
    if listed:
        return [with_plus(each.address, each.ton) for each in listed]
    addresses = (one.destination.encode("latin-1") for one in together)
    return {msisdn_of(address) or address: address for address in addresses}.values()


def _units(carrier: Carrier) -> int:
    """Return how many messages it counts for: a long one is counted with its first part."""
    if not carrier.concats:
        return 1
    return max((c.total for c in carrier.concats if c.number == 1), default=0)


def _timing(carrier: Carrier, valid_until: datetime | None) -> Timing:
    """Return what its times mean now: the SMSC counts a relative schedule from now on (R41)."""
    said = timing_of(carrier.pdu.octets("schedule_delivery_time"), b"", epoch())
    return replace(said, valid_until=None if valid_until is None else valid_until.timestamp())
