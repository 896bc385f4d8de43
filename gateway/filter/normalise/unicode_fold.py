"""Folding by the whole of Unicode's rules: what the tables are made from, and fall back on."""

import re
import unicodedata

# What shows as nothing and is put between characters to break a word up: controls, format
# and bidirectional marks, tags, variation selectors, and the Hangul, Khmer, Mongolian and
# Braille fillers.
_FILLERS = (
    r"\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # tab, line and page breaks stay: they part words
    r"\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff"
    r"\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Marks drawn over the letter before them (strike-through, keycap, Cyrillic hundreds), the points
# of Hebrew and the vowels of Arabic, which few people write: what is left of them after NFKC has
# composed all it can.
_MARKS = (
    r"\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    r"\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08ca-\u08e1"
    r"\u08e3-\u08ff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u2de0-\u2dff\ua66f-\ua672"
    r"\ua674-\ua67d\ufb1e\ufe20-\ufe2f"
)

# Voice marks of kana as they are written behind a letter, wide and half as wide.
VOICE_MARKS = {0x309B: 0x3099, 0x309C: 0x309A, 0xFF9E: 0x3099, 0xFF9F: 0x309A}
_VOICE_MARKS = [(chr(mark), chr(combining)) for mark, combining in VOICE_MARKS.items()]

FILLERS = re.compile(f"[{_FILLERS}]+")
MARKS = re.compile(f"[{_MARKS}]+")

_INVISIBLE = re.compile(f"[{_FILLERS}{_MARKS}]+")
_LONG_RUN = re.compile(r"([^\w\s]{30})[^\w\s]+")


def fold_fully(text: str) -> str:
    """Return `text` in NFKC, case folded, without what shows as nothing.

    Folding again changes nothing. Takes any str, lone surrogates included.
    """
    # Fillers go first, or they keep NFKC from composing what stands around them; case
    # folding can undo NFKC; marks that composed with nothing go last, and what they kept
    # apart (a Hangul syllable, an Arabic hamza) may then compose.
    visible = _with_short_runs(FILLERS.sub("", text))
    folded = unicodedata.normalize("NFKC", visible).casefold()
    unmarked = _INVISIBLE.sub("", unicodedata.normalize("NFKC", folded))
    return _with_short_runs(unicodedata.normalize("NFKC", unmarked))


def _with_short_runs(text: str) -> str:
    # NFKC sorts marks that follow each other in quadratic time: 32 000 of them, which one
    # message_payload holds, took 1.5 s. No letter or digit is lost by cutting such runs, and
    # no text has 30 (Unicode UAX #15, 13). The voice marks that stand alone count as letters
    # until they are marks.
    for mark, combining in _VOICE_MARKS:  # a fifth of what translate takes
        text = text.replace(mark, combining)
    return _LONG_RUN.sub(r"\1", text)
