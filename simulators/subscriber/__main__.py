"""Report spam as a subscriber: ``python -m simulators.subscriber report --sender 1069… --text …``.

The token of the app is in SMSWARD_APP_TOKEN, that of a proved number in SMSWARD_SESSION: neither
belongs into a command line. ``page`` serves a page for a phone at 127.0.0.1 until Ctrl-C.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from simulators.smsc.handset import write_mo
from simulators.subscriber.client import ApiError, SubscriberApp
from simulators.subscriber.page import Phone, PhoneServer, SpamMessage


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one thing, or serve the page; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "mo":
            return _print({"is_taken": _write(options, options.sender, options.text)})
        token, session = map(os.environ.get, ("SMSWARD_APP_TOKEN", "SMSWARD_SESSION"))
        with SubscriberApp(options.api, token or "", session or "") as app:
            return _act(app, options)
    except (ApiError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _act(app: SubscriberApp, options: argparse.Namespace) -> int:
    match options.command:
        case "code":
            app.ask_code(options.number)
            return _print({"asked": True})
        case "session":
            return _print({"token": app.prove(options.number, options.code)})
        case "report":
            given = SpamMessage(options.sender, options.text)
            item = app.report(given.source_id, given.sender, given.text, number=options.number)
            return _print(item)
        case "status":
            return _print(app.status(options.id))
        case _:
            return _serve(app, options)


def _serve(app: SubscriberApp, options: argparse.Namespace) -> int:
    lines = Path(options.messages).read_text(encoding="utf-8").splitlines()
    read = [json.loads(line) for line in lines if line.strip()]
    messages = [SpamMessage(str(one["sender"]), str(one["text"])) for one in read]
    by_message = partial(_write, options) if options.to else None
    phone = Phone(app, messages, number=options.number, write=by_message)
    with PhoneServer(phone, options.port) as server:
        _print({"page": server.origin})
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _write(options: argparse.Namespace, sender: str, text: str) -> bool:
    host, _, port = options.smsc.rpartition(":")
    said = f"{sender}*{text}"
    answer = asyncio.run(
        write_mo((host, int(port)), options.number, options.to, said, system_id=options.system_id)
    )
    return answer.is_ok


def _print(line: object) -> int:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.subscriber",
        description="Report spam as a subscriber. SMSWARD_APP_TOKEN has the token of the app.",
    )
    parser.add_argument("--api", default="http://127.0.0.1:8080", help="of `smsward console`")
    commands = parser.add_subparsers(dest="command", required=True)
    code = commands.add_parser("code", help="have a code sent to a number")
    session = commands.add_parser("session", help="exchange the code for SMSWARD_SESSION")
    session.add_argument("--code", required=True)
    report = commands.add_parser("report", help="report a message in one tap")
    status = commands.add_parser("status", help="ask how a complaint stands")
    status.add_argument("id", type=int)
    mo = commands.add_parser("mo", help="report by a message to a report code, as NUMBER*TEXT")
    page = commands.add_parser("page", help="serve a page for a phone at 127.0.0.1")
    page.add_argument("--messages", required=True, help='JSON Lines: {"sender": …, "text": …}')
    page.add_argument("--port", type=int, default=8090, help="0 takes a free one")
    for one in (code, session, mo):
        one.add_argument("--number", required=True, help="the subscriber's")
    for one in (report, page):
        one.add_argument("--number", default="", help="the subscriber's")
    for one in (report, mo):
        one.add_argument("--sender", required=True, help="who sent the message")
        one.add_argument("--text", required=True, help="the message")
    for one in (mo, page):
        one.add_argument("--to", default="", required=one is mo, help="the report code")
        one.add_argument("--smsc", default="127.0.0.1:2776", help="a simulated SMSC that runs")
        one.add_argument("--system-id", default="", help="the ESME that gets the message")
    return parser


if __name__ == "__main__":
    sys.exit(main())
