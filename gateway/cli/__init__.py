"""The `smsward` command."""

import sys
from collections.abc import Sequence

from gateway.cli.edge import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `arguments`, by default those of the process, and leave with the exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
