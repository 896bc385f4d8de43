"""Commands that ask the running gateway: what they show, and what becomes of their orders."""

import asyncio
import json
import socket
import stat
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.app.gateway import Gateway
from gateway.app.live import _COPIES
from gateway.app.orders import Orders
from gateway.console.control_socket import ControlSocket
from gateway.domain.live import LiveCap, LiveHours, LiveLimits, SuspendedSender
from gateway.domain.records import NewAccess
from gateway.domain.suspension import NewPortSuspension
from gateway.runtime import clock
from gateway.runtime.tasks import spawn
from gateway.storage.errors import StoreUnavailable
from gateway.storage.journals import SqlJournals
from gateway.terminal.control import ask
from gateway.terminal.failure import CommandError
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandId, CommandStatus, header_of
from tests.app.conftest import SENDERS

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Command = Callable[..., Awaitable[CompletedProcess[str]]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SOURCE, DESTINATION = "10690001", "13800138000"


async def test_status_tells_of_sessions_windows_the_smsc_and_the_policy(
    start: Start, attach: Attach, smsc: SimulatedSmsc, command: Command
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    smsc.behaviour = Behaviour(hold_answers=True)
    waiting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "您好"))
    await smsc.received(1)

    said = json.loads((await command("status", "--json")).stdout)
    shown = await command("status")
    smsc.release_answers()
    await waiting

    assert said["sessions"] == {"sp1": 1}
    assert (said["window_used"], said["window"]) == (1, 200)
    assert said["policy"]["digest"] == gateway.plane.rules.digest
    assert said["policy"]["posture"] == "balanced"
    (one,) = said["smscs"]
    assert (one["name"], one["is_up"], one["binds"]) == ("main", True, 1)
    assert said["is_ready"]
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "sp1 1" in shown.stdout
    assert "1 of 200 in use" in shown.stdout
    assert f"127.0.0.1:{smsc.port}, up since" in shown.stdout


async def test_status_counts_messages_a_second_and_what_waits(
    start: Start, attach: Attach, command: Command, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    for text in ("您好", "您好", "低息贷款", "代开发票"):
        await esme.submit(SOURCE, DESTINATION, text)
    assert gateway._standing is not None
    held = gateway._standing.followers
    await until(lambda: held.held.get("held") == 1)
    await until(lambda: set(_COPIES) <= held.rounds.taken_at.keys())
    began = clock.monotonic()

    monkeypatch.setattr("gateway.app.live.monotonic", lambda: began + 10)
    said = json.loads((await command("status", "--json")).stdout)

    # Of the time since the start, which a busy machine makes longer.
    per_s = {"forwarded": 0.2, "held": 0.1, "rejected": 0.1}
    assert said["per_s"] == pytest.approx(per_s, abs=0.11)
    assert said["per_s"]["forwarded"] > 0
    assert said["backlog"]["held"] == 1
    assert set(said["read_s"]) == {"consent", "filings", "preferences", "suspensions"} == {*_COPIES}


async def test_status_names_an_smsc_that_is_down(
    start: Start, smsc: SimulatedSmsc, command: Command
) -> None:
    gateway = await start()
    await smsc.stop()
    async with await RawEsme.connect(*gateway.addresses["plain"]) as esme:
        await esme.bind("sp1", "secret")

    shown = (await command("status")).stdout

    assert "DOWN since" in shown


async def test_status_fails_while_the_gateway_is_not_ready(start: Start, command: Command) -> None:
    gateway = await start()
    gateway.broken(RuntimeError())

    shown = await command("status")

    assert shown.returncode == 1
    assert "NOT READY: started" in shown.stdout


async def test_without_a_gateway_it_is_said_where_it_was_looked_for(
    start: Start, command: Command, tmp_path: Path
) -> None:
    gateway = await start()
    await gateway.stop()

    shown = await command("status")

    assert shown.returncode == 1
    where = tmp_path / "var/smsward.db.control"
    assert f"no gateway runs on this store: nothing answers at {where}" in shown.stderr
    assert not where.exists()


async def test_only_the_account_of_the_gateway_may_ask(
    start: Start, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_socket: socket.socket, _address: str) -> None:
        raise PermissionError

    await start()
    mode = (tmp_path / "var/smsward.db.control").stat().st_mode
    monkeypatch.setattr("socket.socket.connect", refuse)

    shown = await command("status")

    assert stat.S_IMODE(mode) == 0o600
    assert "you may not speak to the gateway" in shown.stderr


async def test_a_killed_gateway_leaves_a_socket_that_the_next_one_replaces(
    start: Start, command: Command, tmp_path: Path
) -> None:
    left = tmp_path / "var/smsward.db.control"
    left.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(left))

    await start()

    assert (await command("status")).returncode == 0


async def test_traffic_goes_on_where_the_socket_cannot_be_opened(
    start: Start, attach: Attach, tmp_path: Path, log: list[dict[str, object]]
) -> None:
    (tmp_path / "var/smsward.db.control/taken").mkdir(parents=True)

    esme = await attach(await start())

    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok
    assert "control.failed" in [line["event"] for line in log]


async def test_a_question_that_the_gateway_fails_at_is_answered_and_logged(
    start: Start, tmp_path: Path, log: list[dict[str, object]]
) -> None:
    gateway = await start()
    asking = partial(ask, tmp_path / "var/smsward.db.control", "sender suspend", SuspendedSender)

    with pytest.raises(CommandError, match="the gateway failed at it"):
        await asyncio.to_thread(asking, system_id="sp1")  # nobody's order

    assert [line["task"] for line in log if line["event"] == "task.failed"] == ["control"]
    log[:] = [line for line in log if line["event"] != "task.failed"]
    assert not gateway.policies.suspended


async def test_the_socket_of_another_gateway_at_the_same_path_stays(tmp_path: Path) -> None:
    first, second = ControlSocket(tmp_path / "control"), ControlSocket(tmp_path / "control")
    await first.start({})
    await second.start({})

    first.stop()
    stayed = second.path.exists()
    second.stop()

    assert stayed
    assert not second.path.exists()


# Sessions


async def test_sessions_are_listed_with_their_windows_and_rates(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    await attach(gateway, "sp2", "rx")
    for _ in range(5):
        await esme.submit(SOURCE, DESTINATION, "您好")
    smsc.behaviour = Behaviour(hold_answers=True)
    waiting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "您好"))
    await smsc.received(6)
    now = next(iter(gateway.sessions.pairs)).clocks.opened_at + 10
    monkeypatch.setattr("gateway.app.live.monotonic", lambda: now)

    listed = json.loads((await command("session", "list", "--json")).stdout)
    shown = await command("session", "list", "--sender", "sp1")
    smsc.release_answers()
    await waiting

    assert [(one["system_id"], one["bind_type"]) for one in listed] == [
        ("sp1", "trx"),
        ("sp2", "rx"),
    ]
    assert listed[0]["address"] == "127.0.0.1"
    assert (listed[0]["window_used"], listed[0]["window"]) == (1, 200)
    assert listed[0]["per_s"] == 0.6
    assert "1 of 200" in shown.stdout
    assert "sp2" not in shown.stdout


async def test_a_closed_session_is_answered_unbound_and_may_bind_again(
    start: Start, attach: Attach, smsc: SimulatedSmsc, command: Command
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    smsc.behaviour = Behaviour(hold_answers=True)
    waiting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "您好"))
    await smsc.received(1)
    (listed,) = json.loads((await command("session", "list", "--json")).stdout)

    closed = await command("session", "close", str(listed["number"]), "--note", "hangs")
    refused = await esme.submit(SOURCE, DESTINATION, "您好")
    smsc.release_answers()
    (answer,) = await waiting
    farewell = await esme.next_pdu()
    await esme.lost()

    assert closed.returncode == 0
    assert refused.command_status == CommandStatus.ESME_RMSGQFUL
    assert answer.is_ok
    assert header_of(farewell).command_id == CommandId.UNBIND
    await attach(gateway)


async def test_all_sessions_of_an_sp_are_closed_and_the_others_stay(
    start: Start, attach: Attach, command: Command, until: Until
) -> None:
    gateway = await start()
    esmes = [await attach(gateway), await attach(gateway, kind="rx")]
    bystander = await attach(gateway, "sp2")

    shown = await command("session", "close", "--sender", "sp1", "--note", "moves", "--json")
    for esme in esmes:
        await esme.lost()
    await until(lambda: gateway.session_counts() == {"sp2": 1})

    assert len(json.loads(shown.stdout)["closed"]) == 2
    assert (await bystander.submit("10690002", DESTINATION, "您好")).is_ok


async def test_who_closed_a_session_and_why_is_in_the_journal(
    start: Start, attach: Attach, command: Command, log: list[dict[str, object]]
) -> None:
    esme = await attach(await start())

    await command("session", "close", "--sender", "sp1", "--note", "hangs", "--by", "wu")
    await esme.lost()
    shown = json.loads((await command("audit", "show", "--json")).stdout)
    (access,) = (one for one in shown if one["action"] != "policy activate")

    assert (access["action"], access["reason"]) == ("session close", "hangs")
    assert access["by"].startswith("wu (said by")
    assert access["about"].endswith("of sp1")
    (order,) = [line for line in log if line["event"] == "order.given"]
    assert order["order"] == "session close"


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("99", "--note", "x"), "there is no session 99", 1),
        (("--sender", "sp9", "--note", "x"), "sp9 is not bound", 1),
        (("--note", "x"), "which session", 2),
        (("7", "--sender", "sp1", "--note", "x"), "which session", 2),
        (("7", "--note", " "), "--note: say why", 2),
    ],
)
async def test_a_session_that_is_not_there_is_not_closed(
    start: Start, command: Command, arguments: tuple[str, ...], said: str, code: int
) -> None:
    await start()

    shown = await command("session", "close", *arguments)

    assert shown.returncode == code
    assert said in shown.stderr


# Senders


async def test_a_suspended_sender_is_refused_until_it_is_resumed(
    start: Start, attach: Attach, command: Command
) -> None:
    gateway = await start()
    esme, bystander = await attach(gateway), await attach(gateway, "sp2")

    done = await command("sender", "suspend", "sp1", "--note", "case 12")
    refused = await esme.submit(SOURCE, DESTINATION, "您好")
    async with await RawEsme.connect(*gateway.addresses["plain"]) as newcomer:
        bind = await newcomer.bind("sp1", "secret")
    untouched = await bystander.submit("10690002", DESTINATION, "您好")
    shown = await command("sender", "show", "sp1")
    listed = json.loads((await command("sender", "list", "--json")).stdout)
    over = await command("sender", "resume", "sp1", "--note", "case 12 closed")
    again = await esme.submit(SOURCE, DESTINATION, "您好")

    assert (done.returncode, over.returncode) == (0, 0)
    assert refused.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert bind == CommandStatus.ESME_RBINDFAIL
    assert untouched.is_ok
    assert "SUSPENDED since" in shown.stdout
    assert "case 12" in shown.stdout
    assert [one["suspended"] is None for one in listed] == [False, True]
    assert listed[0]["ports"] == {"10690001": "marketing"}
    assert again.is_ok


async def test_a_suspension_holds_over_a_reload_and_a_restart(
    start: Start, attach: Attach, command: Command, tmp_path: Path
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    await command("sender", "suspend", "sp1", "--note", "case 12")
    senders = tmp_path / "config/senders.yaml"
    changed = senders.read_text(encoding="utf-8").replace("window: 200", "window: 100")

    senders.write_text(changed, encoding="utf-8")
    assert await gateway.reload() == ()
    reloaded = await esme.submit(SOURCE, DESTINATION, "您好")
    await gateway.stop()
    restarted = await start({"config/senders.yaml": changed})
    async with await RawEsme.connect(*restarted.addresses["plain"]) as newcomer:
        bind = await newcomer.bind("sp1", "secret")

    assert reloaded.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert bind == CommandStatus.ESME_RBINDFAIL


async def test_r88_a_port_that_is_suspended_sends_nothing_until_it_is_lifted(
    start: Start, attach: Attach, until: Until, command: Command
) -> None:
    gateway = await start()
    esme, bystander = await attach(gateway), await attach(gateway, "sp2")
    new = NewPortSuspension("sp1", SOURCE, clock.utcnow(), "complaints", "R88: 5 subscribers")
    account = gateway.plane.rules.accounts["sp1"]

    await gateway.stores.suspended_ports.suspend(new)
    await until(lambda: bool(account.suspended))
    refused = await esme.submit(SOURCE, DESTINATION, "您好")
    untouched = await bystander.submit("10690002", DESTINATION, "您好")
    await gateway.stop()
    gateway = await start()
    esme = await attach(gateway)
    restarted = await esme.submit(SOURCE, DESTINATION, "您好")
    listed = await command("suspension", "ports")
    done = await command("suspension", "lift-port", "sp1", SOURCE, "--note", "case 12 closed")
    account = gateway.plane.rules.accounts["sp1"]
    await until(lambda: not account.suspended)
    again = await esme.submit(SOURCE, DESTINATION, "您好")

    assert refused.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert restarted.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert untouched.is_ok
    assert (listed.returncode, done.returncode) == (0, 0)
    assert "R88: 5 subscribers" in listed.stdout
    assert again.is_ok


async def test_a_suspended_sender_is_unbound_where_that_is_asked(
    start: Start, attach: Attach, command: Command
) -> None:
    esme = await attach(await start())

    await command("sender", "suspend", "sp1", "--unbind", "--note", "case 12")
    farewell = await esme.next_pdu()

    assert header_of(farewell).command_id == CommandId.UNBIND


async def test_a_suspension_is_in_force_before_the_store_is_asked(
    start: Start, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So nothing but the tick under way stands between the order and its effect.
    gateway = await start()
    esme = await attach(gateway)
    may_go_on = asyncio.Event()
    note = SqlJournals.note_access

    async def note_late(journals: SqlJournals, access: NewAccess) -> int:
        await may_go_on.wait()
        return await note(journals, access)

    monkeypatch.setattr(SqlJournals, "note_access", note_late)
    orders = Orders(gateway.stores, gateway.sessions, gateway.policies, gateway.upstream)
    wish = {"do": "sender suspend", "system_id": "sp1", "by": "wu", "note": "case 12"}
    order = spawn(orders.suspend(wish), name="order")
    await asyncio.sleep(0)

    refused = await esme.submit(SOURCE, DESTINATION, "您好")
    is_kept = order.done()
    may_go_on.set()
    await order

    assert refused.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert not is_kept
    assert [one.system_id for one in await gateway.stores.suspended_senders.listed()] == ["sp1"]


async def test_a_suspension_outlasts_a_resume_that_was_ordered_before_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start()
    is_resuming, may_go_on = asyncio.Event(), asyncio.Event()
    note = SqlJournals.note_access

    async def note_late(journals: SqlJournals, access: NewAccess) -> int:
        if access.action == "sender resume":
            is_resuming.set()
            await may_go_on.wait()
        return await note(journals, access)

    monkeypatch.setattr(SqlJournals, "note_access", note_late)
    orders = Orders(gateway.stores, gateway.sessions, gateway.policies, gateway.upstream).answers()

    async def order(do: str, why: str) -> None:
        await orders[do]({"do": do, "system_id": "sp1", "by": "wu", "note": why})

    await order("sender suspend", "case 12")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(order("sender resume", "case 12 closed"))
        await is_resuming.wait()
        last = tasks.create_task(order("sender suspend", "case 13"))
        await asyncio.wait([last], timeout=0)
        may_go_on.set()

    assert [one.note for one in gateway.policies.suspended.values()] == ["case 13"]
    kept = await gateway.stores.suspended_senders.listed()
    assert [one.note for one in kept] == ["case 13"]


@pytest.mark.parametrize("before", ["case 11", ""])
async def test_a_suspension_that_cannot_be_journaled_does_not_hold(
    start: Start, attach: Attach, command: Command, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    async def fail(_journals: SqlJournals, _access: NewAccess) -> int:
        raise StoreUnavailable("no disk")

    gateway = await start()
    esme = await attach(gateway)
    if before:
        await command("sender", "suspend", "sp1", "--note", before)
    monkeypatch.setattr(SqlJournals, "note_access", fail)

    shown = await command("sender", "suspend", "sp1", "--note", "case 12")
    answer = await esme.submit(SOURCE, DESTINATION, "您好")

    assert shown.returncode == 1
    assert "the store does not answer" in shown.stderr
    assert answer.is_ok is not bool(before)
    assert [one.note for one in gateway.policies.suspended.values()] == [before][: bool(before)]


async def test_a_sender_that_is_not_there_or_not_suspended_is_said(
    start: Start, command: Command
) -> None:
    await start()

    unknown = await command("sender", "suspend", "sp9", "--note", "x")
    unsuspended = await command("sender", "resume", "sp1", "--note", "x")
    unshown = await command("sender", "show", "sp9")
    listed = await command("sender", "list")
    shown = await command("sender", "show", "sp2", "--json")

    assert "there is no sender sp9" in unknown.stderr
    assert "sp1 was not suspended by order" in unsuspended.stderr
    assert (unshown.returncode, unshown.stdout) == (2, "")
    assert "10690001 marketing" in listed.stdout
    assert json.loads(shown.stdout)["system_id"] == "sp2"


async def test_a_port_that_is_a_persons_number_is_masked(start: Start, command: Command) -> None:
    await start({"config/senders.yaml": SENDERS.replace("10690002", "13911112222")})

    said = [
        (await command("sender", *one)).stdout
        for one in (("list",), ("list", "--json"), ("show", "sp2"), ("show", "sp2", "--json"))
    ]

    assert all("139****2222" in one and "13911112222" not in one for one in said)


async def test_an_smsc_is_listed_drained_and_resumed(start: Start, command: Command) -> None:
    await start()

    before = await command("smsc", "list")
    refused = await command("smsc", "drain", "main", "--note", "x")
    drained = await command("smsc", "drain", "main", "--note", "new software", "--force")
    (meanwhile,) = json.loads((await command("smsc", "list", "--json")).stdout)
    resumed = await command("smsc", "resume", "main", "--note", "done", "--json")
    accesses = json.loads((await command("audit", "show", "--json")).stdout)

    assert "not asked yet" in before.stdout
    assert "no other SMSC of the group main is up" in refused.stderr
    assert drained.stdout == "main: draining\n"
    assert meanwhile["is_drained"]
    assert json.loads(resumed.stdout) == {"smsc": "main", "state": "resumed"}
    acts = [one["action"] for one in accesses]
    assert acts == ["smsc resume", "smsc drain", "policy activate"]


HOURS = """\
version: 1
rules:
  - id: R40
    check: outside_window
    title: {zh: 时段, en: Hours}
    article: test
    mode: enforce
    open: ["00:00-24:00"]
  - id: R42
    check: too_often
    title: {zh: 频次, en: Frequency}
    article: test
    mode: shadow
    limits:
      - {per: [sender, destination], at_most: 3, every: day}
      - {per: [destination], at_most: 5, every: rolling 24h}
    overrides: [{sender: sp1, mode: enforce}]
"""


async def test_an_sps_limits_are_told_with_what_is_used_of_them(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start({"policies/rules/hours.yaml": HOURS})
    esme = await attach(gateway)
    smsc.behaviour = Behaviour(hold_answers=True)
    waiting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "您好"))
    await smsc.received(1)

    def asked(system_id: str) -> LiveLimits:
        return ask(gateway.settings.store.control, "limits", LiveLimits, system_id=system_id)

    own, other = [await asyncio.to_thread(asked, name) for name in ("sp1", "sp2")]
    with pytest.raises(CommandError, match="there is no sender sp9"):
        await asyncio.to_thread(asked, "sp9")
    smsc.release_answers()
    await waiting

    assert (own.window, own.window_used, own.sessions) == (200, 1, 1)
    assert (own.per_s, own.burst, own.held) == (100_000, 100_000, 0)
    assert own.caps == (
        LiveCap("R42", 3, "day", ("sender", "destination")),
        LiveCap("R42", 5, "86400 s", ("destination",)),
    )
    assert own.hours == (LiveHours("R40", "00:00", "00:00", (1, 2, 3, 4, 5, 6, 7)),)
    assert (other.caps, other.window_used) == ((), 0)
