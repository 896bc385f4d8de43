"""The words by which replies (MO) are understood, as data, and refusals in free words."""

import re
from dataclasses import dataclass, fields

from gateway.filter.normalise.folding import compact, simplified
from gateway.filter.optout_hint import advertised
from gateway.filter.traffic_class import signature_of


def key_of(text: str) -> str:
    """Return the form in which words are compared: letters and digits, one width, case, script."""
    return compact(simplified(text))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class MoWords:
    """What a reply may consist of, by meaning. The defaults: mainland China and STOP.

    Words may be given in any spelling and are kept as `key_of` returns them. The name of a service
    may follow `service` words (TD畅听包); the number of a list item may follow `index` words (QX2).
    `confirm` and `refuse` count only while a request is pending. `courtesies` may stand around any
    word except those that confirm.
    """

    opt_out: frozenset[str] = _words(
        "TD TDD QX 退 退订 退定 退阅 TD退订 取消 取消订阅 取消短信 取消接收 取消推送 拒收 拒绝接收"
        " 不再接收 停止 停发 别发 别发了 不要发 不要发了"
        " STOP UNSUBSCRIBE UNSUB CANCEL END QUIT REVOKE OPTOUT REMOVE ARRET ARRÊT"
    )
    # Words of `opt_out` that as a sentence of their own may be about something else.
    alone: frozenset[str] = _words("退 取消 停止 别发 不要发 CANCEL END QUIT REMOVE")
    opt_out_all: frozenset[str] = _words(
        "00000 STOPALL UNSUBSCRIBEALL CANCELALL OPTOUTALL TDALL TD全部 TD所有 全部退订 退订全部"
        " 退订所有 全部取消 取消全部 取消所有 全部拒收 拒收全部"
    )
    listing: frozenset[str] = _words("0000")
    restore: frozenset[str] = _words("HF 恢复 恢复订阅 恢复接收 START UNSTOP SUBSCRIBE")
    help: frozenset[str] = _words("HELP INFO 帮助")
    confirm: frozenset[str] = _words("是 Y YES 同意 确认 1")
    refuse: frozenset[str] = _words("否 N NO 不同意 拒绝 0")
    service: frozenset[str] = _words("TD 退订 退定")
    index: frozenset[str] = _words("QX TD 取消 退订 退定")
    # What follows a word of `service` if no particular service is meant: TD短信.
    everything: frozenset[str] = _words("业务 服务 短信 信息 消息 广告 推送 订阅 通知 提醒 这个 此")
    courtesies: frozenset[str] = _words(
        "回复 回 发送 发 编辑 请 请帮我 麻烦 麻烦帮我 我要 我想 我想要 我 我要求 要求 申请 帮我"
        " 给我 替我 快 快点 赶紧 马上 立即 立刻 现在 直接 你好 您好 谢谢 多谢 谢了 吧 了 啊 呀"
        " 哈 呢 哦 掉 好吗 行吗 可以吗 一下 please pls plz thanks thank thx you now me it ok okay"
        " hi hello sir just i want to"
    )

    def __post_init__(self) -> None:
        """Bring every word to the form in which it is compared."""
        for field in fields(self):
            keys = frozenset(map(key_of, getattr(self, field.name)))
            object.__setattr__(self, field.name, keys - {""})


SHIPPED_WORDS = MoWords()


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


def is_talk(words: str) -> bool:
    """Tell whether `words` are about something other than messages: 酒店, 机票, 是什么意思."""
    return _TALK.search(words) is not None


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
