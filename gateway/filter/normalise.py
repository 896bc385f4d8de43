"""The two views in which a text is searched: plain and compact."""

import re

from gateway.filter.folding import PLAIN_FOLDING

_LETTERS_AND_DIGITS = re.compile(r"[^\W_]+")
_NO_ASCII_SEPARATORS = {
    code: None for code in range(128) if not _LETTERS_AND_DIGITS.match(chr(code))
}

normalise = PLAIN_FOLDING.fold


def compact(plain: str) -> str:
    """Return the compact view of a `plain` view: letters (Han among them) and digits only.

    It joins 代-开 发.票 and 代 开 发 票 into one word. The price: the end of a sentence joins the
    start of the next one, so a word may be found that is not in the text.
    """
    if plain.isascii():  # takes half the time of the search below
        return plain.translate(_NO_ASCII_SEPARATORS)
    return "".join(_LETTERS_AND_DIGITS.findall(plain))
