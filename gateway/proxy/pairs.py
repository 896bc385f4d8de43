"""SPs that are bound, each with its own bind at the SMSC."""

from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.dataplane.link import Link
from gateway.domain.sender import Sender
from gateway.proxy.connection import Connection
from gateway.session.binding import BindRequest


@dataclass(slots=True, eq=False)
class Pair:
    """A bound SP and its bind at the SMSC, which may be away for a while."""

    esme: Connection
    sender: Sender
    request: BindRequest
    bind_pdu: bytes = field(repr=False)  # the password is in it
    smsc: Connection | None = None

    @property
    def session(self) -> Link:
        """Return the link on the SP's side."""
        return self.esme.link


# By the link on the SP's side.
Pairs: TypeAlias = dict[Link, Pair]


def is_owed(session: Link) -> bool:
    """Tell whether a session still waits for an answer of ours."""
    if session.held:
        return True
    peer = session.peer
    return peer is not None and any(entry[0] is session for entry in peer.outstanding.values())
