"""`smsward console` as the process it is, beside a gateway on the same store."""

import asyncio
import errno
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from gateway.app.console import ConsoleProcess, serve_console
from gateway.app.gateway import Gateway
from gateway.console.pages import first_link
from gateway.domain.consent import Answer
from gateway.domain.quarantine import HoldState
from gateway.policy.checks.outside_window import AskingHours
from gateway.policy.hours import HolidayCalendar, Window, WindowSet
from gateway.policy.places import Zones
from gateway.runtime.clock import utcnow
from gateway.settings.console import ConsoleSettings, load_console
from gateway.settings.gateway import ListenerTls
from gateway.settings.schema import Address
from gateway.storage.errors import StoreUnavailable
from gateway.systems.users.model import UserAct
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus
from tests.conftest import Builder

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Deploy = Callable[..., tuple[Path, Path]]

SOURCE, DESTINATION, SUBSCRIBER = "10690001", "13800138000", 8613800138000
ADVERT = "周末大促，满99减20，拒收请回复R"
WITHIN_S = 90.0
BEIJING = ZoneInfo("Asia/Shanghai")
SERVICES = """\
version: 1
services:
  - {system_id: sp1, id: weather, name: 天气, port: "10690001", price_fen: 500, order_words: [DY]}
"""
ORDER = {"number": DESTINATION, "service": "weather", "channel": "web", "shown": "天气 5元/月"}


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


CLERK, SHOP, POLICE = ("the-token-of-" + name + "-" * 20 for name in ("hall", "shop", "police"))
API = f"""\
version: 1
address: "127.0.0.1:0"
clients:
  - {{name: 营业厅, role: clerk, channels: [hall], token: "sha256:{digest(CLERK)}"}}
  - {{name: shop, role: sp, system_id: sp1, token: "sha256:{digest(SHOP)}"}}
  - {{name: police, role: investigator, token: "sha256:{digest(POLICE)}"}}
"""
CONSENT = """\
version: 1
rules:
  - id: R20
    check: no_consent
    title: {zh: 同意, en: Consent}
    article: test
    mode: enforce
    applies_to: [commercial]
    accept_asserted: false
  - id: R21
    check: opt_out
    title: {zh: 拒收, en: Refusal}
    article: test
    mode: enforce
"""


@dataclass
class RunningApi:
    """An API process, and what it has logged."""

    process: asyncio.subprocess.Process
    port: int = 0
    log: list[dict[str, object]] = field(default_factory=list)

    async def line(self, event: str) -> dict[str, object]:
        """Read the log up to the next line of a kind."""
        assert self.process.stderr is not None
        async with asyncio.timeout(WITHIN_S):
            while octets := await self.process.stderr.readline():
                self.log.append(orjson.loads(octets))
                if self.log[-1]["event"] == event:
                    return self.log[-1]
        raise AssertionError(f"the API ended before it told of {event}: {self.log}")

    async def ask(self, token: str, method: str, path: str, body: object = None) -> httpx.Response:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=WITHIN_S,
        ) as client:
            return await client.request(method, path, json=body)


async def test_where_nobody_can_sign_in_a_terminal_is_told_a_link_and_no_log() -> None:
    said: list[str] = []
    api = ConsoleProcess(
        ConsoleSettings(version=1, address=Address("127.0.0.1", 0)), (), "memory://"
    )
    api.announce = said.append
    with capture_logs() as logs:
        await api.start()
        assert api._stores is not None
        users = api._stores.users
        first, again = said[-1], (await first_link(users, UserAct("root", utcnow()))).token
        admins = [(one.name, one.grant.role) for one in await users.listed()]
        await api.stop()

    assert admins == [("admin", "admin")]
    assert said[0] == f"console: {api.url}/"
    assert re.fullmatch(rf"  {api.url}/enrol/[\w-]{{43}}", first)
    assert again not in first
    assert not any(first.rpartition("/")[2] in str(line) for line in logs)


Launch = Callable[[], Awaitable[RunningApi]]


@pytest.fixture
async def launch_api(tmp_path: Path) -> AsyncIterator[Launch]:
    """Run the API of the deployment as a process of its own."""
    running: list[RunningApi] = []

    async def launch() -> RunningApi:
        config = tmp_path / "config"
        (config / "console.yaml").write_text(API, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "console", "--config", str(config)),
            *("--policies", str(tmp_path / "policies")),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        api = RunningApi(process)
        running.append(api)
        opened = await api.line("api.opened")
        api.port = int(str(opened["address"]).rpartition(":")[2])
        return api

    yield launch
    for api in running:
        if api.process.returncode is None:
            api.process.kill()
        await api.process.wait()


async def submit_until(esme: RawEsme, *, ok: bool) -> None:
    """Submit adverts until one is answered as expected: within the second that rules promise."""
    async with asyncio.timeout(60):
        while (await esme.submit(SOURCE, DESTINATION, ADVERT)).is_ok is not ok:
            pass


async def test_r36_a_refusal_by_the_api_stops_the_next_advert(
    start: Start, attach: Attach, smsc: SimulatedSmsc, launch_api: Launch
) -> None:
    gateway = await start()
    esme, codes = await attach(gateway), await attach(gateway, "sp2")
    api = await launch_api()
    before = await esme.submit(SOURCE, DESTINATION, ADVERT)
    refusal = {"numbers": [DESTINATION], "system_id": "sp1", "operator": "op17"}

    recorded = await api.ask(CLERK, "POST", "/v1/optouts", refusal)
    await submit_until(esme, ok=False)
    passed = len(smsc.journal)
    after = await esme.submit(SOURCE, DESTINATION, ADVERT)
    code = await codes.submit("10690002", DESTINATION, "验证码482913，5分钟内有效")

    assert recorded.status_code == 200
    assert (before.is_ok, code.is_ok) == (True, True)
    assert after.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert len(smsc.journal) == passed + 1
    kept = await gateway.stores.consent.answer_of(SUBSCRIBER, "sp1")
    assert kept is not None
    assert (kept.channel, kept.evidence) == ("hall", "营业厅/op17")


async def test_an_sp_asks_for_its_own_messages_counts_and_limits(
    start: Start, attach: Attach, launch_api: Launch
) -> None:
    gateway = await start()
    esme, other = await attach(gateway), await attach(gateway, "sp2")
    sent = await esme.submit(SOURCE, DESTINATION, "您好")
    await other.submit("10690002", DESTINATION, "验证码482913，5分钟内有效")
    api = await launch_api()

    messages: list[dict[str, str]] = []
    while not messages or not messages[0]["message_id"]:
        messages = (await api.ask(SHOP, "GET", "/v1/messages")).json().get("messages", [])
    limits = (await api.ask(SHOP, "GET", "/v1/limits")).json()
    while (counts := await api.ask(SHOP, "GET", "/v1/statistics")).status_code != 200:
        pass

    (message,) = messages
    assert (message["message_id"], message["state"]) == (sent.message_id, "accepted")
    assert message["destination"] == "138****8000"
    assert (limits["window"], limits["sessions"]) == (200, 1)
    assert [(one["port"], one["count"]) for one in counts.json()["counts"]] == [(SOURCE, 1)]


async def test_r37_an_sp_cannot_delete_a_refusal_nor_claim_it_away(
    start: Start, attach: Attach, launch_api: Launch
) -> None:
    gateway = await start()
    esme, api = await attach(gateway), await launch_api()
    await api.ask(CLERK, "POST", "/v1/optouts", {"numbers": [DESTINATION], "all_senders": True})
    await api.ask(SHOP, "POST", "/v1/optouts", {"numbers": [DESTINATION]})
    await submit_until(esme, ok=False)

    deleted = await api.ask(SHOP, "DELETE", "/v1/optouts", {"numbers": [DESTINATION]})
    claimed = await api.ask(SHOP, "POST", "/v1/consents", {"items": [{"number": DESTINATION}]})
    heard = await api.ask(SHOP, "GET", "/v1/notices")

    assert deleted.status_code == 403
    assert claimed.json()["items"][0]["answer"] == "refused"
    assert len(heard.json()["notices"]) == 2
    assert not (await esme.submit(SOURCE, DESTINATION, ADVERT)).is_ok


async def test_r26_an_agreement_counts_with_its_evidence_and_not_before(
    start: Start, attach: Attach, launch_api: Launch
) -> None:
    gateway = await start({"policies/rules/consent.yaml": CONSENT})
    esme, api = await attach(gateway), await launch_api()
    evidence = {
        "who": "zhang3",
        "when": "2025-01-02T03:04:05+08:00",
        "channel": "web",
        "text": "同意接收促销信息",
        "scope": "促销信息",
        "valid_until": "2099-12-31",
        "message_ids": ["817"],
    }

    asserted = await api.ask(SHOP, "POST", "/v1/consents", {"items": [{"number": DESTINATION}]})
    unproven = await esme.submit(SOURCE, DESTINATION, ADVERT)
    items = [{"number": DESTINATION, "evidence": evidence}]
    proven = await api.ask(SHOP, "POST", "/v1/consents", {"items": items})
    await submit_until(esme, ok=True)

    assert asserted.json()["items"][0]["answer"] == Answer.ASSERTED
    assert unproven.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert proven.json()["items"][0]["answer"] == Answer.AGREED


async def test_r73_what_the_api_logs_and_answers_tells_no_number_and_no_token(
    start: Start, launch_api: Launch
) -> None:
    await start()
    api = await launch_api()
    item = {"number": DESTINATION, "evidence": {"text": "同意接收促销信息"}}
    answers = [
        await api.ask(CLERK, "POST", "/v1/optouts", {"numbers": [DESTINATION], "system_id": "sp1"}),
        await api.ask(CLERK, "POST", "/v1/optouts/query", {"numbers": [DESTINATION]}),
        await api.ask(SHOP, "POST", "/v1/consents", {"items": [item]}),
        await api.ask(SHOP, "GET", f"/v1/consents/{DESTINATION}?number={DESTINATION}"),
        await api.ask("a-wrong-token", "GET", "/v1/notices"),
        await api.ask(POLICE, "POST", "/v1/optouts/query", {"numbers": [DESTINATION, "x"]}),
        await api.ask(
            POLICE, "POST", "/v1/optouts/query", {"numbers": [DESTINATION], "unmask": True}
        ),
    ]

    os.kill(api.process.pid, signal.SIGTERM)
    await api.line("api.stopped")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 401, 422, 403]
    said = str(api.log) + "".join(answer.text for answer in answers)
    assert len([line for line in api.log if line["event"] == "api.answered"]) == len(answers)
    for secret in (DESTINATION, CLERK, SHOP, POLICE, "wrong-token", "同意接收"):
        assert secret not in said
    assert await api.process.wait() == 0


async def test_a_client_taken_off_the_file_is_refused_and_a_broken_file_changes_nothing(
    start: Start, launch_api: Launch, tmp_path: Path
) -> None:
    await start()
    api, file = await launch_api(), tmp_path / "config/console.yaml"
    before = await api.ask(POLICE, "POST", "/v1/optouts/query", {"numbers": [DESTINATION]})

    file.write_text(API.replace("role: clerk", "role: king"), encoding="utf-8")
    refused = await api.line("api.refused")
    meanwhile = await api.ask(POLICE, "POST", "/v1/optouts/query", {"numbers": [DESTINATION]})
    file.write_text(API.replace(digest(POLICE), digest("another token")), encoding="utf-8")
    os.kill(api.process.pid, signal.SIGHUP)
    await api.line("api.reloaded")
    after = await api.ask(POLICE, "POST", "/v1/optouts/query", {"numbers": [DESTINATION]})

    assert "console.yaml:4:" in str(refused["faults"])
    assert [answer.status_code for answer in (before, meanwhile, after)] == [200, 200, 401]


async def test_r88_how_many_complaints_suspend_a_port_follows_gateway_yaml(
    start: Start, launch_api: Launch, tmp_path: Path
) -> None:
    await start()
    api, file = await launch_api(), tmp_path / "config/gateway.yaml"
    one = {"sender": SOURCE, "text": "贷款", "reported_at": utcnow().isoformat()}
    batch = [
        {**one, "source_id": str(number), "reporter": f"1380013800{number}"} for number in range(2)
    ]

    settings = file.read_text(encoding="utf-8")
    file.write_text(settings + "complaints: {reporters: 2}\n", encoding="utf-8")
    os.kill(api.process.pid, signal.SIGHUP)
    await api.line("api.reloaded")
    answer = await api.ask(CLERK, "POST", "/v1/complaints", {"complaints": batch})

    suspended = await api.line("port.suspended")
    assert answer.status_code == 202
    assert (suspended["port"], suspended["reporters"]) == (SOURCE, 2)


def hours_from(hour: int) -> str:
    """Return rules that let adverts arrive in one hour of the day."""
    return f"""\
version: 1
rules:
  - id: R40
    check: outside_window
    title: {{zh: 时段, en: Hours}}
    article: test
    mode: enforce
    applies_to: [commercial]
    open: ["{hour:02}:00-{hour + 1:02}:00"]
    action: defer
"""


async def test_r40_the_api_asks_within_the_hours_of_the_policy_as_it_is_now(
    start: Start, launch_api: Launch, tmp_path: Path
) -> None:
    now = utcnow().astimezone(BEIJING)
    soon, later = (now.hour + 3) % 24, (now.hour + 6) % 24
    rules = tmp_path / "policies/rules/hours.yaml"
    await start({"config/services.yaml": SERVICES, "policies/rules/hours.yaml": hours_from(soon)})
    api = await launch_api()

    first = await api.ask(SHOP, "POST", "/v1/orders", ORDER)
    rules.write_text(hours_from(later), encoding="utf-8")
    await api.line("api.hours_changed")
    second = await api.ask(SHOP, "POST", "/v1/orders", {**ORDER, "number": "13800138001"})

    asked = [datetime.fromisoformat(one.json()["asks_at"]) for one in (first, second)]
    assert [at.astimezone(BEIJING).strftime("%H:%M") for at in asked] == [
        f"{soon:02}:00",
        f"{later:02}:00",
    ]


async def test_a_fault_in_the_policies_keeps_no_client_that_was_taken_off_the_file(
    start: Start, launch_api: Launch, tmp_path: Path
) -> None:
    soon = (utcnow().astimezone(BEIJING).hour + 3) % 24
    await start({"config/services.yaml": SERVICES, "policies/rules/hours.yaml": hours_from(soon)})
    api = await launch_api()

    (tmp_path / "config/console.yaml").write_text(
        API.replace(digest(POLICE), digest("another token")), encoding="utf-8"
    )
    (tmp_path / "policies/rules/hours.yaml").write_text("version: 9\n", encoding="utf-8")
    os.kill(api.process.pid, signal.SIGHUP)
    refused = await api.line("api.policy_refused")
    order = await api.ask(SHOP, "POST", "/v1/orders", ORDER)
    taken_off = await api.ask(POLICE, "POST", "/v1/optouts/query", {"numbers": [DESTINATION]})

    assert "hours.yaml:1:" in str(refused["faults"])
    assert "api.reloaded" in [line["event"] for line in api.log]
    asks_at = datetime.fromisoformat(order.json()["asks_at"]).astimezone(BEIJING)
    assert asks_at.strftime("%H:%M") == f"{soon:02}:00"
    assert taken_off.status_code == 401


# In this process


@pytest.fixture
def settings(deploy: Deploy) -> ConsoleSettings:
    config, _ = deploy()
    (config / "console.yaml").write_text(API, encoding="utf-8")
    return load_console(config / "console.yaml", {"sp1"})


async def test_where_there_is_no_store_the_api_does_not_start(
    settings: ConsoleSettings, tmp_path: Path
) -> None:
    api = ConsoleProcess(settings, {"sp1"}, f"sqlite:///{tmp_path}/elsewhere/smsward.db")

    with pytest.raises(StoreUnavailable, match="start the gateway first"):
        await api.start()
    await api.stop()

    assert not (tmp_path / "elsewhere").exists()


def test_the_same_hours_read_again_are_no_news(
    settings: ConsoleSettings, log: list[dict[str, object]]
) -> None:
    api = ConsoleProcess(settings, {"sp1"}, "memory://")
    day, night = (WindowSet((Window(time(8), time(end)),)) for end in (20, 23))

    for windows in (day, day, night, night):
        api.keep_hours(AskingHours(windows, HolidayCalendar("none"), Zones("Asia/Shanghai")))

    assert [line["event"] for line in log] == ["api.hours_changed"] * 2
    assert api.hours.windows == night


async def test_with_a_certificate_the_api_answers_over_tls(
    settings: ConsoleSettings, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "api.pem", tmp_path / "api.key"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "2", *subject, "-keyout", str(key), "-out", str(certificate)),
        stderr=subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    api = ConsoleProcess(replace(settings, tls=ListenerTls(certificate, key)), {"sp1"}, "memory://")
    await api.start()
    trusting = ssl.create_default_context(cafile=str(certificate))
    try:
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as client:
            answer = await client.get(f"https://127.0.0.1:{api.port}/v1/health")
    finally:
        await api.stop()

    assert answer.json() == {"ready": True}


async def test_a_port_that_is_taken_is_told_with_the_file_that_names_it(
    settings: ConsoleSettings,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = Address("127.0.0.1", taken.getsockname()[1])
        api = ConsoleProcess(replace(settings, address=address), {"sp1"}, "memory://")

        with pytest.raises(OSError, match=r"for the API.*console\.yaml") as raised:
            await api.start()
        await api.stop()

    assert raised.value.errno == errno.EADDRINUSE


def test_faulty_settings_are_all_told_before_anything_starts(
    deploy: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    config, policies = deploy(
        files={"config/console.yaml": API.replace("role: clerk", "role: king")}
    )
    (config / "gateway.yaml").write_text("version: 9\n", encoding="utf-8")
    (policies / "rules/consent.yaml").write_text("version: 9\n", encoding="utf-8")

    assert serve_console(config, policies) == 2

    said = capsys.readouterr().err
    assert "console.yaml:4:" in said
    assert "gateway.yaml:1:" in said
    assert "consent.yaml:1:" in said


def test_without_a_store_the_process_says_so_and_ends(
    deploy: Deploy, log: list[dict[str, object]]
) -> None:
    config, policies = deploy(files={"config/console.yaml": API})

    assert serve_console(config, policies) == 1

    assert [line["event"] for line in log] == ["api.failed", "api.stopped"]
    assert "there is no store at" in str(log[0]["said"])


async def test_one_program_does_not_what_two_persons_must(tmp_path: Path, held: Builder) -> None:
    token, campaign = "the-token-of-review" + "-" * 20, "c3f1d9a07b2e4c55f"
    (tmp_path / "console.yaml").write_text(
        'version: 1\naddress: "127.0.0.1:0"\n'
        "two_persons: {make_admin: true, release_campaign_above: 1}\n"
        f'clients: [{{name: soc, role: admin, token: "sha256:{digest(token)}"}}]\n',
        encoding="utf-8",
    )
    settings = load_console(tmp_path / "console.yaml", None)
    process = ConsoleProcess(settings, (), "memory://")
    await process.start()
    try:
        assert process._stores is not None
        messages = [held(message_id=8 * 10**18 + one, campaign=campaign) for one in range(2)]
        await process._stores.quarantine.hold(messages)
        async with httpx.AsyncClient(
            base_url=process.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False
        ) as client:
            body = {"decision": "released", "expected_count": 2, "note": "已核实"}
            released = await client.post(f"/v1/campaigns/{campaign}/decide", json=body)
            made = await client.post("/v1/users", json={"name": "mei", "role": "admin"})
            states = {one.state for one in await process._stores.quarantine.find()}
    finally:
        await process.stop()

    assert (released.status_code, made.status_code) == (409, 409)
    assert "second person" in released.json()["detail"]
    assert states == {HoldState.HELD}
