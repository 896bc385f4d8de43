"""What a handset shows is what is judged, in alphabets and places that few senders use."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.domain.consent import Answer
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.verdict import Reason
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.knowledge import Knowledge
from gateway.smpp.fields import Tag
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    BUNDLE,
    PORT,
    SPAM,
    SUBSCRIBER,
    UDHI,
    World,
    advert,
    decisions,
    rule,
    statuses,
    up,
)
from tests.septets import pack

WORDS = (SPAM, "viagra", "casino", "şans oyunu", "도박사이트", "बीमा ऋण", "казино", "出会い系")
LISTS = (KeywordList("K-WORDS", "words", ListAction.REJECT, WORDS),)
REFUSED = CommandStatus.ESME_RSUBMITFAIL
SYMBOLS = "☀☂☃" * 14
TURKISH, HINDI = b"\x03\x25\x01\x01", b"\x03\x25\x01\x06"
TURKISH_SINGLE = b"\x03\x24\x01\x01"
LOAN = bytes.fromhex("40 52 42 50 20 09 26")  # बीमा ऋण


def world() -> World:
    return World(replace(BUNDLE, keyword_lists=LISTS))


def packed(header: bytes, septets: bytes) -> bytes:
    """Pack septets behind a header, from the next septet on (3GPP TS 23.040, 9.2.3.24)."""
    fill = -8 * len(header) % 7
    octets = pack(septets)
    shifted = int.from_bytes(octets, "little") << fill
    return header + shifted.to_bytes(-(-(7 * len(septets) + fill) // 8), "little")


@pytest.mark.parametrize("data_coding", [0, 1, 0x10, 0xC0, 0xF0])
@pytest.mark.parametrize(
    "octets",
    [
        TURKISH + b"\x1d\x61\x6e\x73 oyunu",
        TURKISH_SINGLE + b"\x1b\x73ans oyunu",
        b"\x06\x25\x01\x01\x24\x01\x01" + b"\x1d\x61\x6e\x73 oyunu",
        b"\x06\x24\x01\x03\x25\x01\x01" + b"\x1d\x61\x6e\x73 oyunu",
        HINDI + LOAN,
        HINDI + bytes(octet | 0x80 for octet in LOAN),
        packed(HINDI, LOAN),
        packed(b"\x06\x25\x01\x06\x24\x01\x06", b"\x01\x02" + LOAN + b"\x01"),
        packed(b"\x09\x05\x04\x00\x50\x00\x50\x24\x01\x01", b"\x1b\x73ans oyunu"),
    ],
    ids=[
        "locking",
        "single",
        "both",
        "mixed",
        "Hindi",
        "high bits",
        "packed",
        "both packed",
        "ports",
    ],
)
def test_a_word_in_a_national_alphabet_is_refused(octets: bytes, data_coding: int) -> None:
    sent = advert(octets=octets, data_coding=data_coding, esm_class=UDHI)

    assert statuses(world(), sent) == [REFUSED]


@pytest.mark.parametrize("element", ["25010e", "2401ff", "250201 01", "2400", "250101 250106"])
def test_a_header_that_names_no_table_is_malformed(element: str) -> None:
    octets = bytes.fromhex(element)
    sent = advert(octets=bytes((len(octets),)) + octets + b"text", data_coding=0, esm_class=UDHI)

    assert statuses(world(), sent) == [CommandStatus.ESME_RINVESMCLASS]


def _long(
    headers: Sequence[bytes], texts: Sequence[bytes], data_codings: Sequence[int]
) -> list[bytes]:
    """Build the parts of a long message, each with elements of its own behind its place."""
    sent = []
    for number, (extra, text, coding) in enumerate(zip(headers, texts, data_codings, strict=True)):
        elements = bytes((0, 3, 7, len(texts), number + 1)) + extra
        octets = bytes((len(elements),)) + elements + text
        sent.append(advert(octets=octets, data_coding=coding, esm_class=UDHI))
    return sent


LOCKED = b"\x25\x01\x06"


@pytest.mark.parametrize("cut", range(1, len(LOAN)))
def test_a_word_in_a_national_alphabet_is_refused_across_parts(cut: int) -> None:
    parts = _long([LOCKED] * 2, [LOAN[:cut], LOAN[cut:]], [0, 0])

    assert statuses(world(), *parts) == [None, REFUSED]
    assert statuses(world(), *reversed(parts)) == [None, REFUSED]


def test_each_part_is_read_by_its_own_tables() -> None:
    beside_another = _long([LOCKED, b"\x25\x01\x01"], [LOAN[:4], LOAN[4:]], [0, 0xF0])
    beside_none = _long([b"", b"\x24\x01\x01", b""], [b"see ", b"\x1b\x73", b"ans oyunu"], [0] * 3)
    of_two_codings = _long([LOCKED, LOCKED, b""], [LOAN[:4], LOAN[4:], b" now"], [0, 0xF0, 3])

    assert statuses(world(), *beside_another) == [None, None]
    assert statuses(world(), *beside_none) == [None, None, REFUSED]
    assert statuses(world(), *of_two_codings)[:2] == [None, REFUSED]


@pytest.mark.parametrize("cut", range(1, len(LOAN)))
def test_packed_parts_are_joined_as_well(cut: int) -> None:
    first, second = (bytes((8, 0, 3, 7, 2, number)) + LOCKED for number in (1, 2))
    octets = (packed(first, LOAN[:cut]), packed(second, LOAN[cut:]))
    parts = [advert(octets=one, data_coding=0, esm_class=UDHI) for one in octets]

    assert statuses(world(), *parts) == [None, REFUSED]


@pytest.mark.parametrize("codings", [(9, 9), (8, 9), (10, 8), (11, 10)])
def test_a_word_is_refused_across_parts_that_3gpp_alone_calls_ucs2(
    codings: tuple[int, int],
) -> None:
    texts = [
        (SYMBOLS + SPAM[:2]).encode("utf-16-be") + b"\x4e",
        (SPAM[2:] + SYMBOLS).encode("utf-16-be"),
    ]

    assert statuses(world(), *_long([b"", b""], texts, codings)) == [None, REFUSED]


def test_a_word_with_high_bits_is_refused_across_parts_of_two_codings() -> None:
    texts = [b"\xa7" * 90 + b"cas\xe9", b"no" + b"\xa7" * 90]

    assert statuses(world(), *_long([b"", b""], texts, [0, 1])) == [None, REFUSED]


@pytest.mark.parametrize("data_coding", [8, 9, 0x0A, 0x0B, 0x18, 0x28, 0x48, 0xE0])
def test_symbols_around_a_word_in_ucs2_do_not_hide_it(data_coding: int) -> None:
    octets = (SYMBOLS + SPAM + SYMBOLS).encode("utf-16-be")

    assert statuses(world(), advert(octets=octets, data_coding=data_coding)) == [REFUSED]


@pytest.mark.parametrize(
    ("octets", "data_coding"),
    [
        (b"buy viag\xf2\xe1 today", 0),
        (b"buy " + bytes(letter | 0x80 for letter in b"viagra") + b" today", 0),
        (b"\xa7\xa8 " * 40 + b"v\xe9agra" + b" \xa7\xa8" * 40, 0x10),
        ("도박사이트".encode("euc_kr"), 0x84),
        ("도박사이트".encode("euc_kr"), 0x0E),
        (("※☆★" * 30 + "도박사이트").encode("euc_kr"), 0x84),
        (("§№" * 90 + " казино").encode("iso8859_5"), 6),
        (("◆□" * 60 + "出会い系").encode("shift_jis"), 5),
        (("◆□" * 60 + "出会い系").encode("iso2022_jp"), 10),
        (("◆□" * 60 + "出会い系").encode("euc_jp"), 13),
        (("★○" * 60 + SPAM).encode("gbk"), 0),
    ],
    ids=["two letters", "all", "flash", "84", "0E", "KSC", "8859-5", "SJIS", "2022", "EUC", "GBK"],
)
def test_a_word_in_the_coding_of_the_sender_is_refused(octets: bytes, data_coding: int) -> None:
    assert statuses(world(), advert(octets=octets, data_coding=data_coding)) == [REFUSED]


def tag(data_coding: int, octets: bytes) -> tuple[int, bytes]:
    return Tag.CALLBACK_NUM_ATAG, bytes((data_coding,)) + octets


@pytest.mark.parametrize(
    "tlvs",
    [
        [tag(1, b"casino")],
        [tag(8, SPAM.encode("utf-16-be"))],
        [tag(15, SPAM.encode("gbk"))],
        [tag(0, b"Call us"), tag(4, SPAM.encode("utf-16-be"))],
        [(Tag.CALLBACK_NUM, b"\x01\x00\x00casino")],
    ],
    ids=["ASCII", "UCS-2", "GBK", "the second", "the number"],
)
def test_the_name_of_a_call_back_number_is_judged(tlvs: list[tuple[int, bytes]]) -> None:
    many = builders.submit_multi(PORT, [SUBSCRIBER], builders.ucs2("您好"), tlvs=tlvs)
    data = builders.data_sm(PORT, SUBSCRIBER, builders.ucs2("您好"), tlvs=tlvs)
    empty = advert(octets=b"", tlvs=tlvs)

    for request in (advert("您好", tlvs=tlvs), many, data, empty):
        assert statuses(world(), request) == [REFUSED]


def test_a_call_back_number_and_its_decent_name_pass() -> None:
    tlvs = [(Tag.CALLBACK_NUM, b"\x01\x00\x0113800138000"), tag(1, b"Customer care"), tag(0, b"")]
    digits = [(Tag.CALLBACK_NUM, b"\x00\x00\x01\x01\x0a\x03"), (Tag.CALLBACK_NUM_ATAG, b"")]

    assert statuses(world(), advert("您好", tlvs=tlvs)) == [None]
    assert statuses(world(), advert("您好", tlvs=digits)) == [None]


def test_more_names_than_texts_are_allowed_are_malformed() -> None:
    request = advert("您好", tlvs=[tag(1, b"name")] * 9)

    assert statuses(world(), request) == [CommandStatus.ESME_RINVOPTPARAMVAL]


@pytest.mark.parametrize("prefix", ["860", "+860", "00860", "86", "0", ""])
def test_a_refusal_holds_for_every_spelling_of_the_number(prefix: str) -> None:
    knowledge = Knowledge()
    knowledge.consent.is_current = True
    knowledge.consent.apply(int(f"86{SUBSCRIBER}"), "sp1", Answer.REFUSED)
    refusals = World(replace(BUNDLE, rules=(rule("R21", OptOut()),)), knowledge=knowledge)
    session = refusals.session()

    batch = refusals.submit(session, advert(to=f"{prefix}{SUBSCRIBER}"))

    assert up(batch, session) == []
    assert [row[9] for row in decisions(batch)] == [Reason.OPTED_OUT]


@pytest.mark.parametrize("number", ["868613800138000", "86138001380000", "8600138001380", "86138"])
def test_digits_behind_86_that_are_no_mainland_number_are_no_subscriber(number: str) -> None:
    assert statuses(World(), advert(to=number)) == [CommandStatus.ESME_RINVDSTADR]
