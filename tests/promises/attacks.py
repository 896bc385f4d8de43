"""Attacks on one gateway, each in a process of its own: python -m tests.promises.attacks JSON.

JSON is what `Order.as_json` writes. The process is nice to its neighbours, or has only what they
leave of the processor that they share, so that what they feel is the gateway. It prints one line of
counts.
"""

import argparse
import asyncio
import json
import os
import random
import selectors
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from simulators import builders
from simulators.wire import RESPONSE, CommandId, Tag, header_of, pdu
from tests.real_time import pause_thread

PASSWORD = "secret"
_ROOT = Path(__file__).resolve().parents[2]
_HEADER = struct.Struct(">IIII")
_TEXT_OCTETS = 64_990
_CONNECT_S, _PATIENCE_S = 2.0, 30.0
# Linux: let the kernel choose the port at connect(), per destination.
_IP_BIND_ADDRESS_NO_PORT = 24
_NICENESS = 10
_DESTINATION = "13700137000"
# Where an honest SP and strangers come from alike, as behind a NAT.
SHARED_ADDRESS = "127.0.0.70"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do to whom: `times` is how many times the rates of the review.

    With `is_idle` the process runs only while its neighbours do not (SCHED_IDLE).
    """

    attack: str
    port: int
    api_port: int
    seconds: float
    times: int = 1
    is_idle: bool = False

    def as_json(self) -> str:
        """Return it as the command line takes it."""
        return json.dumps(asdict(self))


@dataclass(slots=True)
class Tally:
    """Counts of one attack, which its threads share."""

    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        with self._lock:
            self.counts[name] += count


class Deadline:
    """The end of an attack."""

    def __init__(self, seconds: float) -> None:
        self._at = _now() + seconds

    @property
    def is_over(self) -> bool:
        """Tell whether it has come."""
        return _now() >= self._at

    def beats(self, per_s: float) -> Iterator[None]:
        """Yield `per_s` times a second until the end."""
        due = _now()
        while not self.is_over:
            yield
            due += 1 / per_s
            pause_thread(min(due, self._at) - _now())


def _now() -> float:
    return time.perf_counter()


class Peer:
    """A blocking connection from an address of loopback."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.settimeout(_CONNECT_S)
        self.socket.bind((address, 0))
        self.socket.connect(("127.0.0.1", port))
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        """Send all of it; raise OSError when the other side does not take it."""
        self.socket.sendall(octets)

    def read(self) -> list[bytes]:
        """Return the PDUs that have come; raise OSError at the end or after the time-out."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError("closed")
        self._rest += data
        pdus, at = [], 0
        while len(self._rest) - at >= _HEADER.size:
            length = _HEADER.unpack_from(self._rest, at)[0]
            if len(self._rest) - at < length:
                break
            pdus.append(self._rest[at : at + length])
            at += length
        self._rest = self._rest[at:]
        return pdus

    def bind(self, system_id: str, password: str = PASSWORD) -> int:
        """Bind; return the command_status."""
        self.send(builders.bind(system_id, password, sequence=1))
        return header_of(self.read()[0]).command_status


class Session:
    """A bound SP that keeps at most `window` PDUs unanswered and counts the statuses."""

    def __init__(self, order: Order, tally: Tally, system_id: str, window: int) -> None:
        self._peer = Peer(order.port)
        self._peer.socket.settimeout(_PATIENCE_S)
        status = self._peer.bind(system_id)
        tally.add(f"bind 0x{status:x}")
        self._tally = tally
        self._room = threading.Semaphore(window)
        self._sequence = 1
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, build: Callable[[int], bytes], wait_s: float = 0.2) -> bool:
        """Send what `build` makes of the next sequence_number, if the window has room in time."""
        if not self._room.acquire(timeout=wait_s):
            self._tally.add("window full")
            return False
        self._sequence += 1
        octets = build(self._sequence)
        try:
            self._peer.send(octets)
        except OSError:
            self._tally.add("cut")
            return False
        self._tally.add("sent")
        self._tally.add("octets", len(octets))
        return True

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                for octets in self._peer.read():
                    header = header_of(octets)
                    if header.command_id & RESPONSE:
                        self._tally.add(f"0x{header.command_status:x}")
                        self._room.release()


Attack = Callable[[Order, Tally, Deadline], None]
ATTACKS: dict[str, Attack] = {}


def attack(name: str) -> Callable[[Attack], Attack]:
    """Enter an attack under its name."""

    def enter(function: Attack) -> Attack:
        ATTACKS[name] = function
        return function

    return enter


def side_by_side(works: list[Callable[[], None]]) -> None:
    """Run each in a thread and wait for all."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _draw(*seed: object) -> random.Random:
    return random.Random(str(seed))  # noqa: S311 - no secret hangs on it


# Heavy texts of a bound SP


def _replace_flood(per_s: int) -> Attack:
    def run(order: Order, tally: Tally, end: Deadline) -> None:
        draw = _draw("replace", per_s)
        session = Session(order, tally, "sp3", window=10)

        def build(sequence: int) -> bytes:
            octets = b"\x03\x70\x01\x00" + draw.randbytes(_TEXT_OCTETS)
            return builders.replace_sm(
                "77", "10690003", b"", tlvs=[(Tag.MESSAGE_PAYLOAD, octets)], sequence=sequence
            )

        for _ in end.beats(per_s):
            session.send(build, wait_s=0)

    return run


for _per_s in (2, 3, 30):
    ATTACKS[f"replace_sm-{_per_s}-per-s"] = _replace_flood(_per_s)


@attack("submit_sm-65k-random")
def submit_flood(order: Order, tally: Tally, end: Deadline) -> None:
    """Send random octets under data_coding 4 as fast as they are answered."""

    def work(number: int) -> None:
        draw = _draw("submit", number)
        session = Session(order, tally, "sp3", window=10)
        while not end.is_over:
            session.send(
                lambda sequence: builders.payload_submit_sm(
                    "10690003",
                    _DESTINATION,
                    draw.randbytes(_TEXT_OCTETS),
                    data_coding=4,
                    sequence=sequence,
                )
            )

    side_by_side([lambda n=n: work(n) for n in range(order.times)])  # type: ignore[misc]


@attack("submit_multi-65k-40-destinations")
def submit_multi_flood(order: Order, tally: Tally, end: Deadline) -> None:
    """Send a long text to forty numbers at once, as the only part of a long message."""
    draw, session = _draw("multi"), Session(order, tally, "sp3", window=10)
    destinations = [f"1370013{number:04}" for number in range(40)]

    def build(sequence: int) -> bytes:
        tlvs = [
            (Tag.SAR_MSG_REF_NUM, (sequence % 65_536).to_bytes(2, "big")),
            (Tag.SAR_TOTAL_SEGMENTS, b"\1"),
            (Tag.SAR_SEGMENT_SEQNUM, b"\1"),
            (Tag.MESSAGE_PAYLOAD, draw.randbytes(_TEXT_OCTETS - 1000)),
        ]
        return builders.submit_multi(
            "10690003", destinations, b"", data_coding=4, tlvs=tlvs, sequence=sequence
        )

    for _ in end.beats(1 * order.times):
        session.send(build, wait_s=0)


@attack("parts-of-four-senders")
def part_flood(order: Order, tally: Tally, end: Deadline) -> None:
    """Fill the memory of parts, then keep it full: 6 PDUs a second in all."""

    def work(system_id: str) -> None:
        draw, session = _draw(system_id), Session(order, tally, system_id, window=10)

        def build(room: int) -> Callable[[int], bytes]:
            def built(sequence: int) -> bytes:
                tlvs = [
                    (Tag.SAR_MSG_REF_NUM, (sequence % 65_536).to_bytes(2, "big")),
                    (Tag.SAR_TOTAL_SEGMENTS, b"\2"),
                    (Tag.SAR_SEGMENT_SEQNUM, b"\1"),
                    (Tag.MESSAGE_PAYLOAD, _padding(draw, room)),
                ]
                return builders.submit_sm(
                    f"1069000{system_id[-1]}", _DESTINATION, b"", tlvs=tlvs, sequence=sequence
                )

            return built

        sizes = [_TEXT_OCTETS] * 64 + [60_000, 30_000, 10_000, 3_000, 1_000, 300] * 3 + [100] * 2
        # All of it, however long it takes: half of it would prove nothing.
        for room in sizes:
            session.send(build(room), wait_s=_PATIENCE_S)
        for _ in end.beats(1.5 * order.times):
            session.send(build(1_000), wait_s=0)

    side_by_side([lambda n=n: work(f"sp{n}") for n in range(4, 8)])  # type: ignore[misc]


def _padding(draw: random.Random, room: int) -> bytes:
    """Return UCS-2 of letters that no two texts share."""
    return (f"{draw.getrandbits(64):016x}" * (room // 32 + 1)).encode("utf-16-be")[: room & ~1]


# Strangers at the SMPP port


@attack("bad-binds-invented-names")
def invented_names(order: Order, tally: Tally, end: Deadline) -> None:
    """Guess names behind the address that an honest SP binds from: 52 in 2.7 s."""
    for number, _ in enumerate(end.beats(52 / 2.7 * order.times)):
        _apart(lambda n=number: _bad_bind(order, tally, f"guess{n}", SHARED_ADDRESS))  # type: ignore[misc]


@attack("bad-binds-wrong-passwords")
def wrong_passwords(order: Order, tally: Tally, end: Deadline) -> None:
    """Guess the password of the SP that is honest behind the same address: 10 in 2.7 s."""
    for _ in end.beats(10 / 2.7 * order.times):
        _apart(lambda: _bad_bind(order, tally, "sp2", SHARED_ADDRESS))


@attack("bad-binds-three-addresses")
def bind_flood(order: Order, tally: Tally, end: Deadline) -> None:
    """Bind badly from three addresses as fast as it goes, twenty at once from each."""

    def work(number: int) -> None:
        count = 0
        while not end.is_over:
            count += 1
            _bad_bind(order, tally, f"g{number}x{count}", f"127.0.0.{100 + number // 20}")

    side_by_side([lambda n=n: work(n) for n in range(3 * 20 * order.times)])  # type: ignore[misc]


def _apart(work: Callable[[], None]) -> None:
    """Do it in a thread of its own: a bad bind is answered late."""
    threading.Thread(target=work, daemon=True).start()


def _bad_bind(order: Order, tally: Tally, system_id: str, address: str) -> None:
    tally.add("sent")
    with _counted(tally), Peer(order.port, address) as peer:
        tally.add(f"0x{peer.bind(system_id, 'wrong'):x}")


@contextmanager
def _counted(tally: Tally) -> Iterator[None]:
    """Count a connection that is refused or cut, and go on; no ports left is a moment's rest."""
    try:
        yield
    except OSError as error:
        tally.add(type(error).__name__)
        if not isinstance(error, ConnectionError):
            pause_thread(0.01)


@attack("garbage-connections")
def garbage(order: Order, tally: Tally, end: Deadline) -> None:
    """Connect, speak HTTP, leave: two threads of one address."""

    def work(number: int) -> None:
        while not end.is_over:
            tally.add("sent")
            with _counted(tally), Peer(order.port, f"127.0.0.{80 + number // 2}") as peer:
                peer.send(b"GET / HTTP/1.1\r\n")

    side_by_side([lambda n=n: work(n) for n in range(2 * order.times)])  # type: ignore[misc]


@attack("connect-and-close")
def connections(order: Order, tally: Tally, end: Deadline) -> None:
    """Connect and leave without a word."""

    def work() -> None:
        while not end.is_over:
            tally.add("sent")
            with _counted(tally), Peer(order.port, "127.0.0.90"):
                pass

    side_by_side([work] * order.times)


_UNBOUND = {
    "unbound-enquire_link": builders.enquire_link(1),
    "unbound-unknown-command": pdu(0x99, 1, b"abc"),
    "unbound-stray-answers": pdu(CommandId.SUBMIT_SM | RESPONSE, 1, b"1\0"),
}


def _unbound_flood(octets: bytes) -> Attack:
    block = octets * 1_000

    def run(order: Order, tally: Tally, end: Deadline) -> None:
        def work(number: int) -> None:
            while not end.is_over:
                tally.add("connections")
                with _counted(tally), Peer(order.port, f"127.0.0.{91 + number // 6}") as peer:
                    _pour(peer, block, tally, end)

        side_by_side([lambda n=n: work(n) for n in range(6 * order.times)])  # type: ignore[misc]

    return run


def _pour(peer: Peer, block: bytes, tally: Tally, end: Deadline) -> None:
    """Write as fast as it is read, read what is answered, and leave after 4.5 s."""
    leave = Deadline(4.5)
    peer.socket.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(peer.socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
        rest = memoryview(block)
        while not (end.is_over or leave.is_over):
            for _, events in selector.select(0.1):
                if events & selectors.EVENT_READ and not peer.socket.recv(1 << 18):
                    return
                if events & selectors.EVENT_WRITE:
                    sent = peer.socket.send(rest)
                    tally.add("octets", sent)
                    rest = rest[sent:] or memoryview(block)


for _name, _octets in _UNBOUND.items():
    ATTACKS[_name] = _unbound_flood(_octets)


# Strangers at the API

_SLOW = b"POST /v1/health HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n{"
_SLOW_OF_ONE_ADDRESS = 32


@attack("slow-bodies")
def slow_bodies(order: Order, tally: Tally, end: Deadline) -> None:
    """Hold 64 requests open from two addresses, each behind the last by 30 ms."""

    def work(number: int) -> None:
        held: list[Peer] = []
        for _ in end.beats(1 / 0.06):
            held = [peer for peer in held if _is_open(peer)]
            if len(held) < _SLOW_OF_ONE_ADDRESS:
                tally.add("sent")
                with _counted(tally):
                    peer = Peer(order.api_port, f"127.0.0.{61 + number}")
                    peer.send(_SLOW)
                    held.append(peer)
        for peer in held:
            peer.socket.close()

    side_by_side([lambda n=n: work(n) for n in range(2 * order.times)])  # type: ignore[misc]


def _is_open(peer: Peer) -> bool:
    """Tell whether nothing has been answered; what was is closed."""
    peer.socket.setblocking(False)
    try:
        peer.socket.recv(1 << 16)
    except BlockingIOError:
        return True
    except OSError:
        pass
    peer.socket.close()
    return False


async def attack_by(order: Order) -> Mapping[str, int]:
    """Let a process of its own attack; return what it counted."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.promises.attacks", order.as_json()),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, f"{order.attack} ended with {process.returncode}"
    counted: Mapping[str, int] = json.loads(printed)
    return counted


def main() -> int:
    """Attack as told; print what came of it."""
    parser = argparse.ArgumentParser(description="Attack a gateway on loopback.")
    parser.add_argument("order", type=lambda text: Order(**json.loads(text)))
    order: Order = parser.parse_args().order
    if order.is_idle:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(_NICENESS)
    tally = Tally()
    ATTACKS[order.attack](order, tally, Deadline(order.seconds))
    sys.stdout.write(json.dumps(tally.counts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
