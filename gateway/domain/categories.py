"""What a message is for (短信类别) and about (内容类别), as complaints and preferences share it."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class TrafficClass(StrEnum):
    """What a message is sent for (O31, definitions).

    COMMERCIAL promotes goods, services or investment, wholly or among other things. PUBLIC_INTEREST
    depends on the sender, never on the text (R11).
    """

    VERIFICATION = "verification"
    SERVICE = "service"
    COMMERCIAL = "commercial"
    PUBLIC_INTEREST = "public_interest"

    # The hash of enum is Python code: 0.1 us for each look-up by class, and a message needs
    # several.
    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class Category:
    """One content category. `id` is stable; `parent` is the id above it, "" for a root.

    `aliases` are what people call it besides its Chinese `name` and its id.
    """

    id: str
    name: str
    parent: str
    aliases: tuple[str, ...] = ()


def _category(identity: str, name: str, parent: str, aliases: str = "") -> Category:
    return Category(identity, name, parent, tuple(aliases.split()))


# The classes of 12321's bulletins, and further classes from the law. An alias is one word as a
# subscriber writes it, also in traditional characters if these differ.
CATEGORIES: tuple[Category, ...] = (
    _category("commercial", "商业推销", ""),
    _category("loan", "贷款理财", "commercial", "贷款 理财 网贷 小额贷款 信贷 投资 貸款 loans"),
    _category("debt_collection", "违规催收", "commercial", "催收 催债 讨债"),
    _category("retail", "零售业推销", "commercial", "零售 商场 超市 购物 电商 促销打折"),
    _category("telecom", "电信服务宣传", "commercial", "电信 套餐 流量 宽带 電信"),
    _category("games", "网络游戏", "commercial", "游戏 手游 网游 遊戲 game"),
    _category("insurance", "保险推销", "commercial", "保险 车险 保險"),
    _category("education", "教育培训", "commercial", "教育 培训 补习 辅导 课程 培訓"),
    _category("travel", "旅游交通", "commercial", "旅游 旅行 机票 酒店 旅遊"),
    _category("real_estate", "房产中介", "commercial", "房产 房地产 楼盘 中介 卖房 房產 property"),
    _category("medical_beauty", "医疗美容", "commercial", "医美 美容 整形 醫美"),
    _category("recruitment", "招聘兼职", "commercial", "招聘 兼职 招工 兼職 jobs"),
    _category("illegal", "涉嫌违法", "", "违法 違法"),
    _category("fraud", "涉嫌诈骗", "illegal", "诈骗 欺诈 骗子 詐騙 scam"),
    _category("fraud_prize", "中奖诈骗", "fraud", "中奖 中獎"),
    _category("fraud_finance", "金融诈骗", "fraud", "金融类诈骗"),
    _category("fraud_shopping", "网购诈骗", "fraud", "网购类诈骗"),
    _category("fraud_bank_debit", "冒充银行扣款", "fraud"),
    _category("fraud_authority", "冒充公检法", "fraud"),
    _category("fraud_acquaintance", "冒充亲友", "fraud"),
    _category("illegal_business", "非法经营", "illegal"),
    _category("forged_documents", "违法出售票证", "illegal", "发票 代开发票 假证 办证 發票"),
    _category("pornography", "色情", "illegal", "黄色 情色 porn"),
    _category("gambling", "赌博", "illegal", "博彩 彩票 賭博"),
    _category("drugs", "毒品", "illegal"),
    _category("rumour", "谣言反动", "illegal", "谣言 反动 謠言 rumor"),
    _category("phishing", "钓鱼链接", "illegal", "钓鱼 釣魚"),
    _category("nuisance", "骚扰信息", "", "骚扰 騷擾"),
    _category("harassment", "骚扰恐吓", "nuisance", "恐吓 威胁"),
    _category("chain_forwarding", "转发获利", "nuisance"),
    _category("misleading_charge", "误导扣费", "nuisance", "扣费 SP误导扣费"),
    _category("sms_bombing", "短信轰炸", "nuisance", "轰炸"),
)

# Minimum similarity: one letter too many, one missing or two exchanged in a word of six.
_LIKE_ENOUGH = 0.8

_BY_ID = {category.id: category for category in CATEGORIES}


def _spelling(word: str) -> str:
    return "".join(word.split()).replace("_", "").replace("-", "").lower()


_BY_WORD = {
    _spelling(word): category
    for category in CATEGORIES
    for word in (category.id, category.name, *category.aliases)
}


def category_of(word: str) -> Category | None:
    """Return the category that `word` is the id, the name or an alias of.

    Case, spaces and hyphens do not matter: Real Estate is real_estate.
    """
    return _BY_WORD.get(_spelling(word))


def likely_category(word: str) -> Category | None:
    """Return the category that the unknown `word` probably misspells; None without one."""
    like = get_close_matches(_spelling(word), _BY_WORD, n=1, cutoff=_LIKE_ENOUGH)
    return _BY_WORD[like[0]] if like else None


def covered_by(word: str) -> frozenset[str]:
    """Return the ids of the category that `category_of` finds for `word`, and of all below it.

    A word outside the tree, an operator's own word for a list, covers only itself.
    """
    category = category_of(word)
    if category is None:
        return frozenset({word})
    return frozenset(one.id for one in CATEGORIES if category.id in lineage_of(one.id))


def advert_category(word: str) -> str:
    """Return the id of a category of adverts that `word` is or is an alias of, "" for none."""
    category = category_of(word)
    is_advert = category is not None and category.parent == "commercial"
    return category.id if category is not None and is_advert else ""


def lineage_of(word: str) -> Iterator[str]:
    """Yield the id of the category that `category_of` finds for `word`, then those above it."""
    category = category_of(word)
    while category is not None:
        yield category.id
        category = _BY_ID.get(category.parent)


class Harm(StrEnum):
    """The harm that a spam does to a reader who believes it.

    An ADVERT is unwanted; FRAUD takes money or passwords; ILLEGAL offers something that is
    forbidden for everyone. Only an ADVERT can become lawful by consent.
    """

    ADVERT = "advert"
    FRAUD = "fraud"
    ILLEGAL = "illegal"


def harm_of(category: str) -> Harm:
    """Return how much harm a message of a category does (危害程度); an unknown one is an ADVERT."""
    lineage = set(lineage_of(category))
    if lineage & {"fraud", "phishing"}:
        return Harm.FRAUD
    return Harm.ILLEGAL if "illegal" in lineage else Harm.ADVERT
