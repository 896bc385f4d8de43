"""What a text shows is the same from its views, and in their place from the text alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import TrafficClass
from gateway.filter.batch_views import views_of
from gateway.filter.facts import TextFacts, VisibleFacts, ends_of, shown_by, shown_in
from gateway.filter.normalise.views import Views

any_text = st.text(st.characters(exclude_categories=()), max_size=40)
_PIECES = """
    【云尚百货】 【全场八折大促】 【退订中心】 【 【】 】 您 的 验证码 482915 code passcode A1b2
    有效 勿泄露 订单 尾号 余额 优惠 活动 红包 限时 八折 满300减30 买一送一 送20元 招商 招商银行
    sale free win 咨询 40080012345 点击 下载 http://a.cn 回T退订 拒收请回复R TD 取消 qx reply
    STOP to opt out unsubscribe 退款 促销 特价 收 退 opt ， 。 ！ - … \u3000 \ufeff \u200b
    \u0301 е ο Ｔ 優惠 驗證碼 促 销
    """
showing = st.lists(st.sampled_from([" ", "\n", *_PIECES.split()]), max_size=14).map("".join)


@given(st.lists(showing | any_text, max_size=4))
def test_a_text_shows_the_same_among_others_as_alone(texts: list[str]) -> None:
    for seen in views_of(texts):
        assert shown_in(seen) == shown_by(seen.raw)
        assert shown_in(Views(seen.raw)) == shown_by(seen.raw)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("您的包裹已放入3号柜", VisibleFacts()),
        ("【春晓书店】全场八折", VisibleFacts(TrafficClass.COMMERCIAL, "春晓书店")),
        ("会员活动，限时优惠【春晓书店】", VisibleFacts(TrafficClass.COMMERCIAL, "春晓书店")),
        ("【特惠商城】您的包裹已到", VisibleFacts(TrafficClass.SERVICE, "特惠商城")),
        ("您的包裹已到【特惠商城】", VisibleFacts(TrafficClass.SERVICE, "特惠商城")),
        ("【 春晓 】限时优惠活动", VisibleFacts(TrafficClass.COMMERCIAL, "春晓")),
        ("【退订中心】已为您办理", VisibleFacts(TrafficClass.SERVICE, "退订中心")),
        ("【春晓书店】回T退订", VisibleFacts(TrafficClass.COMMERCIAL, "春晓书店", "T")),
        ("【春晓书店】您的退款已到账", VisibleFacts(TrafficClass.SERVICE, "春晓书店")),
        ("【春晓书店】验证码482915", VisibleFacts(TrafficClass.VERIFICATION, "春晓书店")),
        (
            "【春晓书店】验证码482915，限时优惠大促",
            VisibleFacts(TrafficClass.COMMERCIAL, "春晓书店"),
        ),
        ("【春晓书店】活动，活动，活动", VisibleFacts(TrafficClass.SERVICE, "春晓书店")),
        ("【春晓书店】活动报名，您的订单余额", VisibleFacts(TrafficClass.SERVICE, "春晓书店")),
        ("限时特价", VisibleFacts(TrafficClass.COMMERCIAL)),
        ("限时…活动", VisibleFacts(TrafficClass.COMMERCIAL)),
        ("【春晓书店", VisibleFacts()),
    ],
)
def test_what_a_text_shows_is_read_from_its_views(text: str, shown: VisibleFacts) -> None:
    (seen,) = views_of([text])

    assert shown_in(seen) == shown
    assert shown_by(text) == shown


def shown_with_and_without_views(text: str) -> VisibleFacts:
    facts, again = TextFacts((), [text]), TextFacts((), [text])
    facts.views = views_of([text])
    assert facts.shown() == again.shown()
    return again.shown()


@pytest.mark.parametrize(
    "filling", [" ", "\n", "。", "\u3164", "。！ ", "好", "ab", "您的订单已发货。"]
)
@pytest.mark.parametrize("before", [0, 1, 2, 30])
def test_r62_no_filling_hides_an_offer_in_an_endless_text(filling: str, before: int) -> None:
    filled = filling * (5_000 // len(filling))
    text = "【云尚百货】" + before * filled + "周年大促" + filled

    assert shown_with_and_without_views(text) == VisibleFacts(TrafficClass.COMMERCIAL, "云尚百货")


@pytest.mark.parametrize("filling", [" ", "\n", "。", "\u3164", "。！ ", "好"])
def test_r62_what_fills_a_text_up_hides_no_hint_in_it(filling: str) -> None:
    text = filling * 5_000 + "全场八折，回T退订" + filling * 5_000 + "谢谢"

    assert shown_with_and_without_views(text) == VisibleFacts(TrafficClass.COMMERCIAL, "", "T")


def test_an_endless_text_without_an_offer_shows_what_its_ends_do() -> None:
    notice = "您的订单已发货，请留意。包裹由顺丰承运，到货后请当面验收。" * 200

    assert shown_with_and_without_views(notice) == VisibleFacts()
    assert shown_with_and_without_views("验证码482915。" + notice).traffic is (
        TrafficClass.VERIFICATION
    )
    assert shown_with_and_without_views(notice + "【春晓书店】").signature == "春晓书店"


@given(st.text(st.characters(exclude_categories=()), max_size=12), st.integers(300, 5_400))
def test_of_an_endless_text_no_more_is_read_than_people_read(piece: str, times: int) -> None:
    assert len(ends_of(piece * times)) <= 4_097
    assert ends_of(piece) == piece
