"""Figures in the documents are those of the committed results."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from benchmarks import postures
from benchmarks.e2e_tables import DOCUMENTS, ENGLISH, RESULTS, block, stale, with_block

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


def test_the_card_of_the_shipped_model_names_its_file() -> None:
    octets = postures.STARTER.read_bytes()
    card = (postures.ROOT / "docs/reference/starter-model.md").read_text(encoding="utf-8")
    result = json.loads(postures.RESULT.read_text(encoding="utf-8"))

    assert sha256(octets).hexdigest() == result["model"]
    assert f"`{result['model']}`" in card
    assert f"{len(octets):,} octets".replace(",", " ") in card
