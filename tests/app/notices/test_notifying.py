"""SPs hear of refusals over HTTP, and everything goes on where they do not (R36, R37)."""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from gateway.app import webhook_client
from gateway.app.gateway import Gateway
from gateway.app.webhook_client import Postman, WebhookNotifier
from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.sender import BindLimits, Rate, Sender, SenderState, Webhook
from gateway.runtime.clock import utcnow
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.systems.consent.sql import ConsentStore
from gateway.systems.optout_notices import service
from gateway.systems.optout_notices.model import NoticeStanding
from gateway.systems.optout_notices.sql import NoticeStore
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus
from tests.app.notices.conftest import LOOPBACK
from tests.real_time import eventually, poll

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Deploy = Callable[..., tuple[Path, Path]]
Told = Callable[..., Awaitable[dict[str, object]]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SOURCE, DESTINATION = "10690001", "13800138000"
ADVERT = "周末大促，满99减20，拒收请回复R"
SUBSCRIBER = 8613800138000
KEY = "0123456789abcdef0123456789abcdef"
UNWELL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


class Posted(Protocol):
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def batch(self) -> dict[str, object]: ...

    @property
    def notices(self) -> list[dict[str, object]]: ...


class Endpoint(Protocol):
    """See conftest."""

    answer: bytes | None
    posted: list[Posted]
    port: int

    async def received(self, count: int) -> list[Posted]: ...


@pytest.fixture(autouse=True)
def _without_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_client, "_EVERY_S", 0.02)
    monkeypatch.setattr(webhook_client, "_STORE_PAUSE", timedelta(milliseconds=20))
    monkeypatch.setattr(service, "_FIRST_S", 0.02)
    monkeypatch.setattr(service, "_LONGEST_S", 0.05)
    # Who is stopped on its way leaves its claim behind.
    monkeypatch.setattr(service, "CLAIMED_FOR", timedelta(seconds=0.5))


def senders(**ports: int) -> dict[str, str | None]:
    """Write senders.yaml, with webhooks on loopback for those that are given a port."""
    lines = ["version: 1", "allow_plain_passwords: true", "senders:"]
    for system_id, number in (("sp1", SOURCE), ("sp2", "10690002")):
        lines += [
            f"  - system_id: {system_id}",
            '    password: "plain:secret"',
            f'    ports: [{{number: "{number}", purpose: marketing}}]',
        ]
        if system_id in ports:
            url = f"http://127.0.0.1:{ports[system_id]}/notices"
            lines.append(f'    webhook: {{url: "{url}", key: "plain:{KEY}"}}')
    return {"config/senders.yaml": "\n".join(lines) + "\n"}


def refusal(place: int = 0, scope: str = "sp1") -> ConsentAnswer:
    return ConsentAnswer(SUBSCRIBER + place, scope, Answer.REFUSED, utcnow(), "hall")


async def all_is_taken(gateway: Gateway) -> None:
    """Wait until sp1 has acknowledged what there was."""

    async def look() -> bool:
        return await gateway.stores.notices.waiting_since("sp1") is None

    await eventually(look)


async def test_r36_an_sp_hears_of_a_refusal_by_webhook_and_can_tell_who_wrote(
    start: Start, endpoint: Endpoint, log: LogLines
) -> None:
    gateway = await start(senders(sp1=endpoint.port))

    await gateway.stores.consent.record([refusal()])
    [posted] = await endpoint.received(1)

    assert posted.line == "POST /notices HTTP/1.1"
    assert str(SUBSCRIBER) not in posted.line + str(posted.headers)
    [notice] = posted.notices
    assert (notice["number"], notice["answer"]) == (str(SUBSCRIBER), "refused")
    assert (notice["channel"], posted.batch["batch"]) == ("hall", 1)
    signed = posted.headers["x-smsward-timestamp"].encode() + b"." + posted.body
    expected = hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
    assert posted.headers["x-smsward-signature"] == f"sha256={expected}"
    assert str(SUBSCRIBER) not in str(log)


async def test_r37_an_sp_whose_webhook_fails_is_told_later_and_the_refusal_holds_meanwhile(
    start: Start, attach: Attach, endpoint: Endpoint, told: Told, log: LogLines
) -> None:
    endpoint.answer = UNWELL
    gateway = await start(senders(sp1=endpoint.port))
    esme = await attach(gateway)

    await gateway.stores.consent.record([refusal()])
    async with asyncio.timeout(60):
        while (answer := await esme.submit(SOURCE, DESTINATION, ADVERT)).is_ok:
            pass
    failed = await told("notice.failed")
    await endpoint.received(3)
    endpoint.answer = TAKEN
    recovered = await told("notice.recovered")

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert (failed["system_id"], failed["said"]) == ("sp1", "HTTP 503")
    assert recovered["system_id"] == "sp1"
    bodies = [posted.body for posted in endpoint.posted]
    assert len(bodies) >= 4
    assert len(set(bodies)) == 1
    assert len([line for line in log if line["event"] == "notice.failed"]) == 1
    assert await gateway.stores.notices.next_batch("sp1") is None
    assert not (await esme.submit(SOURCE, DESTINATION, ADVERT)).is_ok


async def test_r37_what_was_not_taken_is_brought_after_a_restart(
    start: Start, endpoint: Endpoint, told: Told
) -> None:
    endpoint.answer = UNWELL
    first = await start(senders(sp1=endpoint.port))
    await first.stores.consent.record([refusal()])
    await told("notice.failed")
    await first.stop()
    endpoint.answer = TAKEN
    before = len(endpoint.posted)

    second = await start(senders(sp1=endpoint.port))
    await told("notice.recovered")

    assert len(endpoint.posted) == before + 1
    assert await second.stores.notices.next_batch("sp1") is None
    assert endpoint.posted[-1].body == endpoint.posted[0].body


async def test_one_sp_that_does_not_answer_delays_no_other(
    start: Start, endpoint: Endpoint, other_endpoint: Endpoint
) -> None:
    endpoint.answer = None
    gateway = await start(senders(sp1=endpoint.port, sp2=other_endpoint.port))

    await gateway.stores.consent.record([refusal(), refusal(scope="sp2")])
    await endpoint.received(1)
    for place in range(3):
        await gateway.stores.consent.record([refusal(place, "sp2")])
        await other_endpoint.received(2 + place)

    assert len(endpoint.posted) == 1
    batches = [posted.batch["batch"] for posted in other_endpoint.posted]
    assert batches == [1, 2, 3, 4]


async def test_all_that_is_on_record_is_brought_to_a_webhook_that_is_new(
    start: Start, endpoint: Endpoint, deploy: Deploy, smsc: SimulatedSmsc
) -> None:
    gateway = await start(senders())
    await gateway.stores.consent.record([refusal(place) for place in range(1200)])

    deploy(smsc.port, senders(sp1=endpoint.port))
    assert await gateway.reload() == ()
    await endpoint.received(3)

    assert [len(posted.notices) for posted in endpoint.posted] == [500, 500, 200]
    assert [posted.batch["is_last"] for posted in endpoint.posted] == [False, False, True]


async def test_r36_a_refusal_of_a_port_or_a_category_is_told_at_once(
    start: Start, endpoint: Endpoint
) -> None:
    gateway = await start(senders(sp1=endpoint.port))
    await gateway.stores.consent.record([refusal()])
    await endpoint.received(1)

    await gateway.stores.consent.record([refusal(1, "sp1 10690001"), refusal(2, "sp1 #loan")])
    await endpoint.received(2)

    told = [(one["port"], one["category"]) for one in endpoint.posted[-1].notices]
    assert told == [("10690001", ""), ("", "loan")]


async def test_a_reload_moves_a_webhook_and_takes_one_away(
    start: Start, endpoint: Endpoint, other_endpoint: Endpoint, deploy: Deploy, smsc: SimulatedSmsc
) -> None:
    gateway = await start(senders(sp1=endpoint.port))
    await gateway.stores.consent.record([refusal()])
    await all_is_taken(gateway)

    deploy(smsc.port, senders(sp1=other_endpoint.port))
    await gateway.reload()
    await gateway.stores.consent.record([refusal(1)])
    await all_is_taken(gateway)
    deploy(smsc.port, senders(sp2=endpoint.port))
    await gateway.reload()
    await gateway.stores.consent.record([refusal(2), refusal(2, "sp2"), refusal(2, EVERY_SENDER)])
    await endpoint.received(2)

    assert [posted.batch["system_id"] for posted in endpoint.posted] == ["sp1", "sp2"]
    assert [posted.batch["batch"] for posted in other_endpoint.posted] == [2]
    assert await gateway.stores.notices.next_batch("sp1") is not None


async def test_metrics_tell_how_long_notices_wait_and_how_many_were_taken(
    start: Start, endpoint: Endpoint, told: Told
) -> None:
    async def figures(gateway: Gateway) -> dict[str, float]:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{gateway.probe_port}/metrics")
        lines = [line for line in answer.text.splitlines() if line.startswith("smsward_notices")]
        return {name: float(value) for name, _, value in (line.partition(" ") for line in lines)}

    endpoint.answer = UNWELL
    gateway = await start(senders(sp1=endpoint.port))
    await gateway.stores.consent.record([refusal(), refusal(1)])
    await endpoint.received(2)
    waiting = await figures(gateway)
    endpoint.answer = TAKEN
    await told("notice.recovered")

    async def none_waits() -> dict[str, float] | None:
        now = await figures(gateway)
        return None if now["smsward_notices_waiting_seconds"] else now

    taken = await poll(none_waits)

    assert waiting["smsward_notices_failed_total"] >= 1
    assert waiting["smsward_notices_waiting_seconds"] > 0
    assert waiting["smsward_notices_delivered_total"] == 0
    assert taken["smsward_notices_delivered_total"] == 2
    assert taken["smsward_notices_given_up_total"] == 0


class NoticesOfMoods(NoticeStore):
    """Notices that cannot be read while they are down; answers came so many `hours` ago."""

    def __init__(self, database: Database, hours: int = 0) -> None:
        super().__init__(database, utcnow)
        ago = timedelta(hours=hours)
        self.consent, self.feed = (
            ConsentStore(database, lambda: utcnow() - ago),
            ChangeFeed(database),
        )
        self.is_down = True
        self.asked = 0

    async def standing_of(self, system_id: str) -> NoticeStanding:
        self.asked += 1
        if self.is_down:
            raise StoreUnavailable("no disk")
        return await super().standing_of(system_id)


async def test_a_store_that_is_away_is_told_once_and_asked_again(
    endpoint: Endpoint, log: LogLines, until: Until, postman: Postman, database: Database
) -> None:
    store = NoticesOfMoods(database)
    await store.consent.record([refusal(), refusal(scope="sp2")])
    running = WebhookNotifier(store, store.feed, postman)
    webhook = Webhook(f"http://127.0.0.1:{endpoint.port}/notices", f"plain:{KEY}")
    running.follow({name: sender(name, webhook) for name in ("sp1", "sp2")})

    await until(lambda: store.asked >= 6)
    store.is_down = False
    await endpoint.received(2)
    running.stop()

    assert [line["said"] for line in log if line["event"] == "notice.store_failed"] == ["no disk"]


async def test_r37_after_72_hours_of_failures_the_log_says_how_many_notices_were_given_up(
    endpoint: Endpoint, postman: Postman, told: Told, database: Database
) -> None:
    endpoint.answer = UNWELL
    store, long_ago = NoticesOfMoods(database, hours=74), utcnow() - timedelta(hours=73)
    store.is_down = False
    await store.note_failure("sp1", "HTTP 503", at=long_ago, next_try_at=long_ago)
    await store.consent.record([refusal(), refusal(1)])
    running = WebhookNotifier(store, store.feed, postman)

    webhook = Webhook(f"http://127.0.0.1:{endpoint.port}/", f"plain:{KEY}")
    running.follow({"sp1": sender("sp1", webhook)})
    line = await told("notice.given_up")

    assert (line["system_id"], line["notices"]) == ("sp1", 2)
    assert running.health().given_up == 2
    running.stop()


async def test_webhooks_that_failed_wait_for_each_other_and_not_those_that_work_for_them(
    endpoint: Endpoint,
    other_endpoint: Endpoint,
    log: LogLines,
    database: Database,
) -> None:
    store = NoticesOfMoods(database)
    store.is_down = False
    endpoint.answer = None
    dead = Webhook(f"http://127.0.0.1:{endpoint.port}/", f"plain:{KEY}")
    works = Webhook(f"http://127.0.0.1:{other_endpoint.port}/", f"plain:{KEY}")
    names = [f"dead{place}" for place in range(12)]
    for name in names:
        await store.note_failure(name, "HTTP 500", at=utcnow(), next_try_at=utcnow())
    await store.consent.record([refusal(scope=name) for name in (*names, "w")])
    await store.consent.record([refusal(scope=EVERY_SENDER)])
    patient = Postman(LOOPBACK, deadline_s=60)
    await patient.open()
    running = WebhookNotifier(store, store.feed, patient)

    running.follow({name: sender(name, dead) for name in names})
    await endpoint.received(8)
    running.follow({name: sender(name, dead if name in names else works) for name in (*names, "w")})
    await other_endpoint.received(1)

    assert len(endpoint.posted) == 8
    running.stop()
    patient.close()
    assert log == []


def sender(system_id: str, webhook: Webhook) -> Sender:
    return Sender(
        system_id,
        "plain:secret",
        system_id,
        SenderState.ACTIVE,
        BindLimits(1, frozenset(), ()),
        (),
        Rate(1, 1),
        1,
        webhook=webhook,
    )
