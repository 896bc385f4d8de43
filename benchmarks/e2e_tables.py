"""The tables of the documents, as benchmarks/results/e2e.json has them.

python -m benchmarks.e2e_tables             write them into the documents
python -m benchmarks.e2e_tables --check     exit 1 where a document has others

Each stands between two marks, `<!-- e2e: begin -->` and `<!-- e2e: end -->`, and no figure in it is
typed by hand.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "e2e.json"
_SHAPES = ("10 x 50", "64 x 1", "1 x 10", "1 x 100")
_POLICIES, _KINDS = ("words", "shipped", "full"), ("new", "same")
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Language:
    """What a document says around the figures."""

    head: tuple[str, ...]
    cell: str
    light: str
    run: str
    unknown: str


ENGLISH = Language(
    head=(
        "sessions x window",
        "R21 and words: new texts",
        "repeated",
        "as shipped: new texts",
        "repeated",
        "every rule: new texts",
        "repeated",
        "blind relay",
    ),
    cell="{msgs} at {us}",
    light="A light sender beside eight that flood with a window of 1000 each has a p99 of"
    " {new} ms where the floods' texts are new and {same} ms where they repeat (R21 and words, as"
    " shipped, every rule).",
    run="Taken on {date} at commit {commit}, Python {python}; the calibration loop of"
    " `benchmarks/in_process.py` took {calibration} us in the same run.",
    unknown="not noted",
)
CHINESE = Language(
    head=(
        "会话数 x 窗口",
        "R21 与关键词：全新文本",
        "重复文本",
        "随附规则：全新文本",
        "重复文本",
        "全部规则：全新文本",
        "重复文本",
        "单纯转发",
    ),
    cell="{msgs} / {us}",
    light="八个发送方各以窗口 1000 猛发时，旁边一个轻量发送方的 p99 时延："
    "猛发的文本全新时 {new} 毫秒，"
    "重复时 {same} 毫秒（依次为 R21 与关键词、随附规则、全部规则）。",
    run="测于 {date}，提交 {commit}，Python {python}；"
    "同一次测量中 `benchmarks/in_process.py` "
    "的校准循环用时 {calibration} 微秒。",
    unknown="未记录",
)
DOCUMENTS: Mapping[str, Language] = {
    "README.md": ENGLISH,
    "README.zh-CN.md": CHINESE,
    "docs/howto/benchmark.md": ENGLISH,
}


def block(found: Mapping[str, Any], language: Language) -> str:
    """Return what stands between the marks; a dash stands for what was not measured."""
    results = found["results"]
    rows = [language.head]
    for shape in _SHAPES:
        cells = [
            _cell(_figures(results, policy, kind, shape), language)
            for policy in _POLICIES
            for kind in _KINDS
        ]
        floor = _cell(_figures(results, "relay", "any", shape), language)
        rows.append((shape, *cells, floor))
    head, *lines = (f"| {' | '.join(row)} |" for row in rows)
    table = "\n".join((head, "|---" * len(language.head) + "|", *lines))
    machine = found["machine"]
    light = language.light.format(**{kind: _light(results, kind) for kind in _KINDS})
    run = language.run.format(
        date=found["date"],
        commit=found["commit"] or language.unknown,
        python=machine["python"],
        calibration=machine.get("calibration_us") or language.unknown,
    )
    return f"\n{table}\n\n{light}\n{run}\n\n"


def _figures(
    results: Mapping[str, Any], policy: str, kind: str, shape: str
) -> Mapping[str, float] | None:
    figures: Mapping[str, float] | None = results.get(policy, {}).get(kind, {}).get(shape)
    return figures


def _cell(figures: Mapping[str, float] | None, language: Language) -> str:
    if figures is None:
        return _NONE
    msgs = f"{figures['msgs_per_s']:,.0f}".replace(",", " ")
    return language.cell.format(msgs=msgs, us=f"{figures['cpu_us']:.2f}")


def _light(results: Mapping[str, Any], kind: str) -> str:
    measured = [_figures(results, policy, kind, "fairness") for policy in _POLICIES]
    return ", ".join(_NONE if one is None else f"{one['p99_ms']:.1f}" for one in measured)


def with_block(document: str, said: str, name: str = "e2e") -> str:
    """Return `document` with `said` between the marks of `name`.

    Raises ValueError where it has none.
    """
    marked = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    changed, count = marked.subn(lambda found: f"{found[1]}{said}{found[2]}", document)
    if count != 1:
        raise ValueError(f"{count} places between the marks, where one was expected")
    return changed


def stale(found: Mapping[str, Any], root: Path = ROOT) -> dict[Path, str]:
    """Return the documents that have other tables than `found`, each as it should be."""
    documents = {}
    for name, language in DOCUMENTS.items():
        path = root / name
        document = path.read_text(encoding="utf-8")
        changed = with_block(document, block(found, language))
        if changed != document:
            documents[path] = changed
    return documents


def main() -> int:
    """Write the tables, or tell which are stale."""
    parser = argparse.ArgumentParser(description="Write the tables of the documents.")
    parser.add_argument("--check", action="store_true", help="write nothing")
    is_check: bool = parser.parse_args().check
    documents = stale(json.loads(RESULTS.read_text(encoding="utf-8")))
    for path, document in documents.items():
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
        if not is_check:
            path.write_text(document, encoding="utf-8")
    return int(is_check and bool(documents))


if __name__ == "__main__":
    sys.exit(main())
