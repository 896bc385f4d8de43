import asyncio
from collections.abc import AsyncIterator

import pytest

from simulators import builders
from simulators.esme import RawEsme
from simulators.fault_proxy import HIGH_WATER_OCTETS, FaultProxy
from simulators.smsc import Behaviour, SimulatedSmsc

SOURCE, DESTINATION = "10690001", "13800138000"


@pytest.fixture
async def proxy(smsc: SimulatedSmsc) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(smsc.host, smsc.port) as running:
        yield running


@pytest.fixture
async def esme(proxy: FaultProxy) -> AsyncIterator[RawEsme]:
    """An ESME bound through `proxy`."""
    async with await RawEsme.connect(proxy.host, proxy.port) as bound:
        assert await bound.bind("sp1", "secret") == 0
        yield bound


async def test_a_sound_link_carries_everything(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    answers = await esme.submit_many([f"{n}" for n in range(2000)], window=100)

    assert [one.message_id for one in answers] == [one.message_id for one in smsc.journal]
    await esme.unbind()
    await proxy.watch.until(lambda: not proxy.pairs, 5)


async def test_a_long_way_takes_its_time(proxy: FaultProxy, esme: RawEsme) -> None:
    proxy.to_target.latency_s = 0.2
    proxy.to_caller.latency_s = 0.1
    loop = asyncio.get_running_loop()
    sent_at = loop.time()

    await esme.submit_many(["一"] * 10, window=10)

    # Both ways once, not ten times; a loop's timers may be early by its clock's resolution.
    assert 0.28 <= loop.time() - sent_at < 2.8


async def test_octets_keep_their_order_when_the_way_gets_shorter(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    proxy.to_target.latency_s = 0.02
    first = asyncio.gather(esme.submit(SOURCE, DESTINATION, "一"))
    await proxy.watch.until(lambda: proxy.octets_waiting > 0, 5)
    proxy.to_target.latency_s = 0.0

    await esme.submit(SOURCE, DESTINATION, "二")

    assert (await first)[0].is_ok
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2("一"), builders.ucs2("二")]


async def test_a_narrow_link_carries_so_many_octets_a_second(
    proxy: FaultProxy, esme: RawEsme
) -> None:
    proxy.to_target.octets_per_s = 100_000
    loop = asyncio.get_running_loop()
    sent_at = loop.time()

    await esme.submit_many([b"x" * 250] * 20, window=20)

    # Twenty messages of 306 octets.
    assert loop.time() - sent_at > 0.055


async def test_slices_are_put_together_again(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    proxy.to_target.slice_octets = proxy.to_caller.slice_octets = 3

    answers = await esme.submit_many([f"{n}" for n in range(50)], window=50)

    assert all(answer.is_ok for answer in answers)
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2(f"{n}") for n in range(50)]


async def test_an_answer_waits_on_a_stalled_link_until_it_flows_again(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    proxy.stall(proxy.to_caller)
    submitting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "一"))
    await smsc.received(1)

    assert not submitting.done()
    proxy.stall(proxy.to_caller, is_stalled=False)

    assert (await submitting)[0].is_ok


async def test_what_is_on_its_way_waits_too(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    proxy.to_target.latency_s = 0.01
    submitting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "一"))
    await proxy.watch.until(lambda: proxy.octets_waiting > 0, 5)
    proxy.stall(proxy.to_target)
    # Nothing is to happen: all one can do is give it a moment.
    with pytest.raises(TimeoutError):
        await smsc.received(1, within_s=0.03)
    proxy.stall(proxy.to_target, is_stalled=False)

    assert (await submitting)[0].is_ok


async def test_a_link_stalled_towards_the_target_takes_no_more_than_its_bound(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    smsc.pause()
    texts = [b"x" * 254] * 60_000
    flood = asyncio.gather(esme.submit_many(texts, window=60_000, within_s=30))
    await proxy.watch.until(lambda: proxy.octets_waiting > HIGH_WATER_OCTETS, 10)

    # One read may come on top of the bound, and no more however long one waits.
    with pytest.raises(TimeoutError):
        await proxy.watch.until(lambda: proxy.octets_waiting > 2 * HIGH_WATER_OCTETS, 0.05)
    smsc.behaviour = Behaviour(journal_limit=0)
    smsc.resume()

    assert all(answer.is_ok for answer in (await flood)[0])


async def test_a_deaf_link_swallows_what_is_sent(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    proxy.to_target.is_deaf = True
    with pytest.raises(TimeoutError):
        await esme.request(builders.enquire_link(90), within_s=0.02)
    proxy.to_target.is_deaf = False

    assert (await esme.submit(SOURCE, DESTINATION, "一")).is_ok
    assert smsc.counters.enquire_links == 0


async def test_a_reset_is_felt_on_both_sides(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    proxy.reset_all()

    await esme.lost()
    await smsc.bound(0)
    assert isinstance(esme.error, ConnectionResetError)


async def test_a_reset_by_the_target_reaches_the_caller_as_one(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    smsc.disconnect_all(by_reset=True)

    await esme.lost()
    assert isinstance(esme.error, ConnectionResetError)
    await proxy.watch.until(lambda: not proxy.pairs, 5)


async def test_half_a_close_leaves_the_other_half_open(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    submitting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "一"), return_exceptions=True)
    await smsc.received(1)

    proxy.half_close_all(proxy.to_caller)

    # asyncio closes an ESME that hears a FIN; its own FIN then takes the other direction along.
    await esme.lost()
    await smsc.bound(0)
    assert esme.error is None
    assert isinstance((await submitting)[0], ConnectionError)


async def test_a_fin_does_not_overtake_what_was_sent_before(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    proxy.to_target.latency_s = 0.02
    await esme.send(builders.submit_sm(SOURCE, DESTINATION, b"hi", sequence=90))

    esme.half_close()

    await esme.lost()
    assert len(smsc.journal) == 1


async def test_a_target_that_is_not_there_is_felt_as_a_reset(smsc: SimulatedSmsc) -> None:
    await smsc.stop()
    async with (
        FaultProxy(smsc.host, smsc.port) as proxy,
        await RawEsme.connect(proxy.host, proxy.port) as esme,
    ):
        await esme.lost()
        assert isinstance(esme.error, ConnectionResetError)
        await proxy.watch.until(lambda: not proxy.pairs, 5)


async def test_a_proxy_that_refuses_does_not_dial(smsc: SimulatedSmsc, proxy: FaultProxy) -> None:
    proxy.refuses = True

    async with await RawEsme.connect(proxy.host, proxy.port) as esme:
        await esme.lost()

    assert smsc.counters.connections == 0


async def test_a_stopped_proxy_comes_back_on_its_port(
    smsc: SimulatedSmsc, proxy: FaultProxy, esme: RawEsme
) -> None:
    port = proxy.port
    await proxy.stop()
    await esme.lost()
    await proxy.start()

    async with await RawEsme.connect(proxy.host, port) as again:
        assert await again.bind("sp1", "secret") == 0

    assert smsc.counters.binds == 2
