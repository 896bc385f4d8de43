"""Acts that are done once however often they are sent: by the header Idempotency-Key.

The key is the client's, and stands for one request: its method, path and body. The answer to it is
kept for a day and told again, so that a client that heard nothing may ask again.
"""

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.storage.errors import StoreUnavailable, logged
from gateway.web.problems import Problem, ProblemError, not_as_described

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
MAX_KEPT_OCTETS = 64 * 1024
MAX_KEY_CHARS = 128

_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY_CHARS}}}")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BROKEN = 500
_UNKNOWN_OUTCOME = (
    "a request with this key was begun, and its answer is not kept: look at what it was to change"
)
_MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What stands for a key: the digest of its request, and the answer.

    Without an answer, the request being answered or broken off, `status` is 0.
    """

    request_sha256: str
    status: int = 0
    body: bytes = field(default=b"", repr=False)


class KeptAnswers(Protocol):
    """Keeps the answers of a day. Every call raises StoreUnavailable."""

    async def reserve(self, client: str, key_sha256: str, request_sha256: str) -> KeptAnswer | None:
        """Return what stands for a key of a client; None if it stands for this request from now."""

    async def keep(self, key_sha256: str, status: int, body: bytes) -> None:
        """Keep the answer to the request of a key."""

    async def forget(self, key_sha256: str) -> None:
        """Forget a key: its request changed nothing."""


def has_key(scope: Scope) -> bool:
    """Tell whether a request may change something, and shall do so once."""
    return scope["method"] not in _SAFE and IDEMPOTENCY_KEY in Headers(scope=scope)


@dataclass(frozen=True, slots=True)
class OnceOnly:
    """Lets `app` answer each request with a key once, and tells what was kept of it later."""

    app: ASGIApp
    answers: KeptAnswers

    async def answer(
        self, client: str, body: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a request of a client. Raises ProblemError, also where the store is silent.

        A key of another request is a 422; that of one under way, or broken off, a 409.
        What was done is kept. What changed nothing may be asked again with the same key.
        """
        key = _key_of(client, scope)
        digest = _digest_of(scope, body)
        try:
            kept = await self.answers.reserve(client, key, digest)
        except StoreUnavailable as error:
            raise ProblemError(Problem.UNAVAILABLE, headers={"Retry-After": "1"}) from error
        if kept is not None:
            await _told_again(kept, digest)(scope, receive, send)
            return
        heard = _AnswerCopy(send)
        await self.app(scope, receive, heard.send)
        is_secret = scope["state"].get("is_secret", False)
        if heard.is_done and not is_secret and len(heard.body) <= MAX_KEPT_OCTETS:
            await logged(self.answers.keep(key, heard.status, bytes(heard.body)))
        elif not heard.is_done and heard.status != _BROKEN:
            await logged(self.answers.forget(key))


class _AnswerCopy:
    """Passes an answer on, and remembers it."""

    def __init__(self, send: Send) -> None:
        self.status = _BROKEN
        self.body = bytearray()
        self._send = send

    @property
    def is_done(self) -> bool:
        """Tell whether the request was done."""
        return 200 <= self.status < 300

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif len(self.body) <= MAX_KEPT_OCTETS:
            self.body += message.get("body", b"")
        await self._send(message)


def _key_of(client: str, scope: Scope) -> str:
    key = Headers(scope=scope)[IDEMPOTENCY_KEY]
    if _KEY.fullmatch(key) is None:
        raise not_as_described(
            f"/{IDEMPOTENCY_KEY}", f"must be 1 to {MAX_KEY_CHARS} visible characters of ASCII"
        )
    return sha256(f"{client}\n{key}".encode()).hexdigest()


def _digest_of(scope: Scope, body: bytes) -> str:
    where = scope.get("raw_path") or scope["path"].encode()
    parts = (scope["method"].encode(), where, scope.get("query_string", b""), body)
    return sha256(b"\n".join(parts)).hexdigest()


def _told_again(kept: KeptAnswer, digest: str) -> Response:
    """Return what was kept. Raises ProblemError where that is nothing, or of another request."""
    if kept.request_sha256 != digest:
        raise ProblemError(Problem.KEY_REUSED)
    if not kept.status:
        raise ProblemError(Problem.CONFLICT, _UNKNOWN_OUTCOME)
    answer = Response(kept.body, kept.status, media_type=_MEDIA_TYPE)
    MutableHeaders(raw=answer.raw_headers)[REPLAYED] = "true"
    return answer
