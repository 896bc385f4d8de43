"""Judge held messages again when they leave the quarantine (R21, R40, R61); why they are kept."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from gateway.dataplane.attention import Hold
from gateway.dataplane.carriers import Carrier, assembled, read_carrier
from gateway.dataplane.judge_batch import UNCHECKED, note_hint
from gateway.dataplane.plane import Plane
from gateway.dataplane.request_reader import schedule_of, timing_of
from gateway.dataplane.submit_request import Schedule
from gateway.domain.authority_report import prohibited_in
from gateway.domain.categories import TrafficClass
from gateway.domain.held_findings import OverruledFindings, lines_of
from gateway.domain.msisdn import msisdn_of, with_plus
from gateway.domain.quarantine import BETWEEN_WORDS, HeldMessage
from gateway.domain.records import EventRow
from gateway.domain.verdict import Action, Finding, Reason, ReasonCode, Verdict
from gateway.filter.facts import TextFacts
from gateway.filter.one_time_code import life_s_of
from gateway.policy.engine import ask_all, judge_again, judge_due
from gateway.policy.findings import campaign_of, is_asking, subject_of
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Account, DeliveryTimes, RequestedMessage, Submission
from gateway.proxy.report_writer import told_of_held
from gateway.proxy.tick import Tick
from gateway.records.lines import finding_fields
from gateway.runtime.clock import epoch, monotonic
from gateway.smpp.fields import SmeAddress, moment_of
from gateway.smpp.pdu import decode
from gateway.smpp.status import DecodeError
from gateway.systems.quarantine.model import Grounds

_SHORT_TEXT = 200
_STOPS = frozenset({Action.QUARANTINE, Action.REJECT})
# What waits for its hour, and whose sender did not say how long it is of use, is worth one
# opening; after it the sender may be away for a day before the message is given up.
_PAST_ITS_HOUR = timedelta(hours=48)


# What other networks send waits no longer for a person (R63).
_PEERS_TTL_S = 86_400.0


def longest_hold_s(rules: RuleSet, account: Account | None) -> float:
    """Return how long a message of a sender waits for a person."""
    ttl_s = rules.bundle.content.quarantine_ttl_s
    return min(ttl_s, _PEERS_TTL_S) if account is not None and account.sender.is_peer else ttl_s


def grounds_of(
    verdict: Verdict,
    pdu: bytes,
    times: tuple[datetime, datetime],
    ttl_s: float,
    known: Iterable[Finding] = (),
) -> Grounds:
    """Return what the store keeps of a verdict that keeps a message.

    `times` are when the message came, which its validity_period counts from, and now. What
    a person is to see waits for at most `ttl_s`; what waits for its hour, as long as it is
    valid (R40). `known` are further findings against its text, which that person is to see, too.
    """
    came_at, now = times
    deciding = verdict.deciding
    holds = [one for one in known if one.action is Action.QUARANTINE and not one.shadow]
    due_at: datetime | None = None
    latest = now + timedelta(seconds=ttl_s)
    valid_until = valid_until_of(pdu, came_at)
    if verdict.action is Action.DEFER:
        due_at = datetime.fromtimestamp(verdict.due, UTC)
        latest = valid_until or due_at + _PAST_ITS_HOUR
    return Grounds(
        reason=deciding.reason.value if deciding is not None else "",
        rule=deciding.rule if deciding is not None else "",
        category=subject_of(verdict, holds),
        evidence=_evidence_of(verdict, deciding)[:_SHORT_TEXT] if deciding is not None else "",
        digest=verdict.digest,
        expires_at=latest if valid_until is None else min(max(valid_until, now), latest),
        due_at=due_at,
        campaign=campaign_of(verdict),
        severity=(deciding and deciding.severity) or "",
        owner=deciding.owner if deciding is not None else "",
        score=next((one.score for one in verdict.findings if one.score is not None), None),
        found=lines_of(verdict.findings, holds),
    )


def _evidence_of(verdict: Verdict, deciding: Finding) -> str:
    """Return what the rule that decided has found: of a list all words."""
    found = (one.evidence for one in verdict.findings if one.rule == deciding.rule)
    return BETWEEN_WORDS.join(dict.fromkeys((deciding.evidence, *found)))


def valid_until_of(pdu: bytes, came_at: datetime) -> datetime | None:
    """Return until when a request that came at `came_at` is of use; None when it does not say."""
    try:
        request = decode(pdu)
    except DecodeError:  # a plain submit_sm was judged without a full decode
        return None
    scheduled = moment_of(request.octets("schedule_delivery_time"), came_at)
    return moment_of(request.octets("validity_period"), scheduled or came_at)


# A person has reviewed it already and must not see it again for the same: it is rejected.
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
    """Judge a message that is about to leave; return the verdict that stops it, or None.

    Of a message that a person released, what was overruled is not asked again. A deferred message
    was not reviewed: it is judged in full. Both are counted unless `is_counted` (R42). A message
    that its addressee released is judged in full except for the addressee's preferences (R50), and
    limits do not apply. `others` are the other parts of a long message, which has one verdict
    (R62).
    """
    source, destination = held.source.encode("latin-1"), held.destination.encode("latin-1")
    submission = RequestedMessage if held.is_wanted else Submission
    one = submission(account, source, destination)
    judge = judge_due
    if held.is_reviewed:
        overruled = OverruledFindings(held.overruled)
        judge = partial(judge_again, overruled=overruled, is_counted=is_counted or held.is_wanted)
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
        note_hint(plane, one, facts)
    except Exception:  # noqa: BLE001 - as in the tick: what cannot be judged is not passed, and stops no other
        plane.tally.filter_failures += 1
        plane.rules.hold_against(one, (_UNCHECKED_AGAIN if held.is_reviewed else UNCHECKED,))
        return one.verdict
    return asking


def stands_besides(
    plane: Plane, held: HeldMessage, others: Sequence[HeldMessage], overruled: OverruledFindings
) -> bool:
    """Tell whether more than what is `overruled` would hold or refuse a message now.

    That is so, too, where it cannot be asked. Counters are asked when it leaves: they count.
    """
    account = plane.rules.accounts.get(held.system_id)
    if account is None:
        return True
    try:
        carriers = [read_carrier(one.pdu) for one in (held, *others)]
        joined = tuple(one.joined for one in (held, *others) if one.joined)
        facts = _facts_of(plane, carriers, joined)
        now = monotonic()
        for address in _addressees(carriers[0], (held, *others)):
            one = Submission(account, held.source.encode("latin-1"), address, 0)
            one.timing = _timing(carriers[0], valid_until_of(held.pdu, held.held_at))
            with plane.rules.knowledge.consent.judged_by(now):
                if not plane.rules.judge_address(one, now):
                    return True
                found = [*ask_all(plane.rules, one, facts, epoch()), *plane.rules.of_words(facts)]
            stops = (f for f in found if f.action in _STOPS and not f.shadow)
            if not all(map(overruled.covers, stops)):
                return True
    except Exception:  # noqa: BLE001 - as above: what cannot be judged stays held
        plane.tally.filter_failures += 1
        return True
    return False


def found_against(
    plane: Plane, held: HeldMessage, others: Sequence[HeldMessage] = ()
) -> list[Finding]:
    """Return what the text and all rules that do not count have against a message that is held.

    Judging it stops at what decides; a person is to see the rest, too. What was overruled is left
    out. Nothing is found where it cannot be asked: then that holds the message.
    """
    account = plane.rules.accounts.get(held.system_id)
    if account is None:
        return []
    found: list[Finding] = []
    try:
        carriers = [read_carrier(one.pdu) for one in (held, *others)]
        joined = tuple(one.joined for one in (held, *others) if one.joined)
        facts = _facts_of(plane, carriers, joined)
        submission = RequestedMessage if held.is_wanted else Submission
        timing = _timing(carriers[0], valid_until_of(held.pdu, held.held_at))
        for address in _addressees(carriers[0], (held, *others)):
            one = submission(account, held.source.encode("latin-1"), address, 0)
            one.timing = timing
            # No stage of addresses has charged the cap of its port and set it.
            one.port = one.origin.port or one.origin.capped
            with plane.rules.knowledge.consent.judged_by(monotonic()):
                found += ask_all(plane.rules, one, facts, epoch())
        found += plane.rules.of_words(facts)
    except Exception:  # noqa: BLE001 - as above; the failure was counted where it was judged
        return []
    overruled = OverruledFindings(held.overruled)
    return [one for one in found if not overruled.covers(one)]


def schedule_of_leaving(plane: Plane, held: HeldMessage) -> Schedule | None:
    """Return the schedule of a commercial message that leaves with a later delivery time (R21)."""
    account = plane.rules.accounts.get(held.system_id)
    carrier = read_carrier(held.pdu)
    schedule = schedule_of(carrier, _timing(carrier, None), epoch())
    if schedule is None or account is None:
        return None
    one = Submission(account, held.source.encode("latin-1"), held.destination.encode("latin-1"))
    one.port = one.origin.port or one.origin.capped
    try:
        plane.rules.judge_rules(one, _facts_of(plane, (carrier,), (held.joined,)), epoch())
    except Exception:  # noqa: BLE001 - as above; it was judged a moment ago, and is on its way
        plane.tally.filter_failures += 1
        return schedule
    return schedule if one.traffic is TrafficClass.COMMERCIAL else None


def outranked(
    plane: Plane, verdict: Verdict, held: HeldMessage, others: Sequence[HeldMessage] = ()
) -> Verdict:
    """Return the verdict to record for a message that an addressee's own preference holds.

    The preference is checked first, and the addressee may release what it alone holds (R50). Any
    other finding against the message replaces `verdict`: the addressee may not release that. A
    deferral or a consent that cannot be looked up now does not: both are checked at the release.
    """
    account = plane.rules.accounts.get(held.system_id)
    if account is None or not is_own_rules(verdict):
        return verdict
    besides = judge_leaving(plane, account, replace(held, is_wanted=True), others)
    if besides is None or besides.action is Action.DEFER:
        return verdict
    return verdict if _reason_of(besides) is Reason.CONSENT_UNCHECKED else besides


def is_own_rules(verdict: Verdict) -> bool:
    """Tell whether `verdict` holds a message for its addressee's own preference (R50)."""
    return verdict.action is Action.QUARANTINE and _reason_of(verdict) is Reason.USER_PREF


def _reason_of(verdict: Verdict) -> ReasonCode | None:
    deciding = verdict.deciding
    return None if deciding is None else deciding.reason


def end_of_life(plane: Plane, together: Sequence[HeldMessage]) -> datetime | None:
    """Return when a held code is of no use any more; None for any other message."""
    try:
        carriers = [read_carrier(held.pdu) for held in together]
        joined = tuple(held.joined for held in together if held.joined)
        usual_s = plane.rules.bundle.content.code_life_s
        life_s = life_s_of(_facts_of(plane, carriers, joined), usual_s)
    except Exception:  # noqa: BLE001 - what the filter fails on is held for a person as any other
        return None
    return None if life_s is None else together[0].held_at + timedelta(seconds=life_s)


def text_of(plane: Plane, together: Sequence[HeldMessage]) -> str:
    """Return the text that people see of a judged message, or of all its parts."""
    carriers = [read_carrier(held.pdu) for held in together]
    joined = tuple(held.joined for held in together if held.joined)
    return _facts_of(plane, carriers, joined).texts[0]


def _facts_of(plane: Plane, carriers: Sequence[Carrier], joined: tuple[str, ...]) -> TextFacts:
    """Return the facts of a message's text, or of all parts that are here."""
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
    """Return every address that a request lists, or else those of a long message's parts.

    Parts may spell one number so that it reads as two; each must be checked.
    """
    listed = [each for each in carrier.destinations if isinstance(each, SmeAddress)]
    if listed:
        return [with_plus(each.address, each.ton) for each in listed]
    addresses = (one.destination.encode("latin-1") for one in together)
    return {msisdn_of(address) or address: address for address in addresses}.values()


def _units(carrier: Carrier) -> int:
    """Return how many messages it counts as: a long one is counted at its first part."""
    if not carrier.concats:
        return 1
    return max((c.total for c in carrier.concats if c.number == 1), default=0)


def _timing(carrier: Carrier, valid_until: datetime | None) -> DeliveryTimes:
    """Return its times as of now: the SMSC counts a relative schedule from now (R41)."""
    said = timing_of(carrier.pdu.octets("schedule_delivery_time"), b"", epoch())
    return replace(said, valid_until=None if valid_until is None else valid_until.timestamp())


def exchanged(tick: Tick, item: Hold, held: HeldMessage) -> Hold:
    """Return `item`, about to be stored as `held`, with the verdict to record for it.

    If another finding outranks the addressee's own preference, the tick has not reported it yet:
    it is added here to the warnings, the records and the report to the authority. The message
    stays held, even if that verdict would reject it.
    """
    plane = tick.pipeline.plane
    verdict = outranked(plane, item.verdict, held)
    if verdict is item.verdict:
        return item
    _warn(tick, item, verdict)
    told = item.prohibited
    finding = prohibited_in(verdict.findings)
    if finding is not None:
        found = told_of_held(held, verdict, finding, text_of(plane, (held,)), epoch())
        told = replace(found, action=Action.QUARANTINE)
    known = (*item.known, *found_against(plane, held))
    return replace(item, verdict=verdict, prohibited=told, known=known)


def judged_again(
    held: HeldMessage, action: Action, why: Grounds | HeldMessage, findings: Sequence[Finding]
) -> EventRow:
    """Return the event row that says what stops a message when it is judged again."""
    about = {
        "message_id": str(held.message_id),
        "system_id": held.system_id,
        "action": action.value,
        "reason": why.reason,
        "rule": why.rule,
        "category": why.category,
        "campaign": why.campaign,
        "digest": why.digest,
        "findings": [finding_fields(one) for one in findings],
    }
    return ("e", epoch(), "judged_again", about)


def _warn(tick: Tick, item: Hold, verdict: Verdict) -> None:
    """Count findings that the tick did not reach: it stopped at the addressee's preference."""
    plane = tick.pipeline.plane
    account = plane.rules.accounts[item.session.system_id]
    one = Submission(account, item.source, item.destination)
    one.findings = tuple(f for f in verdict.findings if f not in item.verdict.findings)
    plane.warnings.note(one, epoch(), (item.session.number, item.sequence, item.message_id))
