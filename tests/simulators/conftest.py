from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc

Attach = Callable[..., Awaitable[RawEsme]]


@pytest.fixture
async def smsc() -> AsyncIterator[SimulatedSmsc]:
    """An SMSC without a fault; a test sets `behaviour` to what it is about."""
    async with SimulatedSmsc(behaviour=Behaviour(seed=7)) as running:
        yield running


@pytest.fixture
async def attach(smsc: SimulatedSmsc) -> AsyncIterator[Attach]:
    """Connects to `smsc` and binds, unless `kind` is None; closes what is open in the end."""
    esmes: list[RawEsme] = []

    async def connect_and_bind(system_id: str = "sp1", kind: str | None = "trx") -> RawEsme:
        esme = await RawEsme.connect(smsc.host, smsc.port)
        esmes.append(esme)
        if kind is not None:
            assert await esme.bind(system_id, "secret", kind) == 0
        return esme

    yield connect_and_bind

    for esme in esmes:
        esme.close()
        await esme.lost()
