"""Whether a text was made from a filed template: a matcher that takes linear time (R12)."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence

from gateway.domain.filings import Template, TemplateKind, link_spans, pieces_of
from gateway.filter.normalise.folding import normalise

# Templates are selected by this many characters of their beginning before they are tried.
_HEAD_CHARS = 6
_BRACKETS = ("【", "】")
# A beginning of which each character has one in normal form: the seventh acts on none before it.
_PLAIN_BEGINNING = re.compile(rf"(?! )[ -~，。、：；！？（）\u4e00-\u9fff]{{{_HEAD_CHARS + 1}}}")


class TemplateMatch:
    """The template that a text was made from."""

    __slots__ = ("id", "kind")

    def __init__(self, template: Template) -> None:
        self.id: str = template.id
        self.kind: TemplateKind = template.kind


class Pattern:
    """One template, compiled."""

    __slots__ = ("_head", "_inner", "_longest", "_max_variable", "_shortest", "_tail", "match")

    def __init__(self, template: Template) -> None:
        self.match = TemplateMatch(template)
        head, *inner = (normalise(piece) for piece in pieces_of(template.text.strip()))
        self._head = head
        # Without a variable the whole text is its head.
        self._tail = inner.pop() if inner else None
        self._inner = tuple(inner)
        self._max_variable = template.max_variable
        variables = 0 if self._tail is None else len(inner) + 1
        said = len(head) + len(self._tail or "") + sum(map(len, inner))
        self._shortest = said + variables
        self._longest = said + variables * template.max_variable

    @property
    def beginning(self) -> str:
        """Return the beginning of every text of this template, by which templates are sorted."""
        return self._head[:_HEAD_CHARS]

    @property
    def rank(self) -> tuple[int, int, str]:
        """Return a sort key: first what leaves least open, then what says most."""
        return self._longest - self._shortest, -self._shortest, self.match.id

    @property
    def longest(self) -> int:
        """Return how many characters a text of this template may have."""
        return self._longest

    def accepts(self, body: "TextBody") -> bool:
        """Tell whether `body` was made from this template.

        From left to right it finds where each piece can end, if the variable before it is not too
        long and does not cover a link or a bracket. Of the places where the piece before may end,
        only the nearest is tried: if it fails, a place farther away fails too. So each piece costs
        one pass over the text, and nothing is tried twice.
        """
        text, head = body.text, self._head
        if not self._shortest <= len(text) <= self._longest or not text.startswith(head):
            return False
        if self._tail is None:
            return True  # as long as its head, and begins with it
        if not text.endswith(self._tail):
            return False
        ends = [len(head)]
        for piece in self._inner:
            ends = self._ends_of(piece, body, ends)
            if not ends:
                return False
        return self._reaches(len(text) - len(self._tail), body, ends)

    def _ends_of(self, piece: str, body: "TextBody", before: list[int]) -> list[int]:
        ends = []
        at = body.text.find(piece, before[0] + 1)
        while at >= 0:
            if self._reaches(at, body, before):
                ends.append(at + len(piece))
            at = body.text.find(piece, at + 1)
        return ends

    def _reaches(self, at: int, body: "TextBody", ends: list[int]) -> bool:
        """Tell whether a variable may stand between one of `ends` and `at`."""
        nearest = bisect_left(ends, at) - 1
        if nearest < 0:
            return False
        begins = ends[nearest]
        return at - begins <= self._max_variable and body.is_free(begins, at)


class TextBody:
    """A text without its signature, in the view in which templates are compared."""

    __slots__ = ("_spans", "text")

    def __init__(self, text: str) -> None:
        # Each line of a text may end with CR LF.
        self.text = normalise(text.strip().replace("\r\n", "\n"))
        self._spans: tuple[list[int], list[int]] | None = None

    def is_free(self, start: int, end: int) -> bool:
        """Tell whether no link and no bracket, even in part, stands from `start` to `end`."""
        if self._spans is None:
            self._spans = self._links_and_brackets()
        starts, ends = self._spans
        first = bisect_left(ends, start + 1)
        return first == len(starts) or starts[first] >= end

    def _links_and_brackets(self) -> tuple[list[int], list[int]]:
        """Return where they start and where they end."""
        spans = list(link_spans(self.text))
        spans += [
            (at, at + 1)
            for bracket in _BRACKETS
            if bracket in self.text
            for at, char in enumerate(self.text)
            if char == bracket
        ]
        # Spans do not overlap: a bracket never stands in a link, which is ASCII except for its
        # dots.
        spans.sort()
        return [start for start, _ in spans], [end for _, end in spans]


class TemplateIndex:
    """All templates of one sender."""

    __slots__ = ("_by_beginning", "_head_lengths", "_longest")

    def __init__(self, templates: Iterable[Template]) -> None:
        patterns = sorted(map(Pattern, templates), key=lambda pattern: pattern.rank)
        by_beginning: defaultdict[str, list[Pattern]] = defaultdict(list)
        for pattern in patterns:
            by_beginning[pattern.beginning].append(pattern)
        self._by_beginning: dict[str, list[Pattern]] = dict(by_beginning)
        self._head_lengths: Sequence[int] = sorted({len(head) for head in by_beginning})
        self._longest = max((pattern.longest for pattern in patterns), default=0)

    def __bool__(self) -> bool:
        """Tell whether there is any template."""
        return bool(self._by_beginning)

    def match(self, text: str) -> TemplateMatch | None:
        """Return the template that `text`, without its signature, was made from, or None.

        If there are several, the one that leaves least to variables. Any text may be asked about:
        one longer than every template costs nothing.
        """
        if len(text) > 2 * self._longest:  # what shows as nothing may double a text, not more
            return None
        if _PLAIN_BEGINNING.match(text) and not self._has_beginning(normalise(text[:_HEAD_CHARS])):
            return None
        body = TextBody(text)
        candidates = [
            pattern
            for length in self._head_lengths
            for pattern in self._by_beginning.get(body.text[:length], ())
            if pattern.accepts(body)
        ]
        if not candidates:
            return None
        return min(candidates, key=lambda pattern: pattern.rank).match

    def _has_beginning(self, head: str) -> bool:
        beginnings = [head[:length] for length in self._head_lengths]
        return not self._by_beginning.keys().isdisjoint(beginnings)
