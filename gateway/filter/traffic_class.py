"""What the words of a text show: its signature, its opt-out hint (退订提示), its traffic class."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from daachorse import CharwiseDoubleArrayAhoCorasick as Automaton

from gateway.domain.categories import TrafficClass
from gateway.filter.normalise.folding import compact, folded, normalise, simplified
from gateway.filter.normalise.views import Even

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


_MAX_CHARS = 32
_MIN_CHARS = 2

# A byte order mark opens many UCS-2 texts; the others show as nothing either.
_AROUND = " \t\r\n\u3000\ufeff\u200b\u200c\u200d\u2060"
_NAME = rf"【([^【】]{{1,{2 * _MAX_CHARS}}})】"
_LEADING = re.compile(_NAME)
_TRAILING = re.compile(rf"{_NAME}\Z")


def signature_of(text: str) -> str | None:
    """Return the name in 【】 at the start of `text`, else at its end, as written.

    None if there is no name of 2 to 32 characters (R12). Square brackets are no signature.
    """
    stripped = text.strip(_AROUND)
    found = None
    if stripped.startswith("【"):
        found = _LEADING.match(stripped)
    if found is None and stripped.endswith("】"):
        found = _TRAILING.search(stripped, max(0, len(stripped) - 2 * _MAX_CHARS - 2))
    if found is None:
        return None
    name = found[1].strip(_AROUND)
    return name if _MIN_CHARS <= len(name) <= _MAX_CHARS else None


# A text that weighs as much is commercial. STRONG cues do so whatever stands beside them
# (mixed counts as commercial, R10), MEDIUM ones alone, WEAK ones in pairs; a sign of
# something that the subscriber set going takes off as much as a WEAK one adds.
ENOUGH = 10
STRONG, MEDIUM, WEAK, RELIEF = 20, 10, 5, -5
MOST_RELIEF = -10  # what all such signs together take off

_WORDS = {
    STRONG: """
        大促 促销 特价 秒杀 抢购 立减 直降 领券 领红包 免费领 免费送 免费体验 抽奖 会员日 新品上市
        盛大开盘 加盟 代开 加微信 加我微信 加群 加qq 特惠 钜惠 清仓 买一送一 免息 低息 打折 狂欢
        让利 免抵押 无抵押 刷单 加v信 加薇信 0元购 零元购 buynow shopnow ordernow flashsale freegift
        """,
    MEDIUM: """
        优惠 优惠券 代金券 抵用券 红包 福利 新品 开盘 首付 均价 办卡 提额 贷款 赠送 返现 返利 礼包
        发售 热卖 大奖 月供 学区房 洋房 别墅 旺铺 商铺 样板间
        团购 预售 折扣 满减 热销 楼盘 现房 江景 理财 高薪 兼职 半价 内部价 大回馈 扫码领 薇信
        discount coupon promocode voucher
        limitedtime exclusiveoffer
        """,
    WEAK: """
        利率 发票 额度 低至 仅需 尊享 专享 畅享 活动 惊喜 豪礼 好礼 报名 限时 名额 火爆 包邮 免费
        周年庆 双十一 补贴 积分兑换 招聘 招募 领取 邀您 火热 钜献 vip
        """,
    RELIEF: """
        验证码 校验码 动态码 注册码 动态密码 激活码 勿泄露 勿告知 取件码 订单 已发货 已签收 派送
        派件 账单 还款日 应还 余额 预约成功 尾号 已受理 已到账 交易 就诊 挂号 航班 已支付 已开具
        审核 verificationcode yourcode passcode yourorder yourbalance appointment
        """,
}
_DIGIT = "[0-9一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖]"
_FEW = r"[1-9一二两兩三四五]"
_SUM = r"(?:\d{1,6}|[一二两兩三四五六七八九十百千]{1,6})"
_PHONE = r"\D{0,4}(?:\d-?){7,12}(?!\d)"
_SITE = r"(?:https?://|www\.|[a-z0-9-]{1,40}\.(?:cn|com|net|cc|top|xyz|me|ly|vip)\b)"
# Weight, the words without one of which the pattern need not be tried, the pattern.
_PATTERNS = (
    (
        STRONG,
        "折",
        rf"{_DIGIT} ?折(?![叠腾磨断射返中屏])",
    ),
    (STRONG, "满", rf"[满滿] ?{_SUM} ?元? ?[即立可]?[减送返赠享減贈]"),
    (STRONG, "买 购", rf"[买買购購] ?{_FEW} ?[送赠贈] ?{_FEW}"),
    (
        STRONG,
        "送 赠",
        rf"(?<![已配派运投护接转赠])(?:赠送|送|赠)(?:您|你)? ?{_SUM} ?(?:元|块钱)",
    ),
    (STRONG, "off", r"\d ?% ?off\b"),
    (MEDIUM, "招商", r"招商(?!银行|銀行|证券|基金|信诺|局)"),
    (MEDIUM, "sale", r"\bsale\b"),
    (WEAK, "free", r"\bfree\b"),
    (WEAK, "offer deal", r"\b(?:offers?|deals?)\b"),
    (WEAK, "win won prize", r"\b(?:win|won|winner|prizes?)\b"),
    (MEDIUM, "详询 垂询", rf"(?:[详詳]|垂)[询詢]{_PHONE}"),
    (WEAK, "咨询 热线", rf"(?:咨[询詢]|[热熱][线線]){_PHONE}"),
    (
        WEAK,
        "点击 戳 下载 打开 click tap visit",
        rf"(?:[点點][击擊]|戳|下[载載]|打[开開]|click|tap|visit)[^\n]{{0,8}}?{_SITE}",
    ),
)
_CODE_WORDS = "验证码 校验码 动态码 注册码 动态密码 激活码 认证码 确认码 随机码"
_CODE_NAME = (
    rf"(?:{'|'.join(_CODE_WORDS.split())}|[驗驗][證证]碼|校驗碼|動態碼|註冊碼|動態密碼|激活碼"
    r"|(?:verification|security|login) code\b|passcode\b|\botp\b|\bcode\b)"
)
_CODE = r"(?<![0-9a-z])[a-z]{0,4}-?\d{1,4}[ -]?[0-9a-z]{3,5}(?![0-9a-z])"


# Three and more characters with marks between all of them: 五ㆍ折ㆍ起, s a l e.
_SPELT_OUT = re.compile(r"(?<![a-z0-9])[^\W_](?:[^\w\n]{1,3}[^\W_](?![a-z0-9])){2,}")
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
# What no sentence has between two words. Between two digits it is no mark.
_MARK = r"[^\w\s.,;:!?%$¥+&@/()\[\]{}<>\"'、。…《》“”‘’「」【】-]"
_MARKS = _MARK + "{1,3}"
# What there is of both: a character alone between two signs, or such a mark. Most texts end here.
_IS_MARKED = re.compile(rf"[^\w\n](?:[^\W_][^\w\n]|(?<={_MARK}))")
_MARKED = re.compile(rf"(?<=[{_HAN}]){_MARKS}(?=[{_HAN}0-9])|(?<=[0-9]){_MARKS}(?=[{_HAN}])")
_NO_LETTERS = re.compile(r"[\W_]+")


def without_marks(plain: str) -> str:
    """Return a text without what stands between the characters of words to break them up."""
    if not _IS_MARKED.search(plain):
        return plain
    closed = _SPELT_OUT.sub(_closed_up, plain)
    return closed if closed.isascii() else _MARKED.sub("", closed)


def _closed_up(found: re.Match[str]) -> str:
    return _NO_LETTERS.sub("", found[0])


@dataclass(frozen=True, slots=True, eq=False)
class Cue:
    """One cue. It counts where one of `words` stands, in the compact view, and a pattern agrees.

    `weight` speaks for a promotion or, below nothing, against one.
    """

    weight: int
    words: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...] = ()

    def agrees(self, plain: str) -> bool:
        """Tell whether the cue counts in a text that has one of its words."""
        if not self.patterns or self._matches(plain):
            return True
        closed = without_marks(plain)
        return closed != plain and self._matches(closed)

    def _matches(self, plain: str) -> bool:
        return any(pattern.search(plain) for pattern in self.patterns)


def _cues() -> Iterator[Cue]:
    for weight, words, pattern in _PATTERNS:
        yield Cue(weight, tuple(words.split()), (re.compile(pattern),))
    for weight, words in _WORDS.items():
        for word in words.split():
            yield Cue(weight, (word,))


CUES = tuple(_cues())

# A code to be typed in somewhere: the name of such a thing and a code near it.
ONE_TIME_CODE = Cue(
    0,
    (*_CODE_WORDS.split(), "code", "otp"),
    # Apart, for most texts have the code behind its name.
    (
        re.compile(rf"{_CODE_NAME}[^\n]{{0,16}}?{_CODE}"),
        re.compile(rf"{_CODE}[^\n]{{0,16}}?{_CODE_NAME}"),
    ),
)

# Where a sentence that goes with a code stops, and what makes a part of one no promotion: what
# the code is for, and what its reader is warned of. Not to miss an offer is no warning.
CLAUSE_ENDS = re.compile(r"[,;!?。\n]+|\.(?![0-9a-z])")
EXCUSES = re.compile(
    "正在|用于|本次|勿(?!错过|失良机)|不要(?!错过)|不会|谨防|警惕|防范|诈骗|骗局|如非|非本人|不是本人|忽略|^.{1,4}[前内]有效$"
)


# Names of senders are short, and some boast: one strong word does not make a name a promotion.
_NAME_CHARS = 10
_BOASTING = 2


def classify(text: str, signature: str, advertised: str) -> TrafficClass:
    """Return the class that `text` shows; SERVICE if it shows none (R10).

    An `advertised` opt-out hint makes it commercial, a mixed text counts as commercial, and the
    sender's name in the `signature` does not count; "" for none. Never PUBLIC_INTEREST: that is for
    authorities' ports (R11).
    """
    if advertised:
        return TrafficClass.COMMERCIAL
    plain = folded(text.replace(f"【{signature}】", "", 1) if signature else text)
    return _class_of(_cues_in(plain), plain)


def class_seen(raw: str, seen: Even, name: str) -> tuple[TrafficClass, str | None]:
    """Return what `classify` and `advertised` say of a text with an even view signed by `name`."""
    even, told = seen
    named, name_marks, marks, promotion, relief = told
    if (marks | name_marks) & _HINTED:
        token = advertised_in(even)
        if token is not None:
            return TrafficClass.COMMERCIAL, token
    marked = f"【{name}】" if name else ""
    if named == len(marked) and raw.startswith(marked):
        said = even[named:]
        found = [cue for cue in _marked_by(marks) if cue.agrees(said)]
        if promotion < ENOUGH and not found:  # true for every second text
            return TrafficClass.SERVICE, None
        return _class_of(found, said, promotion, relief), None
    at = raw.find(marked)
    said = even[:at] + even[at + len(marked) :] if at >= 0 else even
    return _class_of(_cues_in(said), said), None


def is_promotion(name: str) -> bool:
    """Tell whether the text in the place of the sender's name is itself a promotion.

    【特惠商城】 is a name that sounds like one; 【全场八折大促】 is a promotion. A name on file is
    allowed in any case; the caller checks that.
    """
    plain = folded(name)
    weights = [cue.weight for cue in _cues_in(plain) if cue.weight > 0]
    if len(name) <= _NAME_CHARS:
        return weights.count(STRONG) >= _BOASTING
    return sum(weights) >= STRONG


def _cues_in(plain: str) -> list[Cue]:
    words = _AUTOMATON.find_overlapping(compact(plain))
    numbers = sorted({_CUE_OF_WORD[word] for _, _, word in words})
    return [cue for cue in map(_SOUGHT.__getitem__, numbers) if cue.agrees(plain)]


def _class_of(
    found: Sequence[Cue], plain: str, promotion: int = 0, relief: int = 0
) -> TrafficClass:
    """Return the class by the cues found and the weights of others, `promotion` and `relief`."""
    has_code = ONE_TIME_CODE in found
    promotion += _promotion_in(found)
    if promotion >= ENOUGH:
        is_selling = (
            _promotes_beside_the_code(plain)
            if has_code
            else promotion + max(relief + _relief_in(found), MOST_RELIEF) >= ENOUGH
        )
        if is_selling:
            return TrafficClass.COMMERCIAL
    return TrafficClass.VERIFICATION if has_code else TrafficClass.SERVICE


def _promotion_in(found: Iterable[Cue]) -> int:
    return sum([cue.weight for cue in found if cue.weight > 0])


def _relief_in(found: Iterable[Cue]) -> int:
    return max(sum([cue.weight for cue in found if cue.weight < 0]), MOST_RELIEF)


def _promotes_beside_the_code(plain: str) -> bool:
    """Tell whether a text promotes beside its code: mixed counts as commercial (R10).

    A code excuses words for its purpose (贷款申请验证码), but not an offer in another clause. In a
    clause that says what the code is for, or that warns, only a strong word promotes.
    """
    if any(cue.weight >= STRONG for cue in _cues_in(plain)):
        return True
    clauses = [clause for clause in CLAUSE_ENDS.split(plain) if not EXCUSES.search(clause)]
    told = [_cues_in(clause) for clause in clauses]
    counted: set[Cue] = set()
    promotion = 0
    # Each cue counts once: in the clause with the least relief.
    for cues in sorted(told, key=_relief_in, reverse=True):
        promotion += max(0, _promotion_in(set(cues) - counted) + _relief_in(cues))
        counted.update(cues)
    return promotion >= ENOUGH


@lru_cache(maxsize=4096)
def _marked_by(marks: int) -> tuple[Cue, ...]:
    return tuple(cue for bit, cue in enumerate(_PATTERNED) if marks >> bit & 1)


_SOUGHT = (*CUES, ONE_TIME_CODE)
_PATTERNED = tuple(cue for cue in _SOUGHT if cue.patterns)
_HINTED = 1 << len(_PATTERNED)
_SPELT = tuple((folded(word), number) for number, cue in enumerate(_SOUGHT) for word in cue.words)
_CUE_OF_WORD = tuple(number for _, number in _SPELT)
_AUTOMATON = Automaton([spelling for spelling, _ in _SPELT])


def _words() -> dict[str, tuple[int, int]]:
    words = dict.fromkeys(SIGNS, (_HINTED, 0))
    for word, number in _SPELT:
        cue, (mark, weight) = _SOUGHT[number], words.get(word, (0, 0))
        if cue in _PATTERNED:
            words[word] = mark | 1 << _PATTERNED.index(cue), weight
        else:
            words[word] = mark, cue.weight
    return words


# Each word with its mark, if a pattern must agree as well, and its weight.
WORDS = _words()
