"""Telephone numbers in a text that its readers are to call."""

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
# Many order numbers begin with ten digits in one piece, but not with these digits; 106... is an SMS
# port of ten or more digits, which cannot be called.
_TOLL = rf"[48]00{_digits(7)}"
# A local number begins with 2 to 9. Without the trunk 0 an area code cannot be told from a port
# (10 6...), so the country code with its prefix is required.
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
# Numbers of carriers and public lines look like amounts, so the text must say that they are called.
_CALLED = re.compile(
    r"(?:电话|热线|专线|客服|咨询|详询|垂询|拨打?|致电|洽|tel|call|dial|hotline)[^\w\n]{0,3}(?:请拨打?|为|是)?[^\w\n]{0,2}"
    rf"(100(?:0[01]|1[0-9]|50|60|8[0-9]|9[69])|1[12][0-9]{{3}}){_NO_UNIT}"
)
# Each with a sign that a text must have before it is tried: that test takes a fifth of the time.
_PATTERNS = (
    (re.compile("[0-9](?:[^0-9]{0,3}+[0-9]){9}+"), _LONG),
    (re.compile(rf"9{_DASH}[56]"), _SERVICE),
    (re.compile("1[0-2][0-9]{3}"), _CALLED),
)


def has_telephone(text: str) -> bool:
    """Tell whether `text` names a telephone number that is answered (R38).

    Mobile numbers, fixed lines with area code, 400 and 800 numbers, 95 and 96 service numbers;
    short numbers of carriers and public lines only if the text says to call them. A port (106...)
    does not count: it takes no calls. Digits may have any width, with spaces, dashes and dots
    between them. The time is linear in the length.
    """
    plain = normalise(text)
    return any(sign.search(plain) and pattern.search(plain) for sign, pattern in _PATTERNS)


def telephones_in(plain: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of such numbers in a text in its normalised view."""
    for sign, pattern in _PATTERNS:
        if not sign.search(plain):
            continue
        for found in pattern.finditer(plain):
            yield found.span(found.lastindex or 0)  # a short number without the words before it
