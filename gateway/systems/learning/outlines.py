"""The outline of a text: one sign for each character, by what it does in a number."""

from unicodedata import category

from gateway.filter.folding import FULL_FOLDING

# A figure of any script, width or frame; a letter people write for one; other letters; other Han;
# what shows as nothing or sits on what stands before it; anything else.
FIGURE, LIKE_FIGURE, LETTER, HAN, UNSEEN, SIGN = "0oaw~ "

# Said digit by digit. Ten and more (十百千) stand in sums, not in numbers that are dialled.
_HAN_FIGURES = frozenset("〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖幺洞拐勾廿两")
_FIRST_HAN, _LAST_HAN = "\u3400", "\u9fff"
_WORN = frozenset("oOlI")
_WORN_FOLDED = frozenset("oli")
_UNSEEN_CATEGORIES = frozenset({"Cf", "Mn", "Me"})


def outline_of(text: str) -> str:
    """Return `text` sign for character; figures, however written, are all `FIGURE`."""
    return text.translate(_SIGNS)


class _Signs(dict[int, str]):
    """What was looked up once, at most each character that there is."""

    def __missing__(self, code: int) -> str:
        sign = self[code] = _sign_of(chr(code))
        return sign


_SIGNS = _Signs()


def _sign_of(one: str) -> str:
    folded = FULL_FOLDING.fold(one)
    if one in _HAN_FIGURES or folded in _HAN_FIGURES:
        return FIGURE
    if _FIRST_HAN <= one <= _LAST_HAN:
        return HAN
    if one.isnumeric() or any(char.isdigit() for char in folded):
        return FIGURE
    if one in _WORN or (not one.isascii() and folded in _WORN_FOLDED):
        return LIKE_FIGURE
    if not folded or category(one) in _UNSEEN_CATEGORIES:
        return UNSEEN
    return LETTER if one.isalpha() or folded.isalpha() else SIGN
