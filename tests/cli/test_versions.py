"""History, rollback and reload as far as no gateway is needed; tests/app has one."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.records import Access
from gateway.runtime.clock import utcnow
from gateway.settings.bundles.archive import packed
from gateway.settings.bundles.bundle import load_bundle, read_bundle
from gateway.stores import Stores
from gateway.systems.policy_history import (
    NewPolicyVersion,
    PolicyRequest,
    PolicyStore,
    ReloadRequestState,
)
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Record = Callable[..., str]

NEW_FRAUD = "version: 1\nid: K-FRAUD\ncategory: fraud\naction: reject\nwords: [改过]\n"


@pytest.fixture
def record(in_store: InStore, deployment: Path) -> Record:
    """Return a function that records the policies as they are now, and gives their digest."""

    def record(by: str = "start", note: str = "", archive: bytes | None = None) -> str:
        read = read_bundle(deployment / "policies")
        octets = packed(read.files) if archive is None else archive
        version = NewPolicyVersion(read.bundle.digest, "test", utcnow(), by, note, octets)
        in_store(lambda stores: stores.policies.record(version))
        return read.bundle.digest

    return record


@pytest.fixture
def asked(in_store: InStore) -> Callable[[], PolicyRequest | None]:
    """Return a function that gives the request that waits for a gateway."""

    def asked() -> PolicyRequest | None:
        found: list[PolicyRequest | None] = []

        async def look(stores: Stores) -> None:
            found.append(await stores.policies.open_request())

        in_store(look)
        return found[0]

    return asked


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[ReloadRequestState, str], None]:
    """Return a function after which each request is answered at once."""
    ask = PolicyStore.ask

    def answering(state: ReloadRequestState, said: str) -> None:
        async def answered(store: PolicyStore, request: object) -> int:
            number = await ask(store, request)  # type: ignore[arg-type]
            await store.answer(number, state, said)
            return number

        monkeypatch.setattr(PolicyStore, "ask", answered)

    return answering


# History


def test_the_history_is_told_the_newest_first(
    cli: Cli, options: tuple[str, ...], record: Record, write: Write
) -> None:
    first = record()
    write("policies/keywords/fraud.yaml", NEW_FRAUD)
    second = record(by="lin", note="三条", archive=b"")

    ran = cli("policy", "history", *options[:2])
    listed = json.loads(cli("policy", "history", "--json", "--limit", "1", *options[:2]).stdout)

    lines = [line for line in ran.stdout.splitlines() if first in line or second in line]
    assert ran.returncode == 0
    assert [("lin" in line, "not kept" in line) for line in lines] == [(True, True), (False, False)]
    (newest,) = listed
    assert (newest["number"], newest["digest"], newest["by"]) == (2, second, "lin")
    assert (newest["note"], newest["archive_octets"]) == ("三条", 0)


def test_an_empty_history_says_so(cli: Cli, options: tuple[str, ...], in_store: InStore) -> None:
    in_store(lambda _: None)

    assert cli("policy", "history", *options[:2]).stdout == "no policy has been in force yet\n"


@pytest.mark.parametrize("limit", ["0", "201"])
def test_a_limit_out_of_bounds_is_refused(cli: Cli, options: tuple[str, ...], limit: str) -> None:
    ran = cli("policy", "history", "--limit", limit, *options[:2])

    assert ran.returncode == 2
    assert "--limit: 1 to 200" in ran.stderr


# Rollback


def test_a_rollback_puts_the_files_back_and_asks_the_gateway(
    cli: Cli,
    deployment: Path,
    options: tuple[str, ...],
    record: Record,
    write: Write,
    asked: Callable[[], PolicyRequest | None],
) -> None:
    first = record()
    write("policies/keywords/fraud.yaml", NEW_FRAUD)
    record()
    write("config/console.yaml", "version: 1\ntwo_persons: {switch_rule_off: true}\n")

    ran = cli("policy", "rollback", "1", "--note", "误伤", "--wait", "0", *options)

    assert "done by one person" in ran.stderr
    assert "(two_persons.switch_rule_off)" in ran.stderr
    request = asked()
    assert load_bundle(deployment / "policies").digest == first
    assert request is not None
    assert (request.by, request.note) == (acting(None), "rollback to 1: 误伤")
    assert request.force
    assert ran.returncode == 1
    assert "version 1 is in" in ran.stdout
    assert "no gateway has answered yet" in ran.stderr


def test_a_rollback_is_in_the_audit_whether_or_not_a_gateway_loads_it(
    cli: Cli, options: tuple[str, ...], record: Record, in_store: InStore
) -> None:
    record()
    found: list[Access] = []

    async def look(stores: Stores) -> None:
        found.extend(await stores.journals.accesses())

    cli("policy", "rollback", "1", "--note", "误伤", "--by", "lin", "--wait", "0", *options)

    in_store(look)
    written, _ = found
    assert (written.by, written.action) == (acting("lin"), "policy write")
    assert (written.reason, written.about) == ("误伤", "version 1")


def test_what_commands_wrote_into_local_d_is_in_the_history_and_is_undone(
    cli: Cli,
    deployment: Path,
    options: tuple[str, ...],
    record: Record,
) -> None:
    policies = deployment / "policies"
    shipped = record()
    assert cli("policy", "shadow", "R21", *options[2:]).returncode == 0
    in_shadow = record()
    assert cli("policy", "off", "R21", "--sender", "shop", *options[2:]).returncode == 0
    record()

    cli("policy", "rollback", "2", "--wait", "0", *options)
    one_step_back = load_bundle(policies)
    record()
    cli("policy", "rollback", "1", "--wait", "0", *options)
    as_shipped = load_bundle(policies)

    (rule,) = one_step_back.rules
    assert (one_step_back.digest, rule.mode, rule.overrides) == (in_shadow, "shadow", ())
    (rule,) = as_shipped.rules
    assert (as_shipped.digest, rule.mode) == (shipped, "enforce")
    assert not (policies / "local.d/rules/modes.yaml").exists()


def test_a_rollback_is_told_to_programs(
    cli: Cli,
    deployment: Path,
    options: tuple[str, ...],
    record: Record,
    answering: Callable[[ReloadRequestState, str], None],
) -> None:
    digest = record()
    answering(ReloadRequestState.TAKEN, digest)

    ran = cli("policy", "rollback", "1", "--note", "误伤", "--json", *options)

    told = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert (told["version"], told["directory"]) == (1, str(deployment / "policies"))
    assert (told["state"], told["said"], told["note"]) == ("taken", digest, "rollback to 1: 误伤")
    assert told["removed"] == []


@pytest.mark.parametrize(
    ("text", "holds"),
    [(NEW_FRAUD, "which is not"), ("version: 9\n", "holds files with faults, which is not")],
)
def test_a_rollback_overwrites_no_work_that_is_not_on_record(  # noqa: PLR0913, PLR0917 - fixtures
    cli: Cli,
    deployment: Path,
    options: tuple[str, ...],
    record: Record,
    write: Write,
    text: str,
    holds: str,
) -> None:
    first = record()
    write("policies/keywords/fraud.yaml", text)
    write("policies/keywords/mine.yaml", text.replace("K-FRAUD", "K-MINE"))

    refused = cli("policy", "rollback", "1", "--wait", "0", *options)
    kept = (deployment / "policies/keywords/fraud.yaml").read_text(encoding="utf-8")
    forced = cli("policy", "rollback", "1", "--wait", "0", "--force", *options)

    assert refused.returncode == 1
    assert holds in refused.stderr
    assert "--force" in refused.stderr
    assert kept == text
    assert "removed, for version 1 had none of it: keywords/mine.yaml" in forced.stderr
    assert load_bundle(deployment / "policies").digest == first


@pytest.mark.parametrize("number", ["0", "2", "99999999999999999999"])
def test_a_version_that_is_not_on_record_cannot_be_gone_back_to(
    cli: Cli, options: tuple[str, ...], record: Record, number: str
) -> None:
    record()

    ran = cli("policy", "rollback", number, *options)

    assert ran.returncode == 1
    assert f"there is no version {number} on record" in ran.stderr


@pytest.mark.parametrize(
    ("archive", "problem"),
    [
        (b"", "the files of version 1 were not kept"),
        (b"PK", "the files of version 1 cannot be used: it is no archive of a bundle"),
    ],
)
def test_a_version_without_its_files_cannot_be_gone_back_to(
    cli: Cli, options: tuple[str, ...], record: Record, archive: bytes, problem: str
) -> None:
    record(archive=archive)

    ran = cli("policy", "rollback", "1", *options)

    assert ran.returncode == 1
    assert problem in ran.stderr


def test_a_directory_that_cannot_be_written_is_named(
    cli: Cli, options: tuple[str, ...], record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_directory: Path, _files: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.cli.policy_versions.restore", full)
    record()

    ran = cli("policy", "rollback", "1", *options)

    assert ran.returncode == 1
    assert "cannot be written: No space left on device" in ran.stderr


# Reload


def test_a_reload_that_is_taken_says_what_is_in_force(
    cli: Cli,
    options: tuple[str, ...],
    record: Record,
    answering: Callable[[ReloadRequestState, str], None],
) -> None:
    record()
    answering(ReloadRequestState.TAKEN, "0123456789ab")

    ran = cli("policy", "reload", *options[:2])

    assert (ran.returncode, ran.stdout) == (0, "in force: 0123456789ab\n")


def test_a_reload_that_is_refused_says_why(
    cli: Cli,
    options: tuple[str, ...],
    record: Record,
    answering: Callable[[ReloadRequestState, str], None],
) -> None:
    record()
    answering(ReloadRequestState.REFUSED, "consent.yaml:2:3 is missing")

    ran = cli("policy", "reload", *options[:2])

    assert ran.returncode == 1
    assert "refused, the old policy stays\nconsent.yaml:2:3 is missing" in ran.stderr


@pytest.mark.parametrize("state", ReloadRequestState)
def test_what_became_of_a_reload_is_told_to_programs(
    cli: Cli,
    options: tuple[str, ...],
    record: Record,
    answering: Callable[[ReloadRequestState, str], None],
    state: ReloadRequestState,
) -> None:
    record()
    if state is not ReloadRequestState.OPEN:
        answering(state, "said")

    ran = cli("policy", "reload", "--wait", "0", "--json", *options[:2])

    assert json.loads(ran.stdout)["state"] == state
    assert ran.returncode == (0 if state is ReloadRequestState.TAKEN else 1)


def test_a_reload_passes_on_who_wants_it_and_why(
    cli: Cli,
    options: tuple[str, ...],
    record: Record,
    asked: Callable[[], PolicyRequest | None],
) -> None:
    record()
    arguments = ("--force", "--by", "lin\x1b[2J", "--note", "拆分\n两份", "--wait", "0")

    ran = cli("policy", "reload", *arguments, *options[:2])

    request = asked()
    assert ran.returncode == 1
    assert request is not None
    assert (request.by, request.note) == (acting("lin\x1b[2J"), "拆分\\n两份")
    assert request.force


def test_a_request_that_vanished_is_an_error_and_no_endless_wait(
    cli: Cli, options: tuple[str, ...], record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_store: PolicyStore, _number: int) -> None:
        return None

    record()
    monkeypatch.setattr(PolicyStore, "request", nothing)

    ran = cli("policy", "reload", *options[:2])

    assert ran.returncode == 1
    assert "gone" in ran.stderr


@pytest.mark.parametrize("command", [("policy", "reload"), ("quarantine", "release", "1")])
def test_nobody_waits_for_less_than_no_time(cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli(*command, "--wait", "-1")

    assert ran.returncode == 2
    assert "--wait" in ran.stderr


def test_no_store_is_made_where_no_gateway_has_run(
    cli: Cli, deployment: Path, options: tuple[str, ...]
) -> None:
    ran = cli("policy", "history", *options[:2])

    assert ran.returncode == 1
    assert "there is no store" in ran.stderr
    assert not (deployment / "var/smsward.db").exists()
