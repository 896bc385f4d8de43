"""Texts of which no two are alike, of one part each: base texts with codes, names, amounts, links.

Each bears a number that no other has, as an order, a code or the path of a link. Every shop, bank
and person is invented. A run that sends `count` of them in turn asks the filter something new
each time.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

UCS2_UNITS, GSM_SEPTETS = 70, 160
_SERIALS = 10**8
# Odd and no multiple of five: number after number reaches each of the 10**8 once.
_STRIDE = 73_939_133
_LETTERS = "abcdefghijkmnpqrstuvwxyz"

NOTICES = (
    "【{shop}】验证码{serial}，{minutes}分钟内有效，请勿告诉他人。",
    "{serial}（{bank}动态码），您正在向{payee}转账{money}元，核对后再输入。",
    "【{bank}】您尾号{tail}的账户{month}月{day}日{hour}:{minute}支出{money}元，流水{serial}。",
    "【{courier}】{payee}您好，快件{serial}已放在{place}，取件码{pick}，请于{hour}点前领取。",
    "【{courier}】运单{serial}正在派送，派件员{payee}，预计{hour}点前送到。",
    "【{shop}】订单{serial}已发货，预计{month}月{day}日到{city}，点 {link} 看物流。",
    "【{clinic}】{payee}，您预约的{month}月{day}日{hour}点{ward}号源已确认，就诊号{serial}。",
    "【{city}供水】{street}一带{month}月{day}日{hour}点起停水检修，约{minutes}小时，单号{serial}。",
    "【{school}】{payee}，本周{ward}活动改到{hour}点，集合地点不变，回执编号{serial}。",
    "【{bank}】信用卡（尾号{tail}）本期账单{money}元，{month}月{day}日前还款，账单号{serial}。",
    "{payee}，我是{courier}，{serial}这单你不在家，给你放{place}了。",
    "【{shop}】退款{money}元已原路退回，单号{serial}。",
    "【{city}公积金】您{month}月的缴存{money}元已入账，凭证{serial}。",
    "取件码{serial}",
)
ADVERTS = (
    "【{shop}】{city}店周年庆，全场{discount}折，{month}月{day}日前凭券{serial}再减{cash}元，拒收请回复R",
    "【{shop}】{payee}，您收藏的{goods}降到{cash}元，{link} ，拒收请回复R",
    "【{shop}】会员{serial}您好，{goods}第二件半价，{street}店自提免运费，回T退订",
    "【{shop}】本周{goods}到店，{cash}元起，满{discount}百减{tail}积分，券号{serial}，拒收请回复R",
    "【{shop}】{month}月{day}日{hour}点直播，{goods}前一百名{cash}元，入口 {link} 拒收请回复R",
    "【{school}】{ward}秋季班开课，老学员{payee}凭{serial}减{cash}元，{street}校区，回T退订",
    "【{clinic}】洁牙{cash}元，{month}月预约有礼，预约号{serial}，{street}店，拒收请回复R",
    "【{shop}】新客礼：{goods}{cash}元，{link} ，今晚{hour}点止，退订回N",
    "{shop}{goods}特惠{cash}元，电话{serial}，回T退订",
    "【{bank}】{payee}，{month}月刷卡满{cash}元返{minutes}元，报名码{serial}，见 {link} ，退订回T",
    "【{shop}】{goods}清仓{discount}折{serial}退订回T",
)
ENGLISH = (
    "Your verification code is {serial}. It expires in {minutes} minutes.",
    (
        "{latin_shop}: order {serial} has left our store and should reach you on {day}/{month}"
        " before {hour}:00. Track it at {link}"
    ),
    (
        "{latin_bank}: CNY {money} was paid with card *{tail} on {day}/{month} at {hour}:{minute}."
        " Reference {serial}. Not you? Call us."
    ),
    (
        "Hi {latin_name}, your appointment {serial} with {latin_shop} is at {hour}:{minute} on"
        " {day}/{month}. Reply C to cancel."
    ),
    (
        "{latin_shop} members' week: {discount}0% off everything with voucher {serial} until"
        " {day}/{month}. See {link} Reply STOP to end."
    ),
    "Gate change: flight {tail} to {latin_city} now leaves at {hour}:{minute}. Booking {serial}.",
    "{latin_name}, thank you for {money} to {latin_shop}. Receipt {serial}. Questions? {link}",
    "Code {serial}",
    "Meeting {serial} moved to {hour}:{minute}, room {tail}. Bring the report, {latin_name}.",
    (
        "{latin_bank} alert: disk of {latin_city} node {tail} is {minutes}% full at"
        " {hour}:{minute}, ticket {serial}"
    ),
)
# What the shipped lists and the classifier look for, said in words of our own.
SPAM: Mapping[str, tuple[str, ...]] = {
    "loan": (
        "急用钱找{payee}，{city}本地放款，不看征信，额度{cash}万，电{serial}",
        "{payee}经理：身份证即可办，{minutes}分钟到账，加微{latin}{serial}",
    ),
    "forged_documents": (
        "代{city}各行业发票，点数{discount}个，验后付款，扣{serial}",
        "办证刻章，{city}当天取，{payee}{serial}，非诚勿扰",
    ),
    "gambling": (
        "{city}线上真人，首存{cash}送{cash}，网址 {link}",
        "特码资料{serial}，{payee}老师带你稳赢{discount}期，加{latin}{serial}",
    ),
    "fraud": (
        "在家动手日结{cash}元，名额{tail}，联系{latin}{serial}",
        "恭喜尾号{tail}获二等奖{cash}万元，登录 {link} 领取，验证{serial}",
    ),
}
_TAILS = ("如有疑问请致电网点。", "感谢您的支持。", "请以页面为准。", "祝您生活愉快！")
_LATIN_TAILS = (" Thank you.", " Questions? Just reply to this message.", " Have a good day.")

_SURNAMES, _TITLES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗",
    ("先生", "女士", "师傅", "老师", ""),
)
_WORDS: Mapping[str, tuple[str, ...]] = {
    "shop": ("青禾超市", "晨光眼镜", "海棠书店", "木兰花店", "长亭酒楼", "云杉家居", "拾光咖啡"),
    "bank": ("江河银行", "东湖农商行", "海川银行", "北原银行", "惠民信用社"),
    "courier": ("飞鸽速运", "千里快递", "顺路物流", "大雁快递"),
    "clinic": ("安宁口腔", "仁和医院", "市中医院", "康桥体检"),
    "school": ("启明小学", "知行学堂", "舞林艺校", "青桐书院"),
    "city": ("沈阳", "长沙", "西宁", "福州", "洛阳", "南通", "桂林", "唐山", "昆明", "绍兴"),
    "place": ("南门驿站", "3号楼快递柜", "物业前台", "西门便利店", "单位收发室"),
    "street": ("人民路", "学府街", "滨江大道", "五一广场", "解放北路", "金桥路"),
    "ward": ("儿科", "眼科", "书法", "游泳", "口语", "围棋"),
    "goods": ("即热饮水机", "羽绒被", "东魁杨梅", "护眼灯", "儿童自行车", "不粘锅", "新米十斤"),
    "payee": tuple(f"{name}{title}" for name in _SURNAMES for title in _TITLES),
    "latin_shop": (
        "Parcel Express",
        "Blue Sky Travel",
        "Long Pavilion",
        "Willow Dental",
        "Ink & Co",
    ),
    "latin_bank": ("North Ridge Bank", "Harbour Union", "City Mutual"),
    "latin_name": ("Ann", "Wei", "Mr Chen", "Priya", "Tomas", "Mrs Li"),
    "latin_city": ("Xiamen", "Chengdu", "Osaka", "Lagos", "Porto"),
}
_HOSTS = ("qh.example", "t.ys.example", "m.sg.example", "x.example")


def new_texts(count: int, *, seed: int = 11, spam: bool = False) -> Iterator[str]:
    """Yield `count` texts, a quarter English; with `spam` one in twenty is such.

    Another `seed` fills the same numbers in otherwise: texts of two seeds may be alike only by
    chance. At most 10**8, after which the numbers would come again.
    """
    if count > _SERIALS:
        raise ValueError(f"there are {_SERIALS} numbers to tell texts by")
    draw = random.Random(seed)
    bases = _bases(draw, spam=spam)
    for number in range(count):
        serial = (number * _STRIDE + seed) % _SERIALS
        yield text_of(next(bases), serial, draw)


def text_of(base: str, serial: int, draw: random.Random) -> str:
    """Fill `base` in, and lengthen it now and then where one part has room."""
    text = "".join(
        piece if piece not in _FIELDS else _FIELDS[piece](draw, serial) for piece in _pieces(base)
    )
    is_latin = text.isascii()
    room = GSM_SEPTETS if is_latin else UCS2_UNITS
    if draw.random() < 0.3:
        longer = text + draw.choice(_LATIN_TAILS if is_latin else _TAILS)
        text = longer if len(longer) <= room else text
    return text[:room]


Field = Callable[[random.Random, int], str]


def _word(words: Sequence[str]) -> Field:
    return lambda draw, _: words[int(draw.random() * len(words))]


def _whole(low: int, high: int, width: int = 1) -> Field:
    return lambda draw, _: f"{low + int(draw.random() * (high - low + 1)):0{width}}"


def _slug(serial: int) -> str:
    """Return letters for a number, others for every other."""
    letters = []
    for _ in range(6):
        serial, digit = divmod(serial, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(letters)


_FIELDS: Mapping[str, Field] = {
    **{f"{{{name}}}": _word(words) for name, words in _WORDS.items()},
    "{serial}": lambda _, serial: f"{serial:08}",
    "{link}": lambda draw, serial: f"{draw.choice(_HOSTS)}/{_slug(serial)}",
    "{money}": lambda draw, _: f"{draw.random() * 9000 + 1:.2f}",
    "{cash}": _whole(5, 999),
    "{discount}": _whole(2, 9),
    "{minutes}": _whole(2, 30),
    "{month}": _whole(1, 12),
    "{day}": _whole(1, 28),
    "{hour}": _whole(8, 21),
    "{minute}": _whole(0, 59, width=2),
    "{tail}": _whole(1000, 9999),
    "{pick}": lambda draw, _: "-".join(str(draw.randint(1, 99)) for _ in range(3)),
    "{latin}": lambda draw, _: "".join(draw.choices(_LETTERS, k=3)),
}


@cache
def _pieces(base: str) -> tuple[str, ...]:
    return tuple(re.split(r"(\{\w+\})", base))


def _bases(draw: random.Random, *, spam: bool) -> Iterator[str]:
    dirty = tuple(itertools.chain.from_iterable(SPAM.values()))
    while True:
        if spam and draw.random() < 0.05:
            yield draw.choice(dirty)
            continue
        chance = draw.random()
        yield draw.choice(ENGLISH if chance < 0.25 else ADVERTS if chance < 0.6 else NOTICES)


def write_new_texts(file: Path, count: int, *, spam: bool = False) -> Path:
    """Write `count` of them, one a line; return the file."""
    with file.open("w", encoding="utf-8") as out:
        out.writelines(f"{text}\n" for text in new_texts(count, spam=spam))
    return file


def write_labelled(directory: Path, count: int = 2_000) -> Path:
    """Write labelled texts to train a small model on: a third spam; return the directory.

    It learns to tell these invented texts from each other, and no more: it costs what any model
    costs, and what it finds says nothing of real traffic.
    """
    directory.mkdir()
    draw = random.Random(5)
    lines = []
    for serial in range(count):
        if serial % 3:
            base = draw.choice((*NOTICES, *ADVERTS, *ENGLISH))
            label, source = "ham", "made up"
        else:
            category = draw.choice(tuple(SPAM))
            base, label, source = draw.choice(SPAM[category]), "spam", f"made up/{category}"
        text = text_of(base, serial * 7 + 3, draw)
        lines.append(f"{label}\t{'en' if text.isascii() else 'zh'}\t{source}\t{text}\tport\n")
    (directory / "train_bulk.tsv").write_text("".join(lines), encoding="utf-8")
    return directory
