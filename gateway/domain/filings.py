"""What an SP files about itself, and the rules that it must keep (R01 to R12)."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from gateway.domain.categories import CATEGORIES, TrafficClass
from gateway.domain.sender import PORT_PATTERN, PORT_PROBLEM

# Possessive repetitions after a boundary: the time grows only with the length, for any text. The
# ideographic full stop counts as a dot, because browsers read it as one.
_LABEL = "[a-z0-9_-]"
_REST = "[!-~]*+"
_ENDINGS = "com|cn|net|org|top|xyz|vip|cc|me|io|info|club|shop|site|online|link|app|co|tv|la|im"
_LINK = re.compile(
    rf":[/\\]{{2}}{_REST}"
    rf"|h(?:tt|xx)ps?:{_REST}"
    rf"|www[.。]{_REST}"
    rf"|(?<![a-z0-9_.。-])(?P<host>{_LABEL}++(?:[.。]{_LABEL}++)++)"
    rf"|[.。](?:{_ENDINGS})(?![a-z0-9]){_REST}"
)
_BEHIND = re.compile(_REST)
_DOTS = re.compile("[.。]")
_KNOWN_ENDINGS = frozenset(_ENDINGS.split("|"))
_IPV4_LABELS = 4
_MAX_ENDING_CHARS = 24


def link_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each link of a lower-case `text` begins and ends, from left to right.

    Host names without a scheme count, and addresses of four numbers; 5.5km and 12.30 do not.
    """
    end = 0
    while (found := _LINK.search(text, end)) is not None:
        start, end = found.span()
        host = found["host"]
        if host is None:
            yield start, end
        elif _is_host(_DOTS.split(host)):
            # Only after a host: the length in 5.5km,http://… must not hide the link.
            behind = _BEHIND.match(text, end)
            end = behind.end() if behind is not None else end
            yield start, end


def _is_host(labels: list[str]) -> bool:
    *before, last = labels
    if last.isalpha():
        is_named = any(char.isalpha() for label in before for char in label)
        return 2 <= len(last) <= _MAX_ENDING_CHARS and (is_named or last in _KNOWN_ENDINGS)
    return len(labels) == _IPV4_LABELS and all(
        label.isdigit() and len(label) <= 3 for label in labels
    )


class TemplateKind(StrEnum):
    """What the texts of a template are for; a consent request asks before it sells (R23)."""

    VERIFICATION = "verification"
    SERVICE = "service"
    COMMERCIAL = "commercial"
    PUBLIC_INTEREST = "public_interest"
    CONSENT_REQUEST = "consent_request"

    @property
    def traffic_class(self) -> TrafficClass:
        """Return the class that a text of this kind is declared as.

        A consent request is advertising: all rules for commercial messages hold for it, except that
        it needs no consent yet.
        """
        if self is TemplateKind.CONSENT_REQUEST:
            return TrafficClass.COMMERCIAL
        return TrafficClass(self.value)


@dataclass(frozen=True, slots=True)
class Licence:
    """An SP's licence (许可证), valid through the day `valid_until` (O31 art. 6, R01)."""

    system_id: str
    number: str
    valid_until: date


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature (签名) without its brackets (R12).

    `sources` are the sub-ports, in digits, that belong to this signature and to no other of the SP
    (R06). Empty means that any port of the SP may use it. After the day `valid_until` it counts as
    not on file.
    """

    system_id: str
    name: str
    sources: tuple[str, ...] = ()
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template (模板): `text` without signature, with the variables {1}, {2} and so on (R12).

    Each variable stands for 1 to `max_variable` characters. After the day `valid_until` it counts
    as not on file.
    """

    system_id: str
    id: str
    kind: TemplateKind
    text: str
    max_variable: int = 20
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class PortScope:
    """The one province in which a provincial port may be used (R04)."""

    system_id: str
    port: str
    province: str


@dataclass(frozen=True, slots=True)
class Approval:
    """An authority's approval of a public-interest port, from one day through another (R11)."""

    system_id: str
    port: str
    reference: str
    valid_from: date
    valid_until: date


Filing: TypeAlias = Licence | Signature | Template | PortScope | Approval


def end_of(filing: Filing) -> date | None:
    """Return the last day of a filing, None if it has none."""
    return None if isinstance(filing, PortScope) else filing.valid_until


def not_ended(filings: Iterable[Filing], today: date) -> list[Filing]:
    """Return `filings` without signatures and templates that have ended.

    Licences and approvals that have ended stay: rules tell them from those that were never filed.
    """
    return [
        one
        for one in filings
        if not isinstance(one, Signature | Template) or (one.valid_until or today) >= today
    ]


# The fields that identify a filing of each kind. A later filing with the same values replaces the
# earlier one.
KEYS: dict[type[Filing], tuple[str, ...]] = {
    Licence: ("system_id",),
    Signature: ("system_id", "name"),
    Template: ("system_id", "id"),
    PortScope: ("system_id", "port"),
    Approval: ("system_id", "port", "reference"),
}
_ORDER = {kind: number for number, kind in enumerate(KEYS)}

FilingKey: TypeAlias = tuple[int, tuple[str, ...]]


def key_of(filing: Filing) -> FilingKey:
    """Return the key of a filing; keys sort by kind, then by SP."""
    kind = type(filing)
    return _ORDER[kind], tuple(getattr(filing, name) for name in KEYS[kind])


# What the messages will be about: the categories of preferences and complaints, and other names
# that advertisers use. "Messages" alone does not tell.
_ABOUT = (
    *(word.casefold() for one in CATEGORIES for word in (one.name, *one.aliases)),
    *(  # noqa: SIM905 - forty strings would fill a page
        "优惠 折扣 促销 特价 打折 广告 推广 营销 新品 上新 商品 产品 活动 会员 积分 礼品 抽奖 资讯 "
        "新闻 天气 股票 行情 笑话 新书 新店 开业 演出 电影 讲座 健康 美食 餐饮 服装 "
        "offers deals discounts promotions marketing advertising advertisements products events "
        "news newsletter sales coupons"
    ).split(),
)
_NUMBER = r"(?:[0-9]+|[一二两三四五六七八九十半]+|\{[0-9]{1,3}\})"
_HOW_OFTEN = re.compile(
    rf"每|{_NUMBER}\s*[条次]|不定期|daily|weekly|monthly|yearly|\bevery\b"
    r"|\b(?:per|a) (?:day|week|month|year)\b|\bonce\b|\btwice\b"
)
# 每三个月 is how often; 三个月 is how long.
_HOW_LONG = re.compile(
    rf"为期|期限|有效期|长期|截至|截止|(?<![每0-9一二两三四五六七八九十半]){_NUMBER}\s*"
    r"(?:天|日内|周|个?星期|月内|个月|个?季度|年)|一次为限"
    r"|\bfor \S+ (?:day|week|month|year)s?\b|\buntil\b|\bvalid\b"
)
_REPLY = re.compile(
    r"(?:回复?|答复|发送|发|\breply(?: with)?|\btext|\bsend)[\s\"'“”‘’「」:：,，]{0,3}"
    r"(?:yes\b|y(?![a-z])|是|同意|确认)"
)
# Names that tell a subscriber nothing about who writes.
NEUTRAL_NAMES = frozenset(
    (  # noqa: SIM905 - forty strings would fill a page
        "通知 提醒 温馨提示 提示 短信 短信通知 客服 客服通知 客服中心 系统通知 系统消息 消息 公告 "
        "通告 服务 服务通知 服务中心 验证码 验证 营销 推广 会员 会员通知 用户 客户 平台 中心 "
        "公司 官方 notice notification message sms info service system verification test"
    ).split()
)
_VARIABLE = re.compile(r"\{([0-9]{1,3})\}")
_PORT = re.compile(PORT_PATTERN)
_FIRST_YEAR, _LAST_YEAR = 2000, 2200


_MIN_NAME_CHARS, _MAX_NAME_CHARS, _MAX_TEXT_CHARS, _MAX_LABEL_CHARS = 2, 32, 500, 64
_MAX_VARIABLES, MAX_VARIABLE_CHARS, _MIN_LITERAL_CHARS = 10, 64, 2
MAX_SOURCES = 100
MAX_PER_SENDER = 2_000  # of each kind


def pieces_of(text: str) -> tuple[str, ...]:
    """Return the literal pieces of a template's text, one more than it has variables."""
    return tuple(_VARIABLE.split(text)[::2])


def problems_of(filing: Filing) -> tuple[str, ...]:
    """Return all problems of one filing; empty if it may be filed."""
    return tuple(_problems(filing))


def clashes_in(filings: Iterable[Filing]) -> tuple[str, ...]:
    """Return the conflicts among all filings of one SP."""
    every = list(filings)
    found: list[str] = []
    owners: dict[str, str] = {}
    for filing in every:
        if isinstance(filing, Signature):
            for source in filing.sources:
                owner = owners.setdefault(source, filing.name)
                if owner != filing.name:
                    found.append(f"{source} belongs to the signature {owner} already")
    for kind, count in Counter(map(type, every)).items():
        if count > MAX_PER_SENDER:
            found.append(f"more than {MAX_PER_SENDER} of the kind {kind.__name__.lower()}")
    return tuple(found)


def name_problems(name: str) -> Iterator[str]:
    """Yield what is wrong with the name in a signature."""
    if not _MIN_NAME_CHARS <= len(name) <= _MAX_NAME_CHARS:
        yield f"must have {_MIN_NAME_CHARS} to {_MAX_NAME_CHARS} characters"
    if name != name.strip() or not name.isprintable() or set("【】") & set(name):
        yield "must hold neither brackets, nor what is not shown, nor blanks around it"
    if _folded(name) in NEUTRAL_NAMES:
        yield "names nobody: file the name that subscribers know the sender by"


def text_problems(text: str) -> Iterator[str]:
    """Yield what is wrong with the text of a template."""
    if len(text) > _MAX_TEXT_CHARS:
        yield f"is longer than {_MAX_TEXT_CHARS} characters"
    if not text.replace("\n", "").isprintable():
        yield "holds a control character"
    if set("【】") & set(text):
        yield "holds a bracket of a signature: signatures are filed on their own"
    yield from _variable_problems(text)
    if _has_variable_at_link(text):
        yield "has a variable in or beside a link"


def request_problems(text: str) -> Iterator[str]:
    """Yield what a request for consent must say and its text does not say (R23).

    The check looks for words only: a person who reviews filings reads the text as well.
    """
    plain = _folded(text)
    if not any(word in plain for word in _ABOUT):
        yield "must say what the messages are about (优惠, 新品, or a category)"
    if not _HOW_OFTEN.search(plain):
        yield "must say how often (每月两条)"
    if not _HOW_LONG.search(plain):
        yield "must say for how long (为期一年)"
    if not _REPLY.search(plain):
        yield "must say what to reply for a yes (回复Y同意): Y, YES, 是, 同意 or 确认"


def port_problems(port: str) -> Iterator[str]:
    """Yield what is wrong with a port, or with the source address of a sub-port."""
    if not _PORT.fullmatch(port):
        yield PORT_PROBLEM


def date_problems(day: date) -> Iterator[str]:
    """Yield what is wrong with a day on which something begins or ends."""
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        yield f"must lie between {_FIRST_YEAR} and {_LAST_YEAR}"


def label_problems(label: str) -> Iterator[str]:
    """Yield what is wrong with a number, reference, id or province."""
    if not label.strip() or len(label) > _MAX_LABEL_CHARS or not label.isprintable():
        yield f"must have 1 to {_MAX_LABEL_CHARS} characters that can be shown"


def _problems(filing: Filing) -> Iterator[str]:
    match filing:
        case Licence():
            yield from label_problems(filing.number)
            yield from date_problems(filing.valid_until)
        case Signature():
            yield from _signature_problems(filing)
        case Template():
            yield from _template_problems(filing)
        case PortScope():
            yield from port_problems(filing.port)
            yield from label_problems(filing.province)
        case _:
            yield from _approval_problems(filing)


def _signature_problems(signature: Signature) -> Iterator[str]:
    yield from name_problems(signature.name)
    yield from _end_problems(signature)
    for source in signature.sources:
        yield from port_problems(source)
    if len(signature.sources) > MAX_SOURCES:
        yield f"has more than {MAX_SOURCES} sources"


def _template_problems(template: Template) -> Iterator[str]:
    yield from label_problems(template.id)
    yield from text_problems(template.text)
    yield from _end_problems(template)
    if template.kind is TemplateKind.CONSENT_REQUEST:
        yield from request_problems(template.text)
    if not 1 <= template.max_variable <= MAX_VARIABLE_CHARS:
        yield f"a variable may have 1 to {MAX_VARIABLE_CHARS} characters"


def _end_problems(filing: Signature | Template) -> Iterator[str]:
    if filing.valid_until is not None:
        yield from date_problems(filing.valid_until)


def _approval_problems(approval: Approval) -> Iterator[str]:
    yield from port_problems(approval.port)
    yield from label_problems(approval.reference)
    yield from date_problems(approval.valid_from)
    yield from date_problems(approval.valid_until)
    if approval.valid_until < approval.valid_from:
        yield "ends before it begins"


def _variable_problems(text: str) -> Iterator[str]:
    pieces = pieces_of(text)
    numbers = [int(number) for number in _VARIABLE.findall(text)]
    if numbers != list(range(1, len(numbers) + 1)):
        yield "must number its variables {1}, {2} and so on, in this order"
    if len(numbers) > _MAX_VARIABLES:
        yield f"has more than {_MAX_VARIABLES} variables"
    if any(set("{}") & set(piece) for piece in pieces):
        yield "has a brace that belongs to no variable"
    if any(not piece.strip() for piece in pieces[1:-1]):
        yield "has variables beside each other"
    if sum(char.isalnum() for piece in pieces for char in piece) < _MIN_LITERAL_CHARS:
        yield f"must say at least {_MIN_LITERAL_CHARS} letters of its own"


def _has_variable_at_link(text: str) -> bool:
    """Tell whether a variable would become part of a link if its value were a letter."""
    shown, places = "", set()
    for piece in pieces_of(text):
        shown += _folded(piece)
        places.add(len(shown))
        shown += "x"
    places.discard(len(shown) - 1)
    shown = shown[:-1]
    return any(place in range(*span) for span in link_spans(shown) for place in places)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
