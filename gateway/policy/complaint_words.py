"""What a complaint written as an SMS to a report code says: which sender, which text (R80)."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class ComplaintFormat(StrEnum):
    """How a complaint to a report code is written.

    STAR is 号码*内容 or 号码 内容, HASH LJDXJB#号码#内容, COLON 号码:全文, COMMA "text, sender,
    dd/mm/yy". With TWO_STEP the text comes first, and the number as an answer to a question.
    """

    STAR = "star"
    HASH = "hash"
    COLON = "colon"
    COMMA = "comma"
    TWO_STEP = "two_step"


@dataclass(frozen=True, slots=True)
class ComplaintWords:
    """What was read. `sender` is None and `body` is "" if the text does not say it.

    `sender` is digits, or a name in capitals; a mainland mobile number has no 86. `received_on` is
    the day on which the subscriber got the message.
    """

    sender: str | None
    body: str
    received_on: date | None = None


# Only so many characters at the start, or at the end for COMMA, are searched for the sender.
_MAX_HEAD_CHARS = 64
_MAX_TAIL_CHARS = 48

# One character to one, so that places in the folded text are places in the text as it was written:
# full-width forms, the signs, and what phones put around a number that is copied from contacts.
_FOLDED: dict[int, int | str] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_FOLDED |= dict.fromkeys(map(ord, "﹡∗✱⁎"), "*") | dict.fromkeys(map(ord, "﹟♯"), "#")
_FOLDED |= dict.fromkeys(map(ord, "﹕︰∶"), ":") | dict.fromkeys(map(ord, "﹐、"), ",")
_FOLDED |= dict.fromkeys(map(ord, "‐‑‒–—―−﹣"), "-")
_FOLDED |= dict.fromkeys(map(ord, "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\ufeff"), " ")

# A port has 3 digits (a code) to 20, and whoever copies it leaves signs and spaces in it.
_DIGITS = r"\+?\(?[0-9](?:[ ().-]{0,2}[0-9]){2,23}\)?"
_NAME = r"[A-Za-z][A-Za-z0-9-]{1,9}[A-Za-z0-9]"
_HEADER = r"[A-Za-z]{2}-[A-Za-z0-9-]{1,7}[A-Za-z0-9]"
_SIGNS = {ComplaintFormat.STAR: r"\*", ComplaintFormat.HASH: "#", ComplaintFormat.COLON: ":"}
_KEYWORD = r"(?:LJDXJB\s*#\s*)?"
_SIGNED = {
    form: re.compile(rf"{_KEYWORD}({_DIGITS})\s*{sign}", re.IGNORECASE)
    for form, sign in _SIGNS.items()
}
# A space ends a number only behind so many digits: 50 元, 2025 新年 are words of the text. What
# follows it may begin with digits, so that spaces within are those of a mobile number alone.
_SPACED = re.compile(
    r"((?:(?:\+|00)?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}|\+?[0-9](?:-?[0-9]){4,23})\s"
)
_DATED = re.compile(
    rf",\s*({_DIGITS}|{_NAME})\s*,\s*([0-9]{{1,2}})[/.-]([0-9]{{1,2}})[/.-]"
    r"([0-9]{4}|[0-9]{2})$"
)
_UNDATED = re.compile(rf",\s*({_DIGITS}|{_HEADER})$")
# An answer is the number, and at most these words before it: 加微信13800138000 is a text.
_MAX_ANSWER_CHARS = 48
_LABEL = "(?:ljdxjb|号码|號碼|电话|手机|发件人|对方|来自|是|为|号|from|sender|number|the|it|is|was)"
_ANSWER = re.compile(
    rf"(?:{_LABEL}[\s:#*,.]*){{0,6}}({_DIGITS}|{_HEADER})[\s#*,.!。]*", re.IGNORECASE
)
_STATUS = re.compile(
    r"(?:cx|status|查询|查詢)(?:举报|舉報)?[\s:#*,.]{0,3}([0-9]{0,18})[\s.!。]*", re.IGNORECASE
)
_NOT_DIGITS = re.compile(r"[^0-9]")
_MOBILE = re.compile(r"(?:00)?86(1[3-9][0-9]{9})")
_MAX_DIGITS = 20
_CENTURY = 2000


def complaint_in(text: str, form: ComplaintFormat) -> ComplaintWords:
    """Return what a complaint in `form` says. Never raises; takes any text.

    What cannot be read in that form is all of it `body`, without a sender.
    """
    whole = text.strip()
    match form:
        case ComplaintFormat.COMMA:
            return _listed(whole)
        case ComplaintFormat.TWO_STEP:
            return ComplaintWords(None, whole)
        case _:
            head = whole[:_MAX_HEAD_CHARS].translate(_FOLDED)
            start = len(head) - len(head.lstrip())
            found = _SIGNED[form].match(head, start)
            if found is None and form is ComplaintFormat.STAR:
                found = _SPACED.match(head, start)
            sender = None if found is None else _digits_of(found[1])
            if found is None or sender is None:
                return ComplaintWords(None, whole)
            return ComplaintWords(sender, whole[found.end() :].strip())


def sender_in(text: str) -> str | None:
    """Return the sender that a short text names and nothing else: the answer to our question.

    None for anything else. Never raises.
    """
    if len(text) > _MAX_ANSWER_CHARS:
        return None
    found = _ANSWER.fullmatch(text.translate(_FOLDED).strip())
    return None if found is None else _sender_of(found[1])


def status_query_in(text: str) -> int | None:
    """Return the id of the complaint that a text asks about, 0 for all of its writer's.

    None for any other text (R89). Never raises.
    """
    if len(text) > _MAX_ANSWER_CHARS:
        return None
    found = _STATUS.fullmatch(text.translate(_FOLDED).strip())
    return None if found is None else int(found[1] or 0)


def _listed(whole: str) -> ComplaintWords:
    cut = max(0, len(whole) - _MAX_TAIL_CHARS)
    tail = whole[cut:].translate(_FOLDED).rstrip()
    found = _DATED.search(tail)
    on = None if found is None else _date_of(found[2], found[3], found[4])
    if found is None:
        found = _UNDATED.search(tail)
    sender = None if found is None else _sender_of(found[1])
    if found is None or sender is None:
        return ComplaintWords(None, whole)
    return ComplaintWords(sender, whole[: cut + found.start()].strip(), on)


def _date_of(day: str, month: str, year: str) -> date | None:
    try:
        return date(int(year) + (_CENTURY if len(year) == 2 else 0), int(month), int(day))
    except ValueError:
        return None


def _sender_of(written: str) -> str | None:
    is_name = any(map(str.isalpha, written))
    return written.upper() if is_name else _digits_of(written)


def _digits_of(written: str) -> str | None:
    digits = _NOT_DIGITS.sub("", written)
    mobile = _MOBILE.fullmatch(digits)
    if mobile is not None:
        return mobile[1]
    return digits if len(digits) <= _MAX_DIGITS else None
