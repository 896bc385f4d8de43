"""What proves an agreement, and what does not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.consent import end_of
from gateway.systems.consent.service import ConsentProof

NOW = datetime(2025, 11, 25, 12, tzinfo=UTC)
WHOLE = ConsentProof(
    who="zhang3",
    when=NOW - timedelta(days=1),
    channel="web",
    text_sha256="0" * 64,
    scope="促销信息",
    valid_until=date(2026, 11, 24),
    message_ids=("817", "818"),
)


def test_r26_whole_evidence_has_no_gaps() -> None:
    assert WHOLE.gaps(NOW) == ()
    assert replace(WHOLE, message_ids=(), document_sha256="0" * 64).gaps(NOW) == ()


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({"who": ""}, "who is missing"),
        ({"when": None}, "when is missing"),
        ({"channel": ""}, "channel is missing"),
        ({"text_sha256": ""}, "text is missing"),
        ({"scope": ""}, "scope is missing"),
        ({"valid_until": None}, "valid_until is missing"),
        ({"message_ids": ()}, "message_ids or document_sha256 is missing"),
        ({"when": NOW + timedelta(microseconds=1)}, "when lies in the future"),
        ({"when": datetime(1989, 12, 31, tzinfo=UTC)}, "when lies before 1990"),
        ({"valid_until": NOW.date() - timedelta(days=1)}, "valid_until is past"),
    ],
)
def test_r26_evidence_that_lacks_anything_proves_nothing(
    changes: dict[str, object], gap: str
) -> None:
    assert replace(WHOLE, **changes).gaps(NOW) == (gap,)  # type: ignore[arg-type]


def test_evidence_of_this_moment_and_until_today_is_whole() -> None:
    assert replace(WHOLE, when=NOW, valid_until=NOW.date()).gaps(NOW) == ()


def test_nothing_at_all_lacks_everything() -> None:
    assert len(ConsentProof().gaps(NOW)) == 7
    assert ConsentProof().in_words() == ""


def test_the_record_names_what_is_known() -> None:
    assert WHOLE.in_words() == (
        "who zhang3; when 2025-11-24T12:00:00+00:00; channel web; text sha256:"
        f"{'0' * 64}; scope 促销信息; until 2026-11-24; messages 817 818"
    )
    assert ConsentProof(document_sha256="1" * 64).in_words() == f"document sha256:{'1' * 64}"


def test_an_agreement_ends_with_its_last_day() -> None:
    assert replace(WHOLE, valid_until=date(2026, 11, 24)).until == end_of(date(2026, 11, 24))
    assert replace(WHOLE, valid_until=None).until is None


@given(st.datetimes(timezones=st.timezones()), st.dates())
def test_no_time_is_too_strange_to_be_judged(when: datetime, until: date) -> None:
    proof = replace(WHOLE, when=when, valid_until=until)

    assert set(proof.gaps(NOW)) <= {
        "when lies in the future",
        "when lies before 1990",
        "valid_until is past",
    }
    assert proof.in_words()
