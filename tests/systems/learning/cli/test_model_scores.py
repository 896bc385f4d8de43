"""What `smsward filter score` says of each line, of lines that are none, and how soon."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.application import run_line
from gateway.filter.classifier.linear import BUCKETS, SIGNS, Calibration, LinearModel
from gateway.filter.classifier.model import ClassModel, Model, Threshold
from gateway.filter.classifier.model_file import write_model
from gateway.filter.classifier.score import TextClass
from gateway.systems.learning.cli.model_files import batches

Cli = Callable[..., CompletedProcess[str]]
Score = Callable[..., CompletedProcess[str]]

GUILTY, INNOCENT = "代开各类发票，电话00100", "您的验证码是，编号00100，谢谢"
PLAIN = f"ham\tzh\tx\t{INNOCENT}\n".encode()
FAULTY = {
    b"": "1 fields",
    b"junk\tzh\tx\tok": "neither ham nor spam",
    b"ham\tzh\tx\t\xd0\xf2": "not UTF-8",
}


@pytest.fixture
def piped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Score:
    """Return what scores lines that come from a file, as a shell's < gives them."""

    def piped(model: Path, *options: str, stdin: str | bytes) -> CompletedProcess[str]:
        path = model.with_name("asked.tsv")
        path.write_bytes(stdin.encode() if isinstance(stdin, str) else stdin)
        capsys.readouterr()
        with path.open(encoding="utf-8") as file:
            monkeypatch.setattr("sys.stdin", file)
            code = run_line(("filter", "score", "--model", str(model), *options))
        captured = capsys.readouterr()
        return CompletedProcess(options, code, captured.out, captured.err)

    return piped


def test_a_score_says_what_and_why(piped: Score, model: Path) -> None:
    ran = piped(model, stdin=f"spam\tzh\tx\t{GUILTY}\nham\tzh\tx\t{INNOCENT}\n")

    guilty, innocent = map(json.loads, ran.stdout.splitlines())
    assert guilty["score"] > 0.5 > innocent["score"]
    assert (guilty["category"], guilty["severity"]) == ("forged_documents", "illegal")
    assert guilty["action"] == "reject"
    assert guilty["class"] == "port"
    assert 0 < len(guilty["evidence"]) <= 8
    assert guilty["evidence"][0].keys() == {"piece", "weight"}
    assert "00100" not in ran.stdout.replace("00000", "")
    assert (innocent["action"], innocent["category"]) == ("forward", "")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_an_advert_is_never_rejected(piped: Score, model: Path) -> None:
    ran = piped(model, "--evidence", "0", stdin="spam\tzh\tx\t楼盘清仓特价，电话00100\n")

    scored = json.loads(ran.stdout)
    assert (scored["action"], scored["severity"]) == ("quarantine", "advert")
    assert scored["evidence"] == []


def test_what_people_write_is_scored_as_theirs(piped: Score, model: Path) -> None:
    ran = piped(model, "--person", stdin="ham\tzh\tx\t晚上见\n")

    assert json.loads(ran.stdout)["class"] == "person"


def test_more_lines_than_a_batch_come_out_in_order(piped: Score, model: Path) -> None:
    asked = "".join(
        f"ham\tzh\tx\t{GUILTY if number % 2 else INNOCENT}\r\n" for number in range(600)
    )

    ran = piped(model, "--evidence", "0", stdin=asked.removesuffix("\r\n"))

    actions = [json.loads(line)["action"] for line in ran.stdout.splitlines()]
    assert actions == ["forward", "reject"] * 300


@pytest.mark.parametrize("faulty", FAULTY)
def test_a_line_that_is_none_is_answered_in_its_place(
    piped: Score, model: Path, faulty: bytes
) -> None:
    ran = piped(model, stdin=PLAIN + faulty + b"\n" + PLAIN)

    before, answer, after = map(json.loads, ran.stdout.splitlines())
    assert before == after
    assert before["action"] == "forward"
    assert answer.keys() == {"line", "error"}
    assert answer["line"] == 2
    assert FAULTY[faulty] in answer["error"]


def test_lines_that_are_none_are_counted_in_the_end(piped: Score, model: Path) -> None:
    faulty = b"\n".join(FAULTY)

    ran = piped(model, "--evidence", "0", stdin=PLAIN * 300 + faulty)

    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [one["line"] for one in answers if "error" in one] == [301, 302, 303]
    assert len(answers) == 303
    assert ran.returncode == 2
    assert "3 of 303 lines not judged, the first is -:301: 1 fields" in ran.stderr
    assert "a line is `label lang source text`" in ran.stderr


def test_a_line_that_is_no_utf8_has_its_place_told(piped: Score, model: Path) -> None:
    ran = piped(model, stdin=PLAIN * 11 + b"ham\tzh\tx\t\xff\n")

    assert "1 of 12 lines not judged, the first is -:12: not UTF-8" in ran.stderr
    assert "Traceback" not in ran.stderr


class Peer(io.BytesIO):
    """Who writes the next line only when the last has been answered."""

    def __init__(self, into: int, lines: int) -> None:
        super().__init__()
        self._into, self._lines, self._written = into, lines, 0
        self.flush()

    def flush(self) -> None:
        if self._written <= self._lines and self.getvalue().count(b"\n") == self._written:
            self._written += 1
            if self._written > self._lines:
                os.close(self._into)
            else:
                os.write(self._into, PLAIN)


def test_who_waits_for_an_answer_before_the_next_line_gets_it(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    peer = Peer(writing, lines=3)

    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(peer))
        code = run_line(("filter", "score", "--model", str(model)))

    assert code == 0
    answers = peer.getvalue().splitlines()
    assert [json.loads(one)["action"] for one in answers] == ["forward"] * 3


@given(st.lists(st.binary(min_size=1, max_size=8)))
def test_however_octets_come_they_are_the_same_lines(pieces: list[bytes]) -> None:
    coming = iter((*pieces, b""))

    lines = [line for batch in batches(lambda: next(coming)) for line in batch]

    assert lines == b"".join(pieces).removesuffix(b"\n").split(b"\n") or not any(pieces)


def test_a_line_without_end_takes_bounded_room() -> None:
    pieces = iter([b"a" * 2**20] * 40 + [b"a\nham", b""])

    (longest,), rest = batches(lambda: next(pieces))

    assert len(longest) < 2**18
    assert rest == [b"ham"]


def test_a_closed_standard_input_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert run_line(["filter", "score", "--model", str(model)]) == 2
    assert "the standard input is closed" in capsys.readouterr().err


def test_what_is_there_comes_some_lines_at_a_time() -> None:
    coming = iter((b"a\n" * 600 + b"b", b"c\n", b""))

    found = batches(lambda: next(coming))

    assert [len(one) for one in found] == [256, 256, 88, 1]


@pytest.mark.parametrize("share", ["0", "1", "-1", "nan"])
def test_a_share_that_cannot_be_tolerated_is_refused(cli: Cli, share: str) -> None:
    ran = cli("filter", "score", f"--tolerate={share}")

    assert ran.returncode == 2
    assert "--tolerate" in ran.stderr


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """Return a model with a threshold for ports alone, which finds every text guilty."""
    weights = np.zeros(BUCKETS + len(SIGNS), dtype=np.float32)
    weights[-1] = 3.0
    linear = LinearModel(weights, Calibration(2.0, 0.0))
    port = ClassModel(linear, (Threshold(0.01, 0.5), Threshold(0.001, 2.0)))
    classes = {TextClass.PORT: port, TextClass.FOREIGN: ClassModel(linear, ())}
    path = tmp_path / "measured.npz"
    path.write_bytes(write_model(Model(classes, None, {})))
    return path


def test_what_a_model_was_not_measured_at_is_said_once_of_each_class(
    piped: Score, measured: Path
) -> None:
    english = "ham\ten\tx\tcall me back\n"

    ran = piped(measured, "--tolerate", "0.0005", stdin=PLAIN * 300 + english.encode() * 2)

    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {(one["action"], one["category"], one["severity"]) for one in answers} == {
        (None, "", "")
    }
    port, foreign = ran.stderr.splitlines()
    assert port == (
        "warning: NOT MEASURED: --tolerate 0.0005 is 0.05 % of innocent texts, and the model knows"
        " no threshold for so few of class port: the least it knows is 0.1 %; the action of those"
        " texts is null"
    )
    assert "of class foreign: it knows none;" in foreign
    assert ran.returncode == 0


def test_of_what_was_measured_nothing_is_said(piped: Score, measured: Path) -> None:
    ran = piped(measured, "--tolerate", "0.001", stdin=PLAIN)

    assert json.loads(ran.stdout)["action"] == "quarantine"
    assert ran.stderr == ""
