"""Where evidence stands in a text, through disguises; octets of a PDU without anybody's number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.held_evidence import (
    MAX_DUMPED_OCTETS,
    citations_of,
    evidence_places,
    judged_first,
    octet_dump,
)
from gateway.domain.policy import KeywordList, ListAction
from gateway.policy.bundle import Bundle
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import SmeAddress, Tag, Tlv
from gateway.smpp.pdu import make
from simulators.builders import submit_sm, ucs2

NUMBER = "13800138000"
DIGITS = NUMBER.encode().hex(" ")


@pytest.mark.parametrize(
    ("text", "reason", "evidence", "marked"),
    [
        ("低息贷款，当天放款", "CONTENT", "贷款", ["贷款"]),
        ("低息贷\u200b款，代-开 发.票", "CONTENT", "贷款; 代开发票", ["贷\u200b款", "代-开 发.票"]),
        ("低息貸欵", "CONTENT", "贷款", ["貸欵"]),
        ("黑户也能当天放款", "CONTENT", "黑户…放款 (1-8)", ["黑户", "放款"]),
        ("代开发piao", "CONTENT", "发票", ["发piao"]),
        ("贷款贷款", "CONTENT", "贷款", ["贷款", "贷款"]),
        ("没有这个词", "CONTENT", "贷款; ；", []),
        (
            "点 http://1cbc.top/x 领",
            "BAD_LINK",
            "a link made to be taken for icbc",
            ["http://1cbc.top/x"],
        ),
        ("加薇❤信：abc_123", "CONTACT_GIVEN", "asks to come to: wechat", ["abc_123"]),
        ("【工啇银行】您好", "IMPOSTOR", "a signature made to be taken for", ["【工啇银行】"]),
        ("您好【工啇银行】", "SIG_UNKNOWN", "", ["【工啇银行】"]),
        ("您好", "IMPOSTOR", "", []),
        ("贷款", "SUSPICIOUS", "93 % likely spam", []),
    ],
)
def test_evidence_is_found_where_it_stands(
    text: str, reason: str, evidence: str, marked: list[str]
) -> None:
    places = evidence_places(text, reason, evidence)

    assert [text[start:end] for start, end in sorted(places)] == marked


@given(
    st.text(max_size=60), st.text(max_size=12), st.sampled_from(["CONTENT", "BAD_LINK", "IMPOSTOR"])
)
def test_places_lie_within_any_text(text: str, evidence: str, reason: str) -> None:
    for start, end in evidence_places(text, reason, evidence):
        assert 0 <= start < end <= len(text)


def dumped(pdu: bytes) -> tuple[str, str]:
    dump = octet_dump(pdu)
    return " ".join(row.digits for row in dump.rows), "".join(row.ascii for row in dump.rows)


def test_octets_stand_in_rows_with_their_fields() -> None:
    pdu = submit_sm("10690001", NUMBER, ucs2("贷款"))

    dump = octet_dump(pdu)

    assert [row.offset for row in dump.rows] == [*range(0, len(pdu), 16)]
    assert dump.rows[0].digits == pdu[:16].hex(" ")
    assert dict(dump.fields)["short_message"] == (len(pdu) - 5, len(pdu))
    assert dumped(pdu)[0].endswith("04 8d 37 6b 3e")
    assert "10690001" in dumped(pdu)[1]
    assert dump.left == 0


@pytest.mark.parametrize(
    "text",
    [
        NUMBER.encode(),
        b"call 138-0013-8000",
        ucs2(NUMBER),
        ucs2("１３８００１３８０００"),
        ucs2("一三八零零一三八零零零"),
        "一三八零零一三八零零零".encode("gb18030"),
        b"x" + ucs2("一三八零零一三八零零零"),
    ],
)
def test_r73_no_number_of_a_text_is_whole_in_its_octets(text: bytes) -> None:
    pdu = submit_sm("10690001", NUMBER, text)

    digits, shown = dumped(pdu)

    start = len(pdu) - len(text)
    middle = pdu[start:].hex(" ")
    assert DIGITS not in digits
    assert NUMBER not in shown
    assert middle not in digits
    assert digits.count("**") >= 15  # the address, and four figures of the text


def test_r73_packed_septets_with_a_number_are_hidden_as_a_whole() -> None:
    packed = bytes.fromhex("31d98c56b3dd70b15c6c06")  # 1234567812345678 in seven bits each
    pdu = submit_sm("10690001", NUMBER, packed, data_coding=0)

    digits, _ = dumped(pdu)

    assert packed.hex(" ") not in digits


def test_r73_the_addresses_of_people_are_hidden() -> None:
    to_many = make(
        CommandId.SUBMIT_MULTI,
        1,
        source_addr=NUMBER.encode(),
        dest_address=(SmeAddress(1, 1, b"13800138001"),),
        tlvs=[Tlv(Tag.CALLBACK_NUM, b"\x01\x01\x01\x01\x03\x08\x02\x02\x05")],
        short_message=b"hello",
    )

    digits, shown = dumped(to_many)

    assert "1380013800" not in shown
    assert "01 03 08 02 02" not in digits
    assert "hello" in shown


@pytest.mark.parametrize(
    "pdu", [b"", b"\0" * 7, submit_sm("1", NUMBER, b"x")[:-2] + NUMBER.encode()]
)
def test_r73_what_cannot_be_taken_apart_is_hidden_behind_its_header(pdu: bytes) -> None:
    digits, _ = dumped(pdu)

    assert set(digits.split()[16:]) <= {"**"}


@given(st.binary(max_size=300))
def test_any_octets_can_be_dumped(pdu: bytes) -> None:
    dump = octet_dump(pdu)

    assert sum(len(row.ascii) for row in dump.rows) == len(pdu)


def test_a_very_long_request_is_cut_and_says_so() -> None:
    pdu = make(CommandId.DATA_SM, 1, tlvs=[Tlv(Tag.MESSAGE_PAYLOAD, b"x" * 60_000)])

    dump = octet_dump(pdu)

    assert len(dump.rows) == MAX_DUMPED_OCTETS // 16
    assert dump.left == len(pdu) - MAX_DUMPED_OCTETS


def test_lists_and_what_is_always_enforced_have_their_article() -> None:
    words = KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("贷款",))
    cited = citations_of(Bundle("b", "0", keyword_lists=(words,)))

    assert cited["K-LOAN"].en == "The word list loan"
    assert "2015" in cited["K-LOAN"].article
    assert "2004" in cited["R02"].article


def test_the_reading_with_the_evidence_comes_first() -> None:
    texts = ("_iyh", "§iyh", "彩票")

    assert judged_first(texts, "CONTENT", "彩票") == ("彩票", "_iyh", "§iyh")
    assert judged_first(texts, "CONTENT", "贷款") == texts
    assert judged_first(("贷款", "彩票"), "CONTENT", "贷款") == ("贷款", "彩票")
    assert judged_first(("",), "SUSPICIOUS", "") == ("",)
