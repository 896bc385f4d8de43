"""A follower survives a fault of ours in one round: what it holds must not grow stale (R21)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import httpx
import pytest

from gateway.app import followers, policies
from gateway.app.followers import PollInterval, Rounds, keep_current
from gateway.app.gateway import Gateway
from gateway.app.policies import PolicyRequests
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.policy.knowledge import ConsentSets
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import spawn
from gateway.storage.errors import StoreUnavailable
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.filings.service import FilingsFollower
from gateway.systems.preferences.service import PreferencesFollower
from gateway.systems.suspensions.service import SuspensionsFollower
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Told = Callable[..., Awaitable[dict[str, object]]]

SUBSCRIBER = 8613800138000


class CatchesUp(Protocol):
    """A class of followers."""

    async def catch_up(self) -> int: ...


def fail(monkeypatch: pytest.MonkeyPatch, kind: type[CatchesUp], rounds: int) -> None:
    """Let the next `rounds` of this kind of follower end with a fault of ours."""
    catch_up, left = kind.catch_up, [rounds]

    async def moody(self: CatchesUp) -> int:
        if left[0]:
            left[0] -= 1
            raise KeyError("an answer of a newer version")
        return await catch_up(self)

    monkeypatch.setattr(kind, "catch_up", moody)


async def metric(gateway: Gateway, name: str) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{gateway.probe_port}/metrics")
    return next(line for line in answer.text.splitlines() if line.startswith(name))


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (ConsentFollower, "consent"),
        (FilingsFollower, "filings"),
        (PreferencesFollower, "preferences"),
        (SuspensionsFollower, "suspensions"),
    ],
)
async def test_a_follower_goes_on_after_a_fault_of_ours_which_is_counted_and_told_once(
    start: Start,
    told: Told,
    log: LogLines,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[CatchesUp],
    step: str,
) -> None:
    gateway = await start()

    fail(monkeypatch, kind, rounds=3)
    failed = await told("follower.failed")
    recovered = await told("follower.recovered")

    assert (failed["step"], recovered["step"]) == (step, step)
    assert [line["event"] for line in log].count("follower.failed") == 1
    counted = await metric(gateway, f'smsward_follower_failures_total{{step="{step}"}}')
    assert counted.endswith(" 3.0")


async def test_wishes_of_operators_are_met_after_one_that_failed_by_a_fault_of_ours(
    start: Start, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "_EVERY_S", 0.01)
    meet, left = PolicyRequests.meet, [3]

    async def moody(self: PolicyRequests) -> None:
        if left[0]:
            left[0] -= 1
            raise KeyError("a request of a newer version")
        await meet(self)

    monkeypatch.setattr(PolicyRequests, "meet", moody)
    gateway = await start()
    failed, recovered = await told("follower.failed"), await told("follower.recovered")

    assert (failed["step"], recovered["step"]) == ("policy_requests", "policy_requests")
    counted = await metric(gateway, 'smsward_follower_failures_total{step="policy_requests"}')
    assert counted.endswith(" 3.0")


async def test_r21_a_refusal_holds_although_the_round_before_it_failed(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    told: Told,
) -> None:
    gateway = await start()
    esme = await attach(gateway)

    with pytest.MonkeyPatch.context() as broken:
        fail(broken, ConsentFollower, rounds=1_000_000)
        await told("follower.failed")
        await gateway.stores.consent.record(
            [ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, utcnow(), "mo")]
        )
    await told("follower.recovered")
    answer = await esme.submit("10690001", "13800138000", "大促")

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert smsc.journal == []


async def test_r21_answers_that_a_fault_of_ours_keeps_from_us_stop_marketing_until_it_ends(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(followers, "_STALE_S", 0.0)
    gateway = await start()
    marketing, codes = await attach(gateway), await attach(gateway, "sp2")

    with pytest.MonkeyPatch.context() as broken:
        fail(broken, ConsentFollower, rounds=1_000_000)
        behind = await told("consent.behind")
        stopped = await marketing.submit("10690001", "13800138000", "大促")
        passed = await codes.submit("10690002", "13800138000", "验证码 1234")
    await told("follower.recovered")
    resumed = await marketing.submit("10690001", "13800138000", "大促")

    assert behind["said"] == "follower.failed tells why"
    assert stopped.command_status == CommandStatus.ESME_RMSGQFUL
    assert passed.is_ok
    assert resumed.is_ok
    assert len(smsc.journal) == 2


async def test_a_store_that_does_not_answer_is_no_fault_of_the_step() -> None:
    rounds = Rounds()

    async def step() -> None:
        raise StoreUnavailable("no disk")

    with pytest.raises(StoreUnavailable):
        await rounds.take("consent", step)

    # The series is there before the first fault, or no alert would see that one.
    assert dict(rounds.failures) == {"consent": 0}


async def test_what_nobody_follows_any_more_is_not_current() -> None:
    sets, looked = ConsentSets(), asyncio.Event()

    class Untroubled:
        async def catch_up(self) -> int:
            looked.set()
            return 0

    pace = PollInterval(every_s=0.0, stale_s=1.0)
    following = spawn(
        keep_current(Rounds(), "consent", Untroubled(), sets, pace, pytest.fail), name="following"
    )
    await looked.wait()
    following.cancel()
    await asyncio.wait([following])

    assert not sets.is_current


async def test_a_store_that_is_silent_while_we_listen_is_not_current_until_it_answers() -> None:
    sets, answer, said = ConsentSets(), asyncio.Event(), asyncio.Queue[str]()

    class Silent:
        async def catch_up(self) -> int:
            await answer.wait()
            return 0

    pace = PollInterval(every_s=0.0, stale_s=0.02)
    following = spawn(
        keep_current(Rounds(), "consent", Silent(), sets, pace, said.put_nowait), name="following"
    )
    async with asyncio.timeout(60):
        why = await said.get()

    assert why == "it did not answer in time"
    assert not sets.is_current
    following.cancel()
    await asyncio.wait([following])


async def test_a_step_that_is_cancelled_ends() -> None:
    rounds = Rounds()

    async def step() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await rounds.take("consent", step)

    assert rounds.failures.total() == 0
