"""What the gateway keeps of its policies, and the wishes it meets."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.app import policies
from gateway.app.gateway import Gateway
from gateway.app.policies import PolicyRequests
from gateway.app.run import run
from gateway.domain.policy import Enforcement
from gateway.settings.bundles.archive import unpacked
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.bundles.local_files import write_mode
from gateway.settings.gateway import load_gateway
from gateway.settings.senders import load_senders
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.systems.policy_history import (
    NewPolicyVersion,
    PolicyRequest,
    PolicyStore,
    ReloadRequestState,
)
from gateway.terminal.failure import ExitCode
from gateway.terminal.options import acting
from tests.real_time import eventually, poll

LogLines = list[dict[str, object]]
Deploy = Callable[..., tuple[Path, Path]]
Start = Callable[..., Awaitable[Gateway]]
Told = Callable[..., Awaitable[dict[str, object]]]
Story = Callable[[tuple[str, int]], Awaitable[None]]
RunHere = Callable[[tuple[Path, Path], Story], int]
Ended = tuple[int, str, str]

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
FRAUD = "version: 1\nid: K-FRAUD\ncategory: fraud\naction: reject\nwords: [{}]\n"
SELFTEST = "version: 1\ncases:\n  - {text: 代开发票, expect: reject, list: K-FRAUD}\n"


def fraud(policies: Path, *words: str) -> None:
    text = FRAUD.format(", ".join(words))
    (policies / "keywords/fraud.yaml").write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "_EVERY_S", 0.01)


# The self-test


def test_a_gateway_whose_policy_fails_its_own_test_does_not_start(
    deploy: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    selftest = SELFTEST.replace("expect: reject", "expect: quarantine")

    code = run(*deploy(files={"policies/selftest.yaml": selftest}))

    shown = capsys.readouterr().err
    assert code == ExitCode.MISUSED
    assert "policies/selftest.yaml:3:5 self-test: expected quarantine by K-FRAUD" in shown


async def test_a_reload_that_fails_its_own_test_leaves_the_old_policy(
    start: Start, tmp_path: Path, log: LogLines
) -> None:
    gateway = await start({"policies/selftest.yaml": SELFTEST})
    rules = gateway.plane.rules
    fraud(tmp_path / "policies", "免费领奖")

    (fault,) = await gateway.reload(force=True)

    assert "policies/selftest.yaml:3:5 self-test: expected reject by K-FRAUD" in fault
    assert gateway.plane.rules is rules
    assert [one.by for one in await gateway.stores.policies.versions()] == ["start"]
    said = [line["event"] for line in log if "policy" in str(line["event"])]
    # On a machine with much else to do the store may not answer a poll of requests in time.
    assert [one for one in said if one != "policy.request_unreadable"] == ["policy.refused"]


# The history


async def test_the_policy_of_the_start_is_on_record_with_its_files(
    start: Start, tmp_path: Path
) -> None:
    gateway = await start()

    (version,) = await gateway.stores.policies.versions()
    files = unpacked(await gateway.stores.policies.archive_of(version.number))

    assert (version.digest, version.name) == (gateway.plane.rules.digest, "test")
    assert version.by == "start"
    assert files["keywords/fraud.yaml"] == (tmp_path / "policies/keywords/fraud.yaml").read_bytes()
    assert "rules/consent.yaml" in files


async def test_each_policy_that_comes_into_force_is_recorded_once(
    start: Start, tmp_path: Path
) -> None:
    gateway = await start()
    fraud(tmp_path / "policies", "代开发票", "免费领奖")

    await gateway.reload(by="lin", note="三条")
    await gateway.reload(by="wang")

    newest, _ = await gateway.stores.policies.versions()
    assert (newest.number, newest.by, newest.note) == (2, "lin", "三条")
    assert newest.digest == gateway.plane.rules.digest


async def test_a_rule_that_is_switched_off_by_whatever_changed_its_file_is_in_the_audit(
    start: Start, tmp_path: Path
) -> None:
    gateway = await start()
    (rule, *_) = gateway.plane.rules.bundle.rules
    write_mode(tmp_path / "policies", rule.id, Enforcement.OFF, "")

    assert await gateway.reload(force=True, by="lin", note="误伤") == ()
    write_mode(tmp_path / "policies", rule.id, Enforcement.ENFORCE, "")
    assert await gateway.reload(by="lin") == ()

    back, off, _ = await gateway.stores.journals.accesses()
    assert (off.by, off.action, off.reason) == ("lin", "policy activate", "误伤")
    assert off.about.endswith(f", stops less: {rule.id}")
    assert "stops less" not in back.about


@pytest.mark.parametrize("archive", [None, b"", b"no archive"])
async def test_a_rule_that_was_switched_off_while_no_gateway_ran_is_in_the_audit(
    start: Start, tmp_path: Path, archive: bytes | None
) -> None:
    gateway = await start()
    (rule, *_) = gateway.plane.rules.bundle.rules
    if archive is not None:  # of a newest version whose files cannot be read
        other = NewPolicyVersion("0123456789ab", "other", NOON, "lin", "", archive)
        await gateway.stores.policies.record(other)
    await gateway.stop()
    write_mode(tmp_path / "policies", rule.id, Enforcement.OFF, "")

    again = await start()

    (newest, *_) = await again.stores.journals.accesses()
    assert (newest.by, newest.action) == ("start", "policy activate")
    told = f"stops less: {rule.id}" if archive is None else "not compared"
    assert newest.about.endswith(f", {told}")


async def test_a_policy_that_was_refused_is_not_recorded(start: Start, tmp_path: Path) -> None:
    gateway = await start()
    fraud(tmp_path / "policies", "免费领奖")

    assert await gateway.reload(by="lin") != ()

    assert len(await gateway.stores.policies.versions()) == 1


@pytest.mark.parametrize("text", [FRAUD.format("改过"), "version: 9\n"])
async def test_files_that_changed_before_the_start_are_not_kept_as_those_in_force(
    deploy: Deploy, log: LogLines, text: str
) -> None:
    config, policies = deploy()
    gateway = Gateway(
        load_gateway(config / "gateway.yaml"),
        load_senders(config / "senders.yaml"),
        load_bundle(policies),
        config=config,
        policies=policies,
    )
    (policies / "keywords/fraud.yaml").write_text(text, encoding="utf-8")

    await gateway.start()
    (version,) = await gateway.stores.policies.versions()
    await gateway.stop()

    assert version.digest == gateway.plane.rules.digest
    assert version.archive_octets == 0
    assert "gateway.started" in [line["event"] for line in log]


async def full(_store: object, _version: NewPolicyVersion, _effect: str) -> None:
    raise StoreUnavailable("the disk is full")


async def test_a_history_that_cannot_be_written_stops_no_reload_and_is_written_later(
    start: Start, tmp_path: Path, told: Told
) -> None:
    gateway = await start()
    (rule, *_) = gateway.plane.rules.bundle.rules
    digest = gateway.plane.rules.digest
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PolicyStore, "record", full)
        fraud(tmp_path / "policies", "代开发票", "免费领奖")
        assert await gateway.reload(by="lin") == ()
        write_mode(tmp_path / "policies", rule.id, Enforcement.OFF, "")
        assert await gateway.reload(force=True, by="wang", note="误伤") == ()
        await gateway.policies.record_late()
        assert (await told("policy.history_failed"))["said"] == "the disk is full"
        assert gateway.plane.rules.digest != digest

    await gateway.policies.record_late()

    versions = await gateway.stores.policies.versions()
    assert [(one.number, one.by) for one in versions] == [(3, "wang"), (2, "lin"), (1, "start")]
    assert versions[0].digest == gateway.plane.rules.digest
    (newest, *_) = await gateway.stores.journals.accesses()
    assert newest.about.endswith(f", stops less: {rule.id}")


async def test_a_start_whose_policy_the_store_did_not_take_is_recorded_by_itself(
    start: Start, tmp_path: Path
) -> None:
    gateway = await start()
    (rule, *_) = gateway.plane.rules.bundle.rules
    await gateway.stop()
    write_mode(tmp_path / "policies", rule.id, Enforcement.OFF, "")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PolicyStore, "record", full)
        again = await start()

    async def is_recorded() -> bool:
        return len(await again.stores.policies.versions()) == 2

    await eventually(is_recorded)
    (newest, *_) = await again.stores.journals.accesses()
    assert newest.by == "start"
    assert newest.about.endswith(f", stops less: {rule.id}")


async def test_a_policy_that_cannot_be_recorded_keeps_no_later_one_from_it(
    start: Start, tmp_path: Path
) -> None:
    async def broken(_store: object, _version: NewPolicyVersion, _effect: str) -> None:
        raise ValueError("a fault of ours")

    gateway = await start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PolicyStore, "record", broken)
        fraud(tmp_path / "policies", "代开发票", "免费领奖")
        with pytest.raises(ValueError, match="of ours"):
            await gateway.reload(by="lin")

    fraud(tmp_path / "policies", "代开发票", "免费领奖", "刷单返利")
    assert await gateway.reload(by="wang") == ()

    assert [one.by for one in await gateway.stores.policies.versions()] == ["wang", "start"]


async def test_of_many_policies_that_the_store_did_not_take_the_latest_are_recorded(
    start: Start, tmp_path: Path
) -> None:
    gateway = await start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PolicyStore, "record", full)
        for number in range(7):
            fraud(tmp_path / "policies", "代开发票", f"新词{number}")
            assert await gateway.reload(force=True, by=f"lin {number}") == ()

    await gateway.policies.record_late()

    versions = await gateway.stores.policies.versions()
    assert [one.by for one in versions] == [*(f"lin {n}" for n in (6, 5, 4, 3, 2)), "start"]


def history_of(root: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(root / "var/smsward.db")) as connection:
        return connection.execute("SELECT by, note FROM policy_versions ORDER BY number").fetchall()


def test_the_history_says_what_made_the_gateway_reload(
    deploy: Deploy, run_here: RunHere, told: Told, tmp_path: Path
) -> None:
    directories = deploy()

    async def story(_address: tuple[str, int]) -> None:
        fraud(directories[1], "代开发票", "免费领奖")
        await told("policy.reloaded")

    assert run_here(directories, story) == ExitCode.FINE
    assert history_of(tmp_path) == [("start", ""), ("file change", "")]


def test_the_history_says_so_when_it_was_a_signal(
    deploy: Deploy, run_here: RunHere, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unwatched(*_arguments: object) -> None:
        """Leave the files to the signal."""

    monkeypatch.setattr("gateway.app.run.watch", unwatched)
    directories = deploy()

    async def story(_address: tuple[str, int]) -> None:
        fraud(directories[1], "代开发票", "免费领奖")
        os.kill(os.getpid(), signal.SIGHUP)
        await told("policy.reloaded")

    assert run_here(directories, story) == ExitCode.FINE
    assert history_of(tmp_path) == [("start", ""), ("SIGHUP", "")]


# Wishes of operators


async def test_a_wish_in_the_store_is_met_and_answered(start: Start, tmp_path: Path) -> None:
    gateway = await start()
    store = gateway.stores.policies
    fraud(tmp_path / "policies", "免费领奖")

    careful = await store.ask(PolicyRequest("lin", "", force=False, at=NOON))
    refused = await answered(store.request, careful)
    forced = await store.ask(PolicyRequest("lin", "on purpose", force=True, at=NOON))
    taken = await answered(store.request, forced)

    assert refused.state is ReloadRequestState.REFUSED
    assert "K-FRAUD lost 1 of 1 words; `smsward policy reload --force`" in refused.said
    assert (taken.state, taken.said) == (ReloadRequestState.TAKEN, gateway.plane.rules.digest)
    (newest, _) = await store.versions()
    assert (newest.by, newest.note) == ("lin", "on purpose")


async def answered(
    look: Callable[[int], Awaitable[PolicyRequest | None]], number: int
) -> PolicyRequest:
    async def closed() -> PolicyRequest | None:
        request = await look(number)
        is_open = request is None or request.state is ReloadRequestState.OPEN
        return None if is_open else request

    return await poll(closed)


async def test_a_saved_file_that_somebody_asked_for_is_recorded_under_their_name(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "_EVERY_S", 3600)
    gateway = await start()
    fraud(tmp_path / "policies", "代开发票", "免费领奖")
    await gateway.stores.policies.ask(PolicyRequest("lin", "rollback", force=True, at=NOON))

    await gateway.reload_changed("file change")

    assert [one.by for one in await gateway.stores.policies.versions()] == ["lin", "start"]


async def test_a_store_that_does_not_answer_leaves_wishes_open_and_is_told_of_once(
    database: Database, log: LogLines
) -> None:
    met: list[int] = []
    is_down = True

    class Failing(PolicyStore):
        async def open_request(self) -> PolicyRequest | None:
            if is_down:
                raise StoreUnavailable("locked")
            return await super().open_request()

    async def reload(request: PolicyRequest) -> tuple[str, tuple[str, ...]]:
        met.append(request.number)
        return "0123456789ab", ()

    store = Failing(database)
    requests = PolicyRequests(store, reload)
    await store.ask(PolicyRequest("lin", "", force=False, at=NOON))
    await requests.meet()
    await requests.meet()
    first = (list(met), [line["event"] for line in log])

    is_down = False
    await requests.meet()
    is_down = True
    await requests.meet()

    assert first == ([], ["policy.request_unreadable"])
    assert met == [1]
    assert [line["event"] for line in log] == ["policy.request_unreadable"] * 2


# From the command line to the gateway and back


async def smsward(*arguments: str) -> Ended:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        "policy",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode(), err.decode()


async def test_an_operator_forces_a_policy_and_goes_back(start: Start, tmp_path: Path) -> None:
    gateway = await start()
    first = gateway.plane.rules.digest
    config = ("--config", str(tmp_path / "config"))
    policies = ("--policies", str(tmp_path / "policies"))
    fraud(tmp_path / "policies", "免费领奖")

    refused = await smsward("reload", *config)
    forced = await smsward("reload", "--force", "--by", "lin", "--note", "改用新词", *config)
    second = gateway.plane.rules.digest
    back = await smsward("rollback", "1", "--by", "wang", *config, *policies)

    assert refused[0] == 1
    assert "K-FRAUD lost 1 of 1 words" in refused[2]
    assert forced[:2] == (0, f"in force: {second}\n")
    assert back[0] == 0
    assert back[1].splitlines()[-1] == f"in force: {first}"
    assert gateway.plane.rules.digest == first
    assert load_bundle(tmp_path / "policies").digest == first
    versions = await gateway.stores.policies.versions()
    assert [(one.by, one.note) for one in versions] == [
        (acting("wang"), "rollback to 1"),
        (acting("lin"), "改用新词"),
        ("start", ""),
    ]
