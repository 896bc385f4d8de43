"""The opt-out hint (退订提示) of a text: the word that it tells the subscriber to reply."""

import re

from gateway.filter.normalise.folding import normalise, simplified

# Without one of these there is no hint, as in most texts. Looking for each of them takes a tenth
# of the time of one search for any of them.
_ENGLISH_SIGNS = ("stop", "opt", "unsub", "remove", "end", "cancel", "quit")
SIGNS = ("退", "拒", "取消", "不再", "接收", *_ENGLISH_SIGNS)

_GAP = r"[^\w\n]{0,3}"  # what may stand between the pieces, other than a new line
# Letters, perhaps with digits behind (T, TD, TD01); digits alone only where they cannot be
# the code of a verification.
_TOKEN = r"(?<![a-z0-9])(t[ .\-]?d|[a-z]{1,10}[0-9]{0,4}|0{1,5}|[0-9]{1,2})(?![a-z0-9])"  # noqa: S105 - no password
_REPLY = (
    r"(?:(?:回复?|发送?|编辑|上行|复)(?:至本机|本短信|短信|信息|大写|字母|数字|指令|内容|代码)?)"
)
# 退 alone is short for 退订, unless it begins another word: 退款, 退货, 退票.
_REFUSAL = (
    rf"(?:退{_GAP}[订定阅]|拒{_GAP}(?:收|绝接?[收受]?)|不再(?:接收|订阅|推送)|取消(?:接收|订阅|推送)"
    r"|退(?![款货票费换房保税改出还烧休役伍热]))"
)

_AFTER_REPLY = re.compile(
    rf"{_REPLY}{_GAP}{_TOKEN}{_GAP}(?:即可|可以?|则|就|来|以|为|是|表示|可随时)?{_GAP}{_REFUSAL}"
)
_AFTER_REFUSAL = re.compile(
    rf"{_REFUSAL}(?:本?短信|信息|推送|服务|业务|订阅|消息)?{_GAP}"
    rf"(?:(?:请|可|敬请|烦请|则|需|直接|随时){_GAP}){{0,2}}{_REPLY}{_GAP}{_TOKEN}"
)
# 取消 is often about a booking (取消回复2), so it counts only with the token that is short for it.
_CANCEL = re.compile(
    rf"{_REPLY}{_GAP}(?<![a-z0-9])(qx|td){_GAP}取消|取消{_GAP}请?{_REPLY}{_GAP}(qx|td)(?![a-z0-9])"
)
# TD退订, 退订T, 拒收R: no word for replying at all.
_BARE = re.compile(
    rf"(?<![a-z0-9])(tdd?|qx|[a-z]){_GAP}(?:退订|拒收)(?![\w])"
    rf"|(?:退订|拒收)[^\w\n。]{{0,2}}(tdd?|qx|[a-z])(?![\w])"
)
# 退订请回复“退订”: the word itself is the token; TD is short for it.
_HAN_WORD = re.compile(rf"{_REPLY}{_GAP}(?:退订|拒收|取消订阅)(?![\w])")

_SEND = r"(?:reply|text|txt|send|type|respond|answer|msg|sms)(?: with| back)?"
_ENOUGH = (
    r"(?:opt[- ]?out|unsubscribe|be removed|remove|stop|quit|end|discontinue"
    r"|cancel(?! (?:your|the|this|my|an?) (?!subscription)))"
)
_ENGLISH_HINT = re.compile(
    rf"\b{_SEND}:? [\"'“‘]?(?P<a>stop|end|quit|cancel|unsubscribe|optout)[\"'”’]?"
    rf" (?:\w+ ){{0,3}}(?:to|2|for) (?:\w+ ){{0,2}}?{_ENOUGH}"
    rf"|\b{_SEND}:? [\"'“‘]?(?P<b>[a-z0-9]{{1,12}})[\"'”’]? (?:to|2) "
    r"(?:opt[- ]?out|unsubscribe|stop|be removed|end (?:msgs|messages|texts))\b"
    rf"|(?:opt[- ]?out|unsubscribe|\bto (?:stop|end|cancel))(?: \w+){{0,3}}[,:]? "
    rf"(?:just |please |pls )?{_SEND}:? [\"'“‘]?(?P<c>[a-z0-9]{{1,12}})\b"
    rf"|\b(?P<d>stop)[\"'”’]? (?:to|2) {_ENOUGH}\b"
    r"|\b(?P<e>stop)(?:2| ?to ?)(?:end|stop|quit)\b"
    r"|(?:opt[- ]?out|unsub(?:scribe)?): ?(?P<f>stop|end|quit|unsubscribe)\b"
    r"|\b(?P<g>stop)(?: sms| pub)? (?:au|to|@) ?[0-9]{4,12}\b"
)
_NO_GAPS = str.maketrans("", "", " .-")
_HAN_HINTS = (_AFTER_REFUSAL, _AFTER_REPLY, _CANCEL, _BARE)


def advertised(text: str) -> str | None:
    """Return the token that `text` tells the subscriber to reply to opt out: R, TD, STOP.

    In upper case ASCII, for any width, case, spacing or script of the text; a word in Han
    (回复退订) is returned as TD. None if there is no such hint, and for replies that cancel a
    booking. The time is linear in the length, so the whole text is searched: padding must not
    hide its class.
    """
    plain = normalise(text)
    if not any(sign in plain for sign in SIGNS):
        return None
    return advertised_in(simplified(plain))


def advertised_in(plain: str) -> str | None:
    """Return what `advertised` does, for a simplified text that contains one of SIGNS."""
    is_han = not plain.isascii()
    for pattern in _HAN_HINTS if is_han else ():
        found = pattern.search(plain)
        if found is not None and found.lastindex is not None:
            return found[found.lastindex].translate(_NO_GAPS).upper()
    if any(map(plain.__contains__, _ENGLISH_SIGNS)):
        found = _ENGLISH_HINT.search(plain)
        if found is not None and found.lastindex is not None:
            return found[found.lastindex].translate(_NO_GAPS).upper()
    return "TD" if is_han and _HAN_WORD.search(plain) else None
