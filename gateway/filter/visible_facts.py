"""What readers of a text see: its purpose, who signs it, and how to refuse more of it."""

from dataclasses import dataclass
from functools import lru_cache

from gateway.domain.traffic import TrafficClass
from gateway.filter.optout_hint import advertised
from gateway.filter.shapes import SHAPED, hints_of, shaped
from gateway.filter.signature import signature_of
from gateway.filter.traffic_class import class_seen, classify, is_promotion
from gateway.filter.views import Views

# With several readings the strongest class counts; the strongest is last.
STRENGTH = (TrafficClass.SERVICE, TrafficClass.VERIFICATION, TrafficClass.COMMERCIAL)


@dataclass(slots=True)  # frozen takes four times the time, for every new text
class VisibleFacts:
    """What readers of a text see: its class, who signs it, and how to refuse.

    `signature` and `advertised` (the word to reply) are "" if missing. The class is that of the
    text without its signature. `selling_name` is a promotion in the place of the signature (R10).
    """

    traffic: TrafficClass = TrafficClass.SERVICE
    signature: str = ""
    advertised: str = ""
    selling_name: str = ""


def shown_by(text: str) -> VisibleFacts:
    """Return what a text shows."""
    shown = _shown_alone(text)
    if hints_of(text) & SHAPED:
        for further in shaped(text):
            shown.traffic = stronger(shown.traffic, _shown_alone(further).traffic)
    return shown


def shown_in(text: Views) -> VisibleFacts:
    """Return what a text shows; takes a third of the time if a tick has made its views."""
    if text.even is None:
        return shown_by(text.raw)
    signature = signature_of(text.raw) or ""
    traffic, token = class_seen(text.raw, text.even, signature)
    for further in text.further:
        traffic = stronger(traffic, _shown_alone(further.raw).traffic)
    return _shown(traffic, signature, token or "")


def stronger(one: TrafficClass, other: TrafficClass) -> TrafficClass:
    """Return the class of a text with two readings of different classes (R10)."""
    return max(one, other, key=STRENGTH.index)


def _shown_alone(text: str) -> VisibleFacts:
    signature, token = signature_of(text) or "", advertised(text) or ""
    found = classify(text, signature=signature, advertised=token)
    return _shown(found.traffic_class, signature, token)


def _shown(traffic: TrafficClass, signature: str, token: str) -> VisibleFacts:
    selling_name = signature if signature and _sells(signature) else ""
    return VisibleFacts(traffic, signature, token, selling_name)


# There are some thousand senders in a day.
_sells = lru_cache(maxsize=4096)(is_promotion)
