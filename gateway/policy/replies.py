"""What a subscriber's reply (MO) means: opt-out, list, cancellation, confirmation, help."""

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.categories import advert_category
from gateway.domain.consent import scope_of
from gateway.filter.normalise.folding import compact, simplified
from gateway.policy.refusal_sentences import (
    TALK,
    asks_how,
    is_quote,
    refuses,
    refuses_everything,
    sentences,
)


def key_of(text: str) -> str:
    """Return the form in which words are compared: letters and digits, one width, case, script."""
    return compact(simplified(text))


def _words(text: str) -> frozenset[str]:
    return frozenset(map(key_of, text.split()))


# What a reply may consist of, by meaning: mainland China, and STOP in the languages of the
# profiles (Hindi, whose vowels a key leaves out, stands in gateway.policy.refusal_sentences). The
# name of a service may follow SERVICE words (TD畅听包); the number of a list item may follow INDEX
# words (QX2). CONFIRM and REFUSE count only while a request is pending. COURTESIES may stand around
# any word except those that confirm.
OPT_OUT = _words(
    "TD TDD QX 退 退订 退定 退阅 TD退订 取消 取消订阅 取消短信 取消接收 取消推送 拒收 拒绝接收"
    " 不再接收 停止 停发 别发 别发了 不要发 不要发了"
    " STOP UNSUBSCRIBE UNSUB CANCEL END QUIT REVOKE OPTOUT REMOVE"
    " ARRET ARRÊT ARRETER ARRÊTER STOPSMS STOPPUB DESABONNER DÉSABONNER DESABONNEMENT DÉSABONNEMENT"
    " DESINSCRIRE DÉSINSCRIRE DESINSCRIPTION DÉSINSCRIPTION RESILIER RÉSILIER"
    " ALTO PARAR PARE BAJA CANCELAR DETENER"
)
# Words of OPT_OUT that as a sentence of their own may be about something else, unless one asks how
# to refuse: 怎么退订，停止.
ALONE = _words(
    "退 取消 停止 别发 不要发 CANCEL END QUIT REMOVE ALTO PARAR PARE BAJA CANCELAR DETENER"
    " ARRETER ARRÊTER RESILIER RÉSILIER"
)
OPT_OUT_ALL = _words(
    "00000 STOPALL UNSUBSCRIBEALL CANCELALL OPTOUTALL TDALL TD全部 TD所有 全部退订 退订全部"
    " 退订所有 全部取消 取消全部 取消所有 全部拒收 拒收全部"
)
LISTING = _words("0000")
RESTORE = _words("HF 恢复 恢复订阅 恢复接收 START UNSTOP SUBSCRIBE")
HELP = _words("HELP INFO 帮助 AYUDA AIDE")
CONFIRM = _words("是 Y YES 同意 确认 1")
REFUSE = _words("否 N NO 不同意 拒绝 0")
SERVICE = _words("TD 退订 退定")
INDEX = _words("QX TD 取消 退订 退定")
# What follows it if the port is meant. Not 此号码: that may be the subscriber's own.
PORT = _words("本端口 此端口 这个端口 该端口")
# What follows a word of SERVICE if no particular service is meant: TD短信.
EVERYTHING = _words("业务 服务 短信 信息 消息 广告 推送 订阅 通知 提醒 这个 此")
COURTESIES = _words(
    "回复 回 发送 发 编辑 请 请帮我 麻烦 麻烦帮我 我要 我想 我想要 我 我要求 要求 申请 帮我"
    " 给我 替我 快 快点 赶紧 马上 立即 立刻 现在 直接 你好 您好 谢谢 多谢 谢了 吧 了 啊 呀"
    " 哈 呢 哦 掉 好吗 行吗 可以吗 一下 please pls plz thanks thank thx you now me it ok okay"
    " hi hello sir just i want to svp merci gracias por favor"
)
_COURTESY_LENGTHS = sorted(set(map(len, COURTESIES)), reverse=True)

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
    HOW_TO = "how_to"
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
    """What a reply means. `scope` is "sender", "port" or "service", for OPTOUT alone.

    A refusal of the sender holds for all its ports, unless the policy narrows it, and at a code of
    the carrier's for all senders. A service may be a category of adverts: `scope_meant`.

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
_OPTED_OUT = ReplyMeaning(Intent.OPTOUT, "sender")

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
_CATEGORY_ENDS = ("广告", "推销", "推广", "短信", "信息", "类")
_MAX_RUN = 40  # characters between which courtesies are looked for


def meaning_of(text: str, context: MoContext = NO_CONTEXT) -> ReplyMeaning:
    """Return what `text` means after `context`. Never raises; looks at MAX_CHARS.

    A refusal is recognised generously (R31), an agreement narrowly: only while a request is
    pending, and only if nothing else is said (R24, R27). A token that a sender told the subscriber
    to reply is a refusal before anything else, and the number of a list item is that before it is
    an answer: if there are two readings, neither may be an agreement.
    """
    reply = _ReplyText(text[:MAX_CHARS])
    return (
        _token(reply, context)
        or _items(reply, context)
        or _answer(reply, context)
        or _word(reply)
        or _service(reply)
        or _sentence(reply)
        or _question(reply)
        or _NOTHING
    )


class _ReplyText:
    """A text in the views that are used to understand it."""

    __slots__ = ("keys", "plain", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        # Some characters are eighteen once normalised.
        self.plain = simplified(text)[:MAX_CHARS]
        whole, naked = compact(self.plain), _naked(self.plain)
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
    return _OPTED_OUT if any(token and key_of(token) in reply.keys for token in tokens) else None


def _items(reply: _ReplyText, context: MoContext) -> ReplyMeaning | None:
    """R35: QX2 or 1,3 after a list; without a list a bare number is for the SP."""
    found = _ITEMS.fullmatch(reply.plain)
    if found is None or _naked(found[3]) not in _COUNTERS:
        return None
    word = _naked(found[1]).removesuffix("第")
    if not context.listed:
        # TD2 is then a service; QX2 can only mean an item of an expired list.
        return _BAD_INDEX if word in INDEX - SERVICE else None
    is_item = word in INDEX or compact(found[1]) in _BEFORE_ITEMS
    if not is_item or reply.is_one_of(LISTING | OPT_OUT_ALL):
        return None
    items = tuple(sorted(set(map(int, _NUMBER.findall(found[2])))))
    if _RANGE.search(found[2]) or items[0] < 1 or items[-1] > context.listed:
        return _BAD_INDEX
    return ReplyMeaning(Intent.OPTOUT_ITEMS, items=items)


def _answer(reply: _ReplyText, context: MoContext) -> ReplyMeaning | None:
    """R24: the answer to a pending request; R27: without a request, nothing."""
    if not context.is_pending:
        return None
    if reply.plain.strip(_AROUND).replace(" ", "") in CONFIRM:
        return ReplyMeaning(Intent.CONFIRM)
    return ReplyMeaning(Intent.REFUSE) if reply.is_one_of(REFUSE) else None


def _word(reply: _ReplyText) -> ReplyMeaning | None:
    """R31, R33, R34, R37: one word, with any courtesies around it."""
    if reply.is_one_of(OPT_OUT_ALL):
        return ReplyMeaning(Intent.OPTOUT_ALL)
    if reply.is_one_of(OPT_OUT):
        return _OPTED_OUT
    for meant, intent in (
        (LISTING, Intent.LIST),
        (RESTORE, Intent.OPTIN),
        (HELP, Intent.HELP),
    ):
        if reply.is_one_of(meant):
            return ReplyMeaning(intent)
    return None


def _service(reply: _ReplyText) -> ReplyMeaning | None:
    """R31: a word of refusal and the name of a service, TD畅听包."""
    for key in reply.keys:
        name = _after_service_word(key)
        if name is None or TALK.search(key):
            continue
        if name in EVERYTHING:
            return _OPTED_OUT
        if name in PORT:
            return ReplyMeaning(Intent.OPTOUT, "port")
        # TD abc, but not a sentence about the TD bank.
        is_code = _CODE.fullmatch(name) and len(_RUNS.findall(reply.plain)) <= 3
        if _NAME.fullmatch(name) or is_code:
            return ReplyMeaning(Intent.OPTOUT, "service", name)
    return None


def scope_meant(meaning: ReplyMeaning, system_id: str, port: str, *, is_narrow: bool) -> str:
    """Return whom an OPTOUT refuses of an SP that owns `port`, if it ends no order.

    `is_narrow` says that words which name nothing refuse the port alone.
    """
    category = category_named(meaning.service or "")
    is_of_port = (is_narrow or meaning.scope == "port") and not category
    return scope_of(system_id, port if is_of_port else "", category)


def category_named(service: str) -> str:
    """Return the category of adverts that a reply names instead of a service, "" for none."""
    name = service
    while not (category := advert_category(name)):
        end = next((one for one in _CATEGORY_ENDS if name.endswith(one)), "")
        if not end:
            break
        name = name.removesuffix(end)
    return category


def _after_service_word(key: str) -> str | None:
    """Return what follows the words of refusal at the start of `key`; None without one."""
    first = tuple(SERVICE)
    name = key
    while name.startswith(first):
        name = name[max(len(word) for word in first if name.startswith(word)) :]
    return name if name != key else None


def _sentence(reply: _ReplyText) -> ReplyMeaning | None:
    """R31: a sentence that refuses, or a word of refusal that is a sentence of its own."""
    if is_quote(reply.text):
        return None
    in_sentences = OPT_OUT if asks_how(reply.plain) else OPT_OUT - ALONE
    spoken = any(_naked(part) in in_sentences for part in sentences(reply.plain))
    if not spoken and not refuses(reply.plain):
        return None
    return ReplyMeaning(Intent.OPTOUT_ALL) if refuses_everything(reply.plain) else _OPTED_OUT


def _question(reply: _ReplyText) -> ReplyMeaning | None:
    """R31: a question how to refuse is answered, and changes nothing."""
    is_question = not is_quote(reply.text) and asks_how(reply.plain)
    return ReplyMeaning(Intent.HOW_TO) if is_question else None


def _naked(plain: str) -> str:
    """Return the key of `plain` without the courtesies around its words."""
    runs = _RUNS.findall(plain)
    return "".join(
        ("" if run in COURTESIES else run)
        if run.isascii() or len(run) > _MAX_RUN
        else _without_courtesies(run)
        for run in runs
    )


def _without_courtesies(run: str) -> str:
    # Looked up by their lengths: trying each word took 18 ms for a text full of them.
    while before := next((n for n in _COURTESY_LENGTHS if run[:n] in COURTESIES), 0):
        run = run[before:]
    # 退了 says that something was returned: a single character keeps what follows it.
    while after := next(
        (n for n in _COURTESY_LENGTHS if len(run) > n + 1 and run[-n:] in COURTESIES), 0
    ):
        run = run[:-after]
    return run


def _said_once(key: str) -> str:
    repeated = _REPEATED.fullmatch(key)
    return repeated[1] if repeated else key
