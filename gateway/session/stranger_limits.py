"""Peers that have not proved who they are: addresses, and limits for connections and guesses."""

from collections import Counter, OrderedDict, deque
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import inf
from struct import Struct
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key")


def ip_of(address: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address, or None if `address` is not one.

    An IPv4 peer on a dual-stack listener shows as ``::ffff:192.0.2.1``; the result is the IPv4
    address that operators write in their lists.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


@lru_cache(maxsize=4096)  # asked some four times for each connection
def origin_of(address: str) -> str:
    """Return the name under which a peer's failures are counted.

    It is the address, and for IPv6 its /64: a single customer owns 2**64 addresses there and could
    start afresh with each.
    """
    ip = ip_of(address)
    if isinstance(ip, IPv6Address):
        return f"{IPv6Address(int(ip) >> 64 << 64)}/64"
    return address if ip is None else str(ip)


PREFIX_OCTETS = 16
MAX_OCTETS = 2048
"""Limit of what follows the prefix: addresses, and TLVs that are not read."""

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LENGTH = Struct(">H")
_VERSION = 0x20
_LOCAL, _PROXY = 0x0, 0x1
_UNSPEC, _INET, _INET6, _UNIX = 0x0, 0x1, 0x2, 0x3
_STREAM = 0x1
_ADDRESS_OCTETS = {_UNSPEC: 0, _INET: 12, _INET6: 36, _UNIX: 216}


class ProxyHeaderError(ValueError):
    """The first octets from a trusted proxy are not a header of version 2."""


def rest_octets(prefix: bytes) -> int:
    """Return how many octets follow the first PREFIX_OCTETS. Raises ProxyHeaderError."""
    if len(prefix) != PREFIX_OCTETS or not prefix.startswith(_SIGNATURE):
        raise ProxyHeaderError("there is no PROXY header of version 2")
    if prefix[12] & 0xF0 != _VERSION:
        raise ProxyHeaderError("the PROXY header is of another version")
    (length,) = _LENGTH.unpack_from(prefix, 14)
    if length > MAX_OCTETS:
        raise ProxyHeaderError(f"the PROXY header has more than {MAX_OCTETS} octets")
    return int(length)


def address_in(prefix: bytes, rest: bytes) -> str | None:
    """Return the address of the peer behind a proxy, from a whole header.

    None if the connection is the proxy's own (LOCAL: a health check) or names no IP address
    (UNSPEC, UNIX): then the address of the connection itself counts. Raises ProxyHeaderError.
    """
    if len(rest) != rest_octets(prefix):
        raise ProxyHeaderError("the PROXY header is not whole")
    command, family, transport = prefix[12] & 0x0F, prefix[13] >> 4, prefix[13] & 0x0F
    if command == _LOCAL:
        return None
    if command != _PROXY or family not in _ADDRESS_OCTETS:
        raise ProxyHeaderError("the PROXY header has an unknown command or family")
    if family != _UNSPEC and transport != _STREAM:
        raise ProxyHeaderError("the PROXY header is not about a TCP connection")
    if len(rest) < _ADDRESS_OCTETS[family]:
        raise ProxyHeaderError("the PROXY header has no whole addresses")
    if family == _INET:
        return str(IPv4Address(rest[:4]))
    return str(IPv6Address(rest[:16])) if family == _INET6 else None


class StrangerPlaces(Generic[Key]):
    """Gives places to connections that have proved nothing, `total` in all, `of_one` per origin.

    A new connection always gets a place, so that many waiting connections never keep out a peer
    that proves itself at once. If its origin has `of_one` places already, the longest waiting of
    that origin leaves; else, if all places are taken, the longest waiting of the origin with most
    places.
    """

    def __init__(self, total: int, of_one: int) -> None:
        if total < 1 or of_one < 1:
            raise ValueError("both limits must be at least 1")
        self.total = total
        self.of_one = of_one
        self._origins: dict[Key, str] = {}
        self._by_origin: dict[str, dict[Key, None]] = {}

    def enter(self, key: Key, origin: str) -> Key | None:
        """Give `key` a place; return the key that lost its place, or None."""
        goes = self._who_goes_for(origin)
        if goes is not None:
            self.leave(goes)
        self._origins[key] = origin
        self._by_origin.setdefault(origin, {})[key] = None
        return goes

    def leave(self, key: Key) -> None:
        """Free the place of `key`, if it has one."""
        origin = self._origins.pop(key, None)
        if origin is None:
            return
        waiting = self._by_origin[origin]
        del waiting[key]
        if not waiting:
            del self._by_origin[origin]

    def __len__(self) -> int:
        """Return how many places are taken."""
        return len(self._origins)

    def __contains__(self, key: Key) -> bool:
        """Tell whether `key` has a place."""
        return key in self._origins

    def _who_goes_for(self, origin: str) -> Key | None:
        near = self._by_origin.get(origin, {})
        if len(near) >= self.of_one:
            return next(iter(near))
        if len(self._origins) < self.total:
            return None
        most = max(self._by_origin, key=lambda one: len(self._by_origin[one]))
        return next(iter(self._by_origin[most]))


_DRIFT_S = 1e-9  # the sums of floats drift by some ulps


class ConnectionRate:
    """Admits `per_s` new connections a second of each address on average, `burst` at once.

    An IPv6 address counts as its /64. A rejected connection costs its address nothing. Memory is
    bounded: beyond `maximum_entries` addresses, the one admitted longest ago is forgotten and
    starts with a full burst again. `now` is in monotonic seconds.
    """

    def __init__(self, per_s: float, burst: int, maximum_entries: int = 10_000) -> None:
        if per_s <= 0 or burst < 1 or maximum_entries < 1:
            raise ValueError("per_s must be above 0, the other limits at least 1")
        self._interval_s = 1.0 / per_s
        self._tolerance_s = (burst - 1) * self._interval_s
        self._maximum_entries = maximum_entries
        self._due_at: OrderedDict[str, float] = OrderedDict()

    def admits(self, address: str, now: float) -> bool:
        """Tell whether one more connection of `address` is admitted, and count it if so."""
        origin = origin_of(address)
        due_at = max(self._due_at.get(origin, now), now)
        if due_at - now > self._tolerance_s + _DRIFT_S:
            return False
        _set_latest(self._due_at, origin, due_at + self._interval_s, self._maximum_entries)
        return True

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._due_at)


MINUTE_S = 60.0


class EventRepeats(NamedTuple):
    """How often an event came in a minute besides the reported one, or from other addresses.

    `origin` and `system_id` are empty for events without a row of their own.
    """

    event: str
    reason: str
    origin: str
    system_id: str
    times: int


class EventQuota:
    """Lets one event of each kind, address and system_id be reported a minute, at most `rows`.

    The others are counted; `repeated` returns the counts once the minute is over. So a minute has
    at most `rows` lines of single events, as many of counts, and one line more for each kind.
    Strangers cannot exceed this. Kinds (event and reason) are a closed list of the caller; an IPv6
    address counts as its /64. `now` is in monotonic seconds.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._others: Counter[tuple[str, str]] = Counter()
        self._began = 0.0

    def admits(
        self, event: str, reason: str, address: str, now: float, system_id: str = ""
    ) -> bool:
        """Count an event; tell whether it is the first of its kind, address and system_id."""
        if not self._counts and not self._others:
            self._began = now
        key = (event, reason, origin_of(address), system_id)
        if key in self._counts:
            self._counts[key] += 1
        elif len(self._counts) < self._rows:
            self._counts[key] = 1
            return True
        else:
            self._others[event, reason] += 1
        return False

    def repeated(self, now: float) -> list[EventRepeats]:
        """Return the counts once a minute is over, and begin another minute."""
        if now - self._began < MINUTE_S:
            return []
        found = [EventRepeats(*key, count - 1) for key, count in self._counts.items() if count > 1]
        found += [EventRepeats(*kind, "", "", count) for kind, count in self._others.items()]
        self._counts.clear()
        self._others.clear()
        return found


WINDOW_S = 60.0
ADDRESS_FACTOR = 5
"""Failures that one address may have for each failure that one system_id may have from it.

Several SPs can share an address, so the address locks later than the pair.
"""
KNOWN_S = 7 * 86_400.0
"""How long a pair that has bound is exempt from its address's lock; addresses change hands."""
THROUGH_PER_S = 5
"""Checks a second that a locked address has for system_ids that are not known there."""
FIRST_DELAY_S = 0.25
LAST_DELAY_S = 2.0
_DOUBLINGS = 3


class Lockouts:
    """Counts failed binds per (address, system_id) and per address over the last minute.

    At `per_minute` failures the pair is locked. At `ADDRESS_FACTOR` times as many, the address is
    locked for every system_id that has not bound from it in the last week. A lock ends when the
    oldest of its failures is a minute old. Attempts during a lock do not prolong it, because they
    are refused without a password check. Addresses are always part of the key, so no one can lock
    an SP out from elsewhere. Only new binds are checked, never live sessions.

    A lock is not complete: `may_check` allows one password check a second for a known pair, and
    behind a locked address one a second for each system_id, 5 in all. So an SP that shares an
    address with guessers gets in with the right password. Call it right before each check, not only
    when the bind arrives: otherwise checks that run at the same time would exceed the limit
    together.

    Memory is bounded: at most `maximum_entries` pairs, addresses and known pairs each; the one that
    failed (or bound) longest ago goes first.
    """

    def __init__(self, per_minute: int, maximum_entries: int = 10_000) -> None:
        if per_minute < 1 or maximum_entries < 1:
            raise ValueError("both limits must be at least 1")
        self._by_pair = _Failures(per_minute, maximum_entries)
        self._by_address = _Failures(per_minute * ADDRESS_FACTOR, maximum_entries)
        self._known = _KnownPairs(maximum_entries)
        self._known_checks = ConnectionRate(1, 1, maximum_entries)
        self._name_checks = ConnectionRate(1, 1, maximum_entries)
        self._origin_checks = ConnectionRate(THROUGH_PER_S, THROUGH_PER_S, maximum_entries)

    def limit(self, per_minute: int) -> None:
        """Lock at so many failures from now on; those of the last minute stay counted."""
        self._by_pair.limit(per_minute)
        self._by_address.limit(per_minute * ADDRESS_FACTOR)

    def failed(self, address: str, system_id: str, now: float) -> None:
        """Count a bind with wrong credentials; do nothing while the pair is locked."""
        if self.is_locked(address, system_id, now):
            return
        origin = origin_of(address)
        self._by_pair.add((origin, system_id), now)
        self._by_address.add((origin,), now)

    def succeeded(self, address: str, system_id: str, now: float) -> None:
        """Forget the failures of the pair and know it for a week.

        The address keeps its count: one good account must not clear guesses at others.
        """
        pair = (origin_of(address), system_id)
        self._by_pair.forget(pair)
        self._known.add(pair, now)

    def know(self, address: str, system_id: str, bound_at: float) -> None:
        """Know a pair that bound at `bound_at`, perhaps before this process began."""
        self._known.add((origin_of(address), system_id), bound_at)

    def may_check(self, address: str, system_id: str, now: float) -> bool:
        """Tell whether a password may be checked; count the check if there is a lock."""
        if not self.is_locked(address, system_id, now):
            return True
        origin = origin_of(address)
        pair = (origin, system_id)
        if self._known.has(pair, now):
            return self._known_checks.admits(f"{system_id} from {origin}", now)
        if self._by_pair.is_full(pair, now):
            return False
        return self._name_checks.admits(f"name {system_id}", now) and self._origin_checks.admits(
            origin, now
        )

    def is_locked(self, address: str, system_id: str, now: float) -> bool:
        """Tell whether to refuse a bind with any password, unless `may_check` allows a check."""
        origin = origin_of(address)
        pair = (origin, system_id)
        if self._by_pair.is_full(pair, now):
            return True
        return self._by_address.is_full((origin,), now) and not self._known.has(pair, now)

    def is_known(self, address: str, now: float) -> bool:
        """Tell whether any system_id has bound from `address` in the last week."""
        return self._known.has_origin(origin_of(address), now)

    def delay_s(self, address: str, system_id: str, now: float) -> float:
        """Return how long to wait before a bad bind is answered: twice as long each time.

        It is the same for every reason to refuse; otherwise the delay would reveal the reason.
        """
        origin = origin_of(address)
        failures = max(
            self._by_pair.count((origin, system_id), now),
            self._by_address.count((origin,), now),
        )
        doublings = min(max(failures - 1, 0), _DOUBLINGS)
        return min(FIRST_DELAY_S * 2.0**doublings, LAST_DELAY_S)

    def __len__(self) -> int:
        """Return how many entries are held in total, for the gauge."""
        return len(self._by_pair) + len(self._by_address) + len(self._known)


_Key = tuple[str, ...]
_K = TypeVar("_K")
_V = TypeVar("_V")


def _set_latest(values: OrderedDict[_K, _V], key: _K, value: _V, maximum: int) -> None:
    """Set the value of `key`; forget the one set longest ago if there are too many."""
    values[key] = value
    values.move_to_end(key)
    if len(values) > maximum:
        values.popitem(last=False)


class _Failures:
    """The times of the last failures of each key, at most `limit` of each."""

    def __init__(self, limit: int, maximum_entries: int) -> None:
        self._limit = limit
        self._maximum_entries = maximum_entries
        self._times: OrderedDict[_Key, deque[float]] = OrderedDict()

    def limit(self, limit: int) -> None:
        self._limit = limit
        for key, times in self._times.items():
            self._times[key] = deque(times, maxlen=limit)

    def add(self, key: _Key, now: float) -> None:
        if self.is_full(key, now):
            return
        times = self._times.get(key) or deque(maxlen=self._limit)
        times.append(now)
        _set_latest(self._times, key, times, self._maximum_entries)

    def forget(self, key: _Key) -> None:
        self._times.pop(key, None)

    def count(self, key: _Key, now: float) -> int:
        return sum(now - at < WINDOW_S for at in self._times.get(key, ()))

    def is_full(self, key: _Key, now: float) -> bool:
        return self.count(key, now) >= self._limit

    def __len__(self) -> int:
        return len(self._times)


class _KnownPairs:
    """When each pair last bound, and when any pair of each origin last bound."""

    def __init__(self, maximum_entries: int) -> None:
        self._maximum_entries = maximum_entries
        self._bound_at: OrderedDict[_Key, float] = OrderedDict()
        self._origins: OrderedDict[str, float] = OrderedDict()

    def add(self, key: _Key, now: float) -> None:
        _set_latest(self._bound_at, key, now, self._maximum_entries)
        _set_latest(self._origins, key[0], now, self._maximum_entries)

    def has_origin(self, origin: str, now: float) -> bool:
        return now - self._origins.get(origin, -inf) < KNOWN_S

    def has(self, key: _Key, now: float) -> bool:
        return now - self._bound_at.get(key, -inf) < KNOWN_S

    def __len__(self) -> int:
        return len(self._bound_at)
