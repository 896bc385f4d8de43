"""Parts are read each by itself, and joined as one phone would join them."""

import pytest

from gateway.dataplane.parts import PartTexts, joined_texts, part_texts
from gateway.smpp import gsm0338
from gateway.smpp.gsm0338 import Shift
from tests.septets import pack


def test_texts_are_joined_meaning_by_meaning() -> None:
    one = PartTexts("a", ("a", "A"))
    other = PartTexts("b", ("b", "B", "ß"))
    last = PartTexts("c", ("c",))

    assert list(joined_texts([one], other, [last], 9)) == ["abc", "abc", "ABc", "Aßc"]


def test_packed_texts_are_joined_with_what_3gpp_reads_of_the_others() -> None:
    packed = PartTexts("x", ("x", "X"), "packed")
    plain = PartTexts("y", ("y", "Y"))

    assert list(joined_texts([], packed, [plain], 9))[-1] == "packedY"
    assert list(joined_texts([plain], packed, [packed], 2))[-1] == "Ypackedpa"


def test_no_more_of_the_neighbours_is_read_than_they_may_reach() -> None:
    long = PartTexts("abcdef", ("abcdef",))

    assert set(joined_texts([long], PartTexts("-", ("-",)), [long], 2)) == {"ef-ab"}


@pytest.mark.parametrize("packed", [None, "fedcba"])
def test_a_span_is_taken_of_each_text(packed: str | None) -> None:
    texts = PartTexts("abcdef", ("abcdef", "ABCDEF"), packed)

    head, tail = texts.within(slice(2)), texts.within(slice(-2, None))

    assert head == PartTexts("ab", ("ab", "AB"), packed and "fe")
    assert tail == PartTexts("ef", ("ef", "EF"), packed and "ba")


def test_what_texts_cost_grows_with_their_number() -> None:
    plain, hidden = (part_texts(octets, 0, "text") for octets in (b"text", b"te\xf8t"))

    assert plain.cost_octets == 16
    assert hidden.cost_octets > 2 * plain.cost_octets


def test_a_part_is_read_by_the_tables_of_its_header() -> None:
    texts = part_texts(b"\x40\x52", 0, "", shift=Shift(6, 0))

    assert texts.as_meant(0) == texts.as_meant(1) == "बी"
    assert texts.packed is not None
    assert part_texts(b"plain", 0, "").packed is None
    packed = pack(gsm0338.encode("packed text as it came")[:15]) + b"\x00"
    assert part_texts(packed, 0, "").as_packed().startswith("packed text as ")
    assert part_texts(packed, 3, "").packed is None


def test_parts_are_joined_as_little_endian_where_one_of_them_may_be() -> None:
    plain = part_texts("您好".encode("utf-16-be"), 8, "您好")
    exchanged = part_texts("Привет".encode("utf-16-le"), 8, "")
    latin = part_texts(b"now", 0, "now")

    assert not plain.may_be_little_endian
    assert not latin.may_be_little_endian
    assert "您好您好" in set(joined_texts([plain], plain, [], 9))
    assert len(set(joined_texts([plain], plain, [], 9))) == 1
    assert "ПриветПривет" in joined_texts([exchanged], exchanged, [], 9)
    assert "ветnow" in joined_texts([exchanged.within(slice(-3, None))], latin, [], 9)
