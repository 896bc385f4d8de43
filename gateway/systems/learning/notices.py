"""Invented innocent notices to train on: important texts from ports that must not be stopped.

Collections have many adverts and few notices of banks, couriers, clinics and utilities. These
texts are newly written, with random names and numbers. None is a real person's text.
"""

from collections.abc import Mapping, Sequence

import numpy as np

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
    "bank": (
        "建安银行",
        "华江银行",
        "民丰银行",
        "金穗农信",
        "滨海银行",
        "长河村镇银行",
        "晋源银行",
    ),
    "shop": ("豆芽商城", "星河出行", "麦田书店", "红杉酒店", "小鹿超市", "海豚影城", "竹林餐厅"),
    "courier": ("迅达快递", "蓝天速递", "四通快运", "喜鹊快递", "飞马物流"),
    "operator": ("中国移动", "中国联通", "中国电信"),
    "city": ("武汉", "成都", "郑州", "合肥", "昆明", "宁波", "太原", "苏州", "兰州", "青岛"),
    "name": ("周先生", "吴女士", "郑先生", "孙女士", "黄先生", "林女士", "何先生", "罗女士"),
    "place": ("东门驿站", "一楼丰巢柜", "传达室", "小区超市", "北门岗亭", "快递服务点", "门卫处"),
}


def innocent_notices(count: int, rng: np.random.Generator) -> list[str]:
    """Return `count` texts, an equal number of each form as far as possible."""
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
