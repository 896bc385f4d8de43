"""`smsward complaints match`: a process that makes cases of complaints."""

import json
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.app import complaint_worker
from gateway.app.complaint_worker import _COMMAND, _serve, front_owner_of, match_all
from gateway.domain.sender import Port, PortOwners
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, worker_stores
from gateway.systems.cases.model import Case
from gateway.systems.complaints.complaint_matcher import ComplaintMatcher, MatchCounts
from gateway.systems.complaints.model import ComplaintSource, NewComplaint
from gateway.systems.complaints.service import ComplaintDesk
from gateway.terminal.deployment import bundle_in, load_settings
from gateway.terminal.failure import ExitCode
from tests.cli.conftest import answered, cli, deployment, hold, in_store, options, write
from tests.systems.complaints.conftest import SUBSCRIBER, sender

__all__ = ["answered", "cli", "deployment", "hold", "in_store", "options", "write"]

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

SPAM = "恭喜您获得万元现金大奖，请登录网站领取并提供银行卡号和密码"
OWNERS = PortOwners([sender("shop", Port("10690001", 4))])
HOUR = timedelta(hours=1)
CODES = "\ncomplaints: {codes: {'12321': star}}\n"


def reported(number: int, at: datetime, **changes: object) -> NewComplaint:
    usual = {"sender": "1069000112", "text": f"{SPAM}，验证码{number}", "received_at": at}
    given = {"source_id": str(number), "reporter": SUBSCRIBER + number, **usual, **changes}
    return NewComplaint(source=ComplaintSource.CLIENT, reported_at=utcnow(), **given)  # type: ignore[arg-type]


def write_records(place: Path, at: datetime, *numbers: int) -> None:
    """Write the records of messages to some subscribers, and one of two days before."""
    place.mkdir(parents=True)
    for moment, some in ((at, numbers), (at - 48 * HOUR, (99,))):
        head = f'{{"kind":"decision","at":"{moment:%Y-%m-%dT%H:%M:%S}.000Z",'
        lines = [
            f'{head}"source":"1069000112","destination":"{SUBSCRIBER + one}","action":"forward"}}\n'
            for one in some
        ]
        (place / f"cdr-{moment:%Y%m%d-%H}.jsonl").write_text("".join(lines), encoding="utf-8")


def test_r82_complaints_become_cases_as_the_records_prove_them(
    cli: Cli, options: tuple[str, ...], deployment: Path, in_store: InStore
) -> None:
    at = utcnow() - HOUR
    settings = load_settings(deployment / "config")
    write_records(Path(settings.records.directory), at, 1, 2, 3)
    given = [reported(number, at) for number in range(1, 6)]
    given.append(reported(6, at, sender="95588", text="七点开会，请准时参加本次会议"))
    in_store(lambda stores: ComplaintDesk(stores.complaints, lambda: OWNERS).receive(given))

    ran = cli("complaints", "match", "--once", "--json", *options)
    again = cli("complaints", "match", "--once", *options)

    assert json.loads(ran.stdout) == {
        "valid": 4,
        "invalid": {"no_record": 2},
        "cases": {"opened": 2, "joined": 2, "reopened": 0},
        "told": 0,
    }
    assert "valid: 0; invalid: 0" in again.stdout
    cases: list[Case] = []

    async def look(stores: Stores) -> None:
        cases.extend(await stores.cases.find())

    in_store(look)
    assert sorted((one.complaints, one.front_owner) for one in cases) == [
        (1, front_owner_of(settings)),
        (3, front_owner_of(settings)),
    ]


def test_r87_reporters_are_told_once_their_case_has_an_answer(
    cli: Cli, options: tuple[str, ...], deployment: Path, in_store: InStore
) -> None:
    path = deployment / "config/gateway.yaml"
    path.write_text(path.read_text(encoding="utf-8") + CODES, encoding="utf-8")
    given = [reported(one, utcnow(), sender="95588") for one in range(3)]
    in_store(lambda stores: ComplaintDesk(stores.complaints, lambda: OWNERS).receive(given))
    cli("complaints", "match", "--once", *options)
    for act in (("act", "1", "verify"), ("feedback", "1", "--finding", "unfounded")):
        assert cli("cases", *act, *options).returncode == 0

    ran = cli("complaints", "match", "--once", "--json", *options)
    again = cli("complaints", "match", "--once", *options)

    assert json.loads(ran.stdout)["told"] == 3
    assert "reporters told: 0" in again.stdout
    (case,) = json.loads(cli("cases", "list", "--json", *options[:2]).stdout)
    assert case["state"] == "closed"


def loaded(deployment: Path) -> GatewaySettings:
    return load_settings(deployment / "config")


async def test_the_process_works_until_it_is_told_to_stop(
    deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[datetime] = []

    async def work(_matcher: ComplaintMatcher, now: datetime) -> MatchCounts:
        rounds.append(now)
        if len(rounds) == 1:
            raise StoreUnavailable("busy")
        if len(rounds) == 2:
            raise RuntimeError
        if len(rounds) == 3:
            return MatchCounts(has_more=True)
        os.kill(os.getpid(), signal.SIGTERM)
        return MatchCounts()

    def stop(matcher: ComplaintMatcher) -> None:
        stopped.append(matcher)

    stopped: list[ComplaintMatcher] = []
    monkeypatch.setattr(ComplaintMatcher, "work", work)
    monkeypatch.setattr(ComplaintMatcher, "stop", stop)
    monkeypatch.setattr(complaint_worker, "_LOOK_EVERY_S", 0)

    code = await _serve(loaded(deployment), bundle_in(deployment / "policies"))

    assert (code, len(rounds) >= 4, len(stopped)) == (ExitCode.FINE, True, 1)


async def test_one_process_works_at_a_time(deployment: Path) -> None:
    settings, bundle = loaded(deployment), bundle_in(deployment / "policies")

    async with worker_stores(settings, _COMMAND):
        with pytest.raises(StoreUnavailable, match="another `smsward complaints match`"):
            await match_all(settings, bundle, lambda _done, _count: None)
        assert await _serve(settings, bundle) == ExitCode.FAILED

    counts, _ = await match_all(settings, bundle, lambda _done, _count: None)
    assert counts.handled == 0


async def test_a_store_that_does_not_open_ends_the_process(
    deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object, **_named: object) -> Stores:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr("gateway.stores.open_store", fail)

    code = await _serve(loaded(deployment), bundle_in(deployment / "policies"))

    assert code == ExitCode.FAILED
