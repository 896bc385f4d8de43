"""Strangers at a running gateway: what they are given, and who is served meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.promises.deployment import PASSWORD, Account, Deployment, source_of

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

DESTINATION = "13800138000"
GARBAGE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def connect_from(address: str, port: int) -> RawEsme:
    _, esme = await asyncio.get_running_loop().create_connection(
        RawEsme, "127.0.0.1", port, local_addr=(address, 0)
    )
    return esme


async def say(port: int, octets: bytes, address: str) -> None:
    """Connect, send octets, and let go once the other side has."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        writer.write(octets)
        await asyncio.wait_for(reader.read(), 60)
        writer.close()
    except ConnectionError:
        return


async def is_served(esme: RawEsme) -> bool:
    return (await esme.submit(source_of("sp1"), DESTINATION, "您的快件已到，请凭取件码领取")).is_ok


@pytest.mark.parametrize(
    "octets", [GARBAGE, b"".join(builders.enquire_link(number) for number in range(1, 500))]
)
async def test_garbage_and_floods_of_strangers_leave_an_sp_served_and_the_log_short(
    deploy: Deploy, attach: Attach, octets: bytes
) -> None:
    deployment = await deploy(Account("sp1"))
    await deployment.start()
    esme = await attach(deployment)

    for _ in range(10):
        crowd = [say(deployment.port, octets, f"127.0.0.{10 + n % 3}") for n in range(30)]
        await asyncio.gather(*crowd)
        assert await is_served(esme)

    closed = deployment.running.events("esme.closed")
    assert len(closed) == 3
    assert len(deployment.log_octets()) < 20_000


async def test_a_crowd_that_waits_keeps_no_sp_out_and_no_probe(
    deploy: Deploy, smsc: SimulatedSmsc
) -> None:
    deployment = await deploy(Account("sp1"), limits={"sessions": 64})
    await deployment.start()
    probes = deployment.running.port_of("probes.opened")
    crowd = []
    for number in range(80):
        near = (f"127.0.2.{number % 40 + 1}", 0)
        for port in (deployment.port, probes):
            _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=near)
            crowd.append(writer)

    async with await connect_from("127.0.0.1", deployment.port) as esme:
        assert await esme.bind("sp1", PASSWORD) == 0
        assert await is_served(esme)
        async with httpx.AsyncClient(trust_env=False) as client:
            for path in ("livez", "readyz", "metrics"):
                answer = await client.get(f"http://127.0.0.1:{probes}/{path}")
                assert answer.status_code == 200
    for writer in crowd:
        writer.close()

    assert len(smsc.journal) == 1


async def test_an_sp_that_bound_before_a_restart_gets_in_whatever_its_neighbours_guess(
    deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1"), limits={"bad_binds_per_minute": 1})
    await deployment.start()
    await attach(deployment)
    assert await deployment.drain() == 0
    await deployment.start()

    async def guess(system_id: str) -> None:
        bind = builders.bind(system_id, "guess", sequence=1)
        await say(deployment.port, bind, "127.0.0.1")

    await guess("sp1")  # its own pair is locked from here
    await asyncio.gather(*(guess(f"name{number}") for number in range(10)))

    assert await is_served(await attach(deployment))
