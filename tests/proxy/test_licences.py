"""R01: who may bind by its licence, end to end, and what is recorded of those who may not."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path

import orjson
import pytest

from gateway.app.gateway import Gateway
from gateway.domain.filings import Licence
from gateway.policy.filings import SenderFilings
from gateway.proxy import gate
from simulators.esme import RawEsme
from simulators.wire import CommandStatus

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
At = Callable[[str], None]
LogLines = list[dict[str, object]]
File = Callable[[Gateway, Licence], Awaitable[None]]
Refusal = Callable[[Gateway], Awaitable[dict[str, object]]]

LICENCE = Licence("sp1", "粤B2-20080001", date(2013, 10, 31))


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Let the clock of the gate stand at a moment."""

    def at(moment: str) -> None:
        epoch = datetime.fromisoformat(moment).timestamp()
        monkeypatch.setattr(gate, "epoch", lambda: epoch)

    return at


@pytest.fixture
def file(until: Until) -> File:
    """File a licence, as another process does; return once the gateway knows of it."""

    async def file(gateway: Gateway, licence: Licence) -> None:
        known = gateway._knowledge.filings
        expected = SenderFilings([licence], known.zone).licence_ends
        await gateway.stores.filings.put([licence])
        await until(lambda: known.of("sp1").licence_ends == expected)

    return file


@pytest.fixture
def refusal(until: Until) -> Refusal:
    """Wait for the one access record of a bind that was refused."""

    async def refusal(gateway: Gateway) -> dict[str, object]:
        directory = gateway.settings.records.directory
        await until(lambda: bool(refusals_in(directory)))
        (record,) = refusals_in(directory)
        return record

    return refusal


def refusals_in(directory: Path) -> list[dict[str, object]]:
    lines = [line for file in directory.iterdir() for line in file.read_bytes().splitlines()]
    return [record for line in lines if (record := orjson.loads(line))["kind"] == "refused"]


async def test_r01_an_sp_whose_licence_has_ended_is_refused_and_recorded(
    start: Start, attach: Attach, at: At, file: File, refusal: Refusal
) -> None:
    gateway = await start()
    await file(gateway, LICENCE)
    at("2013-11-01T00:00:00+08:00")
    esme = await attach(gateway, kind=None)

    status = await esme.bind("sp1", "secret")

    assert status == CommandStatus.ESME_RBINDFAIL
    record = await refusal(gateway)
    assert record["system_id"] == "sp1"
    assert record["reason"] == "LICENCE_EXPIRED"
    assert record["address"] == "127.0.0.1"
    assert str(record["at"]).startswith("2013-10-31T16:00:00")


async def test_r01_a_licence_holds_through_its_last_day(
    start: Start, attach: Attach, at: At, file: File
) -> None:
    gateway = await start()
    await file(gateway, LICENCE)
    at("2013-10-31T23:59:59+08:00")
    esme = await attach(gateway, kind=None)

    assert await esme.bind("sp1", "secret") == CommandStatus.ESME_ROK


@pytest.mark.parametrize(
    ("moment", "told"),
    [("2013-10-01T23:59:59+08:00", []), ("2013-10-02T00:00:01+08:00", [29])],
)
async def test_r01_thirty_days_before_a_licence_ends_the_log_says_so(  # noqa: PLR0913, PLR0917 - fixtures
    start: Start,
    attach: Attach,
    at: At,
    file: File,
    log: LogLines,
    moment: str,
    told: list[int],
) -> None:
    gateway = await start()
    await file(gateway, LICENCE)
    at(moment)
    esme = await attach(gateway, kind=None)

    await esme.bind("sp1", "secret")

    ending = [line for line in log if line["event"] == "licence.ending"]
    assert [line["days"] for line in ending] == told


async def test_r01_a_licence_that_is_renewed_lets_the_sp_in_within_a_second(
    start: Start, attach: Attach, at: At, file: File
) -> None:
    gateway = await start()
    await file(gateway, LICENCE)
    at("2013-11-01T00:00:00+08:00")
    early, later = await attach(gateway, kind=None), await attach(gateway, kind=None)

    refused = await early.bind("sp1", "secret")
    await file(gateway, Licence("sp1", "粤B2-20080001", date(2018, 10, 31)))
    accepted = await later.bind("sp1", "secret")

    assert (refused, accepted) == (CommandStatus.ESME_RBINDFAIL, CommandStatus.ESME_ROK)


async def test_r01_a_wrong_password_is_told_nothing_of_the_licence(
    start: Start, attach: Attach, at: At, file: File, refusal: Refusal
) -> None:
    gateway = await start()
    await file(gateway, LICENCE)
    at("2013-11-01T00:00:00+08:00")
    esme = await attach(gateway, kind=None)

    await esme.bind("sp1", "guess")

    record = await refusal(gateway)
    assert record["reason"] == "credentials"


async def test_r01_without_a_licence_on_file_an_sp_binds_unless_one_is_required(
    gateway: Gateway, attach: Attach
) -> None:
    first, second = await attach(gateway, kind=None), await attach(gateway, kind=None)

    accepted = await first.bind("sp1", "secret")
    gateway.gate.licence_required = True
    refused = await second.bind("sp1", "secret")

    assert (accepted, refused) == (CommandStatus.ESME_ROK, CommandStatus.ESME_RBINDFAIL)
    assert gateway.gate.binds == {"ok": 1, "LICENCE_MISSING": 1}
