"""Requests for consent as findings: one may go out for each content, ever (D14, R23).

Only the store knows whether the subscriber was asked before, and the tick cannot wait for the
store. A request that may otherwise pass gets the finding ASKING, and code that can wait decides.
"""

from gateway.domain.verdict import Action, Finding, Reason, Verdict

ASKING = Finding(
    "R23", Reason.CONSENT_ASKED, Action.DEFER, "a request for consent: the store tells if it may go"
)
ASKED = Finding(
    "R23", Reason.CONSENT_ASKED, Action.REJECT, "the subscriber was asked much the same before"
)
UNKNOWN = Finding(
    "R23",
    Reason.CONSENT_UNCHECKED,
    Action.REJECT,
    "the consent store cannot be asked",
    status="ESME_RMSGQFUL",
)
AWAY = Finding("R23", Reason.OVERLOADED, Action.REJECT, "the way to the SMSC was lost")
REFUSED = Finding("R21", Reason.OPTED_OUT, Action.REJECT, "the subscriber refused meanwhile")
TO_MANY = Finding("R23", Reason.CONSENT_ASKED, Action.REJECT, "consent is asked of one at a time")


def is_asking(verdict: Verdict) -> bool:
    """Tell whether a verdict only says that the store must be asked first."""
    return verdict.action is Action.DEFER and verdict.deciding == ASKING
