"""Bind at the SMSC on behalf of an SP."""

import asyncio
import ssl
from dataclasses import dataclass

from gateway.dataplane.attention import BindAnswer
from gateway.dataplane.link import Link
from gateway.dataplane.relay import renumbered
from gateway.proxy.connection import Connection, Numbers
from gateway.proxy.tick import Tick
from gateway.runtime.clock import monotonic
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import HEADER
from gateway.smpp.status import CommandStatus


@dataclass(frozen=True, slots=True)
class Target:
    """Where an SMSC listens; `tls` is ready to use, None for plain TCP."""

    name: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


class SmscUnreachableError(Exception):
    """No connection, or no answer to the bind; the message says which."""


class Dialler:
    """Opens links to one SMSC. A returned link has its bind answer, its state is still BINDING."""

    def __init__(self, tick: Tick, target: Target, numbers: Numbers) -> None:
        self.target = target
        self._tick = tick
        self._numbers = numbers
        self._answers: dict[Link, asyncio.Future[bytes]] = {}

    async def dial(
        self, bind_pdu: bytes, *, system_id: str, window: int, within_s: float
    ) -> tuple[Connection, bytes]:
        """Connect and send the SP's own bind PDU with a new sequence_number.

        Returns the connection and the SMSC's answer, with any status. Raises
        SmscUnreachableError without an answer `within_s`, or if the link closed after a bind.
        """
        link = Link(self._numbers.next(), Side.SMSC, window, monotonic())
        link.system_id = system_id
        target = self.target
        loop = asyncio.get_running_loop()
        answer = self._answers[link] = loop.create_future()
        connection = Connection(self._tick, link, self._tick.add)
        try:
            async with asyncio.timeout(within_s):
                await loop.create_connection(
                    lambda: connection,
                    target.host,
                    target.port,
                    ssl=target.tls,
                    server_hostname=target.server_name if target.tls else None,
                )
                link.state = SessionState.BINDING
                connection.write(renumbered(bind_pdu, link.next_sequence()))
                pdu = await answer
        except TimeoutError:
            connection.abort()
            raise SmscUnreachableError("no answer in time") from None
        except (OSError, UnicodeError) as error:  # UnicodeError: the host name is not valid
            raise SmscUnreachableError(getattr(error, "strerror", None) or str(error)) from error
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            del self._answers[link]
        # A refusal is returned even if the link closed; a bind whose link closed is an error.
        if not connection.is_open and not status_of_answer(pdu):
            raise SmscUnreachableError("closed right after its answer")
        return connection, pdu

    def answered(self, item: BindAnswer) -> None:
        """Pass the SMSC's answer to the bind that waits for it."""
        waiting = self._answers.get(item.link)
        if waiting is not None and not waiting.done():
            waiting.set_result(item.pdu)

    def lost(self, link: Link) -> None:
        """Fail the bind that waits on a lost link, if there is one."""
        waiting = self._answers.get(link)
        if waiting is not None and not waiting.done():
            waiting.set_exception(ConnectionError("closed before the bind was answered"))


def status_of_answer(answer: bytes) -> int:
    """Return the status of the answer to a bind; a generic_nack with status 0 is a failure."""
    _, command_id, status, _ = HEADER.unpack_from(answer)
    if command_id == CommandId.GENERIC_NACK and not status:
        return CommandStatus.ESME_RBINDFAIL
    return int(status)
