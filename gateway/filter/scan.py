"""The content stage of a tick: texts judged before are answered from memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from gateway.domain.policy import ListAction
from gateway.filter.classifier.score import PIECES, Scorer, TextScore
from gateway.filter.facts import TextFacts
from gateway.filter.keywords.index import Hit, KeywordIndex
from gateway.filter.normalise.shapes import DIRECTED, deflated, displayed, is_inflated
from gateway.filter.normalise.views import Views

CodedText = tuple[int, bytes]
Generations = list[dict[CodedText, TextFacts]]

# What one entry takes besides its octets: key tuple, bytes object, dict slot and its share of
# empty slots, the facts and their objects. And per octet: the readings, two octets a character;
# there may be several.
_ENTRY_OCTETS = 900
_OCTETS_PER_OCTET = 4
# Takes half a millisecond. The garbage collector counts objects created minus objects destroyed:
# with fewer at once it would not notice the new texts, and scan all of them later, in 30 ms.
_AT_ONCE = 1_000


class TextMemory:
    """The facts of texts, by data_coding and octets.

    Bounded in entries and octets by two generations: when the young one is full it becomes the
    old one. A text that is asked for again moves to the young one, so a flood of new texts pushes
    out only what is not in use. The old one is forgotten little by little while the second half
    of the young one fills: forgetting 30 000 texts at once would take 20 ms.
    """

    def __init__(self, entries: int, octets: int, more_octets: int = 0) -> None:
        """Keep at most `entries`; `more_octets` is what each entry needs beyond the usual."""
        self._entries = max(1, entries // 2)
        self._octets = max(1, octets // 2)
        self._entry_octets = _ENTRY_OCTETS + more_octets
        self.young: dict[CodedText, TextFacts] = {}
        self._old: dict[CodedText, TextFacts] = {}
        self._young_octets = 0
        # How many entries the old generation had when it became old.
        self._aged = 0
        self._leaving: Generations = []

    def give_up(self) -> Generations:
        """Return all that is held, for another memory to release, and hold nothing."""
        held = [one for one in (self.young, self._old, *self._leaving) if one]
        self.young, self._old, self._leaving, self._young_octets = {}, {}, [], 0
        return held

    def let_go(self, ended: Generations) -> None:
        """Take over what another memory gave up, to forget it little by little."""
        self._leaving += ended

    def recall(self, key: CodedText) -> TextFacts | None:
        """Return what is known of a text that is not in `young`, None if it is unknown."""
        facts = self._old.get(key)
        if facts is not None:
            self.keep(key, facts)
        return facts

    def keep(self, key: CodedText, facts: TextFacts) -> None:
        """Remember the facts of a text, unless it alone would fill the memory."""
        octets = len(key[1]) * _OCTETS_PER_OCTET + self._entry_octets
        if octets > self._octets:
            return
        if len(self.young) >= self._entries or self._young_octets + octets > self._octets:
            self._old, self.young, self._young_octets = self.young, {}, 0
            self._aged = len(self._old)
        self.young[key] = facts
        self._young_octets += octets

    def thin_out(self) -> None:
        """Forget some of what was let go, and some of the old generation.

        The old generation shrinks in proportion as the second half of the young one fills.
        """
        full = max(len(self.young) / self._entries, self._young_octets / self._octets)
        left = 2 * (1 - full) * self._aged
        if len(self._old) > left + _AT_ONCE:
            while len(self._old) > left:
                self._old.popitem()
        if self._leaving:
            ended = self._leaving[-1]
            for _ in range(min(_AT_ONCE, len(ended))):
                ended.popitem()
            if not ended:
                self._leaving.pop()

    def forget(self) -> None:
        """Forget all, one by one, so that other threads can run. Not while it is in use."""
        leaving = self.give_up()
        while leaving:
            generation = leaving.pop()
            while generation:
                generation.popitem()


UNREADABLE = Hit("UNREADABLE", "unreadable", ListAction.QUARANTINE, "", is_unreadable=True)

MAX_CACHED_OCTETS = 96 * 2**20

# What an entry takes in memory beyond the usual, with a score and with a fingerprint.
_SCORE_OCTETS, _PRINT_OCTETS = 200, 450

Item = TypeVar("Item")
Readings = Callable[[bytes, int], tuple[str, ...]]
# Makes the views of many texts, as Views does for each.
Reading = Callable[[Sequence[str]], Sequence[Views]]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is found out about new texts besides keywords, for all new texts of a tick at once.

    `scorer` scores a text; None if no rule asks for that. With `keeps_sounds` the sound view of a
    text is kept for its fingerprint, with `keeps_views` all views for later checks. `reading`
    makes the views of all texts of a tick in less time than Views makes them one by one.
    """

    scorer: Scorer | None = None
    keeps_sounds: bool = False
    keeps_views: bool = False
    reading: Reading | None = None


_NOTHING = Learnt()


class ContentScan:
    """Judges texts by `index`, and remembers the facts by data_coding and octets.

    Bulk traffic repeats itself, so most texts of a tick cost one dict look-up. A new index needs
    a new ContentScan, which lets go what the `memory` of the old one gives up.
    """

    def __init__(
        self,
        index: KeywordIndex,
        cache_entries: int = 65_536,
        cache_octets: int = MAX_CACHED_OCTETS,
        learnt: Learnt = _NOTHING,
    ) -> None:
        self.index = index
        self.learnt = learnt
        # Texts that the scorer failed on.
        self.unscored = 0
        self._bounds = cache_entries, cache_octets
        is_scored = learnt.scorer is not None
        more_octets = _SCORE_OCTETS * is_scored + _PRINT_OCTETS * learnt.keeps_sounds
        self.memory = TextMemory(cache_entries, cache_octets, more_octets)
        # The day that decides which lists apply; all apply if it is None.
        self.day: date | None = None

    def keep_day(self, day: date) -> None:
        """Judge by the lists that apply on `day` from now on; before the first call all apply.

        Cheap to repeat. If some lists have dates, a new day makes it forget all facts.
        """
        if day != self.day and self.index.has_dates:
            self.memory.let_go(self.memory.give_up())
        self.day = day

    def learning(self, learnt: Learnt) -> "ContentScan":
        """Return a scan by the same lists that finds out `learnt`: this one if it does already."""
        if learnt == self.learnt:
            return self
        other = ContentScan(self.index, *self._bounds, learnt)
        other.day, other.unscored = self.day, self.unscored
        return other

    def scan(self, messages: Sequence[CodedText], readings: Readings) -> list[TextFacts]:
        """Return the facts of each message, a pair of data_coding and text octets, in order.

        `readings` returns every plausible reading of octets under a data_coding, and must always
        return the same ones. Octets without a readable text get UNREADABLE, and so do inflated
        texts, so that nothing passes unseen.
        """
        young, recall = self.memory.young, self.memory.recall
        known = [young.get(message) or recall(message) for message in messages]
        new = dict.fromkeys(
            message for message, facts in zip(messages, known, strict=True) if facts is None
        )
        judged = self._judged(list(new), readings) if new else {}
        return [facts or judged[message] for message, facts in zip(messages, known, strict=True)]

    def look_up(self, data_coding: int, octets: bytes) -> TextFacts | None:
        """Return what is remembered of the text, None if it is unknown."""
        key = (data_coding, octets)
        return self.memory.young.get(key) or self.memory.recall(key)

    def judge_texts(
        self, texts: Sequence[str], *, is_unreadable: bool = False, is_whole: bool = True
    ) -> TextFacts:
        """Return the facts over all of `texts`, without remembering them: for joined parts.

        `is_unreadable`: there is another text that could not be read. `is_whole` is False if some
        parts have not come yet.
        """
        seen = _deflated(texts)
        facts = self._facts_of(
            seen, self._views_of(seen), is_unreadable=is_unreadable or seen is not texts
        )
        facts.is_whole = is_whole
        self._complete([facts])
        return facts

    def explain_texts(self, texts: Sequence[str]) -> TextFacts:
        """Return what `judge_texts` returns, with places and pieces; slow, for people."""
        facts = self.judge_texts(texts)
        spans = {(hit.list_id, hit.word): hit for hit in self.index.located(facts.texts, self.day)}
        hits = tuple(spans.get((hit.list_id, hit.word), hit) for hit in facts.hits)
        told = TextFacts(hits, facts.texts)
        told.scored, told.sound, told.is_told = facts.scored, facts.sound, True
        scorer = self.learnt.scorer
        if scorer is not None and facts.scored:
            told.pieces = tuple(scorer.pieces(Views(facts.texts[0]), PIECES))
        return told

    def _judged(
        self, messages: Sequence[CodedText], readings: Readings
    ) -> dict[CodedText, TextFacts]:
        """Return the facts of messages that are not remembered, and remember them."""
        read = [readings(octets, data_coding) for data_coding, octets in messages]
        seen = list(map(_deflated, read))
        views = self._views_of([text for texts in seen for text in texts])
        found: dict[CodedText, TextFacts] = {}
        fresh: list[TextFacts] = []
        try:
            for message, texts, written, of_texts in zip(
                messages, seen, read, _shared_out(views, seen), strict=True
            ):
                if message[1] and not "".join(texts).strip("\N{REPLACEMENT CHARACTER}"):
                    facts = TextFacts((UNREADABLE,), texts)
                    facts.scored = ()
                else:
                    facts = self._facts_of(texts, of_texts, is_unreadable=texts is not written)
                    fresh.append(facts)
                found[message] = facts
                self.memory.keep(message, facts)
        finally:
            # Even if one of them cannot be judged: the others are remembered.
            self._complete(fresh)
            self.memory.thin_out()
        return found

    def _views_of(self, texts: Sequence[str]) -> Sequence[Views]:
        reading = self.learnt.reading
        return list(map(Views, texts)) if reading is None else reading(texts)

    def _facts_of(
        self, texts: Sequence[str], views: Sequence[Views], *, is_unreadable: bool
    ) -> TextFacts:
        for seen in views:
            if seen.hints & DIRECTED:
                others = list(map(Views, displayed(seen.raw)))
                texts = (*texts, *(other.raw for other in others))
                views = (*views, *others)
        hits = self.index.search_views(views, self.day)
        facts = TextFacts((*hits, UNREADABLE) if is_unreadable else hits, texts)
        facts.views = views
        return facts

    def _complete(self, fresh: Sequence[TextFacts]) -> None:
        """Find out what is asked about texts besides their keywords.

        A scorer that fails on a text leaves it unscored and does not raise.
        """
        scorer = self.learnt.scorer
        if scorer is not None and fresh:
            for facts, scored in zip(fresh, self._scored(scorer, fresh), strict=True):
                facts.scored = scored
        if self.learnt.keeps_sounds:
            for facts in fresh:
                facts.sound = facts.views[0].sound if facts.views else ""
        if not self.learnt.keeps_views:
            for facts in fresh:
                facts.views = ()

    def _scored(
        self, scorer: Scorer, fresh: Sequence[TextFacts]
    ) -> Iterable[tuple[TextScore, ...] | None]:
        try:
            found = scorer.score([view for facts in fresh for view in facts.views])
        except Exception:  # noqa: BLE001 - a model that fails must not stop the tick
            return [self._scored_alone(scorer, facts) for facts in fresh]
        return map(tuple, _shared_out(found, [facts.views for facts in fresh]))

    def _scored_alone(self, scorer: Scorer, facts: TextFacts) -> tuple[TextScore, ...] | None:
        try:
            return tuple(scorer.score(facts.views))
        except Exception:  # noqa: BLE001 - as above; rules know it for not judged
            self.unscored += 1
            return None


def _deflated(texts: Sequence[str]) -> Sequence[str]:
    """Return `texts` without the characters that swell; the same object if none is inflated."""
    if not any(map(is_inflated, texts)):
        return texts
    return [deflated(text) if is_inflated(text) else text for text in texts]


def _shared_out(found: Sequence[Item], among: Iterable[Sized]) -> Iterator[Sequence[Item]]:
    """Split `found` in order: yield for each of `among` as many items as it has."""
    at = 0
    for one in among:
        yield found[at : at + len(one)]
        at += len(one)
