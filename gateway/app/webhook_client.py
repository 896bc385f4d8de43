"""HTTP to the webhooks of SPs, from a thread of its own, to addresses that are allowed.

A name server that hangs blocks a thread, and a TLS handshake costs milliseconds: neither may delay
the loop that carries the traffic. An SP chooses the URL and the address: unchecked, it could reach
what only this machine can, above all the metadata service of a cloud (169.254.169.254). One task
for each SP tells it of its subscribers' answers (R36, R37).
"""

import asyncio
import random
import secrets
import socket
import ssl
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NoReturn

import httpcore
import httpx
import structlog

from gateway import __version__
from gateway.domain.consent import EVERY_SENDER, parts_of
from gateway.domain.sender import Sender, Webhook
from gateway.runtime.clock import utcnow
from gateway.runtime.snapshot import NoticesHealth
from gateway.runtime.tasks import spawn
from gateway.settings.credentials import secret_of
from gateway.storage.change_feed import ChangeFeed, ChangeKind
from gateway.storage.errors import StoreUnavailable
from gateway.systems.optout_notices.model import NoticeBatch
from gateway.systems.optout_notices.service import (
    Courier,
    CourierContext,
    Delivery,
    body_of,
    signature_of,
)
from gateway.systems.optout_notices.sql import NoticeStore

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IPv6 networks with an IPv4 address at the end, which a translator dials (RFC 6052, 8215, 4291,
# 2765).
_TRANSLATED = tuple(
    map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96"))
)
# Not allowed although some count as global: protocol addresses (RFC 6890), 6to4 relays (RFC 7526),
# the host of an Azure machine, the prefix of a local translator, and sites (RFC 3879).
_NOT_PUBLIC = [
    *map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")),
    *map(ip_network, ("64:ff9b:1::/48", "fec0::/10")),
]


def may_be_dialled(address: Address, networks: Iterable[Network] = ()) -> bool:
    """Tell whether a webhook may have this address: public, or in one of `networks`."""
    return any(address in network for network in networks) or all(map(_is_public, _meant(address)))


def _is_public(address: Address) -> bool:
    is_local = any(address in network for network in _NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not is_local


def _meant(address: Address) -> Iterator[Address]:
    """Yield the address, and the IPv4 addresses that routers or this system map it to."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if inner is not None:
            yield inner
            return
        if any(address in network for network in _TRANSLATED):
            yield IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour is not None:
            yield address.sixtofour
    yield address


log = structlog.get_logger()

_MAX_TRIED = 4


class AddressForbiddenError(OSError):
    """A name stands for addresses that no webhook may have."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses, and to those in `networks`.

    Every connection is resolved here, once, and goes to an address that was looked at: what a
    name server says a moment later is too late.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore has it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a stream; raises ConnectError or ConnectTimeout of httpcore."""
        try:
            async with asyncio.timeout(timeout):
                *others, last = await self._addresses(host, port)
                way = (port, None, local_address, socket_options)
                for address in others:
                    with suppress(httpcore.ConnectError):
                        return await self._inner.connect_tcp(str(address), *way)
                return await self._inner.connect_tcp(str(last), *way)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError from error

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        """Return what may be dialled for `host`. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found)
        allowed = [one for one in addresses if may_be_dialled(one, self._networks)]
        if not allowed:
            raise AddressForbiddenError("no public address, nor one of webhooks.networks")
        return allowed[:_MAX_TRIED]


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, over connections of a GuardedBackend."""

    def __init__(
        self, networks: Sequence[Network], limits: httpx.Limits, context: ssl.SSLContext
    ) -> None:
        super().__init__(verify=context, limits=limits, trust_env=False)
        # httpx has no argument for it; tests would see connections that are not guarded.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=GuardedBackend(networks),
        )


_DEADLINE_S = 10.0  # for all of it: name, connection, request and answer
_ANSWER_OCTETS = 4096  # not used; reading a short answer lets the connection be used again
_LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=30)
_NAMES_AT_ONCE = 16
_LATE = "no answer in time"
# Subclasses before their base classes.
_REASONS: Mapping[type[BaseException], str] = {
    ssl.SSLCertVerificationError: "its certificate is not trusted",
    ssl.SSLError: "no TLS with it",
    socket.gaierror: "its name is not found",
    AddressForbiddenError: "its address is not public: webhooks.networks of gateway.yaml allows it",
    httpx.ConnectTimeout: "no connection in time",
    httpx.TimeoutException: _LATE,
    httpx.ConnectError: "no connection",
}


class Postman:
    """Posts only to the given URLs: it follows no redirect and uses no proxy.

    It connects only to public addresses and to addresses in `networks`. Call `open` before the
    first post. `close` does not wait, and may be repeated.
    """

    def __init__(
        self, networks: Sequence[Network] = (), *, deadline_s: float = _DEADLINE_S
    ) -> None:
        self.networks = list(networks)  # the thread reads it, and sees what is put into it
        self._deadline_s = deadline_s
        self._is_open = threading.Event()
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx.AsyncClient | None = None
        self._thread = threading.Thread(target=self._serve, name="postman", daemon=True)

    async def open(self) -> None:
        """Start the thread, once, and wait for it; may be repeated, also at the same time."""
        if self._thread.ident is None:
            self._thread.start()
        if not self._is_open.is_set():
            await asyncio.to_thread(self._is_open.wait)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Post `body`; return "" for a 2xx answer, else the reason in a few fixed words."""
        assert self._loop is not None  # noqa: S101 - a caller's mistake
        posting = asyncio.run_coroutine_threadsafe(self._post(url, body, headers), self._loop)
        return await asyncio.wrap_future(posting)

    def close(self) -> None:
        """Cancel the posts under way and end the thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it is closed already
                self._loop.call_soon_threadsafe(self._stopping.set)

    def _serve(self) -> None:
        try:
            asyncio.run(self._keep_open())
        finally:
            self._is_open.set()  # so that `open` does not wait for ever

    async def _keep_open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_NAMES_AT_ONCE, "postman-names"))
        async with httpx.AsyncClient(
            # The context trusts what the system trusts.
            transport=GuardedTransport(self.networks, _LIMITS, ssl.create_default_context()),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"User-Agent": f"smsward/{__version__}"},
            # httpcore 1.0 leaks a connection that is cancelled in its handshake. These timeouts
            # end name look-up and TCP, and then TLS, before the deadline does.
            timeout=httpx.Timeout(self._deadline_s, connect=0.4 * self._deadline_s),
            follow_redirects=False,
            trust_env=False,
        ) as self._client:
            self._is_open.set()
            await self._stopping.wait()
            # Cancel them before the client closes, or it would leak their connections.
            under_way = asyncio.all_tasks() - {asyncio.current_task()}
            for posting in under_way:
                posting.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        assert self._client is not None  # noqa: S101 - the thread is open
        said: str | None = None
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                said = "" if answer.is_success else f"HTTP {answer.status_code}"
                octets = 0
                async for chunk in answer.aiter_raw():
                    octets += len(chunk)
                    if octets > _ANSWER_OCTETS:
                        break
        except TimeoutError:
            return _LATE if said is None else said
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return _reason(error) if said is None else said
        return said


def _reason(error: BaseException | None) -> str:
    """Return why no answer came, without any text from the peer.

    The innermost cause counts: httpx itself mostly reports only "no connection".
    """
    words = "the connection ended without an answer"
    while error is not None:
        words = next((said for kind, said in _REASONS.items() if isinstance(error, kind)), words)
        error = error.__cause__ or error.__context__
    return words


_EVERY_S = 1.0
_CHANGES_AT_ONCE = 20
_STORE_PAUSE = timedelta(seconds=5)
# At most so many webhooks that failed last time are tried at once; working ones do not wait.
_DOUBTFUL_AT_ONCE = 8
# A batch of 500 costs the loop about 10 ms and the store three commits. This pace leaves most of
# both to traffic, for any number of SPs and notices.
_PACE_S, _NOTICES_PER_S = 0.01, 5000


async def post_signed(postman: Postman, webhook: Webhook, body: bytes) -> str:
    """Post JSON, signed with the key of the webhook; return why it was not taken, "" if it was."""
    timestamp = int(utcnow().timestamp())
    signature = signature_of(body, secret_of(webhook.key), timestamp)
    headers = {
        "Content-Type": "application/json",
        "X-Smsward-Timestamp": str(timestamp),
        "X-Smsward-Signature": f"sha256={signature}",
    }
    await postman.open()
    return await postman.post(webhook.url, body, headers)


@dataclass(slots=True, eq=False)
class _Round:
    """One SP's webhook, and the task that delivers to it."""

    webhook: Webhook
    courier: Courier
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[NoReturn] | None = None
    waiting_since: datetime | None = None


class WebhookNotifier:
    """Delivers to every webhook of senders.yaml while it runs."""

    def __init__(self, store: NoticeStore, feed: ChangeFeed, postman: Postman) -> None:
        self._store = store
        self._feed = feed
        self.postman = postman
        self._rounds: dict[str, _Round] = {}
        self._doubtful = asyncio.Semaphore(_DOUBTFUL_AT_ONCE)
        self._pace, self._owed_s = asyncio.Lock(), 0.0
        self._seen: int | None = None
        self._is_failing = False
        self._delivered = self._failed = self._given_up = 0
        self._around = CourierContext(utcnow, random.random, secrets.token_hex(8))

    def follow(self, senders: Mapping[str, Sender]) -> None:
        """Deliver to the webhooks of `senders` and to no others from now on."""
        wanted = {one.system_id: one.webhook for one in senders.values() if one.webhook}
        for system_id, around in list(self._rounds.items()):
            if wanted.get(system_id) != around.webhook:
                del self._rounds[system_id]
                if around.task is not None:
                    around.task.cancel()
        for system_id in wanted.keys() - self._rounds.keys():
            self._begin(system_id, wanted[system_id])

    async def watch(self) -> NoReturn:
        """Wake the tasks of SPs that have new answers of subscribers; runs until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            if not self._rounds:
                self._seen = None
                continue
            with suppress(StoreUnavailable):  # the other loops on the store log it
                await self._look()

    def stop(self) -> None:
        """Stop delivering; unfinished deliveries are repeated after the next start."""
        self.follow({})
        self.postman.close()

    def health(self) -> NoticesHealth:
        """Return the health for one scrape of the metrics."""
        now = utcnow()
        waits = [now - one.waiting_since for one in self._rounds.values() if one.waiting_since]
        waiting_s = max((wait.total_seconds() for wait in waits), default=0.0)
        return NoticesHealth(waiting_s, self._delivered, self._failed, self._given_up)

    def _begin(self, system_id: str, webhook: Webhook) -> None:
        async def bring(batch: NoticeBatch, attempts: int) -> str:
            async with self._doubtful if attempts else nullcontext():
                return await self.post(webhook, body_of(system_id, batch))

        courier = Courier(system_id, self._store, bring, self._around)
        around = self._rounds[system_id] = _Round(webhook, courier)
        around.task = spawn(self._go(around), name=f"notices-{system_id}")

    async def post(self, webhook: Webhook, body: bytes) -> str:
        """Post `body`, signed; return why it was not taken, "" if it was."""
        return await post_signed(self.postman, webhook, body)

    async def _go(self, around: _Round) -> NoReturn:
        while True:
            around.wake.clear()
            pause = await self._deliver(around)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if pause is None else pause.total_seconds()):
                    await around.wake.wait()

    async def _deliver(self, around: _Round) -> timedelta | None:
        """Deliver all that the webhook accepts; return the pause, None to wait for new answers."""
        courier = around.courier
        try:
            while (delivery := await self._next(courier)).delivered:
                self._tell(courier.system_id, delivery)
            self._tell(courier.system_id, delivery)
            waits = delivery.again_in is not None
            since = await self._store.waiting_since(courier.system_id) if waits else None
            around.waiting_since = since
        except StoreUnavailable as error:
            if not self._is_failing:
                self._is_failing = True
                log.error("notice.store_failed", said=str(error))
            return _STORE_PAUSE
        self._is_failing = False
        return delivery.again_in

    async def _next(self, courier: Courier) -> Delivery:
        async with self._pace:  # first come, first served: one SP's backlog delays no other
            pause_s, self._owed_s = _PACE_S + self._owed_s, 0.0
            await asyncio.sleep(pause_s)
        delivery = await courier.deliver()
        self._owed_s += delivery.delivered / _NOTICES_PER_S
        return delivery

    def _tell(self, system_id: str, delivery: Delivery) -> None:
        self._delivered += delivery.delivered
        self._given_up += delivery.given_up
        if delivery.failure:
            self._failed += 1
            if delivery.attempts == 1:  # the first in a row: a dead webhook fills no log
                log.warning("notice.failed", system_id=system_id, said=delivery.failure)
        if delivery.delivered and delivery.attempts:
            log.info("notice.recovered", system_id=system_id, attempts=delivery.attempts)
        if delivery.given_up:
            log.error("notice.given_up", system_id=system_id, notices=delivery.given_up)

    async def _look(self) -> None:
        if self._seen is None:
            self._seen = await self._feed.latest()
            self._wake({EVERY_SENDER})
        while page := await self._feed.changes(self._seen, _CHANGES_AT_ONCE):
            last = page[-1].number
            if any(change.kind is ChangeKind.CONSENT for change in page):
                self._wake(await self._store.scopes_changed(self._seen, last))
            self._seen = last

    def _wake(self, scopes: Collection[str]) -> None:
        senders = {parts_of(one).system_id for one in scopes}
        for system_id, around in self._rounds.items():
            if EVERY_SENDER in senders or system_id in senders:
                around.wake.set()
