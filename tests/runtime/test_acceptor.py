"""Accepting leaves the loop to those who are connected, and lets nobody fill the kernel."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeAlias

import pytest

from gateway.runtime import acceptor
from gateway.runtime.acceptor import Abandon, Acceptor
from tests.real_time import until

WITHIN_S = 60.0


class Door:
    """A host that serves or closes everybody, and counts."""

    def __init__(self) -> None:
        self.is_open = True
        self.asked = 0
        self.made: list[asyncio.Transport] = []

    def may_connect(self, _address: str) -> bool:
        self.asked += 1
        return self.is_open

    def accept(self, _address: str, _abandon: Abandon) -> asyncio.BaseProtocol:
        door = self

        class Guest(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                door.made.append(transport)

        return Guest()

    def failed(self, _protocol: asyncio.BaseProtocol) -> None:
        raise AssertionError


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def listening(door: Door) -> AsyncIterator[Acceptor]:
    found = Acceptor(socket.create_server(("127.0.0.1", 0)), door)
    yield found
    found.close()
    for transport in door.made:
        transport.abort()


Connect: TypeAlias = Callable[[Acceptor, int], list[socket.socket]]


@pytest.fixture
def connect() -> Iterator[Connect]:
    peers: list[socket.socket] = []

    def connect(to: Acceptor, count: int) -> list[socket.socket]:
        new = [socket.create_connection(to.address) for _ in range(count)]
        peers.extend(new)
        return new

    yield connect
    for peer in peers:
        peer.close()


async def test_all_who_connect_are_served(
    listening: Acceptor, door: Door, connect: Connect
) -> None:
    connect(listening, 30)

    await until(lambda: len(door.made) == 30)


async def test_a_turn_of_the_loop_serves_one_connection(
    listening: Acceptor, door: Door, connect: Connect
) -> None:
    connect(listening, 3)

    for number in (1, 2, 3):
        listening._accept()
        assert door.asked == number


async def test_a_connection_whose_task_is_cancelled_before_it_begins_is_closed(
    listening: Acceptor, door: Door, connect: Connect
) -> None:
    (peer,) = connect(listening, 1)
    listening._accept()
    (task,) = (each for each in asyncio.all_tasks() if each.get_name() == "accept")

    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)

    assert door.made == []
    peer.settimeout(WITHIN_S)
    assert peer.recv(1) == b""
    assert not listening._waiting


async def test_a_turn_of_the_loop_closes_several(
    listening: Acceptor, door: Door, connect: Connect
) -> None:
    door.is_open = False
    connect(listening, 20)

    listening._accept()

    assert door.asked == acceptor._CLOSED_AT_ONCE
    await until(lambda: door.asked == 20)
    assert door.made == []


async def test_a_peer_sends_little_that_is_not_read(
    listening: Acceptor, door: Door, connect: Connect
) -> None:
    (peer,) = connect(listening, 1)
    await until(lambda: bool(door.made))
    door.made[0].pause_reading()
    peer.setblocking(False)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)

    taken = 0
    with contextlib.suppress(BlockingIOError):
        while taken < 1 << 22:
            taken += peer.send(b"x" * (1 << 14))

    assert taken < 4 * acceptor._UNREAD_OCTETS
