"""What Prometheus is told of the linkage: what waits, what is dead, and what came to what."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from gateway.app.linkage_metrics import metrics_server
from gateway.console.http_server import HttpServer
from gateway.domain.linkage import EventRefusal, RefusalReason
from gateway.settings.linkage import LinkageMetrics
from gateway.settings.schema import Address
from gateway.storage.errors import StoreUnavailable
from gateway.systems.linkage.model import LinkageCounts, LinkageStanding
from tests.app.case_sites import UNICOM_PORT, Net, Site, Terms, complaint
from tests.memory_stores import memory_stores
from tests.systems.linkage.conftest import NOW, Node

HOUR = timedelta(hours=1)


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    nodes = [Node("cmcc"), Node("unicom")]
    members = tuple(one.member for one in nodes)
    async with memory_stores() as ours, memory_stores() as theirs:
        yield Net(
            [
                Site(nodes[0], members, ours, Terms()),
                Site(nodes[1], members, theirs, Terms(ports=(UNICOM_PORT,))),
            ]
        )


async def test_what_waits_and_since_when_and_what_is_dead_is_counted(net: Net) -> None:
    outbox = net["cmcc"].stores.linkage_outbox
    assert await outbox.standing() == LinkageStanding(0, None, 0, 0)
    for number in range(1, 4):
        await net["cmcc"].desk.take([complaint(number)], "match")
        await net["cmcc"].exchange.work(NOW + (number - 1) * HOUR)

    (first, *_) = await outbox.due(NOW + HOUR, 10)
    refusal = EventRefusal(RefusalReason.WHOLE_NUMBER)
    await net["cmcc"].outbox.settle(first, net["unicom"].node.member, refusal, NOW, 0.5)

    assert await outbox.standing() == LinkageStanding(2, NOW + HOUR, 1, 0)


async def test_each_event_is_counted_by_its_type_and_what_became_of_it(net: Net) -> None:
    ours, theirs = net["cmcc"], net["unicom"]
    await ours.desk.take([complaint()], "match")

    await ours.exchange.work(NOW)
    (event,) = await ours.stores.linkage_outbox.due(NOW, 10)
    await theirs.inbox.take(b"no event", ours.node.member, NOW, NOW)
    await net.deliver(ours, NOW)
    assert (await theirs.stores.linkage_outbox.standing()).unapplied == 1
    await theirs.exchange.work(NOW)

    dispatched = event.type
    assert ours.counts.events == {(dispatched, "delivered"): 1}
    assert theirs.counts.events == {(dispatched, "received"): 1, (dispatched, "applied"): 1}
    assert theirs.counts.refused == {"malformed": 1}


async def test_prometheus_reads_them_and_hears_503_while_the_store_does_not_answer(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = net["cmcc"]
    await site.desk.take([complaint()], "match")
    await site.exchange.work(NOW)
    counts = LinkageCounts()
    counts.events["smsward.case.dispatched", "delivered"] += 2
    counts.refused["unknown_key"] += 1
    settings = LinkageMetrics(Address("127.0.0.1", 0))
    server = metrics_server(
        settings, counts, site.stores.linkage_outbox, lambda: NOW + timedelta(minutes=2)
    )

    text = (await answer_of(server)).text

    assert "smsward_linkage_outbox_waiting 1.0" in text
    assert "smsward_linkage_outbox_waiting_seconds 120.0" in text
    assert "smsward_linkage_outbox_dead 0.0" in text
    event = 'smsward_linkage_events_total{result="delivered",type="smsward.case.dispatched"} 2.0'
    assert event in text
    assert 'smsward_linkage_refused_total{reason="unknown_key"} 1.0' in text

    async def fail() -> LinkageStanding:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(site.stores.linkage_outbox, "standing", fail)
    assert (await answer_of(server)).status_code == 503


async def test_with_a_token_the_metrics_are_for_who_shows_it(net: Net) -> None:
    settings = LinkageMetrics(Address("127.0.0.1", 0), bytes(32))
    outbox = net["cmcc"].stores.linkage_outbox

    answer = await answer_of(metrics_server(settings, LinkageCounts(), outbox, lambda: NOW))

    assert answer.status_code == 401
    assert "metrics.token in linkage.yaml" in answer.text


async def answer_of(server: HttpServer) -> httpx.Response:
    await server.start()
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://127.0.0.1:{server.port}/metrics")
    finally:
        await server.stop()
