"""The class that a text shows (R10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import TrafficClass
from gateway.filter.optout_hint import advertised
from gateway.filter.traffic_class import CUES, classify, is_promotion, signature_of

# The vectors of the rule catalogue.
VECTORS = [
    ("K01", "【腾讯科技】您的QQ登录验证码是1234,5分钟内有效。", "verification"),
    ("K03", "【商城】秋季大促全场5折,回T退订", "commercial"),
    ("K04", "【快递】您的包裹已到驿站,取件码1-6311", "service"),
    ("K05", "【某行】您尾号1822信用卡账单应还1200元,最后还款日7月15日", "service"),
    ("K06", "【楼盘】一线江景首付20万起,均价1.2万,详询4008001234", "commercial"),
    ("K08", "市气象局发布台风红色预警,请避险", "service"),
]


def class_of(text: str) -> TrafficClass:
    return classify(text, signature_of(text) or "", advertised(text) or "")


@pytest.mark.parametrize(
    ("text", "want"), [row[1:] for row in VECTORS], ids=[v[0] for v in VECTORS]
)
def test_r10_the_vectors_of_the_catalogue(text: str, want: str) -> None:
    assert class_of(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "验证码：123456，请勿泄露",
        "123456是您的验证码",
        "【某贷】您的贷款申请验证码8848,请勿告知他人",
        "您的动态密码为 889 231",
        "【購物】您的驗證碼是445566",
        "Your verification code is 123456",
        "G-229041 is your Google verification code.",
        "Your OTP: 4471. Do not share it.",
    ],
)
def test_r10_a_code_to_type_in_is_verification(text: str) -> None:
    assert class_of(text) is TrafficClass.VERIFICATION


@pytest.mark.parametrize(
    "text",
    [
        "验证码1234，切勿相信优惠",
        "验证码123456，请勿相信任何返现、红包、贷款信息",
        "您正在申请贷款，验证码8848，请勿告知他人",
        "验证码8848。您正在领取优惠券",
        "验证码5566,用于优惠券兑换",
        "验证码5566（贷款申请）,5分钟内有效",
        "免费试听报名验证码1234",
        "【某银行】验证码1234。谨防以理财为名的诈骗",
        "验证码1234。如非本人办理贷款，请忽略",
        "验证码1234，平台免费",
        "您的验证码是482913，开盘前有效",
        "验证码1234,您的贷款账单应还1200元",
    ],
)
def test_r10_what_a_code_is_for_and_what_it_warns_of_promote_nothing(text: str) -> None:
    assert class_of(text) is TrafficClass.VERIFICATION


@pytest.mark.parametrize(
    "text",
    [
        "外卖配送 5 元",
        "已派送10元以上的订单",
        "已送10元话费到您账户",
        "送货上门,运费10元",
        "送你一块蛋糕",
    ],
)
def test_r10_what_was_delivered_or_given_already_is_service(text: str) -> None:
    assert class_of(text) is TrafficClass.SERVICE


@pytest.mark.parametrize(
    "text",
    [
        "请勿向任何人泄露验证码",
        "任何人索要验证码都是诈骗",
        "会议室在三楼1204",
        "the dress code is formal",
    ],
)
def test_r10_a_text_about_codes_without_one_is_service(text: str) -> None:
    assert class_of(text) is TrafficClass.SERVICE


@pytest.mark.parametrize(
    "text",
    [
        "【某行】验证码1234。办卡享免息额度5万元,回T退订",
        "【某行】验证码1234。办卡享免息额度5万元",
        "您的验证码是1234,全场5折等你来",
        "您的订单已发货,下单立减20元,领券享更多优惠",
        "您的账单应还1200元,提额办卡送豪礼",
        "您的账单、余额、交易、订单已更新,红包优惠等着您",
        "Your verification code is 123456. Flash sale, 50% off today!",
        "验证码1234，办卡送888元",
        "验证码1234。办卡找我",
        "您的验证码为5566,本店红包等您",
        "办理贷款！验证码 8848",
        "验证码1234\n高薪兼职",
        "验证码1234,免费领取",
        "验证码1234，切勿错过优惠",
        "验证码1234，贷款优惠月底前有效",
        "贷款验证码1234,贷款到账快",
        "您的订单已发货,办卡送888元",
        "您的账单已出,尾号1234,充值赠送50元",
        "验证码1234. 理财热卖",
        "【示例】验证码1234，如非本人，高薪兼职红包返现贷款请忽略",
        "【示例】验证码1234，谨防诈骗贷款红包返现最高提额",
        "【示例】验证码1234，不会收费贷款红包返现理财",
        "【示例】验证码1234，切勿轻信他家我处返现提额",
        "您的动态码6688正在热卖新品红包优惠",
    ],
)
def test_r10_mixed_counts_as_commercial(text: str) -> None:
    assert class_of(text) is TrafficClass.COMMERCIAL


@pytest.mark.parametrize(
    "text",
    [
        "满300减50",
        "满 100 元立减 20",
        "全场８.8折",
        "周末秒杀,限时抢购",
        "大\u200b促",
        "大 促 开始了",
        "週末特價,滿300減50",
        "優惠券免費領",
        "加微信abc进群",
        "代开发票",
        "低息贷款,无抵押",
        "名额有限,报名咨询13800138000",
        "新楼盘开盘,详询 400-800-1234",
        "仅需9.9元,点击 http://t.cn/abc",
        "SALE now on: free gift inside",
        "Get 20% off with coupon X1",
        "Best deals: win a prize",
        "加盟请拨 010-12345678",
        "旺铺招商,咨询热线 010-12345678",
    ],
)
def test_r10_a_promotion_is_commercial_whatever_its_disguise(text: str) -> None:
    assert class_of(text) is TrafficClass.COMMERCIAL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "明天上午九点开会",
        "您本次消费100元,优惠10元,余额50元",
        "您的贷款本期应还1200元,请按时还款",
        "您的招商银行储蓄卡账户入账1000元",
        "您的电子发票已开具,点击 https://a.cn/1 下载",
        "【特价机票】您的航班CA1234将于09:30起飞",
        "您预订的折叠床已发货",
        "手术后骨折愈合良好,复诊预约成功",
        "如有疑问请致电95588",
        "Wholesale order shipped. Your order arrives Monday.",
        "See you at the office, take your coat off",
        "积分兑换申请已受理",
        "感谢致电,本店热线：89409227,地址在地铁6号线旁",
    ],
)
def test_r10_what_the_subscriber_set_going_is_service(text: str) -> None:
    assert class_of(text) is TrafficClass.SERVICE


@pytest.mark.parametrize(
    "text",
    [
        "您的包裹已到驿站,退订请回复TD",
        "Your table is ready. Reply STOP to opt out",
        "拒收請回覆Ｒ",
        "Text END to end msgs",
    ],
)
def test_r10_an_opt_out_hint_means_commercial(text: str) -> None:
    assert class_of(text) is TrafficClass.COMMERCIAL


def test_r10_a_hint_that_was_read_before_is_believed() -> None:
    assert classify("您的包裹已到驿站", "", "R") is TrafficClass.COMMERCIAL


def test_r10_a_word_of_refusal_alone_is_no_hint() -> None:
    assert class_of("您的退订申请已受理") is class_of("您的申请已受理")


def test_r10_the_name_of_the_sender_counts_for_nothing() -> None:
    assert class_of("【优惠券大促】您的包裹已到") is TrafficClass.SERVICE
    assert classify("【大促】您的包裹已到", "大促", "") is TrafficClass.SERVICE
    assert class_of("【大促】周末大促") is TrafficClass.COMMERCIAL


def test_r11_no_text_makes_itself_a_matter_of_public_interest() -> None:
    assert class_of("【应急管理局】公益提醒:台风红色预警,请市民避险") is TrafficClass.SERVICE


def test_each_cue_counts_once() -> None:
    assert class_of("免费") is class_of("免费,免费") is TrafficClass.SERVICE
    assert class_of("优惠优惠,账单已出,账单,验证码1234") is TrafficClass.COMMERCIAL


@pytest.mark.parametrize(
    "text",
    [
        "满三百减五十",
        "滿三百減五十",
        "限時秒殺",
        "會員日",
        "團購",
        "买2送1",
        "購二送一",
        "伍折",
        "0元购",
        "加V信领取",
        "全场半价",
    ],
)
def test_r10_numbers_in_words_and_other_spellings_promote_as_well(text: str) -> None:
    assert class_of(text) is TrafficClass.COMMERCIAL


@pytest.mark.parametrize(
    "text", ["圆满三年,感谢有您", "买3张票送站台票", "双十一期间快递可能延误", "您的补贴申请已受理"]
)
def test_r10_what_only_looks_like_such_is_service(text: str) -> None:
    assert class_of(text) is TrafficClass.SERVICE


@pytest.mark.parametrize("padding", ["好", "\u200b", "\ufdfa", "您的订单已发货。"])
def test_r62_no_padding_pushes_a_promotion_out_of_sight(padding: str) -> None:
    assert class_of(padding * 30_000 + "全场八折大促") is TrafficClass.COMMERCIAL


@pytest.mark.parametrize(
    "name", ["全场八折大促", "iPhone一折 t.cn/a", "全城楼盘首付两万月供一千详询"]
)
def test_r10_a_promotion_in_the_place_of_a_name_is_one(name: str) -> None:
    assert is_promotion(name)


@pytest.mark.parametrize("name", ["春晓书店", "优惠券大促", "特惠商城", "招商银行", "贷款王", ""])
def test_r10_a_name_that_sounds_like_a_promotion_may_be_a_name(name: str) -> None:
    assert not is_promotion(name)


def test_no_cue_stands_twice_in_the_table() -> None:
    words = [word for cue in CUES if not cue.patterns for word in cue.words]

    assert len(words) == len(set(words))


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_has_a_class_that_texts_may_show(text: str) -> None:
    assert class_of(text) is not TrafficClass.PUBLIC_INTEREST


@pytest.mark.parametrize(
    "unit",
    [
        "满1",
        "1折",
        "点击",
        "code ",
        "1234 ",
        "a-",
        "1-",
        "咨询1",
        "热线",
        "\ufdfa",
        "验证码",
        "验证码1234,办卡勿",
        ",",
    ],
)
def test_no_repetition_makes_the_classification_slow(unit: str) -> None:
    # What is not linear would take longer than any test may.
    assert class_of(unit * 100_000) is class_of(unit * 100)
