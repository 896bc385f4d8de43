"""Telling of what is against a message besides its addressee's own rule (R50, R60)."""

from dataclasses import replace

from gateway.dataplane.attention import Hold
from gateway.domain.authority_report import prohibited_in
from gateway.domain.quarantine import HeldMessage
from gateway.domain.records import EventRow
from gateway.domain.verdict import Action, Verdict
from gateway.policy.submission import Submission
from gateway.ports.quarantine import Grounds
from gateway.proxy.rejudging import outranked, text_of
from gateway.proxy.reporting import told_of_held
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch


def exchanged(tick: Tick, item: Hold, held: HeldMessage) -> Hold:
    """Return `item`, which would be `held`, with the verdict that is to be kept of it.

    Where that is another than its addressee's own rule, the tick has said nothing of it yet:
    the warnings, the records and what the authority is told get it here. The message is held
    all the same, whatever the verdict would have done to it.
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
    """Return the event that tells what stops a message by now."""
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
    """Count what the tick has not found, for it stopped at the addressee's rule."""
    plane = tick.pipeline.plane
    account = plane.rules.accounts[item.session.system_id]
    one = Submission(account, item.source, item.destination)
    one.findings = tuple(f for f in verdict.findings if f not in item.verdict.findings)
    plane.warnings.note(one, epoch(), (item.session.number, item.sequence, item.message_id))
