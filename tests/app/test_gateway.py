"""The whole, put together: what it shows of itself, how it starts and how it ends."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from gateway.app import followers
from gateway.app.gateway import Gateway
from gateway.app.health import REFUSED_WARNING
from gateway.records.writer import Records
from gateway.runtime.tasks import spawn
from gateway.storage.errors import StoreUnavailable
from gateway.systems.filings.service import FilingsFollower
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import header_of
from tests.real_time import poll

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, DESTINATION = "10690001", "13800138000"
OPEN: dict[str, str | None] = {
    "policies/rules/consent.yaml": None,
    "policies/content.yaml": None,
    "policies/keywords/fraud.yaml": None,
    "policies/keywords/loan.yaml": None,
}


async def ask(gateway: Gateway, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://127.0.0.1:{gateway.probe_port}{path}")


async def ask_until(
    gateway: Gateway, path: str, is_met: Callable[[httpx.Response], bool]
) -> httpx.Response:
    async def look() -> httpx.Response | None:
        answer = await ask(gateway, path)
        return answer if is_met(answer) else None

    return await poll(look)


def sample(text: str, name: str) -> float:
    """Return the value of one line of an exposition."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


async def test_a_gateway_that_runs_is_ready(start: Start) -> None:
    gateway = await start()

    answer = await ask(gateway, "/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "degraded": False,
        "checks": {
            "started": True,
            "not_draining": True,
            "store": True,
            "consent_is_current": True,
            "records": True,
            "records_have_room": True,
            "disk_has_room": True,
        },
        "warnings": [],
    }


async def test_a_policy_that_was_refused_is_told_until_one_is_taken(
    start: Start, tmp_path: Path
) -> None:
    gateway = await start()
    rules = tmp_path / "policies/rules/consent.yaml"
    before = rules.read_bytes()

    rules.write_bytes(before + b"\n: x\n")
    faults = await gateway.reload()
    answer = (await ask(gateway, "/readyz")).json()
    told = sample((await ask(gateway, "/metrics")).text, "smsward_policy_refused_faults")
    rules.write_bytes(before)
    assert await gateway.reload() == ()

    assert answer["ready"]
    assert answer["warnings"] == [REFUSED_WARNING]
    assert told == len(faults) == 1
    assert (await ask(gateway, "/readyz")).json()["warnings"] == []


async def test_each_gateway_counts_people_under_a_veil_of_its_own(start: Start) -> None:
    gateway = await start()

    assert gateway.plane.rules.knowledge.veil.bit_length() > 32
    assert "veil" not in repr(gateway.plane.rules.knowledge)


async def test_a_policy_that_stops_nothing_is_warned_of_at_start_and_ever_after(
    start: Start, log: LogLines
) -> None:
    gateway = await start(OPEN)

    answer = await ask(gateway, "/readyz")

    assert answer.status_code == 200
    assert answer.json()["warnings"] == ["the policy forwards everything"]
    assert [line["level"] for line in log if line["event"] == "bundle.open"] == ["warning"]


async def test_a_gateway_that_drains_is_not_ready_and_still_alive(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start()
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    await esme.send(builders.submit_sm(SOURCE, DESTINATION, b"hi", data_coding=0))
    await smsc.received(1)

    draining = spawn(gateway.drain(), name="test")
    await asyncio.sleep(0)
    ready, live = await ask(gateway, "/readyz"), await ask(gateway, "/livez")
    smsc.release_answers()
    await draining

    assert (ready.status_code, live.status_code) == (503, 200)
    assert ready.json()["checks"]["not_draining"] is False


async def test_records_that_cannot_be_kept_show(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start()
    monkeypatch.setattr(Records, "is_full", property(lambda _self: True))

    answer = await ask(gateway, "/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["records_have_room"] is False


async def test_a_loop_that_must_not_end_and_does_shows(
    start: Start, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start()

    def broken(_now: float) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(gateway.keeper, "sweep", broken)
    answer = await ask_until(gateway, "/readyz", lambda answer: answer.status_code != 200)

    assert answer.json()["checks"]["started"] is False
    assert [line["task"] for line in log if line["event"] == "task.failed"] == ["keeper"]
    log[:] = [line for line in log if line["event"] != "task.failed"]


async def test_the_metrics_tell_what_passed_and_what_did_not(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    async with await RawEsme.connect(*gateway.addresses["plain"]) as guesser:
        await guesser.bind("sp1", "guess")
    await esme.submit_many(["您好"] * 3, window=3)
    await esme.submit(SOURCE, DESTINATION, "代开发票")
    await esme.submit("95588", DESTINATION, "您好")
    await esme.submit(SOURCE, DESTINATION, "低息贷款")
    smsc.behaviour = Behaviour(hold_answers=True)
    await esme.send(builders.submit_sm(SOURCE, DESTINATION, b"hi", data_coding=0, sequence=999))
    await smsc.received(4)
    text = (await ask_until(gateway, "/metrics", lambda answer: 'held"} 1.0' in answer.text)).text

    def value(name: str) -> float:
        return sample(text, f"smsward_{name}")

    assert value('submits_total{action="forward",reason=""}') == 4
    assert value('submits_total{action="reject",reason="CONTENT"}') == 1
    assert value('submits_total{action="reject",reason="SOURCE_NOT_OWNED"}') == 1
    assert value('submits_total{action="quarantine",reason="CONTENT"}') == 1
    assert value('sender_submits_total{action="forward",system_id="sp1"}') == 4
    assert value('binds_total{reason="ok"}') == 1
    assert value('binds_total{reason="credentials"}') == 1
    assert value('in_flight{system_id="sp1"}') == 1
    assert value('quarantine_messages{state="held"}') == 1
    assert value('sessions{side="esme",state="bound_trx"}') == 1
    assert value('sessions{side="smsc",state="bound_trx"}') == 1
    assert value('checks{check="consent_is_current"}') == 1
    assert value('cases_escalated_total{clock="ack",share="100"}') == 0
    assert value('warnings_escalated_total{code="W5"}') == 0
    assert value('binds_total{reason="suspended"}') == 0
    assert value("answer_seconds_count") == 3
    assert value("tick_seconds_count") > 0
    digest = gateway.plane.rules.digest
    assert f'smsward_policy_info{{digest="{digest}",name="test",posture="balanced"}} 1.0' in text
    assert DESTINATION not in text


async def test_the_metrics_tell_what_sps_heard(start: Start, attach: Attach) -> None:
    gateway = await start()
    esme = await attach(gateway)
    await esme.submit(SOURCE, DESTINATION, "您好")

    text = (await ask(gateway, "/metrics")).text

    assert 'smsward_answers_total{status="ESME_ROK"} 1.0' in text


async def test_every_decision_and_its_outcome_is_on_record(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    passed = await esme.submit(SOURCE, DESTINATION, "您好")
    await esme.submit(SOURCE, DESTINATION, "代开发票")
    held = await esme.submit(SOURCE, DESTINATION, "低息贷款")
    await esme.unbind()

    await gateway.drain()
    await gateway.stop()

    (path,) = (tmp_path / "var/cdr").iterdir()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    text = path.read_text(encoding="utf-8")
    assert len([line for line in lines if "action" in line]) == 3
    assert passed.message_id in text
    assert held.message_id in text
    assert gateway.plane.rules.digest in text
    assert "您好" not in text
    assert path.stat().st_mode & 0o777 == 0o600


async def test_the_log_holds_neither_a_text_nor_a_number(
    start: Start, attach: Attach, log: LogLines
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    for text in ("您的验证码是 4711", "代开发票 联系我", "低息贷款 联系我"):
        await esme.submit(SOURCE, DESTINATION, text, registered_delivery=1)
    await esme.unbind()
    await gateway.drain()
    await gateway.stop()

    told = json.dumps(log, ensure_ascii=False)

    assert "esme.bound" in told
    for secret in (DESTINATION, "4711", "联系我", "secret"):
        assert secret not in told


async def test_ids_go_on_where_an_earlier_run_ended(
    start: Start, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await start()
    before = await (await attach(first)).submit(SOURCE, DESTINATION, "低息贷款")
    await first.drain()
    await first.stop()
    # The host's clock was set back by a year meanwhile.
    monkeypatch.setattr("gateway.proxy.tick.epoch", lambda: 1_700_000_000.0)

    second = await start()
    after = await (await attach(second)).submit(SOURCE, DESTINATION, "低息贷款")

    assert int(after.message_id) > int(before.message_id)


async def test_an_ipv6_listener_is_one_like_any_other(
    start: Start, deploy: Callable[..., tuple[Path, Path]], smsc: SimulatedSmsc
) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    config, _ = deploy(smsc.port)
    text = (config / "gateway.yaml").read_text(encoding="utf-8")
    two = text.replace(
        '  - {name: plain, address: "127.0.0.1:0"}\n',
        '  - {name: plain, address: "127.0.0.1:0"}\n  - {name: six, address: "[::1]:0"}\n',
    )

    gateway = await start({"config/gateway.yaml": two})
    async with await RawEsme.connect(*gateway.addresses["six"]) as esme:
        status = await esme.bind("sp1", "secret")
        alive = await esme.request(builders.enquire_link(2))

    assert (status, header_of(alive).command_status) == (0, 0)


async def test_stopping_may_be_repeated_and_needs_no_start(start: Start) -> None:
    gateway = await start()
    never = Gateway(gateway.settings, gateway.policies.senders, gateway.plane.rules.bundle)
    await gateway.stop()

    await gateway.stop()
    await never.stop()

    with pytest.raises(ConnectionRefusedError):
        await RawEsme.connect(*gateway.addresses["plain"])


async def test_a_copy_of_the_store_that_is_behind_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_follower: FilingsFollower) -> int:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(followers, "_STALE_S", 0.0)
    gateway = await start()
    monkeypatch.setattr(FilingsFollower, "catch_up", fail)

    answer = await ask_until(gateway, "/readyz", lambda one: bool(one.json()["warnings"]))

    assert answer.json()["ready"]
    assert answer.json()["warnings"] == [
        "the store is behind: filings cannot be read, the last known hold (filings.behind)"
    ]


async def test_a_classifier_that_was_refused_is_told(
    start: Start, deploy: Callable[..., tuple[Path, Path]], smsc: SimulatedSmsc, tmp_path: Path
) -> None:
    config, _ = deploy(smsc.port)
    text = (config / "gateway.yaml").read_text(encoding="utf-8")
    own = text.replace("starter: false", f"starter: false, models: {tmp_path}/models")
    gateway = await start({"config/gateway.yaml": own, "models/models.json": "{"})

    (warning,) = (await ask(gateway, "/readyz")).json()["warnings"]

    assert warning.startswith("a classifier was refused: ")


async def test_an_smsc_that_is_down_is_told(start: Start, smsc: SimulatedSmsc) -> None:
    gateway = await start()
    await smsc.stop()
    async with await RawEsme.connect(*gateway.addresses["plain"]) as esme:
        await esme.bind("sp1", "secret")

    (warning,) = (await ask(gateway, "/readyz")).json()["warnings"]

    assert warning.startswith("the SMSC main is down since ")
