"""Verdicts of people on texts: what is kept of them, without what could name a person."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from unicodedata import category

from gateway.domain.categories import category_of
from gateway.filter.classifier.score import TextClass, class_of
from gateway.filter.contacts import contacts_of
from gateway.filter.links import links_of
from gateway.filter.normalise.folding import FULL_FOLDING
from gateway.filter.normalise.views import Views
from gateway.systems.learning.model import KeptSample, NewSample, SampleLabel, SampleSource
from gateway.systems.learning.samples import MAX_TEXT_CHARS, Sample

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


# In the outline of a text: what may stand between the figures of one number, up to three signs
# and any number of invisible characters.
_GAP = rf"{UNSEEN}*+(?:{SIGN}{UNSEEN}*+){{0,3}}+"
# From seven figures on it may be a person's number, even with gaps; in one piece from five on.
_DIALLED = re.compile(rf"{FIGURE}(?:{_GAP}{FIGURE}){{6,}}+")
_RUN = re.compile(rf"{FIGURE}{{5,}}+")
# l38oo138ooo: letters in place of some figures.
_CLOTHED_FIGURE = rf"[{FIGURE}{LIKE_FIGURE}]"
_CLOTHED = re.compile(
    rf"(?<![{LETTER}{LIKE_FIGURE}{FIGURE}]){_CLOTHED_FIGURE}(?:{_GAP}{_CLOTHED_FIGURE}){{6,}}+"
)
_LEAST_BARE, _LEAST_DIALLED = 5, 7
# 验证码123456，5分钟内有效: the 5 of the next clause is no part of the number before it.
_CLAUSE_ENDS = frozenset("，,、；;。！!？?\n")
_MOST_GAP_SIGNS, _MOST_COUNTED = 3, 2

# What may name a person in a link or address: the name before the @, and all after the host.
_HAN = r"\u3400-\u9fff"
_USER = re.compile(r"(?<=://)[^\s/@?#\\]++(?=@)")
_LOCAL = rf"(?:[^\W{_HAN}]|[.%+'’-])"
_MAILBOX = re.compile(
    rf"(?<!{_LOCAL}){_LOCAL}++(?=[@＠][A-Za-z0-9\uff10-\uff5a])"
    # 张三@qq.com, and not 关注@shop.
    rf"|[{_HAN}]{{1,4}}+(?=[@＠][A-Za-z0-9-]{{1,63}}+[.．])"
)
_HOST = (
    r"(?::[/／\\＼]{2}[^\s/?#\\／？＃＼]{1,255}+"
    r"|[.。．][A-Za-z\u4e00-\u9fff][A-Za-z0-9\u4e00-\u9fff-]{1,62}+(?::\d{1,5}+)?+"
    r"|(?:\d{1,3}\.){3}\d{1,3}+(?::\d{1,5}+)?+)"
)
_BEGIN = r"[/?#\\／？＃＼]"
_REST = r"[!-~\uff01-\uff5e\u00c0-\u052f]*+"
# Across Han characters only if another piece of a path or a query follows.
_PATH = rf"{_BEGIN}{_REST}(?:[{_HAN}]{{1,64}}+[&=/?#＆＝／？＃]{_REST})*+"
_LINKED = re.compile(rf"({_HOST}(?:\.|(?<=[A-Za-z0-9])[ \u3000]{{1,2}})?+)({_PATH})")
_PATH_IN_LINK = re.compile(_PATH)
_PATH_BEHIND = re.compile(rf"\.?[ \u3000]{{0,2}}{_PATH}")
_BEGINNING = re.compile(_BEGIN)
_SCHEME = re.compile(r"[A-Za-zａ-ｚＡ-Ｚ]{3,5} ?[:：] ?[/／\\＼]{1,2}")
_ANY_NAME = re.compile(r"[^\W_]")
_NAMED = re.compile(rf"[^\W_{_HAN}]")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_ROUNDS = 8


def anonymous(text: str) -> str:
    """Return `text`, at most MAX_TEXT_CHARS of it, with 0 for what could name a person.

    Replaced are: figures in a run of five or more, figures of what looks like a telephone
    number, any number that `contacts_of` finds, the user of a link or mailbox, and all after a
    link's host. Lengths, signs and words do not change; names in words and accounts spelt with
    letters stay too. The function is idempotent. A text that would need more than a few rounds
    loses all letters and figures. The time depends only on the length.
    """
    cleared = _settled(_LONE_SURROGATE.sub("\ufffd", text))
    if len(cleared) <= MAX_TEXT_CHARS:
        return cleared
    return _settled(cleared[:MAX_TEXT_CHARS])


def digest_of(text: str) -> str:
    """Return the digest of an anonymous text: its SHA-256 in hex."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _settled(text: str) -> str:
    """Clear `text` until clearing changes nothing: a 0 may complete another number."""
    for _ in range(_MOST_ROUNDS):
        cleared = _without_numbers(_without_addresses(text))
        if cleared == text:
            return text
        text = cleared
    return _blanked(text, [(0, len(text))], FIGURE + LIKE_FIGURE + LETTER + HAN)


def _without_addresses(text: str) -> str:
    for pattern in (_USER, _MAILBOX):
        text = pattern.sub(lambda found: _ANY_NAME.sub("0", found[0]), text)
    text = _LINKED.sub(lambda found: found[1] + _NAMED.sub("0", found[2]), text)
    pieces: list[str] = []
    at = 0
    for start, end in _paths_in(text):
        pieces += (text[at:start], _NAMED.sub("0", text[start:end]))
        at = end
    return "".join((*pieces, text[at:]))


def _paths_in(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans after the hosts of links, also of links with disguised dots."""
    passed = 0
    for link in links_of(Views(text)):
        scheme = _SCHEME.match(text, link.start, link.end)
        start = max(scheme.end() if scheme else link.start, passed)
        begun = _BEGINNING.search(text, start, link.end)
        if begun is not None:
            path = _PATH_IN_LINK.match(text, begun.start())
        else:
            path = _PATH_BEHIND.match(text, max(link.end, passed))
        if path is not None:
            passed = path.end()
            yield path.span()


def _without_numbers(text: str) -> str:
    outline = outline_of(text)
    text = _blanked(text, _clothed_in(text, outline), FIGURE + LIKE_FIGURE)
    outline = outline_of(text)
    text = _blanked(text, _dialled_in(text, outline), FIGURE)
    text = _blanked(text, (run.span() for run in _RUN.finditer(outline)), FIGURE)
    numbers = [one for one in contacts_of(Views(text)) if one.value.isdigit()]
    return _blanked(text, ((one.start, one.end) for one in numbers), FIGURE + LIKE_FIGURE + LETTER)


def _clothed_in(text: str, outline: str) -> Iterator[tuple[int, int]]:
    for run in _CLOTHED.finditer(outline):
        start, end = run.start(), _end_of(run, text)
        bare, worn = (outline.count(sign, start, end) for sign in (FIGURE, LIKE_FIGURE))
        is_apart = not outline.startswith(LETTER, end)
        if worn and is_apart and bare >= _LEAST_BARE and bare + worn >= _LEAST_DIALLED:
            yield start, end


def _dialled_in(text: str, outline: str) -> Iterator[tuple[int, int]]:
    for run in _DIALLED.finditer(outline):
        start, end = run.start(), _end_of(run, text)
        if outline.count(FIGURE, start, end) >= _LEAST_DIALLED:
            yield start, end


def _end_of(run: re.Match[str], text: str) -> int:
    """Return where the number in `run` ends: before a figure that belongs to the next clause."""
    start, end = run.span()
    outline = run.string
    gap = outline.rfind(SIGN, start, end)
    signs = text[max(start, gap + 1 - _MOST_GAP_SIGNS) : gap + 1]
    is_counting = (
        outline.startswith(HAN, end)
        and outline.count(FIGURE, gap + 1, end) <= _MOST_COUNTED
        and not _CLAUSE_ENDS.isdisjoint(signs)
    )
    return gap if is_counting else end


def _blanked(text: str, spans: Iterable[tuple[int, int]], signs: str) -> str:
    """Return `text` with 0 for each character in `spans` with an outline sign in `signs`."""
    pieces: list[str] = []
    at = 0
    for start, end in spans:
        piece = text[start:end]
        outline = outline_of(piece)
        blank = ("0" if sign in signs else one for one, sign in zip(piece, outline, strict=True))
        pieces += (text[at:start], "".join(blank))
        at = end
    return "".join((*pieces, text[at:]))


# One name for all: training trusts a collection less that has one label alone, as all
# complaints have.
ORIGIN = "verdicts"

_LEAST_LETTERS = 4


@dataclass(frozen=True, slots=True)
class PersonVerdict:
    """What a person said of a text as it was sent. `is_port` says that a port had sent it.

    `category` may be any word that gateway.domain.categories knows, or that a policy uses.
    """

    text: str = field(repr=False)
    label: SampleLabel
    category: str
    source: SampleSource
    system_id: str
    at: datetime
    by: str
    is_port: bool = True


def learnt_from(verdict: PersonVerdict) -> NewSample | None:
    """Return what is kept of a verdict, None where the text says nothing to learn from."""
    text = anonymous(verdict.text)
    if sum(map(str.isalpha, text)) < _LEAST_LETTERS:
        return None
    known = category_of(verdict.category) if verdict.label is SampleLabel.SPAM else None
    return NewSample(
        text=text,
        digest=digest_of(text),
        label=verdict.label,
        category=known.id if known is not None else "",
        source=verdict.source,
        text_class=class_of(Views(text), is_port=verdict.is_port),
        system_id=verdict.system_id,
        at=verdict.at,
        by=verdict.by,
    )


def to_train_on(kept: KeptSample) -> Sample:
    """Return a sample on record as one of the files would be.

    Its class is found anew: classes may have changed since the verdict.
    """
    text = Views(kept.text)
    text_class = class_of(text, is_port=kept.text_class != TextClass.PERSON)
    lang = "und" if text_class is TextClass.FOREIGN else "zh"
    source = f"{ORIGIN}/{kept.category}" if kept.category else ORIGIN
    return Sample(kept.label is SampleLabel.SPAM, lang, source, text, text_class)
