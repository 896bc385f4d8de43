"""What a text must show (R05, R30, R38).

What is missing may stand in a part that has not arrived yet. So it is asked of the last part to
arrive; without that part no phone shows the message.
"""

from gateway.domain.sender import Purpose
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Reason
from gateway.policy.evidence import Ask, Evidence
from gateway.policy.rules import Nameless, NoWayOut, PurposeMissed
from gateway.policy.submission import Submission

_MISUSED = Evidence("a commercial text from a port for another purpose")
_NO_WAY_OUT = Evidence("the text tells no way to refuse")
_NAMELESS = Evidence("the text names no sender")
_PHONELESS = Evidence("the text names no telephone number", Reason.NO_SENDER_PHONE)


def purpose_missed(_check: PurposeMissed) -> Ask:
    """Ask whether a commercial text comes from a port that is registered for another purpose."""

    def ask(submission: Submission, _at: float) -> Evidence | None:
        port, facts = submission.port, submission.facts
        if port is None or port.purpose is Purpose.MARKETING or facts is None:
            return None
        return _MISUSED if facts.shown().traffic is TrafficClass.COMMERCIAL else None

    return ask


def no_way_out(_check: NoWayOut) -> Ask:
    """Ask whether the text tells no way to refuse further messages."""

    def ask(submission: Submission, _at: float) -> Evidence | None:
        facts = submission.facts
        if facts is None or not facts.is_whole or facts.shown().advertised:
            return None
        return _NO_WAY_OUT

    return ask


def nameless(check: Nameless) -> Ask:
    """Ask whether the text lacks the name of its sender in 【】, or a number to call."""
    wants_telephone = check.telephone

    def ask(submission: Submission, _at: float) -> Evidence | None:
        facts = submission.facts
        if facts is None or not facts.is_whole:
            return None
        if not facts.shown().signature:
            return _NAMELESS
        return _PHONELESS if wants_telephone and not facts.names_telephone() else None

    return ask
