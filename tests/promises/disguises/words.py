"""The forty words that are refused, each with the innocent text around it."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml


class Script(StrEnum):
    """The script of a word."""

    HAN = "han"
    LATIN = "latin"
    CYRILLIC = "cyrillic"
    DEVANAGARI = "devanagari"
    HANGUL = "hangul"
    KANA = "kana"
    THAI = "thai"
    ARABIC = "arabic"


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the reject list, and the text before and after it."""

    text: str
    script: Script
    before: str
    after: str

    def within(self, disguised: str) -> str:
        """Return the whole message with `disguised` in the place of the word."""
        return f"{self.before}{disguised}{self.after}"

    @property
    def innocent(self) -> str:
        """Return the message without the word."""
        return self.within("")


def _words() -> tuple[Word, ...]:
    path = Path(__file__).with_name("words.yaml")
    by_script = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(
        Word(text, Script(script), rows["before"], rows["after"])
        for script, rows in by_script.items()
        for text in rows["words"]
    )


WORDS = _words()
