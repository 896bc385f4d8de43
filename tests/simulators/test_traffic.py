import unicodedata
from itertools import count, islice

import pytest

from simulators import wire
from simulators.builders import SEGMENT_OCTETS, UDH_INDICATOR, ucs2
from simulators.smsc.witness import agrees
from simulators.traffic import (
    EVASIONS,
    OPTED_OUT,
    PERSONAS,
    SPAM_PHRASES,
    PersonaName,
    Submission,
    persona_messages,
)

MANY = 800


def messages_of(name: str, seed: int = 1) -> list[Submission]:
    return list(islice(persona_messages(name, seed), MANY))


def as_a_handset_shows(submission: Submission) -> str:
    head = 6 if submission.esm_class & UDH_INDICATOR else 0
    octets = b"".join(part[head:] for part in submission.parts)
    if submission.data_coding == 15:
        return octets.decode("gbk")
    if submission.kind == "little_endian":
        return octets.decode("utf-16-le")
    return octets.decode("utf-16-be")


def bare(text: str) -> str:
    return "".join(
        one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one)[0] in "LN"
    )


@pytest.mark.parametrize("name", list(PersonaName))
def test_a_seed_gives_the_same_messages_again(name: PersonaName) -> None:
    assert messages_of(name) == messages_of(name)
    assert messages_of(name) != messages_of(name, seed=2)


@pytest.mark.parametrize("name", list(PersonaName))
def test_every_message_can_be_sent_as_it_is(name: PersonaName) -> None:
    sequence = count(1)

    for submission in messages_of(name):
        pdus = submission.pdus(lambda: next(sequence))
        assert [wire.read_message(pdu).octets for pdu in pdus] == list(submission.parts)
        assert all(agrees(pdu, wire.read_message(pdu)) for pdu in pdus)
        assert all(0 < len(part) <= SEGMENT_OCTETS for part in submission.parts)
        assert "{" not in submission.text


@pytest.mark.parametrize("name", ["bank", "retailer"])
def test_honest_senders_show_what_they_send_from_ports_they_own(name: str) -> None:
    ports = PERSONAS[PersonaName(name)].ports

    for submission in messages_of(name):
        assert as_a_handset_shows(submission) == submission.text
        assert any(
            submission.source.startswith(port.number)
            and len(submission.source) <= len(port.number) + port.extension_digits
            for port in ports
        )
        assert not any(phrase in submission.text for phrase in SPAM_PHRASES)


def test_the_bank_sends_codes_and_notices_and_wants_receipts() -> None:
    messages = messages_of("bank")

    assert {one.kind for one in messages} == {"code", "notice"}
    assert {one.registered_delivery for one in messages} == {1}
    assert all("码" in one.text for one in messages if one.kind == "code")


def test_the_retailer_signs_offers_a_way_out_and_writes_to_some_who_took_it() -> None:
    adverts = [one for one in messages_of("retailer") if one.kind != "order"]

    for advert in adverts:
        assert advert.text.startswith("【青禾生活】")
        assert advert.text.endswith("拒收请回复R")
        assert (advert.kind == "advert_refused") == (advert.destination in OPTED_OUT)
    assert {one.kind for one in adverts} == {"advert", "advert_refused"}
    assert {len(one.parts) for one in adverts} == {1, 2}


def test_the_spammer_uses_every_evasion_and_sounds_innocent_at_times() -> None:
    assert {one.kind for one in messages_of("spammer")} == {*EVASIONS, "spoofed", "innocent"}


def test_a_phrase_is_left_under_every_evasion() -> None:
    for submission in messages_of("spammer"):
        shown = bare(as_a_handset_shows(submission))
        has_phrase = any(phrase in shown for phrase in SPAM_PHRASES)
        assert has_phrase == (submission.kind != "innocent"), submission.kind


@pytest.mark.parametrize("kind", ["zero_width", "spaced", "split", "little_endian", "gbk"])
def test_a_literal_reader_misses_the_phrase(kind: str) -> None:
    submissions = [one for one in messages_of("spammer") if one.kind == kind]

    for submission in submissions:
        for phrase in SPAM_PHRASES:
            assert all(ucs2(phrase) not in part for part in submission.parts)
    assert submissions


def test_other_codings_hide_the_same_octets() -> None:
    hidden = [one for one in messages_of("spammer") if one.kind == "other_coding"]

    assert {one.data_coding for one in hidden} == {0x00, 0x02, 0x03, 0x04, 0x18}
    assert all(one.parts == (ucs2(one.text),) for one in hidden)


def test_spoofing_borrows_a_port_of_the_bank() -> None:
    (bank_service,) = (
        port for port in PERSONAS[PersonaName.BANK].ports if port.purpose == "service"
    )

    for submission in messages_of("spammer"):
        assert submission.source.startswith(bank_service.number) == (submission.kind == "spoofed")
