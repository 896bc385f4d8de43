"""Run a simulated SMSC in the foreground: ``python -m simulators.smsc --port 2776``.

``python -m simulators.smsc mo --from 13800138000 --to 10690001 --text TD`` lets a subscriber write
to a port by way of one that runs.

SIGUSR1 prints one JSON line of counters and goes on; SIGTERM and SIGINT print it and leave.
"""

import argparse
import asyncio
import json
import signal
import ssl
import sys
from collections.abc import Sequence
from dataclasses import Field, asdict, fields
from pathlib import Path

from simulators.smsc.behaviour import Behaviour, IdStyle
from simulators.smsc.handset import write_mo
from simulators.smsc.server import SimulatedSmsc


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["mo"]:
        return asyncio.run(_write(_mo_parser().parse_args(given[1:])))
    options = _parser().parse_args(given)
    try:
        return asyncio.run(_serve(options))
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error}\n")
        return 1


async def _serve(options: argparse.Namespace) -> int:
    smsc = SimulatedSmsc(
        options.host, options.port, _behaviour(options), ssl=_tls(options.certificate, options.key)
    )
    leaving = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, leaving.set)
    loop.add_signal_handler(signal.SIGINT, leaving.set)
    loop.add_signal_handler(signal.SIGUSR1, _print_counters, smsc)
    async with smsc:
        _print_line({"listening": f"{smsc.host}:{smsc.port}"})
        await leaving.wait()
    _print_counters(smsc)
    return 0


async def _write(options: argparse.Namespace) -> int:
    """Write to a port as a subscriber; return 0 if the ESME took it."""
    try:
        answer = await write_mo(
            (options.host, options.port),
            *(options.source, options.to, options.text),
            system_id=options.system_id,
        )
    except OSError as error:
        sys.stderr.write(f"no SMSC at {options.host}:{options.port}: {error}\n")
        return 1
    _print_line({"command_status": f"0x{answer.command_status:08X}", "is_taken": answer.is_ok})
    return 0 if answer.is_ok else 1


def _mo_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.smsc mo",
        description="Write to a port as a subscriber, by way of a simulated SMSC that runs.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2776, help="of the simulated SMSC")
    parser.add_argument("--from", dest="source", required=True, help="the subscriber's number")
    parser.add_argument("--to", required=True, help="the port that is written to")
    parser.add_argument("--text", required=True)
    parser.add_argument(
        "--system-id",
        default="",
        help="the ESME that gets it; without it the first that is bound to receive",
    )
    return parser


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.smsc",
        description="A simulated SMSC. SIGUSR1 prints counters; SIGTERM prints them and leaves.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2776, help="0 takes a free one")
    parser.add_argument("--certificate", type=Path, help="PEM file; with --key, speak TLS")
    parser.add_argument("--key", type=Path, help="PEM file of the certificate's key")
    parser.add_argument(
        "--password",
        dest="passwords",
        action="append",
        metavar="SYSTEM_ID:PASSWORD",
        type=_credentials,
        help="who may bind; may be repeated; without it anyone may",
    )
    for behaviour in fields(Behaviour):
        if behaviour.name not in ("passwords", "journal_limit", "hold_answers"):
            _add_flag(parser, behaviour)
    # Nobody outside can read the journal, or release what is held.
    parser.set_defaults(journal_limit=0, hold_answers=False)
    return parser


def _add_flag(parser: argparse.ArgumentParser, behaviour: Field[object]) -> None:
    flag = "--" + behaviour.name.replace("_", "-")
    match behaviour.default:
        case bool():
            parser.add_argument(flag, action="store_true")
        case IdStyle() | None:
            parser.add_argument(flag, type=IdStyle, default=behaviour.default, metavar="STYLE")
        case int() | float():
            # int() with base 0 reads a status as 0x58 too.
            kind = float if isinstance(behaviour.default, float) else _integer
            parser.add_argument(flag, type=kind, default=behaviour.default, metavar="N")
        case _:
            raise TypeError(f"no flag for {behaviour.name}")


def _behaviour(options: argparse.Namespace) -> Behaviour:
    chosen = {field.name: getattr(options, field.name) for field in fields(Behaviour)}
    chosen["passwords"] = dict(options.passwords or ())
    return Behaviour(**chosen)


def _integer(text: str) -> int:
    return int(text, 0)


def _credentials(text: str) -> tuple[str, str]:
    system_id, colon, password = text.partition(":")
    if not colon:
        raise ValueError("expected SYSTEM_ID:PASSWORD")
    return system_id, password


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _print_counters(smsc: SimulatedSmsc) -> None:
    _print_line(asdict(smsc.counters))


def _print_line(content: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
