"""`smsward records`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import AsJson

records = App(name="records", help="Read the records of decisions and outcomes (CDR).", sort_key=8)


@records.command
def show(
    place: Annotated[Path, Parameter(name="FILE|DIR")],
    /,
    *,
    limit: Annotated[int, Parameter(help="The last so many.")] = 50,
    as_json: AsJson = False,
) -> int:
    """Show the last records of one file, or of a directory. Subscribers' numbers are masked.

    With --json each record is one line of JSON, as in the files.

    Example: smsward records show var/cdr --limit 20
    """
    from gateway.cli.reading import show_records

    return show_records(place, limit, as_json=as_json)
