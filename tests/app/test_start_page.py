"""The SP of docs/start.md, as it stands there, against a gateway with the shipped lists."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import socket

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


def blocks_of(page: str, language: str) -> list[str]:
    return re.findall(rf"(?s)```{language}\n(.*?)```", page)


def free_port() -> int:
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Reader:
    """Who follows the page from the top, with ports of its own, in a copy of the samples."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = {"2775": str(free_port()), "2776": str(free_port())}
        self.environment = os.environ | {"HOME": str(directory), "PYTHONPATH": str(ROOT)}
        for name in ("config", "policies"):
            shutil.copytree(ROOT / name, directory / name)
        self.edit(lambda text: text)

    def edit(self, change: Callable[[str], str]) -> None:
        """Write config/gateway.yaml anew."""
        path = self.directory / "config/gateway.yaml"
        path.write_text(self.own(change(path.read_text(encoding="utf-8"))), encoding="utf-8")

    def own(self, text: str) -> str:
        for port, free in self.ports.items():
            text = text.replace(port, free)
        return text

    def words(self, line: str) -> list[str]:
        """Return the arguments of a line of the page, as they are run here."""
        words = shlex.split(self.own(line), comments=True)
        if words[0] == "smsward":
            return [sys.executable, "-m", "gateway", *words[1:]]
        assert words[0] == ".venv/bin/python", line
        words[0] = sys.executable
        # The simulator of the page stands at its default port.
        return [*words, "--port", self.ports["2776"]] if words[3:4] == ["mo"] else words

    def run(self, line: str) -> str:
        """Run a line to its end; return what it printed."""
        command, _, _file = line.partition(" > ")
        ran = subprocess.run(  # noqa: S603 - the page's own lines
            self.words(command),
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, (line, ran.stdout, ran.stderr)
        return ran.stdout

    @contextmanager
    def running(self, line: str, says: str, answers: str = "") -> Iterator[subprocess.Popen[str]]:
        """Run a line beside the others until the end, once it has said `says`."""
        with subprocess.Popen(  # noqa: S603 - as above
            self.words(line),
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            said = []
            for printed in process.stdout:
                said.append(printed)
                if says in printed:
                    break
            else:
                raise AssertionError(f"{line} ended: {said}")
            try:
                yield process
                if answers:
                    process.communicate(answers, timeout=30)
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                    process.communicate(timeout=60)


@pytest.mark.slow
def test_every_command_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs/start.md").read_text(encoding="utf-8")
    lines = [line for block in blocks_of(page, "sh") for line in block.splitlines()]
    reader = Reader(tmp_path)
    demo, check, run, simulator, *asked, listed, shown, released, mo = lines[:-3]

    # The demo is the line of README, which .ci/run runs.
    assert demo in (ROOT / "README.md").read_text(encoding="utf-8")
    reader.run(check)
    with ExitStack() as stack:
        stack.enter_context(reader.running(simulator, "listening"))
        with reader.running(run, "gateway.started"):
            verdict, *others = [reader.run(line) for line in asked]
            assert "REJECT" in verdict.upper()
            assert all(others)

            (code,) = blocks_of(page, "python")
            (tmp_path / "submit.py").write_text(reader.own(code), encoding="utf-8")
            waiting = reader.running(".venv/bin/python -u submit.py", "taken: ", "\n")
            with waiting:
                rows = json.loads(reader.run(f"{listed} --json"))
                number = str(rows[0]["message_id"])
                assert number in reader.run(listed)
                assert "无视征信黑白户" in reader.run(shown.replace("ID", number))
                assert number in reader.run(released.replace("ID", number))

        (own_bind,) = [block for block in blocks_of(page, "yaml") if "own_bind" in block]
        entry = own_bind.splitlines()[1]
        reader.edit(lambda text: re.sub(r"(?m)^  - \{name: main, .*$", lambda _: entry, text))
        with reader.running(run, "gateway.started"):
            assert '"is_taken": true' in reader.run(mo)
            kept = reader.run("smsward consent show 13800138000 --json")
            assert {"refused", "mo"} <= set(re.findall(r'"(\w+)"', kept))
    for line in lines[-3:]:
        assert reader.run(line)
