"""A sender, and one message of it to one subscriber, as policy sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

from gateway.domain.categories import TrafficClass
from gateway.domain.consent import scope_of
from gateway.domain.msisdn import is_mobile
from gateway.domain.policy import RuleEvent
from gateway.domain.sender import Port, PortOwners, Sender, SenderState, foreign_number
from gateway.domain.verdict import Action, Finding, Reason, Verdict
from gateway.filter.facts import TextFacts
from gateway.policy.message_class import MessageClass

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

    def free(self, now: float) -> int:
        """Return how many messages would be admitted at once."""
        left_s = self._tolerance_s + _DRIFT_S - max(self.due_at - now, 0.0)
        return max(int(left_s / self._interval_s) + 1, 0) if left_s >= 0 else 0

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


_OVER_CAP = Finding(
    "R97",
    Reason.RATE,
    Action.THROTTLE,
    "over the daily cap of its probation",
    zh="超过观察期每日上限",
)


class DailyCap:
    """Admits `maximum` messages a day; who keeps the clock calls `renew` when a day begins."""

    __slots__ = ("left", "maximum")

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.left = maximum

    def renew(self) -> None:
        """Begin a day."""
        self.left = self.maximum

    def take(self) -> None:
        """Count a message; there is room for one while something is `left`."""
        self.left -= 1


_STATES = {SenderState.SUSPENDED: "服务商已暂停", SenderState.EXPIRED: "服务商已到期"}
_MAX_CACHED_SOURCES = 16_384  # more than the sub-ports that four digits make

_NOT_OWNED = Finding(
    "R02", Reason.SOURCE_NOT_OWNED, Action.REJECT, "no port of this sender", zh="不是该服务商的端口"
)
_NOT_FOREIGN = Finding(
    "R02",
    Reason.SOURCE_NOT_OWNED,
    Action.REJECT,
    "no number of another network",
    zh="不是他网号码",
)
_TOO_LONG = Finding(
    "R03",
    Reason.EXT_TOO_LONG,
    Action.REJECT,
    "more digits behind the port than were allotted",
    zh="端口后的扩展位数超出分配",
)
_PORT_SUSPENDED = Finding(
    "R88",
    Reason.SOURCE_SUSPENDED,
    Action.REJECT,
    "the port is suspended until it was reviewed",
    zh="端口已暂停，待核查",
)
_BLOCKED_HERE = Finding(
    "R63",
    Reason.SOURCE_SUSPENDED,
    Action.REJECT,
    "the port of another network is blocked here for a time",
    zh="他网端口在本网暂时屏蔽",
)


class Home:
    """What all sources of one port of an account have in common; compared by identity.

    `number` is that of the port, "" without one; `scope` and `categories` are where refusals of it
    and of categories are looked up. `mark` is kept with the texts that were noted with
    their opt-out word. It changes when the port loses a word. `alone` is a tuple of only the mark.
    """

    __slots__ = ("alone", "categories", "mark", "number", "scope")

    def __init__(self, scope: str, port: Port | None) -> None:
        self.number = "" if port is None else port.number
        self.scope = scope_of(scope, self.number)
        self.categories = scope_of(scope, "#")
        self.change_mark()

    def change_mark(self) -> None:
        """Have the opt-out word of every text from the port noted again."""
        self.mark = object()
        self.alone = (self.mark,)


@dataclass(slots=True, eq=False)
class SourceOrigin:
    """A source address of an account and the port that owns it.

    `port` is None for a foreign address, and for one of a suspended port: `home` has its number.
    It is None, too, for a port on probation, which is `capped`: so others are not asked for caps.
    `is_personal` says that it is a personal number, however it is configured. Every message from
    there gets the same object, so that what is kept for it is found by identity. A reload makes new
    objects.
    """

    port: Port | None
    home: Home
    is_personal: bool = False
    capped: Port | None = None


class Account:
    """One sender, compiled. A reload that leaves the rate alone keeps the bucket's level.

    `scope` is under which subscribers refuse all that it sends. No peer may send from a port that
    one of `owners` has.
    """

    __slots__ = (
        "_homes",
        "_numbers",
        "_owners",
        "bucket",
        "caps",
        "event",
        "origins",
        "scope",
        "sender",
        "standing",
        "suspended",
        "system_id",
    )

    def __init__(
        self,
        sender: Sender,
        before: "Account | None" = None,
        owners: PortOwners = PortOwners(()),  # noqa: B008 - never changed
    ) -> None:
        self.sender = sender
        self.system_id = sender.system_id
        self.scope = sender.scope
        self.event = RuleEvent.MT_IN if sender.is_peer else RuleEvent.SUBMIT
        self._owners = owners
        self.standing = _standing(sender)
        self.bucket: TokenBucket = (
            before.bucket
            if before is not None and before.sender.rate == sender.rate
            else TokenBucket(sender.rate.per_s, sender.rate.burst)
        )
        self._numbers = tuple(port.number for port in sender.ports)
        self._homes: dict[Port | None, Home] = {}
        self.origins: dict[bytes, SourceOrigin] = {}
        self.suspended: frozenset[str] = frozenset()  # numbers of ports
        self.caps: Mapping[str, DailyCap] = {}  # by number of a port, "" for all

    def suspend_ports(self, numbers: frozenset[str]) -> None:
        """Let these ports send nothing from now on, and all others of the sender send."""
        if numbers != self.suspended:
            self.suspended = numbers
            self.origins.clear()

    def limit_ports(self, caps: Mapping[str, DailyCap]) -> None:
        """Hold these ports to their caps from now on, and no others; "" stands for all."""
        if caps != self.caps:
            self.caps = caps
            self.origins.clear()

    def caps_of(self, number: str) -> list[DailyCap]:
        """Return the caps that hold for a port: its own and that of all ports."""
        return [self.caps[one] for one in {number, ""} if one in self.caps]

    def over_cap(self, submission: "Submission") -> Finding | None:
        """Count a message of a port with a cap; return what is against it."""
        caps = self.caps_of(submission.origin.home.number) if submission.units else []
        if any(cap.left <= 0 for cap in caps):
            return _OVER_CAP
        for cap in caps:
            cap.take()
        return None

    def stand(self, state: SenderState) -> None:
        """Let the sender be in `state` from now on, not as configured."""
        if state is not self.sender.state:
            self.sender = replace(self.sender, state=state)
            self.standing = _standing(self.sender)

    def origin_of(self, source: bytes) -> SourceOrigin:
        """Return the origin of messages from `source`. Remembers a bounded number."""
        origin = self.origins.get(source)
        if origin is None:
            port = self._port_of(source.decode("latin-1"))
            if len(self.origins) >= _MAX_CACHED_SOURCES:
                self.origins.clear()
                self._homes.clear()  # a peer has as many as sources
            home = self._homes.get(port)
            if home is None:
                home = self._homes[port] = Home(self.scope, port)
            may_send = None if home.number in self.suspended else port
            capped = may_send if self.caps_of(home.number) else None
            if capped is not None:
                may_send = None
            shown = home.number.encode() if self.sender.is_peer else source
            origin = SourceOrigin(may_send, home, is_mobile(shown), capped)
            self.origins[source] = origin
        return origin

    def _port_of(self, source: str) -> Port | None:
        """Return the port that a source belongs to: of a peer, any number of another network."""
        if not self.sender.is_peer:
            return self.sender.port_of(source)
        number = foreign_number(source)
        if not number or self._owners.is_shown_by(number):
            return None
        return Port(number, shared=True)

    def against_source(self, submission: "Submission") -> Finding:
        """Return what is against a source that no port may send from."""
        if submission.origin.home.number:
            return _BLOCKED_HERE if self.sender.is_peer else _PORT_SUSPENDED
        if self.sender.is_peer:
            return _NOT_FOREIGN
        return _TOO_LONG if self.is_extended(submission.source) else _NOT_OWNED

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
    stage that finds it, `facts`, `traffic` and `classed` (with what decided about the class, one
    object for all alike) when its text is judged. `findings` collects all hits, also of shadow
    rules; `verdict` stays None while nothing stops the message. A check that
    finds it untimely notes in `due` when it could leave; `deferral` is what holds it back longest,
    and until when. `template` is the filed template of the text, and `asks_consent` says that it is
    a request for consent (R23). `until` is what was found against its text, up to the first finding
    that stops it.
    """

    __slots__ = (
        "account",
        "asks_consent",
        "classed",
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
        self.classed: MessageClass | None = None
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
