"""A refusal to an SP that is not there holds, is kept for it, and survives every kill."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sized

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.stores import open_store
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus, read_message
from tests.promises.deployment import Account, Deployment, seeded, source_of, tell
from tests.real_time import until

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

ADVERT, CONFIRMED = "会员日全场八折，拒收请回复R", "您已退订"
SUBSCRIBERS = [f"138001{number:05}" for number in range(200)]
KILLS, REFUSING_KILLS = 5, 6
REFUSALS = ("TD", "00000", "别再给我发短信了", "STOP", "怎么才能退订你们这垃圾短信")


async def until_at_most(count: int, those: Sized) -> None:
    await until(lambda: len(those) <= count)


async def until_at_least(count: int, those: Sized) -> None:
    await until(lambda: len(those) >= count)


async def opened(deploy: Deploy, smsc: SimulatedSmsc) -> Deployment:
    """Return a running gateway with an own bind, which hears and confirms refusals."""
    deployment = await deploy(Account("sp1"), Account("sp2"))
    deployment.write_policies({}, opt_out=True)
    config = deployment.directory / "config" / "gateway.yaml"
    own = 'own_bind: {system_id: gw, password: "plain:gw"}, tls: null'
    text = config.read_text(encoding="utf-8").replace("tls: null", own)
    config.write_text(text, encoding="utf-8")
    (deployment.directory / "policies" / "replies.yaml").write_text(
        f"version: 1\nopted_out: {CONFIRMED}\nrestored: 您已恢复\n", encoding="utf-8"
    )
    await deployment.start()
    await smsc.bound(1)
    return deployment


async def answers(deployment: Deployment) -> list[ConsentAnswer]:
    """Return what every subscriber said to each SP, as it is on record."""
    stores = await open_store(f"sqlite:///{deployment.directory}/var/smsward.db", deadline_s=30)
    try:
        found = [
            await stores.consent.answer_of(int(f"86{number}"), system_id)
            for number in SUBSCRIBERS
            for system_id in ("sp1", "sp2")
        ]
        return [answer for answer in found if answer is not None]
    finally:
        await stores.close()


def confirmed(smsc: SimulatedSmsc) -> Counter[tuple[str, str]]:
    """Count the confirmations to each subscriber, by the port that they come from."""
    said = CONFIRMED.encode("utf-16-be")
    return Counter((one.source, one.destination) for one in smsc.journal if one.octets == said)


async def heard(esme: RawEsme, count: int) -> Counter[str]:
    """Count by subscriber the first `count` deliveries to an SP."""
    return Counter([read_message(await esme.next_pdu()).source for _ in range(count)])


async def test_r31_an_sp_that_only_transmits_and_one_offline_obey_a_refusal_in_a_second(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment = await opened(deploy, smsc)
    sender = await attach(deployment, "sp1", "tx")
    some, took = SUBSCRIBERS[:50], list[float]()

    for number in some:
        assert (await sender.submit(source_of("sp1"), number, ADVERT)).is_ok
        began = time.perf_counter()
        assert await smsc.deliver("gw", number, source_of("sp1"), "TD") == 0
        refused = await sender.submit(source_of("sp1"), number, ADVERT)
        took.append(time.perf_counter() - began)
        assert refused.command_status == CommandStatus.ESME_RSUBMITFAIL
        assert await smsc.deliver("gw", number, source_of("sp2"), "TD") == 0

    tell(f"TD obeyed: slowest of {len(took)} after {max(took) * 1e3:.0f} ms")
    assert statistics.median(took) < 1.0  # one hiccup of a shared machine is no second
    for system_id in ("sp1", "sp2"):
        receiver = await attach(deployment, system_id, "rx")
        assert await heard(receiver, len(some)) == Counter(some)
    offline = await attach(deployment, "sp2", "tx")
    statuses = {(await offline.submit(source_of("sp2"), to, ADVERT)).command_status for to in some}
    assert statuses == {CommandStatus.ESME_RSUBMITFAIL}
    assert set(confirmed(smsc).values()) == {1}
    assert len(confirmed(smsc)) == 2 * len(some)
    assert deployment.faults() == []


async def test_r31_refusals_amid_kills_are_each_on_record_once_and_confirmed_once_at_most(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    deployment, choose = await opened(deploy, smsc), seeded(77)
    waiting, sent = list(SUBSCRIBERS), Counter[str]()
    for _ in range(KILLS):
        left = len(waiting) - choose.randrange(20, 40)
        refusing = [asyncio.ensure_future(_refuse(smsc, waiting, sent)) for _ in range(4)]  # noqa: TID251
        await until_at_most(left, waiting)  # the kill shall come amid them
        await deployment.kill()
        await asyncio.gather(*refusing)
        await deployment.start()
        await smsc.bound(1)
    await _refuse(smsc, waiting, sent)

    on_record, said = await answers(deployment), confirmed(smsc)
    receiver = await attach(deployment, "sp2", "rx")
    delivered = Counter[str]()
    while delivered.keys() != set(SUBSCRIBERS):
        delivered += await heard(receiver, 1)
    again = {number for number, count in sent.items() if count > 1}
    tell(
        f"{len(SUBSCRIBERS)} refusals amid {KILLS} kill -9: {len(again)} sent again by the SMSC,"
        f" {said.total()} confirmed, {delivered.total()} delivered"
    )
    assert again
    assert Counter(answer.answer for answer in on_record) == {Answer.REFUSED: len(SUBSCRIBERS)}
    assert set(said.values()) == {1}
    assert {number for number, count in delivered.items() if count > 1} <= again
    assert deployment.faults() == []


async def _refuse(smsc: SimulatedSmsc, waiting: list[str], sent: Counter[str]) -> None:
    """Let subscribers refuse until none is left, or the gateway is gone."""
    while waiting:
        number = waiting.pop()
        sent[number] += 1
        try:
            status = await smsc.deliver("gw", number, source_of("sp2"), "TD")
            assert status in {0, CommandStatus.ESME_RX_T_APPN}
            if status:  # not kept in time: an SMSC sends it again
                waiting.append(number)
        except ConnectionError:  # it was not acknowledged: an SMSC sends it again
            waiting.append(number)
            return


async def test_r31_a_refusal_acknowledged_to_the_smsc_is_committed_whenever_the_gateway_dies(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    """None is said again here: what was acknowledged must be there without its SMSC's help."""
    deployment, choose = await opened(deploy, smsc), seeded(91)
    numbers = iter(range(13_800_200_000, 13_800_300_000))
    acknowledged, unanswered = set[tuple[int, str]](), 0
    for _ in range(REFUSING_KILLS):
        await attach(deployment, "sp1", "trx")
        enough = len(acknowledged) + choose.randrange(1, 60)
        saying = [
            asyncio.ensure_future(_say(smsc, bind, sp, numbers, acknowledged))  # noqa: TID251
            for bind, sp in (("gw", "sp2"), ("sp1", "sp1"))
            for _ in range(4)
        ]
        await until_at_least(enough, acknowledged)  # the kill shall come amid them
        for _ in range(choose.randrange(300)):
            await asyncio.sleep(0)
        await deployment.kill()
        unanswered += sum(await asyncio.gather(*saying))
        assert acknowledged <= await refused(deployment)
        await deployment.start()
        await smsc.bound(1)

    tell(f"{REFUSING_KILLS} kill -9: {len(acknowledged)} acknowledged, {unanswered} not")
    assert unanswered
    assert {sp for _, sp in acknowledged} == {"sp1", "sp2"}
    assert deployment.faults() == []


async def _say(
    smsc: SimulatedSmsc,
    bind: str,
    system_id: str,
    numbers: Iterator[int],
    acknowledged: set[tuple[int, str]],
) -> int:
    """Let one subscriber after the other refuse; return how many were unanswered at the end: 1."""
    for number in numbers:
        words = REFUSALS[number % len(REFUSALS)].encode("utf-16-be")
        try:
            to = source_of(system_id)
            assert await smsc.deliver(bind, str(number), to, words, data_coding=8) == 0
        except ConnectionError:
            return 1
        acknowledged.add((8_600_000_000_000 + number, system_id))
    raise AssertionError


async def refused(deployment: Deployment) -> set[tuple[int, str]]:
    """Return who refused which SP, as a killed gateway leaves it."""
    stores = await open_store(f"sqlite:///{deployment.directory}/var/smsward.db", deadline_s=30)
    try:
        pages = stores.consent_lists.listed(answer=Answer.REFUSED)
        return {(one.msisdn, one.scope) async for page in pages for one in page}
    finally:
        await stores.close()
