"""What reviewers and reports leave to learn from, whatever becomes of it afterwards."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.authority_report import NewAuthorityReport
from gateway.domain.quarantine import HeldMessage
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.learning.model import KeptSample, NewSample, SampleLabel, SampleSource
from gateway.systems.learning.sql import SampleStore
from gateway.terminal.options import acting
from simulators.builders import submit_sm

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
Hold = Callable[..., HeldMessage]
InStore = Callable[..., None]
Samples = Callable[[], list[KeptSample]]

FIRST = 8_1764072000000_01_000
LONG_AGO = datetime(2013, 9, 30, 12, tzinfo=UTC)
SPAM, HAM = SampleLabel.SPAM, SampleLabel.HAM


@pytest.fixture
def ask(cli: Cli, deployment: Path) -> Command:
    return lambda *words: cli(*words, "--config", str(deployment / "config"))


@pytest.fixture
def samples(in_store: InStore) -> Samples:
    """Return what reads all samples, the newest first."""

    def samples() -> list[KeptSample]:
        found: list[KeptSample] = []

        async def read(stores: Stores) -> None:
            found.extend(await stores.samples.find())

        in_store(read)
        return found

    return samples


def test_a_message_that_is_discarded_is_learnt_as_spam_of_its_category(
    ask: Command, hold: Hold, samples: Samples
) -> None:
    hold("黑户贷款，当天放款，电13800138000")

    ran = ask("quarantine", "discard", str(FIRST), "--by", "lin")

    assert ran.returncode == 0
    (sample,) = samples()
    assert sample.text == "黑户贷款，当天放款，电00000000000"
    assert (sample.label, sample.category, sample.source) == (SPAM, "loan", SampleSource.REVIEW)
    assert (sample.system_id, sample.text_class, sample.by) == ("shop", "port", acting("lin"))


def test_a_message_that_is_released_is_learnt_as_innocent_even_if_it_waits(
    ask: Command, hold: Hold, samples: Samples
) -> None:
    hold("您申请的贷款已结清，感谢您的信任")

    ask("quarantine", "release", str(FIRST), "--wait", "0")

    (sample,) = samples()
    assert (sample.label, sample.category) == (HAM, "")


@pytest.mark.parametrize("reason", ["SUSPICIOUS", "BAD_LINK", "IMPOSTOR", "CONTACT_GIVEN"])
def test_what_any_rule_about_words_held_is_learnt_from(
    ask: Command, hold: Hold, samples: Samples, reason: str
) -> None:
    hold("恭喜您被抽中，请速来领奖", reason=reason, category="fraud_prize")

    ask("quarantine", "discard", str(FIRST))

    assert [(one.label, one.category) for one in samples()] == [(SPAM, "fraud_prize")]


def test_of_many_messages_of_one_text_there_is_one_sample(
    ask: Command, hold: Hold, samples: Samples
) -> None:
    for number in range(3):
        hold(f"黑户贷款，客服1380013800{number}", message_id=FIRST + number)

    ask("quarantine", "discard", *(str(FIRST + number) for number in range(3)))

    assert [one.text for one in samples()] == ["黑户贷款，客服00000000000"]


def test_the_last_word_on_a_text_stands(ask: Command, hold: Hold, samples: Samples) -> None:
    hold(message_id=FIRST)
    hold(message_id=FIRST + 1)

    ask("quarantine", "discard", str(FIRST))
    ask("quarantine", "release", str(FIRST + 1), "--wait", "0")

    assert [one.label for one in samples()] == [HAM]


def test_the_parts_of_a_long_message_are_one_text(
    ask: Command, hold: Hold, samples: Samples
) -> None:
    said = ("无抵押贷款额度高，", "当天放款手续简便")
    for number, text in enumerate(said, 1):
        header = bytes((5, 0, 3, 7, 2, number))
        octets = header + text.encode("utf-16-be")
        pdu = submit_sm("10690001", "13800138000", octets, esm_class=0x40, data_coding=8)
        hold(message_id=FIRST + number, pdu=pdu, assembly=FIRST + 1, part=number)

    ask("quarantine", "discard", str(FIRST + 2))

    assert [one.text for one in samples()] == ["".join(said)]


def test_of_parts_that_cannot_be_joined_the_text_that_was_read_is_learnt(
    ask: Command, hold: Hold, samples: Samples
) -> None:
    for number in (1, 2):
        hold(message_id=FIRST + number, joined="当天放款手续简便", assembly=FIRST + 1, part=number)

    ask("quarantine", "discard", str(FIRST + 1))

    assert [one.text for one in samples()] == ["当天放款手续简便"]


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "CONSENT_NONE"},
        {"reason": "OUTSIDE_WINDOW"},
        {"reason": "CAMPAIGN"},
        {"source": "+8613911112222"},
        {"source": "+85291234567"},
        {"source": "0085291234567"},
        {"source": "14155552671"},
        {"source": "95912345678"},
        {"source": "02088886666"},
        {"source": "88886666"},
        {"source": ""},
    ],
    ids=[
        "held for consent",
        "held for its hour",
        "held for its many addressees",
        "from a person",
        "from abroad",
        "from abroad with noughts",
        "from America",
        "from Burma",
        "from a fixed line",
        "from a fixed line nearby",
        "from nobody",
    ],
)
def test_what_its_words_did_not_hold_and_what_people_write_is_not_learnt(
    ask: Command, hold: Hold, samples: Samples, changes: dict[str, str]
) -> None:
    hold(**changes)

    assert ask("quarantine", "discard", str(FIRST)).returncode == 0

    assert samples() == []


@pytest.mark.parametrize("reason", ["SUSPICIOUS", "BAD_LINK", "IMPOSTOR", "CONTACT_GIVEN"])
def test_whatever_its_words_were_found_like_a_verdict_on_them_is_learnt(
    ask: Command, hold: Hold, samples: Samples, reason: str
) -> None:
    hold(reason=reason)

    ask("quarantine", "discard", str(FIRST))

    assert [one.label for one in samples()] == [SPAM]


@pytest.mark.parametrize("source", ["106900011234", "95588", "96110", "12306", "10086"])
def test_what_ports_and_short_codes_sent_is_learnt(
    ask: Command, hold: Hold, samples: Samples, source: str
) -> None:
    hold(source=source)

    ask("quarantine", "discard", str(FIRST))

    assert [one.label for one in samples()] == [SPAM]


def test_what_was_not_done_is_no_verdict(ask: Command, hold: Hold, samples: Samples) -> None:
    hold()
    ask("quarantine", "discard", str(FIRST))

    ask("quarantine", "release", str(FIRST), "--wait", "0")

    assert [one.label for one in samples()] == [SPAM]


def test_nothing_is_kept_where_the_deployment_learns_nothing(
    ask: Command, hold: Hold, samples: Samples, deployment: Path
) -> None:
    hold()
    with (deployment / "config/gateway.yaml").open("a") as file:
        file.write("learning: {samples: false}\n")

    assert ask("quarantine", "discard", str(FIRST)).returncode == 0

    assert samples() == []


def test_a_store_that_keeps_no_sample_undoes_no_decision(
    ask: Command, hold: Hold, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_store: SampleStore, _samples: list[NewSample]) -> list[int | None]:
        raise StoreUnavailable("no room")

    hold()
    monkeypatch.setattr(SampleStore, "keep", full)

    ran = ask("quarantine", "discard", str(FIRST))

    assert ran.returncode == 0
    assert "discarded" in ran.stdout
    assert "the decision stands, but not every text was kept to learn from: no room" in ran.stderr
    assert samples() == []


REPORTED = NewAuthorityReport(
    message_id=FIRST,
    system_id="shop",
    source="10690001",
    msisdn=8613800138000,
    recipients=1,
    action="reject",
    rule="K-FRAUD",
    category="forged_documents",
    keyword="发票",
    digest="digest",
    text="长期代开各地发票，税点低，详询13800138000",
    text_sha256="5c" * 32,
    stopped_at=LONG_AGO,
)


def test_r60_what_the_authority_was_told_of_is_learnt_as_spam(
    ask: Command, in_store: InStore, samples: Samples
) -> None:
    of_a_person = replace(REPORTED, message_id=FIRST + 1, source="13911112222")
    pending = replace(REPORTED, message_id=FIRST + 2, text="彩票计划内部消息稳赚不赔")
    in_store(lambda stores: stores.authority_reports.add([REPORTED, of_a_person, pending]))

    ran = ask("reports", "sent", "1", "2", "99", "--reference", "2013-7", "--by", "wu")

    assert ran.returncode == 1
    (sample,) = samples()
    assert sample.text == "长期代开各地发票，税点低，详询00000000000"
    assert (sample.label, sample.category) == (SPAM, "forged_documents")
    assert (sample.source, sample.by) == (SampleSource.REPORT, acting("wu"))
