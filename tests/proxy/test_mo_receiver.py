"""Whatever an SMSC delivers is read without a fault, and only little is withheld from the SP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.attention import SubscriberMessage
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Plane
from gateway.domain.subscription import Cycle, Hub, Service, Terms
from gateway.policy.bundle import Bundle
from gateway.policy.knowledge import Knowledge
from gateway.policy.replies import meaning_of
from gateway.policy.ruleset import RuleSet
from gateway.proxy.consent_book import MoReceiver
from gateway.runtime.clock import utcnow
from gateway.session.operations import Side
from gateway.systems.subscriptions.model import Catalogue
from simulators import builders

SUBSCRIBER, PORT, HUB = "13800138000", "10690001", "10086"
TERMS = Terms("sp1", "天气", PORT, 500, Cycle.MONTH)
CATALOGUE = Catalogue([Service("sp1", "weather", TERMS, ("DY天气",))])


def hearing() -> MoReceiver:
    plane = Plane(
        rules=RuleSet(Bundle("test", "0123456789ab"), (), Knowledge()),
        pdu_octets=70_000,
        deliver_window=10,
        response_s=30,
        next_id=int,
        hub=Hub(frozenset({HUB})),
    )
    return MoReceiver(plane, lambda: CATALOGUE)


def link() -> Link:
    link = Link(1, Side.SMSC, 10, 0.0)
    link.system_id = "sp1"
    return link


def delivery(text: str, to: str = PORT, source: str = SUBSCRIBER, esm_class: int = 0) -> bytes:
    return builders.deliver_sm(
        source, to, builders.ucs2(text), data_coding=8, esm_class=esm_class, sequence=1
    )


def has_room(_msisdn: int) -> bool:
    return True


def has_no_room(_msisdn: int) -> bool:
    return False


HEARING = hearing()


@pytest.mark.parametrize("text", ["0000", "００００", "QX2", "2", "1,3", "取消 2", "第2项", "99"])
def test_r33_what_may_be_about_a_list_is_withheld(text: str) -> None:
    assert HEARING.withholds(delivery(text), "sp1", has_room)


@pytest.mark.parametrize(
    "text", ["是", "DY天气", "您好，我的订单2还没到", "验证码没收到", "R", "LJ", "HF", ""]
)
def test_what_a_subscriber_tells_the_sp_is_not_withheld(text: str) -> None:
    assert not HEARING.withholds(delivery(text), "sp1", has_room)


@pytest.mark.parametrize("text", ["TD", "00000", "TD天气", "please stop texting me"])
def test_r31_what_may_be_a_refusal_is_withheld_until_it_is_committed(text: str) -> None:
    assert HEARING.withholds(delivery(text), "sp1", has_room)


@pytest.mark.parametrize("text", ["0000", "00000", "是", "屏蔽 房产", "查拦截", "FX 1", "TD", "2"])
def test_r33_what_is_written_to_the_hub_is_withheld(text: str) -> None:
    assert HEARING.withholds(delivery(text, HUB), "sp1", has_room)


@pytest.mark.parametrize("text", ["你好", "HELP"])
def test_what_means_nothing_to_the_hub_is_not_withheld(text: str) -> None:
    assert not HEARING.withholds(delivery(text, HUB), "sp1", has_room)


@pytest.mark.parametrize("text", ["TD", "00000", "TD天气", "是"])
def test_what_there_is_no_room_for_is_withheld_so_that_the_smsc_may_keep_it(text: str) -> None:
    assert HEARING.withholds(delivery(text), "sp1", has_no_room)


@pytest.mark.parametrize("text", ["您好，我的订单2还没到", "HELP", ""])
def test_talk_is_not_withheld_though_there_is_no_room(text: str) -> None:
    assert not HEARING.withholds(delivery(text), "sp1", has_no_room)


def test_receipts_and_what_no_subscriber_sent_are_never_withheld() -> None:
    assert not HEARING.withholds(delivery("0000", esm_class=0x04), "sp1", has_room)
    assert not HEARING.withholds(delivery("0000", source="INFO"), "sp1", has_room)


@pytest.mark.parametrize(
    ("text", "may_matter"),
    [("dy 天气", True), ("是", True), ("TD", True), ("天气真好", False), ("HELP", False)],
)
def test_talk_between_subscriber_and_sp_does_not_matter(text: str, *, may_matter: bool) -> None:
    heard = HEARING.hear(SubscriberMessage(link(), delivery(text), "sp1"), utcnow())

    assert heard is not None
    assert heard.may_matter is may_matter


@pytest.mark.parametrize(
    ("text", "is_ambiguous"),
    [("TD", False), ("00000", False), ("HF", False), ("TD天气", True), ("TD2", True), ("1", True)],
)
def test_r31_a_plain_refusal_needs_nothing_that_is_on_record(
    text: str, *, is_ambiguous: bool
) -> None:
    heard = HEARING.hear(SubscriberMessage(link(), delivery(text), "sp1"), utcnow())

    assert heard is not None
    assert heard.is_ambiguous is is_ambiguous


@given(
    st.one_of(
        st.text(max_size=30),
        st.lists(
            st.sampled_from(
                ["TD", "QX", "退订", "2", "1,3", "是", "否", "天气", "0000", "谢谢", " "]
            ),
            max_size=5,
        ).map("".join),
    )
)
def test_what_a_text_means_by_itself_is_the_same_however_it_was_found(text: str) -> None:
    heard = HEARING.hear(SubscriberMessage(link(), delivery(text), "sp1"), utcnow())

    assert heard is not None
    assert heard.alone == meaning_of(heard.word.text)


@given(st.binary(max_size=120))
def test_any_octets_are_read_without_a_fault(octets: bytes) -> None:
    pdu = delivery("0000")[:16] + octets

    assert HEARING.withholds(pdu, "sp1", has_room) in {True, False}
    HEARING.hear(SubscriberMessage(link(), pdu, "sp1"), utcnow())


@given(st.text(max_size=70), st.sampled_from([PORT, HUB]), st.integers(0, 255))
def test_any_text_is_read_without_a_fault(text: str, to: str, data_coding: int) -> None:
    octets = text.encode("utf-16-be", "surrogatepass")[:140]
    pdu = builders.deliver_sm(SUBSCRIBER, to, octets, data_coding=data_coding, sequence=1)

    assert HEARING.withholds(pdu, "sp1", has_room) in {True, False}
    heard = HEARING.hear(SubscriberMessage(link(), pdu, "sp1"), utcnow())
    assert heard is None or heard.word.port == to


@pytest.mark.parametrize(
    ("source", "ton", "msisdn", "other"),
    [
        ("13823456789", 1, 8613823456789, 13823456789),  # many an SMSC calls all international
        ("13823456789", 0, 8613823456789, None),
        ("13823456789", 2, 8613823456789, None),
        ("+14155550123", 0, 14155550123, 8614155550123),
        ("12125550123", 1, 12125550123, 8612125550123),  # no mainland mobile begins with 12
    ],
)
def test_r31_digits_that_may_be_two_subscribers_are_heard_as_both_where_their_type_says_so(
    source: str, ton: int, msisdn: int, other: int | None
) -> None:
    octets = bytearray(delivery("TD", source=source))
    octets[17] = ton  # source_addr_ton, behind the header and an empty service_type

    heard = HEARING.hear(
        SubscriberMessage(link(), bytes(octets), "sp1", is_withheld=False), utcnow()
    )

    assert heard is not None
    assert (heard.word.msisdn, heard.word.other_msisdn) == (msisdn, other)


def test_a_word_to_a_port_of_unknown_owner_refuses_nobody_but_one_to_the_hub_is_heard() -> None:
    on_own_bind = SubscriberMessage(link(), delivery("TD"), "")
    to_hub = SubscriberMessage(link(), delivery("TD", HUB), "")

    heard = HEARING.hear(to_hub, utcnow())

    assert HEARING.hear(on_own_bind, utcnow()) is None
    assert heard is not None
    assert heard.word.is_hub
