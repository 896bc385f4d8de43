"""A sender, and one message of it to one subscriber, as policy sees them."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from gateway.domain.categories import TrafficClass
from gateway.domain.msisdn import is_mobile
from gateway.domain.sender import Port, Sender, SenderState
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.filter.facts import TextFacts

# Sums of floats drift by some ulps; a nanosecond gives no sender an advantage.
_DRIFT_S = 1e-9


class TokenBucket:
    """Admits `per_s` messages a second on average and `burst` at once.

    It is one number, by the generic cell rate algorithm: `due_at` is when the bucket will be full
    again. Times are monotonic seconds, and an earlier `now` than before changes nothing.
    """

    __slots__ = ("_interval_s", "_tolerance_s", "due_at")

    def __init__(self, per_s: float, burst: int) -> None:
        self._interval_s = 1.0 / per_s
        self._tolerance_s = (burst - 1) * self._interval_s
        self.due_at = float("-inf")

    def has_one(self, now: float) -> bool:
        """Tell whether a token is there; nothing is taken."""
        return self.due_at - now <= self._tolerance_s + _DRIFT_S

    def take_all(self, now: float, count: int) -> bool:
        """Take `count` tokens if all are available, else none; return whether they were taken."""
        due_at = max(self.due_at, now)
        if due_at + self._interval_s * (count - 1) - now > self._tolerance_s + _DRIFT_S:
            return False
        self.due_at = due_at + self._interval_s * count
        return True

    def take(self, now: float, count: int = 1) -> bool:
        """Take `count` tokens if there is at least one, else none; return whether they were taken.

        The first part of a long message is charged for the whole message and may leave the bucket
        in debt: the other parts must not be rejected (PEERS: a burst is shorter than a message).
        """
        due_at = self.due_at
        if due_at <= now:
            self.due_at = now + self._interval_s * count
            return True
        if due_at - now > self._tolerance_s + _DRIFT_S:
            return False
        self.due_at = due_at + self._interval_s * count
        return True

    def charge(self, count: int) -> None:
        """Take `count` more tokens for an admitted message that proved to cost more."""
        self.due_at += self._interval_s * count


_STATES = {SenderState.SUSPENDED: "服务商已暂停", SenderState.EXPIRED: "服务商已到期"}
_MAX_CACHED_SOURCES = 16_384  # more than the sub-ports that four digits make


class Home:
    """What all sources of one port of an account have in common; compared by identity."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class SourceOrigin:
    """A source address of an account and the port that owns it, None for a foreign one.

    `is_personal` says that it is a personal number, however it is configured. Every message from
    there gets the same object, so that what is kept for it is found by identity. A reload makes new
    objects.
    """

    port: Port | None
    home: Home
    is_personal: bool = False


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
    return Finding(
        "R01",
        Reason.SENDER_STATE,
        Action.REJECT,
        f"sender is {sender.state}",
        zh=_STATES[sender.state],
    )


# How many tuples one ending is joined to: rules are few, and most find the same. 250 octets each.
_MAX_JOINED = 16

_Found: TypeAlias = tuple[Finding, ...]


class Ending:
    """Findings to append to others: to the same ones they always make the same tuple.

    So code that counts findings recognises the tuple by identity.
    """

    __slots__ = ("found", "joined")

    def __init__(self, found: _Found) -> None:
        self.found = found
        # Each with the tuple that it was appended to, so that its id is not reused.
        self.joined: dict[int, tuple[_Found, _Found]] = {}

    def after(self, before: _Found) -> _Found:
        """Return `before` followed by these findings."""
        if not before:
            return self.found
        joined = self.joined.get(id(before))
        if joined is None:
            if len(self.joined) >= _MAX_JOINED:
                self.joined.clear()
            joined = self.joined[id(before)] = (before, (*before, *self.found))
        return joined[1]


@dataclass(frozen=True, slots=True)
class DeliveryTimes:
    """When a message should arrive and how long it is valid, in epoch seconds.

    None if its sender did not say: it is sent at once, and the SMSC decides how long it is valid.
    `is_unclear` says that a schedule was given but means no moment.
    """

    scheduled_at: float | None = None
    valid_until: float | None = None
    is_unclear: bool = False


class Submission:
    """What a stage may look at; made per message, so a plain slots class.

    `units` is how many tokens it costs: the first part of a long message is charged for all
    (`units` 0 for the others). `origin` and `port` say where it comes from; `msisdn` is set by the
    stage that finds it, `facts` and `traffic` when its text is judged. `findings` collects all
    hits, also of shadow rules; `verdict` stays None while nothing stops the message. A check that
    finds it untimely notes in `due` when it could leave; `deferral` is what holds it back longest,
    and until when. `template` is the filed template of the text, and `asks_consent` says that it is
    a request for consent (R23). `until` is what was found against its text, up to the first finding
    that stops it.
    """

    __slots__ = (
        "account",
        "asks_consent",
        "deferral",
        "destination",
        "due",
        "facts",
        "findings",
        "msisdn",
        "origin",
        "port",
        "source",
        "template",
        "timing",
        "traffic",
        "units",
        "until",
        "verdict",
    )

    # The addressee did not ask for it: that is possible only once it is held; see Wanted.
    is_wanted: ClassVar[bool] = False

    due: float

    def __init__(self, account: Account, source: bytes, destination: bytes, units: int = 1) -> None:
        self.account = account
        self.source = source
        self.destination = destination
        self.units = units
        self.origin = account.origin_of(source)
        self.port: Port | None = self.origin.port
        self.msisdn: int | None = None
        self.timing: DeliveryTimes | None = None
        self.facts: TextFacts | None = None
        self.template = ""
        self.asks_consent = False
        self.traffic = TrafficClass.SERVICE
        self.findings: tuple[Finding, ...] = ()
        self.until: Ending | None = None
        self.deferral: tuple[Finding, float] | None = None
        self.verdict: Verdict | None = None

    def hold_back(self, finding: Finding) -> None:
        """Note that it has to wait; the longest wait wins."""
        due, earlier = self.due, self.deferral
        if earlier is None or due > earlier[1]:
            self.deferral = (finding, due)


class RequestedMessage(Submission):
    """A message that its addressee asked for: the addressee's preferences do not stop it (R50)."""

    __slots__ = ()

    is_wanted = True
