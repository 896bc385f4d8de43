"""The content stage of a tick: texts already judged are answered from memory."""

from collections.abc import Callable, Sequence

from gateway.domain.policy import ListAction
from gateway.filter.keywords import Hit, KeywordIndex

UNREADABLE = Hit("UNREADABLE", "unreadable", ListAction.QUARANTINE, "", is_unreadable=True)

MAX_CACHED_OCTETS = 32 * 2**20

# What the interpreter holds beside the octets of one entry: key tuple, bytes object, dict
# slot and its share of empty slots.
_ENTRY_OCTETS = 250

Readings = Callable[[bytes, int], tuple[str, ...]]
CodedText = tuple[int, bytes]


class ContentScan:
    """Judges texts by `index`, remembering what it said of each data_coding and octets.

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
        self._young: dict[CodedText, tuple[Hit, ...]] = {}
        self._old: dict[CodedText, tuple[Hit, ...]] = {}
        self._young_octets = 0

    def scan(self, messages: Sequence[CodedText], readings: Readings) -> list[tuple[Hit, ...]]:
        """Return the hits of each message, a pair of data_coding and text octets, in order.

        `readings` gives every plausible reading of octets under a data_coding, and must
        always give the same ones. Octets of which it reads nothing get UNREADABLE, so that
        nothing passes unseen.
        """
        verdicts = []
        for message in messages:
            hits = self._young.get(message)
            if hits is None:
                hits = self._recalled(message)
                if hits is None:
                    hits = self._judged(message, readings)
            verdicts.append(hits)
        return verdicts

    def look_up(self, data_coding: int, octets: bytes) -> tuple[Hit, ...] | None:
        """Return what is remembered of the text: its hits, () when clean, None when unknown."""
        key = (data_coding, octets)
        hits = self._young.get(key)
        return hits if hits is not None else self._recalled(key)

    def judge_texts(self, texts: Sequence[str]) -> tuple[Hit, ...]:
        """Return the hits over all of `texts`, remembering nothing: joined parts, explain."""
        return self._index.search(texts)

    def _recalled(self, key: CodedText) -> tuple[Hit, ...] | None:
        hits = self._old.get(key)
        if hits is not None:
            self._remember(key, hits)
        return hits

    def _judged(self, message: CodedText, readings: Readings) -> tuple[Hit, ...]:
        data_coding, octets = message
        texts = readings(octets, data_coding)
        is_read = not octets or any(text.strip("\N{REPLACEMENT CHARACTER}") for text in texts)
        hits = self._index.search(texts) if is_read else (UNREADABLE,)
        self._remember(message, hits)
        return hits

    def _remember(self, key: CodedText, hits: tuple[Hit, ...]) -> None:
        octets = len(key[1]) + _ENTRY_OCTETS
        if octets > self._generation_octets:
            return
        if (
            len(self._young) >= self._generation_entries
            or self._young_octets + octets > self._generation_octets
        ):
            self._old, self._young, self._young_octets = self._young, {}, 0
        self._young[key] = hits
        self._young_octets += octets
