"""A new check is one file: all that people and programs see of it follows from that file."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from gateway.console.held_evidence import evidence_places
from gateway.domain.detector import Measure
from gateway.domain.quarantine import HeldMessage
from gateway.records.finding_counts import FindingCounter
from gateway.records.measure_counts import MeasureCounter
from gateway.systems.quarantine.exceptions import may_be_excepted

CHECK = '''\
"""How many links a text has."""

from dataclasses import dataclass

from gateway.domain.detector import Measure
from gateway.domain.verdict import Basis, ReasonCode, TextMark, Waiver
from gateway.policy.check import CheckQuestion, Evidence, TextCheck
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_MANY = Evidence("more links than a text may have", zh="链接过多")


@dataclass(frozen=True, slots=True)
class TooManyLinks(TextCheck):
    """The text has more than `most` links."""

    reason = ReasonCode(
        "TOO_MANY_LINKS",
        Basis.CONTENT,
        "ESME_RINVMSGLEN",
        cmpp="0x449",
        waiver=Waiver.MESSAGE,
        mark=TextMark.LINKS,
        measure=Measure.EVASIVE,
    )
    order = 155
    help = {"most": "How many links a text may have."}

    most: int = 3

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        def ask(submission: Submission, _at: float) -> Evidence | None:
            facts = submission.facts
            return _MANY if facts is not None and len(facts.links()) > self.most else None

        return CheckQuestion(ask)
'''
RULE = """\
version: 1
rules:
  - id: R61-links
    check: too_many_links
    title: {zh: 链接过多, en: Too many links}
    article: test
    mode: enforce
    most: 1
"""
SENDERS = """\
version: 1
allow_plain_passwords: true
senders:
  - {system_id: shop, password: "plain:secret", status_map: cmpp, accept: [TOO_MANY_LINKS],
     ports: [{number: "10690001", purpose: marketing}]}
"""
TEXT = "看 http://a.example.com/1 和 http://b.example.com/2 拒收请回复R"
# What its process does: with the check in a folder of its own, and no other change.
DRIVER = """\
import contextlib, io, json, sys
import gateway.policy.checks

folder, config, policies, text = sys.argv[1:]
gateway.policy.checks.__path__.append(folder)

import orjson
from gateway.cli.application import run_line
from gateway.console.held_evidence import evidence_places
from gateway.domain.verdict import Basis
from gateway.policy.checks import reasons_on
from gateway.records.finding_counts import FindingCounter
from gateway.records.measure_counts import MeasureCounter
from gateway.systems.quarantine.tables import never_excepted


def said(*line):
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        code = run_line(line)
    return [code, written.getvalue()]


where = ("--config", config, "--policies", policies)
found = {"rule": "R61-links", "mode": "shadow", "reason": "TOO_MANY_LINKS", "action": "reject"}
line = orjson.dumps({
    "kind": "decision", "at": "2013-11-04T09:07:12.345Z", "session": 1, "system_id": "shop",
    "sequence_number": 7, "command_id": 4, "source": "10690001", "action": "forward",
    "findings": [found], "gateway_id": 0, "class": "commercial"})
measures, hits = MeasureCounter(lambda _id, source: source, None), FindingCounter("", "9")
measures.add([line])
hits.add([line])
json.dump({
    "check": said("check", *where),
    "schema": said("policy", "schema"),
    "rules": said("policy", "rules", policies, "--markdown"),
    "explain": said("explain", "submit", "--text", text, "--from", "10690001", "--to",
                    "13800138000", "--system-id", "shop", "--json", *where),
    "places": evidence_places(text, "TOO_MANY_LINKS", ""),
    "content": "TOO_MANY_LINKS" in reasons_on(Basis.CONTENT),
    "law": "TOO_MANY_LINKS" in never_excepted(),
    "measures": [dict(one) for one in measures.take().values()],
    "hits": hits.rules["R61-links"].found,
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a process sees of a check that stands in a file of its own."""
    root = tmp_path_factory.mktemp("new_check")
    files = {
        "checks/too_many_links.py": CHECK,
        "config/gateway.yaml": (
            "version: 1\n"
            'listeners: [{name: plain, address: "127.0.0.1:2775"}]\n'
            'smscs: [{name: main, address: "127.0.0.1:2776"}]\n'
            f'store: {{url: "sqlite:///{root}/var/smsward.db"}}\n'
            f'records: {{directory: "{root}/var/cdr"}}\n'
        ),
        "config/senders.yaml": SENDERS,
        "policies/bundle.yaml": "version: 1\nname: test\n",
        "policies/rules/content.yaml": RULE,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    folders = [str(root / name) for name in ("checks", "config", "policies")]
    child = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", DRIVER, *folders, TEXT],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    found: dict[str, Any] = json.loads(child.stdout)
    return found


def test_bundle_and_senders_may_name_it(seen: dict[str, Any]) -> None:
    code, said = seen["check"]

    assert (code, "error" in said) == (0, False), said


def test_the_schema_has_its_keys(seen: dict[str, Any]) -> None:
    shapes = json.loads(seen["schema"][1])["$defs"]

    assert shapes["TooManyLinksRule"]["properties"]["most"] == {
        "default": 3,
        "description": "How many links a text may have.",
        "title": "Most",
        "type": "integer",
    }


def test_the_list_of_rules_has_its_reason_and_its_status(seen: dict[str, Any]) -> None:
    *_, row = seen["rules"][1].strip().split("\n")

    assert "| too_many_links<br>most: 1 |" in row
    assert "| TOO_MANY_LINKS | ESME_RINVMSGLEN |" in row


def test_an_sp_hears_its_status_of_the_map(seen: dict[str, Any]) -> None:
    told = json.loads(seen["explain"][1])

    assert (told["reason"], told["status"]) == ("TOO_MANY_LINKS", "0x449")
    assert told["findings"][0]["evidence"] == "more links than a text may have"


def test_a_reviewer_sees_what_it_is_about(seen: dict[str, Any]) -> None:
    assert [TEXT[start:end] for start, end in seen["places"]] == [
        "http://a.example.com/1",
        "http://b.example.com/2",
    ]


def test_records_and_decisions_know_it(seen: dict[str, Any]) -> None:
    assert (seen["content"], seen["law"], seen["hits"]) == (True, True, 1)
    assert seen["measures"] == [{"messages": 1, "commercial": 1, "forwarded": 1, "evasive": 1}]


def test_a_reason_of_a_check_that_is_gone_is_read_and_shown_by_its_name(
    held: Callable[..., HeldMessage],
) -> None:
    found = {"rule": "R61-gone", "mode": "shadow", "reason": "GONE", "action": "reject"}
    line = orjson.dumps(
        {
            "kind": "decision",
            "at": "2013-11-04T09:07:12.345Z",
            "session": 1,
            "system_id": "shop",
            "sequence_number": 7,
            "action": "quarantine",
            "reason": "GONE",
            "findings": [found, found | {"rule": "R61-other", "mode": "enforce"}],
            "gateway_id": 5,
        }
    )
    hits = FindingCounter("", "9")
    measures = MeasureCounter(lambda _system_id, source: source, None)

    hits.add([line])
    measures.add([line])

    assert (hits.rules["R61-gone"].on_trial, hits.rules["R61-gone"].agreed) == (1, 1)
    assert [*measures.take().values()] == [{Measure.MESSAGES: 1}]
    assert evidence_places(TEXT, "GONE", "") == []
    assert may_be_excepted(held(reason="GONE", rule="R61-gone", campaign="c1"))
