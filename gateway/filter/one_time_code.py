"""One-time codes (验证码): how long one is of use, and whether its text says anything besides."""

import re
from collections.abc import Iterable
from functools import lru_cache

from gateway.domain.categories import TrafficClass
from gateway.filter.contacts import HOTLINES, contacts_of
from gateway.filter.facts import TextFacts
from gateway.filter.links import links_of, may_link
from gateway.filter.normalise.folding import folded
from gateway.filter.normalise.views import CONTACT, Views
from gateway.filter.traffic_class import CODE_NAME, may_promote, signature_of

# What platforms let a code live that does not say.
USUAL_LIFE_S = 600.0

_NUMBER = r"(\d{1,3}|[一二两三四五六七八九十半]{1,3})"
_UNIT = (
    r"个?(秒|分|小时|天|s\b|secs?\b|seconds?\b|segundos?\b|secondes?\b|m\b|mins?\b|minutes?\b|minutos?\b"
    r"|h\b|hrs?\b|hours?\b|heures?\b|horas?\b|d\b|days?\b|jours?\b|dias?\b|मिनट)"
)
# No code is of use for longer, whatever its text says.
_MOST_LIFE_S = 7 * 86_400.0
# 24小时客服热线 states no life: a time counts with a word beside it that says what it is for.
# In Hindi, Spanish and French that word may stand on either side.
_LIFE = re.compile(
    rf"{_NUMBER} ?{_UNIT}钟?"
    r"(?:(?:之?内|后)?\w{0,3}?[有失]效|后\w{0,2}?过期|(?: after)? ?(?:valid|expir))"
    r"|(?:有效期?|时效|valid\w{0,5}|valab\w{0,4}|expir\w{0,6}|within|vence|caduca|vigencia)"
    rf"[^\d\n,;.!。]{{0,20}}?{_NUMBER} ?{_UNIT}"
    rf"|{_NUMBER} ?(मिनट)"
)
# 请在60秒内输入: what is to be done by then may be the use of the code, or something else.
_DEADLINE = re.compile(rf"{_NUMBER} ?{_UNIT}钟?(?:之?内|后)")
_UNITS_S = {"秒": 1, "s": 1, "小": 3600, "h": 3600, "天": 86_400, "d": 86_400, "j": 86_400}
_MINUTE_S = 60
# Times are written with these numerals, tens as 二十五.
_HAN = {han: value for value, han in enumerate("一二三四五六七八九十", start=1)} | {"两": 2}


def life_s_of(facts: TextFacts, usual_s: float = USUAL_LIFE_S) -> float | None:
    """Return for how many seconds a message is of use if it is a code; None for any other.

    `usual_s` is for a code that does not say it.
    An endless text has none: what it shows is not asked, for that takes up to a second.
    """
    if facts.is_endless or not any(map(may_name_code, facts.texts)):
        return None
    is_code = facts.shown().traffic is TrafficClass.VERIFICATION
    return code_life_s(facts.texts, usual_s) if is_code else None


def code_life_s(texts: Iterable[str], usual_s: float = USUAL_LIFE_S) -> float:
    """Return how many seconds a code is of use; `texts` are the readings of its text.

    Of one reading it is the shortest life that it states, else its shortest deadline; of several
    the longest. `usual_s` where none says it; never more than a week.
    """
    plain = [folded(text) for text in texts]
    stated = [min(_times(_LIFE, one) or _times(_DEADLINE, one), default=0.0) for one in plain]
    return min(max(stated, default=0.0) or usual_s, _MOST_LIFE_S)


def _times(pattern: re.Pattern[str], plain: str) -> list[float]:
    stated = [
        _value(number) * _UNITS_S.get(unit[0], _MINUTE_S)
        for found in pattern.finditer(plain)
        for number, unit in [[one for one in found.groups() if one]]
    ]
    return [one for one in stated if one]


def _value(number: str) -> float:
    if number.isdigit():
        return int(number)
    if number == "半":
        return 0.5
    tens, ten, units = number.rpartition("十")
    if not ten:
        return _HAN.get(number, 0)
    return 10 * _HAN.get(tens, 1) + _HAN.get(units, 0)


# A code and what is said around it, in any language; an advert with a code in it is longer.
_MAX_CHARS = 200
_HAN_CHARS = r"\u3400-\u4dbf\u4e00-\u9fff"
_TOLL_FREE = r"[48]00-?\d{3,4}-?\d{3,4}(?!\d)"
_HOTLINE = rf"(?:9[56]\d{{3,4}}|1[02]\d{{3}}|10\d{{6}})(?!\d)|{_TOLL_FREE}"
# What says about a code what it is for, how long it lives, and who may not have it.
_BESIDE = (
    r"^<#>|(?<= )(?=[^ ]*[a-z])[a-z0-9+/]{11}\Z",  # of Android's SMS Retriever
    r"@[a-z0-9-]{1,40}(?:\.[a-z0-9-]{1,40}){1,3} #[0-9a-z]{4,8}\Z",  # bound to a site
    rf"(?:致电|拨打|电话|热线|客服|联系|call)(?:是|为| us| at)?[: ]{{0,2}}(?:{_HOTLINE})",
    r"(?:\d{1,3}|[一二两三四五六七八九十半]{1,3}) ?个?(?:秒钟?|分钟?|小时|天)(?:之?内|后)?",
    r"(?<!\d)\d{1,3} ?(?=m(?:in(?:ute|uto)?s?)?\b|h(?:ours?|rs?)?\b|s(?:ec(?:ond)?s?)?\b|मिनट)",
    r"尾号(?:为|是)? ?\d{3,4}(?!\d)|(?<!\d)1\d{2}\*{3,6}\d{4}(?!\d)",
    r"(?:支付|转账|付款|消费|交易|金额)(?:为|:)? ?(?:人民币)?\d[\d.,]{0,9}元",
    rf"正在(?![错热促抢招派])[{_HAN_CHARS}]{{0,10}}|用于[{_HAN_CHARS}]{{0,8}}",
)
_SAID = """
    您 你 的 是 为 在 了 请 勿 切 不要 不会 不能 千万 以免 谨防 警惕 防范 诈骗 骗局 受骗 上当 如
    若 非 本人 本次 不是 操作 忽略 短信 此 该 信息 消息 泄露 泄漏 透露 告知 告诉 转告 提供 给 予
    转发 分享 他人 任何人 别人 其他人 索取 索要 向 会 工作人员 客服 员工 我行 我们 我司 包括
    有效期 有效 时效 至 内 后 失效 过期 使用 输入 填写 完成 进行 及时 尽快 妥善 保管 保密 安全
    验证 认证 校验 身份 核实 登录 登陆 注册 找回 重置 修改 更换 绑定 解绑 设置 密码 账号 账户
    手机号 手机 号码 支付 付款 转账 交易 确认 尝试 网站 网页 平台 官方 系统 用户 尊敬 亲爱 先生
    女士 风险 资金 异常 设备 银行卡 卡 或 和 与 及 并 即 将 可 都 也 需 其 对 于 到 立即 否则 有
    疑问 联系 一次性 随机 动态 专属 页面 以 任何 理由 让 要求 绝 从不 均 只 仅 限 由 被
    """
_FOREIGN_WORDS = """
    your you ur the is are as this that it its to in for will expire expires expiring valid
    within after m min mins minute minutes s sec secs second seconds h hr hrs hour hours one-time
    one time single do don't dont not never share anyone anybody with else enter type use using
    if didn't did request requested ask asked asks ignore please pls message text sms from of and
    or by our we a an be account sign signin log login up on into app password confirm complete
    verify verification verifying identity access reset keep secret safe private confidential
    only once staff employee employees call security authentication code passcode otp pin no any
    reason them disclose give tell reveal here was us me my votre vos est le la les de du des d
    et ou connexion securite valable pendant dans ne pas communiquer communiquez partager
    partagez transmettez jamais personne ce cet cette si vous n avez n'avez demande ignorez pour
    ici voici tu su codigo el lo es y o compartas comparta compartir con nadie vence caduca
    valido por minuto minutos en expira solicitaste solicito ignora para acceso seguridad inicio
    sesion आपका आपकी है हैं कोड ओटीपी मिनट तक मान्य किसी के को का की साथ साझा न ना करें यह इसे
    में से लिए वैध
    """
_WORDS = frozenset(folded(_FOREIGN_WORDS).split())
_BESIDE_IT = re.compile("|".join(_BESIDE))
_SAID_OF_IT = re.compile(
    rf"({CODE_NAME})|" + "|".join(sorted(_SAID.split(), key=len, reverse=True))
)
# Whose code it is or what for, right before its name or, in English, behind it.
_WHOSE = re.compile(
    rf"(?<![{_HAN_CHARS}])[{_HAN_CHARS}]{{1,6}} {{0,6}}(?={CODE_NAME})"
    rf"|\b(?:your|votre|tu|su) (?:[a-z][a-z&'-]{{0,14}} ){{1,3}}(?={CODE_NAME})"
    rf"|(?<![0-9a-z{_HAN_CHARS}])[a-z]{{2,12}}(?: [a-z]{{2,12}})? {{0,6}}(?={CODE_NAME})"
    r"|(?<=passcode) for [a-z]{2,12}(?: [a-z]{2,12})?(?=[.,;!]|\Z)"
)
_NAMED = re.compile(CODE_NAME)
# What stands in no name, and is no purpose of a code: 办贷款找张三验证码1234.
_INVITING = re.compile(
    "找(?!回)|加(?:[v微薇q群]|我)|赌|博彩|彩金|娱乐城|代开|办证|刻章|套现|代还|下款|借钱|裸聊|美女|约炮|[特低]价|到货"
    r"|日结|\b(?:casino|bet(?:ting|s)?|loans?|cheap|porn|sex)\b"
)
# An application for a loan has a code, too: 贷款申请验证码.
_OF_PURPOSE = re.compile(rf"(?:申请|登[录陆]|注册|查询|绑定|支付|还款|签约) {{0,6}}{CODE_NAME}")
# Three letters before the digits make a voucher's code: SAVE2025.
_CODE = re.compile(r"(?<![0-9a-z])[a-z]{0,2}-?\d{1,4}[ -]?[0-9a-z]{3,5}(?![0-9a-z])")
_PARTING = re.compile(r"[\s!-&(-,./:-@\[-`{-~。、…《》“”‘’「」【】।–—]+")


# One of these is in every name of a code in Han.
_OF_HAN_NAMES = (
    *("证码", "证碼", "證碼", "校验码", "校驗碼", "动态码", "動態碼", "动态密码", "動態密碼"),
    *("注册码", "註冊碼", "激活码", "激活碼", "确认码", "随机码"),
)


def may_name_code(text: str) -> bool:
    """Tell whether a text may have the name of a code in it, written plainly."""
    # Asked of each new text, so by single characters first: most texts have none of them.
    if ("码" in text or "碼" in text) and any(piece in text for piece in _OF_HAN_NAMES):
        return True
    if "o" in text or "O" in text:
        lowered = text.lower()
        if "code" in lowered or "otp" in lowered or "digo" in lowered:
            return True
    return "कोड" in text or "ओटीपी" in text


# A code of digits that stands alone. What may be a number to call is none.
_DIGITS = re.compile(r"(?<!\d)(?!9[56]|1[02]|[48]00)\d{4,8}(?!\d)")
_MASKS = "7632"
# For how long it lives, and what is paid with it: of these digits nothing is asked.
_VARIED = re.compile(
    r"(?<![0-9a-zA-Z])(?:\d{1,3}(?= ?(?:分|秒|min))|(?<!\.)\d{1,7}\.\d{1,2}(?=元))"
)


def is_code_alone(facts: TextFacts) -> bool:
    """Tell whether a text that shows a code has nothing in it that is not about the code."""
    if any(len(text) > _MAX_CHARS for text in facts.texts):
        return False
    for view in facts.seen():
        masked = _masked(view.raw)
        # Most have no clue of either.
        if (may_link(view.clues) or view.clues & CONTACT) and not _leads_nowhere_else(masked):
            return False
        if not _is_about_the_code(masked):
            return False
    return True


def _masked(text: str) -> str:
    """Return a text with other digits for its codes, times and amounts.

    What is asked of texts that differ in these alone has one answer.
    """
    text = _VARIED.sub(lambda found: re.sub("[0-9]", "5", found[0]), text)
    codes = _DIGITS.findall(text)
    if len(codes) > len(_MASKS) or any(text.count(code) > 1 for code in codes):
        return text
    masks = iter(_MASKS)
    return _DIGITS.sub(lambda code: next(masks) * len(code[0]), text)


@lru_cache(maxsize=4096)
def _leads_nowhere_else(text: str) -> bool:
    """Tell whether a text leads only to the site of its code and to hotlines."""
    seen = Views(text)
    is_bound = " #" in text and "@" in text
    return len(links_of(seen)) <= is_bound and {one.kind for one in contacts_of(seen)} <= HOTLINES


@lru_cache(maxsize=4096)
def _is_about_the_code(text: str) -> bool:
    signature = signature_of(text)
    plain = folded(text.replace(f"【{signature}】", " ", 1) if signature else text).strip()
    if _INVITING.search(plain):
        return False
    names = _names_beside(_BESIDE_IT.sub(" ", plain))
    if names is None or len(names) > 1:
        return False
    if any(map(may_promote, names)) and not _OF_PURPOSE.search(plain):
        return False
    # Anybody may rent a toll-free number: there the signature must do for a name.
    return not (names and re.search(_TOLL_FREE, plain))


@lru_cache(maxsize=4096)  # 30 us; a sender has some tens of such texts
def _names_beside(said: str) -> tuple[str, ...] | None:
    """Return the owners that a text names for its code; None if it says other things."""
    left = _SAID_OF_IT.sub(lambda found: found[1] or " ", said)
    names = tuple(name for name in _WHOSE.findall(left) if not _are_usual(name))
    left = _NAMED.sub(" ", _WHOSE.sub(" ", left))
    codes = {re.sub("[ -]", "", code) for code in _CODE.findall(left)}
    return names if len(codes) == 1 and _are_usual(_CODE.sub(" ", left)) else None


def _are_usual(words: str) -> bool:
    return all(word.strip("'-") in _WORDS for word in _PARTING.split(words) if word.strip("'-"))
