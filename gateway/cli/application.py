"""The tree of commands."""

from cyclopts import App

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
from gateway.cli.mistaken import mistaken

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
