"""No text and no whole number of a subscriber leaves by the log or the metrics."""

import asyncio
import json
import random
import re
import signal
import stat
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests.promises.deployment import PASSWORD, Account, Deployment, seeded, source_of, tell
from tests.promises.garbage import Garbage
from tests.promises.ledger import LISTS, Ledger

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

MESSAGES = 2_000
_WRONG_PASSWORD = "hunter2"
# A mainland mobile number, bare or with its country code.
_WHOLE_NUMBER = re.compile(rb"(?<!\d)(?:86)?1[3-9]\d{9}(?!\d)")


async def test_r73_neither_log_nor_output_nor_metrics_tell_a_text_or_a_number(
    smsc: SimulatedSmsc, deploy: Deploy, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(receipts=True, error_every=50, disconnect_every=701)
    draw = seeded(691)
    deployment = await deploy(Account("sp1"), Account("sp2"))
    deployment.write_policies(LISTS)
    await deployment.start()
    ledger = Ledger(draw, weights=(70, 15, 15))
    esme = await attach(deployment)
    texts = ledger.texts(MESSAGES)
    numbers = [f"13{draw.randrange(10**9):09}" for _ in texts]

    await esme.flood(list(_submits(esme, texts, numbers)), 50)
    await _misbehave(attach, deployment, draw)
    _write_wrong_policy(deployment)
    deployment.running.signal(signal.SIGHUP)
    await deployment.running.logged("policy.refused")
    metrics = (await deployment.metrics_text()).encode()
    private = {file.name: stat.S_IMODE(file.stat().st_mode) for file in _private(deployment)}
    await deployment.drain()
    said = {"log": deployment.log_octets(), "metrics": metrics}

    told = {
        (place, what)
        for place, octets in said.items()
        for what in (*_traces(texts), *(n.encode() for n in numbers), _WRONG_PASSWORD.encode())
        if what in octets
    }
    whole = {place: _WHOLE_NUMBER.findall(octets) for place, octets in said.items()}
    records = b"".join(file.read_bytes() for file in deployment.record_files())
    tell(
        f"privacy: {len(said['log'])} octets of log, {len(metrics)} of metrics,"
        f" {len(records)} of records, private are {sorted(private)}"
    )
    assert len(smsc.journal) > MESSAGES // 2
    assert told == set()
    assert whole == {"log": [], "metrics": []}
    assert set(private.values()) == {0o600}
    assert len(private) >= 2
    assert not any(trace in records for trace in _traces(texts))
    assert deployment.faults() == []


async def test_r73_a_text_that_is_shown_has_no_number_in_it_and_the_look_is_in_a_whole_journal(
    deploy: Deploy, attach: Attach
) -> None:
    deployment = await deploy(Account("sp1"))
    deployment.write_policies(LISTS)
    await deployment.start()
    esme = await attach(deployment)
    [text] = Ledger(seeded(692), weights=(0, 0, 1)).texts(1)
    await esme.submit_many(
        [f"{text} 联系人 13912345678"], 1, source=source_of("sp1"), destination="13800138000"
    )
    [held] = await deployment.held()

    shown = await _smsward(deployment, "quarantine", "show", str(held.message_id))
    looks = await _smsward(deployment, "audit", "show", "--kind", "look", "--json")
    verified = await _smsward(deployment, "audit", "verify")

    assert b"139****5678" in shown
    assert _WHOLE_NUMBER.findall(shown) == []
    [look] = json.loads(looks)
    assert (look["about"], look["reason"]) == (f"message {held.message_id}", "")
    assert b"access_log" in verified
    assert deployment.faults() == []


async def _smsward(deployment: Deployment, *arguments: str) -> bytes:
    """Run a command that must succeed beside the gateway; return what it printed."""
    command = (sys.executable, "-m", "gateway", *arguments, "--config", "config")
    process = await asyncio.create_subprocess_exec(*command, cwd=deployment.directory, stdout=PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out


def _submits(esme: RawEsme, texts: list[str], numbers: list[str]) -> Iterator[bytes]:
    for text, number in zip(texts, numbers, strict=True):
        yield builders.submit_sm(
            source_of("sp1"),
            number,
            builders.ucs2(text),
            registered_delivery=1,
            sequence=esme.next_sequence(),
        )


async def _misbehave(attach: Attach, deployment: Deployment, draw: random.Random) -> None:
    """Do what is logged: a wrong password, malformed PDUs, a lost link."""
    intruder = await attach(deployment, kind=None)
    assert await intruder.bind("sp1", _WRONG_PASSWORD)
    vandal = await attach(deployment, "sp2")
    garbage = Garbage(draw, source_of("sp2"), is_bound=True)
    await vandal.send(b"".join(garbage.framed() for _ in range(1_000)) + garbage.last_words())
    await vandal.lost()
    assert PASSWORD != _WRONG_PASSWORD


def _write_wrong_policy(deployment: Deployment) -> None:
    (deployment.directory / "policies" / "keywords" / "wrong.yaml").write_text("version: no\n")


def _traces(texts: list[str]) -> list[bytes]:
    """Return how a text would look: as it is, escaped, or as hexadecimal octets."""
    traces: list[bytes] = []
    for text in texts:
        words = text.partition(" ")[2]
        octets = words.encode("utf-16-be")
        traces += (words.encode(), octets, octets.hex().encode(), repr(octets)[2:-1].encode())
        traces.append(words.encode("unicode-escape"))
    return sorted(set(traces))


def _private(deployment: Deployment) -> Iterator[Path]:
    yield from deployment.record_files()
    yield from (deployment.directory / "var").glob("smsward.db*")
