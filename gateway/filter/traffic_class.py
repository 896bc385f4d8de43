"""The traffic class that a text shows: weighed cues, promotion outweighing all else."""

from collections.abc import Iterable
from dataclasses import dataclass

from ahocorasick_rs import AhoCorasick

from gateway.domain.traffic import TrafficClass
from gateway.filter import optout_hint
from gateway.filter.normalise import compact
from gateway.filter.signature import signature_of
from gateway.filter.simplified import folded
from gateway.filter.traffic_cues import (
    CLAUSE_ENDS,
    CUES,
    ENOUGH,
    EXCUSES,
    MOST_RELIEF,
    ONE_TIME_CODE,
    STRONG,
    Cue,
)

# Names of senders are short, and some boast: one strong word makes no promotion of them.
_NAME_CHARS = 10
_BOASTING = 2


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
    name = signature or signature_of(text)
    plain = folded(text.replace(f"【{name}】", "", 1) if name else text)
    numbers = _numbers_in(plain)
    if not numbers and advertised is None:
        return _PLAIN_SERVICE
    if _HINT in numbers:
        numbers.discard(_HINT)
        advertised = advertised or optout_hint.advertised(text)
    found = _cues_of(numbers, plain)
    names = tuple([cue.name for cue in found])
    if advertised is not None:
        return Classified(TrafficClass.COMMERCIAL, (f"opt-out {advertised}", *names))
    return Classified(_class_of(found, plain), names)


def is_promotion(name: str) -> bool:
    """Tell whether what stands in the place of the sender's name is a promotion itself.

    【特惠商城】 is a name that sounds like one; 【全场八折大促】 is none. A name on file may be
    whatever it is.
    """
    plain = folded(name)
    weights = [cue.weight for cue in _cues_of(_numbers_in(plain), plain) if cue.weight > 0]
    if len(name) <= _NAME_CHARS:
        return weights.count(STRONG) >= _BOASTING
    return sum(weights) >= STRONG


def _numbers_in(plain: str) -> set[int]:
    hits = _AUTOMATON.find_matches_as_indexes(compact(plain), _OVERLAPPING)
    return {_CUE_OF_WORD[word] for word, _, _ in hits}


def _cues_of(numbers: set[int], plain: str) -> list[Cue]:
    return [cue for cue in map(_SOUGHT.__getitem__, sorted(numbers)) if _agrees(cue, plain)]


def _agrees(cue: Cue, plain: str) -> bool:
    return cue.pattern is None or cue.pattern.search(plain) is not None


def _class_of(found: list[Cue], plain: str) -> TrafficClass:
    has_code = ONE_TIME_CODE in found
    if _promotion_in(found) >= ENOUGH:
        is_selling = (
            _promotes_beside_the_code(found, plain)
            if has_code
            else _promotion_in(found) + _relief_in(found) >= ENOUGH
        )
        if is_selling:
            return TrafficClass.COMMERCIAL
    return TrafficClass.VERIFICATION if has_code else TrafficClass.SERVICE


def _promotion_in(found: Iterable[Cue]) -> int:
    return sum([cue.weight for cue in found if cue.weight > 0])


def _relief_in(found: Iterable[Cue]) -> int:
    return max(sum([cue.weight for cue in found if cue.weight < 0]), MOST_RELIEF)


def _promotes_beside_the_code(found: list[Cue], plain: str) -> bool:
    """Tell whether a text promotes beside its code: mixed counts as commercial (R10).

    A code relieves what it is for (贷款申请验证码), and not an offer in another clause. What a
    clause says the code is for, or warns of, promotes nothing, unless the word is a strong one.
    """
    if any(cue.weight >= STRONG for cue in found):
        return True
    clauses = [clause for clause in CLAUSE_ENDS.split(plain) if not EXCUSES.search(clause)]
    told = [_cues_of(_numbers_in(clause) - {_HINT}, clause) for clause in clauses]
    counted: set[Cue] = set()
    promotion = 0
    # Each cue counts once: where nothing relieves it, if it stands there too.
    for cues in sorted(told, key=_relief_in, reverse=True):
        promotion += max(0, _promotion_in(set(cues) - counted) + _relief_in(cues))
        counted.update(cues)
    return promotion >= ENOUGH


_PLAIN_SERVICE = Classified(TrafficClass.SERVICE, ())
_OVERLAPPING = True
_SOUGHT = (*CUES, ONE_TIME_CODE, Cue("opt-out hint", 0, optout_hint.SIGNS))
_HINT = len(_SOUGHT) - 1
_SPELT = tuple((folded(word), number) for number, cue in enumerate(_SOUGHT) for word in cue.words)
_CUE_OF_WORD = tuple(number for _, number in _SPELT)
_AUTOMATON = AhoCorasick(spelling for spelling, _ in _SPELT)
