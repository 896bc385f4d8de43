"""What a subscriber's app asks of the HTTP API: to report spam, and how a report stands."""

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx

_ANSWER_S = 10.0


class ApiError(Exception):
    """The API refused a request, or did not answer; the text is for people."""


class SubscriberApp:
    """An app of `POST /v1/complaints` with its `token`; with a `session` the reporter is proved."""

    def __init__(
        self,
        url: str,
        token: str,
        session: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        if session:
            headers["Subscriber-Session"] = session
        self._client = httpx.Client(
            base_url=url, headers=headers, timeout=_ANSWER_S, transport=transport, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def ask_code(self, number: str) -> None:
        """Have a code sent to a number. Raises ApiError, as every call."""
        self._ask("POST", "/v1/subscribers/codes", {"number": number})

    def prove(self, number: str, code: str) -> str:
        """Exchange the code for a session; return its token."""
        answer = self._ask("POST", "/v1/subscribers/sessions", {"number": number, "code": code})
        return str(answer["token"])

    def report(self, source_id: str, sender: str, text: str, *, number: str = "") -> dict[str, Any]:
        """Report a message; return what came of it, with the `id` of the complaint.

        The same `source_id` again is the same complaint.
        """
        at = time.time()  # noqa: TID251 - no simulator imports the gateway's clock
        body = {
            "source_id": source_id,
            "sender": sender,
            "text": text,
            "reported_at": datetime.fromtimestamp(at, UTC).isoformat(),
        }
        if number:
            body["reporter"] = number
        item: dict[str, Any] = self._ask("POST", "/v1/complaints", body)["items"][0]
        return item

    def status(self, complaint: int) -> dict[str, Any]:
        """Return how a complaint stands."""
        return self._ask("GET", f"/v1/complaints/{complaint}")

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            answer = self._client.request(method, path, json=body)
            said: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ApiError(f"the API does not answer: {type(error).__name__}") from error
        if answer.is_error:
            raise ApiError(str(said.get("detail") or said.get("title") or answer.status_code))
        return said
