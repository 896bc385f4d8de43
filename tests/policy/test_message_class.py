"""The class of a message by its port, its template and its text (R10, R11, R22)."""

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.filings import TemplateKind
from gateway.domain.sender import Port, Purpose
from gateway.filter.facts import TextFacts
from gateway.policy.message_class import ClassedBy, MessageClass, class_of

COMMERCIAL, VERIFICATION, SERVICE, PUBLIC_INTEREST = (
    TrafficClass.COMMERCIAL,
    TrafficClass.VERIFICATION,
    TrafficClass.SERVICE,
    TrafficClass.PUBLIC_INTEREST,
)
MARKETING = Port("10690001", purpose=Purpose.MARKETING)
CODES_AND_ADVERTS = Port("10690001", purpose=Purpose.VERIFICATION, others=(Purpose.MARKETING,))
ALL_THREE = Port(
    "10690001",
    purpose=Purpose.VERIFICATION,
    others=(Purpose.SERVICE, Purpose.MARKETING),
)
AUTHORITY = Port("10690001", purpose=Purpose.PUBLIC_INTEREST)
CODE = "【春晓书店】验证码482915，五分钟内有效，请勿泄露"
ADVERT = "【春晓书店】会员日全场八折，拒收请回复R"
PARCEL = "【春晓书店】您的包裹已放入3号柜，取件码8821"
QUIET = "【春晓书店】周末小店有茶，欢迎来坐"


def classed(
    text: str,
    port: Port | None = None,
    template: TemplateKind | None = None,
    *,
    is_approved: bool = False,
    is_selling_name: bool = False,
) -> MessageClass:
    return class_of(
        port,
        template,
        TextFacts((), [text]),
        is_approved=is_approved,
        is_selling_name=is_selling_name,
    )


def test_r22_a_code_is_one_from_a_port_for_marketing_too() -> None:
    assert classed(CODE, MARKETING) == (VERIFICATION, ClassedBy.TEXT)


@pytest.mark.parametrize(
    "text",
    [
        f"{CODE}。办卡享免息额度5万元，回T退订",
        "【春晓书店】验证码482915，看书到 https://chunxiao-books.com/k",
        "【春晓书店】验证码482915，凭码到店加微信 chunxiao88",
        f"{CODE}，{'书香满屋，' * 40}",
    ],
)
def test_r10_a_code_that_leads_elsewhere_is_an_advert_from_there(text: str) -> None:
    assert classed(text, MARKETING).traffic is COMMERCIAL


def test_what_else_a_port_for_marketing_sends_is_commercial() -> None:
    assert classed(PARCEL, MARKETING) == (COMMERCIAL, ClassedBy.PORT)


@pytest.mark.parametrize(
    ("text", "traffic"), [(CODE, VERIFICATION), (PARCEL, SERVICE), (ADVERT, COMMERCIAL)]
)
def test_of_a_port_with_several_purposes_the_text_tells_the_class(
    text: str, traffic: TrafficClass
) -> None:
    assert classed(text, ALL_THREE) == (traffic, ClassedBy.TEXT)


def test_and_before_the_text_its_template_does() -> None:
    marketing, codes = TemplateKind.COMMERCIAL, TemplateKind.VERIFICATION

    assert classed(QUIET, ALL_THREE, marketing) == (COMMERCIAL, ClassedBy.TEMPLATE)
    assert classed(CODE, CODES_AND_ADVERTS, codes) == (VERIFICATION, ClassedBy.TEMPLATE)
    assert classed(QUIET, CODES_AND_ADVERTS, TemplateKind.SERVICE) == (SERVICE, ClassedBy.TEMPLATE)


def test_r10_promotion_in_a_template_for_service_is_promotion() -> None:
    assert classed(ADVERT, ALL_THREE, TemplateKind.SERVICE) == (COMMERCIAL, ClassedBy.TEXT)


def test_a_text_that_shows_none_of_the_ports_purposes_is_of_the_strongest() -> None:
    assert classed(QUIET, CODES_AND_ADVERTS) == (COMMERCIAL, ClassedBy.PORT)


def test_a_port_that_is_nobodys_declares_nothing() -> None:
    assert classed(QUIET) == (SERVICE, ClassedBy.TEXT)
    assert classed(QUIET, template=TemplateKind.COMMERCIAL) == (COMMERCIAL, ClassedBy.TEMPLATE)


def test_a_template_makes_the_class_of_one_purpose_stronger_only() -> None:
    codes = Port("10690001", purpose=Purpose.VERIFICATION)

    assert classed(QUIET, codes, TemplateKind.SERVICE) == (VERIFICATION, ClassedBy.PORT)
    assert classed(QUIET, codes, TemplateKind.COMMERCIAL) == (COMMERCIAL, ClassedBy.TEMPLATE)


def test_r11_an_authority_that_advertises_is_not_exempt() -> None:
    for advert in (ADVERT, "【市气象台】防汛专用雨衣全场五折", "【市气象台】防汛讲座，退订回T"):
        assert classed(advert, AUTHORITY, is_approved=True) == (COMMERCIAL, ClassedBy.TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "【市气象台】今夜到明天有大暴雨，请勿外出",
        "【市疾控】免费接种流感疫苗，优惠名额有限，六十岁以上居民请到社区预约",
        "【市应急局】受灾居民可到街道免费领取帐篷和饮用水",
    ],
)
def test_r11_what_an_authority_gives_away_is_no_advert(text: str) -> None:
    approval = (PUBLIC_INTEREST, ClassedBy.APPROVAL)

    assert classed(text, AUTHORITY, is_approved=True) == approval


def test_a_name_that_sells_and_is_not_on_file_makes_a_text_commercial() -> None:
    assert classed(QUIET, is_selling_name=True) == (COMMERCIAL, ClassedBy.NAME)
