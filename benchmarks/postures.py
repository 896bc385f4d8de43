"""What each posture of the shipped policies stops and refuses of labelled texts, on the data path.

    python -m benchmarks.postures --data DIR                print the table
    python -m benchmarks.postures --data DIR --write        keep it, and write it into the documents

DIR has dev_*.tsv (docs/howto/classifier.md). Each text is sent once, by an SP from a port for
service, to a subscriber of its own who agreed to nothing; the model is the one that is shipped.
The result has only numbers; `at_most` is the share of innocent texts refused at most, at 95 %.
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
from math import exp, factorial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import in_process as bench
from benchmarks.e2e_tables import with_block
from benchmarks.full_policy import AT, POLICIES
from benchmarks.new_texts import new_texts
from benchmarks.notices import notices
from gateway.domain.sender import Port, Purpose
from gateway.filter.classifier.model import ModelScorer
from gateway.filter.classifier.model_file import read_model
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.settings.bundles.bundle import load_bundle
from gateway.systems.learning.training import spoilt
from tests.promises.innocents.texts import innocent_texts

POSTURES = ("watch", "balanced", "strict")
ROOT = POLICIES.parent
STARTER = ROOT / "models" / "starter.npz"
RESULT = ROOT / "benchmarks" / "results" / "postures.json"
DOCUMENTS = {"README.md": "en", "README.zh-CN.md": "zh", "docs/reference/starter-model.md": "en"}
_WORDS = {
    "en": (
        ("posture", "refused"),
        {
            "spam, Chinese bulk": "Chinese bulk spam",
            "spam, other": "other spam",
            "spam, fraud and illegal": "fraud and illegal offers among these",
            "ham, all": "innocent texts",
            "ham, notices made up": "codes and notices, made up",
            "ham, refusals": "innocent texts, made up and garbled",
        },
    ),
    "zh": (
        ("力度", "其中拒绝"),
        {
            "spam, Chinese bulk": "中文群发垃圾短信",
            "spam, other": "其他垃圾短信",
            "spam, fraud and illegal": "其中诈骗和违法的",
            "ham, all": "正常短信",
            "ham, notices made up": "自拟的验证码和通知",
            "ham, refusals": "自拟和打乱的正常短信",
        },
    ),
}
# A port that the submits of the bed come from.
PORT = Port("1069", 4, Purpose.SERVICE)
NOTICES = 2_000
NEW_TEXTS, GARBLED = 6_000, 0.1
# What the collections call fraud or an illegal offer.
CRIMES = frozenset({"fbs/FR", "fbs/IL", "smishing", "thai/scam"})
_SHORT, _PAYLOAD = 140, 0x0424


def texts_of(data: Path) -> dict[tuple[str, str, str], list[str]]:
    """Return the texts of dev_*.tsv by label, group and source."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for path in sorted(data.glob("dev_*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            label, _, source, text = line.split("\t")
            group = "Chinese bulk" if path.stem.endswith("bulk") else "other"
            found[label, group, source.partition(":")[0]].append(text)
    found["ham", "notices made up", "synthetic"] = [text for _, text in notices(NOTICES)]
    of_tests = [one.text for one in innocent_texts()]
    found["ham", "refusals", "innocents of the tests"] = of_tests
    # Adverts among them may be held: they were not agreed to.
    found["ham", "refusals", "new texts"] = list(new_texts(NEW_TEXTS))
    draws = np.random.default_rng(1)
    found["ham", "refusals", "garbled"] = [
        spoilt(text, GARBLED, draws)
        for (label, _, source), texts in found.items()
        if label == "ham" and source in {"mudou", "synthetic", "innocents of the tests"}
        for text in texts
    ]
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
    """Return the shares of each label and group; of refusals alone, what is refused."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        label, group, source = (str(row[name]) for name in ("label", "group", "source"))
        names = [group if label == "spam" or group in _MADE_UP else "all"]
        if source in CRIMES:
            names.append("fraud and illegal")
        for name in names:
            sums[f"{label}, {name}"].update(
                {one: int(str(row[one])) for one in ("texts", "stopped", "rejected")}
            )
    return {
        name: {
            **({"texts": one["texts"]} if name == "ham, refusals" else _stopped(one)),
            "refused": one["rejected"],
            "refused_share": round(one["rejected"] / one["texts"], 4),
            **({"at_most": at_most(one["rejected"], one["texts"])} if name in _BOUNDED else {}),
        }
        for name, one in sorted(sums.items())
    }


_MADE_UP = ("notices made up", "refusals")
_BOUNDED = ("ham, all", "ham, notices made up")


def _stopped(one: Mapping[str, int]) -> dict[str, object]:
    share = round(one["stopped"] / one["texts"], 4)
    return {"texts": one["texts"], "stopped": one["stopped"], "share": share}


def at_most(found: int, texts: int) -> float:
    """Return the largest share of which only one sample in twenty has as few as `found`."""
    mean = float(found)
    while sum(exp(-mean) * mean**few / factorial(few) for few in range(found + 1)) > 0.05:
        mean += 0.01
    return round(mean / texts, 6)


def table(result: Mapping[str, Any], language: str) -> str:
    """Return the table of a document in `language`, en or zh."""
    (title, refused), kinds = _WORDS[language]
    lines = [f"| {title} | {' | '.join(kinds.values())} |", f"|---{'|---' * len(kinds)}|"]
    for posture in POSTURES:
        found = result[posture]["summary"]
        cells = [_cell(found[kind], refused) for kind in kinds]
        lines.append(f"| `{posture}` | {' | '.join(cells)} |")
    return "\n" + "\n".join(lines) + "\n\n"


def _cell(one: Mapping[str, Any], refused: str) -> str:
    if "stopped" not in one:
        return f"{refused} {one['refused']}/{one['texts']}"
    stopped = f"{one['share'] * 100:.2f} % ({one['stopped']}/{one['texts']})"
    return f"{stopped}, {refused} {one['refused_share'] * 100:.2f} % ({one['refused']})"


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
