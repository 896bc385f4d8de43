"""SPs behind a load balancer that says whom it speaks for."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from gateway.app.gateway import Gateway
from gateway.proxy import listener
from gateway.settings.gateway import GatewaySettings
from simulators import builders
from simulators.esme import RawEsme
from simulators.wire import CommandStatus, header_of

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
LOCAL = SIGNATURE + bytes.fromhex("20000000")
BALANCER, DIRECT = "127.0.0.5", "127.0.0.1"
WITHIN_S = 60.0


def speaking_for(address: str) -> bytes:
    packed = ip_address(address).packed
    return SIGNATURE + b"\x21\x11\0\x0c" + packed + bytes(8)


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    (plain,) = settings.listeners
    behind = replace(plain, proxy_protocol=(ip_network("127.0.0.5/32"),))
    return replace(settings, listeners=(behind,))


async def said_from(gateway: Gateway, address: str, octets: bytes) -> bytes:
    """Send octets from an address; return all that is answered until the end."""
    reader, writer = await asyncio.open_connection(
        *gateway.addresses["plain"], local_addr=(address, 0)
    )
    writer.write(octets)
    try:
        async with asyncio.timeout(WITHIN_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_the_address_that_counts_is_the_sps(gateway: Gateway, log: LogLines) -> None:
    _, esme = await asyncio.get_running_loop().create_connection(
        RawEsme, *gateway.addresses["plain"], local_addr=(BALANCER, 0)
    )
    async with esme:
        await esme.send(speaking_for("127.0.0.77"))
        status = await esme.bind("sp1", "secret")

    assert status == CommandStatus.ESME_ROK
    assert [line["address"] for line in log if line["event"] == "esme.bound"] == ["127.0.0.77"]


async def test_an_sp_that_its_account_does_not_list_stays_out_though_the_balancer_is_listed(
    gateway: Gateway,
) -> None:
    bind = builders.bind("sp1", "secret", sequence=1)

    answer = await said_from(gateway, BALANCER, speaking_for("203.0.113.9") + bind)

    assert header_of(answer).command_status == CommandStatus.ESME_RBINDFAIL
    assert gateway.gate.binds == {"address": 1}


async def test_a_guesser_behind_the_balancer_locks_itself_and_nobody_else(start: Start) -> None:
    gateway = await start()
    for number in range(60):
        bind = builders.bind(f"name{number}", "guess", sequence=1)
        await said_from(gateway, BALANCER, speaking_for("127.0.0.66") + bind)

    _, esme = await asyncio.get_running_loop().create_connection(
        RawEsme, *gateway.addresses["plain"], local_addr=(BALANCER, 0)
    )
    async with esme:
        await esme.send(speaking_for("127.0.0.77"))
        status = await esme.bind("sp1", "secret")

    assert gateway.gate.binds["credentials"] >= 50
    assert status == CommandStatus.ESME_ROK


async def test_a_health_check_of_the_balancer_counts_as_its_own(gateway: Gateway) -> None:
    bind = builders.bind("sp1", "guess", sequence=1)

    answer = await said_from(gateway, BALANCER, LOCAL + bind)

    assert header_of(answer).command_status == CommandStatus.ESME_RBINDFAIL


@pytest.mark.parametrize(
    "octets",
    [builders.bind("sp1", "secret", sequence=1), SIGNATURE + b"\x11\x11\0\x0c" + bytes(12)],
)
async def test_what_comes_from_the_balancer_without_its_header_is_closed(
    gateway: Gateway, log: LogLines, octets: bytes
) -> None:
    assert await said_from(gateway, BALANCER, octets) == b""

    reasons = [line["reason"] for line in log if line["event"] == "esme.closed"]
    assert reasons == ["its PROXY header is missing or wrong"]


async def test_a_header_that_does_not_come_is_not_waited_for(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_HEADER_S", 0.01)

    assert await said_from(gateway, BALANCER, SIGNATURE) == b""


async def test_headers_that_are_waited_for_are_bounded(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_AT_ONCE", 1)
    with socket.create_connection(gateway.addresses["plain"], source_address=(BALANCER, 0)):
        assert await said_from(gateway, BALANCER, speaking_for("127.0.0.77")) == b""


async def test_a_header_from_elsewhere_is_no_smpp(gateway: Gateway) -> None:
    await said_from(gateway, DIRECT, speaking_for("127.0.0.77"))

    assert gateway.plane.tally.framing_faults == 1


async def test_who_comes_past_the_balancer_needs_no_header(gateway: Gateway) -> None:
    async with await RawEsme.connect(*gateway.addresses["plain"]) as esme:
        assert await esme.bind("sp1", "secret") == CommandStatus.ESME_ROK
