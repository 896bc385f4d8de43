"""The control socket: commands ask a running gateway, one line of JSON each way."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import orjson
import structlog

from gateway.runtime.acceptor import short_address
from gateway.runtime.tasks import spawn
from gateway.runtime.traces import span
from gateway.storage.errors import StoreUnavailable

log = structlog.get_logger()

# Returns what orjson can write. Raises OrderRefusedError, and StoreUnavailable.
Answer = Callable[[Mapping[str, object]], Awaitable[object]]

_MODE = 0o600
_MAX_QUESTION_OCTETS = 64 * 1024
_QUESTION_S = 5.0
_BACKLOG = 16


class OrderRefusedError(Exception):
    """What was asked cannot be done. `advice` says what the person at the terminal can do."""

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(problem)
        self.advice = advice


class ControlSocket:
    """Answers at `path`, where only the gateway's own account and root can connect."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._answers: Mapping[str, Answer] = {}
        self._server: asyncio.Server | None = None
        self._file: os.stat_result | None = (
            None  # of the socket: its inode is no other's while it is open
        )

    async def start(self, answers: Mapping[str, Answer]) -> None:
        """Open the socket in place of one that a killed gateway left. Raises OSError.

        `answers` has one function for each question, by the name that stands under "do".
        """
        self._answers = answers
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_address(self.path) as address:
                listener.bind(address)
            self.path.chmod(_MODE)  # nobody can connect before it listens
            self._file = self.path.stat()
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        self._server = await asyncio.start_unix_server(
            self._accept, sock=listener, limit=_MAX_QUESTION_OCTETS
        )

    def stop(self) -> None:
        """Close the socket and remove its file, unless another stands there. May be repeated."""
        if self._server is not None and self._file is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(self.path.stat(), self._file):
                    self.path.unlink()
            self._server.close()
            self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spawn(self._serve(reader, writer), name="control")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_QUESTION_S):
                question = await reader.readline()
            writer.write(await self._answer(question) + b"\n")
            async with asyncio.timeout(_QUESTION_S):
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            return  # who asked has gone, or said more than a line
        finally:
            writer.close()

    async def _answer(self, question: bytes) -> bytes:
        try:
            asked = orjson.loads(question)
            answer = self._answers[asked["do"]]
        except (ValueError, LookupError, TypeError):
            return _refusal("the gateway does not know this question", "is it another version?")
        try:
            with span(f"control {asked['do']}"):  # one of the questions that there are
                return orjson.dumps({"answer": await answer(asked)})
        except OrderRefusedError as refused:
            return _refusal(str(refused), refused.advice)
        except StoreUnavailable as error:
            return _refusal(f"the store does not answer, and nothing was changed: {error}")
        except Exception as error:  # the edge of this task: who asked hears of it, as the log does
            log.exception("task.failed", task="control", exc_info=error)
            return _refusal("the gateway failed at it", "its log tells why (task.failed)")


def _refusal(problem: str, advice: str = "") -> bytes:
    return orjson.dumps({"refused": problem, "advice": advice})
