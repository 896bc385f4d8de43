from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.records import DecisionRow
from gateway.records.lines import RecordLines
from tests.recorded_texts import decisions_with_texts

Decision = Callable[..., DecisionRow]
Record = dict[str, object]

said = st.tuples(st.integers(0, 255), st.binary(max_size=9))


@given(st.lists(said, max_size=9))
def test_r70_each_decision_is_found_with_what_was_said(
    decision: Decision, texts: list[tuple[int, bytes]]
) -> None:
    rows = [decision(sequence_number=number, text=text) for number, text in enumerate(texts)]
    lines = b"".join(written for _, _, written in RecordLines().by_hour(rows))

    found = list(decisions_with_texts(map(orjson.loads, lines.splitlines())))

    assert [record["sequence_number"] for record, _ in found] == list(range(len(texts)))
    assert [text for _, text in found] == [text if text[1] else None for text in texts]


def test_after_a_restart_the_same_id_means_the_later_text() -> None:
    decision: Record = {"kind": "decision", "text": "t0-1"}
    texts: list[Record] = [
        {"kind": "text", "id": "t0-1", "data_coding": 0, "octets": octets}
        for octets in ("VEQ=", "VA==")
    ]

    found = decisions_with_texts([texts[0], decision, texts[1], decision])

    assert [text for _, text in found] == [(0, b"TD"), (0, b"T")]


@pytest.mark.parametrize(
    "text",
    [
        {"id": "t1", "data_coding": 8},
        {"id": "t1", "data_coding": "8", "octets": "VEQ="},
        {"id": "t1", "data_coding": 8, "octets": "no base64"},
        {"id": "t2", "data_coding": 8, "octets": "VEQ="},
    ],
)
def test_a_text_that_is_not_there_or_cannot_be_read_is_none(text: Record) -> None:
    decision: Record = {"kind": "decision", "text": "t1"}

    assert list(decisions_with_texts([text | {"kind": "text"}, decision])) == [(decision, None)]


def test_other_records_are_passed_over() -> None:
    assert list(decisions_with_texts([{"kind": "outcome"}, {}, {"kind": "bound"}])) == []
