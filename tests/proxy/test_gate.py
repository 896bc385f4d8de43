"""Who gets in, and what those hear who do not."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.sender import BindLimits, BindType, Sender, SenderState
from gateway.session import stranger_limits
from gateway.settings.gateway import Limits
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import RESPONSE, CommandId, CommandStatus, pdu

LogLines = list[dict[str, object]]
BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Change = Callable[[Sender], Sender]

SOURCE, DESTINATION = "10690001", "13800138000"
ANYWHERE = (ip_network("127.0.0.0/8"),)


def as_it_is(sender: Sender) -> Sender:
    return sender


def suspended(sender: Sender) -> Sender:
    return replace(sender, state=SenderState.SUSPENDED)


def expired(sender: Sender) -> Sender:
    return replace(sender, state=SenderState.EXPIRED)


def from_elsewhere(sender: Sender) -> Sender:
    return replace(sender, binds=BindLimits(10, frozenset(BindType), (ip_network("192.0.2.0/24"),)))


def for_sending_only(sender: Sender) -> Sender:
    return replace(sender, binds=BindLimits(10, frozenset({BindType.TX}), ANYWHERE))


def with_no_bind_left(sender: Sender) -> Sender:
    return replace(sender, binds=BindLimits(0, frozenset(BindType), ANYWHERE))


async def connect_from(address: str, gateway: Gateway) -> RawEsme:
    _, esme = await asyncio.get_running_loop().create_connection(
        RawEsme, *gateway.addresses["plain"], local_addr=(address, 0)
    )
    return esme


async def test_whoever_knows_the_password_is_bound(gateway: Gateway, attach: Attach) -> None:
    esme = await attach(gateway, kind=None)

    status = await esme.bind("sp1", "secret")

    assert status == CommandStatus.ESME_ROK
    assert gateway.gate.binds == {"ok": 1}
    assert gateway.session_counts() == {"sp1": 1}


@pytest.mark.parametrize(
    "case",
    [
        (as_it_is, "sp1", "guess", "credentials"),
        (as_it_is, "sp2", "secret", "credentials"),
        (as_it_is, "sp1", "", "credentials"),
        (suspended, "sp1", "secret", "suspended"),
        (expired, "sp1", "secret", "expired"),
        (from_elsewhere, "sp1", "secret", "address"),
        (for_sending_only, "sp1", "secret", "bind_type"),
        (with_no_bind_left, "sp1", "secret", "too_many"),
    ],
)
async def test_every_refusal_looks_the_same_and_never_reaches_the_smsc(
    start: Start,
    attach: Attach,
    sender: BuildSender,
    smsc: SimulatedSmsc,
    case: tuple[Change, str, str, str],
) -> None:
    change, system_id, password, reason = case
    gateway = await start(senders=(change(sender()),))
    esme = await attach(gateway, kind=None)

    answer = await esme.request(builders.bind(system_id, password, sequence=7))
    await esme.lost()

    failed = CommandStatus.ESME_RBINDFAIL
    assert answer == pdu(CommandId.BIND_TRANSCEIVER | RESPONSE, 7, command_status=failed)
    assert esme.error is None
    assert gateway.gate.binds == {reason: 1}
    assert smsc.counters.connections == 0


async def test_the_log_does_not_tell_a_name_that_is_no_account_s(
    gateway: Gateway, attach: Attach, log: LogLines
) -> None:
    stranger, sp = await attach(gateway, kind=None), await attach(gateway, kind=None)

    await stranger.bind("Passw0rd", "sp1")
    await sp.bind("sp1", "guess")

    refused = [line for line in log if line["event"] == "esme.refused"]
    assert [line["system_id"] for line in refused] == ["unknown", "sp1"]
    assert "Passw0rd" not in str(log)
    assert "guess" not in str(log)


async def test_a_bind_too_many_is_refused_until_one_ends(
    start: Start, attach: Attach, sender: BuildSender, until: Until
) -> None:
    one = sender(binds=BindLimits(1, frozenset(BindType), ANYWHERE))
    gateway = await start(senders=(one,))
    first, second = await attach(gateway), await attach(gateway, kind=None)

    refused = await second.bind("sp1", "secret")
    await first.unbind()
    await until(lambda: gateway.gate.live_binds("sp1") == 0)
    third = await attach(gateway, kind=None)
    accepted = await third.bind("sp1", "secret")

    assert (refused, accepted) == (CommandStatus.ESME_RBINDFAIL, CommandStatus.ESME_ROK)
    assert gateway.gate.binds["too_many"] == 1


async def test_guessing_locks_new_binds_out_but_not_who_is_in(start: Start, attach: Attach) -> None:
    gateway = await start(limits=Limits(bad_binds_per_minute=2))
    inside = await attach(gateway)
    for _ in range(2):
        guesser = await attach(gateway, kind=None)
        await guesser.bind("sp1", "guess")

    late = await connect_from("127.0.0.2", gateway)
    for _ in range(2):
        guesser = await connect_from("127.0.0.2", gateway)
        await guesser.bind("sp1", "guess")

    status = await late.bind("sp1", "secret")
    answer = await inside.submit(SOURCE, DESTINATION, "您好")

    assert status == CommandStatus.ESME_RBINDFAIL
    assert gateway.gate.binds == {"ok": 1, "credentials": 4, "locked": 1}
    assert answer.is_ok


async def test_an_sp_that_is_known_gets_through_the_lock_that_guesses_at_it_have_closed(
    start: Start, attach: Attach
) -> None:
    gateway = await start(limits=Limits(bad_binds_per_minute=2))
    await attach(gateway)
    for _ in range(2):
        guesser = await attach(gateway, kind=None)
        await guesser.bind("sp1", "guess")

    statuses = [await (await attach(gateway, kind=None)).bind("sp1", "secret") for _ in range(2)]

    assert statuses[0] == CommandStatus.ESME_ROK
    assert gateway.gate.binds["locked"] == 0


async def test_invented_names_of_a_shared_address_lock_no_sp_with_the_right_password(
    start: Start, attach: Attach
) -> None:
    gateway = await start()
    for number in range(52):
        guesser = await attach(gateway, kind=None)
        await guesser.bind(f"name{number}", "guess")

    status = await (await attach(gateway, kind=None)).bind("sp1", "secret")

    assert gateway.gate.binds["credentials"] >= 50
    assert status == CommandStatus.ESME_ROK


async def test_nobody_can_lock_an_sp_out_from_another_address(start: Start, attach: Attach) -> None:
    gateway = await start(limits=Limits(bad_binds_per_minute=1))
    guesser = await attach(gateway, kind=None)
    await guesser.bind("sp1", "guess")

    async with await connect_from("127.0.0.2", gateway) as sp:
        status = await sp.bind("sp1", "secret")

    assert status == CommandStatus.ESME_ROK


async def test_guesses_made_side_by_side_do_not_all_get_their_check(
    start: Start, attach: Attach
) -> None:
    gateway = await start(limits=Limits(bad_binds_per_minute=2))
    guessers = [await attach(gateway, kind=None) for _ in range(8)]

    statuses = await asyncio.gather(*(one.bind("sp1", "guess") for one in guessers))

    assert set(statuses) == {CommandStatus.ESME_RBINDFAIL}
    # Two checks run at once, so one more than the limit may have begun.
    assert gateway.gate.binds["credentials"] <= 3
    assert gateway.gate.binds["locked"] >= 5


async def test_a_wrong_bind_is_answered_late(
    gateway: Gateway, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stranger_limits, "FIRST_DELAY_S", 0.05)
    loop = asyncio.get_running_loop()
    guesser = await attach(gateway, kind=None)

    began = loop.time()
    await guesser.bind("sp1", "guess")
    took_s = loop.time() - began

    assert took_s > 0.04  # a loop rounds its clock to milliseconds


@pytest.mark.parametrize(
    ("bind", "status"),
    [
        (builders.bind("x" * 16, "secret"), 0x0F),  # ESME_RINVSYSID
        (builders.bind("sp1", "x" * 9), CommandStatus.ESME_RINVPASWD),
        (pdu(CommandId.BIND_TRANSCEIVER, 1, b"sp1"), 0x0F),
    ],
)
async def test_a_bind_that_cannot_be_read_hears_which_field_is_wrong(
    gateway: Gateway, attach: Attach, bind: bytes, status: int
) -> None:
    esme = await attach(gateway, kind=None)

    answer = await esme.request(bind)
    await esme.lost()

    assert answer == pdu(CommandId.BIND_TRANSCEIVER | RESPONSE, 1, command_status=status)


async def test_a_password_from_the_environment_opens(
    start: Start, attach: Attach, sender: BuildSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SP1_PASSWORD", "kept")
    gateway = await start(senders=(sender(password="env:SP1_PASSWORD"),))
    right, wrong = await attach(gateway, kind=None), await attach(gateway, kind=None)

    statuses = [await right.bind("sp1", "kept"), await wrong.bind("sp1", "secret")]

    assert statuses == [CommandStatus.ESME_ROK, CommandStatus.ESME_RBINDFAIL]
