"""The stages that need no text, cheap to dear: each finds against a message or says nothing."""

from collections.abc import Callable

from gateway.domain.msisdn import msisdn_of
from gateway.domain.policy import ConsentRule, Enforcement
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.consent_sets import ConsentSets
from gateway.policy.submission import Submission

Stage = Callable[[Submission, float], Finding | None]

_NOT_OWNED = Finding("SOURCE", Reason.SOURCE_NOT_OWNED, Action.REJECT, "no port of this sender")
_NO_SUBSCRIBER = Finding(
    "DESTINATION", Reason.DESTINATION_INVALID, Action.REJECT, "no subscriber number"
)
_TOO_FAST = Finding("RATE", Reason.RATE, Action.THROTTLE, "over the sender's rate and burst")


def standing(submission: Submission, _now: float) -> Finding | None:
    """Find against every message of a sender that is suspended or expired (O31 art. 6)."""
    return submission.account.standing


def source(submission: Submission, _now: float) -> Finding | None:
    """Find against a source address outside the sender's ports (N136: never false)."""
    port = submission.account.port_of(submission.source)
    submission.port = port
    return None if port is not None else _NOT_OWNED


def destination(submission: Submission, _now: float) -> Finding | None:
    """Find against a destination that is no subscriber number: no refusal could be looked up."""
    number = msisdn_of(submission.destination)
    submission.msisdn = number
    return None if number is not None else _NO_SUBSCRIBER


def rate(submission: Submission, now: float) -> Finding | None:
    """Find against a message over the sender's token bucket. Every judged message is charged."""
    units = submission.units
    if not units or submission.account.bucket.take(now, units):
        return None
    return _TOO_FAST


def consent(rule: ConsentRule, sets: ConsentSets) -> Stage:
    """Return the stage that holds messages against what subscribers said (DEC2012 art. 7).

    Only ports of the rule's purposes: a refusal does not stop a verification code. While the
    sets may lag behind the store, such messages get the rule's `on_store_error`. A refusal
    under a rule on trial is noted in the submission.
    """
    unchecked = Finding(
        "CONSENT",
        Reason.CONSENT_UNCHECKED,
        rule.on_store_error,
        "the consent store cannot be read",
        shadow=rule.on_store_error is Action.FORWARD,
    )
    refused = Finding(
        "OPT-OUT",
        Reason.OPTED_OUT,
        Action.REJECT,
        "the subscriber refused",
        shadow=rule.opt_out is Enforcement.SHADOW,
    )
    unasked = Finding(
        "CONSENT",
        Reason.CONSENT_NONE,
        Action.REJECT,
        "no consent on record",
        shadow=rule.consent is Enforcement.SHADOW,
    )
    asks_opt_out = rule.opt_out is not Enforcement.OFF
    asks_consent = rule.consent is not Enforcement.OFF
    purposes = rule.applies_to

    def stage(submission: Submission, _now: float) -> Finding | None:
        port, number = submission.port, submission.msisdn
        if port is None or number is None or port.purpose not in purposes:
            return None
        if not sets.is_current:
            return unchecked
        scope = submission.account.system_id
        if asks_opt_out and sets.is_refused(scope, number):
            if not refused.shadow or not asks_consent:
                return refused
            submission.findings += (refused,)  # on trial, so the other rule is asked as well
        if asks_consent and not sets.has_agreed(scope, number):
            return unasked
        return None

    return stage
