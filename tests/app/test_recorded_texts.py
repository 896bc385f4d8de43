"""What was said, from the wire into the records, sealed there, and read again (R70, R73)."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.records.archive import RecordArchive, hour_of
from gateway.records.sealed_values import opened
from gateway.records.upkeep import seal_closed
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import load_gateway, load_sealer
from gateway.smpp.text import readings
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.recorded_texts import decisions_with_texts

Deploy = Callable[..., tuple[Path, Path]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, NUMBER = "10690001", "13800138000"
SAID = ("您的快递到了", "代开发票，详询", "您的快递到了")


@pytest.fixture
def with_texts(deploy: Deploy, smsc: SimulatedSmsc, tmp_path: Path) -> dict[str, str]:
    """Return a gateway.yaml that keeps texts, and has keys to seal them with."""
    config, _ = deploy(smsc.port)
    keys = tmp_path / "keys.yaml"
    keys.write_text(f"k1: {b64encode(bytes(64)).decode()}\n")
    keys.chmod(0o600)
    text = (config / "gateway.yaml").read_text(encoding="utf-8")
    text = text.replace("/var/cdr}", "/var/cdr, texts: true}")
    return {"config/gateway.yaml": f"{text}privacy: {{keys: {keys}, current: k1}}\n"}


async def send(esme: RawEsme, texts: Sequence[str]) -> None:
    for text in texts:
        octets, sequence = builders.ucs2(text), esme.next_sequence()
        await esme.request(builders.submit_sm(SOURCE, NUMBER, octets, sequence=sequence))


def said(archive: RecordArchive, gateway: Gateway) -> list[tuple[object, object, str]]:
    """Return action, destination and text of every decision."""
    sealer = load_sealer(gateway.settings)
    assert sealer is not None
    found: list[tuple[object, object, str]] = []
    for hour in archive.hours():
        records = (opened(one, sealer) for one in archive.read(hour))
        for record, text in decisions_with_texts(records):
            assert text is not None
            data_coding, octets = text
            found.append(
                (record["action"], record["destination"], readings(octets, data_coding)[0])
            )
    return found


async def test_r70_records_hold_what_a_port_said_and_r73_closed_ones_hold_it_sealed(
    start: Start, attach: Attach, with_texts: dict[str, str], tmp_path: Path
) -> None:
    gateway = await start(with_texts)
    await send(await attach(gateway), SAID)
    await gateway.stop()
    archive = RecordArchive(tmp_path / "var/cdr")
    told = [
        (action, NUMBER, text)
        for action, text in zip(("forward", "reject", "forward"), SAID, strict=True)
    ]

    before = said(archive, gateway)
    sealer = load_sealer(load_gateway(tmp_path / "config/gateway.yaml"))
    assert sealer is not None
    sealing = await asyncio.to_thread(
        seal_closed, archive, sealer, hour_of(utcnow()) + 10, lambda _: None
    )

    assert before == told
    assert said(archive, gateway) == told
    assert sealing.busy == 0
    assert all(file.is_sealed for file in archive.files())
    at_rest = [str(record) for hour in archive.hours() for record in archive.read(hour)]
    assert not any(NUMBER in record or "octets'" in record for record in at_rest)
    assert any(SOURCE in record for record in at_rest)
