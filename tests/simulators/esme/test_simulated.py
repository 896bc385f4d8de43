import asyncio

import pytest

from simulators import builders
from simulators.esme import UNANSWERED, Answer, BindRefusedError, Credentials, SimulatedEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandStatus

SOURCE, DESTINATION = "10690001", "13800138000"
SP = Credentials("sp1", "secret")


async def test_aiosmpplib_submits_and_hears_back(smsc: SimulatedSmsc) -> None:
    smsc.behaviour = Behaviour(receipts=True, verify=True)

    async with SimulatedEsme(smsc.host, smsc.port, SP) as esme:
        (answer,) = await esme.submit(SOURCE, DESTINATION, "您的快件已到", wants_receipt=True)
        await smsc.deliver("sp1", DESTINATION, SOURCE, "退订")
        await smsc.until(lambda: smsc.counters.delivered == 2)

    (entry,) = smsc.journal
    assert answer == Answer(CommandStatus.ESME_ROK, entry.message_id)
    assert entry.octets == builders.ucs2("您的快件已到")
    assert f"id:{answer.message_id} " in esme.receipts[0].text
    assert [message.text for message in esme.messages] == ["退订"]
    assert smsc.counters.unbinds == 1
    assert smsc.counters.disagreements == 0


async def test_its_window_is_kept(smsc: SimulatedSmsc) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)

    async with SimulatedEsme(smsc.host, smsc.port, SP, window=3) as esme:
        waiting = asyncio.gather(*(esme.submit(SOURCE, DESTINATION, f"{n}") for n in range(6)))
        await smsc.received(3)
        assert smsc.counters.messages == 3
        smsc.release_answers()
        await smsc.received(6)
        smsc.release_answers()
        assert all(answers[0].is_ok for answers in await waiting)


async def test_a_long_text_goes_as_payload_or_in_parts(smsc: SimulatedSmsc) -> None:
    text = "长" * 140

    async with SimulatedEsme(smsc.host, smsc.port, SP) as esme:
        whole = await esme.submit(SOURCE, DESTINATION, text)
        parts = await esme.submit(SOURCE, DESTINATION, text, in_parts=True)

    assert [len(whole), len(parts)] == [1, 3]
    payload, *segments = smsc.journal
    assert payload.octets == builders.ucs2(text)
    assert b"".join(segment.octets[6:] for segment in segments) == builders.ucs2(text)
    assert {segment.esm_class for segment in segments} == {builders.UDH_INDICATOR}
    assert [answer.message_id for answer in parts] == [one.message_id for one in segments]


async def test_an_error_is_reported(smsc: SimulatedSmsc) -> None:
    smsc.behaviour = Behaviour(error_every=1, error_status=CommandStatus.ESME_RSUBMITFAIL)

    async with SimulatedEsme(smsc.host, smsc.port, SP) as esme:
        answers = await esme.submit(SOURCE, DESTINATION, "一")

    assert answers == [(CommandStatus.ESME_RSUBMITFAIL, "")]
    assert list(esme.answers) == answers


async def test_an_answer_that_does_not_come_is_reported_too(smsc: SimulatedSmsc) -> None:
    smsc.behaviour = Behaviour(lost_answer_every=1)

    async with SimulatedEsme(smsc.host, smsc.port, SP) as esme:
        answers = await esme.submit(SOURCE, DESTINATION, "一", within_s=0.05)

    assert answers == [(UNANSWERED, "")]


async def test_a_refused_bind_is_an_error(smsc: SimulatedSmsc) -> None:
    smsc.behaviour = Behaviour(passwords={"sp1": "other"})

    with pytest.raises(BindRefusedError) as refused:
        await SimulatedEsme(smsc.host, smsc.port, SP).start()

    assert refused.value.command_status == CommandStatus.ESME_RINVPASWD


async def test_nobody_there_is_a_timeout(smsc: SimulatedSmsc) -> None:
    await smsc.stop()

    with pytest.raises(TimeoutError):
        await SimulatedEsme(smsc.host, smsc.port, SP).start(within_s=0.05)


async def test_a_lost_link_is_bound_again(smsc: SimulatedSmsc) -> None:
    async with SimulatedEsme(smsc.host, smsc.port, SP) as esme:
        smsc.disconnect_all()
        await smsc.until(lambda: smsc.counters.binds == 2)
        (answer,) = await esme.submit(SOURCE, DESTINATION, "一")

    assert answer.is_ok


@pytest.mark.parametrize("kind", ["tx", "rx"])
async def test_it_binds_as_it_is_told(smsc: SimulatedSmsc, kind: str) -> None:
    async with SimulatedEsme(smsc.host, smsc.port, Credentials("sp1", "secret", kind)):
        assert [session.bind_type for session in smsc.sessions] == [kind]
