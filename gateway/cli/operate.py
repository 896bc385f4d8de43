"""The commands that run something: `run`, `console`, `demo`, `linkage run`; and `check`."""

# ruff: noqa: PLC0415 - see gateway.terminal

import json
import secrets
import sys
from base64 import b64encode
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from gateway.domain.api_client import ApiRole, RefusalChannel
from gateway.systems.early_warnings.cli import warnings
from gateway.systems.linkage.cli import linkage, linkage_in
from gateway.terminal.failure import CommandError, ExitCode, misused, run_async
from gateway.terminal.options import FLAG, USUAL_PLACES, AsJson, ConfigDirectory, Directories, Level
from gateway.terminal.screen import counted, print_json, progress_bar, say, visible


def run(
    *,
    directories: Directories = USUAL_PLACES,
    check_only: Annotated[
        bool, FLAG, Parameter("--check", help="Only read everything, as check does.")
    ] = False,
    no_console: Annotated[
        bool, FLAG, Parameter(help="Leave out the console, also where there is a console.yaml.")
    ] = False,
    log_level: Annotated[Level, Parameter(help="What is worth a line on stderr.")] = "info",
) -> int:
    """Run the gateway in the foreground, and its console (控制台) where there is a console.yaml.

    SIGTERM and Ctrl-C drain: what is under way is answered, both sides are unbound, and the
    exit code is 0; a second one stops at once. SIGHUP and saved files reload policies, senders
    and gateway.yaml; with a fault in them the old ones stay in force. The console is a process
    beside it, which is started again where it ends; no message waits for it.

    Example: smsward run --config /etc/smsward --policies /etc/smsward/policies
    """
    from gateway.runtime.passed_sockets import ignore_early_signals

    ignore_early_signals()
    from gateway.terminal.deployment import located_own

    config, policies, are_shipped = located_own(directories, "run")
    if check_only:
        return _check(config, policies, as_json=False)
    from gateway.runtime.logging import LogLevel, configure_logging

    events = configure_logging(level=LogLevel(log_level))
    tell_directories(config, policies, are_shipped=are_shipped)
    # Behind the first line, for it takes seconds.
    from gateway.app import run as app

    return app.run(config, policies, lambda: events.unlisted, has_console=not no_console)


def check(
    *,
    law: Annotated[
        Literal["cn", "us", "in", "uk", "fr"] | None,
        Parameter(help="Say as well what this law still lacks here."),
    ] = None,
    directories: Directories = USUAL_PLACES,
    as_json: AsJson = False,
) -> int:
    """Read configuration and policies, and print every fault as file:line:col.

    Nothing is started and nothing changed. The exit code is 2 when there is a fault.

    Example: smsward check --config config --policies policies --law cn
    """
    from gateway.terminal.deployment import located

    return _check(*located(directories), as_json=as_json, law=law)


_MAX_SECONDS, _MAX_PORT = 86_400, 65_535


def demo(
    *,
    seconds: Annotated[float, Parameter(help="How long there is traffic.")] = 10,
    keep: Annotated[
        bool, FLAG, Parameter(help="Go on until Ctrl-C; policies may be edited meanwhile.")
    ] = False,
    port: Annotated[int, Parameter(help="Where SPs bind; a free one when it is taken.")] = 2775,
    linkage: Annotated[
        bool, FLAG, Parameter(help="Two carriers and a hub instead: a complaint and its answer.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Show a gateway at work: an SMSC, three SPs and live traffic, all on loopback.

    A bank sends codes and notices, a retailer adverts that some subscribers refused, and a
    spammer what it hopes to get past the filter. At the end everything the SPs were told is
    compared with what the SMSC got and what is in quarantine; the exit code is 1 unless it
    agrees. On a terminal it opens the console (控制台), prints a one-time link to sign in, and
    keeps the pages open until Ctrl-C; elsewhere, and with --json, it ends by itself. Configuration,
    policies, store and records stay in a temporary directory. Needs the extra `demo`.

    With --linkage two carriers and a hub play instead: a subscriber of one reports a message that
    an SP of the other sent. The case goes to that carrier, the port is suspended, and the
    subscriber is told; one line for each step, with --json one event.

    Example: smsward demo --keep
    """
    import asyncio
    from importlib.util import find_spec

    from gateway.terminal.screen import console

    if not all(map(find_spec, ("smpplib", "aiosmpplib"))):
        raise misused("what the demo simulates with is missing: pip install 'smsward[demo]'")
    if linkage and (keep or (seconds, port) != (10, 2775)):
        raise misused("--linkage goes with --json alone")
    if not 0 < seconds <= _MAX_SECONDS:
        raise misused(f"--seconds: more than 0, at most {_MAX_SECONDS}")
    if not 1 <= port <= _MAX_PORT:
        raise misused(f"--port: 1 to {_MAX_PORT}")
    # The imports below compile the loops of the filter, where no earlier start has.
    console(sys.stderr if as_json else None).print(
        "preparing: the filter (the first start compiles it, which takes about half a minute)"
    )
    if linkage:
        from gateway.cli.demo.linkage_show import run_linkage_demo

        return asyncio.run(run_linkage_demo(as_json=as_json))

    from gateway.cli.demo.show import Wishes, run_demo

    return asyncio.run(run_demo(Wishes(seconds, port, keep=keep, as_json=as_json)))


def tell_directories(config: Path, policies: Path, *, are_shipped: bool) -> None:
    """Log which directories are read; as a warning if the policies are the shipped ones."""
    import structlog

    log = structlog.get_logger()
    places = {
        "config": str(config.absolute()),
        "policies": str(policies.absolute()),
        "working_directory": str(Path.cwd()),
    }
    if are_shipped:
        log.warning("directories.chosen", **places, shipped="policies", own_with="--policies DIR")
    else:
        log.info("directories.chosen", **places)


def _check(config: Path, policies: Path, *, as_json: bool, law: str | None = None) -> int:
    from gateway.cli.config_check import check_deployment

    return check_deployment(config, policies, as_json=as_json, law=law)


_MAX_SYSTEM_ID_CHARS = 15  # SMPP 3.4, 5.2.1, less its NUL
_KEY_OCTETS = 64  # AES-256 for either half of SIV
# What is read of a line; a password has at most eight octets.
_EXAMPLE = """\
write one; clients, which ask the API, may be left out (`smsward console new-token` prints a line):
version: 1
address: "127.0.0.1:8080"
clients:
  - {name: shop, role: sp, system_id: shop, token: "sha256:…"}
  - {name: 营业厅, role: clerk, channels: [hall], token: "sha256:…"}"""

console = App(name="console", sort_key=4)  # helped by what it does without a command


@console.default
def serve(
    *,
    directories: Directories = USUAL_PLACES,
    first_link: Annotated[
        bool,
        FLAG,
        Parameter(help="Print that one-time link also where there is no terminal."),
    ] = False,
    log_level: Annotated[Level, Parameter(help="What is worth a line on stderr.")] = "info",
) -> int:
    """Run the console (控制台) with the HTTP API for SPs and clerks, in the foreground.

    `smsward run` starts it by itself where there is a console.yaml: this is for a process, or a
    machine, of its own, on the same store. On a terminal it prints its address and, where no
    user can sign in yet, a one-time link by which `admin` sets password and code. Clients and
    address stand in console.yaml. SIGTERM and Ctrl-C stop it; SIGHUP and saved files reload
    clients and SPs, and the hours in which the policy lets subscribers be asked.

    Example: smsward console --config /etc/smsward --policies /etc/smsward/policies
    """
    from gateway.runtime.child_process import end_with_parent

    end_with_parent()
    from gateway.app.console import serve_console
    from gateway.runtime.logging import LogLevel, configure_logging
    from gateway.terminal.deployment import located_own

    config, policies, are_shipped = located_own(directories, "console")
    path = config / "console.yaml"
    if not path.exists():
        raise misused(f"there is no {path}, which says where the console answers", _EXAMPLE)
    configure_logging(level=LogLevel(log_level))
    tell_directories(config, policies, are_shipped=are_shipped)
    return serve_console(config, policies, say if first_link or sys.stdout.isatty() else None)


@warnings.command(name="watch")
def watch_ports(
    *,
    once: Annotated[
        bool, FLAG, Parameter(help="Judge what is there, say what was raised, and end.")
    ] = False,
    history: Annotated[
        int, Parameter(help="Days of records to read at the very first start, 0 to 28.")
    ] = 0,
    directories: Directories = USUAL_PLACES,
    log_level: Annotated[Level, Parameter(help="What is worth a line on stderr.")] = "info",
    as_json: AsJson = False,
) -> int:
    """Warn of what is out of the ordinary on ports over time (R95), until SIGTERM or Ctrl-C.

    A process of its own beside the gateway, on the same store: no message waits for it. It reads
    the records as they are written, complaints and refusals, and judges them every five minutes
    by detectors.yaml of the policies. Start it again after a change of senders or policies.

    Example: smsward warnings watch --config /etc/smsward --policies /etc/smsward/policies

    Example: smsward warnings watch --once --json
    """
    from gateway.app.detector_worker import WatchDeployment, serve_detectors, watch_once
    from gateway.domain.detector import BASELINE_DAYS
    from gateway.runtime.logging import LogLevel, configure_logging
    from gateway.terminal.deployment import bundle_in, load_settings, located, port_owners_of

    if not 0 <= history <= BASELINE_DAYS:
        raise misused(f"--history: 0 to {BASELINE_DAYS} days")
    config, policies = located(directories)
    watched = WatchDeployment(
        load_settings(config),
        bundle_in(policies),
        port_owners_of(config),
        timedelta(days=history),
    )
    configure_logging(level=LogLevel("error" if once else log_level))
    if not once:
        return serve_detectors(watched)
    done = run_async(watch_once(watched))
    if as_json:
        raised = [
            {"number": one.number, **one.gathered.kind._asdict(), "count": one.gathered.count}
            for one in done.raised
        ]
        print_json({"lines": done.lines, "raised": raised})
    else:
        say(f"lines of records: {done.lines}; warnings raised: {len(done.raised)}")
    return ExitCode.FINE


@linkage.command(name="run")
def serve_linkage_node(
    *,
    places: Directories = USUAL_PLACES,
    log_level: Annotated[Level, Parameter(help="What is worth a line on stderr.")] = "info",
) -> int:
    """Exchange cases with members over mTLS, in the foreground, until SIGTERM or Ctrl-C.

    A process of its own beside the gateway, on the same store. It takes events at the address
    of linkage.yaml, posts what waits in the outbox, and once a minute reads the outboxes of
    the others. Cases about a sender of another carrier go to its node, what comes is done to cases.

    Example: smsward linkage run --config /etc/smsward
    """
    from gateway.app.linkage import LinkageDeployment, serve_linkage
    from gateway.runtime.clock import utcnow
    from gateway.runtime.logging import LogLevel, configure_logging
    from gateway.runtime.sealing import signing_key
    from gateway.terminal.deployment import calendar_in, load_settings, located, port_owners_of

    directory, policies = located(places)
    settings = linkage_in(directory)
    public = signing_key(settings.key).public_key().public_bytes_raw()
    kid = settings.registry.kid_in_use(public, utcnow())
    if settings.tls is None or kid is None:
        raise misused(
            f"{directory / 'linkage.yaml'} has no tls, or `key` is no valid key of {settings.own}",
            "smsward linkage members lists the keys",
        )
    gateway = load_settings(directory)
    configure_logging(level=LogLevel(log_level))
    calendar, owners = calendar_in(policies), port_owners_of(directory)
    return serve_linkage(LinkageDeployment(gateway, settings, kid, owners, calendar))


@console.command
def new_token(
    *,
    name: Annotated[str, Parameter(help="What to call the client.")] = "client",
    role: Annotated[
        ApiRole,
        Parameter(help="What it is for: an SP, a clerk, the subscribers' app, or a person's role."),
    ] = ApiRole.SP,
    system_id: Annotated[str | None, Parameter(help="The SP that a client of role sp is.")] = None,
    channel: Annotated[
        list[RefusalChannel] | None,
        Parameter(negative="", help="A way whose refusals a clerk may record; hall unless said."),
    ] = None,
    province: Annotated[
        str | None, Parameter(help="The province that a client of role regulator sees.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Print a fresh token, and the line for console.yaml that knows it. The token is kept nowhere.

    Example: smsward console new-token --name shop --system-id sp1

    Example: smsward console new-token --name 营业厅 --role clerk --channel hall --json

    Example: smsward console new-token --name soc --role reviewer
    """
    from gateway.settings.console import client_name_problem
    from gateway.settings.credentials import digest_of

    problem = client_name_problem(name)
    if problem is not None:
        raise misused(f"--name: {visible(name[:40])}: {problem}")
    own = _own(role, system_id, channel or (), province)
    token = secrets.token_urlsafe(32)
    digest = f"sha256:{digest_of(token).hex()}"
    if as_json:
        print_json({"token": token, "client": {"name": name, "role": role, **own, "token": digest}})
        return ExitCode.FINE
    words = "".join(f", {key}: {_written(value)}" for key, value in own.items())
    say(f"for the client, kept nowhere else: {token}")
    say("for console.yaml, below clients:")
    say(f'  - {{name: {name}, role: {role}{words}, token: "{digest}"}}')
    say("the client sends it as the header Authorization: Bearer TOKEN")
    return ExitCode.FINE


keys = App(name="keys", help="Keys that records and the store are sealed with (密钥).", sort_key=9)


@keys.command
def new(*, key_id: Annotated[str, Parameter("--id", help="What to call it.")] = "k1") -> int:
    """Print a fresh key, one line for the file that privacy.keys in gateway.yaml names.

    To rotate, add a line with another id, name it in privacy.current, and keep the old lines:
    what was sealed with them is opened with them. Losing a key is losing what it sealed.

    Example: (umask 077; smsward keys new --id k1 > /etc/smsward/keys.yaml)

    Example: smsward keys new --id k2 >> /etc/smsward/keys.yaml
    """
    from gateway.runtime.sealing import KEY_ID

    if not KEY_ID.fullmatch(key_id):
        raise misused(f"--id: {visible(key_id[:40])}: an id has 1 to 16 of a-z, 0-9, - and _")
    say(f"{key_id}: {b64encode(secrets.token_bytes(_KEY_OCTETS)).decode()}")
    return ExitCode.FINE


@keys.command
def reseal(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Seal subscribers' numbers and texts in the store with the key that privacy.current names.

    Once keys are set up for a store that had none, and after each rotation: until then neither
    the gateway nor the API nor any command opens the store. Stop them first; a million answers
    take about a minute. Whatever stops this, call it again.

    Example: smsward keys reseal --config /etc/smsward
    """
    from gateway.storage.errors import StoreUnavailable
    from gateway.storage.open import is_made, place_of
    from gateway.stores import reseal_store
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import keys_at_hand

    settings = load_settings(config)
    sealing = keys_at_hand(settings)
    if sealing is None:
        raise misused(
            "there are no keys to seal with",
            "make one with `smsward keys new`, and name its file in gateway.yaml: privacy.keys",
        )
    url = settings.store.url
    if not is_made(url):
        raise CommandError(
            f"there is no store at {place_of(url)}",
            advice="name the gateway's --config, and call this from the directory it runs in;"
            " a new store is sealed from its first start",
        )
    with progress_bar() as progress:
        task = progress.add_task("sealing", total=None)
        try:
            rows = reseal_store(
                url,
                sealing,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
        except StoreUnavailable as error:
            raise CommandError(
                f"the store at {place_of(url)} is not resealed: {error}",
                advice="what was done is kept: call this again, and it goes on from there",
            ) from error
    if as_json:
        print_json({"key": sealing.current, "rows": rows})
    else:
        said = f"sealed anew: {counted(rows, 'row')}"
        say(f"{said}; the store is sealed with the key {sealing.current}")
    return ExitCode.FINE


def _own(
    role: ApiRole,
    system_id: str | None,
    channels: Sequence[RefusalChannel],
    province: str | None,
) -> dict[str, object]:
    """Return what a client of `role` has beside name and token. Raises CommandError."""
    if system_id is not None and role is not ApiRole.SP:
        raise misused(f"--system-id: only a client of the role sp speaks for an SP, not {role}")
    if channels and role is not ApiRole.CLERK:
        raise misused(f"--channel: only a client of the role clerk has channels, not {role}")
    if province is not None and role is not ApiRole.REGULATOR:
        raise misused(f"--province: only a client of the role regulator has one, not {role}")
    if role is ApiRole.REGULATOR:
        return {"province": _province(province)}
    if role is ApiRole.CLERK:
        return {"channels": list(dict.fromkeys(channels)) or [RefusalChannel.HALL]}
    if role is not ApiRole.SP:
        return {}
    if system_id is not None and not _is_system_id(system_id):
        raise misused("--system-id: 1 to 15 characters that can be shown, as in senders.yaml")
    return {"system_id": system_id or "…"}


def _province(name: str | None) -> str:
    """Return a province as console.yaml takes it. Raises CommandError."""
    from gateway.settings.console import province_problem

    problem = None if name is None else province_problem(name)
    if problem is not None:
        raise misused(f"--province: {problem}")
    return name or "…"


def _is_system_id(text: str) -> bool:
    return text.isprintable() and 1 <= len(text) <= _MAX_SYSTEM_ID_CHARS


def _written(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    # A string of JSON is one of YAML, whatever is in it.
    return str(value) if value == "…" else json.dumps(value, ensure_ascii=False)
