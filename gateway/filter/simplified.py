"""Traditional characters as simplified ones, and letters as the Latin ones they look like."""

from opencc import OpenCC

# One look at a text costs OpenCC 100 us: its table of characters is asked for once, and its
# phrases, which tell characters of several meanings apart, are not needed to find words.
_BLOCKS = ((0x3400, 0xA000), (0xF900, 0xFB00))
# What OpenCC leaves alone for want of a neighbour, or writes with another character than people
# do in these words: 回覆, 賬帳, 折價劵, 鉅惠.
_USAGE = "覆复帳账劵券鉅钜"
# Cyrillic and Greek letters that nobody tells from the Latin one beside them.
_LOOK_ALIKES = "аaеeоoрpсcуyхxіiјjѕsԁdһhԛqԝwкkмmтtвbнhгrпnьbαaοoρpνvυuκkτtιiεeηnχxγy"


def _simplifying() -> dict[int, str]:
    characters = [chr(code) for first, last in _BLOCKS for code in range(first, last)]
    converted = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    return {
        ord(one): simple
        for one, simple in zip(characters, converted, strict=True)
        if simple != one and len(simple) == 1
    }


_TO_SIMPLIFIED = _simplifying()
# A character may lead to one that leads on; both go to the end of it.
_TO_SIMPLIFIED |= {
    code: _TO_SIMPLIFIED[ord(simple)]
    for code, simple in _TO_SIMPLIFIED.items()
    if ord(simple) in _TO_SIMPLIFIED
}
_TO_SIMPLIFIED |= {ord(one): simple for one, simple in zip(_USAGE[::2], _USAGE[1::2], strict=True)}
_FOLDED = _TO_SIMPLIFIED | {
    ord(letter): latin for letter, latin in zip(_LOOK_ALIKES[::2], _LOOK_ALIKES[1::2], strict=True)
}


def simplified(plain: str) -> str:
    """Return `plain` with traditional characters simplified, one by one."""
    return plain if plain.isascii() else plain.translate(_TO_SIMPLIFIED)


def folded(plain: str) -> str:
    """Return `plain` simplified, and with Latin letters for those that look like them (R62).

    For searching only: what is written in Cyrillic comes out as no language, the same each
    time.
    """
    return plain if plain.isascii() else plain.translate(_FOLDED)
