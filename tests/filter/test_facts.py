"""What a text shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import ListAction
from gateway.filter import facts
from gateway.filter.facts import TextFacts, VisibleFacts
from gateway.filter.keywords.index import Hit

HIT = Hit("K", "fraud", ListAction.REJECT, "发票")
ADVERT = "【春晓书店】会员日全场八折，拒收请回复R"
CODE = "【春晓书店】您的验证码是482915，5分钟内有效"
NEWS = "【春晓书店】您的包裹已放入3号柜"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (ADVERT, VisibleFacts(TrafficClass.COMMERCIAL, "春晓书店", "R")),
        (CODE, VisibleFacts(TrafficClass.VERIFICATION, "春晓书店", "")),
        (NEWS, VisibleFacts(TrafficClass.SERVICE, "春晓书店", "")),
        (
            "您好【全场八折大促】",
            VisibleFacts(TrafficClass.SERVICE, "全场八折大促", "", "全场八折大促"),
        ),
        ("明天见", VisibleFacts(TrafficClass.SERVICE, "", "")),
        ("", VisibleFacts()),
    ],
)
def test_a_text_shows_its_class_its_signature_and_the_word_to_refuse_with(
    text: str, shown: VisibleFacts
) -> None:
    assert TextFacts((), (text,)).shown() == shown


def test_octets_without_a_reading_show_nothing() -> None:
    assert TextFacts((), ()).shown() == VisibleFacts()


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_readings_the_strongest_class_counts(order: int) -> None:
    """Or whoever can make a phone read it otherwise than the gateway chooses the class."""
    shown = TextFacts((), (NEWS, CODE, ADVERT)[::order]).shown()

    assert shown.traffic is TrafficClass.COMMERCIAL


def test_the_likeliest_reading_that_has_one_says_the_signature_and_the_word() -> None:
    readings = ("五折 TD退订", "【云尚百货】八折 拒收请回复R", "【安康药房】")

    shown = TextFacts((), readings).shown()

    assert (shown.signature, shown.advertised) == ("云尚百货", "TD")


def test_what_a_text_shows_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one = TextFacts((), (ADVERT,))
    first = one.shown()
    monkeypatch.setattr(facts, "shown_by", lambda _: pytest.fail("asked again"))

    assert one.shown() is first


def test_nothing_is_worked_out_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "shown_by", lambda _: pytest.fail("asked"))

    one = TextFacts((HIT,), (ADVERT,))

    assert one.texts == (ADVERT,)


def test_a_text_without_a_hit_has_no_findings_and_one_with_a_hit_is_to_be_asked() -> None:
    assert TextFacts((), (ADVERT,)).findings == ()
    assert TextFacts((HIT,), (ADVERT,)).findings is None


def test_a_text_is_whole_unless_told_otherwise() -> None:
    assert TextFacts((), (ADVERT,)).is_whole
    assert not TextFacts((), (ADVERT,), is_whole=False).is_whole


@given(st.lists(st.text(max_size=80), max_size=3))
def test_any_readings_show_something(texts: list[str]) -> None:
    shown = TextFacts((), texts).shown()

    assert shown.traffic is not TrafficClass.PUBLIC_INTEREST


@pytest.mark.parametrize("order", [1, -1])
def test_r38_a_number_to_call_in_one_reading_is_one(order: int) -> None:
    one = TextFacts((), (ADVERT, f"{ADVERT}，电话400-820-8820")[::order])

    assert one.names_telephone()
    assert one.names_telephone()
    assert not TextFacts((), (ADVERT,)).names_telephone()
    assert not TextFacts((), ()).names_telephone()


def test_links_and_contacts_of_all_readings_are_found_once() -> None:
    one = TextFacts((), ("请看 evil.com/x", "客服QQ：1234567"))

    assert [link.host for link in one.links()] == ["evil.com"]
    assert [contact.kind for contact in one.contacts()] == ["qq"]
    assert one.links() is one.links()
    assert one.contacts() is one.contacts()
    assert (one.scored, one.fingerprint, one.is_told, one.pieces) == (None, None, False, ())
