import asyncio
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from simulators import builders, wire
from simulators.esme import UNANSWERED, RawEsme, answer_of
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import RESPONSE, CommandId

Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, DESTINATION = "10690001", "13800138000"


async def test_a_window_is_filled_and_never_exceeded(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach()
    flood = asyncio.gather(esme.submit_many(["一"] * 50, window=7))
    seen = []

    for reached in range(7, 50, 7):
        await smsc.received(reached)
        seen.append(smsc.counters.messages)
        smsc.release_answers()
    await smsc.received(50)
    smsc.release_answers()

    assert seen == [7, 14, 21, 28, 35, 42, 49]
    assert all(answer.is_ok for answer in (await flood)[0])


async def test_answers_out_of_order_find_their_requests(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(out_of_order=10)
    esme = await attach()

    answers = await esme.submit_many([f"{number}" for number in range(100)], window=25)

    by_id = {entry.message_id: entry.octets.decode("utf-16-be") for entry in smsc.journal}
    assert [by_id[answer.message_id] for answer in answers] == [f"{n}" for n in range(100)]


async def test_octets_may_trickle(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach(kind=None)
    esme.octets_per_write = 1

    assert await esme.bind("sp1", "secret") == 0
    assert (await esme.submit(SOURCE, DESTINATION, "一")).is_ok
    assert smsc.journal[0].octets == builders.ucs2("一")


async def test_two_requests_may_not_share_a_number(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach()
    first = builders.submit_sm(SOURCE, DESTINATION, b"hi", sequence=40)
    waiting = asyncio.gather(esme.request(first))
    await smsc.received(1)

    with pytest.raises(ValueError, match="under way"):
        await esme.request(first)
    with pytest.raises(ValueError, match="share"):
        await esme.flood([first, first], 1)
    smsc.release_answers()

    assert wire.sequence_of((await waiting)[0]) == 40


async def test_one_flood_at_a_time(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach()
    flood = asyncio.gather(esme.submit_many(["一"], 1))
    await smsc.received(1)

    with pytest.raises(RuntimeError):
        await esme.submit_many(["二"], 1)
    smsc.release_answers()

    assert (await flood)[0][0].is_ok


async def test_an_answer_that_does_not_come_is_a_timeout(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach()
    request = builders.submit_sm(SOURCE, DESTINATION, b"hi", sequence=40)

    with pytest.raises(TimeoutError):
        await esme.request(request, within_s=0.02)
    smsc.release_answers()

    assert wire.sequence_of(await esme.next_stray()) == 40


async def test_a_lost_link_is_an_error(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()
    smsc.disconnect_all()
    await esme.lost()

    with pytest.raises(ConnectionResetError):
        await esme.submit(SOURCE, DESTINATION, "一")
    assert await esme.submit_many(["一"], 1) == [(UNANSWERED, "")]


async def test_requests_are_answered_unless_told_otherwise(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()
    esme.answers_requests = False
    delivery = asyncio.gather(smsc.deliver("sp1", DESTINATION, SOURCE, "一"))
    request = await esme.next_pdu()

    await esme.send(wire.pdu(CommandId.DELIVER_SM | RESPONSE, wire.sequence_of(request), b"\0"))

    assert list(await delivery) == [0]


async def test_an_esme_that_does_not_read_gets_its_answers_later(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()
    esme.pause()
    submitting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "一"))
    await smsc.received(1)

    assert not submitting.done()
    esme.resume()

    assert (await submitting)[0].is_ok


async def test_an_esme_leaves_politely(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()

    assert await esme.unbind() == 0

    await smsc.bound(0)
    assert smsc.counters.unbinds == 1


async def test_what_nobody_reads_is_counted_in_the_end(
    smsc: SimulatedSmsc, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulators.esme.raw.KEPT", 2)
    esme = await attach()

    for number in range(3):
        await smsc.deliver("sp1", DESTINATION, SOURCE, f"{number}")
        smsc.inject("sp1", wire.pdu(CommandId.ENQUIRE_LINK | RESPONSE, 900 + number))
    await esme.request(builders.enquire_link(300))

    assert esme.pdus().qsize() == len(esme.strays) == 2
    assert esme.dropped == 2


@pytest.mark.parametrize(
    ("leave", "resets"), [(RawEsme.close, 0), (RawEsme.abort, 1), (RawEsme.half_close, 0)]
)
async def test_an_esme_leaves_without_a_word(
    smsc: SimulatedSmsc, attach: Attach, leave: Callable[[RawEsme], None], resets: int
) -> None:
    esme = await attach()

    leave(esme)

    await esme.lost()
    await smsc.bound(0)
    assert (smsc.counters.unbinds, smsc.counters.resets) == (0, resets)


def test_an_answer_without_its_nul_has_no_message_id() -> None:
    assert answer_of(wire.pdu(0x80000004, 1, b"42", command_status=8)) == (8, "")


def test_sequence_numbers_begin_again_at_one() -> None:
    esme = RawEsme()
    esme._sequence = 0x7FFFFFFE

    assert [esme.next_sequence(), esme.next_sequence()] == [0x7FFFFFFF, 1]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run([*command.split(), *subject, *files], check=True, capture_output=True)  # noqa: S603
    return paths


async def test_both_sides_speak_tls(certificate: tuple[Path, Path]) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    client = ssl.create_default_context(cafile=str(certificate[0]))

    async with SimulatedSmsc(ssl=server) as smsc:
        esme = await RawEsme.connect(smsc.host, smsc.port, ssl=client)
        assert await esme.bind("sp1", "secret") == 0
        answers = await esme.submit_many(["一"] * 100, window=10)
        assert await esme.unbind() == 0
        await esme.lost()

    assert all(answer.is_ok for answer in answers)
    assert len(smsc.journal) == 100
