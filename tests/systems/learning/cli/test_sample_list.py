import io
import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.stores import Stores
from gateway.systems.learning.cli.samples import _text_from_stdin
from gateway.systems.learning.model import NewSample, SampleLabel, SampleSource
from gateway.terminal.failure import CommandError
from gateway.terminal.options import acting

Cli = Callable[..., CompletedProcess[str]]
InStore = Callable[..., None]

NOON = datetime(2013, 11, 26, 12, tzinfo=UTC)
LOAN = "急用钱找我，身份证就能贷，当天到账，手机一点就有，客服00000000000"
USUAL = NewSample(
    LOAN, "a" * 64, SampleLabel.SPAM, "loan", SampleSource.REVIEW, "port", "shop", NOON, "lin"
)
NOTICE = replace(
    USUAL, text="您的快件已到驿站", digest="b" * 64, label=SampleLabel.HAM, category="", by="wu"
)


@pytest.fixture
def ask(cli: Cli, deployment: Path, in_store: InStore) -> Cli:
    """Return what asks about the samples of a deployment, which has two."""
    in_store(lambda stores: stores.samples.keep([USUAL, NOTICE]))
    config = str(deployment / "config")
    return lambda *words, **piped: cli("filter", "samples", *words, "--config", config, **piped)


def test_samples_are_listed_with_the_beginning_of_their_texts(ask: Cli) -> None:
    ran = ask("list")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "急用钱找我，身份证就能贷，当天到账，手机一点就有…" in ran.stdout
    assert "您的快件已到驿站 " in ran.stdout
    assert "客服" not in ran.stdout


def test_a_list_is_of_what_was_asked_for(ask: Cli) -> None:
    def numbers(*words: str) -> list[int]:
        return [one["number"] for one in json.loads(ask("list", *words, "--json").stdout)]

    assert numbers() == [2, 1]
    assert numbers("--label", "spam") == [1]
    assert numbers("--category", "贷款") == [1]
    assert numbers("--source", "complaint") == []
    assert numbers("--system-id", "shop", "--before", "2") == [1]
    assert numbers("--limit", "1") == [2]


def test_the_next_page_is_named_and_an_empty_list_says_so(ask: Cli) -> None:
    assert "older ones: add --before 2" in ask("list", "--limit", "1").stdout
    assert ask("list", "--source", "audit").stdout == "no samples\n"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("list", "--limit", "0"), "--limit: 1 to 10000"),
        (("list", "--before", "-3"), "-3 is no number of a sample"),
        (("list", "--category", "lure"), "--category: there is none such"),
        (("list", "--system-id", "shopp"), "there is no sender shopp in senders.yaml"),
        (("show", "0"), "0 is no number of a sample"),
        (("show", str(2**63)), "is no number of a sample"),
        (("forget", "1", "0"), "0 is no number of a sample"),
        (("forget", *map(str, range(1, 10_002))), "give 1 to 10000 numbers"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    ask: Cli, words: tuple[str, ...], fault: str
) -> None:
    ran = ask(*words)

    assert ran.returncode == 2
    assert fault in ran.stderr


def test_one_sample_is_shown_whole(ask: Cli) -> None:
    assert LOAN in ask("show", "1").stdout.replace("\n", "")
    told = json.loads(ask("show", "1", "--json").stdout)
    assert (told["text"], told["class"], told["by"]) == (LOAN, "port", "lin")
    assert told["at"] == "2013-11-26T12:00:00+00:00"


def test_a_sample_that_is_not_there_is_said_to_be_so(ask: Cli) -> None:
    ran = ask("show", "9")

    assert ran.returncode == 1
    assert "there is no sample 9" in ran.stderr


def test_samples_are_counted_by_what_they_are(ask: Cli) -> None:
    told = json.loads(ask("count", "--json").stdout)

    assert told == {
        "total": 2,
        "kept": 50_000,
        "counts": [
            {"label": "ham", "category": "", "source": "review", "count": 1},
            {"label": "spam", "category": "loan", "source": "review", "count": 1},
        ],
    }
    shown = ask("count").stdout
    assert "2 of at most 50000 samples" in shown
    assert "loan" in shown


def test_without_samples_there_is_nothing_to_count(ask: Cli) -> None:
    ask("forget", "1", "2")

    assert ask("count").stdout == "0 of at most 50000 samples\n"


def test_forgotten_samples_are_gone_and_stand_in_the_purge_log(
    ask: Cli, cli: Cli, deployment: Path
) -> None:
    ran = ask("forget", "2", "2", "9", "--by", "wu")

    assert ran.returncode == 1
    assert ran.stdout == "forgotten: 1 sample\nnot on record: 9\n"
    log = cli("records", "purges", "--json", "--config", str(deployment / "config"))
    (line,) = json.loads(log.stdout)
    assert (line["what"], line["count"], line["by"]) == ("samples", 1, acting("wu"))
    assert json.loads(ask("forget", "1", "--json").stdout) == {"forgotten": [1], "unknown": []}
    assert json.loads(ask("forget", "1", "--json").stdout) == {"forgotten": [], "unknown": [1]}


COMPLAINT = ("add", "--label", "spam", "--source", "complaint")


def test_what_a_subscriber_complained_of_becomes_a_sample_without_numbers(ask: Cli) -> None:
    ran = ask(
        *COMPLAINT,
        *("--category", "诈骗", "--system-id", "shop", "--by", "wu"),
        stdin="您的包裹被扣，请速拨4006001234处理\n",
    )

    assert (ran.returncode, ran.stdout) == (0, "kept as sample 3: spam, without numbers\n")
    told = json.loads(ask("show", "3", "--json").stdout)
    assert told["text"] == "您的包裹被扣，请速拨0000000000处理"
    assert (told["category"], told["source"], told["class"]) == ("fraud", "complaint", "port")


def test_what_a_person_wrote_teaches_the_model_of_people(ask: Cli) -> None:
    ran = ask(
        *("add", "--label", "ham", "--source", "audit", "--person", "--json"), stdin="晚上吃饭吗"
    )

    assert json.loads(ran.stdout)["class"] == "person"


@pytest.mark.parametrize(
    ("words", "text", "fault"),
    [
        (COMPLAINT, "", "there are no words in it to learn from"),
        (COMPLAINT, "13800138000", "there are no words in it to learn from"),
        (COMPLAINT, "好" * 70_001, "longer than 70000 characters"),
        ((*COMPLAINT, "--category", "lure"), "急用钱找我", "--category: there is none such"),
        ((*COMPLAINT, "--system-id", "s" * 17), "急用钱找我", "--system-id: not longer than 16"),
        (
            ("add", "--label", "ham", "--source", "audit", "--category", "loan"),
            "急用钱找我",
            "--category goes with --label spam",
        ),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(
    ask: Cli, words: tuple[str, ...], text: str, fault: str
) -> None:
    ran = ask(*words, stdin=text)

    assert ran.returncode == 2
    assert fault in ran.stderr
    assert "13800138000" not in ran.stderr


def test_a_text_that_is_no_utf_8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO("急用钱找我".encode("gb18030")), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", stdin)

    with pytest.raises(CommandError, match="no UTF-8"):
        _text_from_stdin()


def test_nothing_is_added_where_the_deployment_learns_nothing(ask: Cli, deployment: Path) -> None:
    with (deployment / "config/gateway.yaml").open("a") as file:
        file.write("learning: {samples: false}\n")

    ran = ask(*COMPLAINT, stdin="急用钱找我")

    assert ran.returncode == 2
    assert "learning.samples is false" in ran.stderr


def test_a_later_verdict_is_not_undone_by_a_clock_that_is_behind(
    ask: Cli, in_store: InStore
) -> None:
    text = "急用钱找我"
    ask(*COMPLAINT, stdin=text)

    async def put_off(stores: Stores) -> None:
        (newest, *_) = await stores.samples.find(limit=1)
        given = {one.name: getattr(newest, one.name) for one in fields(NewSample)}
        later = NewSample(**given | {"at": newest.at + timedelta(days=1)})
        await stores.samples.keep([later])

    in_store(put_off)

    ran = ask(*COMPLAINT, stdin=text)

    assert ran.returncode == 1
    assert "a later verdict on the same text is on record" in ran.stderr
