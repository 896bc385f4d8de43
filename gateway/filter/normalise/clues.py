"""Clues of links and contacts: few characters that stand in each text which has any of them.

They are little enough to be looked for in every text; a pattern need be tried only where its clue
is found. A new spelling in a pattern needs its clue here.
"""

from collections.abc import Iterator

# What stands for a text in which nobody looked: whatever there is.
EVERY = -1

# Each clue is a row of at most six items of a regular expression, each for one character of
# the folded view.
_LINK = r"""
    :[/\\]
    :[ ][/\\]
    www
    [a-z0-9_ -][.。·•点][a-z]
    [ ][.。·•点][ ][a-z]
    dot[ ]
    [.。点t ][)\]}>】][a-z]
    [.。点t ][)\]}>】][ ][a-z]
    """
# A host that is a number takes a port or a path to be a link.
_DOTTED = "[0-9][.][0-9]"
_PORTED = "[0-9][:/?#]"
_QQ = """
    q[ .·q:群1-9]
    [扣抠球企][扣抠球鹅群裙号]
    """
_WECHAT = """
    [微威薇徽维v][信x]
    wx
    we[ci]
    [加➕+][v薇威]
    """
_MESSENGER = """
    tele
    tg
    hats
    skyp
    pota
    [飞电蝙土][机报蝠豆]
    """
_EMAIL = "[a-z0-9._+-]@[a-z0-9-]"
_SERVICE_LINE = """
    [^0-9.¥$€£]9[56‐–—-][0-9‐–—-][0-9‐–—-][0-9‐–—-]
    [^0-9]1[0-2][0-9][0-9][0-9]
    """
WRITTEN = tuple(
    tuple(map(str.strip, each.strip().splitlines()))
    for each in (_LINK, _DOTTED, _PORTED, _QQ, _WECHAT, _MESSENGER, _EMAIL, _SERVICE_LINE)
)

# Digits in other clothes, one character each: a number in Han, and o and l in one of digits.
CLOTHES_OF = (
    "〇零洞o",
    "一壹幺li",
    "二贰",
    "三叁",
    "四肆",
    "五伍",
    "六陆",
    "七柒拐",
    "八捌",
    "九玖勾",
)
# What people put between the digits of one number.
GAPS = " -.·•‧∙・点/()‐–—―~_"

# Two clues are no rows but runs: the digits of a number that is dialled, and fewer in other
# clothes.
LONG_NUMBER, DRESSED = 1, 2
FIRST_ROW = 2


def _bits() -> Iterator[int]:
    at = FIRST_ROW
    for rows in WRITTEN:
        yield ((1 << len(rows)) - 1) << at
        at += len(rows)


LINK, DOTTED, PORTED, QQ, WECHAT, MESSENGER, EMAIL, _SHORT_NUMBER = _bits()
DIALLED = LONG_NUMBER | _SHORT_NUMBER
CONTACT = QQ | WECHAT | MESSENGER | EMAIL | DIALLED | DRESSED
