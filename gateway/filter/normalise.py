"""The two views in which a text is searched: plain and compact."""

import re
import unicodedata

# What shows as nothing and is put between characters to break a word up: controls, format
# and bidirectional marks, tags, variation selectors, and the Hangul, Khmer, Mongolian and
# Braille fillers. Ranges, not categories read from unicodedata: going through all code
# points would cost every start a tenth of a second.
_FILLERS = (
    r"\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # tab, line and page breaks stay: they part words
    r"\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff"
    r"\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Marks drawn over the letter before them (strike-through, keycap): what is left of them
# after NFKC has composed all it can.
_MARKS = r"\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"

_FILLER = re.compile(f"[{_FILLERS}]+")
_INVISIBLE = re.compile(f"[{_FILLERS}{_MARKS}]+")

# Characters that NFKC and case folding leave alone once the text is in lower case.
_SETTLED = re.compile(r"[\t-\r -~¥·—‘’“”☀-➿、。〈-】一-\u9fff\U0001f300-\U0001faff]*")

_LETTERS_AND_DIGITS = re.compile(r"[^\W_]+")
_LONG_RUN = re.compile(r"([^\w\s]{30})[^\w\s]+")
_NO_ASCII_SEPARATORS = {
    code: None for code in range(128) if not _LETTERS_AND_DIGITS.match(chr(code))
}


def normalise(text: str) -> str:
    """Return the plain view of `text`: NFKC, case folded, without what shows as nothing.

    Normalising again changes nothing. Takes any str, lone surrogates included.
    """
    if text.isascii():
        lowered = text.lower()
        return lowered if lowered.isprintable() else _FILLER.sub("", lowered)
    narrowed = _narrowed(text).lower()
    return narrowed if _SETTLED.fullmatch(narrowed) else _normalise_fully(text)


def compact(plain: str) -> str:
    """Return the compact view of a `plain` view: letters (Han among them) and digits only.

    It closes 代-开 发.票 and 代 开 发 票 up to one word. The price: the end of a sentence and
    the start of the next close up as well, so a word may be found that nobody wrote.
    """
    if plain.isascii():  # half the time of the search below
        return plain.translate(_NO_ASCII_SEPARATORS)
    return "".join(_LETTERS_AND_DIGITS.findall(plain))


def _narrowed(text: str) -> str:
    # Nearly every Chinese SMS has some of these, and one is enough to send a text through
    # NFKC: 5 us, against 0.5 us for doing by hand what NFKC makes of them.
    return (
        text.replace("，", ",")
        .replace("：", ":")
        .replace("！", "!")
        .replace("？", "?")
        .replace("；", ";")
        .replace("（", "(")
        .replace("）", ")")
        .replace("…", "...")
        .replace("￥", "¥")
        .replace("\ufe0f", "")  # follows many emoji
    )


def _normalise_fully(text: str) -> str:
    # Fillers go first, or they keep NFKC from composing what stands around them; case
    # folding can undo NFKC; marks that composed with nothing go last, and what they kept
    # apart (a Hangul syllable, an Arabic hamza) may then compose.
    visible = _with_short_runs(_FILLER.sub("", text))
    folded = unicodedata.normalize("NFKC", visible).casefold()
    unmarked = _INVISIBLE.sub("", unicodedata.normalize("NFKC", folded))
    return _with_short_runs(unicodedata.normalize("NFKC", unmarked))


def _with_short_runs(text: str) -> str:
    # NFKC sorts marks that follow each other in quadratic time: 32 000 of them, which one
    # message_payload holds, took 1.5 s. No letter or digit is lost by cutting such runs, and
    # no text has 30 (Unicode UAX #15, 13). The half-width voice marks count as letters
    # until NFKC makes marks of them.
    marked = text.replace("\uff9e", "\u3099").replace("\uff9f", "\u309a")
    return _LONG_RUN.sub(r"\1", marked)
