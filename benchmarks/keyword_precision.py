"""How precise the keyword lists of a bundle are on labelled texts, as one JSON object.

    python -m benchmarks.keyword_precision --data DIR

DIR has train_*.tsv and dev_*.tsv: label (ham or spam), language, source and text, parted by tabs.
The result has numbers alone, never a text: benchmarks/results/keyword_precision.json.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.policy import KeywordList, ListAction
from gateway.filter.keywords.index import Hit, KeywordIndex
from gateway.filter.normalise.views import Views
from gateway.settings.bundles.bundle import load_bundle

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks/results/keyword_precision.json"
PARTS = ("zh_bulk", "zh_misc", "en")
# What is left of a text's hits after the sixteenth is not told, so each list is asked by itself.
TOGETHER = {
    "lists that reject": {ListAction.REJECT},
    "lists that reject or quarantine": {ListAction.REJECT, ListAction.QUARANTINE},
    "all lists": set(ListAction),
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One text of a collection, as the lists see it."""

    part: str
    is_spam: bool
    seen: Views


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a directory of train_*, dev_*")
    parser.add_argument("--policies", type=Path, default=ROOT / "policies", help="a bundle")
    parser.add_argument("--json", type=Path, default=RESULT, help="where the result goes")
    told = parser.parse_args()
    lists = load_bundle(told.policies).keyword_lists
    report: dict[str, object] = {"command": "python -m benchmarks.keyword_precision --data DIR"}
    for split in ("train", "dev"):
        texts = [text for part in PARTS for text in labelled(told.data, split, part)]
        report[split] = measured(lists, texts)
    told.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def labelled(data: Path, split: str, part: str) -> Iterator[Labelled]:
    """Yield the texts of a file; its lines are not quoted."""
    for line in (data / f"{split}_{part}.tsv").read_text(encoding="utf-8").split("\n"):
        label, _, rest = line.partition("\t")
        if rest:
            yield Labelled(part, label == "spam", Views(rest.split("\t", 2)[2]))


def measured(lists: Sequence[KeywordList], texts: Sequence[Labelled]) -> Mapping[str, object]:
    """Return what each list hits, and what lists of the same actions hit together."""
    hits = {one.id: _hits_of(one, texts) for one in lists}
    together = {
        name: {at for one in lists if one.action in actions for at in hits[one.id]}
        for name, actions in TOGETHER.items()
    }
    return {
        "texts": _counts(texts, range(len(texts))),
        "lists": {
            one.id: {
                "category": one.category,
                "action": one.action.value,
                "entries": len(one.words),
                "entries_hit": len({hit.word for some in hits[one.id].values() for hit in some}),
                **_figures(texts, hits[one.id]),
            }
            for one in lists
        },
        "together": {name: _figures(texts, found) for name, found in together.items()},
    }


def _hits_of(one: KeywordList, texts: Sequence[Labelled]) -> Mapping[int, Sequence[Hit]]:
    index = KeywordIndex([one])
    found = ((at, index.search_views([text.seen])) for at, text in enumerate(texts))
    return {at: some for at, some in found if some}


def _figures(
    texts: Sequence[Labelled], found: "Mapping[int, object] | set[int]"
) -> dict[str, object]:
    counts = _counts(texts, found)
    spam, innocent = counts["spam"], counts["innocent"]
    share = round(spam / (spam + innocent), 4) if spam + innocent else None
    return {**counts, "precision": share}


def _counts(
    texts: Sequence[Labelled], found: "Mapping[int, object] | set[int] | range"
) -> dict[str, int]:
    counted = Counter(texts[at].is_spam for at in found)
    by_part = Counter((texts[at].part, texts[at].is_spam) for at in found)
    parts = {
        f"{part}_{label}": by_part[part, is_spam]
        for part in PARTS
        for label, is_spam in (("spam", True), ("innocent", False))
    }
    return {"spam": counted[True], "innocent": counted[False], **parts}


if __name__ == "__main__":
    main()
