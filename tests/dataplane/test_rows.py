"""The records of decisions and outcomes."""

from dataclasses import replace

import orjson

from gateway.dataplane.link import Link
from gateway.dataplane.plane import decision, found, nothing_found, outcome, own_answer
from gateway.domain.records import Why
from gateway.domain.verdict import Action, Finding, Reason
from gateway.records.lines import RecordLines
from gateway.session.operations import Side
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import make

FINDING = Finding("K", Reason.CONTENT, Action.REJECT, "word")


def link(number: int = 3, side: Side = Side.SMSC) -> Link:
    made = Link(number, side, 10, 0.0)
    made.system_id = "sp1"
    return made


def test_a_finding_gives_what_a_record_says_of_it() -> None:
    loan = replace(FINDING, category="finance_loan", campaign="c0123456789abcdef")

    assert found("0123456789ab", "reject", loan, "ESME_RSUBMITFAIL") == Why(
        action="reject",
        reason="CONTENT",
        rule="K",
        status="ESME_RSUBMITFAIL",
        digest="0123456789ab",
        category="finance_loan",
        campaign="c0123456789abcdef",
        findings=(loan,),
    )
    passed = nothing_found("0123456789ab")
    assert passed == found("0123456789ab", "forward", None)
    assert passed == Why("forward", "", "", "", "0123456789ab", "", "")
    assert passed is nothing_found("0123456789ab")


def test_a_decision_is_written_as_a_line() -> None:
    why = found("0123456789ab", "reject", FINDING, "ESME_RSUBMITFAIL")

    row = decision(5.0, link(), (4, 7), (b"10690001", b"13800138000"), why, (42, None))

    line = orjson.loads(RecordLines().line(row))
    assert line["kind"] == "decision"
    assert (line["session"], line["command_id"], line["sequence_number"]) == (3, 4, 7)
    assert (line["reason"], line["gateway_id"]) == ("CONTENT", 42)


def test_an_outcome_tells_how_long_the_answer_took() -> None:
    entry = (link(8), 7, int(CommandId.SUBMIT_SM), 10.0, None)

    row = outcome(link(), entry, (0, b"ab12"), (10.25, 5.0), "answered")

    assert row == ("o", 5.0, (8, "sp1", 4), 7, 0, b"ab12", 250_000, "answered")
    assert orjson.loads(RecordLines().line(row))["how"] == "answered"


def test_an_outcome_of_the_gateways_own_outbound_message_names_no_session() -> None:
    entry = (None, 0, int(CommandId.SUBMIT_SM), 10.0, "errand")

    assert outcome(link(), entry, (8, b""), (10.0, 5.0), "timeout")[2][0] == 0


def test_an_outcome_of_what_the_gateway_delivers_itself_names_the_sps_session() -> None:
    entry = (None, 9, int(CommandId.DELIVER_SM), 10.0, "errand")

    row = outcome(link(side=Side.ESME), entry, (0, b""), (10.0, 5.0), "answered")

    assert row[2:4] == ((3, "sp1", CommandId.DELIVER_SM), 9)


def test_what_the_gateway_answers_by_itself_took_no_time() -> None:
    row = own_answer(link(), make(CommandId.DELIVER_SM, 7), 0, 5.0, "kept_back")

    assert row == ("o", 5.0, (3, "sp1", 5), 7, 0, b"", 0, "kept_back")
