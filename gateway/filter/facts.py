"""What a text shows, worked out once however many messages carry it."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Finding
from gateway.filter.keywords import Hit
from gateway.filter.optout_hint import advertised
from gateway.filter.signature import signature_of
from gateway.filter.telephone import has_telephone
from gateway.filter.traffic_class import classify, is_promotion


@dataclass(frozen=True, slots=True)
class Shown:
    """What readers of a text see: its class, who signs it, and how to refuse.

    `signature` and `advertised` (the word to reply) are "" where there is none. The class is
    that of the text without its signature; `selling_name` is a promotion that stands in the
    place of that (R10).
    """

    traffic: TrafficClass = TrafficClass.SERVICE
    signature: str = ""
    advertised: str = ""
    selling_name: str = ""


_STRENGTH = (TrafficClass.SERVICE, TrafficClass.VERIFICATION, TrafficClass.COMMERCIAL)


class TextFacts:
    """The keywords that stand in a text, and what it shows, which is worked out when asked for.

    `texts` are its plausible readings, the likeliest first. `findings` is the place for what
    the policy makes of the hits: None until it was asked. Without `is_whole` parts of the text
    are missing, so that what it does not show may still come. `told_by` is the sender whose
    advertised word was noted last, and `rulings` the place for what rules make of the text, by
    sender and source.
    """

    __slots__ = (
        "_shown",
        "_telephone",
        "findings",
        "hits",
        "is_whole",
        "rulings",
        "texts",
        "told_by",
    )

    def __init__(
        self, hits: tuple[Hit, ...], texts: Sequence[str], *, is_whole: bool = True
    ) -> None:
        self.hits = hits
        self.texts = tuple(texts)
        self.is_whole = is_whole
        self.told_by = ""
        self.rulings: dict[object, object] = {}
        self.findings: tuple[Finding, ...] | None = None if hits else ()
        self._shown: Shown | None = None
        self._telephone: bool | None = None

    def shown(self) -> Shown:
        """Return what the text shows: of several readings the strongest class (R10)."""
        if self._shown is None:
            self._shown = _shown(self.texts)
        return self._shown

    def names_telephone(self) -> bool:
        """Tell whether one of the readings names a number to call (R38); apart, few rules ask."""
        if self._telephone is None:
            self._telephone = any(map(has_telephone, self.texts))
        return self._telephone


def _shown(texts: Sequence[str]) -> Shown:
    seen = [_reading(text) for text in texts]
    if not seen:
        return Shown()
    return Shown(
        max((one.traffic for one in seen), key=_STRENGTH.index),
        next((one.signature for one in seen if one.signature), ""),
        next((one.advertised for one in seen if one.advertised), ""),
        next((one.selling_name for one in seen if one.selling_name), ""),
    )


def _reading(text: str) -> Shown:
    signature, token = signature_of(text) or "", advertised(text)
    found = classify(text, signature=signature, advertised=token)
    selling_name = signature if signature and is_promotion(signature) else ""
    return Shown(found.traffic_class, signature, token or "", selling_name)
