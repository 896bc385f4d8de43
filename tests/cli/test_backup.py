"""A deployment is backed up and restored; nothing that is there is replaced unasked."""

import asyncio
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.cli.backups.archive import MANIFEST, STORE, BackupReader, read_manifest
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import Access
from gateway.runtime.clock import utcnow
from gateway.runtime.file_lock import FileLock
from gateway.settings.gateway import keys_of, load_gateway
from gateway.storage.backup import copy_database
from gateway.stores import Stores, open_store
from gateway.systems.quarantine.campaigns import JobNotMade
from gateway.systems.quarantine.model import NewCampaignReview, NewReview, PersonDecision
from gateway.terminal.failure import CommandError
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
Hold = Callable[..., HeldMessage]
Fetch = Callable[[int], HeldMessage]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]
Write = Callable[[str, str], None]

KINDS = pytest.mark.parametrize("name", ["backup.tar", "backup"])


@pytest.fixture
def backup(cli: Cli, deployment: Path, options: tuple[str, ...], hold: Hold) -> Callable[..., Path]:
    """Return a function that backs up a deployment in which a message is held."""
    hold()

    def backup(name: str = "backup.tar") -> Path:
        place = deployment / name
        done = cli("backup", str(place), *options)
        assert (done.returncode, done.stderr) == (0, "")
        return place

    return backup


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*.yaml")}


def add(deployment: Path, line: str) -> None:
    """Add one line to gateway.yaml."""
    with (deployment / "config" / "gateway.yaml").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def lose(deployment: Path, *names: str) -> None:
    for name in names or ("config", "policies", "var"):
        shutil.rmtree(deployment / name)


@KINDS
def test_what_is_lost_comes_back(
    cli: Cli, deployment: Path, backup: Callable[..., Path], fetch: Fetch, name: str
) -> None:
    models = deployment / "config" / "models"
    add(deployment, "learning: {models: models}")
    models.mkdir()
    (models / "m1.npz").write_bytes(b"weights")
    place = backup(name)
    before = contents(deployment / "config") | contents(deployment / "policies")
    lose(deployment)

    done = cli("restore", str(place))

    assert (done.returncode, done.stderr) == (0, "")
    assert contents(deployment / "config") | contents(deployment / "policies") == before
    assert (models / "m1.npz").read_bytes() == b"weights"
    assert fetch(8_1764072000000_01_000).state is HoldState.HELD
    assert {one.name for one in (deployment / "var").iterdir()} & {
        STORE,
        "smsward.db.restored",
    } == (set())


@KINDS
def test_a_backup_is_for_its_owner_alone(backup: Callable[..., Path], name: str) -> None:
    place = backup(name)

    files = [place, *place.rglob("*")]
    assert {one.stat().st_mode & 0o077 for one in files} == {0}
    assert [one.name for one in place.parent.iterdir() if "part" in one.name] == []


def test_programs_are_told_what_a_backup_holds(
    cli: Cli, deployment: Path, options: tuple[str, ...], hold: Hold
) -> None:
    hold()
    place = deployment / "b.tar"

    done = cli("backup", str(place), *options, "--json")

    told = json.loads(done.stdout)
    with tarfile.open(place) as tar:
        names = tar.getnames()
    assert names[0] == MANIFEST
    assert told["files"] == len(names) - 1
    assert told["backup"] == str(place)
    assert [one["problem"] for one in told["journals"]] == [""] * len(told["journals"])
    assert len(told["journals"]) >= 2


def test_the_journal_tells_who_backed_up_and_restored(
    cli: Cli, deployment: Path, backup: Callable[..., Path], in_store: InStore
) -> None:
    place = backup()
    lose(deployment, "var")

    cli("restore", str(place))

    found: list[Access] = []

    async def read(stores: Stores) -> None:
        found.extend(await stores.journals.accesses())

    in_store(read)
    assert [one.action for one in found] == ["restore", "backup"]
    assert {one.by for one in found} == {acting(None)}


def test_a_place_that_is_taken_stays_as_it_is(
    cli: Cli, deployment: Path, options: tuple[str, ...], hold: Hold
) -> None:
    hold()
    (deployment / "b.tar").write_text("dear", encoding="utf-8")
    (deployment / "b").mkdir()
    (deployment / "b" / "dear").touch()

    for name in ("b.tar", "b"):
        done = cli("backup", str(deployment / name), *options)
        assert done.returncode == 2
        assert "is there already" in done.stderr
    assert (deployment / "b.tar").read_text(encoding="utf-8") == "dear"


def test_a_store_that_is_there_is_replaced_only_if_asked_and_is_kept(
    cli: Cli, deployment: Path, backup: Callable[..., Path], hold: Hold, fetch: Fetch
) -> None:
    place = backup()
    later = hold(message_id=8_1764072000000_01_001)

    refused = cli("restore", str(place))
    kept = fetch(later.message_id)
    done = cli("restore", str(place), "--overwrite", "--json")

    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    assert kept.state is HoldState.HELD
    replaced = Path(json.loads(done.stdout)["replaced"])
    with closing(sqlite3.connect(replaced)) as old:
        assert old.execute("SELECT count(*) FROM held_messages").fetchone() == (2,)
    with closing(sqlite3.connect(deployment / "var" / "smsward.db")) as new:
        assert new.execute("SELECT count(*) FROM held_messages").fetchone() == (1,)


@pytest.mark.parametrize("take", [FileLock.owner, FileLock.of])
def test_a_store_in_use_is_never_touched(
    cli: Cli, deployment: Path, backup: Callable[..., Path], take: Callable[[Path], FileLock]
) -> None:
    place, store = backup(), deployment / "var" / "smsward.db"
    before, lock = store.read_bytes(), take(store)

    done = cli("restore", str(place), "--overwrite")

    lock.release()
    assert done.returncode == 1
    assert "stop them first" in done.stderr
    assert store.read_bytes() == before


def test_files_that_differ_are_named_and_stay(
    cli: Cli, deployment: Path, backup: Callable[..., Path], write: Write
) -> None:
    place = backup()
    lose(deployment, "var")
    write("policies/bundle.yaml", "version: 1\nname: newer\n")
    (deployment / "policies" / "rules" / "consent.yaml").unlink()

    refused = cli("restore", str(place))
    untouched = contents(deployment / "policies")
    kept = cli("restore", str(place), "--store-only")

    assert refused.returncode == 2
    assert "bundle.yaml" in refused.stderr
    assert "rules/consent.yaml" not in untouched
    assert kept.returncode == 0
    assert (deployment / "var" / "smsward.db").exists()
    assert contents(deployment / "policies") == untouched


def test_what_was_about_to_leave_is_in_doubt(
    cli: Cli, deployment: Path, backup: Callable[..., Path], hold: Hold, fetch: Fetch
) -> None:
    first = 8_1764072000000_01_000
    now = utcnow()
    hold(message_id=first + 1, state=HoldState.RELEASE_REQUESTED)
    hold(message_id=first + 2, state=HoldState.RELEASING)
    hold(message_id=first + 3, state=HoldState.DEFERRED, due_at=now - timedelta(hours=1))
    hold(message_id=first + 4, state=HoldState.DEFERRED, due_at=now + timedelta(hours=1))
    hold(message_id=first + 5, state=HoldState.RELEASED)
    place = backup()
    lose(deployment, "var")

    done = cli("restore", str(place))

    assert "3 messages may have left since then" in done.stdout
    assert [fetch(first + more).state for more in range(6)] == [
        HoldState.HELD,
        *[HoldState.IN_DOUBT] * 3,
        HoldState.DEFERRED,
        HoldState.RELEASED,
    ]


def test_a_release_that_could_be_undone_at_the_backup_is_not_carried_out_by_its_restoration(
    cli: Cli,
    deployment: Path,
    options: tuple[str, ...],
    hold: Hold,
    fetch: Fetch,
    in_store: InStore,
) -> None:
    first, campaign = 8_1764072000000_01_000, "c0123456789abcdef"
    for more in range(3):
        hold(message_id=first + more)
    for more in range(3, 6):
        hold(message_id=first + more, campaign=campaign)
    now, long = utcnow(), timedelta(seconds=10)
    released, rejected = PersonDecision.RELEASED, PersonDecision.REJECTED

    async def decide(stores: Stores) -> None:
        await stores.reviews.add(NewReview(first, released, "lin"), now, long)
        await stores.reviews.add(NewReview(first + 1, rejected, "lin"), now, long)
        job = NewCampaignReview(campaign, released, "lin", 3)
        assert not isinstance(await stores.campaigns.add(job, now, long), JobNotMade)

    in_store(decide)
    cli("backup", str(deployment / "b.tar"), *options)
    lose(deployment, "var")

    done = cli("restore", str(deployment / "b.tar"), "--json")

    later = now + timedelta(hours=1)
    taken: list[object] = []

    async def take_up(stores: Stores) -> None:
        taken.extend(await stores.reviews.take_up(later))
        taken.extend(filter(None, [await stores.campaigns.advance(later)]))

    in_store(take_up)
    held, doubt = HoldState.HELD, HoldState.IN_DOUBT
    assert json.loads(done.stdout)["in_doubt"] == 4
    assert taken == []
    states = [fetch(first + more).state for more in range(6)]
    assert states == [doubt, held, held, doubt, doubt, doubt]


class TestKeys:
    """Keys stay out of a backup, and a restore wants them back."""

    @pytest.fixture
    def sealed(self, cli: Cli, deployment: Path) -> Path:
        """Return the file of keys of a deployment that seals its store."""
        config = deployment / "config"
        keys = config / "keys.yaml"
        keys.write_text(cli("keys", "new", "--id", "k1").stdout, encoding="utf-8")
        keys.chmod(0o600)
        add(deployment, "privacy: {keys: keys.yaml, current: k1}")
        (config / "old.yaml.bak").write_text(cli("keys", "new").stdout, encoding="utf-8")
        (config / "tls").mkdir()
        (config / "tls" / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nMC4\n")
        (config / "tls" / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nMII\n")
        return keys

    @pytest.fixture
    def place(self, cli: Cli, deployment: Path, options: tuple[str, ...], sealed: Path) -> Path:
        """Return a backup of it; its store was made by the first command."""
        assert sealed.exists()
        make_store(deployment)
        place = deployment / "backup.tar"
        done = cli("backup", str(place), *options)
        assert done.returncode == 0
        assert "not in it, for it holds keys: config/keys.yaml" in done.stdout
        return place

    def test_no_key_is_in_a_backup(self, sealed: Path, place: Path) -> None:
        key = sealed.read_text(encoding="utf-8").split(": ")[1].strip()

        manifest = BackupReader(place).manifest

        assert manifest.left_out == (
            "config/keys.yaml",
            "config/old.yaml.bak",
            "config/tls/key.pem",
        )
        assert manifest.key_id == "k1"
        assert "config/tls/cert.pem" in {one.name for one in manifest.files}
        assert key.strip('"').encode() not in place.read_bytes()

    def test_a_restore_waits_for_the_keys(
        self, cli: Cli, deployment: Path, sealed: Path, place: Path
    ) -> None:
        keys = sealed.read_text(encoding="utf-8")
        lose(deployment)

        refused = cli("restore", str(place))
        for name, text in (("keys.yaml", keys), ("old.yaml.bak", ""), ("tls/key.pem", "")):
            (deployment / "config" / name).write_text(text, encoding="utf-8")
        sealed.chmod(0o600)
        done = cli("restore", str(place))

        assert refused.returncode == 1
        assert f"no backup holds keys, and these are not there: {sealed}" in refused.stderr
        assert "put them back" in refused.stderr
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("key_id", "said"),
        [("k2", "with the key k1: put it back"), ("k1", "another key of the name")],
    )
    def test_keys_that_do_not_open_the_store_restore_nothing(
        self, cli: Cli, deployment: Path, sealed: Path, place: Path, key_id: str, said: str
    ) -> None:
        lose(deployment, "var")
        sealed.write_text(cli("keys", "new", "--id", key_id).stdout, encoding="utf-8")
        gateway = deployment / "config" / "gateway.yaml"
        text = gateway.read_text(encoding="utf-8").replace("current: k1", f"current: {key_id}")
        gateway.write_text(text, encoding="utf-8")

        done = cli("restore", str(place), "--store-only")

        assert done.returncode == 1
        assert "the keys do not open the store of the backup" in done.stderr
        assert said in done.stderr
        assert sorted(one.name for one in (deployment / "var").iterdir()) == [
            "smsward.db.lock",
            "smsward.db.share",
        ]

    def test_a_store_that_stands_open_is_not_mixed_with_keys(
        self, cli: Cli, deployment: Path, backup: Callable[..., Path]
    ) -> None:
        place = backup()
        lose(deployment, "var")
        keys = deployment / "config" / "keys.yaml"
        keys.write_text(cli("keys", "new", "--id", "k1").stdout, encoding="utf-8")
        keys.chmod(0o600)
        add(deployment, "privacy: {keys: keys.yaml, current: k1}")

        done = cli("restore", str(place), "--store-only")

        assert done.returncode == 1
        assert "take privacy out of gateway.yaml" in done.stderr


def make_store(deployment: Path) -> None:
    """Make the sealed store that a gateway makes at its first start."""
    settings = load_gateway(deployment / "config" / "gateway.yaml")

    async def make() -> None:
        await (await open_store(settings.store.url, keys=keys_of(settings))).close()

    asyncio.run(make())


class TestDamage:
    """What is not whole restores nothing."""

    @KINDS
    def test_an_octet_that_changed_is_found(
        self, cli: Cli, deployment: Path, backup: Callable[..., Path], name: str
    ) -> None:
        place = backup(name)
        fine = cli("restore", str(place), "--check", "--json")
        damaged = place / "policies/bundle.yaml" if place.is_dir() else place
        octets = damaged.read_bytes()
        damaged.write_bytes(octets.replace(b"name: test", b"name: tost"))
        lose(deployment)

        checked, done = cli("restore", str(place), "--check"), cli("restore", str(place))

        assert fine.returncode == 0
        assert json.loads(fine.stdout)["files"] > 5
        assert (checked.returncode, done.returncode) == (1, 1)
        assert "policies/bundle.yaml is not what was backed up" in done.stderr
        assert not (deployment / "config").exists()

    def test_what_was_cut_off_is_no_backup(self, cli: Cli, backup: Callable[..., Path]) -> None:
        place = backup()
        octets = place.read_bytes()
        place.write_bytes(octets[: len(octets) // 2])

        assert cli("restore", str(place), "--check").returncode == 1

    @pytest.mark.parametrize(
        "name",
        ["../out", "/etc/passwd", "config/../../out", "config", "other/file", "", "config//a", "."],
    )
    def test_no_name_leads_out_of_a_backup(self, backup: Callable[..., Path], name: str) -> None:
        manifest = json.loads((backup("b") / MANIFEST).read_bytes())
        manifest["files"][1]["name"] = name

        with pytest.raises(CommandError, match="names files that no backup has"):
            read_manifest(json.dumps(manifest).encode())

    @pytest.mark.parametrize(
        "changes", [{"form": 2}, {"files": []}, {"more": 1}, {"key_id": 5}, {"places": {}}]
    )
    def test_a_manifest_of_another_form_is_refused(
        self, backup: Callable[..., Path], changes: dict[str, object]
    ) -> None:
        manifest = json.loads((backup("b") / MANIFEST).read_bytes()) | changes

        with pytest.raises(CommandError, match="this is no whole backup"):
            read_manifest(json.dumps(manifest).encode())

    def test_what_is_no_backup_is_named(self, cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "x.tar").write_bytes(b"text")

        missing, other = (
            cli("restore", str(tmp_path / "y")),
            cli("restore", str(tmp_path / "x.tar")),
        )

        assert "there is no backup at" in missing.stderr
        assert "no manifest that can be read" in other.stderr

    def test_a_backup_without_copies_of_records_is_told_all_the_same(
        self, cli: Cli, deployment: Path, options: tuple[str, ...], backup: Callable[..., Path]
    ) -> None:
        backup("first")
        with closing(sqlite3.connect(deployment / "var" / "smsward.db")) as store:
            store.execute("DROP TRIGGER tr_access_log_update")
            store.execute("UPDATE access_log SET by = 'wu'")
            store.commit()
        a_file = str(deployment / "first" / MANIFEST)

        done = cli("backup", str(deployment / "second"), "--records", a_file, *options)
        third = cli("backup", str(deployment / "third"), "--records", a_file, *options, "--json")

        assert (done.returncode, third.returncode) == (1, 1)
        assert "the journal access_log is not intact, row 1: it was changed" in done.stderr
        assert "the records are not copied: File exists" in done.stderr
        assert "backed up: " in done.stdout
        assert "records" not in json.loads(third.stdout)
        assert cli("restore", str(deployment / "third"), "--check").returncode == 0

    def test_a_broken_journal_is_told_and_backed_up(
        self, cli: Cli, deployment: Path, options: tuple[str, ...], backup: Callable[..., Path]
    ) -> None:
        first = backup("first")
        with closing(sqlite3.connect(deployment / "var" / "smsward.db")) as store:
            store.execute("DROP TRIGGER tr_access_log_update")
            store.execute("UPDATE access_log SET by = 'wu'")
            store.commit()

        done = cli("backup", str(deployment / "second"), *options)
        lose(deployment, "var")
        restored = cli("restore", str(deployment / "second"))

        assert first.is_dir()
        assert done.returncode == 1
        assert "the journal access_log is not intact, row 1: it was changed" in done.stderr
        assert restored.returncode == 0


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    with closing(sqlite3.connect(source, isolation_level=None)) as writing:
        writing.execute("PRAGMA journal_mode=WAL")
        writing.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)")
        writing.execute(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000)"
            " INSERT INTO t SELECT n, randomblob(2000) FROM c"
        )
        told: list[tuple[int, int]] = []

        def write_on(done: int, total: int) -> None:
            told.append((done, total))
            writing.execute("UPDATE t SET x = randomblob(2000) WHERE n % 50 = ?", [len(told)])
            writing.execute("INSERT INTO t (x) VALUES (randomblob(10))")

        copy_database(source, target, write_on)

        with closing(sqlite3.connect(target)) as copy:
            assert copy.execute("SELECT count(*) FROM t").fetchone() == (3000,)
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert writing.execute("SELECT count(*) FROM t").fetchone() == (3000 + len(told),)
    assert len(told) > 5
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
