"""HTTP to the webhooks of SPs, from a thread of its own.

A name server that hangs blocks a thread, and a TLS handshake costs milliseconds: neither
may delay the loop that carries the traffic.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from gateway import __version__
from gateway.app.webhook_addresses import Network
from gateway.app.webhook_connections import AddressForbiddenError, GuardedTransport

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
        self._networks = tuple(networks)
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
            transport=GuardedTransport(
                self._networks,
                _LIMITS,
                ssl.create_default_context(),  # what the system trusts
            ),
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
                await _read_out(answer)
        except TimeoutError:
            return _LATE if said is None else said
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return _reason(error) if said is None else said
        return said


async def _read_out(answer: httpx.Response) -> None:
    """Read a short answer to its end; stop reading a long one."""
    octets = 0
    async for chunk in answer.aiter_raw():
        octets += len(chunk)
        if octets > _ANSWER_OCTETS:
            return


def _reason(error: BaseException) -> str:
    """Return why no answer came, without any text from the peer."""
    found = (
        words
        for cause in _causes(error)
        for kind, words in _REASONS.items()
        if isinstance(cause, kind)
    )
    return next(found, "the connection ended without an answer")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the causes, innermost first: httpx itself mostly reports only "no connection"."""
    if error is not None:
        yield from _causes(error.__cause__ or error.__context__)
        yield error
