"""Two nodes of the linkage and a stranger, over TLS on loopback."""

import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.app.case_exchange import CaseExchange
from gateway.app.linkage import LinkageDeployment, LinkageNode
from gateway.domain.linkage import MAX_SKEW, Member, NumberRoute, OutboxState
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.settings.gateway import Node as NodeSettings
from gateway.settings.linkage import LinkageSettings, LinkageTls
from gateway.settings.schema import Address
from gateway.stores import Stores
from gateway.systems.cases.model import CaseState
from gateway.systems.cases.service import CaseDesk
from gateway.systems.linkage.envelope import MAX_ENVELOPE_OCTETS, event_schema
from gateway.systems.linkage.model import EventDraft, EventType
from tests.app.case_sites import calendar, complaint, owners_of
from tests.memory_stores import memory_stores
from tests.systems.linkage.conftest import DATA, Node, dispatched

NAMES = {"a": "gateway", "b": "other"}
DRAFT = EventDraft("e-1", EventType.DISPATCHED, "case-7", "b", DATA)


class Pair:
    """The nodes a and b, each with its store; b listens, and a too."""

    def __init__(self, papers: Path, directory: Path) -> None:
        self.papers, self.directory = papers, directory
        self.ca = directory / "ca.pem"
        pems = [(papers / f"{one}.pem").read_text() for one in NAMES.values()]
        self.ca.write_text("".join(pems))
        self.members = {name: Node(name) for name in NAMES}
        for name, file in NAMES.items():
            der = ssl.PEM_cert_to_DER_cert((papers / f"{file}.pem").read_text())
            member = self.members[name].member
            self.members[name].member = replace(member, certificates=(sha256(der).digest(),))

    def node(
        self, name: str, stores: Stores, urls: dict[str, str], cases: CaseExchange | None = None
    ) -> LinkageNode:
        return LinkageNode(self.settings(name, urls), self.tls(name), f"{name}-1", stores, cases)

    def deployment(self, name: str, ports: tuple[str, ...], **changes: object) -> LinkageDeployment:
        settings = replace(self.settings(name, {}), **changes)  # type: ignore[arg-type]
        gateway = GatewaySettings(
            version=1, listeners=(), smscs=(), node=NodeSettings(name, "广东")
        )
        return LinkageDeployment(gateway, settings, f"{name}-1", owners_of(ports), calendar())

    def settings(self, name: str, urls: dict[str, str]) -> LinkageSettings:
        path = self.directory / f"{name}-sign.pem"
        private = self.members[name].private
        path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        members = tuple(
            replace(one.member, url=urls.get(one.name, "https://127.0.0.1:1/"))
            for one in self.members.values()
        )
        tls = self.tls(name)
        return LinkageSettings(
            version=1, own=name, key=path, members=members, address=Address("127.0.0.1", 0), tls=tls
        )

    def tls(self, name: str) -> LinkageTls:
        own = self.papers / f"{NAMES[name]}.pem"
        return LinkageTls(own, own.with_suffix(".key"), self.ca)

    def client(self, name: str) -> httpx.AsyncClient:
        tls = self.tls(name)
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(tls.certificate, tls.key)
        return httpx.AsyncClient(verify=context, trust_env=False)


@pytest.fixture
def pair(papers: Path, tmp_path: Path) -> Pair:
    return Pair(papers, tmp_path)


@pytest.fixture
async def stores_a() -> AsyncIterator[Stores]:
    async with memory_stores() as stores:
        yield stores


@pytest.fixture
async def stores_b() -> AsyncIterator[Stores]:
    async with memory_stores() as stores:
        yield stores


@pytest.fixture
async def b(pair: Pair, stores_b: Stores) -> AsyncIterator[LinkageNode]:
    node = pair.node("b", stores_b, {})
    await node.server.start()
    yield node
    await node.stop()


@pytest.fixture
async def a(pair: Pair, stores_a: Stores, b: LinkageNode) -> AsyncIterator[LinkageNode]:
    node = pair.node("a", stores_a, {"b": f"https://127.0.0.1:{b.server.port}/"})
    await node.server.start()
    yield node
    await node.stop()


async def say(pair: Pair, stores: Stores, draft: EventDraft = DRAFT) -> None:
    member = pair.members["a"]
    await stores.linkage_outbox.add(draft, member.signer, member.member.source, utcnow())


async def test_an_event_goes_over_mtls_and_is_signed_for(
    pair: Pair, a: LinkageNode, stores_a: Stores, stores_b: Stores
) -> None:
    await say(pair, stores_a)

    assert await a.deliver() == 1

    (sent,) = await stores_a.linkage_outbox.listed(OutboxState.DELIVERED)
    (heard,) = await stores_b.linkage_inbox.listed()
    assert (heard.digest, heard.receipt) == (sent.digest, sent.receipt)


async def test_a_node_pulls_what_did_not_reach_it(
    pair: Pair, a: LinkageNode, stores_a: Stores, stores_b: Stores
) -> None:
    for number in range(1, 61):
        await say(pair, stores_a, replace(DRAFT, id=f"e-{number}"))
    late = pair.node("b", stores_b, {"a": f"https://127.0.0.1:{a.server.port}/"})

    await late.pull()

    await late.stop()
    assert len(await stores_b.linkage_inbox.ready("b", 100)) == 60


async def test_while_the_other_is_down_an_event_waits(pair: Pair, stores_a: Stores) -> None:
    await say(pair, stores_a)
    alone = pair.node("a", stores_a, {})

    assert await alone.deliver() == 0
    await alone.pull()

    await alone.stop()
    (waiting,) = await stores_a.linkage_outbox.listed(OutboxState.WAITING)
    assert (waiting.attempts, waiting.said) == (1, "no_answer")


async def test_an_event_of_a_over_the_certificate_of_b_is_refused(
    pair: Pair, b: LinkageNode, stores_b: Stores
) -> None:
    envelope = pair.members["a"].signer.sign_event(dispatched(time=utcnow()))

    answer = await posted(pair, b, "b", envelope)

    assert (answer.status_code, answer.json()["reason"]) == (403, "wrong_peer")
    assert await stores_b.linkage_inbox.listed() == []


async def test_a_replay_with_another_body_is_answered_409(pair: Pair, b: LinkageNode) -> None:
    signer, now = pair.members["a"].signer, utcnow()
    first = signer.sign_event(dispatched(time=now))
    other = signer.sign_event(dispatched(time=now, data=DATA | {"complaints": 9}))

    answers = [await posted(pair, b, "a", one) for one in (first, first, other)]

    assert [one.status_code for one in answers] == [200, 200, 409]
    assert answers[0].content == answers[1].content
    assert answers[2].json()["reason"] == "conflict"


@pytest.mark.parametrize("off", [-MAX_SKEW, 2 * MAX_SKEW, None])
async def test_a_peer_with_a_wrong_clock_or_none_is_refused(
    pair: Pair, b: LinkageNode, off: timedelta | None
) -> None:
    sent_at = None if off is None else utcnow() + off
    envelope = pair.members["a"].signer.sign_event(dispatched(time=utcnow()))

    answer = await posted(pair, b, "a", envelope, sent_at)

    assert (answer.status_code, answer.json()["reason"]) == (422, "clock_skew")


async def test_an_endless_body_is_refused(pair: Pair, b: LinkageNode) -> None:
    answer = await posted(pair, b, "a", b"x" * (MAX_ENVELOPE_OCTETS + 1))

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("member=a&after=0", 200),
        ("member=a", 200),
        ("member=b", 403),
        ("", 403),
        ("member=a&after=-1", 422),
        ("member=a&after=99999999999999999999999", 422),
    ],
)
async def test_a_member_reads_what_is_for_itself_alone(
    pair: Pair, b: LinkageNode, query: str, status: int
) -> None:
    async with pair.client("a") as client:
        answer = await client.get(f"https://127.0.0.1:{b.server.port}/v1/linkage/outbox?{query}")

    assert answer.status_code == status


async def test_a_node_publishes_the_schema_of_what_it_says(pair: Pair, b: LinkageNode) -> None:
    async with pair.client("a") as client:
        answer = await client.get(f"https://127.0.0.1:{b.server.port}/schemas/linkage-event-1.json")

    assert answer.json() == json.loads(json.dumps(event_schema()))


async def test_a_stranger_with_a_certificate_of_the_ca_is_refused(
    pair: Pair, stores_b: Stores
) -> None:
    unknown = replace(pair.members["a"].member, certificates=())
    pair.members["a"].member = unknown
    node = pair.node("b", stores_b, {})
    await node.server.start()
    envelope = pair.members["a"].signer.sign_event(dispatched(time=utcnow()))

    answer = await posted(pair, node, "a", envelope)

    await node.stop()
    assert (answer.status_code, answer.json()["reason"]) == (403, "unknown_peer")


async def test_without_a_certificate_there_is_no_connection(pair: Pair, b: LinkageNode) -> None:
    context = ssl.create_default_context(cafile=str(pair.ca))
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(f"https://127.0.0.1:{b.server.port}/v1/linkage/outbox")


async def test_a_case_goes_over_mtls_and_what_is_done_to_it_comes_back(
    pair: Pair, a: LinkageNode, b: LinkageNode, stores_a: Stores, stores_b: Stores
) -> None:
    registry = pair.settings("a", {}).registry
    url = f"https://127.0.0.1:{a.server.port}/"
    cases_a = pair.deployment("a", (), routes=(NumberRoute("1069", "b"),)).cases(stores_a)
    node_a = pair.node("a", stores_a, {"b": f"https://127.0.0.1:{b.server.port}/"}, cases_a)
    cases_b = pair.deployment("b", ("10690001",)).cases(stores_b)
    node_b = pair.node("b", stores_b, {"a": url}, cases_b)
    desk = CaseDesk(stores_a.cases, calendar)
    own = registry.own_member.organisation
    await desk.take([complaint(sender="10690001", front_owner=own, taken_at=utcnow())], "match")

    for node in (node_a, node_b, node_a):
        await node.work()
        await node.deliver()
        await node.stop()

    case = await stores_a.cases.get(1)
    assert case is not None
    assert (case.state, case.owner) == (CaseState.ACKED, "b/广东")


async def posted(
    pair: Pair, node: LinkageNode, name: str, envelope: bytes, sent_at: object = ...
) -> httpx.Response:
    """Post as the member `name`; at once unless a time is given, None for no time."""
    at = utcnow() if sent_at is ... else sent_at
    headers = {} if not isinstance(at, datetime) else {"Date": format_datetime(at.astimezone(UTC))}
    async with pair.client(name) as client:
        url = f"https://127.0.0.1:{node.server.port}/v1/linkage/inbox"
        return await client.post(url, content=envelope, headers=headers)


@pytest.mark.parametrize("number", [2**63, "9" * 20, 0, -1, None])
async def test_an_outbox_with_an_impossible_number_is_read_as_none(
    pair: Pair, stores_a: Stores, monkeypatch: pytest.MonkeyPatch, number: object
) -> None:
    node = pair.node("a", stores_a, {})
    page = json.dumps({"events": [{"number": number, "envelope": "x"}]}).encode()

    async def answer(_request: httpx.Request) -> tuple[int, bytes]:
        return 200, page

    monkeypatch.setattr(node._client, "_answer", answer)

    assert await node._client.fetch(pair.members["b"].member, 0) == []

    await node.stop()


async def test_a_fault_with_one_peer_ends_no_exchange(
    pair: Pair, stores_a: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = pair.node("a", stores_a, {})
    node._peers *= 2
    asked: list[str] = []

    async def broken(peer: Member, *_: object) -> int:
        asked.append(peer.name)
        raise OverflowError

    monkeypatch.setattr(node.inbox, "pull", broken)
    await node.pull()

    await node.stop()
    assert asked == ["b", "b"]
