"""Combinations of the catalogue, tried on the pipeline hundreds at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, islice

from gateway.dataplane.attention import Hold
from gateway.domain.policy import ContentRule, KeywordList, ListAction
from gateway.policy.bundle import Bundle
from tests.dataplane.conftest import World, header, sent, smsc
from tests.promises.disguises.carriers import Carrier, Envelope
from tests.promises.disguises.codings import Coding, Unwritable
from tests.promises.disguises.disguise import Disguise
from tests.promises.disguises.words import WORDS, Word

BUNDLE = Bundle(
    name="disguises",
    digest="d15901535000",
    keyword_lists=(
        KeywordList("K-WORDS", "fraud", ListAction.REJECT, tuple(word.text for word in WORDS)),
    ),
    content=ContentRule(),
)
_AT_ONCE = 500
_WINDOW = 1_000_000
_FIRST_NUMBER = 13_800_000_000
_MAX_TURNS = 10_000


class Outcome(StrEnum):
    """What becomes of a message: REFUSED where the phone misses a request of it at least."""

    REFUSED = "refused"
    HELD = "held"
    FORWARDED = "forwarded"


@dataclass(frozen=True, slots=True)
class Combination:
    """A word in a disguise, as a coding writes it and a carrier brings it.

    Without a disguise the word is plain, without a word the text is innocent: what stands
    around the words of a script.
    """

    text: str
    coding: Coding
    carrier: Carrier
    word: Word
    disguise: Disguise | None = None


def outcomes(combinations: Iterable[Combination]) -> Iterator[tuple[Combination, Outcome]]:
    """Yield what becomes of each combination that can be written; the others are left out."""
    left = iter(combinations)
    while some := list(islice(left, _AT_ONCE)):
        yield from _tick(some)


def is_writable(text: str, coding: Coding) -> bool:
    """Tell whether `coding` has every character of `text`."""
    try:
        coding.octets(text)
    except Unwritable:
        return False
    return True


def counts(found: Iterable[tuple[Combination, Outcome]]) -> Counter[Outcome]:
    """Return how many combinations came to each outcome."""
    return Counter(outcome for _, outcome in found)


def missed(found: Iterable[tuple[Combination, Outcome]]) -> Counter[str]:
    """Return the disguises, codings and carriers of what was not refused, with how often."""
    names: Counter[str] = Counter()
    for one, outcome in found:
        if outcome is not Outcome.REFUSED:
            disguise = one.disguise.name if one.disguise else "plain"
            names[f"{outcome}: {disguise} | {one.coding.name} | {one.carrier.name}"] += 1
    return names


def _tick(combinations: Sequence[Combination]) -> list[tuple[Combination, Outcome]]:
    """Submit all requests in one tick of a new world, and tell the outcome of each message."""
    world = World(BUNDLE)
    session = world.session(window=_WINDOW)
    sequences = count(1)
    requests: list[bytes] = []
    spans: list[tuple[Combination, range]] = []
    for place, one in enumerate(combinations):
        first = _FIRST_NUMBER + 3 * place
        envelope = Envelope(
            f"{first}", (f"{first + 1}", f"{first + 2}"), reference=place + 1, sequences=sequences
        )
        built = one.carrier.requests(envelope, one.coding, one.text)
        if built is not None:
            numbers = [header(pdu)[2] for pdu in built]
            spans.append((one, range(min(numbers), max(numbers) + 1)))
            requests += built
    peer = smsc(session)
    refused: set[int] = set()
    held: set[int] = set()
    batch = world.submit(session, *requests)
    for _ in range(_MAX_TURNS):
        for pdu in sent(batch, session):
            _, status, sequence = header(pdu)
            if status:
                refused.add(sequence)
        held |= {one.sequence for one in batch.attention if isinstance(one, Hold)}
        if not session.tail:
            break
        world.now += 1.0  # what waits for its turn has it
        batch = world.submit(session)
    passed = {waiting[1] for waiting in peer.outstanding.values()}
    told = refused | held | passed
    assert all(number in told for _, span in spans for number in span), "a request is lost"
    return [(one, _outcome(span, refused, held)) for one, span in spans]


def _outcome(numbers: range, refused: set[int], held: set[int]) -> Outcome:
    if not refused.isdisjoint(numbers):
        return Outcome.REFUSED
    return Outcome.FORWARDED if held.isdisjoint(numbers) else Outcome.HELD
