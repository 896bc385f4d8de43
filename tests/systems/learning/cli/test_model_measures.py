import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.systems.learning.cli.labelled import lines

Cli = Callable[..., CompletedProcess[str]]


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

    ran = cli("filter", "evaluate", str(path), "--class", "port", "--model", str(model))

    assert "spam of x" in ran.stdout
    assert "innocent notices" not in ran.stdout
    assert "categories" not in ran.stdout


@pytest.fixture
def collections(data: Path) -> list[str]:
    """Return files of two collections from ports, the second easy, and of one of people."""
    others = [line for line in lines(300).replace("ours", "easy").splitlines() if line]
    (data / "dev_easy_bulk.tsv").write_text("\n".join(others), encoding="utf-8")
    swapped = (
        lines(500).replace("ours", "chats").replace("spam\t", "x\t").replace("ham\t", "spam\t")
    )
    swapped = swapped.replace("x\t", "ham\t").replace("\tport", "\tperson")
    (data / "dev_chats.tsv").write_text(swapped, encoding="utf-8")
    return [str(data / f"dev_{name}.tsv") for name in ("zh_bulk", "easy_bulk", "chats")]


def test_a_class_may_be_judged_by_one_of_its_sources(
    cli: Cli, collections: list[str], model: Path
) -> None:
    asked = ("filter", "evaluate", *collections, "--model", str(model))

    pooled = json.loads(cli(*asked, "--json").stdout)
    apart = json.loads(cli(*asked, "--judge-by", "easy", "chats", "--json").stdout)
    table = cli(*asked, "--judge-by", "easy").stdout

    names = [one["name"] for one in apart["goals"]]
    assert names[0] == "port (easy): best F1"
    assert "person (chats): recall at FPR 0.1 %" in names
    found = {one["name"]: one["found"] for one in apart["goals"]}
    port, person = (pooled["classes"][name] for name in ("port", "person"))
    assert found["port (easy): best F1"] == port["sources"]["easy"]["best_f1"]
    assert found["person (chats): best F1"] == person["alone"]["chats"]["best_f1"]
    assert pooled["classes"] == apart["classes"]
    assert "port (easy): AUC" in table
    assert "person: best F1" in table


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("nobody",), "hint: there is: chats, easy, ours"),
        (("chats", "none"), "--judge-by none: no spam of this source"),
        (("ours", "chats", "easy"), "hint: one for each: ours port, chats person, easy port"),
    ],
)
def test_a_source_that_can_stand_for_no_class_is_refused(
    cli: Cli, collections: list[str], model: Path, names: tuple[str, ...], said: str
) -> None:
    ran = cli("filter", "evaluate", *collections, "--model", str(model), "--judge-by", *names)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr


def test_doubtful_labels_have_a_row_of_their_own(cli: Cli, data: Path, model: Path) -> None:
    (data / "dev_zh_bulk.suspect").write_text("0\n")

    ran = cli("filter", "evaluate", str(data), "--model", str(model))

    assert "all but the doubtful" in ran.stdout


def test_the_plot_is_a_png(cli: Cli, data: Path, model: Path, tmp_path: Path) -> None:
    plot = tmp_path / "dev.png"

    ran = cli("filter", "evaluate", str(data), "--model", str(model), "--plot", str(plot))

    assert ran.returncode == 0
    assert plot.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_which_class_is_which_colour_is_told(
    cli: Cli, collections: list[str], model: Path, tmp_path: Path
) -> None:
    plot = tmp_path / "dev.png"
    drawn = ("--model", str(model), "--plot", str(plot))

    both = cli("filter", "evaluate", *collections, *drawn)
    people = cli("filter", "evaluate", collections[-1], *drawn, "--json")
    without = cli("filter", "evaluate", collections[-1], "--model", str(model), "--json")

    assert f"{plot}: port blue, person orange; to the right" in both.stdout
    told = json.loads(people.stdout)["plot"]
    assert told == {"file": str(plot), "colours": {"person": "orange"}}
    assert "plot" not in json.loads(without.stdout)
    shown = " ".join(cli("filter", "evaluate", "--help").stdout.split())
    assert "Ports are blue, people orange, what has no Han green" in shown


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
    assert "broken.npz: file: it is cut short" in ran.stderr


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
