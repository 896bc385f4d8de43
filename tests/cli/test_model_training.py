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

from gateway.domain.sample import SampleLabel, SampleSource
from gateway.systems.learning.samples_kept import Verdict, learnt_from

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[..., None]

NOON = datetime(2013, 11, 26, 12, tzinfo=UTC)

OURS = Ed25519PrivateKey.from_private_bytes(bytes(32))
SELLERS = ("代开各类发票", "低息当天放款", "香港六合特码", "楼盘清仓特价", "刷信誉加微信")
NOTICES = ("您的快递已到驿站", "您的验证码是", "账户余额变动", "明天停水通知", "您预约的号源")
KINDS = ("forged_documents", "loan", "gambling", "real_estate", "fraud_shopping")


def lines(first: int) -> str:
    """Return 40 labelled lines of either label, of other numbers for another `first`."""
    spam = [
        f"spam\tzh\tours/{kind}\t{words}，电话{first + number:05}"
        for number in range(8)
        for words, kind in zip(SELLERS, KINDS, strict=True)
    ]
    ham = [
        f"ham\tzh\tours\t{words}，编号{first + number:05}，谢谢"
        for number in range(8)
        for words in NOTICES
    ]
    return "\n".join(spam + ham) + "\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory of texts to train on, to measure on, and in disguise."""
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "train_zh_bulk.tsv").write_text(lines(100), encoding="utf-8")
    other = lines(7000).replace("电话", "加Q").replace("编号", "详情")
    (directory / "dev_zh_bulk.tsv").write_text(other, encoding="utf-8")
    (directory / "adv_dev.tsv").write_text(
        "spam\tzh\tnone\t代开各类发票\nspam\tzh\tsymbol\t代*开各类发-票\n", encoding="utf-8"
    )
    return directory


@pytest.fixture
def model(cli: Cli, data: Path, tmp_path: Path) -> Path:
    """Return a trained model."""
    path = tmp_path / "model.npz"
    assert cli("filter", "train", "--data", str(data), "-o", str(path)).returncode == 0
    return path


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

    asked = cli("filter", "score", "--model", path, "--trust", public)

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
        (("--data", "{}/few.tsv"), "not 10 of spam and of ham"),
        (("--data", "{}/few.tsv", "--key", "{}/few.tsv"), "no private key"),
        (("--data", "{}/few.tsv", "--key", "{}/none.pem"), "No such file"),
    ],
)
def test_what_cannot_be_trained_on_is_said(
    cli: Cli, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    (tmp_path / "bad.tsv").write_text("ham\tzh\tours\t快递\nnothing\n", encoding="utf-8")
    (tmp_path / "few.tsv").write_text("ham\tzh\tours\t快递\n", encoding="utf-8")
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
        Verdict(text, label, category, SampleSource.REVIEW, "shop", NOON, "lin")
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


def test_an_evaluation_tells_classes_disguises_and_categories(
    cli: Cli, data: Path, model: Path
) -> None:
    files = [str(data / name) for name in ("dev_zh_bulk.tsv", "adv_dev.tsv")]

    ran = cli("filter", "evaluate", *files, "--model", str(model), "--json")

    found = json.loads(ran.stdout)
    port = found["classes"]["port"]
    assert (port["whole"]["ham"], port["whole"]["spam"]) == (40, 40)
    assert port["whole"]["recall_at_fpr"].keys() == {"0.001", "0.005", "0.01"}
    assert port["notices"]["one-time code"]["count"] == 8
    assert found["attacks"]["zh"]["mean_kept"] == 1
    assert found["categories"]["severity_f1"] == 1
    assert found["goals"][0] == {
        "name": "port: best F1",
        "asked": 0.95,
        "at_most": False,
        "found": 1.0,
        "reached": True,
    }
    assert "leaked" not in found


def test_an_evaluation_counts_what_it_was_trained_on(cli: Cli, data: Path, model: Path) -> None:
    dev, train = (str(data / f"{name}_zh_bulk.tsv") for name in ("dev", "train"))

    clean = cli("filter", "evaluate", dev, "--train", str(data), "--model", str(model), "--json")
    dirty = cli("filter", "evaluate", train, "--train", train, "--model", str(model))

    assert json.loads(clean.stdout)["leaked"] == 0
    assert "80 of 80 texts stand among those it was trained on" in dirty.stdout


def test_an_evaluation_is_a_table_for_people(cli: Cli, data: Path, model: Path) -> None:
    files = [str(data / name) for name in ("dev_zh_bulk.tsv", "adv_dev.tsv")]

    ran = cli("filter", "evaluate", *files, "--model", str(model))

    assert "spam of ours" in ran.stdout
    assert "disguises (zh): 100.0 % of the recall kept on the mean" in ran.stdout
    assert "forged_documents" in ran.stdout
    assert "0 of 8 one-time code" in ran.stdout
    assert re.search(r"port: recall at FPR 1 %\W+>= 0.9\W+1\W+yes", ran.stdout)


def test_a_class_without_such_notices_has_no_line_of_them(
    cli: Cli, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "some_bulk.tsv"
    path.write_text("ham\tzh\tx\t明天停水\nspam\tzh\tx\t代开发票\n", encoding="utf-8")

    ran = cli("filter", "evaluate", str(path), "--model", str(model))

    assert "spam of x" in ran.stdout
    assert "innocent notices" not in ran.stdout
    assert "categories" not in ran.stdout


def test_doubtful_labels_have_a_row_of_their_own(cli: Cli, data: Path, model: Path) -> None:
    (data / "dev_zh_bulk.suspect").write_text("0\n")

    ran = cli("filter", "evaluate", str(data), "--model", str(model))

    assert "all but the doubtful" in ran.stdout


def test_the_plot_is_a_png(cli: Cli, data: Path, model: Path, tmp_path: Path) -> None:
    plot = tmp_path / "dev.png"

    ran = cli("filter", "evaluate", str(data), "--model", str(model), "--plot", str(plot))

    assert ran.returncode == 0
    assert plot.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_plot_that_cannot_be_written_is_said(
    cli: Cli, data: Path, model: Path, tmp_path: Path
) -> None:
    ran = cli(
        *("filter", "evaluate", str(data), "--model", str(model)),
        *("--plot", str(tmp_path / "no/dev.png")),
    )

    assert ran.returncode == 1
    assert "No such file" in ran.stderr


def test_nothing_to_measure_on_is_said(cli: Cli, model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    ran = cli("filter", "evaluate", str(tmp_path / "empty"), "--model", str(model))

    assert ran.returncode == 2
    assert "no labelled text" in ran.stderr


def test_no_model_is_said_with_what_makes_one(
    cli: Cli, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ran = cli("filter", "evaluate", str(data))

    assert ran.returncode == 2
    assert "smsward filter train --help" in ran.stderr


def test_the_model_beside_is_the_usual_one(
    cli: Cli, data: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)

    assert cli("filter", "evaluate", str(data)).returncode == 0


def test_a_broken_model_is_refused_with_its_place(cli: Cli, tmp_path: Path, data: Path) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK\x03\x04")

    ran = cli("filter", "evaluate", str(data), "--model", str(path))

    assert ran.returncode == 1
    assert "broken.npz: file: it is no .npz, or broken" in ran.stderr


def test_a_score_says_what_and_why(cli: Cli, model: Path) -> None:
    asked = "spam\tzh\tx\t代开各类发票，电话00100\nham\tzh\tx\t您的验证码是，编号00100，谢谢\n"

    ran = cli("filter", "score", "--model", str(model), stdin=asked)

    guilty, innocent = map(json.loads, ran.stdout.splitlines())
    assert guilty["score"] > 0.5 > innocent["score"]
    assert (guilty["category"], guilty["severity"]) == ("forged_documents", "illegal")
    assert guilty["action"] == "reject"
    assert guilty["class"] == "port"
    assert 0 < len(guilty["evidence"]) <= 8
    assert guilty["evidence"][0].keys() == {"piece", "weight"}
    assert "00100" not in ran.stdout.replace("00000", "")
    assert (innocent["action"], innocent["category"]) == ("forward", "")


def test_an_advert_is_never_rejected(cli: Cli, model: Path) -> None:
    ran = cli(
        *("filter", "score", "--model", str(model), "--evidence", "0"),
        stdin="spam\tzh\tx\t楼盘清仓特价，电话00100\n",
    )

    scored = json.loads(ran.stdout)
    assert (scored["action"], scored["severity"]) == ("quarantine", "advert")
    assert scored["evidence"] == []


def test_what_people_write_is_scored_as_theirs(cli: Cli, model: Path) -> None:
    ran = cli(*("filter", "score", "--model", str(model), "--person"), stdin="ham\tzh\tx\t晚上见\n")

    assert json.loads(ran.stdout)["class"] == "person"


def test_more_lines_than_a_batch_come_out_in_order(cli: Cli, model: Path) -> None:
    asked = "".join(
        f"ham\tzh\tx\t{'代开各类发票' if number % 2 else '您的验证码是，编号00100，谢谢'}\n"
        for number in range(300)
    )

    ran = cli("filter", "score", "--model", str(model), "--evidence", "0", stdin=asked)

    actions = [json.loads(line)["action"] for line in ran.stdout.splitlines()]
    assert actions == ["forward", "reject"] * 150


def test_a_line_that_is_none_is_said_with_its_number(cli: Cli, model: Path) -> None:
    ran = cli("filter", "score", "--model", str(model), stdin="ham\tzh\tx\tok\n\n")

    assert ran.returncode == 2
    assert "-:2: 1 fields" in ran.stderr


@pytest.mark.parametrize("share", ["0", "1", "-1", "nan"])
def test_a_share_that_cannot_be_tolerated_is_refused(cli: Cli, share: str) -> None:
    ran = cli("filter", "score", f"--tolerate={share}")

    assert ran.returncode == 2
    assert "--tolerate" in ran.stderr


def test_a_model_is_the_same_as_itself(cli: Cli, data: Path, model: Path) -> None:
    cards = cli("filter", "compare", str(model), str(model))
    measured = cli("filter", "compare", str(model), str(model), "--data", str(data))

    assert "they say the same" in cards.stdout
    assert "they say the same" in measured.stdout


def test_two_models_are_compared_on_the_same_texts(
    cli: Cli, data: Path, model: Path, tmp_path: Path
) -> None:
    other = str(tmp_path / "other.npz")
    lied = lines(100).replace("楼盘清仓特价", "代办各类宽带").replace("real_estate", "telecom")
    (tmp_path / "train.tsv").write_text(lied, encoding="utf-8")
    cli("filter", "train", "--data", str(tmp_path / "train.tsv"), "-o", other)

    ran = cli("filter", "compare", str(model), other, "--data", str(data), "--json")
    table = cli("filter", "compare", str(model), other, "--data", str(data))
    cards = cli("filter", "compare", str(model), other)

    found = json.loads(ran.stdout)
    assert found["old"]["classes"]["port"]["whole"]["spam"] == 40
    assert sum(found["changed"].values()) > 0
    assert "only the new one stops" in table.stdout
    assert "split" in cards.stdout
