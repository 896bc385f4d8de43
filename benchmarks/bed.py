"""The bed that the end-to-end benchmark lies on: texts, keywords, refusals, configuration.

Everything is seeded, so two runs measure the same work.
"""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.new_texts import write_labelled
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.policy import Enforcement
from gateway.filter.normalise.folding import compact, normalise
from gateway.settings.bundles.bundle import load_bundle
from gateway.stores import open_store

KEYWORDS = 10_000
REFUSALS = 1_000_000
# The load pair draws texts at random. The gateway remembers 65 536 of them, so one in fifteen of
# a million is still known when it is drawn again; of 50 000 every one would be.
NEW_TEXTS = 1_000_000
# The load sends to so many numbers from here on, a light session to the first 100 000 of them.
LOAD_FROM, LOAD_NUMBERS = 8613800000000, 3_000_000
_LIGHT_TO = LOAD_FROM + 100_000
_REFUSED_FROM, _REFUSED_STEP = 8615000000000, 997
_FREQUENCY_CAPACITY = 20_000_000
_REFUSED_RULE = "R21"
_ANSWERS_AT_ONCE = 20_000
_WORD_LENGTHS = range(3, 7)
_HAN = range(0x4E00, 0x9FA6)
_HAN_RUN = re.compile("[一-龥]+")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everybody listens on loopback."""

    esme: int
    smsc: int
    metrics: int


def write_common_texts(perf_dir: Path, directory: Path) -> Path:
    """Let the load pair's own generator write its 2000 texts; return the file."""
    subprocess.run(
        [sys.executable, perf_dir / "gen_texts.py", directory],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return directory / "texts.txt"


def absent_words(texts: Iterable[str], count: int) -> list[str]:
    """Return `count` Han words that no text contains, in either view of the filter.

    Half are drawn from the characters of the texts themselves, so that the search follows
    many false starts, as it does in real traffic.
    """
    views = [view for text in texts for view in (normalise(text), compact(text))]
    present = {
        run[start : start + length]
        for view in views
        for run in _HAN_RUN.findall(view)
        for length in _WORD_LENGTHS
        for start in range(len(run) - length + 1)
    }
    common = sorted({character for word in present for character in word})
    draw = random.Random(13)
    words: set[str] = set()
    while len(words) < count:
        length = draw.choice(_WORD_LENGTHS)
        if len(words) % 2:
            word = "".join(draw.choices(common, k=length))
        else:
            word = "".join(chr(draw.choice(_HAN)) for _ in range(length))
        if word not in present:
            words.add(word)
    return sorted(words)


def write_policies(
    shipped: Path, directory: Path, words: Iterable[str], *, spam: bool, rules: Enforcement
) -> None:
    """Copy the shipped bundle and add the long list of absent `words`.

    The texts of the load hold real spam phrases, which the shipped lists would stop. They
    are therefore all turned to shadow: every text is still searched for every word and every
    hit recorded, and all messages pass, so that what the SMSC received can be compared with
    what was sent. `rules` says how far the shipped rules go beside the one on refusals (R21).
    With `spam` all act as shipped.
    """
    # Its self-test says what the lists do as shipped, not in shadow.
    shutil.copytree(shipped, directory, ignore=shutil.ignore_patterns("selftest.yaml"))
    keywords = directory / "keywords"
    keywords.mkdir(exist_ok=True)
    if not spam:
        for file in keywords.glob("*.yaml"):
            rule = file.read_text(encoding="utf-8")
            file.write_text(re.sub(r"(?m)^action: *\w+", "action: shadow", rule), encoding="utf-8")
        _set_rules(directory, rules)
    (keywords / "absent.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (keywords / "absent.yaml").write_text(
        "version: 1\nid: K-ABSENT\ncategory: benchmark\naction: reject\nfile: absent.txt\n",
        encoding="utf-8",
    )


def _set_rules(directory: Path, mode: Enforcement) -> None:
    """Turn every rule but the one on refusals to `mode`, if it is in force."""
    on = [
        rule.id
        for rule in load_bundle(directory).rules
        if rule.mode not in (mode, Enforcement.OFF) and rule.id != _REFUSED_RULE
    ]
    local = directory / "local.d" / "rules"
    local.mkdir(parents=True)
    changes = "".join(f"  - {{id: {id_}, mode: {mode}}}\n" for id_ in on)
    (local / "load.yaml").write_text(f"version: 1\nrules:\n{changes}", encoding="utf-8")


# Every rule on, so set that the load keeps to it; what asks for filings, for signed texts with a
# way out and for a model's opinion is in shadow mode, which costs more than passing it.
_FULL = """\
version: 1
rules:
  - {id: R04, mode: enforce}
  - {id: R05, mode: shadow}
  - {id: R06, mode: enforce}
  - {id: R11, mode: enforce}
  - {id: R12-signature, mode: shadow}
  - {id: R12-template, mode: shadow}
  - {id: R20, mode: enforce}
  - {id: R28, mode: enforce, count: 10000}
  - {id: R30, mode: shadow}
  - {id: R38, mode: shadow}
  - {id: R40, mode: enforce, open: ["00:00-24:00"]}
  - {id: R42, mode: shadow}
  - id: R42-notice
    mode: enforce
    limits: [{per: [signature, template, destination], at_most: 1000, every: rolling 24h}]
  - {id: R43, mode: enforce}
  - {id: R44, mode: enforce, per_s: 1000000, burst: 1000000}
  - {id: R50, mode: enforce}
  - {id: R61-model, mode: shadow}
  - {id: R61-model-codes, mode: shadow}
  - {id: R63, mode: shadow}
"""


def turn_on_all(policies: Path) -> None:
    """Ask every rule of every message of the load, and count all its numbers."""
    bundle = policies / "bundle.yaml"
    said = bundle.read_text(encoding="utf-8")
    room = f"frequency_capacity: {_FREQUENCY_CAPACITY}"
    bundle.write_text(re.sub(r"(?m)^frequency_capacity:.*$", room, said), encoding="utf-8")
    rules = policies / "local.d" / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    (rules / "load.yaml").write_text(_FULL, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Account:
    """An SP of the bed with the first digits of its one port; as shipped, 100 messages a second."""

    system_id: str
    number: str
    purpose: str = "marketing"
    per_s: int = 100
    window: int = 100

    def as_yaml(self) -> str:
        return f"""\
  - system_id: {self.system_id}
    password: plain:secret
    name: 示例
    state: active
    binds: {{max: 250, types: [tx, rx, trx], addresses: ["127.0.0.0/8"]}}
    ports: [{{number: "{self.number}", extension_digits: 4, purpose: {self.purpose}}}]
    rate: {{per_s: {self.per_s}, burst: {self.per_s}}}
    window: {self.window}
"""


# Two SPs that no budget slows down. The load gives every session a source of its own:
# 10690001, 10690002, ...
LOAD_ACCOUNTS = (
    Account("sp1", "1069", per_s=1_000_000, window=10_000),
    Account("sp2", "1068", per_s=1_000_000, window=10_000),
)


def write_config(
    directory: Path, ports: Ports, store_url: str, accounts: Iterable[Account] = LOAD_ACCOUNTS
) -> None:
    """Write a deployment with these SPs."""
    directory.mkdir()
    (directory / "gateway.yaml").write_text(
        f"""\
version: 1
listeners:
  - {{name: plain, address: "127.0.0.1:{ports.esme}"}}
smscs:
  - {{name: sink, address: "127.0.0.1:{ports.smsc}", mode: transparent}}
limits: {{window: 10000}}
store: {{url: "{store_url}"}}
records: {{directory: "{directory.parent.resolve()}/var/cdr"}}
metrics: {{address: "127.0.0.1:{ports.metrics}"}}
""",
        encoding="utf-8",
    )
    senders = "".join(account.as_yaml() for account in accounts)
    (directory / "senders.yaml").write_text(
        f"version: 1\nallow_plain_passwords: true\nsenders:\n{senders}", encoding="utf-8"
    )


def train_model(directory: Path) -> Path:
    """Train a small model on made-up texts; return its file."""
    data, model = write_labelled(directory / "labelled"), directory / "model.npz"
    smsward(directory, "filter", "train", "--data", str(data), "-o", str(model))
    return model


def install_model(directory: Path, model: Path) -> None:
    """Put `model` in force in the deployment at `directory`.

    The bed turns the rules that ask a classifier to shadow mode: it is asked of every new text,
    which costs what any model costs, and decides nothing. What it finds says nothing of real
    traffic.
    """
    smsward(directory, "filter", "install", str(model), "--config", "config")
    smsward(directory, "filter", "promote", "--config", "config")


def smsward(directory: Path, *command: str) -> str:
    """Run a command of `smsward` in `directory`; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *command],
        cwd=directory,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"smsward {' '.join(command)}: {done.stderr}")
    return done.stdout


async def refuse(store_url: str, count: int = REFUSALS) -> None:
    """Record `count` refusals of numbers that the load never sends to.

    The gateway holds them in memory and looks every destination up among them.
    """
    numbers = range(_REFUSED_FROM, _REFUSED_FROM + count * _REFUSED_STEP, _REFUSED_STEP)
    await _record(store_url, "sp1", Answer.REFUSED, numbers)


async def refuse_some(store_url: str, system_id: str, numbers: range) -> None:
    """Record that `numbers` have refused one SP."""
    await _record(store_url, system_id, Answer.REFUSED, numbers)


def agree(directory: Path) -> None:
    """Record in the deployment at `directory` that all whom the load sends to have agreed."""
    ends = {"sp1": LOAD_FROM + LOAD_NUMBERS, "sp2": _LIGHT_TO}
    for system_id, end in ends.items():
        file = directory / f"{system_id}.txt"
        with file.open("w", encoding="ascii") as out:
            out.writelines(f"{number}\n" for number in range(LOAD_FROM, end))
        how = ("--system-id", system_id, "--answer", "agreed", "--evidence", "benchmark")
        smsward(directory, "consent", "import", *how, "--config", "config", str(file))
        file.unlink()


async def _record(store_url: str, system_id: str, answer: Answer, numbers: range) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    stores = await open_store(store_url)
    try:
        for start in range(0, len(numbers), _ANSWERS_AT_ONCE):
            answers = [
                ConsentAnswer(number, system_id, answer, since, "test")
                for number in numbers[start : start + _ANSWERS_AT_ONCE]
            ]
            await stores.consent.record(answers)
    finally:
        await stores.close()
