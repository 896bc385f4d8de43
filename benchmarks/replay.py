"""How fast recorded traffic is judged again by `smsward policy replay`, and in how much memory.

    python benchmarks/replay.py                      print the figures
    python benchmarks/replay.py --write FILE         and keep them
                                 (benchmarks/results/replay.json)

The command runs as a process of its own, with the shipped bundle in which no rule is off, so
that each message is held against something. `seconds` and `lines_per_s` are by the clock, the
start included; `cpu_s` is of the process that judges and of the one beside it that reads,
`peak_mb` that of the larger. Records: 1 000 000 lines, 2 000 texts, 100 000 numbers, 20 senders:
with an outcome for every decision, as a gateway writes them; decisions alone; and those without
their texts, each in a tick of its own. Each of them open, and sealed.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.policy import Enforcement
from gateway.domain.records import DecisionRow, OutcomeRow, Row, Why
from gateway.records.archive import RecordArchive
from gateway.records.lines import RecordLines
from gateway.records.upkeep import seal_closed
from gateway.records.writer import HourFiles
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.gateway import keys_of, load_gateway, load_sealer
from gateway.stores import open_store

LINES = 1_000_000
TEXTS, NUMBERS, SENDERS, REFUSALS = 2_000, 100_000, 20, 10_000
LIMIT_PER_S = 100_000
_FIRST = 8613800000000
_EPOCH = 1_380_530_096.0
_PER_S = 400  # messages: some forty minutes, which lie in two hours
_TICK = 16
_POLICIES = Path(__file__).resolve().parents[1] / "policies"
_SHOPS = ("云尚百货", "春晓书店", "安康药房", "北岭农商行", "远帆旅行")
_PHRASES = (
    "【{shop}】您的登录验证码是{code}，5分钟内有效，请勿告诉他人。",
    "【{shop}】您尾号{tail}的账户今日支出{tail}元，如有疑问请致电客服。",
    "【{shop}】会员日全场满{tail}减三十，到店出示本短信，拒收请回复R",
    "【{shop}】包裹已放入{tail}号柜，取件码{code}，请于今晚取走。",
)
_GATEWAY = """\
version: 1
listeners: [{{name: plain, address: "127.0.0.1:2775"}}]
smscs: [{{name: main, address: "127.0.0.1:2776"}}]
store: {{url: "sqlite:///{directory}/smsward.db"}}
records: {{directory: "{directory}/cdr", texts: true}}
privacy: {{keys: "{directory}/keys.yaml", current: k1}}
"""
_PURPOSES = ("marketing", "service", "verification")


def decisions(
    count: int, seed: random.Random, *, tick: int, has_texts: bool
) -> Iterator[DecisionRow]:
    texts = [
        seed.choice(_PHRASES)
        .format(shop=seed.choice(_SHOPS), code=seed.randrange(10**6), tail=seed.randrange(10**4))
        .encode("utf-16-be")
        for _ in range(TEXTS)
    ]
    for number in range(count):
        sp = number % TEXTS % SENDERS  # each text is one SP's
        addresses = (b"10690%03d" % sp, b"%d" % (_FIRST + seed.randrange(NUMBERS)))
        at = _EPOCH + number // tick * tick / _PER_S
        about, why = (sp, f"sp{sp}", 4), Why("forward", "", "", "", "0123456789ab")
        text = (8, texts[number % TEXTS]) if has_texts else None
        yield ("d", at, about, number, *addresses, why, 0, text)


def bare(lines: int) -> Iterator[Row]:
    """Yield decisions as a gateway with little to do writes them, which keeps no texts."""
    yield from decisions(lines, random.Random(2013), tick=1, has_texts=False)


def alone(lines: int) -> Iterator[Row]:
    yield from decisions(lines - TEXTS, random.Random(2013), tick=_TICK, has_texts=True)


def answered(lines: int) -> Iterator[Row]:
    for row in alone((lines + TEXTS) // 2):
        yield row
        outcome: OutcomeRow = ("o", *row[1:4], 0, b"%d" % (10**9 + row[3]), 1500, "answered")
        yield outcome


def write_records(directory: Path, rows: Iterator[Row]) -> None:
    render, files, batch = RecordLines(), HourFiles(directory), list[Row]()
    for row in rows:
        batch.append(row)
        if len(batch) >= 10_000:
            _append(render, files, batch)
            batch.clear()
    _append(render, files, batch)
    files.close()


def _append(render: RecordLines, files: HourFiles, batch: list[Row]) -> None:
    for hour, _, octets in render.by_hour(batch):
        assert files.append(hour, octets)[1] is None


SHAPES = {"with outcomes": answered, "decisions only": alone, "without texts": bare}


def write_deployment(directory: Path) -> None:
    (directory / "gateway.yaml").write_text(_GATEWAY.format(directory=directory), encoding="utf-8")
    keys = directory / "keys.yaml"
    keys.write_text(f"k1: {b64encode(bytes(64)).decode()}\n", encoding="ascii")
    keys.chmod(0o600)
    senders = "".join(
        f'  - {{system_id: sp{sp}, password: "plain:secret", ports: [{{number: "10690{sp:03}",'
        f" purpose: {_PURPOSES[sp % 3]}}}]}}\n"
        for sp in range(SENDERS)
    )
    (directory / "senders.yaml").write_text(
        f"version: 1\nallow_plain_passwords: true\nsenders:\n{senders}", encoding="utf-8"
    )
    policies = directory / "policies"
    shutil.copytree(_POLICIES, policies)
    off = [rule.id for rule in load_bundle(policies).rules if rule.mode is Enforcement.OFF]
    (policies / "local.d" / "rules").mkdir(parents=True)
    (policies / "local.d" / "rules" / "all.yaml").write_text(
        "version: 1\nrules:\n" + "".join(f"  - {{id: {one}, mode: shadow}}\n" for one in off),
        encoding="utf-8",
    )


async def write_store(directory: Path) -> None:
    settings = load_gateway(directory / "gateway.yaml")
    stores = await open_store(settings.store.url, keys=keys_of(settings), deadline_s=60)
    now = datetime(2013, 9, 1, tzinfo=UTC)
    await stores.consent.record(
        [
            ConsentAnswer(_FIRST + number * 7, "sp0", Answer.REFUSED, now, "mo")
            for number in range(REFUSALS)
        ]
    )
    await stores.close()


def measured(directory: Path) -> dict[str, float]:
    """Run the command to its end; return what it took."""
    environment = os.environ | {
        "PYTHONPATH": str(_POLICIES.parent),
        "PYTHONPYCACHEPREFIX": str(directory / "bytecode"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    command = ("policy", "replay", str(directory / "policies"), "--config", str(directory))
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *command, "--json"],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    found = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    took_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return {
        "lines": found["lines"],
        "decisions": found["decisions"],
        "changed": found["changed"],
        "seconds": round(took_s, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss / 1000),
    }


def rated(figures: dict[str, float]) -> dict[str, float]:
    """Add what it comes to for each second by the clock."""
    return figures | {"lines_per_s": round(figures["lines"] / figures["seconds"])}


def seal(directory: Path) -> None:
    sealer = load_sealer(load_gateway(directory / "gateway.yaml"))
    assert sealer is not None
    seal_closed(RecordArchive(directory / "cdr"), sealer, 10**6, lambda _octets: None)


def shapes(lines: int) -> Iterator[tuple[str, dict[str, float]]]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_deployment(directory)
        asyncio.run(write_store(directory))
        archive = directory / "cdr"
        archive.mkdir()
        measured(directory)  # so that all is compiled to bytecode, as pip does
        yield "no records", measured(directory)
        for shape, rows in SHAPES.items():
            write_records(archive, rows(lines))
            yield shape, rated(measured(directory))
            seal(directory)
            yield f"{shape}, sealed", rated(measured(directory))
            shutil.rmtree(archive)


def main() -> int:
    """Measure, and return 1 when records of any shape are too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    measures = dict(shapes(arguments.lines))
    figures = {
        "command": "python benchmarks/replay.py",
        "python": platform.python_version(),
        "shapes": measures,
    }
    text = json.dumps(figures, indent=2, ensure_ascii=False)
    print(text)
    if arguments.write is not None:
        arguments.write.write_text(text + "\n", encoding="utf-8")
    slow = any(one.get("lines_per_s", LIMIT_PER_S) < LIMIT_PER_S for one in measures.values())
    return int(arguments.lines >= LINES and slow)


if __name__ == "__main__":
    sys.exit(main())
