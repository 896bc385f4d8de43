"""One log line for each request: who asked what, by the route's template, and the status."""

from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.runtime.clock import monotonic
from gateway.session.event_quota import EventQuota

log = structlog.get_logger()

STRANGERS_ROWS = 32  # lines a minute for requests without a valid token, and as many of counts


class AnswerLog:
    """Logs every answer; never a path, a body or a header, which may hold numbers and tokens.

    Of what is answered without a valid token only the first of each kind and address in a minute
    has a line; how many came beside it is logged with the first request after that minute.
    """

    def __init__(self, app: ASGIApp, now: Callable[[], float] = monotonic) -> None:
        self._app = app
        self._now = now
        self._quota = EventQuota(STRANGERS_ROWS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._tell(scope, status)

    def _tell(self, scope: Scope, status: int) -> None:
        now = self._now()
        for one in self._quota.repeated(now):
            about = {"address": one.origin or "others", "count": one.times}
            log.info("api.repeated", status=int(one.reason), **about)
        client = scope.get("state", {}).get("client")
        address = scope["client"][0] if scope.get("client") else ""
        if client is None and not self._quota.admits("api.answered", str(status), address, now):
            return
        log.info(
            "api.answered",
            client=client.name if client is not None else "",
            method=scope["method"] if scope["method"] in _METHODS else "",
            route=getattr(scope.get("route"), "path", ""),
            status=status,
        )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
