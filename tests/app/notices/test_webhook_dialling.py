"""No SP's webhook is a way into what only this machine can reach."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_network
from typing import Protocol

import pytest

from gateway.app.webhook_client import Postman

FORBIDDEN = "its address is not public: webhooks.networks of gateway.yaml allows it"


class Endpoint(Protocol):
    """See conftest."""

    connections: int
    port: int


Resolve = Callable[..., None]


@pytest.fixture
async def guarded() -> AsyncIterator[Postman]:
    """One that goes to public addresses alone."""
    opened = Postman(deadline_s=30)
    await opened.open()
    yield opened
    opened.close()


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Let names stand for other addresses at each look; the last one stays."""

    def resolve(*looks: tuple[str, ...]) -> None:
        left = list(looks)

        def getaddrinfo(
            _host: object, port: int, *_what: object, **_named: object
        ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
            now = left.pop(0) if len(left) > 1 else left[0]
            family = {4: socket.AF_INET, 6: socket.AF_INET6}
            return [
                (family[ip_address(one).version], socket.SOCK_STREAM, 6, "", (one, port))
                for one in now
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolve


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[::1]",
        "10.0.0.7",
        "127.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
        "[::ffff:10.0.0.7]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]",
        "[64:ff9b:1::808:808]",
        "168.63.129.16",
        "[::ffff:168.63.129.16]",
        "[64:ff9b::a83f:8110]",
        "192.0.0.9",
        "192.0.0.10",
        "192.88.99.1",
        "[::a9fe:a9fe]",
        "[::ffff:0:a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fe80::1]",
        "[fd00::7]",
        "[fec0::7]",
        "[ff02::1]",
        "224.0.0.1",
        "255.255.255.255",
        "localhost",
        "2130706433",
        "0x7f.1",
    ],
)
async def test_addresses_of_machines_and_private_networks_are_not_dialled(
    guarded: Postman, host: str
) -> None:
    assert await guarded.post(f"https://{host}/notices", b"{}", {}) == FORBIDDEN


@pytest.mark.parametrize("address", ["169.254.169.254", "::1", "10.0.0.7"])
async def test_a_name_that_stands_for_such_an_address_is_not_dialled(
    guarded: Postman, resolve: Resolve, address: str
) -> None:
    resolve((address,))

    assert await guarded.post("https://sp.example.com/notices", b"{}", {}) == FORBIDDEN


async def test_the_address_that_was_looked_at_is_the_one_that_is_dialled(
    endpoint: Endpoint, resolve: Resolve
) -> None:
    resolve(("127.0.0.1",), ("169.254.169.254",))  # a name server that changes its mind
    postman = Postman([ip_network("127.0.0.1/32")], deadline_s=30)
    await postman.open()

    first = await postman.post(f"http://sp.example.com:{endpoint.port}/", b"{}", {})
    second = await postman.post(f"http://other.example.com:{endpoint.port}/", b"{}", {})
    postman.close()

    assert (first, second) == ("", FORBIDDEN)
    assert endpoint.connections == 1


async def test_of_several_addresses_only_those_allowed_are_tried_one_after_the_other(
    endpoint: Endpoint, resolve: Resolve
) -> None:
    resolve(("10.0.0.7", "127.0.0.2", "127.0.0.1"))  # at the second nobody listens
    postman = Postman([ip_network("127.0.0.0/8")], deadline_s=30)
    await postman.open()

    said = await postman.post(f"http://sp.example.com:{endpoint.port}/", b"{}", {})
    postman.close()

    assert said == ""


async def test_a_name_that_is_not_found_is_told_as_such(
    guarded: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(*_what: object, **_named: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    said = await guarded.post("https://nowhere.example.com/", b"{}", {})

    assert said == "its name is not found"


async def test_where_nobody_listens_there_is_no_connection(resolve: Resolve) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    resolve(("127.0.0.1",))
    postman = Postman([ip_network("127.0.0.0/8")], deadline_s=30)
    await postman.open()

    said = await postman.post(f"http://sp.example.com:{port}/", b"{}", {})
    postman.close()

    assert said == "no connection"


async def test_a_name_server_that_hangs_costs_no_more_than_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(*_what: object, **_named: object) -> object:
        return await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", hang)
    postman = Postman(deadline_s=0.5)
    await postman.open()

    said = await postman.post("https://sp.example.com/", b"{}", {})
    postman.close()

    assert said == "no connection in time"
