"""The content stage of a tick: texts already judged are answered from memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import NamedTuple

from gateway.domain.policy import ListAction
from gateway.filter.facts import TextFacts
from gateway.filter.inflation import deflated, is_inflated
from gateway.filter.keywords import Hit, KeywordIndex
from gateway.filter.scoring import Scored, Scorer
from gateway.filter.views import Views

UNREADABLE = Hit("UNREADABLE", "unreadable", ListAction.QUARANTINE, "", is_unreadable=True)

MAX_CACHED_OCTETS = 96 * 2**20

# What the interpreter holds beside the octets of one entry: key tuple, bytes object, dict
# slot and its share of empty slots, the facts and the objects in them; and the readings, two
# octets a character, which may be several.
_ENTRY_OCTETS = 900
_SCORE_OCTETS, _PRINT_OCTETS = 200, 450
_OCTETS_PER_OCTET = 4

# So many pieces of a text are told with its score.
_PIECES = 6

Readings = Callable[[bytes, int], tuple[str, ...]]
CodedText = tuple[int, bytes]
# Makes the fingerprints of texts in their view for the ear.
Prints = Callable[[Sequence[str]], Sequence[object]]
# Makes the views of many texts, as Views does of each.
Reading = Callable[[Sequence[str]], Sequence[Views]]


class _Read(NamedTuple):
    """The readings of a message, none of them inflated, and the views of each."""

    texts: tuple[str, ...]
    views: tuple[Views, ...]


class _Fresh(NamedTuple):
    """The facts of a text that are not complete yet, and the views of its readings."""

    facts: TextFacts
    views: Sequence[Views]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is found out of each new text beside its keywords, all those of a tick at once.

    A `scorer` scores it, `prints` make its fingerprint; None where no rule asks for that. With
    `keeps_views` its views are kept for those who look at it next. `reading` makes the views of
    all texts of a tick in less time than Views does of each.
    """

    scorer: Scorer | None = None
    prints: Prints | None = None
    keeps_views: bool = False
    reading: Reading | None = None


_NOTHING = Learnt()


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
        learnt: Learnt = _NOTHING,
    ) -> None:
        self._index = index
        self.learnt = learnt
        self._entry_octets = (
            _ENTRY_OCTETS
            + _SCORE_OCTETS * (learnt.scorer is not None)
            + _PRINT_OCTETS * (learnt.prints is not None)
        )
        # Texts that the scorer failed on.
        self.unscored = 0
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

    def learning(self, learnt: Learnt) -> "ContentScan":
        """Return what finds out `learnt` of texts by the same lists: this one if it does so."""
        if learnt == self.learnt:
            return self
        entries, octets = 2 * self._generation_entries, 2 * self._generation_octets
        other = ContentScan(self._index, entries, octets, learnt)
        other._day, other.unscored = self._day, self.unscored
        return other

    def scan(self, messages: Sequence[CodedText], readings: Readings) -> list[TextFacts]:
        """Return the facts of each message, a pair of data_coding and text octets, in order.

        `readings` gives every plausible reading of octets under a data_coding, and must
        always give the same ones. Octets of which it reads nothing get UNREADABLE, and so do
        texts that are inflated, so that nothing passes unseen.
        """
        ahead = self._read_ahead(messages, readings)
        fresh: list[_Fresh] = []
        try:
            return [
                self._young.get(message)
                or self._recalled(message)
                or self._judged(message, ahead.get(message), readings, fresh)
                for message in messages
            ]
        finally:
            # Also when one of them cannot be judged: the others are remembered as they are.
            self._complete(fresh)

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
        fresh = self._facts_of(texts, is_unreadable=is_unreadable, is_whole=is_whole)
        self._complete([fresh])
        return fresh.facts

    def explain_texts(self, texts: Sequence[str]) -> TextFacts:
        """Return what `judge_texts` returns, with places and pieces; dear, for people."""
        facts = self.judge_texts(texts)
        spans = {
            (hit.list_id, hit.word): hit for hit in self._index.located(facts.texts, self._day)
        }
        hits = tuple(spans.get((hit.list_id, hit.word), hit) for hit in facts.hits)
        told = TextFacts(hits, facts.texts)
        told.scored, told.fingerprint, told.is_told = facts.scored, facts.fingerprint, True
        scorer = self.learnt.scorer
        if scorer is not None and facts.scored:
            told.pieces = tuple(scorer.pieces(Views(facts.texts[0]), _PIECES))
        return told

    def _recalled(self, key: CodedText) -> TextFacts | None:
        facts = self._old.get(key)
        if facts is not None:
            self._remember(key, facts)
        return facts

    def _read_ahead(
        self, messages: Sequence[CodedText], readings: Readings
    ) -> dict[CodedText, _Read]:
        """Return what can be read at once of the messages that are not remembered."""
        if self.learnt.reading is None:
            return {}
        new = [one for one in messages if one not in self._young and one not in self._old]
        read = {one: readings(one[1], one[0]) for one in dict.fromkeys(new)}
        read = {one: texts for one, texts in read.items() if not any(map(is_inflated, texts))}
        views = iter(self.learnt.reading([text for texts in read.values() for text in texts]))
        return {one: _Read(texts, tuple(islice(views, len(texts)))) for one, texts in read.items()}

    def _judged(
        self, message: CodedText, ahead: _Read | None, readings: Readings, fresh: list[_Fresh]
    ) -> TextFacts:
        data_coding, octets = message
        texts, views = ahead or (readings(octets, data_coding), ())
        is_read = not octets or any(text.strip("\N{REPLACEMENT CHARACTER}") for text in texts)
        if is_read:
            fresh.append(self._facts_of(texts, views))
            facts = fresh[-1].facts
        else:
            facts = TextFacts((UNREADABLE,), texts)
            facts.scored = ()
        self._remember(message, facts)
        return facts

    def _facts_of(
        self,
        texts: Sequence[str],
        views: Sequence[Views] = (),
        *,
        is_unreadable: bool = False,
        is_whole: bool = True,
    ) -> _Fresh:
        if not views and any(map(is_inflated, texts)):
            is_unreadable = True
            texts = [deflated(text) if is_inflated(text) else text for text in texts]
        views = views or tuple(map(Views, texts))
        hits = self._index.search_views(views, self._day)
        hits = (*hits, UNREADABLE) if is_unreadable else hits
        return _Fresh(TextFacts(hits, texts, is_whole=is_whole), views)

    def _complete(self, fresh: Sequence[_Fresh]) -> None:
        """Find out what is wanted of texts beside their keywords. Never raises."""
        scorer, prints = self.learnt.scorer, self.learnt.prints
        if self.learnt.keeps_views:
            for one in fresh:
                one.facts.views = one.views
        if scorer is not None and fresh:
            scored = self._scored(scorer, fresh)
            for one, of_texts in zip(fresh, scored, strict=True):
                one.facts.scored = of_texts
        if prints is not None:
            seen = [one for one in fresh if one.views]
            made = prints([one.views[0].sound for one in seen])
            for one, fingerprint in zip(seen, made, strict=True):
                one.facts.fingerprint = fingerprint

    def _scored(
        self, scorer: Scorer, fresh: Sequence[_Fresh]
    ) -> Iterable[tuple[Scored, ...] | None]:
        try:
            found = iter(scorer.score([view for one in fresh for view in one.views]))
            return [tuple(islice(found, len(one.views))) for one in fresh]
        except Exception:  # noqa: BLE001 - a model that fails must not stop the tick
            return [self._scored_alone(scorer, one) for one in fresh]

    def _scored_alone(self, scorer: Scorer, one: _Fresh) -> tuple[Scored, ...] | None:
        try:
            return tuple(scorer.score(one.views))
        except Exception:  # noqa: BLE001 - as above; rules know it for not judged
            self.unscored += 1
            return None

    def _remember(self, key: CodedText, facts: TextFacts) -> None:
        octets = len(key[1]) * _OCTETS_PER_OCTET + self._entry_octets
        if octets > self._generation_octets:
            return
        if (
            len(self._young) >= self._generation_entries
            or self._young_octets + octets > self._generation_octets
        ):
            self._old, self._young, self._young_octets = self._young, {}, 0
        self._young[key] = facts
        self._young_octets += octets
