"""`smsward keys reseal`, and what commands say of a store that is sealed otherwise."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.stores import open_store

Cli = Callable[..., CompletedProcess[str]]
Write = Callable[[str, str], None]

SUBSCRIBER = 8613800138000
NOON = datetime(2013, 9, 30, 12, tzinfo=UTC)
GATEWAY = """\
version: 1
listeners: [{name: plain, address: "127.0.0.1:2775"}]
smscs: [{name: main, address: "127.0.0.1:2776"}]
store: {url: "sqlite:///smsward.db"}
"""
FIRST, SECOND = "{keys: keys.yaml, current: k1}", "{keys: keys.yaml, current: k2}"


@pytest.fixture
def configured(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Return a function that names the keys in gateway.yaml, or none."""
    monkeypatch.chdir(tmp_path)

    def configured(privacy: str = "") -> None:
        write("gateway.yaml", GATEWAY + (f"privacy: {privacy}\n" if privacy else ""))

    return configured


@pytest.fixture
def keys(cli: Cli, tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    path.touch(0o600)
    path.write_text(cli("keys", "new").stdout + cli("keys", "new", "--id", "k2").stdout)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a store that stands open, with a refusal."""

    async def fill() -> None:
        stores = await open_store(f"sqlite:///{tmp_path}/smsward.db")
        await stores.consent.record([ConsentAnswer(SUBSCRIBER, "", Answer.REFUSED, NOON, "letter")])
        await stores.close()

    asyncio.run(fill())
    return tmp_path / "smsward.db"


def test_r73_a_store_is_sealed_with_the_first_key_and_then_with_the_next(
    cli: Cli, configured: Callable[..., None], keys: Path, store: Path
) -> None:
    assert keys.is_file()
    assert store.is_file()
    for privacy, key in ((FIRST, "k1"), (SECOND, "k2")):
        configured(privacy)
        before = cli("consent", "show", "--config", ".", "13800138000")
        assert (before.returncode == 0) is (key == "k2")  # its own key is still there
        assert ("run smsward keys reseal" in before.stderr) is (key == "k1")

        ran = cli("keys", "reseal", "--config", ".", "--json")

        assert json.loads(ran.stdout) == {"key": key, "rows": 1}
        shown = cli("consent", "show", "--config", ".", "13800138000")
        assert "refused" in shown.stdout


def test_r73_without_keys_nobody_opens_a_sealed_store(
    cli: Cli, configured: Callable[..., None], keys: Path, store: Path
) -> None:
    assert keys.is_file()
    assert store.is_file()
    configured(FIRST)
    assert "with the key k1" in cli("keys", "reseal", "--config", ".").stdout
    configured()

    ran = cli("consent", "show", "--config", ".", "13800138000")

    assert ran.returncode == 1
    assert "sealed with the key k1" in ran.stderr


def test_a_list_of_answers_goes_into_a_sealed_store_and_comes_out_of_it(
    cli: Cli, configured: Callable[..., None], keys: Path, store: Path, write: Write
) -> None:
    assert keys.is_file()
    assert store.is_file()
    configured(FIRST)
    cli("keys", "reseal", "--config", ".")
    write("list.txt", "".join(f"1391111{number:04}\n" for number in range(200)))
    write("senders.yaml", "version: 1\nsenders: []\n")
    said = ("--all-senders", "--answer", "refused", "--config", ".", "--json")

    imported = cli("consent", "import", "list.txt", *said)

    assert json.loads(imported.stdout)["recorded"] == 200
    exported = cli("consent", "export", "--config", ".", "--unmask", "--reason", "case 12")
    assert exported.stdout.count("1391111") == 200
    assert "13800138000" in exported.stdout


def test_without_keys_there_is_nothing_to_seal_with(
    cli: Cli, configured: Callable[..., None], store: Path
) -> None:
    assert store.is_file()
    configured()

    ran = cli("keys", "reseal", "--config", ".")

    assert ran.returncode == 2
    assert "smsward keys new" in ran.stderr


def test_where_there_is_no_store_none_is_made(
    cli: Cli, configured: Callable[..., None], keys: Path, tmp_path: Path
) -> None:
    assert keys.is_file()
    configured(FIRST)

    ran = cli("keys", "reseal", "--config", ".")

    assert ran.returncode == 1
    assert "there is no store" in ran.stderr
    assert not (tmp_path / "smsward.db").exists()


def test_a_store_in_use_is_not_resealed(
    cli: Cli, configured: Callable[..., None], keys: Path, store: Path
) -> None:
    assert keys.is_file()
    configured(FIRST)

    async def beside() -> CompletedProcess[str]:
        stores = await open_store(f"sqlite:///{store}")
        try:
            return await asyncio.to_thread(cli, "keys", "reseal", "--config", ".")
        finally:
            await stores.close()

    ran = asyncio.run(beside())

    assert ran.returncode == 1
    assert "has it open: stop them" in ran.stderr
    assert "call this again" in ran.stderr
