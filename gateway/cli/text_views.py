"""The views of a text in which its words are looked for, for people who ask what was read."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain

from gateway.cli.explanation_labels import worded
from gateway.cli.screen import print_table
from gateway.filter.display_order import displayed
from gateway.filter.inflation import deflated, is_inflated
from gateway.filter.shapes import DIRECTED
from gateway.filter.views import Views

_COLUMNS = ("reading", "read", "view", "text")
_VIEWS = ("raw", "folded", "letters", "sound")
# Characters that show as nothing though they count as printable (Unicode 16.0,
# Default_Ignorable_Code_Point), and the empty pattern of Braille.
_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)


@dataclass(frozen=True, slots=True)
class TextView:
    """What one reading of a text is taken for, each field as gateway.filter.views has it.

    `reading` counts from 1, the best first. `read` is as sent, as displayed (in the order on the
    screen), or either with characters such as boxed letters taken for marks.
    """

    reading: int
    read: str
    raw: str
    folded: str
    letters: str
    sound: str

    def as_json(self) -> dict[str, object]:
        """Return the view for programs, its characters as they are."""
        return asdict(self)

    def rows(self, lang: str) -> Iterator[tuple[str, str, str, str]]:
        """Yield a row for each text that differs, with the names of the views that have it."""
        names: dict[str, list[str]] = {}
        for name in _VIEWS:
            names.setdefault(getattr(self, name), []).append(worded(name, lang))
        for text, named in names.items():
            shown = _UNSEEN.sub(_escaped, text)
            yield str(self.reading), worded(self.read, lang), ", ".join(named), shown


def text_views(readings: Iterable[str]) -> tuple[TextView, ...]:
    """Return the views of every reading of a text, in the order in which they are searched."""
    return tuple(
        view for number, text in enumerate(readings, 1) for view in _views_of(number, text)
    )


def print_views(views: Iterable[TextView], lang: str) -> None:
    """Print a table of `views`, with what shows as nothing written out."""
    rows = chain.from_iterable(view.rows(lang) for view in views)
    print_table([worded(column, lang) for column in _COLUMNS], rows)


def _views_of(reading: int, text: str) -> Iterator[TextView]:
    # What swells was never looked at: the text counts as unreadable for it.
    sent = Views(deflated(text) if is_inflated(text) else text)
    orders = map(Views, displayed(sent.raw)) if sent.hints & DIRECTED else ()
    for read, seen in (("as sent", sent), *(("as displayed", order) for order in orders)):
        yield _view(reading, read, seen)
        for further in seen.further:
            yield _view(reading, f"{read}, with marks", further)


def _view(reading: int, read: str, seen: Views) -> TextView:
    return TextView(reading, read, seen.raw, seen.folded, seen.letters, seen.sound)


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
