"""The operator's keyword lists, compiled into automata, and its regular expressions."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from hashlib import blake2b

import re2

from gateway.domain.authority_report import is_prohibited
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.warning import Severity
from gateway.filter.keywords.combinations import Place
from gateway.filter.keywords.search import ViewSearch
from gateway.filter.normalise.folding import compact
from gateway.filter.normalise.shapes import DIRECTED, SHAPED, display_orders
from gateway.filter.normalise.views import Trace, Views, letters_traced

# The default of 8 MiB is too little for some hundred expressions.
_MAX_MEMORY = 256 * 2**20
# Matches everything. A set that runs out of memory reports no match, like a set without matches:
# if even this expression is missing, memory was the cause.
_ALWAYS = ""


class PatternError(ValueError):
    """A regular expression that RE2 does not accept, or a set of them that is too large."""


class PatternSet:
    """Finds which of its expressions match in a text. Immutable."""

    def __init__(self, expressions: Sequence[str]) -> None:
        """Compile; raises PatternError."""
        self._expressions = tuple(map(compiled, expressions))
        if not expressions:
            return
        self._set = re2.Set.SearchSet(_options())
        try:
            for expression in (*expressions, _ALWAYS):
                self._set.Add(expression)
            self._set.Compile()
        except re2.error as error:
            raise PatternError(f"{len(expressions)} patterns are too large together") from error

    def matching(self, text: str) -> Sequence[int]:
        """Return the indices of the expressions that match. Raises PatternError if memory runs out.

        The time is linear in the length of the text.
        """
        if not self._expressions:
            return ()
        # Octets: a lone surrogate cannot be encoded, and RE2 works on octets in any case.
        found: Sequence[int] | None = self._set.Match(text.encode(errors="replace"))
        if found is None:
            raise PatternError("the patterns need more memory than they may have")
        last = len(self._expressions)
        return [place for place in found if place != last]

    def span_of(self, place: int, text: str) -> tuple[int, int] | None:
        """Return where the expression at `place` matches first, None if it does not."""
        found = self._expressions[place].search(text.encode(errors="replace").decode())
        return None if found is None else found.span()


def compiled(expression: str) -> re.Pattern[str]:
    """Return one expression, compiled. Raises PatternError with the message of RE2.

    It answers as those of `re` do; RE2 has no type hints of its own.
    """
    try:
        ready: re.Pattern[str] = re2.compile(expression, _options())
    except re2.error as error:
        problem = error.args[0] if error.args else ""
        said = problem.decode(errors="replace") if isinstance(problem, bytes) else str(problem)
        raise PatternError(said) from None
    return ready


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    return options


MAX_HITS = 16

# The order in which hits are reported.
_PRECEDENCE = (ListAction.REJECT, ListAction.QUARANTINE, ListAction.SHADOW)


@dataclass(frozen=True, slots=True)
class Hit:
    """A word of a list found in a text; `word` is spelt as the operator wrote it.

    For a pattern, `word` is the name of the pattern. `action` is what is done; SHADOW if the
    weights do not reach the threshold. `total` is the sum of the weights of all evidence in the
    text, including hits beyond MAX_HITS. `severity` and `owner` are those of the list. `span` is
    its place in the text as read, if that was asked for. `is_unreadable` marks the one hit that is
    not a word: the text could not be read.
    """

    list_id: str
    category: str
    action: ListAction
    word: str
    is_unreadable: bool = False
    total: int = 0
    severity: Severity | None = None
    owner: str = ""
    span: Place | None = field(default=None, compare=False)

    @property
    def told(self) -> str:
        """Return the word, and its place if that was asked for: characters counted from 1."""
        if self.span is None:
            return self.word
        return f"{self.word} ({self.span[0] + 1}-{self.span[1]})"


_ID_DIGITS = 7  # no run of eight digits, which would be masked as a number


@lru_cache(maxsize=4096)
def word_id(word: str) -> str:
    """Return the id of an entry of a list, by which records name it.

    It stays the same when the list is sorted anew or grows, and does not tell the entry to readers
    who do not have the list.
    """
    return blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()[:_ID_DIGITS]


class KeywordIndex:
    """Finds the words of all lists in one pass. Immutable: share it, and swap it to reload.

    A word with a script without spaces in it (代开发票, 加v信) is found if its letters follow each
    other with any separators between them. Any other word (``av``, ``free money``) is found as
    whole words only, so that ``have`` is no hit; adjacent Han do not hide it, an adjacent letter
    or digit does.

    A word that is not `is_matchable` is left out. Other threads run while the automata are
    compiled.
    """

    def __init__(self, lists: Iterable[KeywordList]) -> None:
        """Compile. Raises PatternError."""
        ranked = sorted(lists, key=lambda keywords: _PRECEDENCE.index(keywords.action))
        self.lists = tuple(ranked)
        self._starts: list[int] = []
        self._written = ViewSearch()
        self._heard = ViewSearch()
        expressions: list[str] = []
        self._named: list[int] = []
        first = 0
        for keywords in ranked:
            self._starts.append(first)
            self._written.add(keywords, first, by_sound=False)
            if keywords.sound:
                self._heard.add(keywords, first, by_sound=True)
            expressions += [expression for _, expression in keywords.patterns]
            patterned = first + len(keywords.words)
            first = patterned + len(keywords.patterns)
            self._named += range(patterned, first)
        self._written.compile()
        self._heard.compile()
        self._hears = not self._heard.is_empty
        self._patterns = PatternSet(expressions)
        self.has_dates = any(one.not_before or one.not_after for one in ranked)

    def search(self, texts: Sequence[str], day: date | None = None) -> tuple[Hit, ...]:
        """Return the distinct hits over all `texts`, reject lists first, at most MAX_HITS.

        If there are more, the first one is kept, because it decides; then hits of prohibited
        content that stop a message, because they are reported to the authority (R60). Lists that do
        not apply on `day` are left out; without a day all lists apply. The time is linear in the
        length of the texts, for any text. Raises PatternError if memory runs out.
        """
        return self.search_views(tuple(map(Views, texts)), day)

    def search_views(self, texts: Sequence[Views], day: date | None = None) -> tuple[Hit, ...]:
        """Return what `search` returns, for texts with views made earlier."""
        found: set[int] = set()
        every = list(texts)
        for text in texts:
            if text.hints & SHAPED:  # asked here, because nearly all have nothing further
                every += text.further
        for seen in every:
            found.update(self._written.places(seen.letters, seen.spaced))
            if self._hears:
                sound = seen.sound
                found.update(self._heard.places(compact(sound), sound.__str__))
            if self._named:
                found.update(self._named[at] for at in self._patterns.matching(seen.folded))
        return self._told(found, day) if found else ()

    def located(self, texts: Sequence[str], day: date | None = None) -> tuple[Hit, ...]:
        """Return what `search` returns, each hit with its first place in its text.

        Costs about a hundred times as much: for people who ask why.
        """
        spans: dict[tuple[str, str], Place] = {}
        for text in texts:
            for number, span in self._spans(text):
                keywords, word = self._entry(number)
                place = _place_in(texts, text, span)
                spans.setdefault((keywords.id, word), place)
        hits = self.search(texts, day)
        return tuple(replace(hit, span=spans.get((hit.list_id, hit.word))) for hit in hits)

    def _spans(self, text: str) -> Iterator[tuple[int, Place]]:
        for seen in (first := Views(text), *first.further):
            yield from self._spans_in(seen)

    def _spans_in(self, seen: Views) -> Iterator[tuple[int, Place]]:
        folded = seen.trace_folded()
        yield from _traced(self._written, folded, seen.spaced)
        if self._hears:
            heard = seen.trace_sound()
            yield from _traced(self._heard, heard, heard.text.__str__)
        for place in self._patterns.matching(folded.text):
            span = self._patterns.span_of(place, folded.text)
            if span is not None and span[0] < span[1]:
                yield self._named[place], folded.original(*span)

    def _entry(self, number: int) -> tuple[KeywordList, str]:
        """Return the list that has the word or pattern with `number`, and its name in the list."""
        place = bisect_right(self._starts, number) - 1
        keywords, at = self.lists[place], number - self._starts[place]
        words = keywords.words
        return keywords, words[at] if at < len(words) else keywords.patterns[at - len(words)][0]

    def _told(self, numbers: Iterable[int], day: date | None) -> tuple[Hit, ...]:
        found = [self._entry(number) for number in sorted(numbers)]
        found = [one for one in found if day is None or one[0].holds_on(day)]
        total = sum(keywords.weight for keywords, _ in found)
        hits = [_hit(keywords, word, total) for keywords, word in found]
        hits.sort(key=lambda hit: _PRECEDENCE.index(hit.action))
        return tuple(hits if len(hits) <= MAX_HITS else _gravest(hits))


def is_matchable(word: str) -> bool:
    """Tell whether `word` has a letter or digit; without one it is never found."""
    return bool(compact(Views(word).folded))


def _place_in(texts: Sequence[str], shown: str, span: Place) -> Place:
    """Return the place in the original text if `shown` is its order on a screen, else `span`."""
    for text in texts:
        for order in display_orders(text) if Views(text).hints & DIRECTED else ():
            if "".join(map(text.__getitem__, order)) == shown:
                places = order[slice(*span)]
                return min(places), max(places) + 1
    return span


def _hit(keywords: KeywordList, word: str, total: int) -> Hit:
    is_enough = not keywords.weight or total >= keywords.threshold
    return Hit(
        keywords.id,
        keywords.category,
        keywords.action if is_enough else ListAction.SHADOW,
        word,
        total=total,
        severity=keywords.severity,
        owner=keywords.owner,
    )


def _gravest(hits: Sequence[Hit]) -> Iterator[Hit]:
    """Yield MAX_HITS of `hits`, in order: the first, then the reported ones before the others."""
    others = sorted(range(1, len(hits)), key=lambda at: not _is_reported(hits[at]))
    for at in sorted((0, *others[: MAX_HITS - 1])):
        yield hits[at]


def _is_reported(hit: Hit) -> bool:
    return hit.action is not ListAction.SHADOW and is_prohibited(hit.category)


def _traced(
    searched: ViewSearch, trace: Trace, text: Callable[[], str]
) -> Iterator[tuple[int, Place]]:
    letters = letters_traced(trace)
    for number, place in searched.places(letters.text, text).items():
        yield number, letters.original(*place)
