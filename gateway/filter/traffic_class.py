"""The traffic class that a text shows, by weighted cues; promotion outweighs all else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from daachorse import CharwiseDoubleArrayAhoCorasick as Automaton

from gateway.domain.traffic import TrafficClass
from gateway.filter import optout_hint
from gateway.filter.normalise import compact
from gateway.filter.signature import signature_of
from gateway.filter.simplified_letters import folded
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
from gateway.filter.views import Even

# Names of senders are short, and some boast: one strong word does not make a name a promotion.
_NAME_CHARS = 10
_BOASTING = 2


@dataclass(frozen=True, slots=True)
class ClassifiedText:
    """The class of a text, and the cues found: those for and those against a promotion."""

    traffic_class: TrafficClass
    cues: tuple[str, ...]


def classify(
    text: str, *, signature: str | None = None, advertised: str | None = None
) -> ClassifiedText:
    """Return the class that `text` shows; SERVICE if it shows none (R10).

    An opt-out hint makes it commercial, a mixed text counts as commercial, and the sender's name
    in the signature does not count. If `signature` or `advertised` is None it is read from the
    text; "" says that the text has no such thing. Never PUBLIC_INTEREST: that is for authorities'
    ports (R11).
    """
    name = signature_of(text) if signature is None else signature
    token = optout_hint.advertised(text) if advertised is None else advertised
    plain = folded(text.replace(f"【{name}】", "", 1) if name else text)
    found = _cues_in(plain)
    names = tuple([cue.name for cue in found])
    if token:
        return ClassifiedText(TrafficClass.COMMERCIAL, (f"opt-out {token}", *names))
    return ClassifiedText(_class_of(found, plain), names)


def class_seen(raw: str, seen: Even, name: str) -> tuple[TrafficClass, str | None]:
    """Return what `classify` and `advertised` say of a text with an even view signed by `name`."""
    even, told = seen
    named, name_marks, marks, promotion, relief = told
    if (marks | name_marks) & _HINTED:
        token = optout_hint.advertised_in(even)
        if token is not None:
            return TrafficClass.COMMERCIAL, token
    marked = f"【{name}】" if name else ""
    if named == len(marked) and raw.startswith(marked):
        said = even[named:]
        found = [cue for cue in _marked_by(marks) if cue.agrees(said)]
        if promotion < ENOUGH and not found:  # true for every second text
            return TrafficClass.SERVICE, None
        return _class_of(found, said, promotion, relief), None
    at = raw.find(marked)
    said = even[:at] + even[at + len(marked) :] if at >= 0 else even
    return _class_of(_cues_in(said), said), None


def is_promotion(name: str) -> bool:
    """Tell whether the text in the place of the sender's name is itself a promotion.

    【特惠商城】 is a name that sounds like one; 【全场八折大促】 is a promotion. A name on file is
    allowed in any case; the caller checks that.
    """
    plain = folded(name)
    weights = [cue.weight for cue in _cues_in(plain) if cue.weight > 0]
    if len(name) <= _NAME_CHARS:
        return weights.count(STRONG) >= _BOASTING
    return sum(weights) >= STRONG


def _cues_in(plain: str) -> list[Cue]:
    words = _AUTOMATON.find_overlapping(compact(plain))
    numbers = sorted({_CUE_OF_WORD[word] for _, _, word in words})
    return [cue for cue in map(_SOUGHT.__getitem__, numbers) if cue.agrees(plain)]


def _class_of(
    found: Sequence[Cue], plain: str, promotion: int = 0, relief: int = 0
) -> TrafficClass:
    """Return the class by the cues found and the weights of others, `promotion` and `relief`."""
    has_code = ONE_TIME_CODE in found
    promotion += _promotion_in(found)
    if promotion >= ENOUGH:
        is_selling = (
            _promotes_beside_the_code(plain)
            if has_code
            else promotion + max(relief + _relief_in(found), MOST_RELIEF) >= ENOUGH
        )
        if is_selling:
            return TrafficClass.COMMERCIAL
    return TrafficClass.VERIFICATION if has_code else TrafficClass.SERVICE


def _promotion_in(found: Iterable[Cue]) -> int:
    return sum([cue.weight for cue in found if cue.weight > 0])


def _relief_in(found: Iterable[Cue]) -> int:
    return max(sum([cue.weight for cue in found if cue.weight < 0]), MOST_RELIEF)


def _promotes_beside_the_code(plain: str) -> bool:
    """Tell whether a text promotes beside its code: mixed counts as commercial (R10).

    A code excuses words for its purpose (贷款申请验证码), but not an offer in another clause. In a
    clause that says what the code is for, or that warns, only a strong word promotes.
    """
    if any(cue.weight >= STRONG for cue in _cues_in(plain)):
        return True
    clauses = [clause for clause in CLAUSE_ENDS.split(plain) if not EXCUSES.search(clause)]
    told = [_cues_in(clause) for clause in clauses]
    counted: set[Cue] = set()
    promotion = 0
    # Each cue counts once: in the clause with the least relief.
    for cues in sorted(told, key=_relief_in, reverse=True):
        promotion += max(0, _promotion_in(set(cues) - counted) + _relief_in(cues))
        counted.update(cues)
    return promotion >= ENOUGH


@lru_cache(maxsize=4096)
def _marked_by(marks: int) -> tuple[Cue, ...]:
    return tuple(cue for bit, cue in enumerate(_PATTERNED) if marks >> bit & 1)


_SOUGHT = (*CUES, ONE_TIME_CODE)
_PATTERNED = tuple(cue for cue in _SOUGHT if cue.patterns)
_HINTED = 1 << len(_PATTERNED)
_SPELT = tuple((folded(word), number) for number, cue in enumerate(_SOUGHT) for word in cue.words)
_CUE_OF_WORD = tuple(number for _, number in _SPELT)
_AUTOMATON = Automaton([spelling for spelling, _ in _SPELT])


def _words() -> dict[str, tuple[int, int]]:
    words = dict.fromkeys(optout_hint.SIGNS, (_HINTED, 0))
    for word, number in _SPELT:
        cue, (mark, weight) = _SOUGHT[number], words.get(word, (0, 0))
        if cue in _PATTERNED:
            words[word] = mark | 1 << _PATTERNED.index(cue), weight
        else:
            words[word] = mark, cue.weight
    return words


# Each word with its mark, if a pattern must agree as well, and its weight.
WORDS = _words()
