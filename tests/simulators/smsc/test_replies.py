import asyncio
from collections.abc import Awaitable, Callable

from simulators import wire
from simulators.esme import UNANSWERED, Answer, RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandStatus

Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, DESTINATION = "10690001", "13800138000"
TEXTS = [f"第{number}条" for number in range(1, 13)]


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.command_status for answer in answers]


async def test_answers_wait_until_they_are_released(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach()
    waiting = asyncio.gather(*(esme.submit(SOURCE, DESTINATION, text) for text in TEXTS[:2]))
    await smsc.received(2)
    alive = await esme.request(wire.pdu(0x15, 300))

    assert not waiting.done()
    smsc.release_answers()

    assert statuses(await waiting) == [0, 0]
    assert wire.sequence_of(alive) == 300


async def test_answers_come_late(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(answer_delay_s=0.02)
    esme = await attach()
    loop = asyncio.get_running_loop()
    sent_at = loop.time()

    await esme.submit(SOURCE, DESTINATION, TEXTS[0])

    # A loop's timers may be early by its clock's resolution.
    assert loop.time() - sent_at >= 0.019


async def test_a_lost_answer_is_a_message_taken_all_the_same(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(lost_answer_every=4)
    esme = await attach()

    answers = await esme.submit_many(TEXTS, window=12, within_s=0.2)

    assert [n for n, one in enumerate(answers, 1) if one == (UNANSWERED, "")] == [4, 8, 12]
    assert len(smsc.journal) == 12
    assert smsc.counters.answers_lost == 3


async def test_a_doubled_answer_comes_twice(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(duplicate_answer_every=2)
    esme = await attach()

    answers = await esme.submit_many(TEXTS[:4], window=1)

    stray = await esme.next_stray(2)
    assert statuses(answers) == [0] * 4
    assert wire.message_id_of(stray) == answers[3].message_id
    assert smsc.counters.answers_doubled == 2


async def test_answers_are_shuffled_within_their_group(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(out_of_order=6, seed=3)
    esme = await attach()
    from_smsc: list[int] = []

    async def submit(text: str) -> str:
        answer = await esme.submit(SOURCE, DESTINATION, text)
        from_smsc.append(int(answer.message_id))
        return answer.message_id

    message_ids = [int(one) for one in await asyncio.gather(*(submit(text) for text in TEXTS))]

    assert sorted(from_smsc) == sorted(message_ids)
    assert from_smsc != sorted(from_smsc)
    assert sorted(from_smsc[:6]) == sorted(from_smsc)[:6]


async def test_a_group_that_never_fills_is_answered_too(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(out_of_order=10, out_of_order_patience_s=0.001)
    esme = await attach()

    assert statuses(await esme.submit_many(TEXTS[:3], window=1)) == [0, 0, 0]


async def test_every_nth_message_is_refused_and_another_throttled(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(
        error_every=3, error_status=CommandStatus.ESME_RMSGQFUL, throttle_every=4
    )
    esme = await attach()

    answers = await esme.submit_many(TEXTS, window=1)

    full, slow = CommandStatus.ESME_RMSGQFUL, CommandStatus.ESME_RTHROTTLED
    assert statuses(answers) == [0, 0, full, slow, 0, full, 0, slow, full, 0, 0, slow]
    assert [entry.message_id == "" for entry in smsc.journal] == [
        bool(status) for status in statuses(answers)
    ]
    counters = smsc.counters
    assert (counters.accepted, counters.refused, counters.throttled) == (6, 3, 3)


async def test_the_link_is_cut_under_a_message(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(disconnect_every=3)
    esme = await attach()

    answers = await esme.submit_many(TEXTS[:5], window=1)

    assert statuses(answers) == [0, 0, UNANSWERED, UNANSWERED, UNANSWERED]
    assert esme.is_lost
    assert len(smsc.journal) == 3
