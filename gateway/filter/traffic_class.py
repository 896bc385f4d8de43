"""What the words of a text show: its signature and its traffic class."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from daachorse import CharwiseDoubleArrayAhoCorasick as Automaton

from gateway.domain.categories import TrafficClass
from gateway.filter.normalise.folding import compact, folded
from gateway.filter.normalise.views import Even
from gateway.filter.optout_hint import SIGNS, advertised_in

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
        盛大开盘 加盟 加微信 加我微信 加群 加qq 特惠 钜惠 清仓 买一送一 免息 低息 打折 狂欢
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
    (STRONG, "代开", "(?<!申请)代开"),
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
CODE_NAME = (
    rf"(?:{'|'.join(_CODE_WORDS.split())}|[驗驗][證证]碼|校驗碼|動態碼|註冊碼|動態密碼|激活碼"
    r"|(?:verification|security|login) code\b|passcode\b|\botp\b"
    r"|\bcode (?:de |d')[a-z]{5,13}\b|\bcode\b|\bcodigo(?: de [a-z]{5,13})?\b|"
    + folded("कोड|ओटीपी")
    + r")"
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
    (*_CODE_WORDS.split(), "code", "otp", "codigo", "कोड", "ओटीपी"),
    # Apart, for most texts have the code behind its name.
    (
        re.compile(rf"{CODE_NAME}[^\n]{{0,16}}?{_CODE}"),
        re.compile(rf"{_CODE}[^\n]{{0,16}}?{CODE_NAME}"),
    ),
)

# Where a sentence that goes with a code stops, and what makes a part of one no promotion: what
# the code is for, and what its reader is warned of. Not to miss an offer is no warning.
CLAUSE_ENDS = re.compile(r"[,;!?。\n]+|\.(?![0-9a-z])")
EXCUSES = re.compile(
    "正在(?![热促抢招派])|用于|本次|如非|非本人|不是本人|忽略|^.{1,4}[前内]有效$|谨防|警惕|防范|诈骗|骗局"
)
# So much is excused, as 领取优惠券 adds up to: a code is for one thing. What warns may name more.
_MOST_EXCUSED = 2 * MEDIUM + WEAK


# What warns of fraud: in a clause of its own it promotes nothing, whatever it names.
_WARNING = re.compile(
    r"(?<!非)(?<!不是)(?<!不会)(?:诈骗|欺诈|骗局|骗子|上当|[受被再诱]骗)|骗[取走]|防骗|反诈|谨防|警惕|不法分子|犯罪分子"
    r"|冒充|假冒|轻信|(?<!不)违法|犯罪(?!记录)|严禁|查处|严厉打击|\b(?:fraud\w*|scam\w*|phishing|beware|impersonat\w+)\b"
    r"|\b(?:never (?:ask|send|call)|do not (?:click|share))\b"
)
# What frauds offer: to name it in such a clause is to warn of it. What shops offer is an advert
# there too, or 谨防假冒 before a sale would hide it.
_FRAUD_WORDS = """
    低息 免息 免抵押 无抵押 刷单 代开 贷款 提额 办卡 红包 返现 返利 大奖 理财 高薪 兼职 voucher
    利率 额度 活动 免费 补贴 积分兑换 招聘 招募 领取 free offer win
    """
_OF_FRAUDS = frozenset(cue for cue in CUES if cue.words[0] in _FRAUD_WORDS.split())
_DENIED = re.compile(
    "(?:勿|不要|别)[^,;]{0,3}?(?:信|点|打开|转账|汇款|付款|泄|透露|告知|告诉|提供|参与|加入|下载|安装|回复|拨打"
    "|扫|理会|贪|办理|申请|支付|上当|添加|向|将|把|通过)|不会(?:以|通过|发|要求|向|主动|索|让|在|用|电话|短信)"
)
# Half a clause may warn, and the other half promote: 切勿轻信他家我处返现最高. What others pretend
# promotes nothing: 冒充我司提供贷款的都是诈骗.
_OFFERED_HERE = re.compile(
    "我[处司店]|(?<!我)我们|咱|本[店公平]|找[我老小]|选我|认准|正规|[等找][您你]|恭喜|[您你]已|欢迎|来电|[来到]店|不是梦"
    r"|信(?:[他别]|其[他它])(?:人|家|店|处|方)\Z"
)
_PRETENDED = re.compile(
    "冒充|(?<!谨防)假冒|假冒(?=[我本])|冒用|[自声谎号宣]称|所谓|名义|为名|为由|诱|骗取|幌子|不法分子|骗子|犯罪|是(?:诈骗|骗)|均为|属于?(?:诈骗|骗)"
)
# Who warns names a hotline, and no number or name of a person.
_TO_A_PERSON = re.compile(
    r"(?<!\d)1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"
    r"|(?:微信|薇信|[vv]信|[vv]x|qq|加[v微薇q])[^\w\n]{0,3}号?[^\w\n]{0,3}[a-z0-9]{5}"
)
# A warning that is complete ends its clause: 谨防诈骗我司正规贷款. So does a blank beside Han.
_ENDS_HERE = re.compile(
    "(?:谨防|警惕|防范|小心|严防)(?:电信|网络)*(?:诈骗|上当(?:受骗)?|受骗|骗子|骗局)"
    "(?!的|短信|电话|分子|团伙|行为|信息|手段|手法|套路|陷阱|链接|犯罪|网站)"
    rf"|防骗提[醒示]|反诈提[醒示]|(?<=[{_HAN}]) +| +(?=[{_HAN}])"
)
# 先交保证金的,一律是诈骗: the comma parts what belongs together.
_JUDGED = re.compile(r"[,:] ?(?=(?:一律|全|均|都|就|即|皆)?(?:是|为|属于?)(?:诈骗|骗))")


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


def may_promote(plain: str) -> bool:
    """Tell whether words, folded, have any cue of a promotion in them."""
    return any(cue.weight > 0 for cue in _cues_in(plain))


def names_offers(letters: str) -> bool:
    """Tell whether words in a compact view make it an advert if nothing excuses them."""
    found = {_CUE_OF_WORD[word] for _, _, word in _AUTOMATON.find_overlapping(letters)}
    return (
        _promotion_in(cue for cue in map(_SOUGHT.__getitem__, found) if not cue.patterns) >= ENOUGH
    )


def is_selling(text: str) -> bool:
    """Tell whether a text offers what is sold: an authority may have something for free."""
    return any(
        cue.weight >= STRONG and not cue.words[0].startswith("免费")
        for cue in _cues_in(folded(text))
    )


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
            and not (_WARNING.search(plain) and _only_warns(plain))
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
    clauses = [clause for clause in _clauses_of(plain) if not _is_warning(clause)]
    told = [
        cues
        for cues, clause in zip(map(_cues_in, clauses), clauses, strict=True)
        if not EXCUSES.search(clause) or _promotion_in(cues) > _MOST_EXCUSED
    ]
    counted: set[Cue] = set()
    promotion = 0
    # Each cue counts once: in the clause with the least relief.
    for cues in sorted(told, key=_relief_in, reverse=True):
        promotion += max(0, _promotion_in(set(cues) - counted) + _relief_in(cues))
        counted.update(cues)
    return promotion >= ENOUGH


def _only_warns(plain: str) -> bool:
    """Tell whether a text that names what frauds offer to warn of it, and promotes nothing."""
    if _TO_A_PERSON.search(plain):
        return False
    warned_of, promoted = set[Cue](), set[Cue]()
    for clause in _clauses_of(plain):
        (warned_of if _is_warning(clause) else promoted).update(_cues_in(clause))
    excused = warned_of & _OF_FRAUDS - promoted
    return _promotion_in((promoted | set(_cues_in(plain))) - excused) < ENOUGH


def beyond_warning(text: str) -> str | None:
    """Return what a text that warns of fraud says besides; None of one that does not warn."""
    plain = folded(text)
    if not _WARNING.search(plain):
        return None
    return "\n".join(clause for clause in _clauses_of(plain) if not _is_warning(clause))


def _clauses_of(plain: str) -> list[str]:
    return CLAUSE_ENDS.split(_ENDS_HERE.sub(r"\g<0>\n", _JUDGED.sub("", plain)))


def _is_warning(clause: str) -> bool:
    warns = _WARNING.search(clause) or _DENIED.search(clause)
    return bool(warns) and not (_OFFERED_HERE.search(clause) and not _PRETENDED.search(clause))


@lru_cache(maxsize=4096)
def _marked_by(marks: int) -> tuple[Cue, ...]:
    return tuple(cue for bit, cue in enumerate(_PATTERNED) if marks >> bit & 1)


_SOUGHT = (*CUES, ONE_TIME_CODE)
_PATTERNED = tuple(cue for cue in _SOUGHT if cue.patterns)
_HINTED = 1 << len(_PATTERNED)
_SPELT = tuple(
    (compact(folded(word)), number) for number, cue in enumerate(_SOUGHT) for word in cue.words
)
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
