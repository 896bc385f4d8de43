"""Promise 3: no carrier of text, no coding and no cut lets a forbidden word through."""

import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple

import pytest

from gateway.domain.consent import Answer as ConsentGiven
from gateway.domain.consent import ConsentAnswer
from gateway.runtime.clock import utcnow
from gateway.smpp import gsm0338
from gateway.stores import open_store
from simulators import builders, wire
from simulators.esme import Answer, RawEsme, answer_of
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus, Tag
from tests.promises.deployment import Account, Deployment, Keywords, source_of, tell
from tests.real_time import eventually
from tests.septets import pack

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

SOURCE, TO = source_of("sp1"), "13800138000"
FORBIDDEN, ALLOWED = "代开发票", "正规书店"
FORBIDDEN_LATIN, ALLOWED_LATIN = "FREECASINO", "NEWLIBRARY"
LISTS = {"K-BYPASS": Keywords("reject", (FORBIDDEN, FORBIDDEN_LATIN))}
REFUSED = int(CommandStatus.ESME_RSUBMITFAIL)
CHARSETS = ("utf-16-be", "utf-16-le", "gb18030", "utf-8")
INNOCENT = builders.ucs2("明天上午停水")

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}

_Build = Callable[[str], list[bytes]]


class Case(NamedTuple):
    """A way to send a text: its PDUs, in the order of sending."""

    name: str
    build: _Build
    forbidden: str = f"请联系我们：{FORBIDDEN}，谢谢"
    allowed: str = f"请联系我们：{ALLOWED}，谢谢"


def _coded(name: str, octets: Callable[[str], bytes], data_coding: int) -> Case:
    return Case(
        f"{name}, data_coding {data_coding}",
        lambda text: [builders.submit_sm(SOURCE, TO, octets(text), data_coding=data_coding)],
    )


def _encoder(charset: str, mark: bytes = b"") -> Callable[[str], bytes]:
    return lambda text: mark + text.encode(charset)


def _codings() -> Iterator[Case]:
    for data_coding in range(256):
        yield _coded("UCS-2", _encoder("utf-16-be"), data_coding)
        yield _coded("little-endian UCS-2", _encoder("utf-16-le"), data_coding)
        yield _coded("GBK", _encoder("gb18030"), data_coding)
        yield _coded("UTF-8", _encoder("utf-8"), data_coding)
    for data_coding in (0, 8):
        yield _coded("UCS-2 behind a mark", _encoder("utf-16-be", b"\xfe\xff"), data_coding)
        yield _coded("UCS-2 behind its mark", _encoder("utf-16-le", b"\xff\xfe"), data_coding)
        yield _coded("UTF-8 behind a mark", _encoder("utf-8-sig"), data_coding)


def _disguises() -> Iterator[Case]:
    for name, between in (
        ("spaces", " "),
        ("wide spaces", "\u3000"),
        ("zero-width spaces", "\u200b"),
        ("word joiners", "\u2060"),
        ("full stops", "."),
        ("line ends", "\n"),
    ):
        yield Case(
            f"{name} between the characters",
            lambda text, between=between: [  # type: ignore[misc]  # a default, not an argument
                builders.submit_sm(SOURCE, TO, builders.ucs2(between.join(text)))
            ],
        )
    latin = (f"Call us: {FORBIDDEN_LATIN} now", f"Call us: {ALLOWED_LATIN} now")
    yield Case(
        "full-width letters",
        lambda text: [builders.submit_sm(SOURCE, TO, builders.ucs2(text.translate(_FULL_WIDTH)))],
        *latin,
    )
    yield Case(
        "packed GSM 03.38",
        lambda text: [builders.submit_sm(SOURCE, TO, pack(gsm0338.encode(text)), data_coding=0)],
        *latin,
    )


def _carriers() -> Iterator[Case]:
    ucs2 = builders.ucs2
    payload = Tag.MESSAGE_PAYLOAD
    yield Case("message_payload", lambda t: [builders.payload_submit_sm(SOURCE, TO, ucs2(t))])
    yield Case(
        "message_payload beside an innocent short_message",
        lambda t: [builders.payload_submit_sm(SOURCE, TO, ucs2(t), short_message=INNOCENT)],
    )
    yield Case(
        "short_message beside an innocent message_payload",
        lambda t: [builders.payload_submit_sm(SOURCE, TO, INNOCENT, short_message=ucs2(t))],
    )
    yield Case(
        "the second of two payloads",
        lambda t: [
            builders.submit_sm(SOURCE, TO, b"", tlvs=[(payload, INNOCENT), (payload, ucs2(t))])
        ],
    )
    yield Case(
        "a scheduled message",
        lambda t: [builders.submit_sm(SOURCE, TO, ucs2(t), schedule="000000010000000R")],
    )
    yield Case("data_sm", lambda t: [builders.data_sm(SOURCE, TO, ucs2(t))])
    yield Case(
        "the second payload of a data_sm",
        lambda t: [builders.data_sm(SOURCE, TO, INNOCENT, tlvs=[(payload, ucs2(t))])],
    )
    yield Case("submit_multi to one", lambda t: [builders.submit_multi(SOURCE, [TO], ucs2(t))])
    yield Case(
        "submit_multi to three",
        lambda t: [builders.submit_multi(SOURCE, [TO, "13800138001", "13800138002"], ucs2(t))],
    )
    yield Case(
        "message_payload of a submit_multi",
        lambda t: [builders.submit_multi(SOURCE, [TO], b"", tlvs=[(payload, ucs2(t))])],
    )


def _cuts() -> Iterator[Case]:
    """Cut the text inside the word; a part is sent on each bind in turn."""
    reference = itertools.count(1)
    for name, make in (("UDH", _udh8), ("wide UDH", _udh16), ("SAR", _sar), ("data_sm", _data)):
        for at in range(1, len(FORBIDDEN)):
            for order in itertools.permutations(range(3)):
                yield Case(
                    f"{name}, cut after {at}, parts in the order {order}",
                    _cut(make, at, order, reference),
                )


_Part = Callable[[bytes, int, int, int], bytes]


def _cut(make: _Part, at: int, order: Sequence[int], reference: Iterator[int]) -> _Build:
    def build(text: str) -> list[bytes]:
        # An empty opening, the word up to `at`, and the rest.
        begin = text.index("：") + 1
        pieces = (text[:begin], text[begin : begin + at], text[begin + at :])
        number = next(reference)
        parts = [
            make(builders.ucs2(piece), number, len(pieces), index)
            for index, piece in enumerate(pieces, start=1)
        ]
        return [parts[index] for index in order]

    return build


def _udh8(octets: bytes, reference: int, total: int, number: int) -> bytes:
    header = bytes((5, 0, 3, reference % 256, total, number))
    return builders.submit_sm(SOURCE, TO, header + octets, esm_class=builders.UDH_INDICATOR)


def _udh16(octets: bytes, reference: int, total: int, number: int) -> bytes:
    header = b"\x06\x08\x04" + reference.to_bytes(2, "big") + bytes((total, number))
    return builders.submit_sm(SOURCE, TO, header + octets, esm_class=builders.UDH_INDICATOR)


def _data(octets: bytes, reference: int, total: int, number: int) -> bytes:
    header = bytes((5, 0, 3, reference % 256, total, number))
    return builders.data_sm(SOURCE, TO, header + octets, esm_class=builders.UDH_INDICATOR)


def _sar(octets: bytes, reference: int, total: int, number: int) -> bytes:
    tlvs = [
        (Tag.SAR_MSG_REF_NUM, reference.to_bytes(2, "big")),
        (Tag.SAR_TOTAL_SEGMENTS, bytes((total,))),
        (Tag.SAR_SEGMENT_SEQNUM, bytes((number,))),
    ]
    return builders.submit_sm(SOURCE, TO, octets, tlvs=tlvs)


CASES = (*_codings(), *_disguises(), *_carriers(), *_cuts())


async def test_r62_no_carrier_coding_or_cut_lets_a_forbidden_word_through(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1"))
    deployment.write_policies(LISTS)
    await deployment.start()
    binds = [await attach(deployment), await attach(deployment, kind="tx")]

    passed, stopped = [], []
    for case in CASES:
        statuses, _ = await _send(binds, case, case.forbidden)
        if REFUSED not in statuses:
            passed.append(case.name)
        _, ids = await _send(binds, case, case.allowed)
        if ids != [received.message_id for received in smsc.journal[-len(ids) :]]:
            stopped.append(case.name)

    tell(f"bypass: {len(CASES)} ways to send a text, {len(passed)} of them let the word through")
    assert passed == []
    assert stopped == [], "refused whatever is in it, so the case shows nothing"
    assert not any(
        FORBIDDEN.encode(charset) in received.pdu
        for received in smsc.journal
        for charset in CHARSETS
    )
    assert deployment.faults() == []


async def _send(binds: Sequence[RawEsme], case: Case, text: str) -> tuple[set[int], list[str]]:
    """Send a text; return the statuses heard and the message ids got."""
    answers = [
        await _ask(binds[index % len(binds)], octets)
        for index, octets in enumerate(case.build(text))
    ]
    statuses = {answer.command_status for answer in answers}
    assert statuses <= {0, REFUSED}, case.name
    return statuses, [answer.message_id for answer in answers]


async def _ask(esme: RawEsme, octets: bytes) -> Answer:
    header = wire.header_of(octets)
    return answer_of(
        await esme.request(wire.pdu(header.command_id, esme.next_sequence(), octets[16:]))
    )


async def test_r62_a_replacement_is_judged_as_what_it_replaces(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1"))
    deployment.write_policies(LISTS)
    await deployment.start()
    esme = await attach(deployment)
    message_id = (await esme.submit(SOURCE, TO, "明天上午停水")).message_id

    statuses = {
        text: {await _replace(esme, message_id, text.encode(charset)) for charset in CHARSETS}
        for text in (FORBIDDEN, ALLOWED)
    }

    assert statuses == {FORBIDDEN: {REFUSED}, ALLOWED: {0}}
    assert len(smsc.journal) == 1


async def _replace(esme: RawEsme, message_id: str, octets: bytes) -> int:
    request = builders.replace_sm(message_id, SOURCE, octets, sequence=esme.next_sequence())
    return wire.header_of(await esme.request(request)).command_status


async def test_r62_a_submit_multi_reaches_those_who_did_not_refuse(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    refuser, others = "13900139000", ["13800138000", "13800138001"]
    deployment = await deploy(Account("sp1"))
    deployment.write_policies(LISTS, opt_out=True)
    await deployment.start()
    esme = await attach(deployment)
    await _refuse(deployment, refuser)

    async def is_heard() -> bool:
        return not (await esme.submit(SOURCE, refuser, "新品到店")).is_ok

    await eventually(is_heard)
    octets = builders.submit_multi(
        SOURCE,
        [others[0], refuser, others[1]],
        builders.ucs2("新品到店"),
        sequence=esme.next_sequence(),
    )
    answer = await esme.request(octets)

    received = smsc.journal[-1]
    assert answer_of(answer) == (0, received.message_id)
    assert received.destinations == tuple(others)
    assert refuser.encode() in answer
    assert answer.endswith(REFUSED.to_bytes(4, "big"))


async def _refuse(deployment: Deployment, number: str) -> None:
    stores = await open_store(f"sqlite:///{deployment.directory}/var/smsward.db", deadline_s=30)
    try:
        await stores.consent.record(
            [ConsentAnswer(int(f"86{number}"), "sp1", ConsentGiven.REFUSED, utcnow(), "test")]
        )
    finally:
        await stores.close()
