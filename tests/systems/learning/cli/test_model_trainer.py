import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from gateway.systems.learning.model import SampleLabel, SampleSource
from gateway.systems.learning.person_verdicts import PersonVerdict, learnt_from
from tests.systems.learning.cli.labelled import NOTICES, SELLERS

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[..., None]

NOON = datetime(2013, 11, 26, 12, tzinfo=UTC)

OURS = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """Return the files of a private key and of its public one."""
    private, public = tmp_path / "model.pem", tmp_path / "model.pub"
    private.write_bytes(OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def test_a_model_says_what_it_was_made_of_and_how_good_it_is(
    cli: Cli, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.npz"

    ran = cli("filter", "train", "--data", str(data), "-o", str(path), "--json")

    assert (ran.returncode, ran.stderr) == (0, "")
    card = json.loads(ran.stdout)
    assert card["data"][0]["file"] == "train_zh_bulk.tsv"
    assert (card["data"][0]["ham"], card["data"][0]["spam"]) == (40, 40)
    assert card["held_out"][0]["file"] == "dev_zh_bulk.tsv"
    assert card["measured"]["classes"]["port"]["whole"]["auc"] > 0.95
    assert "your own traffic" in card["limits"]
    with np.load(path, allow_pickle=False) as arrays:
        kept = json.loads(arrays["card"].tobytes())
    assert kept["about"]["measured"] == card["measured"]


def test_no_text_enters_the_model(model: Path) -> None:
    with np.load(model, allow_pickle=False) as arrays:
        card = arrays["card"].tobytes().decode()

    assert not [words for words in (*SELLERS, *NOTICES) if words in card]


def test_people_see_a_table(cli: Cli, data: Path, tmp_path: Path) -> None:
    ran = cli("filter", "train", "--data", str(data), "-o", str(tmp_path / "model.npz"))

    assert "recall at FPR" in ran.stdout
    assert "80 texts, not signed" in ran.stdout


def test_single_files_are_parted_by_campaign(cli: Cli, data: Path, tmp_path: Path) -> None:
    file = data / "train_zh_bulk.tsv"

    ran = cli("filter", "train", "--data", str(file), "-o", str(tmp_path / "model.npz"), "--json")

    assert json.loads(ran.stdout)["split"] == "every tenth campaign"


def test_texts_that_stand_on_both_sides_are_told_of(cli: Cli, data: Path, tmp_path: Path) -> None:
    train = str(data / "train_zh_bulk.tsv")

    ran = cli("filter", "train", "--data", train, "--dev", train, "-o", str(tmp_path / "m.npz"))

    assert ran.returncode == 0
    assert "80 of 80 texts to measure on stand among those to train on" in ran.stderr


def test_a_signed_model_is_believed_by_who_trusts_the_key(
    cli: Cli, data: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    private, public = map(str, keys)
    path = str(tmp_path / "model.npz")
    trained = cli("filter", "train", "--data", str(data), "-o", path, "--key", private)

    asked = cli("filter", "evaluate", str(data), "--model", path, "--trust", public)

    assert "80 texts, signed" in trained.stdout
    assert (asked.returncode, asked.stderr) == (0, "")


def test_a_model_without_a_signature_is_refused_where_one_is_asked_for(
    cli: Cli, model: Path, keys: tuple[Path, Path]
) -> None:
    ran = cli("filter", "score", "--model", str(model), "--trust", str(keys[1]))

    assert ran.returncode == 1
    assert "signature.npy: the model is not signed" in ran.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--data", "{}"), "no train_*.tsv there"),
        (("--data", "{}/none.tsv"), "No such file"),
        (("--data", "{}/bad.tsv"), "bad.tsv:2: 1 fields"),
        (("--data", "{}/unsaid.tsv"), "unsaid.tsv:1: neither line nor --class says"),
        (("--data", "{}/few.tsv", "--class", "bulk"), "--class: bulk is neither port nor person"),
        (("--data", "{}/few.tsv"), "not 10 of spam and of ham"),
        (("--data", "{}/unsaid.tsv", "--class", "person"), "not 10 of spam and of ham"),
        (("--data", "{}/few.tsv", "--key", "{}/few.tsv"), "no private key"),
        (("--data", "{}/few.tsv", "--key", "{}/none.pem"), "No such file"),
    ],
)
def test_what_cannot_be_trained_on_is_said(
    cli: Cli, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    few = "ham\tzh\tours\t快递\tport\n"
    (tmp_path / "bad.tsv").write_text(f"{few}nothing\n", encoding="utf-8")
    (tmp_path / "few.tsv").write_text(few, encoding="utf-8")
    (tmp_path / "unsaid.tsv").write_text(few.replace("\tport", ""), encoding="utf-8")
    arguments = [one.format(tmp_path) for one in given]

    ran = cli("filter", "train", *arguments, "-o", str(tmp_path / "model.npz"))

    assert ran.returncode in {1, 2}
    assert said in ran.stderr
    assert not (tmp_path / "model.npz").exists()


def test_a_model_that_cannot_be_written_leaves_the_old_one(
    cli: Cli, data: Path, tmp_path: Path
) -> None:
    ran = cli("filter", "train", "--data", str(data), "-o", str(tmp_path / "no/model.npz"))

    assert ran.returncode == 1
    assert "No such file" in ran.stderr


@pytest.fixture
def reviewed(deployment: Path, in_store: InStore) -> Path:
    """Return a configuration with verdicts on record: two of one offer, and one that dev knows."""
    texts = (
        ("机主您好，老客户专享洗车卡半价，到店即领", SampleLabel.SPAM, "retail"),
        ("机主您好！老客户专享洗车卡半价，到店即领", SampleLabel.SPAM, "retail"),
        ("本周六社区义诊，欢迎携带医保卡前来", SampleLabel.HAM, ""),
        ("楼盘清仓特价，加Q00000", SampleLabel.SPAM, "real_estate"),
    )
    verdicts = [
        PersonVerdict(text, label, category, SampleSource.REVIEW, "shop", NOON, "lin")
        for text, label, category in texts
    ]
    learnt = [one for verdict in verdicts if (one := learnt_from(verdict)) is not None]
    in_store(lambda stores: stores.samples.keep(learnt))
    return deployment / "config"


def test_verdicts_are_trained_on_but_for_those_of_campaigns_that_are_measured_on(
    cli: Cli, data: Path, tmp_path: Path, reviewed: Path
) -> None:
    told = ("--config", str(reviewed), "-o", str(tmp_path / "model.npz"))

    ran = cli("filter", "train", "--data", str(data), "--add-samples", *told, "--json")

    assert (ran.returncode, ran.stderr) == (0, "")
    samples = json.loads(ran.stdout)["samples"]
    assert (samples["ham"], samples["spam"], samples["sources"]) == (1, 3, ["verdicts"])
    assert (samples["added"], samples["left_out"], samples["repeated"]) == (3, 1, 0)
    assert samples["weight"] == 3
    assert re.fullmatch("[0-9a-f]{64}", samples["sha256"])


def test_a_verdict_counts_as_often_as_it_is_said_to(
    cli: Cli, data: Path, tmp_path: Path, reviewed: Path
) -> None:
    told = ("--config", str(reviewed), "-o", str(tmp_path / "model.npz"))

    ran = cli("filter", "train", "--data", str(data), "--add-samples", "--weight", "5", *told)

    assert "95 texts, not signed" in ran.stdout
    assert "samples: 3 added, 1 left out" in ran.stdout


def test_without_being_asked_for_samples_stay_where_they_are(
    cli: Cli, data: Path, tmp_path: Path
) -> None:
    ran = cli("filter", "train", "--data", str(data), "-o", str(tmp_path / "model.npz"), "--json")

    assert json.loads(ran.stdout)["samples"] is None


def test_a_verdict_cannot_outweigh_everything(cli: Cli, data: Path, tmp_path: Path) -> None:
    told = ("-o", str(tmp_path / "model.npz"), "--weight", "21")

    ran = cli("filter", "train", "--data", str(data), *told)

    assert ran.returncode == 2
    assert "--weight: 1 to 20" in ran.stderr
