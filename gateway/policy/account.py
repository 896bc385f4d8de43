"""A sender as the tick sees it: its ports, its token bucket and its state."""

from gateway.domain.msisdn import is_mobile
from gateway.domain.sender import Port, Sender, SenderState
from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy.bucket import TokenBucket

_MAX_CACHED_SOURCES = 16_384  # more than the sub-ports that four digits make


class Home:
    """What all sources of one port of an account have in common; compared by identity."""

    __slots__ = ()


class SourceOrigin:
    """A source address of an account and the port that owns it, None for a foreign one.

    `is_personal` says that it is a personal number, however it is configured. Every message from
    there gets the same object, so that what is kept for it is found by identity. A reload makes new
    objects.
    """

    __slots__ = ("home", "is_personal", "port")

    def __init__(self, port: Port | None, home: Home, *, is_personal: bool = False) -> None:
        self.port = port
        self.home = home
        self.is_personal = is_personal


class Account:
    """One sender, compiled. A reload that leaves the rate alone keeps the bucket's level."""

    __slots__ = ("_homes", "_numbers", "bucket", "origins", "sender", "standing", "system_id")

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
        self._homes: dict[Port | None, Home] = {}
        self.origins: dict[bytes, SourceOrigin] = {}

    def origin_of(self, source: bytes) -> SourceOrigin:
        """Return the origin of messages from `source`. Remembers a bounded number."""
        origin = self.origins.get(source)
        if origin is None:
            port = self.sender.port_of(source.decode("latin-1"))
            if len(self.origins) >= _MAX_CACHED_SOURCES:
                self.origins.clear()
            home = self._homes.setdefault(port, Home())
            origin = SourceOrigin(port, home, is_personal=is_mobile(source))
            self.origins[source] = origin
        return origin

    def is_extended(self, source: bytes) -> bool:
        """Tell whether `source` is a port of the sender followed by any number of digits."""
        return source.isdigit() and source.decode().startswith(self._numbers)


def _standing(sender: Sender) -> Finding | None:
    if sender.state is SenderState.ACTIVE:
        return None
    return Finding("R01", Reason.SENDER_STATE, Action.REJECT, f"sender is {sender.state}")
