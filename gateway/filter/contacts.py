"""Where a text asks its reader to come: chat accounts, telephone numbers, mail addresses."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.msisdn import masked
from gateway.filter.normalise.folding import normalise
from gateway.filter.normalise.views import (
    CLOTHES_OF,
    CONTACT,
    DIALLED,
    DRESSED,
    EMAIL,
    MESSENGER,
    QQ,
    WECHAT,
    Views,
)

# What people put between the digits of one number: 400-820-8820, 138 0013 8000, 400点820点8820.
_PAUSE = r"[ \-.·•‧∙・点/()‐–—―~_]{0,2}"
_ALONE, _END = r"(?<![0-9])", r"(?![0-9])"


def _digits(count: int) -> str:
    return rf"(?:{_PAUSE}[0-9]){{{count}}}"


_COUNTRY = rf"(?:(?:\+|00)86{_PAUSE})"
_MOBILE = rf"(?:{_COUNTRY}|86{_PAUSE})?1[ -]?[3-9]{_digits(9)}"
# Many order numbers begin with ten digits in one piece, but not with these digits; 106... is an SMS
# port of ten or more digits, which cannot be called.
_TOLL = rf"[48]00{_digits(7)}"
# A local number begins with 2 to 9. Without the trunk 0 an area code cannot be told from a port
# (10 6...), so the country code with its prefix is required.
_AREA = r"(?:10|2[0-9]|[3-9][0-9]{2})"
_LINE = rf"(?:{_COUNTRY}0?|0){_AREA}\)?{_PAUSE}[2-9](?:{_digits(7)}|{_digits(6)})"
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


class ContactKind(StrEnum):
    """What somebody can be reached by."""

    QQ = "qq"
    WECHAT = "wechat"
    MESSENGER = "messenger"
    MOBILE = "mobile"
    LANDLINE = "landline"
    TOLL_FREE = "toll_free"
    SERVICE_LINE = "service_line"
    EMAIL = "email"


HOTLINES = frozenset({ContactKind.SERVICE_LINE, ContactKind.TOLL_FREE})


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact at text[start:end]: its account or digits as they are dialled, in one spelling.

    `is_disguised` where it is written in another way than that, separators of a telephone
    number apart.
    """

    kind: ContactKind
    value: str = field(repr=False)
    start: int
    end: int
    is_disguised: bool

    @property
    def masked(self) -> str:
        """Return the value fit for evidence: 138****8000, ab***."""
        return masked(self.value) if self.value.isdigit() else f"{self.value[:2]}***"


# People put these between the digits of one number; their names and their numbers are apart by
# a few more.
_GAP = r"[ \-.·•点/_~—]{0,2}"
_APART = r"[\s.·:,，\"'“”（(【\[<《=—\-]{0,3}"
_VERB = r"(?:号码|账号|帐号|号|群|是|为|加|联系|咨询|客服|搜|找|me|id|no\.?){0,2}"
_DIGITS = rf"[1-9](?:{_GAP}[0-9]){{4,10}}(?![0-9])"
_ACCOUNT = r"[a-z](?=[a-z_-]{0,18}[0-9_-])[a-z0-9_-]{5,19}(?![a-z0-9_-])"
# Spelt with letters only, an account must stand behind a colon: 微信支付 and wechat pay do not.
_SPELT = r"(?:(?<=[:：])|(?<=: ))[a-z]{6,20}(?![a-z0-9_.-])"

_QQ = re.compile(
    rf"(?:(?<![a-z])q[ .·]?q|扣扣|抠抠|球球|企鹅|扣(?=[群裙号]))[群裙]?{_VERB}{_APART}"
    rf"(?P<account>{_DIGITS})"
    r"|(?<![a-z0-9])q群?[:： ]{0,2}(?P<short>[1-9][0-9]{4,10})(?![0-9.])"
)
_WECHAT = re.compile(
    r"(?:微信|威信|薇信|徽信|维信|微x|威x|薇x|[v威薇徽维]信|(?<![a-z])(?:vx|wx|wechat|weixin)"
    rf"|加v|加薇|加威|➕v|\+v){_VERB}{_APART}(?P<account>{_ACCOUNT}|{_DIGITS}|{_SPELT})"
)
_MESSENGER = re.compile(
    r"(?:(?<![a-z])(?:telegram|tg|whatsapp|skype|potato)|纸飞机|飞机号?|电报|蝙蝠|土豆)"
    rf"{_VERB}{_APART}(?P<account>@[a-z][a-z0-9_]{{4,31}}|{_ACCOUNT}|\+?{_DIGITS})"
)
_EMAIL = re.compile(
    r"(?<![a-z0-9._+-])(?P<account>[a-z0-9][a-z0-9._+-]{0,63}+@[a-z0-9-]{1,63}+"
    r"(?:\.[a-z0-9-]{1,63}+){1,4}+)"
)
# The clue without which the pattern need not be tried.
_NAMED = (
    (ContactKind.QQ, QQ, _QQ),
    (ContactKind.WECHAT, WECHAT, _WECHAT),
    (ContactKind.MESSENGER, MESSENGER, _MESSENGER),
    (ContactKind.EMAIL, EMAIL, _EMAIL),
)

_CLOTHES = {ord(one): str(digit) for digit, worn in enumerate(CLOTHES_OF) for one in worn}
_CLOTHED = f"[0-9{''.join(CLOTHES_OF)}]"
# What it begins with comes first in the pattern: searching is then a skip through the text.
_CLOTHED_RUN = re.compile(
    rf"{_CLOTHED}(?<![a-z0-9]{_CLOTHED})(?:{_GAP}{_CLOTHED}){{6,17}}+(?![a-z0-9])"
)
_LATIN = re.compile("[a-z]")
_MOST_LETTERS = 4  # of eleven; with more it is a word: lolololol

_NO_DIGIT = re.compile("[^0-9]+")
_IS_PLAIN = re.compile(r"[0-9\s()（）+\-‐–—－·•./~]+")
_MOBILE_DIGITS = 11
_CODE_CHARS = 8

_ACCOUNTS = frozenset(
    {ContactKind.QQ, ContactKind.WECHAT, ContactKind.MESSENGER, ContactKind.EMAIL}
)

_Found = tuple[ContactKind, str, int, int]


def contacts_of(text: Views) -> tuple[Contact, ...]:
    """Return the contacts of a text from left to right, with their places in the original.

    Chat accounts count where the text says what they are (加V信, QQ:), telephone numbers as
    `has_telephone` knows them and where their digits are written in Han or as letters. A port,
    a price, a date and a code are none. The time grows with the length of the text alone.
    """
    if not text.clues & CONTACT:
        return ()
    found = _apart(_found_in(text.folded, text.clues))
    if not found:
        return ()
    trace = text.trace_folded()
    contacts = []
    for kind, value, first, last in found:
        start, end = trace.original(first, last)
        is_disguised = not _is_plain(kind, value, text.raw[start:end])
        contacts.append(Contact(kind, value, start, end, is_disguised))
    return tuple(contacts)


def _found_in(folded: str, given: int) -> Iterator[_Found]:
    for kind, clue, pattern in _NAMED:
        if given & clue:
            for found in pattern.finditer(folded):
                group = found.lastgroup or ""
                yield kind, _account(found[group]), *found.span(group)
    if given & DIALLED:
        yield from _dialled_in(folded, folded)
    for run in _CLOTHED_RUN.finditer(folded) if given & DRESSED else ():
        digits = run[0].translate(_CLOTHES)
        if digits != run[0] and len(_LATIN.findall(run[0])) <= _MOST_LETTERS:
            yield from _dialled_in(folded, digits, run.start())


def _dialled_in(folded: str, digits: str, at: int = 0) -> Iterator[_Found]:
    """Yield the telephone numbers in `digits`, which stands at folded[at:]."""
    for first, last in telephones_in(digits):
        number = _number_of(digits[first:last])
        kind = _kind_of(number)
        if kind is not ContactKind.SERVICE_LINE or not _is_code(folded, at + first):
            yield kind, number, at + first, at + last


def _is_code(folded: str, start: int) -> bool:
    """Tell whether a short number is one to type in, or part of a word: 验证码为954661, e95555."""
    before = folded[max(0, start - _CODE_CHARS) : start]
    return "码" in before or "code" in before or _LATIN.match(before[-1:]) is not None


def _apart(found: Iterator[_Found]) -> list[_Found]:
    """Return what does not overlap: what stands first, then what was named, not just dialled."""
    kept: list[_Found] = []
    passed = 0
    for one in sorted(found, key=lambda one: one[2]):
        if one[2] >= passed:
            kept.append(one)
            passed = one[3]
    return kept


def _account(written: str) -> str:
    digits = _NO_DIGIT.sub("", written)
    return digits if not _LATIN.search(written) else written.removeprefix("@")


def _number_of(written: str) -> str:
    digits = _NO_DIGIT.sub("", written)
    number = digits.removeprefix("00") if digits.startswith("0086") else digits
    return number.removeprefix("86") if len(number) > _MOBILE_DIGITS else number


def _kind_of(number: str) -> ContactKind:
    if len(number) == _MOBILE_DIGITS and number.startswith("1"):
        return ContactKind.MOBILE
    if number.startswith(("400", "800")):
        return ContactKind.TOLL_FREE
    return ContactKind.LANDLINE if number.startswith("0") else ContactKind.SERVICE_LINE


def _is_plain(kind: ContactKind, value: str, written: str) -> bool:
    if kind in _ACCOUNTS:
        return value in written.lower()
    return _IS_PLAIN.fullmatch(written) is not None and _number_of(written) == value
