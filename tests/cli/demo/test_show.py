import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import pytest

Demo = Callable[..., CompletedProcess[str]]

pytestmark = pytest.mark.slow


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    """Return a function that runs `smsward demo` in a process of its own."""

    def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "gateway", "demo", *arguments],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return demo


def test_the_demo_shows_traffic_that_adds_up(demo: Demo) -> None:
    done = demo("--seconds", "2")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("preparing: the filter (the first start compiles it")
    assert "msg/s" in done.stdout
    assert "sent with: yes" in done.stdout
    assert "demo --keep opens it, and prints a link" in done.stdout
    for reason in ("CONTENT", "OPTED_OUT", "SOURCE_NOT_OWNED"):
        assert reason in done.stdout


def test_the_demo_is_json_for_programs_and_gives_way_where_a_port_is_taken(demo: Demo) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        taken = listening.getsockname()[1]

        done = demo("--seconds", "2", "--json", "--port", str(taken))

    ending = json.loads(done.stdout)
    assert done.returncode == 0
    assert f"port {taken} is taken" in done.stderr
    assert "policies: a copy of " in done.stderr
    assert ending["address"] != f"127.0.0.1:{taken}"
    assert ending["audit"]["balanced"] is True
    assert ending["read_otherwise_by_smpplib"] == 0
    told = ending["senders"]
    assert told["bank"]["refused"] == 0
    assert told["bank"]["forwarded"] > 0
    assert told["shop"]["refused"] > 0
    assert told["spammer"]["quarantined"] > 0
    assert ending["in_quarantine"] == ending["audit"]["in_quarantine"] > 0


def test_a_kept_demo_reloads_edited_policies_releases_what_people_let_go_and_ends_on_ctrl_c(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "gateway", "demo", "--keep", "--json"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        next(line for line in lines if "in quarantine " in line and "in quarantine 0" not in line)
        (directory,) = tmp_path.glob("smsward-demo-*")
        released = release_one(directory)
        keywords = directory / "policies" / "keywords" / "demo-reject.yaml"
        text = keywords.read_text(encoding="utf-8")
        keywords.write_text(text.replace("action: reject", "action: shadow"), encoding="utf-8")
        next(line for line in lines if line.endswith(" is in force\n"))
        keywords.write_text(text.replace("action: reject", "action: rejet"), encoding="utf-8")
        fault = next(line for line in lines if line.startswith("refused: "))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert released == "released"
    assert "demo-reject.yaml:7:9 " in fault
    assert json.loads(out)["audit"]["balanced"] is True


def test_on_a_terminal_the_console_stays_open_with_a_link_to_sign_in(tmp_path: Path) -> None:
    mine, its = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    with (
        os.fdopen(mine, encoding="utf-8", newline="", errors="replace") as screen,
        subprocess.Popen(
            [sys.executable, "-m", "gateway", "demo", "--seconds", "1"],
            env=env | {"TMPDIR": str(tmp_path), "TERM": "xterm", "COLUMNS": "200"},
            stdin=its,
            stdout=its,
            stderr=its,
        ) as process,
    ):
        os.close(its)
        lines = iter(screen.readline, "")
        next(line for line in lines if "stays open until Ctrl-C" in line)
        (link,) = link_in(lines)
        page = httpx.get(link, timeout=60, trust_env=False)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)

    assert (process.returncode, page.status_code) == (0, 200)
    assert 'name="password"' in page.text


def link_in(lines: Iterator[str]) -> list[str]:
    line = next(line for line in lines if "/enrol/" in line)
    return re.findall(r"http://127\.0\.0\.1:\d+/enrol/[\w-]+", line)


def release_one(directory: Path) -> str:
    def smsward(*arguments: str) -> list[dict[str, object]]:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "gateway", "quarantine", *arguments, "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        shown: list[dict[str, object]] = json.loads(done.stdout)
        return shown

    config = ("--config", str(directory / "config"))
    (held,) = smsward("list", "--state", "held", "--limit", "1", *config)
    (end,) = smsward("release", str(held["message_id"]), *config)
    return str(end["state"])


@pytest.mark.parametrize(
    "arguments", [("--seconds", "0"), ("--seconds", "1e9"), ("--port", "0"), ("--port", "70000")]
)
def test_a_demo_that_cannot_be_meant_is_a_misuse(demo: Demo, arguments: tuple[str, ...]) -> None:
    done = demo(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
