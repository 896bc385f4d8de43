"""Promises 1 and 5: a gateway that is asked for more than it can do lets SPs wait."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.new_texts import new_texts
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.stores import open_store
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests.promises.bystanders import LightSender, Log, Message, Probes, Question, named
from tests.promises.deployment import Account, Deployment, GatewayProcess, source_of, tell
from tests.promises.flood import Flood
from tests.promises.ledger import LISTS
from tests.real_time import eventually

Deploy = Callable[..., Awaitable[Deployment]]
Attach = Callable[..., Awaitable[RawEsme]]

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SESSIONS, WINDOW, SECONDS = 64, 50, 8.0
FIRST, NUMBERS, REFUSED_STEP = 8613100000000, 100_000, 1_000
# Both end long before, when the flood is over and the refusal is heard.
AT_MOST_S = 240.0
REFUSER = "13600136000"


@pytest.fixture(params=["uvloop", "asyncio"])
async def deployment(
    request: pytest.FixtureRequest,
    smsc: SimulatedSmsc,
    deploy: Deploy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Deployment:
    """A deployment on either loop, in whose store one number in a thousand has refused sp1."""
    smsc.behaviour = Behaviour(journal_limit=0)
    if request.param == "asyncio":
        hidden = tmp_path_factory.mktemp("without_uvloop")
        (hidden / "uvloop.py").write_text("raise ImportError\n", encoding="utf-8")
        paths = (str(hidden), os.environ.get("PYTHONPATH", ""))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    deployment = await deploy(Account("sp1"), Account("sp2"), Account("sp3"))
    deployment.write_policies(LISTS, opt_out=True)
    (deployment.directory / "var").mkdir()
    await _refuse_some(deployment)
    await deployment.start()
    return deployment


async def _refuse_some(deployment: Deployment) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    stores = await open_store(f"sqlite:///{deployment.directory}/var/smsward.db", deadline_s=30)
    await stores.consent.record(
        [
            ConsentAnswer(number, "sp1", Answer.REFUSED, since, "test")
            for number in range(FIRST, FIRST + NUMBERS, REFUSED_STEP)
        ]
    )
    await stores.close()


async def test_a_saturated_gateway_refuses_what_policy_refuses_and_nothing_else(
    smsc: SimulatedSmsc, deployment: Deployment, attach: Attach
) -> None:
    sender = LightSender(await attach(deployment, "sp2"), _messages("sp2", 61))
    to_refuser = LightSender(await attach(deployment, "sp3"), _messages("sp3", 62, REFUSER))
    probes = Probes(_questions(deployment))
    is_over, is_refused = asyncio.Event(), asyncio.Event()

    async with asyncio.TaskGroup() as group:
        flooding = group.create_task(_flood(deployment))
        flooding.add_done_callback(lambda _: is_over.set())
        group.create_task(probes.run(is_over))
        beside = group.create_task(sender.send(AT_MOST_S, is_over))
        refused = group.create_task(to_refuser.send(AT_MOST_S, is_refused))
        await _refuse_by_command(deployment)
        await eventually(lambda: _has_refused(deployment, "sp3"))
        is_refused.set()
    flood = flooding.result()
    judged = {
        reason: await deployment.metric("smsward_submits_total", reason=reason)
        for reason in ("OPTED_OUT", "CONSENT_UNCHECKED", "OVERLOADED")
    }

    heard = Counter({int(status): count for status, count in flood["statuses"].items()})
    heard += Counter(beside.result().statuses) + Counter(refused.result().statuses)
    light, refusals = named(beside.result().statuses), named(refused.result().statuses)
    tell(
        f"saturation: {flood['sent']} in {flood['took_s']:.1f} s; all {named(heard)},"
        f" light {light}, refused {refusals}, judged {judged}, {probes.summary()}"
    )
    assert named(heard).keys() == {"0x0", "0x45"}
    assert heard[0x45] == judged["OPTED_OUT"] > 0
    assert judged["CONSENT_UNCHECKED"] == judged["OVERLOADED"] == 0
    assert flood["strays"] == 0
    assert smsc.counters.messages == heard[0]
    assert _is_obeyed_once(refused.result())
    assert light.keys() == {"0x0"}
    assert {said for answers in probes.answers.values() for _, said in answers} == {"200"}
    assert deployment.faults() == []


def _is_obeyed_once(log: Log) -> bool:
    """Tell whether nothing was accepted after the first refusal."""
    statuses = [one.status for one in sorted(log.answers, key=lambda one: one.sent_at)]
    return 0x45 in statuses and 0 not in statuses[statuses.index(0x45) :]


async def _has_refused(deployment: Deployment, system_id: str) -> bool:
    name = "smsward_sender_submits_total"
    return await deployment.metric(name, system_id=system_id, action="reject") > 0


def _messages(system_id: str, seed: int, destination: str = "13500135000") -> Iterator[Message]:
    for text in new_texts(10**6, seed=seed):
        if text.endswith("拒收请回复R"):
            yield Message(source_of(system_id), destination, (builders.ucs2(text),))


def _questions(deployment: Deployment) -> tuple[Question, ...]:
    url = f"http://127.0.0.1:{deployment.running.port_of('probes.opened')}"
    return tuple(Question(path, "GET", f"{url}/{path}") for path in ("livez", "readyz"))


async def _flood(deployment: Deployment) -> Mapping[str, Any]:
    """Flood from a process of its own; return what it heard."""
    flood = Flood(
        port=deployment.port,
        system_id="sp1",
        first_source=int(source_of("sp1")) * 10_000,
        first=FIRST,
        numbers=NUMBERS,
        sessions=SESSIONS,
        window=WINDOW,
        seconds=SECONDS,
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.promises.flood", flood.as_json()),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    heard: Mapping[str, Any] = json.loads(printed)
    return heard


async def _refuse_by_command(deployment: Deployment) -> None:
    command = ("consent", "refuse", "--system-id", "sp3", "--config", "config", REFUSER)
    process = await GatewayProcess.start(deployment.directory, *command)
    assert await process.ended() == 0
