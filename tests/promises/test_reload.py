"""A reload is a transaction: no message is lost by it, and each is judged by one policy."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import pytest

from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus
from tests.promises.deployment import Account, Deployment, Keywords, seeded, source_of, tell
from tests.promises.ledger import text_of

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

MESSAGES = 20_000
RELOADS = 6
SENDERS = ("sp1", "sp2", "sp3")
# Words of which one policy forbids the first, the other the second. No list loses more than
# half of its words at once, or the reload would be refused.
CHANGING = ("真人百家乐", "代开发票")
STAYING = ("无抵押秒批款", "高仿名表专卖")


async def test_a_reload_amid_traffic_loses_and_doubles_nothing(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(*map(Account, SENDERS))
    _forbid(deployment, CHANGING[0])
    await deployment.start()
    texts = {system_id: list(_texts(system_id)) for system_id in SENDERS}
    esmes = {system_id: await attach(deployment, system_id) for system_id in SENDERS}

    async with asyncio.TaskGroup() as group:
        floods = {
            system_id: group.create_task(
                esme.submit_many(texts[system_id], 50, source=source_of(system_id))
            )
            for system_id, esme in esmes.items()
        }
        for count in range(1, RELOADS + 1):
            await smsc.received(count * MESSAGES // (2 * RELOADS))
            _forbid(deployment, CHANGING[count % 2])
            deployment.running.signal(signal.SIGHUP)
            await deployment.running.logged("policy.reloaded", count)
    assert await deployment.drain() == 0

    answers = {
        text: answer
        for system_id, flood in floods.items()
        for text, answer in zip(texts[system_id], flood.result(), strict=True)
    }
    upstream = Counter(text_of(received.pdu) for received in smsc.journal)
    statuses = Counter(answer.command_status for answer in answers.values())
    verdicts = _verdicts(deployment, texts)
    tell(
        f"reload: {len(deployment.running.events('policy.reloaded'))} reloads amid"
        f" {len(answers)} messages: {statuses[0]} accepted, {len(answers) - statuses[0]} refused;"
        f" verdicts by digest {Counter(digest for _, digest, _ in verdicts)}"
    )
    assert statuses.keys() == {0, CommandStatus.ESME_RSUBMITFAIL}
    assert upstream == Counter(text for text, answer in answers.items() if answer.is_ok)
    assert len(verdicts) == len(answers)
    forbidden = _forbidden_words(verdicts)
    assert sorted(forbidden.values()) == sorted(CHANGING)
    assert all(
        action == ("reject" if forbidden[digest] in text else "forward")
        for text, digest, action in verdicts
    )
    assert deployment.faults() == []


def _forbid(deployment: Deployment, word: str) -> None:
    deployment.write_policies({"K-CHANGING": Keywords("reject", (word, *STAYING))})


def _texts(system_id: str) -> Iterator[str]:
    draw = seeded(system_id)
    for serial in range(MESSAGES // len(SENDERS) + 1):
        yield f"{system_id} {serial:05} {draw.choice((*CHANGING, '明天上午停水', '请按时到店'))}"


def _verdicts(
    deployment: Deployment, texts: dict[str, list[str]]
) -> list[tuple[str, object, object]]:
    """Return text, digest and action of each decision on record."""
    first = 2  # the bind had sequence_number 1
    return [
        (
            texts[str(record["system_id"])][int(str(record["sequence_number"])) - first],
            record["digest"],
            record["action"],
        )
        for record in deployment.records()
        if record["kind"] == "decision"
    ]


def _forbidden_words(verdicts: list[tuple[str, object, object]]) -> dict[object, str]:
    """Return which word each policy has stopped; fail when one stopped both."""
    stopped = {
        (digest, word)
        for text, digest, action in verdicts
        for word in CHANGING
        if action == "reject" and word in text
    }
    assert len({digest for digest, _ in stopped}) == len(stopped) == len(CHANGING)
    return dict(stopped)
