"""Which words senders advertise to opt out with, and that replies are handed over."""

from dataclasses import replace

import pytest

from gateway.dataplane.attention import SubscriberMessage
from gateway.dataplane.plane import Hints
from gateway.domain.policy import RepliesRule
from gateway.domain.sender import Port, Purpose
from simulators import builders
from tests.dataplane.conftest import (
    BUNDLE,
    NOTED,
    PORT,
    SPAM,
    SUBSCRIBER,
    World,
    advert,
    long_advert,
    sender,
    sent,
    smsc,
)

HEARING = replace(BUNDLE, replies=RepliesRule("已退订", "已恢复"))
ADVERT = "【示例商城】全场八折，拒收请回复R"
CODES = "10690002"


@pytest.fixture
def hearing() -> World:
    ports = (Port(PORT, 4, Purpose.MARKETING), Port(CODES, 0, Purpose.VERIFICATION))
    both = tuple(sender(one, ports=ports) for one in ("sp1", "sp2"))
    return World(bundle=HEARING, senders=both)


def test_the_latest_hint_of_a_sender_comes_first_and_each_once() -> None:
    hints = Hints()
    for token in ("R", "TD", "R"):
        hints.note("sp1", PORT, token)

    assert hints.of("sp1", PORT) == ("R", "TD")
    assert hints.of("sp2", PORT) == ()


def test_a_port_is_to_be_stored_again_once_it_offers_a_new_word() -> None:
    hints = Hints()
    hints.load([("sp1", PORT, "R"), ("sp1", PORT, "TD"), ("sp2", PORT, "N")])

    for token in ("R", "TD"):
        hints.note("sp1", PORT, token)
    known = set(hints.unkept)
    hints.note("sp2", PORT, "T")

    assert (hints.of("sp1", PORT), hints.of("sp2", PORT)) == (("TD", "R"), ("T", "N"))
    assert (known, hints.unkept) == (set(), {("sp2", PORT)})


def test_r31_a_word_counts_at_the_port_that_offered_it(hearing: World) -> None:
    vote = "【示例商城】您对服务满意吗，满意请回R"

    hearing.submit(hearing.session(), advert(ADVERT), advert(vote, 2, source=CODES))

    assert hearing.plane.hints.of("sp1", PORT) == ("R",)
    assert hearing.plane.hints.of("sp1", CODES) == ()


def test_r31_two_ports_that_send_the_same_text_have_both_offered_its_word(hearing: World) -> None:
    hearing.submit(hearing.session(), advert(ADVERT), advert(ADVERT, 2, source=CODES))
    hearing.submit(hearing.session(), advert(ADVERT, 3), advert(ADVERT, 4, source=CODES))

    assert hearing.plane.hints.of("sp1", PORT) == ("R",)
    assert hearing.plane.hints.of("sp1", CODES) == ("R",)


def test_a_sender_that_invents_words_pushes_out_its_own() -> None:
    hints = Hints()
    for number in range(40):
        hints.note("sp1", PORT, f"W{number}")

    assert len(hints.of("sp1", PORT)) == 32
    assert "W0" not in hints.of("sp1", PORT)


def test_a_word_that_was_pushed_out_counts_again_when_its_text_is_sent_again(
    hearing: World,
) -> None:
    session = hearing.session()
    hearing.submit(session, advert(ADVERT))
    for number in range(32):
        hearing.submit(session, advert(f"【示例商城】全场八折，拒收请回复A{number}"))
    assert "R" not in hearing.plane.hints.of("sp1", PORT)

    hearing.submit(session, advert(ADVERT))

    assert hearing.plane.hints.of("sp1", PORT)[0] == "R"


@pytest.mark.parametrize(
    "pdus",
    [[advert(ADVERT)], [advert(ADVERT), advert(ADVERT, 2)], long_advert(["【示例商城】", ADVERT])],
    ids=["once", "twice in a tick", "in parts"],
)
def test_what_a_clean_text_advertises_is_remembered(hearing: World, pdus: list[bytes]) -> None:
    hearing.submit(hearing.session(), *pdus)

    assert hearing.plane.hints.of("sp1", PORT) == ("R",)
    assert hearing.plane.hints.of("sp2", PORT) == ()


def test_a_text_that_another_sender_sent_before_teaches_as_well(hearing: World) -> None:
    hearing.submit(hearing.session("sp2"), advert(ADVERT))

    hearing.submit(hearing.session("sp1"), advert(ADVERT))

    assert hearing.plane.hints.of("sp1", PORT) == ("R",)


@pytest.mark.parametrize("text", ["您的验证码是482915", f"{SPAM}，拒收请回复R"])
def test_no_hint_and_a_text_that_was_stopped_teach_nothing(hearing: World, text: str) -> None:
    hearing.submit(hearing.session(), advert(text), *long_advert([text], 2))

    assert hearing.plane.hints.of("sp1", PORT) == ()


def test_a_text_that_a_list_only_records_teaches_as_well(hearing: World) -> None:
    hearing.submit(hearing.session(), advert(f"{NOTED}，拒收请回复R"))

    assert hearing.plane.hints.of("sp1", PORT) == ("R",)


def test_hints_are_not_looked_for_when_nobody_hears_replies(world: World) -> None:
    world.submit(world.session(), advert(ADVERT))

    assert world.plane.hints.of("sp1", PORT) == ()


@pytest.mark.parametrize("is_watched", [False, True])
def test_a_reply_is_handed_over_beside_its_way_to_the_sp(
    hearing: World,
    is_watched: bool,  # noqa: FBT001 - a parameter
) -> None:
    session = hearing.session()
    if is_watched:
        hearing.plane.watched.add("sp1")
    pdu = builders.deliver_sm(SUBSCRIBER, PORT, b"TD", data_coding=0, sequence=5)

    batch = hearing.resp(smsc(session), pdu)

    assert batch.attention[-1] == SubscriberMessage(smsc(session), pdu, "sp1")
    assert bool(sent(batch, session)) is not is_watched
