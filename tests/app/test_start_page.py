"""The SP of docs/start.md, as it stands there, against a gateway with the shipped lists."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import HoldState

Start = Callable[..., Awaitable[Gateway]]

ROOT = Path(__file__).resolve().parents[2]


def shipped(*paths: str) -> dict[str, str]:
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in paths}


@pytest.mark.parametrize(
    ("instead", "says", "held"),
    [("", r"taken: [0-9]{1,20}\nEnter.*", 1), ("代开发票", r"refused: 0x45\nEnter.*", 0)],
)
async def test_the_client_of_the_page_hears_what_the_page_says(
    start: Start, tmp_path: Path, instead: str, says: str, held: int
) -> None:
    gateway = await start(shipped("policies/keywords/loan.yaml", "policies/keywords/loan.txt"))
    _, port = gateway.addresses["plain"]
    page = (ROOT / "docs/start.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"(?s)```python\n(.*?)```", page)
    script = tmp_path / "submit.py"
    text = code.replace("2775", str(port)).replace("无视征信黑白户", instead or "无视征信黑白户")
    script.write_text(text, encoding="utf-8")

    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        input="\n",
        check=False,
        timeout=30,
    )

    assert (ran.returncode, re.fullmatch(says, ran.stdout) is not None) == (0, True), ran
    counts = await gateway.stores.quarantine.count_by_state()
    assert counts[HoldState.HELD] == held
