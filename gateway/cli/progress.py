"""The progress bar of long work."""

import sys

from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from gateway.cli.screen import console


def progress_bar() -> Progress:
    """Return a progress bar on the standard error, or one that shows nothing without a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console(sys.stderr),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
