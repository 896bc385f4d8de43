"""`smsward linkage run`: takes events from members over mTLS, posts what waits, pulls the rest.

What the events are about, the cases, is joined here too: cases go out, and what comes is applied.
"""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from urllib.parse import urljoin

import httpx
import orjson
import structlog

from gateway.app.case_exchange import CaseExchange
from gateway.app.event_applier import CaseOwnership
from gateway.app.linkage_metrics import metrics_server
from gateway.console.http_server import HttpServer
from gateway.domain.linkage import EventRefusal, Member, RefusalReason, organisation_of
from gateway.domain.sender import PortOwners
from gateway.policy.hours import HolidayCalendar
from gateway.proxy.listener import listener_context, smsc_context
from gateway.runtime.child_process import give_way
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import agreement_key, signing_key
from gateway.runtime.tasks import asked_to_stop, cancel_all, spawn
from gateway.settings.gateway import GatewaySettings, ListenerTls, keys_of
from gateway.settings.linkage import LinkageSettings, LinkageTls
from gateway.settings.smscs import SmscTls
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, open_store
from gateway.systems.linkage.api import INBOX, OUTBOX, PULLED_AT_ONCE, linkage_app
from gateway.systems.linkage.envelope import MAX_ENVELOPE_OCTETS, EventSigner
from gateway.systems.linkage.model import LinkageCounts
from gateway.systems.linkage.number_plan import MemberFinder
from gateway.systems.linkage.pair_keys import PairKeys
from gateway.systems.linkage.service import LinkageInbox, LinkageOutbox
from gateway.terminal.failure import ExitCode

log = structlog.get_logger()

_ANSWER_S = 10.0
_MAX_ANSWER_OCTETS = 2 * PULLED_AT_ONCE * MAX_ENVELOPE_OCTETS
_DELIVER_EVERY_S = 1.0
_PULL_EVERY = 60  # rounds
_STOP_S = 3.0
_LAST_NUMBER = 2**63 - 1


class MemberClient:
    """Posts to members and reads their outboxes; no answer is no fault of ours."""

    def __init__(self, own: str, context: ssl.SSLContext, utcnow: Callable[[], datetime]) -> None:
        self._own = own
        self._utcnow = utcnow
        self._client = httpx.AsyncClient(verify=context, timeout=_ANSWER_S, trust_env=False)

    async def post(self, peer: Member, envelope: bytes) -> bytes | EventRefusal | None:
        """Return the receipt or the refusal of a peer, None for any other answer and for none."""
        headers = {
            "Content-Type": "application/jose+json",
            "Date": format_datetime(self._utcnow(), usegmt=True),
        }
        request = self._client.build_request(
            "POST", urljoin(peer.url, INBOX), content=envelope, headers=headers
        )
        status, answer = await self._answer(request)
        if status == httpx.codes.OK:
            return answer
        try:
            return EventRefusal(RefusalReason(orjson.loads(answer)["reason"]))
        except (ValueError, KeyError, TypeError):
            return None

    async def fetch(self, peer: Member, after: int) -> Sequence[tuple[int, bytes]]:
        """Return events of a peer's outbox for this node, none where it does not answer."""
        query: dict[str, str | int] = {"member": self._own, "after": after}
        request = self._client.build_request("GET", urljoin(peer.url, OUTBOX), params=query)
        status, answer = await self._answer(request)
        try:
            events = orjson.loads(answer)["events"] if status == httpx.codes.OK else []
            some = events[:PULLED_AT_ONCE]
            found = [(int(one["number"]), str(one["envelope"]).encode()) for one in some]
        except (ValueError, KeyError, TypeError):
            return []
        # What a peer says twice, or again, must not be asked for ever.
        return [one for one in found if after < one[0] <= _LAST_NUMBER]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _answer(self, request: httpx.Request) -> tuple[int, bytes]:
        octets = bytearray()
        self._client.cookies.clear()  # a peer's could grow without end
        try:
            async with asyncio.timeout(_ANSWER_S):
                answer = await self._client.send(request, stream=True)
                try:
                    async for chunk in answer.aiter_raw():
                        octets += chunk
                        if len(octets) > _MAX_ANSWER_OCTETS:
                            return 0, b""
                finally:
                    await answer.aclose()
        except (httpx.HTTPError, TimeoutError):
            return 0, b""
        return answer.status_code, bytes(octets)


class LinkageNode:
    """One process of the linkage, to be made inside its running loop.

    Without `cases` it only carries events.
    """

    def __init__(
        self,
        settings: LinkageSettings,
        tls: LinkageTls,
        kid: str,
        stores: Stores,
        cases: CaseExchange | None = None,
    ) -> None:
        registry = settings.registry
        signer = EventSigner(kid, signing_key(settings.key))
        self._cases = cases
        counts = LinkageCounts() if cases is None else cases.counts
        self.inbox = LinkageInbox(
            stores.linkage_inbox,
            registry,
            signer,
            None if cases is None else cases.has_most_cases,
            counts,
        )
        hub = registry.find(settings.hub) if settings.hub is not None else None
        self.outbox = LinkageOutbox(stores.linkage_outbox, registry, hub, counts)
        self._peers = [one for one in registry.members if one.name != registry.own]
        context = smsc_context(SmscTls(tls.ca, tls.certificate, tls.key))
        self._client = MemberClient(registry.own, context, utcnow)
        self.server = HttpServer(
            settings.address,
            linkage_app(registry, self.inbox, stores.linkage_outbox, utcnow),
            whom="for the linkage",
            file="linkage.yaml",
            tls=listener_context(ListenerTls(tls.certificate, tls.key, tls.ca)),
        )
        self._servers = [self.server]
        if settings.metrics is not None:
            self.metrics = metrics_server(settings.metrics, counts, stores.linkage_outbox, utcnow)
            self._servers.append(self.metrics)

    async def start(self) -> None:
        """Open the ports. Raises OSError."""
        for one in self._servers:
            await one.start()

    async def deliver(self) -> int:
        """Post what is due; return how much of it is signed for."""
        return await self.outbox.deliver(self._client.post, utcnow(), random.random)

    async def work(self) -> None:
        """Put out what was done to cases, and apply what came."""
        if self._cases is not None:
            await self._cases.work(utcnow())

    async def pull(self) -> None:
        """Read the outbox of each peer; no peer's fault keeps the others from theirs."""
        for peer in self._peers:
            await self._attempt(partial(self.inbox.pull, peer, self._client.fetch, utcnow()))

    async def exchange(self) -> None:
        """Work on cases, deliver and pull until cancelled."""
        turn = 0
        while True:
            await self._attempt(self.work)
            await self._attempt(self.deliver)
            if turn % _PULL_EVERY == 0:
                await self.pull()
            turn += 1
            await asyncio.sleep(_DELIVER_EVERY_S)

    async def _attempt(self, step: Callable[[], Awaitable[object]]) -> None:
        try:
            await step()
        except StoreUnavailable as error:
            log.warning("store.failed", said=str(error))
        except Exception as error:  # noqa: BLE001 - the loop's edge: what one peer says ends no other
            log.error("linkage.failed", said=type(error).__name__)

    async def stop(self) -> None:
        """Close the ports and the connections."""
        for one in self._servers:
            await one.stop()
        await self._client.close()


@dataclass(frozen=True, slots=True)
class LinkageDeployment:
    """The files of a node: `kid` is its key in use, `owners` and `calendar` as they are now."""

    gateway: GatewaySettings
    settings: LinkageSettings
    kid: str
    owners: PortOwners
    calendar: HolidayCalendar

    def cases(self, stores: Stores) -> CaseExchange:
        """Return what exchanges the cases of this node."""
        settings, node = self.settings, self.gateway.node
        ownership = CaseOwnership(
            organisation_of(node.carrier, node.province),
            MemberFinder(settings.registry, settings.routes),
            lambda: self.owners,
            settings.accept,
            frozenset(settings.text_categories),
        )
        signer = EventSigner(self.kid, signing_key(settings.key))
        return CaseExchange(
            stores,
            settings.registry,
            signer,
            ownership,
            lambda: self.calendar,
            pair_keys_of(settings),
        )


def pair_keys_of(settings: LinkageSettings) -> PairKeys:
    """Return the secrets of this node with each other member."""
    return PairKeys(settings.registry, map(agreement_key, settings.agreement_keys))


def serve_linkage(deployment: LinkageDeployment) -> int:
    """Run until SIGTERM or SIGINT; return the exit code. The settings have `tls`."""
    assert deployment.settings.tls is not None  # noqa: S101 - the command has looked
    return asyncio.run(_serve(deployment, deployment.settings.tls))


async def _serve(deployment: LinkageDeployment, tls: LinkageTls) -> int:
    gateway, settings = deployment.gateway, deployment.settings
    give_way()
    asked = asked_to_stop()
    try:
        stores = await open_store(
            gateway.store.url, keys=keys_of(gateway), max_octets=gateway.store.max_octets
        )
    except StoreUnavailable as error:
        log.error("linkage.failed", said=str(error))
        return ExitCode.FAILED
    try:
        node = LinkageNode(settings, tls, deployment.kid, stores, deployment.cases(stores))
        await node.start()
    except (OSError, ssl.SSLError) as error:
        log.error("linkage.failed", said=str(error))
        await stores.close()
        return ExitCode.FAILED
    log.info("linkage.opened", address=f"{settings.address.host}:{node.server.port}")
    spawn(node.exchange(), name="linkage")
    await asked.wait()
    await node.stop()
    await cancel_all(_STOP_S)
    await stores.close()
    return ExitCode.FINE
