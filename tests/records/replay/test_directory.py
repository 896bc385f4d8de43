"""A directory of records is replayed in its order, as far back as rules look."""

import os
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.consent import Answer
from gateway.domain.policy import Clock, CountDimension, Limit, RollingWindow
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.too_often import TooOften
from gateway.policy.knowledge import Knowledge
from gateway.records.record_replay import DecisionQuery, RecordReplay, Replayer
from gateway.records.replay_judge import Judge
from gateway.records.replay_reader import BlockReader, HourUnreadableError, UnchangedReason
from gateway.records.upkeep import seal_closed
from gateway.runtime.sealing import Keys, Sealer
from tests.records.replay.conftest import (
    AT,
    BUNDLE,
    CLEAN,
    NOTED,
    SPAM,
    Traffic,
    advert,
    renamed,
    rule,
)

HOUR_S = 3600
KEYS = Keys({"k1": bytes(64)}, "k1")
SEALER = Sealer(KEYS.by_id, KEYS.current)
NO_WORDS = renamed(replace(BUNDLE, keyword_lists=()))
TWICE = Limit((CountDimension.DESTINATION,), 2, Clock.DAY)


def an_hour_each(traffic: Traffic, *texts: str) -> None:
    for number, text in enumerate(texts):
        traffic.send(advert(text, to=f"1380013800{number}"), after_s=HOUR_S if number else 0)


def test_hours_are_replayed_in_their_order_and_changes_are_found_again(traffic: Traffic) -> None:
    an_hour_each(traffic, CLEAN, SPAM, NOTED)

    tally = traffic.replayed(NO_WORDS)

    samples = [sample for found in tally.by_rule.values() for sample in found.samples]
    assert [(one.file, one.line, one.at) for one in samples] == [
        ("cdr-20231114-23.jsonl", 2, "2023-11-14T23:13:20.000Z"),
        ("cdr-20231115-00.jsonl", 2, "2023-11-15T00:13:20.000Z"),
    ]
    lines = (traffic.directory / samples[0].file).read_bytes().splitlines()
    assert b"13800138001" in lines[samples[0].line - 1]


def test_samples_name_nobody_and_are_few(traffic: Traffic) -> None:
    traffic.send(*(advert(SPAM, to=f"1380013800{number}") for number in range(9)))

    tally = traffic.replayed(NO_WORDS)

    (found,) = tally.by_rule.values()
    assert found.count == 9
    assert [one.destination for one in found.samples] == [
        "138****8000",
        "138****8001",
        "138****8002",
    ]
    assert {one.system_id for one in found.samples} == {"sp1"}


def test_sealed_hours_come_out_as_open_ones(traffic: Traffic) -> None:
    an_hour_each(traffic, CLEAN, SPAM, NOTED)
    before = traffic.replayed(NO_WORDS)
    sealing = seal_closed(traffic.archive, SEALER, int(AT // HOUR_S) + 9, lambda _octets: None)

    after = traffic.replayed(NO_WORDS, keys=KEYS)
    blind = traffic.replayed(NO_WORDS)

    assert sealing.files == 3
    assert (
        after.by_action == before.by_action == {("reject", "forward"): 1, ("shadow", "forward"): 1}
    )
    assert (blind.changed, blind.kept) == (0, {UnchangedReason.KEY_MISSING: 3})


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        (DecisionQuery(), 4),
        (DecisionQuery(since=AT + HOUR_S), 3),
        (DecisionQuery(since=AT + HOUR_S + 1), 2),
        (DecisionQuery(until=AT + HOUR_S), 1),
        (DecisionQuery(since=AT + HOUR_S, until=AT + 3 * HOUR_S), 2),
        (DecisionQuery(since=AT + 9 * HOUR_S), 0),
        (DecisionQuery(system_id="sp1"), 4),
        (DecisionQuery(system_id="sp2"), 0),
    ],
)
def test_only_what_is_wanted_is_told_of(
    traffic: Traffic, wanted: DecisionQuery, changed: int
) -> None:
    an_hour_each(traffic, SPAM, SPAM, SPAM, SPAM)
    traffic.send(advert(CLEAN), system_id="sp2")

    assert traffic.replayed(NO_WORDS, wanted=wanted).changed == changed


def test_what_came_before_is_counted_though_it_is_not_told_of(traffic: Traffic) -> None:
    for _ in range(4):
        traffic.send(advert(), after_s=60)
    bundle = renamed(BUNDLE, rule("R42", TooOften((TWICE,))))

    tally = traffic.replayed(bundle, wanted=DecisionQuery(since=traffic.at - 60))

    assert (tally.decisions, tally.changed) == (2, 2)


def test_what_came_before_any_rule_looks_back_is_not_read(traffic: Traffic) -> None:
    an_hour_each(traffic, CLEAN, CLEAN, CLEAN, CLEAN)
    limit = replace(TWICE, every=RollingWindow(HOUR_S))
    judge = Judge(renamed(BUNDLE, rule("R42", TooOften((limit,)))), (), Knowledge())
    read = BlockReader(traffic.archive, None).read

    replay = RecordReplay(traffic.archive, DecisionQuery(since=traffic.at))
    octets: list[int] = []
    tally = replay.run(Replayer(judge), read, octets.append)

    files = sorted(traffic.directory.iterdir())[-2:]
    assert tally.lines == 4
    assert sum(octets) == replay.size_octets(Replayer(judge))
    assert sum(octets) == sum(file.stat().st_size for file in files)


def test_a_text_is_not_taken_for_that_of_another_hour(traffic: Traffic) -> None:
    traffic.send(advert(SPAM))
    named = next(traffic.directory.iterdir()).read_bytes().splitlines()[-1]
    traffic.at += HOUR_S
    traffic.write(named)

    tally = traffic.replayed(NO_WORDS)

    assert (tally.changed, tally.kept) == (1, {UnchangedReason.TEXT_NOT_KEPT: 1})


def test_what_others_send_counts_where_one_sp_is_told_of(traffic: Traffic) -> None:
    traffic.send(advert(), advert(), system_id="sp2")
    traffic.send(advert())
    bundle = renamed(BUNDLE, rule("R42", TooOften((TWICE,))))

    tally = traffic.replayed(bundle, wanted=DecisionQuery(system_id="sp1"))

    assert (tally.decisions, tally.changed) == (1, 1)


def test_what_others_send_names_no_kind_of_change_where_one_sp_is_told_of(
    traffic: Traffic,
) -> None:
    traffic.send(advert(SPAM), system_id="sp2")
    line = next(traffic.directory.iterdir()).read_bytes().splitlines()[-1]
    traffic.write(line.replace(b'"sp2"', b'"gone"'))
    traffic.send(advert())
    bundle = renamed(replace(NO_WORDS, rules=(rule("R42", TooOften((TWICE,))),)))

    tally = traffic.replayed(bundle, wanted=DecisionQuery(system_id="sp1"))

    assert (tally.decisions, tally.changed) == (1, 0)
    assert (tally.by_rule, tally.by_action, tally.by_sender, tally.kept) == ({}, {}, {}, {})


def test_lines_that_cannot_be_read_are_counted_where_they_are_wanted(traffic: Traffic) -> None:
    traffic.send(advert())
    traffic.write(b"{}")
    traffic.write(b'{"kind":"released"}')

    assert traffic.replayed(NO_WORDS).kept == {UnchangedReason.MALFORMED: 1}
    tally = traffic.replayed(
        renamed(BUNDLE, rule("R42", TooOften((TWICE,)))),
        wanted=DecisionQuery(since=AT + 2 * HOUR_S),
    )
    assert (tally.decisions, tally.kept) == (0, {})


def test_senders_are_counted_each(traffic: Traffic) -> None:
    traffic.send(advert(SPAM), advert(NOTED), advert())
    traffic.send(advert(), system_id="sp2")
    traffic.knowledge.consent.apply(8613800138000, "sp2", Answer.REFUSED)

    tally = traffic.replayed(replace(NO_WORDS, rules=(rule("R21", OptOut()),)))

    found = {name: (one.changed, one.stopped, one.passed) for name, one in tally.by_sender.items()}
    assert found == {"sp1": (2, 0, 1), "sp2": (1, 1, 0)}


def test_kinds_of_changes_are_bounded_whatever_records_name(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.records.record_replay._MAX_KINDS", 2)
    traffic.send(advert())
    line = next(traffic.directory.iterdir()).read_bytes().splitlines()[-1]
    for number in range(4):
        said = b'"action":"reject","reason":"CONTENT","rule":"X%d"' % number
        traffic.write(line.replace(b'"action":"forward","reason":"","rule":""', said))

    tally = traffic.replayed(NO_WORDS)

    assert (tally.changed, len(tally.by_rule)) == (4, 3)
    assert tally.by_rule[None].count == 2


@pytest.mark.parametrize("name", ["cdr-20231114-22.jsonl.gz", "cdr-20231114-22.0.jsonl"])
def test_an_hour_that_is_no_records_is_said(traffic: Traffic, name: str) -> None:
    traffic.send(advert())
    path = traffic.directory / name
    path.write_bytes(b"x" * (5 << 20))

    with pytest.raises(HourUnreadableError) as caught:
        traffic.replayed(NO_WORDS)

    assert caught.value.hour == AT // HOUR_S
    assert isinstance(caught.value.__cause__, OSError | ValueError | zlib.error)


def test_a_file_that_may_not_be_read_is_said_in_words(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic.send(advert())

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(HourUnreadableError, match=r"^Permission denied$"):
        traffic.replayed(NO_WORDS)
    assert (
        RecordReplay(traffic.archive, DecisionQuery(until=0)).size_octets(
            Replayer(Judge(NO_WORDS, (), Knowledge()))
        )
        == 0
    )


def test_a_pipe_and_a_link_to_itself_are_said_and_not_waited_for(traffic: Traffic) -> None:
    traffic.send(advert())
    size = RecordReplay(traffic.archive, DecisionQuery()).size_octets(
        Replayer(Judge(NO_WORDS, (), Knowledge()))
    )
    odd = traffic.directory / "cdr-20231114-22.0.jsonl"
    for make, why in ((os.mkfifo, "is a pipe"), (lambda path: path.symlink_to(path), "symbolic")):
        make(odd)

        replay = RecordReplay(traffic.archive, DecisionQuery())
        with pytest.raises(HourUnreadableError, match=why):
            traffic.replayed(NO_WORDS)
        assert replay.size_octets(Replayer(Judge(NO_WORDS, (), Knowledge()))) == size
        odd.unlink()
