"""What rules found in recorded decisions."""

import pytest

from gateway.domain.records import Row
from gateway.domain.verdict import Action, Finding, Reason
from gateway.records.finding_counts import FindingCounter, HitCount, RuleHits
from gateway.records.lines import finding_fields
from tests.records.finding_rows import AT, answered, decided, enforced, found, lines

SINCE, UNTIL = "2013-09-30T08:00", "2013-10-01"


def counted(*rows: Row, system_id: str | None = None, rule: str | None = None) -> FindingCounter:
    counter = FindingCounter(SINCE, UNTIL, system_id, rule)
    counter.add(lines(*rows))
    return counter


def test_found_would_have_stopped_and_stopped_are_told_apart() -> None:
    link, noted, word = found("R61-link"), found("K-NOTE", Action.FORWARD), enforced("K-FRAUD")

    counter = counted(
        decided(1),
        decided(2, link),
        decided(3, link, noted),
        decided(4, link, word),
        decided(5, word),
    )

    assert (counter.decisions, counter.stopped) == (5, 2)
    of = {rule: (one.found, one.would_stop, one.stopped) for rule, one in counter.rules.items()}
    assert of == {"R61-link": (3, 2, 0), "K-NOTE": (1, 0, 0), "K-FRAUD": (2, 0, 2)}


def test_several_words_of_a_list_in_one_message_count_once() -> None:
    counter = counted(decided(1, enforced("K-FRAUD"), enforced("K-FRAUD")))

    assert (counter.rules["K-FRAUD"].found, counter.rules["K-FRAUD"].stopped) == (1, 1)


def test_a_rule_behind_the_one_that_stopped_a_message_found_it_and_stopped_nothing() -> None:
    counter = counted(decided(1, enforced("R21"), enforced("K-FRAUD")))

    assert (counter.rules["K-FRAUD"].found, counter.rules["K-FRAUD"].stopped) == (1, 0)


def test_what_others_in_force_are_against_too_agrees_but_not_for_how_things_stood() -> None:
    link = found("R61-link")

    counter = counted(
        decided(1, link),
        decided(2, link, enforced("K-FRAUD")),
        decided(3, link, enforced("R44", Action.THROTTLE, Reason.RATE)),
        decided(4, link, enforced("K-LOAN", Action.QUARANTINE), gateway_id=8_000),
    )

    hits = counter.rules["R61-link"]
    assert (hits.on_trial, hits.agreed, hits.held) == (4, 2, {8_000})


def judged_again(message_id: int, *findings: Finding, at: float = AT + 1) -> Row:
    """Return what a held message heard when it was to leave: the first finding decided."""
    deciding = findings[0]
    about = {
        "message_id": str(message_id),
        "system_id": "shop",
        "action": deciding.action.value,
        "reason": deciding.reason.value,
        "rule": deciding.rule,
        "findings": [finding_fields(one) for one in findings],
    }
    return ("e", at, "judged_again", about)


def test_what_stops_a_held_message_when_it_was_to_leave_counts_once_for_each_rule() -> None:
    held, refused = enforced("K-LOAN", Action.QUARANTINE), enforced("R21")

    counter = counted(
        decided(1, held, gateway_id=8_000),
        judged_again(8_000, refused, held),
        judged_again(8_000, refused),
        judged_again(9_000, refused),  # held before the time that is meant
    )

    of = {rule: (one.found, one.stopped) for rule, one in counter.rules.items()}
    assert of == {"K-LOAN": (1, 1), "R21": (2, 2)}
    assert [one.message_id for one in counter.rules["R21"].samples] == ["8000", "9000"]
    assert list(counter.rules["R21"].places) == [("shop", "10690001"), ("shop", "")]
    assert counter.decisions == 1


def test_only_the_time_the_sp_and_the_rule_that_are_meant_count() -> None:
    link, word = found("R61-link"), found("K-NOTE")
    rows = (
        decided(1, link, word),
        decided(2, link, system_id="bank"),
        decided(3, link, at=AT - 3600),
        decided(4, link, at=AT + 86_400),
    )

    counter = counted(*rows, system_id="shop", rule="R61-link")

    assert counter.decisions == 1
    assert {rule: one.found for rule, one in counter.rules.items()} == {"R61-link": 1}
    assert counted(*rows).decisions == 2


def test_counts_are_told_by_sp_and_port() -> None:
    link = found("R61-link")

    counter = counted(
        decided(1, link),
        decided(2, link, enforced("K-FRAUD")),
        decided(3, link, source="10690002"),
        decided(4, enforced("R02", reason=Reason.SOURCE_NOT_OWNED), link, source="13900139000"),
        decided(5, link, system_id="bank"),
    )

    hits = counter.rules["R61-link"]
    assert hits.places == {
        ("shop", "10690001"): HitCount(2, 1, 0),
        ("shop", "10690002"): HitCount(1, 1, 0),
        ("shop", ""): HitCount(1, 0, 0),
        ("bank", "10690001"): HitCount(1, 1, 0),
    }
    assert hits.of_senders() == {"shop": HitCount(4, 2, 0), "bank": HitCount(1, 1, 0)}


def test_with_too_many_ports_the_rest_counts_for_its_sp() -> None:
    hits = RuleHits()

    for number in range(10_050):
        hits.place_of(("shop", str(number))).found += 1

    assert len(hits.places) == 10_001
    assert hits.places["shop", "other"].found == 50
    assert hits.of_senders() == {"shop": HitCount(10_050)}


def test_samples_are_few_of_one_sp_and_have_the_id_of_the_smsc_or_of_the_gateway() -> None:
    link = found("R61-link")

    counter = counted(
        *(decided(number, link) for number in range(1, 10)),
        answered(2, "ab12"),
        decided(10, link, enforced("K", Action.QUARANTINE), system_id="bank", gateway_id=8_000),
        answered(1, "0077"),
        answered(1, "0078"),
    )

    samples = counter.rules["R61-link"].samples
    assert [(one.record["system_id"], one.message_id) for one in samples] == [
        ("shop", "0077"),
        ("shop", "ab12"),
        ("bank", "8000"),
    ]


def test_a_line_that_is_no_record_is_an_error_and_a_decision_without_a_time_is_left_out() -> None:
    counter = FindingCounter(SINCE, UNTIL)

    counter.add([b'{"kind":"decision","at":7}'])

    assert counter.decisions == 0
    with pytest.raises(ValueError, match="unexpected"):
        counter.add([b'{"kind":"decision",'])
