"""What two models dispute, found again in the records for who is to say which is right."""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.records import Row, Why
from gateway.filter.classifier.model import name_of
from gateway.filter.classifier.score import Comparison, ModelAgreement, TextClass
from gateway.records.lines import RecordLines
from gateway.records.writer import HourFiles
from gateway.systems.learning.model_directory import ModelDirectory

Cli = Callable[..., CompletedProcess[str]]

LOAN, NOTICE = "急用钱找我，客服13800138000", "您的快件已到驿站，请凭码取件"
LONG_AGO, NOON = (datetime(2013, 11, day, 12, tzinfo=UTC) for day in (20, 26))
UCS2 = 8


def row(at: datetime, system_id: str, text: str) -> Row:
    about, why = (1, system_id, 4), Why("forward", "", "", "", "digest")
    said = (UCS2, text.encode("utf-16-be"))
    return ("d", at.timestamp(), about, 7, b"10690001", b"13900139000", why, 0, said)


@pytest.fixture
def compared(deployment: Path) -> Path:
    """Return a deployment whose gateway found one text disputed by either model, since NOON."""
    with (deployment / "config/gateway.yaml").open("a") as file:
        file.write(f"learning: {{starter: false, models: {deployment}/var/models}}\n")
    comparison = Comparison("", "")
    for agreement, text in (
        (ModelAgreement.ONLY_ACTIVE, LOAN),
        (ModelAgreement.ONLY_SHADOW, NOTICE),
    ):
        comparison.note(TextClass.PORT, agreement, partial(name_of, text))
    told = {"since": NOON.isoformat(), "at": NOON.isoformat(), **comparison.as_json()}
    ModelDirectory(deployment / "var/models").write_comparison(json.dumps(told).encode())
    return deployment


@pytest.fixture
def record(compared: Path) -> Callable[..., None]:
    """Return what puts rows on record."""

    def record(*rows: Row) -> None:
        files = HourFiles(compared / "var/cdr")
        for hour, _, written in RecordLines().by_hour(list(rows)):
            files.append(hour, written)
        files.close()

    return record


@pytest.fixture
def ask(cli: Cli, compared: Path) -> Cli:
    config = str(compared / "config")
    return lambda *words: cli("filter", "compare", "--live", *words, "--config", config)


def test_the_texts_that_models_dispute_are_shown_without_numbers(
    ask: Cli, record: Callable[..., None]
) -> None:
    record(
        row(NOON, "shop", LOAN),
        row(NOON, "bank", "账户余额变动提醒"),
        row(NOON, "bank", LOAN),
        row(LONG_AGO, "shop", NOTICE),
    )

    told = json.loads(ask("--texts", "--json").stdout)

    assert told["texts"] == [
        {
            "name": name_of(LOAN),
            "agreement": "only_active",
            "system_id": "shop",
            "text": "急用钱找我，客服00000000000",
        }
    ]
    shown = ask("--texts").stdout
    assert "急用钱找我，客服00000000000" in shown
    assert "13800138000" not in shown


def test_once_all_are_found_no_more_hours_are_read(
    ask: Cli, record: Callable[..., None], compared: Path
) -> None:
    record(row(NOON.replace(hour=14), "shop", LOAN), row(NOON.replace(hour=14), "shop", NOTICE))
    (compared / "var/cdr/cdr-20131126-13.jsonl").write_text("no record\n")

    told = json.loads(ask("--texts", "--json").stdout)

    assert {one["text"] for one in told["texts"]} == {"急用钱找我，客服00000000000", NOTICE}


def test_records_without_texts_are_said_to_be_so(ask: Cli, record: Callable[..., None]) -> None:
    record(("d", NOON.timestamp(), (1, "shop", 4), 7, b"1", b"2", ("forward", *[""] * 4), 0, None))

    assert "none of them is in the records" in ask("--texts").stdout
    assert "texts" not in json.loads(ask("--json").stdout)


def test_models_that_agree_dispute_no_text(
    ask: Cli, record: Callable[..., None], compared: Path
) -> None:
    record(row(NOON, "shop", LOAN))
    told = {"since": NOON.isoformat(), "at": NOON.isoformat(), **Comparison("", "").as_json()}
    ModelDirectory(compared / "var/models").write_comparison(json.dumps(told).encode())

    assert "there is no text that only one of them stops" in ask("--texts").stdout


def test_a_deployment_without_records_is_asked_from_the_wrong_place(ask: Cli) -> None:
    ran = ask("--texts")

    assert ran.returncode == 2
    assert "call this from the directory that the gateway runs in" in ran.stderr


def test_records_that_cannot_be_read_are_told(
    ask: Cli, record: Callable[..., None], compared: Path
) -> None:
    record(row(NOON, "shop", LOAN))
    (compared / "var/cdr/cdr-20131126-13.jsonl").write_text("no record\n")

    ran = ask("--texts")

    assert ran.returncode == 1
    assert "the records of an hour cannot be read" in ran.stderr


def test_sealed_records_are_opened_by_who_has_the_key(
    ask: Cli, cli: Cli, record: Callable[..., None], compared: Path
) -> None:
    record(row(NOON, "shop", LOAN))
    keys, config = compared / "keys.yaml", compared / "config/gateway.yaml"
    keys.write_text(f"k1: {b64encode(bytes(64)).decode()}\n")
    keys.chmod(0o600)
    without = config.read_text()
    config.write_text(f"{without}privacy: {{keys: {keys}, current: k1}}\n")
    assert cli("records", "seal", "--config", str(compared / "config")).returncode == 0

    opened = json.loads(ask("--texts", "--json").stdout)
    config.write_text(without)
    refused = ask("--texts")

    assert [one["name"] for one in opened["texts"]] == [name_of(LOAN)]
    assert refused.returncode == 1
    assert "keep every key that records were sealed with" in refused.stderr
