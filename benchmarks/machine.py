"""What a result file says of where and of what it was taken: nothing that names this machine."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.in_process import ROUNDS, calibration

ROOT = Path(__file__).resolve().parent.parent


def about() -> dict[str, object]:
    """Return date, commit and machine, with the calibration loop of `in_process` as its speed."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit(),
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
            "calibration_us": round(min(calibration() for _ in range(ROUNDS)), 3),
        },
    }


def write_results(path: Path, command: str, results: Mapping[str, object]) -> None:
    """Write the `results` of a command, and what `about` says, as JSON."""
    found = {"command": command, **about(), "results": results}
    text = json.dumps(found, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def commit() -> str:
    """Return the commit that was measured, with a plus when files were changed since."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()

    found = git("rev-parse", "--short=7", "HEAD") or "unknown"
    return found + "+" if git("status", "--porcelain", "gateway", "policies") else found
