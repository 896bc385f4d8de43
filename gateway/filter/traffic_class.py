"""The traffic class that a text shows: weighed cues, promotion outweighing all else."""

from dataclasses import dataclass

from ahocorasick_rs import AhoCorasick

from gateway.domain.traffic import TrafficClass
from gateway.filter import optout_hint
from gateway.filter.normalise import compact, normalise
from gateway.filter.signature import signature_of
from gateway.filter.simplified import traditional
from gateway.filter.traffic_cues import (
    CUES,
    ENOUGH,
    MOST_RELIEF,
    ONE_TIME_CODE,
    Cue,
)

# What is looked at: a joined long message may be longer, and repeats itself or says all
# that matters before.
MAX_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Classified:
    """The class of a text, and the cues found: those for a promotion and those against."""

    traffic_class: TrafficClass
    cues: tuple[str, ...]


def classify(
    text: str, *, signature: str | None = None, advertised: str | None = None
) -> Classified:
    """Return the class that `text` shows; SERVICE when it shows none (R10).

    An opt-out hint makes it commercial, mixed counts as commercial, and the sender's name in
    the signature counts for nothing. What is not given of `signature` and `advertised` is
    read from the text. Never PUBLIC_INTEREST: that is for authorities' ports (R11).
    """
    text = text[:MAX_CHARS]
    name = signature or signature_of(text)
    plain = normalise(text.replace(f"【{name}】", "", 1) if name else text)[:MAX_CHARS]
    hits = _AUTOMATON.find_matches_as_indexes(compact(plain), _OVERLAPPING)
    if not hits and advertised is None:
        return _PLAIN_SERVICE
    numbers = {_CUE_OF_WORD[word] for word, _, _ in hits}
    if _HINT in numbers:
        numbers.discard(_HINT)
        advertised = advertised or optout_hint.advertised(text)
    found = [cue for cue in map(_SOUGHT.__getitem__, sorted(numbers)) if _agrees(cue, plain)]
    names = tuple([cue.name for cue in found])
    if advertised is not None:
        return Classified(TrafficClass.COMMERCIAL, (f"opt-out {advertised}", *names))
    return Classified(_class_of([cue.weight for cue in found], names), names)


def _agrees(cue: Cue, plain: str) -> bool:
    return cue.pattern is None or cue.pattern.search(plain) is not None


def _class_of(weights: list[int], names: tuple[str, ...]) -> TrafficClass:
    promotion = sum([weight for weight in weights if weight > 0])
    if promotion >= ENOUGH:
        relief = sum([weight for weight in weights if weight < 0])
        if promotion + max(relief, MOST_RELIEF) >= ENOUGH:
            return TrafficClass.COMMERCIAL
    return TrafficClass.VERIFICATION if ONE_TIME_CODE.name in names else TrafficClass.SERVICE


_PLAIN_SERVICE = Classified(TrafficClass.SERVICE, ())
_OVERLAPPING = True
_SOUGHT = (*CUES, ONE_TIME_CODE, Cue("opt-out hint", 0, optout_hint.SIGNS))
_HINT = len(_SOUGHT) - 1
# Both spellings of every word, so that no text need be brought to simplified characters.
_SPELT = tuple(
    (spelling, number)
    for number, cue in enumerate(_SOUGHT)
    for word in cue.words
    for spelling in dict.fromkeys((word, traditional(word)))
)
_CUE_OF_WORD = tuple(number for _, number in _SPELT)
_AUTOMATON = AhoCorasick(spelling for spelling, _ in _SPELT)
