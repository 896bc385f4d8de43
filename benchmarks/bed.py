"""The bed that the end-to-end benchmark lies on: texts, keywords, refusals, configuration.

Everything is seeded, so two runs measure the same work.
"""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.policy import Enforcement
from gateway.filter.normalise import compact, normalise
from gateway.settings.bundle import load_bundle
from gateway.stores.open import open_store

KEYWORDS = 10_000
REFUSALS = 1_000_000
# More than the gateway's exact-text cache can hold: with 50 000 texts every one would be
# cached after the warm-up, and the run would measure the cache after all.
UNIQUE_TEXTS = 1_000_000
AGREEMENTS = 1_000_000
# The load sends to the 100 000 numbers from here on.
_LOAD_FROM = 8613800000000
_REFUSED_FROM, _REFUSED_STEP = 8615000000000, 997
_REFUSED_RULE = "R21"
_ANSWERS_AT_ONCE = 20_000
_LONGEST_WORD = 6
_HAN = range(0x4E00, 0x9FA6)
_HAN_RUN = re.compile("[一-龥]+")
_SHOPS = ("永和粮油", "晨光眼镜", "海棠书店", "青禾超市", "长亭酒楼", "木兰花店")


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


def write_unique_texts(directory: Path) -> Path:
    """Write texts of which no two are alike, three quarters Chinese; return the file."""
    file = directory / "unique.txt"
    with file.open("w", encoding="utf-8") as out:
        out.writelines(f"{text}\n" for text in unique_texts(UNIQUE_TEXTS))
    return file


def unique_texts(count: int) -> Iterator[str]:
    draw = random.Random(11)
    for serial in range(count):
        shop, day, hour = draw.choice(_SHOPS), draw.randrange(1, 29), draw.randrange(8, 21)
        match serial % 4:
            case 0:
                yield f"Your table at Long Pavilion is booked, number {serial:07}. Come at {hour}."
            case 1:
                yield f"【{shop}】您的订单{serial:07}已由{day}号仓发出，{hour}点前送到。"
            case 2:
                yield f"【{shop}】校验码{serial:07}，{day}分钟内有效，非本人操作请不要理会。"
            case _:
                yield f"【{shop}】会员{serial:07}您好，{day}日{hour}点新品到店，拒收请回复R"


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
        for length in range(2, _LONGEST_WORD + 1)
        for start in range(len(run) - length + 1)
    }
    common = sorted({character for word in present for character in word})
    draw = random.Random(13)
    words: set[str] = set()
    while len(words) < count:
        length = draw.randint(2, _LONGEST_WORD)
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


# Every rule on, so set that the load keeps to it; what asks for filings and for signed texts
# with a way out is on trial, which costs more than passing it.
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
"""


def turn_on_all(policies: Path) -> None:
    """Ask every rule of every message of the load."""
    rules = policies / "local.d" / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    (rules / "load.yaml").write_text(_FULL, encoding="utf-8")


def write_config(directory: Path, ports: Ports, store_url: str) -> None:
    """Write a deployment with two SPs, sp1 and sp2, that no budget slows down."""
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
records: {{directory: var/cdr}}
metrics: {{address: "127.0.0.1:{ports.metrics}"}}
""",
        encoding="utf-8",
    )
    # The load gives every session a source of its own: 10690001, 10690002, ...
    senders = "".join(
        f"""\
  - system_id: {system_id}
    password: plain:secret
    name: 示例
    state: active
    binds: {{max: 250, types: [tx, rx, trx], addresses: ["127.0.0.0/8"]}}
    ports: [{{number: "{number}", extension_digits: 4, purpose: marketing}}]
    rate: {{per_s: 1000000, burst: 1000000}}
    window: 10000
"""
        for system_id, number in (("sp1", "1069"), ("sp2", "1068"))
    )
    (directory / "senders.yaml").write_text(
        f"version: 1\nallow_plain_passwords: true\nsenders:\n{senders}", encoding="utf-8"
    )


async def refuse(store_url: str) -> None:
    """Record refusals of numbers that the load never sends to.

    The gateway holds them in memory and looks every destination up among them.
    """
    numbers = range(_REFUSED_FROM, _REFUSED_FROM + REFUSALS * _REFUSED_STEP, _REFUSED_STEP)
    await _record(store_url, "sp1", Answer.REFUSED, numbers)


async def agree(store_url: str) -> None:
    """Record agreements with both SPs, those of the numbers that the load sends to among them."""
    for system_id in ("sp1", "sp2"):
        numbers = range(_LOAD_FROM, _LOAD_FROM + AGREEMENTS // 2)
        await _record(store_url, system_id, Answer.AGREED, numbers)


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
