"""A subscriber who reports: by the API, by message, and on the page for a phone."""

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.smsc.handset import write_mo
from simulators.subscriber import ApiError, Phone, PhoneServer, SpamMessage, SubscriberApp
from simulators.subscriber.__main__ import main

SENDER, TEXT, NUMBER = "106900010001", "低息贷款<b>当天</b>放款", "13800138000"
OWN = SpamMessage(SENDER, TEXT)
LONG = {"place": "0", "action": "report" * 1_000}


class FakeApi:
    """Answers as `smsward console` does, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object]] = []
        self.headers: httpx.Headers | None = None
        self.is_shielded = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.headers = request.headers
        self.asked.append((request.method, request.url.path, body))
        match request.method, request.url.path:
            case "POST", "/v1/complaints":
                item = {"id": 17, "state": "received", "is_shielded": self.is_shielded}
                return httpx.Response(202, json={"items": [item]})
            case "GET", "/v1/complaints/17":
                return httpx.Response(200, json={"id": 17, "state": "clustered"})
            case "POST", "/v1/subscribers/sessions":
                return httpx.Response(201, json={"token": "s-1"})
            case "POST", "/v1/subscribers/codes":
                return httpx.Response(202, json={"valid_s": 600})
            case _:
                return httpx.Response(404, json={"title": "not found"})


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


def app_of(api: FakeApi, session: str = "") -> SubscriberApp:
    return SubscriberApp("http://api", "secret", session, transport=httpx.MockTransport(api))


@pytest.fixture
def written() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def page(api: FakeApi, written: list[tuple[str, str]]) -> Iterator[httpx.Client]:
    """Serve the page of a phone with one message; return a browser at it."""

    def write(sender: str, text: str) -> bool:
        written.append((sender, text))
        return True

    phone = Phone(app_of(api), [OWN], number=NUMBER, write=write)
    with PhoneServer(phone) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        with httpx.Client(
            base_url=server.origin, trust_env=False, follow_redirects=True
        ) as browser:
            yield browser
        server.shutdown()
        serving.join()


def tap(page: httpx.Client, action: str, language: str = "zh", **headers: str) -> httpx.Response:
    fields = {"place": "0", "action": action}
    return page.post(f"/?lang={language}", data=fields, headers=headers)


def test_a_number_is_proved_and_a_report_names_the_session(api: FakeApi) -> None:
    with app_of(api) as app:
        app.ask_code(NUMBER)
        session = app.prove(NUMBER, "123456")
    with app_of(api, session) as app:
        item = app.report("x1", SENDER, TEXT, number=NUMBER)

    assert item["id"] == 17
    assert api.headers is not None
    assert api.headers["Subscriber-Session"] == "s-1"
    assert api.headers["Authorization"] == "Bearer secret"
    _, _, body = api.asked[-1]
    assert isinstance(body, dict)
    assert (body["source_id"], body["sender"], body["text"]) == ("x1", SENDER, TEXT)


def test_what_the_api_refuses_is_told(api: FakeApi) -> None:
    with app_of(api) as app, pytest.raises(ApiError, match="not found"):
        app.status(18)


def test_r81_one_tap_reports_a_message_and_the_next_asks_how_it_stands(
    page: httpx.Client, api: FakeApi
) -> None:
    before = page.get("/?lang=zh").text
    reported = tap(page, "report").text
    asked = tap(page, "ask").text

    assert "举报垃圾短信" in before
    assert "低息贷款&lt;b&gt;当天&lt;/b&gt;放款" in before
    assert "已举报，编号 17" in reported
    assert "该端口的商业短信不会再发给您" in reported
    assert "举报垃圾短信" not in reported
    assert "进度: 处理中" in asked
    assert [(method, path) for method, path, _ in api.asked] == [
        ("POST", "/v1/complaints"),
        ("GET", "/v1/complaints/17"),
    ]


def test_the_page_is_in_english_too_also_what_was_told_in_chinese(page: httpx.Client) -> None:
    tap(page, "report")

    shown = page.get("/?lang=en").text
    by_browser = page.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).text

    assert "Reported, number 17" in shown
    assert '<html lang="en">' in shown
    assert '<html lang="zh">' in by_browser


def test_r80_a_report_by_message_is_offered_where_there_is_an_smsc(
    page: httpx.Client, written: list[tuple[str, str]]
) -> None:
    assert "举报短信已发送" in tap(page, "mo").text
    assert written == [(SENDER, TEXT)]


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}])
def test_another_site_acts_not_as_the_subscriber(
    page: httpx.Client, api: FakeApi, headers: dict[str, str]
) -> None:
    assert tap(page, "report", **headers).status_code == 403
    assert api.asked == []


@pytest.mark.parametrize("fields", [{"place": "7", "action": "report"}, {"place": "0"}, {}, LONG])
def test_a_button_that_the_page_has_not_does_nothing(
    page: httpx.Client, api: FakeApi, fields: dict[str, str]
) -> None:
    assert page.post("/", data=fields).status_code == 400
    assert page.get("/favicon.ico").status_code == 404
    assert api.asked == []


async def test_r80_a_message_to_a_report_code_reaches_the_esme_that_is_bound() -> None:
    async with SimulatedSmsc() as smsc:
        esme = await RawEsme.connect(smsc.host, smsc.port)
        assert await esme.bind("gw", "", "trx") == 0

        answer = await write_mo((smsc.host, smsc.port), NUMBER, "12321", f"{SENDER}*{TEXT}")

        assert answer.is_ok
        assert b"12321" in await esme.next_pdu()
        esme.close()


def test_a_command_tells_why_it_failed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMSWARD_APP_TOKEN", "secret")

    code = main(["--api", "http://127.0.0.1:1", "report", "--sender", SENDER, "--text", TEXT])

    assert code == 1
    assert "the API does not answer: ConnectError" in capsys.readouterr().err
