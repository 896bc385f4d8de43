"""What is said of a command line that cannot be read."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import dropwhile

from cyclopts import App, CoercionError, CycloptsError, MissingArgumentError
from rich.text import Text

from gateway.cli.screen import visible
from gateway.domain.msisdn import masked

# However a number is written; a day is none (2025-11-25).
_NUMBER = re.compile(r"\d{8,}|\d+(?:[ -]\d{3,4}){2,}")
_BETWEEN = re.compile("[ -]")


def mistaken(app: App, error: CycloptsError) -> Text:
    """Return what is wrong in the form of all other errors, and where the help is."""
    chain = tuple(error.command_chain or ())
    absent = tuple(_absent(app, error)) if isinstance(error, MissingArgumentError) else ()
    said = f"{' '.join(chain)} needs {_listed(absent)}" if absent else str(error)
    if isinstance(error, CoercionError) and error.target_type is datetime:
        said = f"{said} Write a time as 2025-11-25, or as 2025-11-25T22:30+08:00."
    # A subscriber's number may have been given where none belongs.
    shown = _NUMBER.sub(lambda found: masked(_BETWEEN.sub("", found[0])), visible(said))
    return Text(f"error: {shown}\nhint: {' '.join(('smsward', *chain))} --help")


def _absent(app: App, error: MissingArgumentError) -> Iterator[str]:
    """Yield all that has to be given and is not, where cyclopts tells of the first one only.

    Nothing where an option was given without its value.
    """
    for command in error.command_chain or ():
        app = app[command]
    first = error.argument.name if error.argument is not None else ""
    given = {token.partition("=")[0] for token in error.root_input_tokens or ()}
    # They are read in order: what stands before the first that is missing was there.
    for one in dropwhile(lambda one: one.name != first, app.assemble_argument_collection()):
        if one.required and not one.children and given.isdisjoint(one.names):
            yield one.name


def _listed(names: tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
