"""A sender as the tick sees it: its ports, its bucket, its standing."""

from gateway.domain.sender import Port, Sender, SenderState
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.bucket import TokenBucket

_MAX_CACHED_SOURCES = 4096


class Account:
    """One sender, compiled. A reload that leaves the rate alone keeps the bucket's level."""

    __slots__ = ("_numbers", "_ports", "bucket", "sender", "standing", "system_id")

    def __init__(self, sender: Sender, before: "Account | None" = None) -> None:
        self.sender = sender
        self.system_id = sender.system_id
        self.standing = _standing(sender)
        self.bucket: TokenBucket = (
            before.bucket
            if before is not None and before.sender.rate == sender.rate
            else TokenBucket(sender.rate.per_s, sender.rate.burst)
        )
        self._numbers = tuple(port.number for port in sender.ports)
        self._ports: dict[bytes, Port | None] = {}

    def port_of(self, source: bytes) -> Port | None:
        """Return the port that owns `source`, or None. Remembers a bounded number."""
        try:
            return self._ports[source]
        except KeyError:
            port = self.sender.port_of(source.decode("latin-1"))
            if len(self._ports) >= _MAX_CACHED_SOURCES:
                self._ports.clear()
            self._ports[source] = port
            return port

    def is_extended(self, source: bytes) -> bool:
        """Tell whether `source` is a port of the sender and digits behind it, however many."""
        return source.isdigit() and source.decode().startswith(self._numbers)


def _standing(sender: Sender) -> Finding | None:
    if sender.state is SenderState.ACTIVE:
        return None
    return Finding("R01", Reason.SENDER_STATE, Action.REJECT, f"sender is {sender.state}")
