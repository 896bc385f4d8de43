"""Report findings against a message held by its addressee's own preference (R50, R60)."""

from dataclasses import replace

from gateway.dataplane.attention import Hold
from gateway.domain.authority_report import prohibited_in
from gateway.domain.quarantine import HeldMessage
from gateway.domain.records import EventRow
from gateway.domain.verdict import Action, Verdict
from gateway.policy.submission import Submission
from gateway.ports.quarantine import Grounds
from gateway.proxy.rejudge import outranked, text_of
from gateway.proxy.report_writer import told_of_held
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch


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
    return replace(item, verdict=verdict, prohibited=told)


def judged_again(held: HeldMessage, action: Action, why: Grounds | HeldMessage) -> EventRow:
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
    }
    return ("e", epoch(), "judged_again", about)


def _warn(tick: Tick, item: Hold, verdict: Verdict) -> None:
    """Count findings that the tick did not reach: it stopped at the addressee's preference."""
    plane = tick.pipeline.plane
    account = plane.rules.accounts[item.session.system_id]
    one = Submission(account, item.source, item.destination)
    one.findings = tuple(f for f in verdict.findings if f not in item.verdict.findings)
    plane.warnings.note(one, epoch(), (item.session.number, item.sequence, item.message_id))
