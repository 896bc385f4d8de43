"""A page for a phone: what it received, each message with a button that reports it in one tap.

It stands on loopback alone, for whoever can open it acts as the subscriber.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from simulators.subscriber.client import ApiError, SubscriberApp

MOST_MESSAGES = 200
_MAX_BODY_OCTETS = 4_096
_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
_TEXT: dict[str, dict[str, str]] = {
    "zh": {
        "title": "短信",
        "report": "举报垃圾短信",
        "mo": "发短信举报",
        "ask": "查询进度",
        "reported": "已举报，编号",
        "sent": "举报短信已发送",
        "unsent": "举报短信未能发送",
        "state": "进度",
        "shielded": "该端口的商业短信不会再发给您",
        "none": "没有短信",
        "other": "English",
        "received": "已受理",
        "need_info": "待补充",
        "valid": "已核实",
        "invalid": "未成立",
        "clustered": "处理中",
        "closed": "已办结",
    },
    "en": {
        "title": "Messages",
        "report": "Report spam",
        "mo": "Report by message",
        "ask": "How does it stand?",
        "reported": "Reported, number",
        "sent": "The report was sent as a message",
        "unsent": "The message could not be sent",
        "state": "State",
        "shielded": "You get no more adverts from this sender",
        "none": "No messages",
        "other": "中文",
        "received": "received",
        "need_info": "incomplete",
        "valid": "confirmed",
        "invalid": "not confirmed",
        "clustered": "in work",
        "closed": "closed",
    },
}
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --act: #b3261e; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 0 1rem 2rem;
  font: 1rem/1.5 system-ui, "Noto Sans CJK SC", sans-serif; }
header { display: flex; justify-content: space-between; align-items: baseline; }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
li { border: 1px solid var(--line); border-radius: .75rem; padding: 1rem;
  display: flex; flex-direction: column; gap: .5rem; }
h2 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
p { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; flex: 1; }
form { display: flex; flex-wrap: wrap; gap: .5rem; }
button { flex: 1 1 9rem; min-height: 3rem; border: 1px solid var(--act); border-radius: .5rem;
  font: inherit; background: none; color: inherit; }
button.main { background: var(--act); color: #fff; }
.told { font-weight: 600; flex: none; }
"""


@dataclass(frozen=True, slots=True)
class SpamMessage:
    """A message that the phone received."""

    sender: str
    text: str

    @property
    def source_id(self) -> str:
        """Return the id of its report: one message is reported once, however often it is tapped."""
        return sha256(f"{self.sender}\n{self.text}".encode()).hexdigest()[:32]


class Outcome(NamedTuple):
    """What the subscriber is told: words of the page by their key, each with what stands behind.

    A state is told in the words of the page, too.
    """

    words: tuple[tuple[str, str], ...] = ()
    state: str = ""
    fault: str = ""

    def said(self, words: dict[str, str]) -> str:
        """Return it in a language."""
        parts = [f"{words[key]} {value}".strip() for key, value in self.words]
        if self.state:
            parts.append(f"{words['state']}: {words.get(self.state, self.state)}")
        return ". ".join([*parts, self.fault]) if self.fault else ". ".join(parts)


class Phone:
    """A subscriber's phone: its messages, and what was done about each.

    `write` sends a report by message, given the sender and the text; None where there is no SMSC.
    """

    def __init__(
        self,
        app: SubscriberApp,
        messages: list[SpamMessage],
        *,
        number: str = "",
        write: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._app = app
        self._number = number
        self._write = write
        self._lock = threading.Lock()
        self._reported: dict[int, int] = {}
        self.messages = messages[:MOST_MESSAGES]
        self.told: dict[int, Outcome] = {}

    def act(self, place: int, action: str) -> None:
        """Do what a button asks for, and note what the subscriber is told."""
        message = self.messages[place]
        with self._lock:
            try:
                self.told[place] = self._done(place, message, action)
            except (ApiError, OSError) as error:
                self.told[place] = Outcome(fault=str(error))

    def _done(self, place: int, message: SpamMessage, action: str) -> Outcome:
        if action == "mo" and self._write is not None:
            is_taken = self._write(message.sender, message.text)
            return Outcome((("sent", ""),)) if is_taken else Outcome((("unsent", ""),))
        if action == "ask" and place in self._reported:
            return Outcome(state=str(self._app.status(self._reported[place])["state"]))
        item = self._app.report(
            message.source_id, message.sender, message.text, number=self._number
        )
        self._reported[place] = int(item["id"])
        shielded = (("shielded", ""),) if item["is_shielded"] else ()
        return Outcome((("reported", str(item["id"])), *shielded))

    def buttons(self, place: int) -> list[str]:
        """Return the actions that a message offers, the main one first."""
        first = "ask" if place in self._reported else "report"
        return [first] if self._write is None else [first, "mo"]


def page_of(phone: Phone, language: str) -> str:
    """Return the page in a language, zh or en."""
    words, other = _TEXT[language], "en" if language == "zh" else "zh"
    items = "".join(
        f"<li><h2>{escape(one.sender)}</h2><p>{escape(one.text)}</p>{_told(phone, place, words)}"
        f'<form method="post" action="/?lang={language}">'
        f'<input type="hidden" name="place" value="{place}">'
        + "".join(
            f'<button name="action" value="{action}"{" class=main" if action == "report" else ""}>'
            f"{words[action]}</button>"
            for action in phone.buttons(place)
        )
        + "</form></li>"
        for place, one in enumerate(phone.messages)
    )
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{words['title']}</title><style>{_STYLE}</style>"
        f"<header><h1>{words['title']}</h1>"
        f'<a href="/?lang={other}" lang="{other}" hreflang="{other}">{words["other"]}</a></header>'
        f"<main>{f'<ul>{items}</ul>' if items else words['none']}</main></html>"
    )


def _told(phone: Phone, place: int, words: dict[str, str]) -> str:
    told = phone.told.get(place)
    said = "" if told is None else escape(told.said(words))
    return f'<p class="told" role="status">{said}</p>' if said else ""


class PhoneServer(ThreadingHTTPServer):
    """Serves the page of one phone at 127.0.0.1; port 0 lets the system choose."""

    daemon_threads = True

    def __init__(self, phone: Phone, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _PageRequest)
        self.phone = phone
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"


class _PageRequest(BaseHTTPRequestHandler):
    """One request of a browser."""

    server: PhoneServer
    timeout = 10

    def do_GET(self) -> None:
        if self._is_own():
            self._answer(page_of(self.server.phone, self._language()))

    def do_POST(self) -> None:
        """Act, and let the browser read the page again: reading again acts no more."""
        if not self._is_own():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > _MAX_BODY_OCTETS:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        fields = parse_qs(self.rfile.read(int(length)).decode("ascii", "replace"))
        place, action = (fields.get(name, [""])[0] for name in ("place", "action"))
        phone, language = self.server.phone, self._language()
        known = {str(number): number for number in range(len(phone.messages))}
        if place not in known or action not in {"report", "mo", "ask"}:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        phone.act(known[place], action)
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", f"/?lang={language}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing: the phone is its owner's."""

    def _language(self) -> str:
        """Return the language of the link, else that of the browser."""
        asked = parse_qs(urlsplit(self.path).query).get("lang", [""])[0]
        is_chinese = self.headers.get("Accept-Language", "").lower().startswith("zh")
        return asked if asked in _TEXT else "zh" if is_chinese else "en"

    def _is_own(self) -> bool:
        """Tell whether the page itself asks, and not another site that this browser shows."""
        host = self.server.origin.removeprefix("http://")
        is_own = self.headers.get("Host") == host and (
            self.headers.get("Origin", self.server.origin) == self.server.origin
        )
        if not is_own:
            self.send_error(HTTPStatus.FORBIDDEN)
        elif urlsplit(self.path).path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            return True
        return False

    def _answer(self, page: str) -> None:
        octets = page.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(octets)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _CONTENT_POLICY)
        self.end_headers()
        self.wfile.write(octets)
