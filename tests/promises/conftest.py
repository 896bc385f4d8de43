"""The gateway as a process, and the peers that the promises are tried with."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.promises.deployment import PASSWORD, Account, Deployment, tell

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]


@pytest.fixture
async def smsc() -> AsyncIterator[SimulatedSmsc]:
    async with SimulatedSmsc() as running:
        yield running


@pytest.fixture
async def deploy(tmp_path: Path, smsc: SimulatedSmsc) -> AsyncIterator[Deploy]:
    """Makes one deployment in front of `smsc`, or of whatever listens on `smsc_port`."""
    made: list[Deployment] = []

    async def make(
        *accounts: Account,
        smsc_port: int | None = None,
        timers: Mapping[str, float] | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Deployment:
        port = smsc.port if smsc_port is None else smsc_port
        deployment = Deployment(tmp_path, port, accounts, timers=timers, limits=limits)
        made.append(deployment)
        return deployment

    yield make

    for deployment in made:
        await deployment.stop()
        for line in deployment.faults() if deployment.process else ():
            tell(str(line))


@pytest.fixture
async def attach() -> AsyncIterator[Attach]:
    """Connects an SP to a deployment and binds, unless `kind` is None; lets go in the end."""
    esmes: list[RawEsme] = []

    async def connect_and_bind(
        deployment: Deployment, system_id: str = "sp1", kind: str | None = "trx"
    ) -> RawEsme:
        esme = await RawEsme.connect("127.0.0.1", deployment.port)
        esmes.append(esme)
        if kind is not None:
            assert await esme.bind(system_id, PASSWORD, kind) == 0
        return esme

    yield connect_and_bind

    for esme in esmes:
        esme.abort()
        await esme.lost()
