"""One log line for each request: who asked what, by the route's template, and the status."""

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()


class Lines:
    """Logs every answer; never a path, a body or a header, which may hold numbers and tokens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
            client = scope.get("state", {}).get("client")
            log.info(
                "api.answered",
                client=client.name if client is not None else "",
                method=scope["method"] if scope["method"] in _METHODS else "",
                route=getattr(scope.get("route"), "path", ""),
                status=status,
            )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
