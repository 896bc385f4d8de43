"""What the help of `smsward filter` shows is what can be typed."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.stores import Stores
from tests.systems.learning.cli.labelled import labelled_in, trained

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], None]], None]


@pytest.fixture
def place(cli: Cli, deployment: Path, in_store: InStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with every file that examples name."""
    in_store(lambda _: None)
    data = labelled_in(deployment / "data")
    for file in data.iterdir():
        shutil.copy(file, deployment)
    shutil.copy(data / "train_zh_bulk.tsv", deployment / "train_more_bulk.tsv")
    shutil.copy(data / "train_zh_bulk.tsv", deployment / "ours_bulk.tsv")
    shutil.copy(data / "dev_zh_bulk.tsv", deployment / "dev_more_bulk.tsv")
    shutil.copy(trained(cli, data), deployment / "new.npz")
    monkeypatch.chdir(deployment)
    return deployment


def examples(cli: Cli, command: str) -> Iterator[str]:
    """Yield the examples of a command as its help prints them, each on a line of its own."""
    shown = cli("filter", command, "--help").stdout
    for paragraph in re.split(r"\n\s*\n|\n╭", shown):
        said, is_one, example = " ".join(paragraph.split()).partition("Example: ")
        if is_one and not said:
            yield example


def matching(word: str) -> list[str]:
    """Return what a shell puts in the place of `word`."""
    return sorted(map(str, Path().glob(word))) or [word] if "*" in word else [word]


def run_as_shells_do(cli: Cli, line: str) -> CompletedProcess[str]:
    """Run one line of programs; return what came of the last, which is smsward."""
    *others, last = (shlex.split(command) for command in line.split("; "))
    for words in others:
        subprocess.run(words, check=True, capture_output=True)  # noqa: S603 - our own examples
    return cli(*(one for word in last[1:] for one in matching(word)))


@pytest.mark.parametrize(("command", "count"), [("train", 3), ("evaluate", 3), ("compare", 1)])
@pytest.mark.usefixtures("place")
def test_examples_can_be_typed_as_they_are_printed(cli: Cli, command: str, count: int) -> None:
    # A comparison of what is live needs a gateway that runs.
    lines = [one for one in examples(cli, command) if "--live" not in one]

    ran = [run_as_shells_do(cli, line) for line in lines]

    assert len(ran) == count
    assert [(one.returncode, one.stderr) for one in ran if one.returncode] == []


@pytest.mark.parametrize(
    "line",
    [
        "train --data train_*.tsv --dev dev_*.tsv -o other.npz",
        "train -o other.npz --data train_zh_bulk.tsv --data train_more_bulk.tsv",
        "evaluate dev_*.tsv --train train_*.tsv",
        "evaluate --train train_*.tsv --plot x.png dev_*.tsv",
        "compare model.npz new.npz --data dev_*.tsv",
        "compare --data dev_*.tsv -- model.npz new.npz",
    ],
)
@pytest.mark.usefixtures("place")
def test_an_option_takes_all_the_files_that_follow_it(cli: Cli, line: str) -> None:
    ran = run_as_shells_do(cli, f"smsward filter {line}")

    assert (ran.returncode, "Unused" in ran.stderr) == (0, False), ran.stderr


def test_an_option_of_files_without_any_is_a_mistake(cli: Cli) -> None:
    ran = cli("filter", "train", "-o", "model.npz", "--data")

    assert ran.returncode == 2
    assert "--data" in ran.stderr


@pytest.mark.parametrize("line", ["--train train_*.tsv", "--trust data/*.tsv"])
@pytest.mark.usefixtures("place")
def test_files_that_an_option_has_taken_are_missed(cli: Cli, line: str) -> None:
    ran = run_as_shells_do(cli, f"smsward filter evaluate {line} dev_*.tsv")

    assert ran.returncode == 2
    assert "needs FILE" in ran.stderr
