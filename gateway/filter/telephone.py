"""The telephone number that a text gives its readers to call."""

import re
from collections.abc import Iterator

from gateway.filter.normalise import normalise

# What people put between the digits of one number: 400-820-8820, 138 0013 8000, 400点820点8820.
_GAP = r"[ \-.·•‧∙・点/()‐–—―~_]{0,2}"
_ALONE, _END = r"(?<![0-9])", r"(?![0-9])"


def _digits(count: int) -> str:
    return rf"(?:{_GAP}[0-9]){{{count}}}"


_COUNTRY = rf"(?:(?:\+|00)86{_GAP})"
_MOBILE = rf"(?:{_COUNTRY}|86{_GAP})?1[ -]?[3-9]{_digits(9)}"
# Ten digits in one piece begin many order numbers, but not with these; 106... is ten or more of
# an SMS port, which nobody can call.
_TOLL = rf"[48]00{_digits(7)}"
# A subscriber's own part begins with 2 to 9. Without the trunk 0 there is no telling an area
# code from a port (10 6...), so it takes the country code with its plus.
_AREA = r"(?:10|2[0-9]|[3-9][0-9]{2})"
_LINE = rf"(?:{_COUNTRY}0?|0){_AREA}\)?{_GAP}[2-9](?:{_digits(7)}|{_digits(6)})"
_LONG = re.compile(rf"{_ALONE}(?:{_MOBILE}|{_TOLL}|{_LINE}){_END}")

# Numbers of five to eight digits may also be prices, points and codes.
_DASH = r"[-‐–—]?"
_NO_SUM = r"(?<![¥$€£0-9.])"
_NO_UNIT = (
    r"(?![0-9]|\.[0-9]| ?(?:元|块|分|积分|点|万|亿|千|名|位|人|个|件|套|台|份|次|条|米|平|吨|里|年"
    r"|%|rmb|yuan))"
)
_SERVICE = re.compile(
    rf"{_NO_SUM}9{_DASH}5(?:{_DASH}[0-9]){{3,6}}{_NO_UNIT}"
    rf"|{_NO_SUM}9{_DASH}6(?:{_DASH}[0-9]){{3,4}}{_NO_UNIT}"
)
# The carriers' own and public lines look like sums, so that something must say they are called.
_CALLED = re.compile(
    r"(?:电话|热线|专线|客服|咨询|详询|垂询|拨打?|致电|洽|tel|call|dial|hotline)[^\w\n]{0,3}(?:请拨打?|为|是)?[^\w\n]{0,2}"
    rf"(100(?:0[01]|1[0-9]|50|60|8[0-9]|9[69])|1[12][0-9]{{3}}){_NO_UNIT}"
)
# Each with what must stand in a text for it to be tried: a look for that takes a fifth of the time.
_PATTERNS = (
    (re.compile("[0-9](?:[^0-9]{0,3}+[0-9]){9}+"), _LONG),
    (re.compile(rf"9{_DASH}[56]"), _SERVICE),
    (re.compile("1[0-2][0-9]{3}"), _CALLED),
)


def has_telephone(text: str) -> bool:
    """Tell whether `text` names a telephone number that somebody answers (R38).

    Mobile numbers, fixed lines with their area code, 400 and 800 numbers, 95 and 96 service
    numbers; the short ones of carriers and public lines where the text says to call them. A
    port (106...) is none: it takes no calls. Whatever the width of the digits, and with spaces,
    dashes and dots between them. The time grows with the length alone.
    """
    plain = normalise(text)
    return any(sign.search(plain) and pattern.search(plain) for sign, pattern in _PATTERNS)


def telephones_in(plain: str) -> Iterator[tuple[int, int]]:
    """Yield where such numbers begin and end in a text in its normalised view."""
    for sign, pattern in _PATTERNS:
        if not sign.search(plain):
            continue
        for found in pattern.finditer(plain):
            yield found.span(found.lastindex or 0)  # of a short one not the words before it
