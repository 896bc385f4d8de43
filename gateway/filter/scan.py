"""The content stage of a tick: texts already judged are answered from memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from gateway.domain.policy import ListAction
from gateway.filter.display_order import displayed
from gateway.filter.facts import TextFacts
from gateway.filter.inflation import deflated, is_inflated
from gateway.filter.keywords import Hit, KeywordIndex
from gateway.filter.scoring import PIECES, Scored, Scorer
from gateway.filter.shapes import DIRECTED
from gateway.filter.text_memory import CodedText, Generations, TextMemory
from gateway.filter.views import Views

UNREADABLE = Hit("UNREADABLE", "unreadable", ListAction.QUARANTINE, "", is_unreadable=True)

MAX_CACHED_OCTETS = 96 * 2**20

# What more an entry takes in memory.
_SCORE_OCTETS, _PRINT_OCTETS = 200, 450

Item = TypeVar("Item")
Readings = Callable[[bytes, int], tuple[str, ...]]
# Makes the fingerprints of texts in their view for the ear.
Prints = Callable[[Sequence[str]], Sequence[object]]
# Makes the views of many texts, as Views does of each.
Reading = Callable[[Sequence[str]], Sequence[Views]]


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

    Bulk traffic repeats itself, so most texts of a tick cost one dict look-up. A new index needs
    a new ContentScan.
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
        scored, printed = learnt.scorer is not None, learnt.prints is not None
        more_octets = _SCORE_OCTETS * scored + _PRINT_OCTETS * printed
        self._memory = TextMemory(cache_entries, cache_octets, more_octets)
        # Of which the lists count; all do as long as there is none.
        self.day: date | None = None

    def keep_day(self, day: date) -> None:
        """Judge by the lists that hold on `day` from now on; all hold until this is called.

        Cheap to repeat. Facts are forgotten where lists that come and go make them others.
        """
        if day != self.day and self.index.has_dates:
            self.let_go(self.give_up())
        self.day = day

    def give_up(self) -> Generations:
        """Return all texts that are remembered, for another scan to let go, and know none."""
        return self._memory.give_up()

    def let_go(self, ended: Generations) -> None:
        """Forget what another scan gave up, a thousand texts with each tick that has new ones."""
        self._memory.let_go(ended)

    def forget(self) -> None:
        """Forget all texts one by one, so that other threads run meanwhile; once out of use."""
        self._memory.forget()

    def learning(self, learnt: Learnt) -> "ContentScan":
        """Return what finds out `learnt` of texts by the same lists: this one if it does so."""
        if learnt == self.learnt:
            return self
        other = ContentScan(self.index, *self._bounds, learnt)
        other.day, other.unscored = self.day, self.unscored
        return other

    def scan(self, messages: Sequence[CodedText], readings: Readings) -> list[TextFacts]:
        """Return the facts of each message, a pair of data_coding and text octets, in order.

        `readings` gives every plausible reading of octets under a data_coding, and must
        always give the same ones. Octets of which it reads nothing get UNREADABLE, and so do
        texts that are inflated, so that nothing passes unseen.
        """
        young, recall = self._memory.young, self._memory.recall
        known = [young.get(message) or recall(message) for message in messages]
        new = dict.fromkeys(
            message for message, facts in zip(messages, known, strict=True) if facts is None
        )
        judged = self._judged(list(new), readings) if new else {}
        return [facts or judged[message] for message, facts in zip(messages, known, strict=True)]

    def look_up(self, data_coding: int, octets: bytes) -> TextFacts | None:
        """Return what is remembered of the text, None when it is unknown."""
        key = (data_coding, octets)
        return self._memory.young.get(key) or self._memory.recall(key)

    def judge_texts(
        self, texts: Sequence[str], *, is_unreadable: bool = False, is_whole: bool = True
    ) -> TextFacts:
        """Return the facts over all of `texts`, remembering nothing: joined parts.

        `is_unreadable` says that beside them there is one that could not be read, and without
        `is_whole` there are parts that did not come yet.
        """
        seen = _deflated(texts)
        facts = self._facts_of(
            seen, self._views_of(seen), is_unreadable=is_unreadable or seen is not texts
        )
        facts.is_whole = is_whole
        self._complete([facts])
        return facts

    def explain_texts(self, texts: Sequence[str]) -> TextFacts:
        """Return what `judge_texts` returns, with places and pieces; dear, for people."""
        facts = self.judge_texts(texts)
        spans = {(hit.list_id, hit.word): hit for hit in self.index.located(facts.texts, self.day)}
        hits = tuple(spans.get((hit.list_id, hit.word), hit) for hit in facts.hits)
        told = TextFacts(hits, facts.texts)
        told.scored, told.fingerprint, told.is_told = facts.scored, facts.fingerprint, True
        scorer = self.learnt.scorer
        if scorer is not None and facts.scored:
            told.pieces = tuple(scorer.pieces(Views(facts.texts[0]), PIECES))
        return told

    def _judged(
        self, messages: Sequence[CodedText], readings: Readings
    ) -> dict[CodedText, TextFacts]:
        """Return the facts of messages of which none is remembered, and remember them."""
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
                self._memory.keep(message, facts)
        finally:
            # Also when one of them cannot be judged: the others are remembered as they are.
            self._complete(fresh)
            self._memory.thin_out()
        return found

    def _views_of(self, texts: Sequence[str]) -> Sequence[Views]:
        reading = self.learnt.reading
        return list(map(Views, texts)) if reading is None else reading(texts)

    def _facts_of(
        self, texts: Sequence[str], views: Sequence[Views], *, is_unreadable: bool
    ) -> TextFacts:
        others = tuple(_displayed(views))
        if others:
            texts = (*texts, *(seen.raw for seen in others))
            views = (*views, *others)
        hits = self.index.search_views(views, self.day)
        facts = TextFacts((*hits, UNREADABLE) if is_unreadable else hits, texts)
        facts.views = views
        return facts

    def _complete(self, fresh: Sequence[TextFacts]) -> None:
        """Find out what is wanted of texts beside their keywords. Never raises."""
        scorer, prints = self.learnt.scorer, self.learnt.prints
        if scorer is not None and fresh:
            for facts, scored in zip(fresh, self._scored(scorer, fresh), strict=True):
                facts.scored = scored
        if prints is not None:
            seen = [facts for facts in fresh if facts.views]
            made = prints([facts.views[0].sound for facts in seen])
            for facts, fingerprint in zip(seen, made, strict=True):
                facts.fingerprint = fingerprint
        if not self.learnt.keeps_views:
            for facts in fresh:
                facts.views = ()

    def _scored(
        self, scorer: Scorer, fresh: Sequence[TextFacts]
    ) -> Iterable[tuple[Scored, ...] | None]:
        try:
            found = scorer.score([view for facts in fresh for view in facts.views])
        except Exception:  # noqa: BLE001 - a model that fails must not stop the tick
            return [self._scored_alone(scorer, facts) for facts in fresh]
        return map(tuple, _shared_out(found, [facts.views for facts in fresh]))

    def _scored_alone(self, scorer: Scorer, facts: TextFacts) -> tuple[Scored, ...] | None:
        try:
            return tuple(scorer.score(facts.views))
        except Exception:  # noqa: BLE001 - as above; rules know it for not judged
            self.unscored += 1
            return None


def _deflated(texts: Sequence[str]) -> Sequence[str]:
    """Return `texts` without what swells in them: themselves where nothing does."""
    if not any(map(is_inflated, texts)):
        return texts
    return [deflated(text) if is_inflated(text) else text for text in texts]


def _displayed(views: Sequence[Views]) -> Iterator[Views]:
    """Yield the views of texts in the order in which they are read, where that is another one."""
    for seen in views:
        if seen.hints & DIRECTED:
            yield from map(Views, displayed(seen.raw))


def _shared_out(found: Sequence[Item], among: Iterable[Sized]) -> Iterator[Sequence[Item]]:
    """Yield for each of `among` as many of what was found as it has items, in order."""
    at = 0
    for one in among:
        yield found[at : at + len(one)]
        at += len(one)
