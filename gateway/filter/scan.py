"""The content stage of a tick: texts already judged are answered from memory."""

from collections.abc import Callable, Sequence
from datetime import date

from gateway.domain.policy import ListAction
from gateway.filter.facts import TextFacts
from gateway.filter.inflation import deflated, is_inflated
from gateway.filter.keywords import Hit, KeywordIndex

UNREADABLE = Hit("UNREADABLE", "unreadable", ListAction.QUARANTINE, "", is_unreadable=True)

MAX_CACHED_OCTETS = 96 * 2**20

# What the interpreter holds beside the octets of one entry: key tuple, bytes object, dict
# slot and its share of empty slots, the facts and the objects in them; and the readings, two
# octets a character, which may be several.
_ENTRY_OCTETS = 900
_OCTETS_PER_OCTET = 4

Readings = Callable[[bytes, int], tuple[str, ...]]
CodedText = tuple[int, bytes]


class ContentScan:
    """Judges texts by `index`, remembering the facts of each data_coding and octets.

    Bulk traffic repeats itself, so most texts of a tick cost one dict look-up. Memory is
    bounded in entries and octets by two generations: when the young one is full it becomes
    the old one, and the old one is forgotten whole. What is asked for again moves to the
    young one, so no message pays for an eviction and a flood of new texts pushes out only
    what is not in use. A new index needs a new ContentScan.
    """

    def __init__(
        self,
        index: KeywordIndex,
        cache_entries: int = 65_536,
        cache_octets: int = MAX_CACHED_OCTETS,
    ) -> None:
        self._index = index
        self._generation_entries = max(1, cache_entries // 2)
        self._generation_octets = cache_octets // 2
        self._young: dict[CodedText, TextFacts] = {}
        self._old: dict[CodedText, TextFacts] = {}
        self._young_octets = 0
        self._day: date | None = None

    def keep_day(self, day: date) -> None:
        """Judge by the lists that hold on `day` from now on; all hold until this is called.

        Cheap to repeat. Facts are forgotten where lists that come and go make them others.
        """
        if day != self._day and self._index.has_dates:
            self._young, self._old, self._young_octets = {}, {}, 0
        self._day = day

    def scan(self, messages: Sequence[CodedText], readings: Readings) -> list[TextFacts]:
        """Return the facts of each message, a pair of data_coding and text octets, in order.

        `readings` gives every plausible reading of octets under a data_coding, and must
        always give the same ones. Octets of which it reads nothing get UNREADABLE, and so do
        texts that are inflated, so that nothing passes unseen.
        """
        return [
            self._young.get(message) or self._recalled(message) or self._judged(message, readings)
            for message in messages
        ]

    def look_up(self, data_coding: int, octets: bytes) -> TextFacts | None:
        """Return what is remembered of the text, None when it is unknown."""
        key = (data_coding, octets)
        return self._young.get(key) or self._recalled(key)

    def judge_texts(
        self, texts: Sequence[str], *, is_unreadable: bool = False, is_whole: bool = True
    ) -> TextFacts:
        """Return the facts over all of `texts`, remembering nothing: joined parts.

        `is_unreadable` says that beside them there is one that could not be read, and without
        `is_whole` there are parts that did not come yet.
        """
        return self._facts_of(texts, is_unreadable=is_unreadable, is_whole=is_whole)

    def explain_texts(self, texts: Sequence[str]) -> TextFacts:
        """Return what `judge_texts` returns, with the place of each hit; dear, for people."""
        facts = self._facts_of(texts)
        spans = {
            (hit.list_id, hit.word): hit for hit in self._index.located(facts.texts, self._day)
        }
        hits = tuple(spans.get((hit.list_id, hit.word), hit) for hit in facts.hits)
        return TextFacts(hits, facts.texts)

    def _recalled(self, key: CodedText) -> TextFacts | None:
        facts = self._old.get(key)
        if facts is not None:
            self._remember(key, facts)
        return facts

    def _judged(self, message: CodedText, readings: Readings) -> TextFacts:
        data_coding, octets = message
        texts = readings(octets, data_coding)
        is_read = not octets or any(text.strip("\N{REPLACEMENT CHARACTER}") for text in texts)
        facts = self._facts_of(texts) if is_read else TextFacts((UNREADABLE,), texts)
        self._remember(message, facts)
        return facts

    def _facts_of(
        self, texts: Sequence[str], *, is_unreadable: bool = False, is_whole: bool = True
    ) -> TextFacts:
        if any(map(is_inflated, texts)):
            is_unreadable = True
            texts = [deflated(text) if is_inflated(text) else text for text in texts]
        hits = self._index.search(texts, self._day)
        return TextFacts((*hits, UNREADABLE) if is_unreadable else hits, texts, is_whole=is_whole)

    def _remember(self, key: CodedText, facts: TextFacts) -> None:
        octets = len(key[1]) * _OCTETS_PER_OCTET + _ENTRY_OCTETS
        if octets > self._generation_octets:
            return
        if (
            len(self._young) >= self._generation_entries
            or self._young_octets + octets > self._generation_octets
        ):
            self._old, self._young, self._young_octets = self._young, {}, 0
        self._young[key] = facts
        self._young_octets += octets
