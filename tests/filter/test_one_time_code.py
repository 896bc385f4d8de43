"""How long a one-time code is of use (R22), and an advert that begins with one (R10)."""

import re

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.sender import Port, Purpose
from gateway.filter.facts import TextFacts
from gateway.filter.one_time_code import (
    USUAL_LIFE_S,
    _is_about_the_code,
    _masked,
    code_life_s,
    is_code_alone,
    life_s_of,
    may_name_code,
)
from gateway.policy.message_class import class_of

CODES = (
    "【春晓书店】验证码482915，五分钟内有效，请勿泄露",
    "【腾讯科技】您的QQ登录验证码是1234,5分钟内有效。",
    "验证码：123456，请勿泄露",
    "123456是您的验证码",
    "【某贷】您的贷款申请验证码8848,请勿告知他人",
    "您的动态密码为 889 231",
    "【購物】您的驗證碼是445566",
    "Your verification code is 123456",
    "G-229041 is your Google verification code.",
    "Your OTP: 4471. Do not share it.",
    "【XX银行】验证码123456，5分钟内有效，如非本人操作请致电95588",
    "【XX银行】验证码123456，如有疑问请拨打400-820-8888",
    "【星河出行】验证码123456，客服电话10100000",
    "【Apple】Your Apple ID code is 482915. @apple.com #482915",
    "【微信】验证码482915，用于微信登录",
    "<#> Your code is 482915 FA+9qCX9VSu",
    "【星河】482915（登录验证码），工作人员不会向您索要，请勿告知他人。",
    "【小红书】您的验证码是: 482915, 3分钟内有效，请勿泄漏于他人。如非本人操作，请忽略",
    "您正在申请贷款，验证码8848，请勿告知他人",
    "【美团】验证码：482915，5分钟内有效，请勿告知他人。",
    "【XX】您正在登录，动态码4829。若非本人操作请忽略。",
    "【银行】482915（短信验证码）。您尾号1234的卡正在进行网上支付，金额120.00元，切勿转发。",
    "482915 是您的星河校验码，用于更换绑定手机；工作人员不会向您索取。【星河】",
    "Your Star code is 482915. Don't share it with anyone.",
    "482915 is your one-time passcode for Acme Bank. We will never call you to ask for it.",
    "आपका ओटीपी 482915 है। इसे किसी के साथ साझा न करें।",
    "Votre code est 482915, valable 15 minutes",
    "Votre code de vérification est 482915. Ne le communiquez à personne.",
    "Tu código es 482915. Vence en 15 minutos",
    "आपका OTP 482915 है, 5 मिनट तक मान्य",
    "【示例商城】验证码 730418，5分钟内有效，请勿转告他人。",
    "Your code is 730418. It expires in 5 minutes.",
    "【商城】尊敬的用户，您的注册验证码为482915，30分钟内有效，请尽快完成注册，切勿将验证码泄露给他人。",
    "【星河】验证码482915，如非本人操作请致电95588",
    "【星河】登录星河出行的验证码是482915，有效期10分钟",
    "482915 is your code, valid for 2 hours",
    "【星河】您正在找回密码，验证码482915，请勿泄露",
    "招商银行信用卡验证码628193，5分钟内有效",
    "叮咚买菜验证码628193，请勿泄露给他人",
)
ADVERTS = (
    "【豆芽商城】验证码8899，到店出示此码即享五重惊喜，欢迎光临人民路88号。",
    "【豆芽商城】您的专属验证码888666，凭码到店领取精美礼品一份，人民路88号等您。",
    "【某赌场】验证码: 8888 百家乐真人荷官，首存送彩金，官网搜 澳门新葡京",
    "code 8888 casino online, come play baccarat now",
    "验证码9527，您的贷款申请已预审通过，额度20万，回电即放款",
    "您的code 8866，无抵押秒批，回复1咨询",
    "【教育】动态码2026，暑假班开课啦，名师授课，到店试听，地址人民路1号",
    "随机码5201 美女同城约会，加薇 abc123",
    "验证码1234 茅台1499元一瓶，到货，先到先得，人民路烟酒店",
    "尊敬的客户，您的确认码7788，持此短信到店可换购电饭煲一台，本周日截止",
    "Your code 2288: 50 percent reduction storewide this weekend at Main St",
    "Use code SAVE2025 at checkout for half price shoes",
    "code SPRING2026 saves you 40 pct on all shoes this week",
    "【瑜伽】激活码3366：新店开业，年卡仅999元，人民路8号，欢迎体验",
    "登录验证码 6688 澳门娱乐城开户送888",
    "验证码5566 代开发票请联系小王",
    "【XX银行】您的验证码为123456，现办理信用卡礼遇升级，速来网点办理",
    "验证码6688，房贷年化2.9%，最高可贷100万，咨询客户经理小王",
    "验证码6688，投资内参每日涨停股，进股票群",
    "【示例商城】验证码1234，茅台1499元一瓶到货，先到先得，人民路烟酒店",
    "验证码8899，到店出示此码即享五重惊喜",
    "验证码6688，房贷年化2.9%，最高可贷100万",
    "登录验证码6688澳门娱乐城开户送888",
    "验证码6688 回复1领取",
    "【豆芽商城】您的验证码2024，新店茶叶到货，每斤58元，门店人民路88号，电话见门头",
    "【豆芽】验证码6688，全场低价，T恤19元",
    "【xx】验证码6688，澳门真人娱乐，开户即赠88，百度搜 xx国际",
    "【xx】验证码6688，信用卡代还、套现，秒到，联系张经理13800138000",
    "【xx】验证码6688，信用卡代还、套现，秒到，联系张经理一三八零零一三八零零零",
    "【xx】验证码6688，加V: abc12345 看片",
    "【xx】验证码6688，退订回复T",
    "【xx】code 6688 visit mystore dot com for cheap shoes",
    "验证码6688，防骗提醒：谨防诈骗，百家乐首存送彩金",
    "信用卡套现验证码1234，请致电400-820-8888",
    "验证码1234 88889999",
    "验证码482915，请到 @shop.com 看茅台",
    "验证码482915，看 shop.com @a.com #482915",
    "验证码1234，5分钟内有效，请勿泄露，茅台到货",
    "验证码1234，请勿错过茅台1499元",
    "验证码1234，请勿泄露茅台内部价格",
    "验证码1234，有效期内到店领鸡蛋",
    "验证码1234，如非本人请到人民路88号买酒",
    "save2025 is your code for cheap shoes",
    "验证码1234，正在热销的茅台一千四百九十九元一瓶到店",
    "Your code 1234. Casino open now",
    "验证码6688，酒水批发联系400-820-8888",
    "您的酒水批发验证码6688，客服400-820-8888",
    "澳门赌场您的棋牌室验证码6688",
    "验证码6688，请联系客服，5分钟内有效，凭码领鸡蛋",
    "【商城】验证码482915，请勿泄露。"  # a code is short; an advert may hide behind a long warning
    + "请勿告知他人。" * 30,
    "<#> Your code is 482915 13800138000",
    "办贷款找张三验证码1234",
    "【某贷】办贷款找张三验证码123456，5分钟内有效，请勿泄露",
    "买房找我验证码628193",
    "澳门赌场验证码628193",
    "兼职日结验证码628193",
    "理财优选验证码628193，请勿泄露",
    "验证码1234，用于澳门赌场开户",
    "验证码1234，您正在找张三办卡",
    "free casino code 628193",
    "您的动态码6688正在热卖新品红包优惠",
    "Your cheap loan code is 628193",
    "【商城】验证码482915 http://shop.example.com/a",
)
MARKETING = Port("10690001", purpose=Purpose.MARKETING)
BOTH = Port("10690001", purpose=Purpose.VERIFICATION, others=(Purpose.MARKETING,))


@pytest.mark.parametrize(
    ("text", "life_s"),
    [
        ("【春晓书店】验证码482915，5分钟内有效，请勿泄露", 300),
        ("【春晓书店】验证码482915，五分钟内有效", 300),
        ("【春晓书店】驗證碼482915，有效期為三十分鐘", 1800),
        ("【春晓书店】验证码482915，请在60秒内输入", 60),
        ("【春晓书店】验证码482915，半小时内有效", 1800),
        ("【春晓书店】验证码482915，二十五分钟后失效", 1500),
        ("【春晓书店】验证码482915，有效期2天", 172_800),
        ("【春晓书店】验证码482915，1天内最多获取5次，5分钟内有效", 300),
        ("【春晓书店】验证码482915，五分钟内有效，客服24小时后回电", 300),
        ("【春晓书店】验证码482915，有效期5分钟，客服24小时内回电", 300),
        ("【春晓书店】验证码482915，3天后过期", 259_200),
        ("【春晓书店】验证码482915，请在60秒内输入，1天内不再发送", 60),
        ("【春晓书店】验证码482915，长期有效，客服24小时在线，请在3分钟内输入", 180),
        ("【春晓书店】验证码482915，999天内有效", 604_800),
        ("【春晓书店】验证码482915，0分钟内有效，5分钟后失效", 300),
        ("Code 482915 is valid for 5 min. Support calls back within 24 hours", 300),
        ("Your code is 482915. It expires in 10 minutes.", 600),
        ("482915 is your code, valid for 2 hours", 7200),
        ("Votre code est 482915, valable 15 minutes", 900),
        ("Tu código es 482915. Vence en 15 minutos", 900),
        ("आपका OTP 482915 है, 5 मिनट तक मान्य", 300),
    ],
)
def test_a_code_lives_as_long_as_it_says(text: str, life_s: float) -> None:
    assert code_life_s([text]) == life_s


@pytest.mark.parametrize(
    "text",
    ["【春晓书店】验证码482915。24小时客服热线95588", "【春晓书店】验证码482915，个分钟内有效"],
)
def test_one_that_does_not_say_lives_ten_minutes(text: str) -> None:
    assert code_life_s([text]) == USUAL_LIFE_S


def test_of_two_readings_the_longer_time_counts() -> None:
    assert code_life_s(["验证码482915，5分钟内有效", "验证码482915，9分钟内有效"]) == 540


@pytest.mark.parametrize("unit", ["valid", "有效期1", "expir "])
def test_no_repetition_makes_the_search_for_a_life_slow(unit: str) -> None:
    # What is not linear would take longer than any test may.
    assert code_life_s([unit * 20_000]) == USUAL_LIFE_S


def test_what_is_no_code_has_no_life() -> None:
    assert life_s_of(TextFacts((), ["【春晓书店】您的包裹已放入3号柜，3天内有效"])) is None
    assert life_s_of(TextFacts((), ["【春晓书店】验证码482915，3分钟内有效"])) == 180


@pytest.mark.parametrize("text", ["您的包裹已放入3号柜", "验证码482915，3分钟有效" + "。" * 4_096])
def test_what_a_text_shows_is_not_asked_where_it_names_no_code_or_has_no_end(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    def shown(_: TextFacts) -> None:
        pytest.fail("it takes up to a second, in which nobody else is served")

    monkeypatch.setattr(TextFacts, "shown", shown)

    assert life_s_of(TextFacts((), [text])) is None


@pytest.mark.parametrize("text", CODES)
def test_r22_a_code_with_what_belongs_to_it_is_alone(text: str) -> None:
    assert is_code_alone(TextFacts((), [text]))


@pytest.mark.parametrize("text", ADVERTS)
def test_r10_a_code_in_an_advert_is_not_alone(text: str) -> None:
    assert not is_code_alone(TextFacts((), [text]))


def test_r10_an_advert_in_one_of_two_readings_is_enough() -> None:
    assert not is_code_alone(TextFacts((), [CODES[0], ADVERTS[-1]]))


@pytest.mark.parametrize("port", [MARKETING, BOTH])
def test_r10_an_advert_behind_a_code_is_of_the_class_of_its_port(port: Port) -> None:
    for text, traffic in (
        (CODES[0], TrafficClass.VERIFICATION),
        (ADVERTS[0], TrafficClass.COMMERCIAL),
    ):
        facts = TextFacts((), [text])
        classed = class_of(port, None, facts, is_approved=False, is_selling_name=False)

        assert classed.traffic is traffic


@pytest.mark.parametrize(("text", "is_alone"), [(CODES[1], True), (ADVERTS[0], False)])
def test_texts_that_differ_in_their_codes_alone_are_looked_at_once(
    text: str, *, is_alone: bool
) -> None:
    before = _is_about_the_code.cache_info().misses
    for number in range(3000, 3200):
        varied = re.sub(r"(?<!\d)\d{4}(?!\d)", str(number), text)
        assert is_code_alone(TextFacts((), [varied])) is is_alone

    assert _is_about_the_code.cache_info().misses - before <= 1


@pytest.mark.parametrize("text", [*CODES, *ADVERTS])
@pytest.mark.parametrize(("time", "amount"), [("5", "3.50"), ("10", "1234.5"), ("120", "88.88")])
def test_times_and_amounts_decide_nothing(text: str, time: str, amount: str) -> None:
    varied = re.sub(r"(?<![0-9a-zA-Z])\d{1,3}(?= ?(?:分|秒|min))", time, text)

    for one in (varied, f"{varied}您正在支付{amount}元", f"{varied} {amount}元"):
        assert _is_about_the_code(one) is _is_about_the_code(_masked(one))


@pytest.mark.parametrize(
    "text",
    [
        "【星河】验证码482915，请致电482915",  # one number twice
        "【星河】验证码482915，编号739126，尾号1234，备用661177，另有552288",
        "【星河】验证码482915 739126",
    ],
)
def test_several_codes_are_not_one(text: str) -> None:
    assert not is_code_alone(TextFacts((), [text]))


def test_a_hotline_is_no_code() -> None:
    assert not is_code_alone(TextFacts((), ["【星河】您的验证码请致电95588"]))


@pytest.mark.parametrize("text", CODES)
def test_r22_a_text_that_shows_a_code_may_name_one(text: str) -> None:
    shows = TextFacts((), [text]).shown().traffic is TrafficClass.VERIFICATION

    assert may_name_code(text) or not shows


def test_what_names_no_code_is_not_looked_at_further() -> None:
    assert not may_name_code("【春晓书店】会员日全场八折，拒收请回复R")
    assert may_name_code("您的 OTP 是 482915")
