"""The content stage of a tick: texts already judged are answered from memory."""

from collections.abc import Callable, Sequence

from gateway.domain.policy import ListAction
from gateway.filter.facts import TextFacts
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

    def scan(self, messages: Sequence[CodedText], readings: Readings) -> list[TextFacts]:
        """Return the facts of each message, a pair of data_coding and text octets, in order.

        `readings` gives every plausible reading of octets under a data_coding, and must
        always give the same ones. Octets of which it reads nothing get UNREADABLE, so that
        nothing passes unseen.
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
        """Return the facts over all of `texts`, remembering nothing: joined parts, explain.

        `is_unreadable` says that beside them there is one that could not be read, and without
        `is_whole` there are parts that did not come yet.
        """
        hits = self._index.search(texts)
        return TextFacts((*hits, UNREADABLE) if is_unreadable else hits, texts, is_whole=is_whole)

    def _recalled(self, key: CodedText) -> TextFacts | None:
        facts = self._old.get(key)
        if facts is not None:
            self._remember(key, facts)
        return facts

    def _judged(self, message: CodedText, readings: Readings) -> TextFacts:
        data_coding, octets = message
        texts = readings(octets, data_coding)
        is_read = not octets or any(text.strip("\N{REPLACEMENT CHARACTER}") for text in texts)
        facts = TextFacts(self._index.search(texts) if is_read else (UNREADABLE,), texts)
        self._remember(message, facts)
        return facts

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
