"""What each posture of the shipped policies stops of labelled texts, on the whole data path.

    python -m benchmarks.postures --data DIR                print the table
    python -m benchmarks.postures --data DIR --write        keep it, and write it into the documents

DIR has dev_*.tsv (docs/howto/classifier.md). Each text is sent once, by an SP from a port for
service, to a subscriber of its own who agreed to nothing; the model is the one that is shipped.
The result has only numbers.
"""

import argparse
import json
import shutil
import struct
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import in_process as bench
from benchmarks.e2e_tables import with_block
from benchmarks.full_policy import AT, POLICIES
from benchmarks.notices import notices
from gateway.domain.sender import Port, Purpose
from gateway.filter.classifier.model import ModelScorer
from gateway.filter.classifier.model_file import read_model
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.settings.bundles.bundle import load_bundle

POSTURES = ("watch", "balanced", "strict")
ROOT = POLICIES.parent
STARTER = ROOT / "models" / "starter.npz"
RESULT = ROOT / "benchmarks" / "results" / "postures.json"
DOCUMENTS = {"README.md": "en", "README.zh-CN.md": "zh", "docs/reference/starter-model.md": "en"}
_WORDS = {
    "en": (
        "posture",
        {
            "spam, Chinese bulk": "Chinese bulk spam",
            "spam, other": "other spam",
            "ham, all": "innocent texts",
            "ham, notices made up": "codes and notices, made up",
        },
    ),
    "zh": (
        "力度",
        {
            "spam, Chinese bulk": "中文群发垃圾短信",
            "spam, other": "其他垃圾短信",
            "ham, all": "正常短信",
            "ham, notices made up": "自拟的验证码和通知",
        },
    ),
}
# A port that the submits of the bed come from.
PORT = Port("1069", 4, Purpose.SERVICE)
NOTICES = 2_000
_SHORT, _PAYLOAD = 140, 0x0424


def texts_of(data: Path) -> dict[tuple[str, str, str], list[str]]:
    """Return the texts of dev_*.tsv by label, group and source."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for path in sorted(data.glob("dev_*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            label, _, source, text = line.split("\t")
            group = "Chinese bulk" if path.stem.endswith("bulk") else "other"
            found[label, group, source.partition("/")[0]].append(text)
    found["ham", "notices made up", "synthetic"] = [text for _, text in notices(NOTICES)]
    return dict(found)


def bundle_of(posture: str) -> RuleSet:
    """Return the shipped policies with another posture, and the shipped model."""
    with tempfile.TemporaryDirectory() as directory:
        policies = Path(shutil.copytree(POLICIES, Path(directory) / "policies"))
        (policies / "local.d").mkdir()
        head = f"version: 1\nposture: {posture}\n"
        (policies / "local.d" / "bundle.yaml").write_text(head, encoding="utf-8")
        bundle = load_bundle(policies)
    octets = STARTER.read_bytes()
    known = Knowledge()
    known.scorer = ModelScorer(read_model(octets), sha256(octets).hexdigest())
    return RuleSet(bundle, [replace(bench.sender(), ports=(PORT,))], known)


def submit_sm(sequence: int, text: str) -> bytes:
    """Return the PDU of a text, in a message_payload if it is long."""
    octets, coding = text.encode("utf-16-be", "surrogatepass"), 8
    to = 8613900000000 + sequence * 7
    if len(octets) <= _SHORT:
        return bench.submit_sm(sequence, to, octets, coding)
    head = bench.submit_sm(sequence, to, b"", coding)
    tlv = struct.pack(">HH", _PAYLOAD, len(octets)) + octets
    return struct.pack(">I", len(head) + len(tlv)) + head[4:] + tlv


def stopped(ruleset: RuleSet, texts: Iterable[str], numbers: Iterable[int]) -> Counter[str]:
    """Return how many texts were stopped, by action."""
    pipeline, (link,) = bench.world(ruleset, 1)
    tally = pipeline.plane.tally
    sent = 0
    for number, text in zip(numbers, texts, strict=False):
        # A second each, so that nothing is too fast.
        batch = pipeline.submit([(link, submit_sm(number, text))], float(number), AT + number)
        pipeline.resp(
            [
                (to, bench.answers_to(b"".join(octets)))
                for to, octets in batch.writes.items()
                if to is not link
            ],
            float(number),
            AT + number,
        )
        sent += 1
    found: Counter[str] = Counter()
    for (action, _), messages in tally.verdicts.items():
        found[str(action)] += messages
    found["sent"], found["forwarded"] = sent, tally.forwarded
    return found


def measured(
    texts: Mapping[tuple[str, str, str], list[str]], posture: str
) -> list[dict[str, object]]:
    """Return for each source what a posture stopped of it."""
    ruleset, numbers, rows = bundle_of(posture), count(1), []
    for (label, group, source), some in sorted(texts.items()):
        found = stopped(ruleset, some, numbers)
        assert found["sent"] == len(some)
        rows.append(
            {
                "label": label,
                "group": group,
                "source": source,
                "texts": len(some),
                "stopped": len(some) - found["forwarded"],
                "rejected": found["reject"],
                "held": found["quarantine"],
            }
        )
    return rows


def summary(rows: list[dict[str, object]]) -> dict[str, object]:
    """Return the shares of each label and group."""
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        label, group = str(row["label"]), str(row["group"])
        key = (label, group if label == "spam" or group == "notices made up" else "all")
        sums[key].update(texts=int(str(row["texts"])), stopped=int(str(row["stopped"])))
    return {
        f"{label}, {group}": {
            "texts": one["texts"],
            "stopped": one["stopped"],
            "share": round(one["stopped"] / one["texts"], 4),
        }
        for (label, group), one in sorted(sums.items())
    }


def table(result: Mapping[str, Any], language: str) -> str:
    """Return the table of a document in `language`, en or zh."""
    title, kinds = _WORDS[language]
    lines = [f"| {title} | {' | '.join(kinds.values())} |", f"|---{'|---' * len(kinds)}|"]
    for posture in POSTURES:
        found = result[posture]["summary"]
        shares = [
            f"{found[kind]['share'] * 100:.2f} % ({found[kind]['stopped']}/{found[kind]['texts']})"
            for kind in kinds
        ]
        lines.append(f"| `{posture}` | {' | '.join(shares)} |")
    return "\n" + "\n".join(lines) + "\n\n"


def stale(result: Mapping[str, Any], root: Path = ROOT) -> dict[Path, str]:
    """Return the documents that have another table than `result`, each as it should be."""
    found = {}
    for name, language in DOCUMENTS.items():
        path = root / name
        document = path.read_text(encoding="utf-8")
        changed = with_block(document, table(result, language), "postures")
        if changed != document:
            found[path] = changed
    return found


def main() -> int:
    """Measure each posture, print the table, and keep it if asked to."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--data", type=Path, required=True, metavar="DIR")
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    texts = texts_of(chosen.data)
    result: dict[str, object] = {
        "command": "python -m benchmarks.postures --data DIR --write",
        "model": sha256(STARTER.read_bytes()).hexdigest(),
    }
    for posture in POSTURES:
        rows = measured(texts, posture)
        result[posture] = {"summary": summary(rows), "sources": rows}
        print(posture, json.dumps(summary(rows), indent=1))
    if chosen.write:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        for path, document in stale(result).items():
            path.write_text(document, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
