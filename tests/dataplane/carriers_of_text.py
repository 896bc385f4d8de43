"""Every way in which an SP can send a text, for the matrix of what must not get round a rule."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.smpp import gsm0338
from gateway.smpp.fields import Tag
from simulators import builders
from tests.dataplane.conftest import PORT, SUBSCRIBER, UDHI, advert, long_advert, udh
from tests.septets import pack

# Within the day that AT lies in, and relative, so that no clock is needed.
IN_AN_HOUR = "000000010000000R"
OTHERS = ("13800138002", "13800138005")


class Kind(StrEnum):
    """What rules tell apart; a carrier of a new kind needs a column in the table."""

    MESSAGE = "one request, one subscriber"
    TWO_TEXTS = "a decent text beside it"
    SCHEDULED = "scheduled"
    MANY = "submit_multi"
    PARTS = "parts"
    CONFLICT = "a part sent again with another text"
    PARTS_TO_MANY = "parts in submit_multi"
    TEXTLESS = "no text"
    REPLACEMENT = "a new text"
    DISGUISED = "a trick with characters"
    NEW_PART = "a new text of a part that nobody knows"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be sent: `decent` is a text that no rule minds, for where there are two."""

    text: str
    decent: str
    source: str = PORT
    to: str = SUBSCRIBER


Build = Callable[[Letter], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class TextCarrier:
    """A way to send a text: its requests in the order of sending.

    `is_latin` where its coding has no Han characters. They are sent one by one, on each of
    `binds` binds in turn, or all in one tick.
    """

    name: str
    kind: Kind
    build: Build
    is_latin: bool = False
    binds: int = 1
    in_one_tick: bool = False


def carriers() -> tuple[TextCarrier, ...]:
    """Return all of them."""
    return (
        *_codings(),
        *_places(),
        *_two_texts(),
        *_to_many(),
        *_replacements(),
        *_parts(),
        *_disguises(),
        TextCarrier("an empty submit_sm", Kind.TEXTLESS, lambda it: [_coded(it, b"")]),
    )


def _coded(it: Letter, octets: bytes, data_coding: int = 8, esm_class: int = 0) -> bytes:
    return advert(
        octets=octets,
        source=it.source,
        to=it.to,
        data_coding=data_coding,
        esm_class=esm_class,
    )


def _packed(text: str) -> bytes:
    return pack(gsm0338.encode(text))


def _codings() -> Iterator[TextCarrier]:
    def utf16(order: str, mark: bytes, data_coding: int = 8) -> Build:
        return lambda it: [_coded(it, mark + it.text.encode(f"utf-16-{order}"), data_coding)]

    def latin(name: str, encode: Callable[[str], bytes], data_coding: int) -> TextCarrier:
        return TextCarrier(
            name, Kind.MESSAGE, lambda it: [_coded(it, encode(it.text), data_coding)], is_latin=True
        )

    yield TextCarrier("UCS-2", Kind.MESSAGE, utf16("be", b""))
    yield TextCarrier("UCS-2 behind its mark", Kind.MESSAGE, utf16("be", b"\xfe\xff"))
    yield TextCarrier("little-endian UCS-2", Kind.MESSAGE, utf16("le", b""))
    yield TextCarrier("little-endian UCS-2 behind its mark", Kind.MESSAGE, utf16("le", b"\xff\xfe"))
    yield TextCarrier("UCS-2 called binary", Kind.MESSAGE, utf16("be", b"", 4))
    yield TextCarrier("UCS-2 called GSM 03.38", Kind.MESSAGE, utf16("be", b"", 0))
    yield TextCarrier("UCS-2 of the flash class", Kind.MESSAGE, utf16("be", b"", 0x18))
    yield TextCarrier("GBK", Kind.MESSAGE, lambda it: [_coded(it, it.text.encode("gbk"), 15)])
    yield latin("GSM 03.38", gsm0338.encode, 0)
    yield latin("packed GSM 03.38", _packed, 0)
    yield latin("Latin-1", lambda text: text.encode("latin-1"), 3)
    yield latin("ASCII called binary", str.encode, 4)


def _places() -> Iterator[TextCarrier]:
    ucs2 = builders.ucs2

    def in_payload(it: Letter) -> list[bytes]:
        return [builders.payload_submit_sm(it.source, it.to, ucs2(it.text))]

    def with_ports(it: Letter) -> list[bytes]:
        return [_coded(it, b"\x06\x05\x04\x00\x50\x00\x50" + ucs2(it.text), esm_class=UDHI)]

    def alone(it: Letter) -> list[bytes]:
        return [_coded(it, udh("udh8", 9, b"\1\1") + ucs2(it.text), esm_class=UDHI)]

    def scheduled(it: Letter) -> list[bytes]:
        return [advert(it.text, source=it.source, to=it.to, schedule=IN_AN_HOUR)]

    def data(it: Letter) -> list[bytes]:
        return [builders.data_sm(it.source, it.to, ucs2(it.text))]

    yield TextCarrier("message_payload", Kind.MESSAGE, in_payload)
    yield TextCarrier("a header with ports", Kind.MESSAGE, with_ports)
    yield TextCarrier("a long message of one part", Kind.MESSAGE, alone)
    yield TextCarrier("data_sm", Kind.MESSAGE, data)
    yield TextCarrier("schedule_delivery_time", Kind.SCHEDULED, scheduled)


def _two_texts() -> Iterator[TextCarrier]:
    ucs2, payload = builders.ucs2, Tag.MESSAGE_PAYLOAD

    def both(first: bool) -> Build:  # noqa: FBT001 - which of the two places has the text
        def build(it: Letter) -> list[bytes]:
            texts = (it.text, it.decent) if first else (it.decent, it.text)
            short, long = map(ucs2, texts)
            return [builders.payload_submit_sm(it.source, it.to, long, short_message=short)]

        return build

    def two_payloads(it: Letter) -> list[bytes]:
        tlvs = [(payload, ucs2(it.decent)), (payload, ucs2(it.text))]
        return [advert(octets=b"", source=it.source, to=it.to, tlvs=tlvs)]

    def second_of_data(it: Letter) -> list[bytes]:
        tlvs = [(payload, ucs2(it.text))]
        return [builders.data_sm(it.source, it.to, ucs2(it.decent), tlvs=tlvs)]

    def multi(it: Letter) -> list[bytes]:
        tlvs = [(payload, ucs2(it.text))]
        return [builders.submit_multi(it.source, [it.to], ucs2(it.decent), tlvs=tlvs)]

    yield TextCarrier("short_message beside a payload", Kind.TWO_TEXTS, both(first=True))
    yield TextCarrier("message_payload beside a short one", Kind.TWO_TEXTS, both(first=False))
    yield TextCarrier("the second of two payloads", Kind.TWO_TEXTS, two_payloads)
    yield TextCarrier("the second payload of a data_sm", Kind.TWO_TEXTS, second_of_data)
    yield TextCarrier("the payload of a submit_multi beside a short one", Kind.TWO_TEXTS, multi)


def _to_many() -> Iterator[TextCarrier]:
    def multi(others: tuple[str, ...] = (), *, in_payload: bool = False) -> Build:
        def build(it: Letter) -> list[bytes]:
            text = builders.ucs2(it.text)
            short, tlvs = (b"", [(int(Tag.MESSAGE_PAYLOAD), text)]) if in_payload else (text, [])
            return [builders.submit_multi(it.source, [it.to, *others], short, tlvs=tlvs)]

        return build

    yield TextCarrier("submit_multi to one", Kind.MANY, multi())
    yield TextCarrier("submit_multi to three", Kind.MANY, multi(OTHERS))
    yield TextCarrier("the payload of a submit_multi", Kind.MANY, multi(in_payload=True))
    yield TextCarrier("the payload to three", Kind.MANY, multi(OTHERS, in_payload=True))


def _replacements() -> Iterator[TextCarrier]:
    def replacing(charset: str) -> Build:
        return lambda it: [builders.replace_sm("17", it.source, it.text.encode(charset))]

    def behind_header(it: Letter) -> list[bytes]:
        octets = udh("udh8", 7, b"\2\1") + builders.ucs2(it.text)
        return [builders.replace_sm("17", it.source, octets)]

    def two_texts(it: Letter) -> list[bytes]:
        decent, tlvs = builders.ucs2(it.decent), [(Tag.MESSAGE_PAYLOAD, builders.ucs2(it.text))]
        return [builders.replace_sm("17", it.source, decent, tlvs=tlvs)]

    yield TextCarrier("replace_sm", Kind.REPLACEMENT, replacing("utf-16-be"))
    yield TextCarrier("the payload of a replace_sm", Kind.REPLACEMENT, two_texts)
    yield TextCarrier("replace_sm in GBK", Kind.REPLACEMENT, replacing("gbk"))
    yield TextCarrier("replace_sm of a part", Kind.NEW_PART, behind_header)


def cut(text: str, pieces: int) -> list[str]:
    """Cut a text into pieces of about the same length: inside what matters in it."""
    size = -(-len(text) // pieces)
    return [text[at : at + size] for at in range(0, size * pieces, size)]


def _parts() -> Iterator[TextCarrier]:
    def parts(kind: str, order: tuple[int, ...], *, again: str = "") -> Build:
        def build(it: Letter) -> list[bytes]:
            pieces = cut(it.text, len(order))
            built = long_advert(pieces, kind=kind, source=it.source, to=it.to)
            sent = [built[place] for place in order]
            if again:
                contradicting = [again, *pieces[1:]]
                other = long_advert(contradicting, kind=kind, source=it.source, to=it.to)
                sent.insert(1, other[0])
            return sent

        return build

    def by_commands(it: Letter) -> list[bytes]:
        first, second = cut(it.text, 2)
        octets = udh("udh8", 7, b"\2\2") + builders.ucs2(second)
        (one, _) = long_advert([first, second], source=it.source, to=it.to)
        return [one, builders.data_sm(it.source, it.to, octets, esm_class=UDHI)]

    def to_many(it: Letter) -> list[bytes]:
        return [
            builders.submit_multi(
                it.source,
                [it.to, *OTHERS],
                udh("udh8", 7, bytes((2, number))) + builders.ucs2(piece),
                esm_class=UDHI,
            )
            for number, piece in enumerate(cut(it.text, 2), start=1)
        ]

    for kind in ("udh8", "udh16", "sar"):
        yield TextCarrier(f"{kind}, in order", Kind.PARTS, parts(kind, (0, 1)))
        yield TextCarrier(f"{kind}, second first", Kind.PARTS, parts(kind, (1, 0)))
        yield TextCarrier(f"{kind}, three, middle last", Kind.PARTS, parts(kind, (2, 0, 1)))
        yield TextCarrier(f"{kind}, on two binds", Kind.PARTS, parts(kind, (0, 1)), binds=2)
        yield TextCarrier(f"{kind}, in one tick", Kind.PARTS, parts(kind, (1, 0)), in_one_tick=True)
        yield TextCarrier(
            f"{kind}, a part again with another text",
            Kind.CONFLICT,
            parts(kind, (0, 1), again="您好，再会，回头见"),
        )
    yield TextCarrier("a submit_sm and a data_sm", Kind.PARTS, by_commands)
    yield TextCarrier("parts to three", Kind.PARTS_TO_MANY, to_many)


def _disguises() -> Iterator[TextCarrier]:
    full_width = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}
    cyrillic = str.maketrans("aceopxyACEHKMOPTX", "асеорхуАСЕНКМОРТХ")
    traditional = str.maketrans("开发贷优销", "開發貸優銷")
    tricks: tuple[tuple[str, Callable[[str], str], bool], ...] = (
        ("zero-width spaces", "\u200b".join, False),
        ("word joiners", "\u2060".join, False),
        ("full stops", ".".join, False),
        ("wide spaces", "\u3000".join, False),
        ("full-width letters", lambda text: text.translate(full_width), True),
        ("Cyrillic letters", lambda text: text.translate(cyrillic), True),
        ("traditional characters", lambda text: text.translate(traditional), False),
    )
    for name, trick, is_latin in tricks:
        yield TextCarrier(
            name,
            Kind.DISGUISED,
            lambda it, trick=trick: [  # type: ignore[misc]  # a default, not an argument
                advert(trick(it.text), source=it.source, to=it.to)
            ],
            is_latin=is_latin,
        )

    def among_symbols(data_coding: int) -> Build:
        symbols = "☀☂☃" * 25  # so many that the text does not look like UCS-2
        return lambda it: [_coded(it, (symbols + it.text).encode("utf-16-be"), data_coding)]

    def with_high_bits(it: Letter) -> list[bytes]:
        septets = gsm0338.encode(it.text)
        return [_coded(it, bytes(septet | 0x80 for septet in septets), 0)]

    for data_coding, name in ((9, "pictograms"), (10, "ISO-2022-JP"), (11, "reserved")):
        yield TextCarrier(
            f"UCS-2 among symbols, called {name}", Kind.DISGUISED, among_symbols(data_coding)
        )
    yield TextCarrier("septets with high bits", Kind.DISGUISED, with_high_bits, is_latin=True)
