"""Figures in the documents are those of the committed results."""

import json
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from benchmarks import postures
from benchmarks.e2e_tables import DOCUMENTS, ENGLISH, RESULTS, block, stale, with_block
from gateway.domain.policy import RuleEvent
from gateway.filter.classifier.model_file import read_model
from gateway.filter.classifier.score import TextClass
from gateway.policy.checks.suspicious import Suspicious

FIGURES = {"msgs_per_s": 41379, "cpu_us": 20.5, "p50_ms": 0.2, "p99_ms": 7.93}


def _found(**results: object) -> dict[str, object]:
    return {
        "date": "2026-11-28",
        "commit": "0123abc",
        "machine": {"python": "3.11.7", "calibration_us": 1.234},
        "results": results,
    }


def test_the_tables_of_the_documents_are_those_of_the_results() -> None:
    found = json.loads(RESULTS.read_text(encoding="utf-8"))

    assert list(stale(found)) == [], "python -m benchmarks.e2e_tables writes them"


def test_a_table_has_new_and_repeated_texts_and_the_relay_side_by_side() -> None:
    slow = {**FIGURES, "msgs_per_s": 9_876, "cpu_us": 101.3}
    relayed = {**FIGURES, "msgs_per_s": 2_000_000, "cpu_us": 0.3}
    found = _found(
        shipped={"new": {"1 x 10": slow, "fairness": slow}, "same": {"1 x 10": FIGURES}},
        relay={"any": {"1 x 10": relayed}},
    )

    said = block(found, ENGLISH)

    row = "| 1 x 10 | – | – | 9 876 at 101.30 | 41 379 at 20.50 | – | – | 2 000 000 at 0.30 |"
    assert row in said.splitlines()
    assert "a p99 of –, 7.9, – ms where the floods' texts are new and –, –, – ms where" in said
    assert "at commit 0123abc, Python 3.11.7" in said
    assert "took 1.234 us in the same run" in said


def test_a_document_that_differs_in_one_figure_is_stale(tmp_path: Path) -> None:
    found = _found(shipped={"new": {"1 x 10": FIGURES}})
    for name, language in DOCUMENTS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            with_block("# A\n<!-- e2e: begin -->\n<!-- e2e: end -->\n", block(found, language)),
            encoding="utf-8",
        )
    assert stale(found, tmp_path) == {}

    changed = tmp_path / "README.md"
    changed.write_text(changed.read_text(encoding="utf-8").replace("41 379", "51 379"), "utf-8")

    assert list(stale(found, tmp_path)) == [changed]


def test_a_document_without_the_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 places"):
        with_block("# A\n", "table")


def test_the_shares_that_postures_stop_are_those_of_the_results() -> None:
    result = json.loads(postures.RESULT.read_text(encoding="utf-8"))

    assert list(postures.stale(result)) == [], "python -m benchmarks.postures --write writes them"


@pytest.mark.parametrize(
    ("posture", "bulk", "other", "innocent"),
    [("balanced", 0.65, 0.6, 0.001), ("strict", 0.88, 0.8, 0.01)],
)
def test_a_posture_stops_what_it_promises_and_no_code_or_notice(
    posture: str, bulk: float, other: float, innocent: float
) -> None:
    found = json.loads(postures.RESULT.read_text(encoding="utf-8"))[posture]["summary"]

    assert found["spam, Chinese bulk"]["stopped"] >= bulk * found["spam, Chinese bulk"]["texts"]
    assert found["spam, other"]["stopped"] >= other * found["spam, other"]["texts"]
    assert found["ham, all"]["stopped"] <= innocent * found["ham, all"]["texts"]
    assert (found["ham, notices made up"]["texts"], found["ham, notices made up"]["stopped"]) == (
        2000,
        0,
    )


def test_a_posture_refuses_fraud_and_illegal_offers_and_no_innocent_text() -> None:
    for posture in ("balanced", "strict"):
        found = json.loads(postures.RESULT.read_text(encoding="utf-8"))[posture]["summary"]

        crimes = found["spam, fraud and illegal"]
        assert crimes["refused"] >= 0.5 * crimes["texts"]
        for kind in ("ham, all", "ham, notices made up", "ham, refusals"):
            assert found[kind]["refused"] == 0
        # So few texts show no more than this of the one in ten thousand that is promised.
        assert found["ham, all"]["at_most"] <= 0.0003


OFFERS = (
    "本公司代开各行业发票，验后付款，税点低，电话13800138000王经理",
    "办证刻章，毕业证学历证，当天取证，联系13800138000",
    "真人百家乐在线，注册送88彩金，首存百分百返，网址 bet.example",
    "六合彩特码资料，内部消息，准确率高，加QQ12345678",
    "同城美女上门服务，学生妹空姐，包夜，电话13800138000",
    "出售气枪仿真枪，货到付款，QQ12345678",
    "高价收购银行卡四件套，日结，微信abc12345",
    "Congratulations, your number won the lottery draw. Send your bank details to claim it",
)
WARNINGS = (
    "【示例银行】近期有不法分子冒充我行发送积分兑换现金短信，诱导点击链接登录钓鱼网站，请勿点击。",
    "【示例公安】网络赌博违法，警惕诈骗，举报电话110",
    "【示例教育】高考临近，警惕出售考试答案、保过包过等诈骗信息。",
    "【示例反诈】凡自称客服以注销校园贷、影响征信为由要求转账的，都是诈骗，请拨打96110。",
)
NAMES_THE_OFFER = "【示例公安】参与真人百家乐、六合彩等网络赌博违法，警惕诈骗，举报电话110"


@pytest.mark.parametrize("posture", ["balanced", "strict"])
def test_a_posture_refuses_offers_that_are_a_crime_and_passes_who_warns_of_them(
    posture: str,
) -> None:
    ruleset, numbers = postures.bundle_of(posture), count(1)

    offers = postures.stopped(ruleset, OFFERS, numbers)
    warnings = postures.stopped(ruleset, WARNINGS, numbers)
    named = postures.stopped(ruleset, [NAMES_THE_OFFER], numbers)

    assert offers["reject"] == len(OFFERS)
    assert warnings["forwarded"] == len(WARNINGS)
    assert named["quarantine"] == 1


@pytest.mark.parametrize(
    ("found", "texts", "share"), [(0, 10_000, 0.0003), (0, 30_000, 0.0001), (1, 10_000, 0.000474)]
)
def test_the_share_that_is_refused_at_most_is_told_with_the_size_of_the_sample(
    found: int, texts: int, share: float
) -> None:
    assert postures.at_most(found, texts) == pytest.approx(share, rel=0.01)


@pytest.mark.parametrize("posture", ["balanced", "strict"])
def test_the_shipped_model_was_measured_at_each_share_that_a_posture_tolerates(
    posture: str,
) -> None:
    model = read_model(postures.STARTER.read_bytes())

    asked = {
        share
        for rule in postures.bundle_of(posture).bundle.rules
        if isinstance(rule.check, Suspicious)
        for share in (rule.check.tolerates, rule.check.seconded)
        if share is not None
    }
    refused_at = [
        rule.check.rejects
        for rule in postures.bundle_of(posture).bundle.rules
        if isinstance(rule.check, Suspicious) and rule.event is RuleEvent.SUBMIT
    ]

    for one in model.classes.values():
        assert asked <= {each.tolerated for each in one.thresholds}
    assert refused_at == [model.of(TextClass.PORT).thresholds[0].tolerated] * 2 == [0.0001] * 2


def test_the_card_of_the_shipped_model_names_its_file() -> None:
    octets = postures.STARTER.read_bytes()
    card = (postures.ROOT / "docs/reference/starter-model.md").read_text(encoding="utf-8")
    result = json.loads(postures.RESULT.read_text(encoding="utf-8"))

    assert sha256(octets).hexdigest() == result["model"]
    assert f"`{result['model']}`" in card
    assert f"{len(octets):,} octets".replace(",", " ") in card
