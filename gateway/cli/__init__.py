"""The `smsward` command."""

import sys
from collections.abc import Sequence

from gateway.cli.application import run_line


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `arguments`, by default those of the process, and leave with the exit code."""
    sys.exit(run_line(sys.argv[1:] if arguments is None else arguments))
