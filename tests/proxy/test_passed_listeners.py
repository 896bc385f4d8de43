"""Listeners take the sockets that were passed to the process, and pass them on."""

import asyncio
import socket

import pytest

from gateway.proxy.listener import Listeners
from gateway.runtime.acceptor import Abandon
from gateway.runtime.passed_sockets import PassedSocket
from gateway.settings.gateway import Listener
from gateway.settings.schema import Address

LogLines = list[dict[str, object]]


class Nobody:
    """Turns every connection away."""

    def may_connect(self, _address: str) -> bool:
        return False

    def accept(self, _address: str, _abandon: Abandon) -> asyncio.BaseProtocol | None:
        return None

    def failed(self, _protocol: asyncio.BaseProtocol) -> None:
        raise AssertionError


def made() -> tuple[socket.socket, Address]:
    one = socket.create_server(("127.0.0.1", 0))
    return one, Address(*one.getsockname()[:2])


def somewhere() -> Listeners:
    return Listeners(Nobody(), lambda _address: None)


async def passed_on(before: list[Listener], after: list[Listener]) -> tuple[Listeners, Listeners]:
    """Open listeners, and those of the process that follows; return both."""
    first, second = somewhere(), somewhere()
    await first.open(before, 5.0)
    first.hand_over()
    second.passed = first.handed_over
    await second.open(after, 5.0)
    return first, second


async def test_a_listener_that_cannot_be_had_closes_those_before_it() -> None:
    by_address, address = made()
    taken, other = made()
    listeners = somewhere()
    listeners.passed = [PassedSocket("first", by_address)]

    with taken, pytest.raises(OSError, match="is in use"):
        await listeners.open([Listener("first", address), Listener("second", other)], 5.0)

    assert by_address.fileno() == -1
    assert listeners.addresses == {}


async def test_a_passed_socket_is_listened_with_and_one_that_fits_nowhere_is_said_and_closed(
    log: LogLines,
) -> None:
    by_address, address = made()
    by_name, other = made()
    stray, _ = made()
    listeners = Listeners(Nobody(), lambda _address: None)
    listeners.passed = [
        PassedSocket("smsward.socket", by_address),
        PassedSocket("tls", by_name),
        PassedSocket("old", stray),
    ]

    await listeners.open([Listener("plain", address), Listener("tls", Address("::1", 0))], 5.0)
    bound = dict(listeners.addresses)
    listeners.hand_over()
    listeners.close()

    assert bound == {"plain": tuple(address), "tls": tuple(other)}
    assert [(one.name, one.socket) for one in listeners.handed_over] == [
        ("plain", by_address),
        ("tls", by_name),
    ]
    assert (by_address.fileno() > 0, by_name.fileno() > 0, stray.fileno()) == (True, True, -1)
    (line,) = [line for line in log if line["event"] == "listener.unclaimed"]
    assert line["name"] == "old"
    for one in listeners.handed_over:
        one.socket.close()


async def test_all_sockets_of_a_host_with_two_addresses_are_passed_on(
    log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, (_, port) = made()
    free.close()

    async def two_addresses(*_arguments: object, **_named: object) -> list[tuple[object, ...]]:
        stream = socket.AF_INET, socket.SOCK_STREAM, 6, ""
        return [(*stream, (host, port)) for host in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two_addresses)
    plain = [Listener("plain", Address("sms.example", port))]

    first, second = await passed_on(plain, plain)
    second.hand_over()

    assert [one.name for one in first.handed_over] == ["plain", "plain"]
    assert [one.socket.getsockname()[0] for one in second.handed_over] == ["127.0.0.1", "127.0.0.2"]
    assert "listener.unclaimed" not in [line["event"] for line in log]
    for one in second.handed_over:
        one.socket.close()


async def test_a_listener_whose_address_changed_listens_where_the_file_says(log: LogLines) -> None:
    (one, before), (two, after) = made(), made()
    one.close()
    two.close()

    _, second = await passed_on([Listener("plain", before)], [Listener("plain", after)])
    second.close()

    assert second.addresses == {"plain": tuple(after)}
    assert [line["name"] for line in log if line["event"] == "listener.unclaimed"] == ["plain"]


async def test_listeners_that_swap_their_names_keep_their_addresses() -> None:
    (one, first), (two, second) = made(), made()
    one.close()
    two.close()

    _, swapped = await passed_on(
        [Listener("a", first), Listener("b", second)],
        [Listener("a", second), Listener("b", first)],
    )
    swapped.close()

    assert swapped.addresses == {"a": tuple(second), "b": tuple(first)}
