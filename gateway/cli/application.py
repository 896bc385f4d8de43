"""The tree of commands, and its outer edge: exceptions become messages and exit codes."""

import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from importlib import import_module
from itertools import dropwhile
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Annotated, Literal

from cyclopts import (
    App,
    ArgumentCollection,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    Token,
    UnknownCommandError,
    UnknownOptionError,
)
from rich.text import Text

from gateway import __version__
from gateway.cli.backups import backup, restore
from gateway.cli.live import reload, status
from gateway.cli.operate import check, demo, run
from gateway.cli.records import trace
from gateway.domain.msisdn import masked
from gateway.systems import system_modules
from gateway.terminal.failure import CommandError, ExitCode
from gateway.terminal.options import NO_OPTIONS, is_option
from gateway.terminal.screen import visible

# However a number is written; a day is none (2025-11-25).
_NUMBER = re.compile(r"\d{8,}|\d+(?:[ -]\d{3,4}){2,}")
_BETWEEN = re.compile("[ -]")
_INTERRUPTED = 128 + signal.SIGINT


def mistaken(app: App, error: CycloptsError) -> Text:
    """Return what is wrong in the form of all other errors, and where the help is."""
    chain = tuple(error.command_chain or ())
    error = _unknown_option(app, error) or error
    absent = tuple(_absent(app, error)) if isinstance(error, MissingArgumentError) else ()
    said = f"{' '.join(chain)} needs {_listed(absent)}" if absent else str(error)
    if isinstance(error, CoercionError) and error.target_type is datetime:
        said = f"{said} Write a time as 2025-11-25, or as 2025-11-25T22:30+08:00."
    # A subscriber's number may have been given where none belongs.
    shown = _NUMBER.sub(lambda found: masked(_BETWEEN.sub("", found[0])), visible(said))
    return Text(f"error: {shown}\nhint: {' '.join(('smsward', *chain))} --help")


def _unknown_option(app: App, error: CycloptsError) -> UnknownOptionError | None:
    """Return the error for an option that there is not, with what it may have been.

    cyclopts says of a group that it is no command, and of a command which others are missing.
    """
    for command in error.command_chain or ():
        app = app[command]
    is_group = app.default_command is None
    options = NO_OPTIONS if is_group else app.assemble_argument_collection()
    match error:
        case UnknownOptionError(token=token):
            words = [token.keyword or token.value]
        case UnknownCommandError(unused_tokens=[str(word), *_]) if is_option(word):
            words = [word]
        case MissingArgumentError():
            words = list(_unknown_words(options, error.unused_tokens or ()))
        case _:
            words = []
    if not words:
        return None
    unknown = Token(keyword=words[0].partition("=")[0], source="cli")
    return UnknownOptionError(token=unknown, argument_collection=options, verbose=False)


def _unknown_words(options: ArgumentCollection, words: Iterable[str]) -> Iterator[str]:
    known = {name: option for option in options for name in option.names}
    before = None
    for word in words:
        # Of a text anything may be said: it may look like an option.
        is_value = before is not None and before.parameter.allow_leading_hyphen
        before = known.get(word)
        if is_option(word) and not is_value and word.partition("=")[0] not in known:
            yield word


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
smsward comes with is read, and a warning says so; run and console need a configuration of your own.
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
    # gateway.cli.application decides what an interrupt means.
    suppress_keyboard_interrupt=False,
)


def _command_modules() -> Iterator[ModuleType]:
    """Yield the module cli of each system, and the modules of one word beside this one.

    Those with an underscore in their name are work that a command imports when it is called.
    """
    yield from system_modules("cli")
    for one in iter_modules([str(Path(__file__).parent)]):
        name = f"{__package__}.{one.name}"
        if not one.ispkg and "_" not in one.name and name != __name__:
            yield import_module(name)


def _groups() -> Iterator[App]:
    """Yield the groups of commands that these modules make, without those below another."""
    found = [
        one for module in _command_modules() for one in vars(module).values() if type(one) is App
    ]
    below = {id(group[name]) for group in found for name in group}
    yield from {id(one): one for one in found if id(one) not in below}.values()


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(name="SHELL")], /) -> int:
    """Print the script by which a shell completes commands, options and their values.

    It is static: a shell does not call smsward to complete. Print it again after an upgrade.

    Example: smsward completion bash > ~/.local/share/bash-completion/completions/smsward

    Example: smsward completion zsh > ~/.zfunc/_smsward

    Example: smsward completion fish > ~/.config/fish/completions/smsward.fish
    """
    sys.stdout.write(app.generate_completion(prog_name=app.name[0], shell=shell))
    return ExitCode.FINE


# In the order in which a newcomer needs them.
app.command(demo, sort_key=1)
app.command(check, sort_key=2)
app.command(run, sort_key=3)
app.command(status, sort_key=3)
app.command(reload, sort_key=3)
app.command(trace, sort_key=8)
app.command(backup, sort_key=9)
app.command(restore, sort_key=9)
app.command(completion, sort_key=99)
for _group in _groups():
    app.command(_group)


def run_line(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code.

    Mistakes of the person at the terminal are said on the standard error, with what to do
    about them. A traceback means a fault of smsward's own.
    """
    try:
        code = app(
            arguments,
            exit_on_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except CycloptsError:
        return ExitCode.MISUSED  # cyclopts has said what is wrong
    except CommandError as error:
        _say(f"error: {error}", f"hint: {error.advice}" if error.advice else "")
        return error.exit_code
    except BrokenPipeError:
        return _nobody_reads()
    except KeyboardInterrupt:
        return _INTERRUPTED
    # The listing of commands and --version return nothing.
    return code if isinstance(code, int) else ExitCode.FINE


def _say(*lines: str) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in lines if line))


def _nobody_reads() -> int:
    """End quietly when the reader of a pipe has gone, as `| head` does."""
    # The interpreter flushes once more at its end, and must not find the pipe again.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return ExitCode.FAILED
