"""Training: from labelled texts to a model with its thresholds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.filter.classifier.linear import (
    CATEGORY_BUCKET_BITS,
    CATEGORY_GRAMS,
    SIGNS,
    Calibration,
    CategoryModel,
    LinearModel,
)
from gateway.filter.classifier.model import ClassModel, Model, Threshold
from gateway.filter.classifier.score import TextClass
from gateway.filter.normalise.views import Views
from gateway.systems.learning.evaluation import Floats, Marks, threshold_at
from gateway.systems.learning.linear_model import (
    Descent,
    Matrix,
    calibrated,
    category_matrix,
    scale_of,
    scaled,
    spam_matrix,
    trust_in,
)
from gateway.systems.learning.samples import (
    Sample,
    campaign_of,
    category_in,
    is_held_out,
    sample_of,
)

# Copies with characters replaced by chance, in innocent texts as in spam, keep a model from relying
# on single characters. They are not the disguises that people try: what is measured on those stays
# a measure.
_HAN_FIRST, _HAN_PAST = 0x4E00, 0x9FA6
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_MOST_LETTERS = 5
# Of the Han to be spoilt: one other Han, some letters, two Han; what is left is dropped.
_ONE, _SPELT, _TWO = 0.5, 0.75, 0.9
TOLERATED = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
LEAST_OF_A_KIND = 10
# What a collection of one label alone teaches is mostly how that collection is written.
_ONE_SIDED_IMPORTANCE = 0.02
_ONE_SIDED_COPIES = 1
# Notices made up stand beside those that were collected, one for so many of these.
_MADE_UP = "made up"
_MADE_UP_IMPORTANCE = 0.2
_COLLECTED_FOR_ONE = 3


def spoilt(text: str, share: float, rng: np.random.Generator) -> str:
    """Return `text` with about `share` of its Han and half that of its letters replaced."""
    chances = rng.random(len(text))
    return "".join(
        char if chance >= share else _instead(char, chance / share, rng)
        for char, chance in zip(text, chances.tolist(), strict=True)
    )


def _instead(char: str, kind: float, rng: np.random.Generator) -> str:
    if char.isascii():
        return _letters(1, rng) if char.isalpha() and kind < _ONE else char
    if not "\u4e00" <= char <= "\u9fff":
        return char
    if kind < _ONE:
        return _han(rng)
    if kind < _SPELT:
        return _letters(int(rng.integers(2, _MOST_LETTERS + 1)), rng)
    return _han(rng) + _han(rng) if kind < _TWO else ""


def _han(rng: np.random.Generator) -> str:
    return chr(int(rng.integers(_HAN_FIRST, _HAN_PAST)))


def _letters(count: int, rng: np.random.Generator) -> str:
    return "".join(_LETTERS[place] for place in rng.integers(0, len(_LETTERS), count).tolist())


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the model of one class is trained.

    `copies` are made of each text with up to twice `noise` of its characters spoilt, fewer of
    collections of one label. So many innocent texts of other classes are shown as well, and
    all their spam, and at most so many `notices` of innocent_notices. `smoothing` and `emphasis`
    are those of scale_of.
    """

    copies: int
    noise: float
    neighbours: int
    notices: int
    smoothing: float
    emphasis: float
    descent: Descent

    def fit(
        self,
        matrix: Matrix,
        is_spam: Marks,
        importance: Floats,
        told: Callable[[int], None] = lambda _: None,
    ) -> Floats:
        """Return the weights that the samples teach; `told` hears of each pass."""
        scale = scale_of(
            matrix,
            is_spam,
            importance,
            kept=len(SIGNS),
            smoothing=self.smoothing,
            emphasis=self.emphasis,
        )
        return scale * self.descent.fit(scaled(matrix, scale), is_spam, importance, told)


# Chosen by fivefold cross-validation over the campaigns of the project's training data.
RECIPES: Mapping[TextClass, Recipe] = {
    TextClass.PORT: Recipe(12, 0.2, 6000, 800, 1.0, 1.5, Descent(cost=2.0)),
    TextClass.PERSON: Recipe(0, 0.0, 0, 0, 0.3, 1.0, Descent(cost=4.0)),
    TextClass.FOREIGN: Recipe(2, 0.1, 0, 0, 0.3, 1.0, Descent(cost=1.0)),
}


class TrainingError(Exception):
    """There are too few samples to train on, or none of one of the two kinds."""


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """What hears how far the work has come: what is being done, steps in all, steps more."""

    begin: Callable[[str, int], None]
    advance: Callable[[int], None]


SILENT = TrainingProgress(lambda _what, _steps: None, lambda _steps: None)


def train(
    samples: Sequence[Sample],
    held_out: Sequence[Sample] = (),
    *,
    about: Mapping[str, object],
    seed: int = 1,
    least_weight: float = 0.0,
    told: TrainingProgress = SILENT,
) -> Model:
    """Return a model of `samples`: the same one for the same samples and seed.

    Weights below `least_weight` are left out before anything is measured: with 0.02 the file is
    less than half as large and finds as much.

    Probabilities and thresholds are measured on `held_out`; without any, every tenth campaign
    is held out. Doubtful samples are left out of the training. Raises TrainingError.
    """
    if not held_out:
        samples, held_out = parted(samples)
    by_class: dict[TextClass, list[Sample]] = defaultdict(list)
    for sample in samples:
        if not sample.is_doubtful:
            by_class[sample.text_class].append(sample)
    classes = {
        text_class: _class_model(text_class, by_class, held_out, (seed, least_weight), told)
        for text_class in TextClass
        if _is_enough(by_class[text_class])
    }
    if not classes:
        raise TrainingError(f"there are not {LEAST_OF_A_KIND} of spam and of ham in any class")
    return Model(classes, _category_model(samples, least_weight), about)


def parted(samples: Iterable[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Return `samples` without every tenth campaign, and those."""
    kept: list[Sample] = []
    held_out: list[Sample] = []
    for sample in samples:
        (held_out if is_held_out(campaign_of(sample)) else kept).append(sample)
    return kept, held_out


def _is_enough(samples: Sequence[Sample]) -> bool:
    spam = sum(sample.is_spam for sample in samples)
    return min(spam, len(samples) - spam) >= LEAST_OF_A_KIND


def _class_model(
    text_class: TextClass,
    by_class: Mapping[TextClass, Sequence[Sample]],
    held_out: Sequence[Sample],
    settings: tuple[int, float],
    told: TrainingProgress,
) -> ClassModel:
    recipe, (seed, least_weight) = RECIPES[text_class], settings
    rng = np.random.default_rng(seed)
    collected = by_class[text_class]
    neighbours = _neighbours(by_class, recipe.neighbours, rng)
    one_sided = _one_sided([*collected, *neighbours])
    counts = dict.fromkeys(one_sided, _ONE_SIDED_IMPORTANCE) | {_MADE_UP: _MADE_UP_IMPORTANCE}
    own = [*collected, *_made_up(collected, recipe.notices, rng)]
    samples = [*own, *neighbours]
    texts: list[Views] = [sample.text for sample in samples]
    for number in range(recipe.copies):
        copied = [one for one in own if number < _ONE_SIDED_COPIES or one.origin not in one_sided]
        shares = rng.uniform(0, 2 * recipe.noise, len(copied)).tolist()
        texts += [
            Views(spoilt(one.text.raw, share, rng))
            for one, share in zip(copied, shares, strict=True)
        ]
        samples += copied
    told.begin(f"reading {text_class}", len(texts))
    matrix = spam_matrix(texts, told.advance)
    told.begin(f"training {text_class}", recipe.descent.passes)
    is_spam = np.array([sample.is_spam for sample in samples])
    known = np.array([counts.get(one.origin, 1.0) for one in samples])
    trust = trust_in(
        own,
        matrix,
        lambda part, rows: recipe.fit(part, is_spam[rows], known[rows]),
    )
    importance = known * np.array([trust.get(one.origin, 1.0) for one in samples])
    weights = recipe.fit(matrix, is_spam, importance, told.advance)
    linear = LinearModel(_without_small(weights, least_weight), Calibration(1, 0))
    return _measured(linear, [one for one in held_out if one.text_class is text_class])


def _neighbours(
    by_class: Mapping[TextClass, Sequence[Sample]], maximum: int, rng: np.random.Generator
) -> list[Sample]:
    """Return all spam of people, and some innocent texts of origins without spam, if there are."""
    if not maximum:
        return []
    others = by_class.get(TextClass.PERSON, ())
    spam = [one for one in others if one.is_spam]
    origins = {one.origin for one in others}
    trusted = origins - {one.origin for one in spam} or origins
    innocent = [one for one in others if not one.is_spam and one.origin in trusted]
    chosen = rng.permutation(len(innocent))[:maximum].tolist()
    return spam + [innocent[place] for place in sorted(chosen)]


def _made_up(collected: Sequence[Sample], maximum: int, rng: np.random.Generator) -> list[Sample]:
    innocent = sum(not one.is_spam for one in collected)
    texts = innocent_notices(min(maximum, innocent // _COLLECTED_FOR_ONE), rng)
    return [sample_of(f"ham\tzh\t{_MADE_UP}\t{text}") for text in texts]


def _one_sided(samples: Sequence[Sample]) -> set[str]:
    """Return the origins with one label alone, or none where no origin has both."""
    spam = {one.origin for one in samples if one.is_spam}
    ham = {one.origin for one in samples if not one.is_spam}
    return spam ^ ham if spam & ham else set()


def _measured(linear: LinearModel, held_out: Sequence[Sample]) -> ClassModel:
    scores = linear.scores([one.text for one in held_out])
    is_spam = np.array([one.is_spam for one in held_out], dtype=np.bool_)
    innocent, spam = scores[~is_spam], scores[is_spam]
    if not len(innocent) or not len(spam):
        return ClassModel(linear, ())
    thresholds = tuple(Threshold(one, threshold_at(innocent, one)) for one in TOLERATED)
    return ClassModel(LinearModel(linear.weights, calibrated(innocent, spam)), thresholds)


def _without_small(weights: Floats, least: float) -> NDArray[np.float32]:
    return np.where(np.abs(weights) < least, 0, weights).astype(np.float32)


def _category_model(samples: Sequence[Sample], least_weight: float) -> CategoryModel | None:
    by_category: dict[str, list[Views]] = defaultdict(list)
    for sample in samples:
        category = category_in(sample.source) if sample.is_spam else ""
        if category and sample.text_class is not TextClass.FOREIGN:
            by_category[category].append(sample.text)
    ids = tuple(sorted(one for one, texts in by_category.items() if texts))
    if len(ids) < 2:
        return None
    texts = [text for one in ids for text in by_category[one]]
    true = np.repeat(np.arange(len(ids)), [len(by_category[one]) for one in ids])
    matrix = category_matrix(texts, CATEGORY_GRAMS, CATEGORY_BUCKET_BITS)
    descent = Descent(cost=4.0, passes=6)
    even = np.ones(len(texts))
    rows = [descent.fit(matrix, true == number, even) for number in range(len(ids))]
    # Its weights are a quarter as large.
    return CategoryModel(ids, _without_small(np.stack(rows), least_weight / 4))


# Values in braces are drawn at random for each text.
_FORMS: Sequence[str] = (
    # one-time codes
    "【{shop}】您的验证码为{code}，{minutes}分钟内有效，请勿泄露。",
    "{code}为您的登录验证码，请于{minutes}分钟内填写。如非本人操作，请忽略。【{shop}】",
    "验证码：{code}。您正在{shop}找回密码，任何人索要验证码均为诈骗，请勿提供。",
    "【{bank}】短信口令{code}，您正在向{name}转账{money}元，请勿告诉任何人。",
    "您正在使用{shop}支付，动态验证码{code}，交易金额{money}元。打死都不能告诉别人！",
    "【{city}社保】校验码{code}，您正在绑定社保卡，如非本人操作请致电12333。",
    "欢迎注册{shop}，您的激活码是{code}，请在{minutes}分钟内输入。",
    "【{shop}】您的账号在新设备登录，验证码{code}，如不是您本人，请立即修改密码。",
    # banks
    "【{bank}】您{month}月{day}日{hour}:{minute}在{shop}消费人民币{money}元，卡尾号{tail}，当前余额{more}。",
    "您账户*{tail}于{hour}:{minute}存入现金{cash}元，余额{more}元。{bank}",
    "{bank}：您尾号{tail}的账户{month}月{day}日代发工资收入{more}元，余额{more}元。",
    "【{bank}】信用卡{tail}人民币账单{more}元，最低还款{money}元，到期还款日{month}月{day}日。已还请忽略。",
    "您的借记卡{tail}快捷支付扣款{money}元，商户名称：{shop}。如有疑问请拨{hotline}【{bank}】",
    "【{bank}】{name}，您尾号为{tail}的信用卡已还款{money}元，本期账单已还清。",
    "您于{month}月{day}日转出{cash}元至{name}尾号{tail}账户，预计2小时内到账。[{bank}]",
    "【{bank}】您的个人贷款本月应还{money}元，请在{month}月{day}日前将款项存入尾号{tail}的还款账户。",
    "【{bank}】您预约的大额取款{cash}元已备好，请携带身份证于{month}月{day}日到网点办理。",
    "您的{bank}卡（尾号{tail}）密码连续输错三次，已被锁定，请持身份证到柜台解锁。",
    "{bank}温馨提示：您的定期存单{cash}元已到期，本息{more}元已转入活期账户{tail}。",
    "【{bank}】您的新卡已制好并寄出，挂号信编号{parcel}，请留意查收，收到后请先激活。",
    "住房公积金账户{tail}于{month}月{day}日汇缴{money}元，余额{more}元。【{city}公积金】",
    "【{bank}】撤销交易{money}元已退回您尾号{tail}的账户，请注意查询。",
    # couriers
    "【{courier}】您的快件{parcel}已由{place}代收，请凭取件码{pick}领取。",
    "取件码{pick}，您的包裹已存入{place}，逾期会被退回，请尽早取走。【{courier}】",
    "{name}，您的快递到{place}了，我在楼下，方便的话下来拿一下，{courier}{mobile}",
    "【{courier}】运单{parcel}已揽收，寄件人{name}，预计{month}月{day}日送达{city}。",
    "您好，今天{hour}点左右给您送件，家里有人吗？没人我就放{place}了。{courier}",
    "【{shop}】您的订单{order}已出库，由{courier}承运，单号{parcel}，请注意查收。",
    "【{courier}】您的包裹因天气原因延误，正在转运至{city}，给您带来不便，敬请谅解。",
    "您的快件{parcel}签收人：本人。感谢使用{courier}，服务评价请回复1至5。",
    "【{courier}】收件地址无人，快件{parcel}明日再次派送，如需改约请致电{mobile}。",
    # operators
    "尊敬的客户，您{month}月的话费为{money}元，账户余额{money}元。{operator}",
    "【{operator}】截至{day}日{hour}时，您的套餐内流量已用{used}MB，剩余{left}MB。",
    "您的充值已成功，充值金额{cash}元，当前余额{money}元。感谢您使用{operator}服务。",
    "尊敬的用户，您的号码余额不足{minutes}元，为避免停机请及时缴费。{operator}",
    "您办理的业务已受理，{month}月1日起生效，如需查询请拨打客服热线。【{operator}】",
    "【{operator}】您报修的宽带故障已处理完毕，工单号{order}，如仍有问题请再次来电。",
    # bookings and travel
    "【{shop}】您预订的{month}月{day}日{hour}:{minute}的座位已确认，保留15分钟，如需取消请提前来电。",
    "您已购{month}月{day}日{train}次列车{box}车{tail}号，{city}站{hour}:{minute}开，请提前检票。",
    "【{shop}】{name}，您预订的酒店已确认，{month}月{day}日入住一晚，订单号{order}，无需再次确认。",
    "您乘坐的{month}月{day}日{city}航班因天气原因延误至{hour}:{minute}起飞，请留意机场广播。",
    "【{shop}】影票已出，{month}月{day}日{hour}:{minute}场，取票码{code}，请在开场前取票。",
    "您预订的位置已为您自动取消，欢迎下次光临。【{shop}】",
    # clinics, schools, utilities, offices
    "【{city}人民医院】{name}您好，您预约了{month}月{day}日上午的内科门诊，请携带医保卡提前取号。",
    "您的检查报告已出，请凭就诊卡到自助机打印。【{city}第一医院】",
    "各位家长，{month}月{day}日{hour}点召开家长会，地点在教学楼{box}教室，请准时参加。",
    "【{city}供电】因检修线路，{month}月{day}日{hour}点起停电约{minutes}小时，请提前做好准备。",
    "尊敬的用户，您户号{order}本期电费{money}元，请于{day}日前缴纳，已缴请忽略。",
    "【{city}水务】您本月用水{box}吨，水费{money}元，账户余额{money}元。",
    "【{city}交警】您的车辆于{month}月{day}日{hour}:{minute}有一条违章记录，请到窗口或官方平台处理。",
    "【{city}税务】您的申报表已受理，受理编号{order}，请留意审核结果。",
    "通知：{month}月{day}日{hour}:{minute}在三楼会议室开会，请各部门负责人准时参加，不得缺席。",
    "【{city}政务】您申请的居住证已办结，请携带身份证到受理窗口领取。",
    "{name}您好，您的保险理赔案件{order}已结案，赔款{money}元将在3个工作日内到账。",
    "您报修的空调已安排师傅{hour}点上门，师傅电话{mobile}，请保持电话畅通。【{shop}】",
    "【{shop}】您的退款申请已通过，{money}元将原路退回，预计1至3个工作日到账。",
    "{city}气象台：今天夜间到明天有小雨，气温下降，请注意添衣保暖。",
)

_WORDS: Mapping[str, Sequence[str]] = {
    "bank": [
        "建安银行",
        "华江银行",
        "民丰银行",
        "金穗农信",
        "滨海银行",
        "长河村镇银行",
        "晋源银行",
    ],
    "shop": ["豆芽商城", "星河出行", "麦田书店", "红杉酒店", "小鹿超市", "海豚影城", "竹林餐厅"],
    "courier": ["迅达快递", "蓝天速递", "四通快运", "喜鹊快递", "飞马物流"],
    "operator": ["中国移动", "中国联通", "中国电信"],
    "city": ["武汉", "成都", "郑州", "合肥", "昆明", "宁波", "太原", "苏州", "兰州", "青岛"],
    "name": ["周先生", "吴女士", "郑先生", "孙女士", "黄先生", "林女士", "何先生", "罗女士"],
    "place": ["东门驿站", "一楼丰巢柜", "传达室", "小区超市", "北门岗亭", "快递服务点", "门卫处"],
}


def innocent_notices(count: int, rng: np.random.Generator) -> list[str]:
    """Return `count` invented notices, an equal number of each form as far as possible.

    They are important texts from ports, which must not be stopped: collections have many adverts
    and few notices of banks, couriers, clinics and utilities. None is a real person's text.
    """
    order = rng.permutation(max(count, len(_FORMS)))[:count] % len(_FORMS)
    return [_FORMS[form].format(**_drawn(rng)) for form in order.tolist()]


def _drawn(rng: np.random.Generator) -> dict[str, object]:
    words = {name: several[int(rng.integers(len(several)))] for name, several in _WORDS.items()}
    return {
        **words,
        "code": _digits(6, rng),
        "minutes": int(rng.integers(1, 31)),
        "month": int(rng.integers(1, 13)),
        "day": int(rng.integers(1, 29)),
        "hour": int(rng.integers(7, 22)),
        "minute": f"{int(rng.integers(60)):02}",
        "tail": _digits(4, rng),
        "money": f"{rng.uniform(1, 2000):.2f}",
        "more": f"{rng.uniform(1000, 40000):.2f}",
        "cash": int(rng.integers(1, 200)) * 100,
        "hotline": f"95{_digits(3, rng)}",
        "mobile": f"1380013{_digits(4, rng)}",
        "parcel": _digits(12, rng),
        "order": _digits(10, rng),
        "pick": f"{int(rng.integers(1, 10))}-{int(rng.integers(1, 20))}-{_digits(4, rng)}",
        "box": int(rng.integers(1, 40)),
        "train": f"G{int(rng.integers(1, 9000))}",
        "used": int(rng.integers(1, 900)),
        "left": int(rng.integers(1, 900)),
    }


def _digits(count: int, rng: np.random.Generator) -> str:
    return f"{int(rng.integers(10**count)):0{count}}"
