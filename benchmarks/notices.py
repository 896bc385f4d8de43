"""Innocent notices made up here: one-time codes, bank and courier notices, by the thousand.

Nobody's texts: what such notices say is written anew, names and numbers are drawn. There is no
outcome to learn from them, only a false alarm to find: a model that stops one of these stops
what its reader waits for.
"""

import random
from collections.abc import Mapping

# What stands in braces is drawn anew for each text.
FORMS: Mapping[str, tuple[str, ...]] = {
    "one-time code": (
        "【{shop}】验证码{code}，用于登录，{minutes}分钟内有效，切勿告知他人。",
        "{code}（{shop}动态验证码），请在页面中输入以完成注册。如非本人操作，请忽略本短信。",
        "【{bank}】您正在{month}月{day}日使用手机银行转账，金额{money}元，动态密码{code}，泄露有风险。",
        "您的校验码是：{code}，工作人员不会向您索取。【{shop}】",
        "【{shop}】您正在修改登录密码，验证码：{code}。若非本人操作，请尽快联系客服。",
        "【{city}公积金】您本次查询的短信验证码为{code}，{minutes}分钟后失效。",
        "随机码{code}，您正在办理{city}政务服务网实名认证，请勿转发。",
        "尊敬的客户，您申请绑定尾号{tail}的银行卡，验证码{code}，{minutes}分钟内输入有效。【{shop}】",
        "【{bank}】动态码{code}。您向商户{shop}支付{money}元，请核对金额后再输入。",
        "【{shop}】{code} 是您的取号验证码，请于{hour}:{minute}前到店出示。",
    ),
    "bank": (
        "您尾号{tail}的储蓄卡{month}月{day}日{hour}:{minute}消费支出{money}元，余额{more}元。[{bank}]",
        "【{bank}】您账户{tail}于{month}月{day}日{hour}:{minute}入账工资{more}元，可用余额{more}元。",
        "您的信用卡（尾号{tail}）本期账单{money}元，还款日{month}月{day}日，请按时还款。【{bank}】",
        "【{bank}】{name}您好，您{month}月{day}日通过ATM取现{cash}元，手续费0元，余额{more}元。",
        "贵账户尾号{tail}向{name}转出人民币{money}元，交易后余额{more}元，如有疑问请致电{hotline}。{bank}",
        "【{bank}】您尾号{tail}的卡片自动还款成功，扣款{money}元，感谢您的配合。",
        "{bank}提醒：您名下定期存款{cash}元将于{month}月{day}日到期，未作约定的将转为活期。",
        "【{bank}】您的房贷将于{month}月{day}日扣款{money}元，请确保尾号{tail}账户余额充足。",
        "您尾号{tail}卡{hour}时{minute}分网上支付{money}元失败，原因：余额不足。【{bank}】",
        "【{bank}】退款到账：商户{shop}退回{money}元至您尾号{tail}的信用卡。",
    ),
    "express": (
        "【{courier}】您的包裹已到{place}，取件码{pick}，请于{hour}点前领取。",
        "您好，快递{parcel}已放在{place}，有事请打{mobile}，{courier}小{name}",
        "【{courier}】{name}您好，您的快件{parcel}正在派送，派件员电话{mobile}，请保持手机畅通。",
        "【{shop}】您购买的商品已发货，{courier}运单号{parcel}，预计{month}月{day}日送达。",
        "您有包裹存入{place}{box}号柜，取件码{pick}，超过24小时将退回站点。",
        "【{courier}】运单{parcel}因收件地址不详未能派送，请回电{mobile}补充门牌号。",
        "快递到了，在{place}，单号尾数{tail}，麻烦今天{hour}点前来拿一下，{courier}",
        "【{courier}】您寄往{city}的包裹{parcel}已由本人签收，感谢使用。",
        "{name}您好，生鲜包裹{parcel}已到{place}，请尽快取件，以免变质。【{courier}】",
        "【{courier}】受大雪影响，发往{city}的快递将晚到一至两天，给您带来不便请谅解。",
    ),
}

_WORDS: Mapping[str, tuple[str, ...]] = {
    "bank": ("江河银行", "城商银行", "东湖农商行", "海川银行", "北原银行", "惠民信用社"),
    "shop": ("米粒优选", "云杉商城", "蓝鲸出行", "青禾读书", "白鹭票务", "知了课堂", "橙子外卖"),
    "courier": ("飞鸽速运", "千里快递", "顺路物流", "大雁快递", "小马配送"),
    "city": ("沈阳", "长沙", "西宁", "福州", "洛阳", "南通", "桂林", "唐山"),
    "name": ("张先生", "李女士", "王先生", "陈女士", "赵先生", "刘女士"),
    "place": (
        "小区南门驿站",
        "3号楼下快递柜",
        "物业前台",
        "学校西门便利店",
        "单位收发室",
        "代收点",
    ),
}


def notices(count: int, seed: int = 1) -> list[tuple[str, str]]:
    """Return `count` pairs of kind and text, each kind and form as often as the others."""
    rng = random.Random(seed)
    forms = [(kind, form) for kind, several in FORMS.items() for form in several]
    return [_filled(*forms[number % len(forms)], rng) for number in range(count)]


def _filled(kind: str, form: str, rng: random.Random) -> tuple[str, str]:
    drawn = {name: rng.choice(words) for name, words in _WORDS.items()}
    numbers = {
        "code": f"{rng.randrange(10**6):06}",
        "minutes": rng.choice((2, 5, 10, 30)),
        "month": rng.randint(1, 12),
        "day": rng.randint(1, 28),
        "hour": rng.randint(8, 21),
        "minute": f"{rng.randrange(60):02}",
        "tail": f"{rng.randrange(10**4):04}",
        "money": f"{rng.uniform(1, 3000):.2f}",
        "more": f"{rng.uniform(1, 30000):.2f}",
        "cash": rng.randint(1, 50) * 100,
        "hotline": f"955{rng.randrange(100):02}",
        "mobile": f"1380013{rng.randrange(10**4):04}",
        "parcel": f"JD{rng.randrange(10**10):010}",
        "pick": f"{rng.randint(1, 20)}-{rng.randint(1, 9)}-{rng.randrange(10**4):04}",
        "box": rng.randint(1, 60),
    }
    return kind, form.format(**drawn, **numbers)
