"""What a subscriber's reply (MO) means: opt-out, list, cancellation, confirmation, help."""

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.filter.normalise.folding import compact, simplified
from gateway.filter.traffic_class import advertised, signature_of


def key_of(text: str) -> str:
    """Return the form in which words are compared: letters and digits, one width, case, script."""
    return compact(simplified(text))


def _words(text: str) -> frozenset[str]:
    return frozenset(map(key_of, text.split()))


# What a reply may consist of, by meaning: mainland China and STOP. The name of a service may follow
# SERVICE words (TD畅听包); the number of a list item may follow INDEX words (QX2). CONFIRM and
# REFUSE count only while a request is pending. COURTESIES may stand around any word except those
# that confirm.
OPT_OUT = _words(
    "TD TDD QX 退 退订 退定 退阅 TD退订 取消 取消订阅 取消短信 取消接收 取消推送 拒收 拒绝接收"
    " 不再接收 停止 停发 别发 别发了 不要发 不要发了"
    " STOP UNSUBSCRIBE UNSUB CANCEL END QUIT REVOKE OPTOUT REMOVE ARRET ARRÊT"
)
# Words of OPT_OUT that as a sentence of their own may be about something else.
ALONE = _words("退 取消 停止 别发 不要发 CANCEL END QUIT REMOVE")
OPT_OUT_ALL = _words(
    "00000 STOPALL UNSUBSCRIBEALL CANCELALL OPTOUTALL TDALL TD全部 TD所有 全部退订 退订全部"
    " 退订所有 全部取消 取消全部 取消所有 全部拒收 拒收全部"
)
LISTING = _words("0000")
RESTORE = _words("HF 恢复 恢复订阅 恢复接收 START UNSTOP SUBSCRIBE")
HELP = _words("HELP INFO 帮助")
CONFIRM = _words("是 Y YES 同意 确认 1")
REFUSE = _words("否 N NO 不同意 拒绝 0")
SERVICE = _words("TD 退订 退定")
INDEX = _words("QX TD 取消 退订 退定")
# What follows a word of SERVICE if no particular service is meant: TD短信.
EVERYTHING = _words("业务 服务 短信 信息 消息 广告 推送 订阅 通知 提醒 这个 此")
COURTESIES = _words(
    "回复 回 发送 发 编辑 请 请帮我 麻烦 麻烦帮我 我要 我想 我想要 我 我要求 要求 申请 帮我"
    " 给我 替我 快 快点 赶紧 马上 立即 立刻 现在 直接 你好 您好 谢谢 多谢 谢了 吧 了 啊 呀"
    " 哈 呢 哦 掉 好吗 行吗 可以吗 一下 please pls plz thanks thank thx you now me it ok okay"
    " hi hello sir just i want to"
)
_COURTESY_LENGTHS = sorted(set(map(len, COURTESIES)), reverse=True)


# --- Chinese ---------------------------------------------------------------------------
_MESSAGES = r"(?:短信|信息|简讯|讯息|消息|广告|推销|推送|垃圾|通知|推广|营销)"
# A word that refuses; 退掉 and TD only if the sentence shows what is meant.
_CORE = (
    r"(?:退订|退定|退阅|拒收|拒绝接收|不再接收|取消(?:订阅|接收|推送|短信|信息|订制|定制)"
    rf"|停止(?:订阅|接收|推送|发|给我|向我|骚扰)|停发|(?<![a-z0-9])td(?![a-z0-9]|银行)|退[掉了].{{0,4}}{_MESSAGES})"
)
# What may stand between a negation and the word it negates: 我没有说要退订, but not 不好意思,退订.
_BETWEEN = (
    r"[想要用需必会打算准备愿意是有说过再帮他们把随便乱先请求做办理点击主动自己申希望曾给我你]{0,8}"
)
# 不给, 不让, 不能, 不了 complain that one cannot leave; 要不退订 proposes; 为什么还没退订 urges.
_DENIED = (
    r"(?:(?<!要)不(?![给让能肯好行了])|(?<!还)(?<!怎么)没|别|勿|未|莫|误|非|甭|无需|取消|撤销|撤回|恢复)"
    rf"{_BETWEEN}{_CORE}"
)
_CORES = re.compile(_CORE)
_DENIALS = re.compile(_DENIED)
# What is talked about instead: a booking, a parcel, a product, terms, others, a condition.
_TALK = re.compile(
    r"(?<!不好)意思|政策|规定|规则|条款|手续费|收费吗|多少钱|要钱|违约|退款|酒店|宾馆|民宿|客房|房间|机票|车票|火车票"
    r"|门票|电影票|船票|订单|预订|预约|座位|包间|包厢|商品|快递|包裹|外卖|货|签收|派送|派件"
    r"|的话|如果|要是|假如|会怎|谁|同事|朋友|客户|老公|老婆|人家|别人|合同|(?<![不没])(?<!没有)成功"
    r"|td(?:手机(?!报)|网络|制式|信号|标准|卡)|scdma|lte"
)
# Already opted out and still getting messages: 我都退订了怎么还发.
_STILL = re.compile(r"退[订定].{0,10}(?:还|又|仍|依然).{0,6}(?:发|收到|推)")
_NOT = r"(?:不要|不用|不许|不准|不需要|别|请勿|勿|莫|甭|拒绝)"
_FILL = r"[再给向我们你跟天总老是一直这样乱随便的都了来]{0,8}"
_OTHER_THINGS = r"(?!货|票|快递|顺丰|件|红包|工资|验证码|邮件|地址|朋友|错|烧|火|愁|呆|脾气|现|生)"
# Refusals that contain the negation themselves.
_LEAVE_ME = re.compile(
    rf"(?:{_NOT}|不想被|不希望被){_FILL}(?:骚扰|打扰)(?!你|您|他|她)"
    rf"|{_NOT}{_FILL}(?:再|给我|向我|继续){_FILL}(?:发|推|传)送?{_OTHER_THINGS}"
    rf"|{_NOT}{_FILL}(?:发|推|传)送?{_OTHER_THINGS}.{{0,6}}{_MESSAGES}"
    rf"|(?:不想|不要|不愿意?|不希望|不需要|拒绝)[再看继续]{{0,3}}(?:接收|收到|接到|看到|收).{{0,8}}{_MESSAGES}"
    r"|(?:把我|将我).{0,6}(?:移除|删除|删掉|拉黑|移出)|删[除掉]我的?(?:号码|手机号|电话)"
)
_ALL = re.compile(
    rf"(?:全部|所有(?!人)|一切).{{0,4}}{_CORE}|{_CORE}.{{0,4}}(?:全部|所有(?!人)|一切)"
)

# --- English ---------------------------------------------------------------------------
_THINGS = (
    r"(?:texts?|messages?|msgs?|sms|ads?|adverts?|advertis\w+|promos?|promotions?|offers?"
    r"|marketing|spam|notifications?|alerts?|e-?mails?|newsletters?)\b"
)
_BOTHERING = r"(?:text|messag|contact|spamm?|bother|e?mail|call|harass|advertis)ing\b"
# Negated by one of these before it, with only such words between: I never wanted to opt out, but
# not: I never asked for this, stop texting me.
_DENIER = (
    r"(?:(?<!why )(?<!if you )(?:don't|dont|do not|won't|will not|never)|didn't|didnt|did not"
    r"|doesn't|wouldn't|shouldn't|haven't|not|no need|no reason|can't(?= stop)"
    r"|cannot(?= stop)|if i|if we)"
)
_DENIER_FILL = (
    r"(?: (?:you|ever|want|wanted|to|need|me|please|have|asked?|going|gonna|be|try|trying|mean"
    r"|meant|request|requested|like|wish|even|really|actually|yet|i)){0,4}"
)
_STOPPING = (
    rf"(?:(?<!bus )(?<!next )stop|quit|cease) (?!by |at |in |over )(?:{_BOTHERING}"
    rf"|(?:[\w'-]+ ){{0,4}}?{_THINGS}"
    r"|sending(?: me| us)?(?: this| these| it| stuff| things?)*$)"
    r"|unsub(?:scribe)?\b(?! mean)|opt(?:ing)?[ -]?(?:me |us )?out\b|already unsubscribed"
    r"|remove (?:me|us|my (?:number|name|phone))\b|take (?:me|us|my number) off"
    r"|(?:delete|lose) my number|(?:revoke|withdraw) (?:my )?consent"
    r"|cancel (?:my |the |this )?subscription"
)
_ENGLISH = re.compile(rf"(?:\b(?P<denied>{_DENIER}){_DENIER_FILL} )?(?<![\w'-])(?:{_STOPPING})")
_ENGLISH_LEAVE_ME = re.compile(
    r"\b(?:do not|don't|dont|never|stop) (?:ever )?"
    rf"(?:(?:text|message|contact|sms|spam|e?mail|call|bother) (?:me|us|this number)\b"
    rf"|send (?:me |us )?(?:[\w'-]+ ){{0,3}}?{_THINGS})"
    rf"|\bno more (?:[\w'-]+ ){{0,2}}?{_THINGS}|\bleave me alone\b"
    r"|\b(?:do not|don't|dont|no longer) (?:want|wish|need) (?:to )?(?:be )?"
    rf"(?:(?:receive|get|see|any|more|your|these|this|those|of|the|such) ){{0,5}}"
    rf"(?:{_THINGS}|contacted\b|texted\b)"
)

_SENTENCE = re.compile(r"[,.!?;:、。~\n\r]+")
_PIECE = re.compile(r"\w+")
_LATIN = re.compile(r"[a-z][a-z'-]*")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_SHORT = 40  # characters; a reply is hardly longer when it copies 回复TD退订


def is_quote(text: str) -> bool:
    """Tell whether `text` quotes an advertisement together with its opt-out hint."""
    if len(text) <= _SHORT and signature_of(text) is None:
        return False
    return advertised(text) is not None


def refuses(plain: str) -> bool:
    """Tell whether a sentence of `plain`, simplified, says that its writer wants no more.

    In doubt a sentence counts as a refusal (O31: no obstacles in any form), unless it negates the
    word, talks about it, or talks about a booking or a parcel.
    """
    return any(map(_is_refusal, sentences(plain)))


def refuses_everything(plain: str) -> bool:
    """Tell whether `plain` refuses all messages: 全部退订."""
    return any(_ALL.search(sentence) for sentence in sentences(plain))


def sentences(plain: str) -> list[str]:
    """Return the sentences and clauses of `plain`, with one kind of apostrophe."""
    return _SENTENCE.split(plain.replace("’", "'"))


def _is_refusal(sentence: str) -> bool:
    if not _HAN.search(sentence):
        return _is_english_refusal(" ".join(_LATIN.findall(sentence)))
    pieces = _PIECE.findall(sentence)
    closed_up = "".join(pieces)
    if len(pieces) > 1 and not _TALK.search(closed_up):
        # 不要 退订: the space is a comma. In 我 不 想 退 订 it is a disguise, and no piece
        # holds a word.
        with_core = [piece for piece in pieces if _CORES.search(piece)]
        if with_core:
            return any(_is_chinese_refusal(piece) for piece in with_core)
    return _is_chinese_refusal(closed_up)


def _is_chinese_refusal(clause: str) -> bool:
    if _STILL.search(clause):
        return True
    if _TALK.search(clause):
        return False
    if _LEAVE_ME.search(clause):
        return True
    # Every word of refusal must be negated; otherwise one stands on its own.
    return len(_CORES.findall(clause)) > len(_DENIALS.findall(clause))


def _is_english_refusal(sentence: str) -> bool:
    if _ENGLISH_LEAVE_ME.search(sentence):
        return True
    return any(found["denied"] is None for found in _ENGLISH.finditer(sentence))


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
_OPTED_OUT = ReplyMeaning(Intent.OPTOUT, "port")

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
        if name is None or _TALK.search(key):
            continue
        if name in EVERYTHING:
            return _OPTED_OUT
        # TD abc, but not a sentence about the TD bank.
        is_code = _CODE.fullmatch(name) and len(_RUNS.findall(reply.plain)) <= 3
        if _NAME.fullmatch(name) or is_code:
            return ReplyMeaning(Intent.OPTOUT, "service", name)
    return None


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
    in_sentences = OPT_OUT - ALONE
    spoken = any(_naked(part) in in_sentences for part in sentences(reply.plain))
    if not spoken and not refuses(reply.plain):
        return None
    return ReplyMeaning(Intent.OPTOUT_ALL) if refuses_everything(reply.plain) else _OPTED_OUT


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
