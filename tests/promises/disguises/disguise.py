"""What a disguise is: a way to write a word so that people still read it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tests.promises.disguises.words import Script, Word


class Kind(StrEnum):
    """The class that a disguise is counted in."""

    ORDER = "the order of display"
    INVISIBLE = "what shows as nothing"
    SPACES = "spaces and line ends"
    PUNCTUATION = "punctuation and symbols"
    LETTERS_AS_MARKS = "letters that show as marks"
    NUMBERS = "numbers and enclosed letters between"
    ACCENTS = "marks on letters"
    STYLES = "styles and case"
    LOOK_ALIKES = "letters of other scripts"
    VARIANTS = "variants of Han"
    COMPOSITIONS = "other compositions"
    TOGETHER = "several together"


@dataclass(frozen=True, slots=True)
class Disguise:
    """A function of a word that returns how it is written, for words in `scripts` only."""

    name: str
    kind: Kind
    apply: Callable[[str], str]
    scripts: frozenset[Script]

    def of(self, word: Word) -> str | None:
        """Return the message with the word in disguise, None where it cannot be displayed so."""
        if word.script not in self.scripts:
            return None
        disguised = self.apply(word.text)
        return None if disguised == word.text else word.within(disguised)
