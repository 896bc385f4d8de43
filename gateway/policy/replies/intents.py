"""What a subscriber's reply (MO) means: opt-out, list, cancellation, confirmation, help."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from gateway.filter.normalise.folding import compact, simplified
from gateway.policy.replies.mo_words import (
    SHIPPED_WORDS,
    MoWords,
    is_quote,
    is_talk,
    key_of,
    refuses,
    refuses_everything,
    sentences,
)

# What is read: fourteen parts of a long message. A refusal stands before that.
MAX_CHARS = 1000


class Intent(StrEnum):
    """What the subscriber wants."""

    OPTOUT = "optout"
    OPTOUT_ALL = "optout_all"
    OPTOUT_ITEMS = "optout_items"
    LIST = "list"
    BAD_INDEX = "bad_index"
    HELP = "help"
    OPTIN = "optin"
    CONFIRM = "confirm"
    REFUSE = "refuse"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MoContext:
    """What came before the reply.

    `advertised` is the token that the last MT from this port offered, `is_pending` says that a
    consent request waits, `listed` is how many items the last list had, None if no list is valid
    any more. `others` are tokens of earlier MTs: they mean the same.
    """

    advertised: str | None = None
    is_pending: bool = False
    listed: int | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyMeaning:
    """What a reply means. `scope` is "port" or "service", for OPTOUT alone.

    `service` is the name in the reply, letters and digits in lower case; `items` are the
    numbers of the list that are cancelled, each once, in order.
    """

    intent: Intent
    scope: str | None = None
    service: str | None = None
    items: tuple[int, ...] = ()


NO_CONTEXT = MoContext()
_NOTHING = ReplyMeaning(Intent.NONE)
_BAD_INDEX = ReplyMeaning(Intent.BAD_INDEX)
_OPT_OUT = ReplyMeaning(Intent.OPTOUT, "port")

# Characters around a confirmation; emoji and question marks are not included, because they say
# something.
_AROUND = " \t\r\n.,!。、\"'“”‘’"
_ONE_NUMBER = re.compile(r"\D*(\d(?: ?\d)*)\D*")
_ITEMS = re.compile(r"(\D*?)(\d{1,4}(?:[\s,、;/.&+和及跟与~\-到至]{1,3}\d{1,4}){0,30})(\D*)")
_RANGE = re.compile(r"[~\-到至]")
_NUMBER = re.compile(r"\d+")
_COUNTERS = frozenset({"", "号", "项", "个", "条"})
# What may stand before an item number without a word for cancel; 我要2 may mean to keep it.
_BEFORE_ITEMS = frozenset({"", "第", "回", "回复", "回复第"})
_RUNS = re.compile(r"[a-z]+|[0-9]+|[^\Wa-z0-9_]+")
_REPEATED = re.compile(r"(\D{1,12}?)\1+")
# The name of a service holds no words that occur only in sentences; a code is a few characters.
_NAME = re.compile(
    r"(?=.*[\u4e00-\u9fff])(?!全部|所有|一切|失败|无效|错|怎|什么|如何|方[式法]|按钮|链接|入口|流程|在哪)"
    r"[^吧啊呀了我你他们别不请谢这那吗呢的给发收没还为]{1,16}"
)
_CODE = re.compile(r"(?!(?:scdma|lte|bank)$)(?:[0-9]{1,8}|[a-z][a-z0-9]{1,7})")
_MAX_RUN = 40  # characters between which courtesies are looked for


def meaning_of(
    text: str, context: MoContext = NO_CONTEXT, words: MoWords = SHIPPED_WORDS
) -> ReplyMeaning:
    """Return what `text` means after `context`. Never raises; looks at MAX_CHARS.

    A refusal is recognised generously (R31), an agreement narrowly: only while a request is
    pending, and only if nothing else is said (R24, R27). A token that a sender told the subscriber
    to reply is a refusal before anything else, and the number of a list item is that before it is
    an answer: if there are two readings, neither may be an agreement.
    """
    reply = _ReplyText(text[:MAX_CHARS], words)
    return (
        _token(reply, context)
        or _items(reply, context, words)
        or _answer(reply, context, words)
        or _word(reply, words)
        or _service(reply, words)
        or _sentence(reply, words)
        or _NOTHING
    )


class _ReplyText:
    """A text in the views that are used to understand it."""

    __slots__ = ("keys", "plain", "text")

    def __init__(self, text: str, words: MoWords) -> None:
        self.text = text
        # Some characters are eighteen once normalised.
        self.plain = simplified(text)[:MAX_CHARS]
        whole, naked = compact(self.plain), _naked(self.plain, words)
        # As it is, without courtesies, and both with repetitions removed.
        keys = dict.fromkeys((whole, naked, _said_once(whole), _said_once(naked)))
        # 00:00 and 1,3 are not the numbers that their digits make.
        is_number = _ONE_NUMBER.fullmatch(self.plain) is not None
        self.keys = tuple(key for key in keys if key and (is_number or not key.isdigit()))

    def is_one_of(self, words: frozenset[str]) -> bool:
        return not words.isdisjoint(self.keys)


def _token(reply: _ReplyText, context: MoContext) -> ReplyMeaning | None:
    """R31: what the MTs before advertised; a single letter counts only then."""
    tokens = (context.advertised or "", *context.others)
    return _OPT_OUT if any(token and key_of(token) in reply.keys for token in tokens) else None


def _items(reply: _ReplyText, context: MoContext, words: MoWords) -> ReplyMeaning | None:
    """R35: QX2 or 1,3 after a list; without a list a bare number is for the SP."""
    found = _ITEMS.fullmatch(reply.plain)
    if found is None or _naked(found[3], words) not in _COUNTERS:
        return None
    word = _naked(found[1], words).removesuffix("第")
    if not context.listed:
        # TD2 is then a service; QX2 can only mean an item of an expired list.
        return _BAD_INDEX if word in words.index - words.service else None
    is_item = word in words.index or compact(found[1]) in _BEFORE_ITEMS
    if not is_item or reply.is_one_of(words.listing | words.opt_out_all):
        return None
    items = tuple(sorted(set(map(int, _NUMBER.findall(found[2])))))
    if _RANGE.search(found[2]) or items[0] < 1 or items[-1] > context.listed:
        return _BAD_INDEX
    return ReplyMeaning(Intent.OPTOUT_ITEMS, items=items)


def _answer(reply: _ReplyText, context: MoContext, words: MoWords) -> ReplyMeaning | None:
    """R24: the answer to a pending request; R27: without a request, nothing."""
    if not context.is_pending:
        return None
    if reply.plain.strip(_AROUND).replace(" ", "") in words.confirm:
        return ReplyMeaning(Intent.CONFIRM)
    return ReplyMeaning(Intent.REFUSE) if reply.is_one_of(words.refuse) else None


def _word(reply: _ReplyText, words: MoWords) -> ReplyMeaning | None:
    """R31, R33, R34, R37: one word, with any courtesies around it."""
    if reply.is_one_of(words.opt_out_all):
        return ReplyMeaning(Intent.OPTOUT_ALL)
    if reply.is_one_of(words.opt_out):
        return _OPT_OUT
    for meant, intent in (
        (words.listing, Intent.LIST),
        (words.restore, Intent.OPTIN),
        (words.help, Intent.HELP),
    ):
        if reply.is_one_of(meant):
            return ReplyMeaning(intent)
    return None


def _service(reply: _ReplyText, words: MoWords) -> ReplyMeaning | None:
    """R31: a word of refusal and the name of a service, TD畅听包."""
    for key in reply.keys:
        name = _after_service_word(key, words)
        if name is None or is_talk(key):
            continue
        if name in words.everything:
            return _OPT_OUT
        if _NAME.fullmatch(name) or (_CODE.fullmatch(name) and _is_a_code(reply.plain)):
            return ReplyMeaning(Intent.OPTOUT, "service", name)
    return None


def _after_service_word(key: str, words: MoWords) -> str | None:
    """Return what follows the words of refusal at the start of `key`; None without one."""
    first = tuple(words.service)
    name = key
    while name.startswith(first):
        name = name[max(len(word) for word in first if name.startswith(word)) :]
    return name if name != key else None


def _is_a_code(plain: str) -> bool:
    # TD abc, but not a sentence about the TD bank.
    return len(_RUNS.findall(plain)) <= 3


def _sentence(reply: _ReplyText, words: MoWords) -> ReplyMeaning | None:
    """R31: a sentence that refuses, or a word of refusal that is a sentence of its own."""
    if is_quote(reply.text):
        return None
    in_sentences = words.opt_out - words.alone
    spoken = any(_naked(part, words) in in_sentences for part in sentences(reply.plain))
    if not spoken and not refuses(reply.plain):
        return None
    return ReplyMeaning(Intent.OPTOUT_ALL) if refuses_everything(reply.plain) else _OPT_OUT


def _naked(plain: str, words: MoWords) -> str:
    """Return the key of `plain` without the courtesies around its words."""
    runs = _RUNS.findall(plain)
    return "".join(
        ("" if run in words.courtesies else run)
        if run.isascii() or len(run) > _MAX_RUN
        else _without_courtesies(run, words.courtesies)
        for run in runs
    )


def _without_courtesies(run: str, courtesies: frozenset[str]) -> str:
    # Looked up by their lengths: trying each word took 18 ms for a text full of them.
    lengths = _lengths_of(courtesies)
    while before := next((n for n in lengths if run[:n] in courtesies), 0):
        run = run[before:]
    # 退了 says that something was returned: a single character keeps what follows it.
    while after := next((n for n in lengths if len(run) > n + 1 and run[-n:] in courtesies), 0):
        run = run[:-after]
    return run


@lru_cache(maxsize=8)
def _lengths_of(words: frozenset[str]) -> tuple[int, ...]:
    """Return the lengths of `words`, the longest first."""
    return tuple(sorted(set(map(len, words)), reverse=True))


def _said_once(key: str) -> str:
    repeated = _REPEATED.fullmatch(key)
    return repeated[1] if repeated else key
