"""What every SP has filed, compiled: the data path asks it per message (R01 to R12).

Whether a text was made from a filed template is found in linear time.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway.domain.filings import (
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    link_spans,
    pieces_of,
)
from gateway.filter.lookalike import KnownNames
from gateway.filter.normalise.folding import normalise
from gateway.policy.submission import Submission

# Templates are selected by this many characters of their beginning before they are tried.
_HEAD_CHARS = 6
_BRACKETS = ("【", "】")
# Many texts begin alike.
_head_of = lru_cache(maxsize=4096)(normalise)
# A beginning of which each character has one in normal form: the seventh acts on none before it.
_PLAIN_BEGINNING = re.compile(rf"(?! )[ -~，。、：；！？（）\u4e00-\u9fff]{{{_HEAD_CHARS + 1}}}")


class Pattern:
    """One template, compiled.

    `beginning` is that of every text of this template, by which templates are sorted; `longest` is
    how many characters a text of it may have. `rank` is a sort key: first what leaves least open,
    then what says most.
    """

    def __init__(self, template: Template) -> None:
        self.template = template
        head, *inner = (normalise(piece) for piece in pieces_of(template.text.strip()))
        self._head = head
        # Without a variable the whole text is its head.
        self._tail = inner.pop() if inner else None
        self._inner = tuple(inner)
        self._max_variable = template.max_variable
        variables = 0 if self._tail is None else len(inner) + 1
        said = len(head) + len(self._tail or "") + sum(map(len, inner))
        self._shortest = said + variables
        self.longest = said + variables * template.max_variable
        self.beginning = head[:_HEAD_CHARS]
        self.rank = self.longest - self._shortest, -self._shortest, template.id

    def accepts(self, body: "TextBody") -> bool:
        """Tell whether `body` was made from this template.

        From left to right it finds where each piece can end, if the variable before it is not too
        long and does not cover a link or a bracket. Of the places where the piece before may end,
        only the nearest is tried: if it fails, a place farther away fails too. So each piece costs
        one pass over the text, and nothing is tried twice.
        """
        text, head = body.text, self._head
        if not self._shortest <= len(text) <= self.longest or not text.startswith(head):
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
        self._by_beginning = dict(by_beginning)
        self._head_lengths = sorted({len(head) for head in by_beginning})
        self._longest = max((pattern.longest for pattern in patterns), default=0)

    def match(self, text: str) -> Template | None:
        """Return the template that `text`, without its signature, was made from, or None.

        If there are several, the one that leaves least to variables. Any text may be asked about:
        one longer than every template costs nothing.
        """
        if len(text) > 2 * self._longest:  # what shows as nothing may double a text, not more
            return None
        if _PLAIN_BEGINNING.match(text) and not self._has_beginning(_head_of(text[:_HEAD_CHARS])):
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
        return min(candidates, key=lambda pattern: pattern.rank).template

    def _has_beginning(self, head: str) -> bool:
        beginnings = [head[:length] for length in self._head_lengths]
        return not self._by_beginning.keys().isdisjoint(beginnings)


CARRIERS_ZONE = "Asia/Shanghai"
_ONE_DAY = timedelta(days=1)
_BLANKS = "[\\s\ufeff\u200b-\u200d\u2060]{0,16}"
_LEADING = re.compile(f"{_BLANKS}【[^【】]{{1,64}}】")
_TRAILING = re.compile(f"【[^【】]{{1,64}}】{_BLANKS}\\Z")
_TRAILING_CHARS = 82


class SenderFilings:
    """All that one SP has filed. Immutable; a look-up costs a few dict look-ups at most.

    `licence_ends` is the end of its licence in epoch seconds, None if it filed none. `names` are
    its signatures as they were filed. `has_templates` tells whether any template is on file, and
    `names_ports` whether anything is that may hold for one port and not for another.
    """

    def __init__(self, filings: Iterable[Filing], zone: ZoneInfo) -> None:
        """Compile; days begin and end in `zone`."""
        self.licence_ends: float | None = None
        self._signatures: dict[str, tuple[str, ...]] = {}
        self._owners: dict[str, str] = {}
        self._provinces: dict[str, str] = {}
        self._approvals: dict[str, tuple[tuple[float, float], ...]] = {}
        templates: list[Template] = []
        names: list[str] = []
        for filing in filings:
            match filing:
                case Licence():
                    self.licence_ends = _end_of(filing.valid_until, zone)
                case Signature():
                    names.append(filing.name)
                    name = normalise(filing.name)
                    self._signatures[name] = filing.sources
                    self._owners |= dict.fromkeys(filing.sources, name)
                case Template():
                    templates.append(filing)
                case PortScope():
                    self._provinces[filing.port] = filing.province
                case _:
                    period = _start_of(filing.valid_from, zone), _end_of(filing.valid_until, zone)
                    before = self._approvals.get(filing.port, ())
                    self._approvals[filing.port] = (*before, period)
        self._templates = TemplateIndex(templates)
        self.has_templates = bool(templates)
        self.names = tuple(names)
        self.names_ports = bool(self._provinces or self._approvals or templates)

    @property
    def has_bindings(self) -> bool:
        """Tell whether any sub-port is bound to a signature."""
        return bool(self._owners)

    def is_licensed(self, at: float) -> bool | None:
        """Tell whether a licence holds at `at`, in epoch seconds; None when none is on file."""
        return None if self.licence_ends is None else at < self.licence_ends

    def has_signature(self, name: str, source: str = "") -> bool:
        """Tell whether `name` was filed and, with a `source`, may be used by that source (R12)."""
        sources = self._sources_of(name)
        if sources is None:
            return False
        return not source or not sources or any(map(source.startswith, sources))

    def owner_of_subport(self, source: str) -> str | None:
        """Return the signature that `source` is bound to, in normal form, None for none (R06).

        A binding holds for the extensions of a sub-port too; the longest one decides.
        """
        if not self._owners:
            return None
        for length in range(len(source), 0, -1):
            owner = self._owners.get(source[:length])
            if owner is not None:
                return owner
        return None

    def is_bound_elsewhere(self, name: str, source: str) -> bool:
        """Tell whether `source` belongs to another signature, or `name` to other sources (R06)."""
        owner = self.owner_of_subport(source)
        if owner is not None:
            return owner not in (name, normalise(name))
        return bool(self._sources_of(name))

    def _sources_of(self, name: str) -> tuple[str, ...] | None:
        # Most names are already in normal form, and normalising costs more than a look-up.
        sources = self._signatures.get(name)
        return sources if sources is not None else self._signatures.get(normalise(name))

    def template_of(self, text: str) -> Template | None:
        """Return the template that `text`, without its signature, was made from (R12).

        It costs some microseconds: ask once for a text, not once for a message.
        """
        return self._templates.match(without_signature(text))

    def province_of(self, port: str) -> str | None:
        """Return the province that the port with this number is for, None for any (R04)."""
        return self._provinces.get(port)

    def approval_valid(self, port: str, at: float) -> bool:
        """Tell whether an authority has approved the port, as of `at` in epoch seconds (R11)."""
        return any(begin <= at < end for begin, end in self._approvals.get(port, ()))


class Filings:
    """What every SP has filed, for the data path.

    The follower of the store clears `is_current` while the store cannot be read: newer filings may
    be missing here, known ones still hold. `changes` increases with each change. `names` are the
    signatures of all SPs, to be compared with; empty until `compare_names` was called (R61).
    """

    __slots__ = ("_compares_names", "_filed", "_nothing", "changes", "is_current", "names", "zone")

    def __init__(self, zone: ZoneInfo | None = None) -> None:
        """Start without filings; days begin and end in `zone`, the carrier's time zone."""
        zone = zone or ZoneInfo(CARRIERS_ZONE)
        self.is_current = True
        self.zone = zone
        self._nothing = SenderFilings((), zone)
        self._filed: dict[str, SenderFilings] = {}
        self.changes = 0
        self._compares_names = False
        self.names = KnownNames(())

    def __len__(self) -> int:
        """Return how many SPs have filed anything."""
        return len(self._filed)

    def of(self, system_id: str) -> SenderFilings:
        """Return what one SP has filed."""
        return self._filed.get(system_id, self._nothing)

    def replace(self, system_id: str, filings: Iterable[Filing]) -> None:
        """Replace all filings of one SP; see `replace_some`."""
        self.replace_some({system_id: filings})

    def replace_some(self, by_sender: Mapping[str, Iterable[Filing]]) -> None:
        """Replace all filings of some SPs.

        May be called in another thread than the one that asks: the compiled filings of an SP are
        put in place in one step, and never partly.
        """
        for system_id, filings in by_sender.items():
            kept = tuple(filings)
            if kept:
                self._filed[system_id] = SenderFilings(kept, self.zone)
            else:
                self._filed.pop(system_id, None)
        self._know_names()
        self.changes += 1

    def replace_all(self, by_sender: Mapping[str, Iterable[Filing]]) -> None:
        """Replace the filings of all SPs; in any thread, as `replace`."""
        self._filed = {
            system_id: SenderFilings(filings, self.zone) for system_id, filings in by_sender.items()
        }
        self._know_names()
        self.changes += 1

    def compare_names(self) -> None:
        """Keep all signatures in `names` from now on; 10 us for each, each change. As `replace`."""
        self._compares_names = True
        self._know_names()

    def _know_names(self) -> None:
        if self._compares_names:
            every = tuple(self._filed.values())
            self.names = KnownNames(name for filed in every for name in filed.names)


def without_signature(text: str) -> str:
    """Return `text` without the name in 【】 at its start, else without the one at its end."""
    leading = _LEADING.match(text)
    if leading is not None:
        return text[leading.end() :]
    trailing = _TRAILING.search(text, max(0, len(text) - _TRAILING_CHARS))
    return text if trailing is None else text[: trailing.start()]


def _start_of(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()


def _end_of(day: date, zone: ZoneInfo) -> float:
    return _start_of(day + _ONE_DAY, zone)


def template_of(filings: Filings, submission: Submission) -> Template | None:
    """Return the filed template of the reading that people see; note its id in the submission.

    It costs some microseconds: ask once for a text, not once for a message.
    """
    submission.template = ""
    facts = submission.facts
    filed = filings.of(submission.account.system_id)
    if not filed.has_templates or facts is None or not facts.texts:
        return None
    found = filed.template_of(facts.texts[0])
    if found is not None:
        submission.template = found.id
    return found
