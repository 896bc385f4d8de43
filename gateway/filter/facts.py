"""What a text shows, worked out once for all messages that carry it."""

import re
from collections.abc import Callable, Sequence
from enum import IntFlag, auto
from functools import lru_cache
from typing import NamedTuple, TypeVar

from gateway.domain.categories import TrafficClass
from gateway.domain.verdict import Finding
from gateway.filter.classifier.score import Piece, TextClass, TextScore
from gateway.filter.contacts import Contact, contacts_of, has_telephone
from gateway.filter.keywords.index import Hit
from gateway.filter.links import TextLink, links_of, may_link
from gateway.filter.normalise.shapes import SHAPED, hints_of, shaped
from gateway.filter.normalise.unicode_fold import FILLERS
from gateway.filter.normalise.views import CONTACT, EVERY, Views
from gateway.filter.optout_hint import advertised
from gateway.filter.traffic_class import (
    class_seen,
    classify,
    is_promotion,
    names_offers,
    signature_of,
)

# With several readings the strongest class counts; the strongest is last.
STRENGTH = (TrafficClass.SERVICE, TrafficClass.VERIFICATION, TrafficClass.COMMERCIAL)


class VisibleFacts(NamedTuple):
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
            traffic = stronger(shown.traffic, _shown_alone(further).traffic)
            shown = shown._replace(traffic=traffic)
    return shown


def shown_in(text: Views) -> VisibleFacts:
    """Return what a text shows; takes a third of the time if a tick has made its views."""
    if text.even is None:
        return shown_by(text.raw)
    signature = signature_of(text.raw) or ""
    traffic, token = class_seen(text.raw, text.even, signature)
    if text.hints & SHAPED:
        for further in text.further:
            traffic = stronger(traffic, _shown_alone(further.raw).traffic)
    return _shown(traffic, signature, token or "")


def stronger(one: TrafficClass, other: TrafficClass) -> TrafficClass:
    """Return the class of a text with two readings of different classes (R10)."""
    return max(one, other, key=STRENGTH.index)


def _shown_alone(text: str) -> VisibleFacts:
    signature, token = signature_of(text) or "", advertised(text) or ""
    return _shown(classify(text, signature, token), signature, token)


# There are some thousand senders in a day, and most sign all their texts alike.
@lru_cache(maxsize=4096)
def _shown(traffic: TrafficClass, signature: str, token: str) -> VisibleFacts:
    selling_name = signature if signature and is_promotion(signature) else ""
    return VisibleFacts(traffic, signature, token, selling_name)


Found = TypeVar("Found", TextLink, Contact)

# Links and contacts are located in Python, and what a text shows is: a text of 65 000 characters
# would take a second. Of a longer one than this, what it shows is asked of its beginning and end.
_ENDLESS_CHARS = 4_096
# What fills a text up: blanks and signs, the same character again and again.
_FILLING = re.compile(r"((?:[^\w【】]|_){4})(?:[^\w【】]|_)+|(.)\2{4,}", re.DOTALL)


def ends_of(text: str) -> str:
    """Return a text that is no longer than people read, else its beginning and its end.

    What fills it up is left out before: an offer behind a thousand blanks is at its beginning.
    """
    if len(text) <= _ENDLESS_CHARS:
        return text
    text = _FILLING.sub(_cut_short, FILLERS.sub("", text))
    half = _ENDLESS_CHARS // 2
    return text if len(text) <= _ENDLESS_CHARS else f"{text[:half]}\n{text[-half:]}"


def _cut_short(found: re.Match[str]) -> str:
    return found[1] or found[2]


class TextSign(IntFlag):
    """What a text shows. A check says with which of these it must be asked about the text itself.

    `LINK` and `CONTACT` say that it may have one. `ENDLESS` texts are not searched for them.
    """

    WHOLE = auto()
    SIGNED = auto()
    HINTED = auto()
    SELLING = auto()
    LINK = auto()
    CONTACT = auto()
    ENDLESS = auto()


# As numbers: flags are slow to add, and each new text has its signs.
_WHOLE, _SIGNED, _HINTED, _SELLING, _LINK, _CONTACT, _ENDLESS = map(int, TextSign)


class TextFacts:
    """The keywords in a text, and what the text shows; the latter is worked out on demand.

    - `texts`: its plausible readings, the likeliest first.
    - `findings`: what the policy makes of the hits; None until the policy was asked.
    - `is_whole`: if False, parts of the text are missing, and may show what is not seen yet.
    - `told_by`: the ports that were noted with the advertised word of the text, a few of them.
    - `ruling`: what rules make of the text from the sources `ruled_for`, the last that were ruled;
      `rulings`: the same from others, by kind of sources; None until there are others.
    - `scored`: what a classifier says of each reading if a port sends it; `personal`: the same if
      a personal number sends it. None if no classifier was asked, or it failed.
    - `compared`: the classes in which two classifiers have been compared on the text.
    - `sound`: the sound view of the likeliest reading, kept until its fingerprint is made.
    - `fingerprint`: that of the likeliest reading, to find the text again; None until asked for.
    - `massed`: what a counter of its messages caches for a while.
    - `views`: those of the readings, kept until the text is judged; larger than the text.
    - `is_told`: evidence must name places; `pieces`: the pieces that made the score. Both are for
      people who ask why.
    """

    __slots__ = (
        "_contacts",
        "_links",
        "_shown",
        "_signs",
        "_telephone",
        "compared",
        "findings",
        "fingerprint",
        "hits",
        "is_told",
        "is_whole",
        "massed",
        "personal",
        "pieces",
        "ruled_for",
        "ruling",
        "rulings",
        "scored",
        "sound",
        "texts",
        "told_by",
        "views",
    )

    def __init__(
        self, hits: tuple[Hit, ...], texts: Sequence[str], *, is_whole: bool = True
    ) -> None:
        self.hits = hits
        self.texts = tuple(texts)
        self.is_whole = is_whole
        self.told_by: tuple[object, ...] = ()
        self.ruled_for: object = None
        self.ruling: object = None
        self.rulings: dict[object, object] | None = None
        self.findings: tuple[Finding, ...] | None = None if hits else ()
        self._shown: VisibleFacts | None = None
        self._signs = 0
        self._telephone: bool | None = None
        self._links: tuple[TextLink, ...] | None = None
        self._contacts: tuple[Contact, ...] | None = None
        self.scored: tuple[TextScore, ...] | None = None
        self.personal: tuple[TextScore, ...] | None = None
        self.compared: tuple[TextClass, ...] = ()
        self.sound = ""
        self.fingerprint: object = None
        self.massed: object = None
        self.views: Sequence[Views] = ()
        self.is_told = False
        self.pieces: tuple[Piece, ...] = ()

    def shown(self) -> VisibleFacts:
        """Return what the text shows; with several readings, the strongest class (R10)."""
        if self._shown is None:
            # Making the views just for this would cost more than it saves.
            if self.views and not self.is_endless:
                seen = map(shown_in, self.views)
            else:
                seen = map(shown_by, map(ends_of, self.texts))
            shown = _strongest(list(seen))
            if self.is_endless and any(names_offers(one.letters) for one in self.seen()):
                shown = shown._replace(traffic=TrafficClass.COMMERCIAL)
            self._shown = shown
        return self._shown

    def signs(self) -> int:
        """Return what the text shows, as bits of TextSign; best before its views are dropped."""
        if not self._signs:
            shown, clues = self.shown(), 0 if self.views else EVERY
            for view in self.views:
                clues |= view.clues
            self._signs = (
                _WHOLE * self.is_whole
                | _SIGNED * bool(shown.signature)
                | _HINTED * bool(shown.advertised)
                | _SELLING * (shown.traffic is TrafficClass.COMMERCIAL)
                | _LINK * may_link(clues)
                | _CONTACT * bool(clues & CONTACT)
                | _ENDLESS * self.is_endless
            )
        return self._signs

    def names_telephone(self) -> bool:
        """Tell whether a reading names a number to call (R38); on demand, since few rules ask."""
        if self._telephone is None:
            self._telephone = any(map(has_telephone, self.texts))
        return self._telephone

    @property
    def is_endless(self) -> bool:
        """Tell whether a reading is longer than people read, and too long to search for links."""
        for text in self.texts:  # noqa: SIM110 - asked of each new text: any() takes three times as long
            if len(text) > _ENDLESS_CHARS:
                return True
        return False

    def let_go(self) -> None:
        """Drop the views, links and contacts of the readings: they take much memory."""
        self.views, self._links, self._contacts = (), None, None

    def links(self) -> tuple[TextLink, ...]:
        """Return the links of all readings; on demand, since few rules ask."""
        if self._links is None:
            self._links = _of_all(self.seen(), links_of)
        return self._links

    def contacts(self) -> tuple[Contact, ...]:
        """Return the contacts of all readings; on demand, since few rules ask."""
        if self._contacts is None:
            self._contacts = _of_all(self.seen(), contacts_of)
        return self._contacts

    def seen(self) -> Sequence[Views]:
        """Return the views of the readings; they are made again if they were dropped."""
        return self.views or tuple(map(Views, self.texts))


def _of_all(
    seen: Sequence[Views], found_in: Callable[[Views], tuple[Found, ...]]
) -> tuple[Found, ...]:
    if len(seen) == 1:
        return found_in(seen[0])
    return tuple(one for text in seen for one in found_in(text))


def _strongest(seen: Sequence[VisibleFacts]) -> VisibleFacts:
    if len(seen) == 1:
        return seen[0]
    return VisibleFacts(
        max((one.traffic for one in seen), key=STRENGTH.index, default=TrafficClass.SERVICE),
        next((one.signature for one in seen if one.signature), ""),
        next((one.advertised for one in seen if one.advertised), ""),
        next((one.selling_name for one in seen if one.selling_name), ""),
    )
