"""The tree of commands."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import dropwhile

from cyclopts import App, CoercionError, CycloptsError, MissingArgumentError
from rich.text import Text

from gateway import __version__
from gateway.cli.commands.api import api
from gateway.cli.commands.consent import consent
from gateway.cli.commands.demonstrate import demo
from gateway.cli.commands.filings import filings
from gateway.cli.commands.filter import filter_commands
from gateway.cli.commands.keys import keys
from gateway.cli.commands.notices import notices
from gateway.cli.commands.operate import check, run
from gateway.cli.commands.policy import policy
from gateway.cli.commands.preferences import preferences
from gateway.cli.commands.quarantine import quarantine
from gateway.cli.commands.records import records
from gateway.cli.commands.reports import reports
from gateway.cli.commands.sender import sender
from gateway.cli.commands.subscription import subscription
from gateway.cli.commands.suspension import suspension
from gateway.cli.commands.warnings import warnings
from gateway.cli.commands.why import explain
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


_HELP = """\
An SMPP gateway against spam SMS: it judges what service providers submit and passes the rest on.

See it work:  smsward demo

Before a start:  smsward check --config config --policies policies

In earnest:  smsward run --config config --policies policies

Without --config, gateway.yaml is looked for in /etc/smsward, then in ./config; without
--policies, bundle.yaml in /etc/smsward/policies, then in ./policies. Where there is none, what
smsward comes with is read, and a warning says so; run and api need a configuration of your own.
"""

_EXIT_CODES = """\
Exit codes: 0 all is well; 1 it went wrong while it ran; 2 the command line or the configuration
is wrong. What is wrong is said on the standard error.
"""

app: App = App(
    name="smsward",
    help=_HELP,
    help_epilogue=_EXIT_CODES,
    version=__version__,
    error_formatter=lambda error: mistaken(app, error),
    # gateway.cli.edge decides what an interrupt means.
    suppress_keyboard_interrupt=False,
)

# In the order in which a newcomer needs them.
app.command(demo, sort_key=1)
app.command(check, sort_key=2)
app.command(run, sort_key=3)
for _commands in (
    api,
    explain,
    policy,
    quarantine,
    warnings,
    reports,
    consent,
    notices,
    subscription,
    preferences,
    suspension,
    filings,
    filter_commands,
    sender,
    records,
    keys,
):
    app.command(_commands)
