"""Who is beside an attack or a flood: a light sender, and whoever asks for health or the API."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from simulators import builders
from simulators.esme import UNANSWERED, RawEsme
from simulators.wire import header_of
from tests.real_time import pause

PROBE_EVERY_S, PROBE_WITHIN_S = 1.0, 8.0
NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class Message:
    """One text to one number, in as many short_messages as it takes."""

    source: str
    destination: str
    parts: tuple[bytes, ...]

    def pdus(self, esme: RawEsme) -> list[bytes]:
        """Return a submit_sm for each part."""
        esm_class = builders.UDH_INDICATOR if len(self.parts) > 1 else 0
        return [
            builders.submit_sm(
                self.source,
                self.destination,
                part,
                esm_class=esm_class,
                sequence=esme.next_sequence(),
            )
            for part in self.parts
        ]


@dataclass(frozen=True, slots=True)
class Answered:
    """One PDU: when it was sent and answered, in seconds of time.time(), and its status."""

    destination: str
    sent_at: float
    answered_at: float
    status: int


@dataclass(slots=True)
class Log:
    """What a light sender has heard."""

    answers: list[Answered] = field(default_factory=list)

    @property
    def statuses(self) -> Mapping[int, int]:
        """Return how often each command_status came; UNANSWERED for no answer."""
        return Counter(one.status for one in self.answers)

    def times_s(self) -> list[float]:
        """Return how long each answer took, shortest first."""
        return sorted(one.answered_at - one.sent_at for one in self.answers)

    def summary(self) -> dict[str, object]:
        """Return count, milliseconds and statuses for a result file."""
        times = self.times_s()
        if not times:
            return {"messages": 0, "statuses": {}}
        return {
            "messages": len(times),
            "p50_ms": round(statistics.median(times) * 1e3, 2),
            "p99_ms": round(quantile(times, 0.99) * 1e3, 2),
            "max_ms": round(times[-1] * 1e3, 2),
            "statuses": named(self.statuses),
        }


def quantile(ordered: list[float], share: float) -> float:
    """Return the value that `share` of `ordered` do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def named(statuses: Mapping[int, int]) -> dict[str, int]:
    """Return statuses as a result file names them: hexadecimal, or NO_ANSWER."""
    return {
        NO_ANSWER if status == UNANSWERED else f"0x{status:x}": count
        for status, count in sorted(statuses.items())
    }


class LightSender:
    """An SP that sends a message each `every_s`, whether the last one was answered or not."""

    def __init__(self, esme: RawEsme, messages: Iterator[Message], every_s: float = 0.05) -> None:
        self._esme = esme
        self._messages = messages
        self._every_s = every_s

    async def send(self, seconds: float, is_over: asyncio.Event | None = None) -> Log:
        """Send for so long or until `is_over`; return what was heard once all is answered."""
        log, loop = Log(), asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as group:
            for _ in range(round(seconds / self._every_s)):
                if is_over is not None and is_over.is_set():
                    break
                group.create_task(self._send_one(next(self._messages), log))
                due += self._every_s
                await pause(due - loop.time())
        return log

    async def _send_one(self, message: Message, log: Log) -> None:
        async with asyncio.TaskGroup() as group:
            for pdu in message.pdus(self._esme):
                group.create_task(self._request(pdu, message.destination, log))

    async def _request(self, pdu: bytes, destination: str, log: Log) -> None:
        sent_at = _wall_clock()
        try:
            status = header_of(await self._esme.request(pdu)).command_status
        except (ConnectionError, TimeoutError):
            status = UNANSWERED
        log.answers.append(Answered(destination, sent_at, _wall_clock(), status))


async def _comes(event: asyncio.Event, within_s: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), within_s)
    return event.is_set()


def _wall_clock() -> float:
    # The commits that these are compared with are dated by the clock of the day.
    return time.time()  # noqa: TID251


@dataclass(frozen=True, slots=True)
class Question:
    """A request that somebody makes once a second; `token` for the API."""

    name: str
    method: str
    url: str
    token: str = ""
    json: Mapping[str, object] | None = None


class Probes:
    """Asks each question once a second, each time on a connection of its own."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        self.answers: dict[str, list[tuple[float, str]]] = {one.name: [] for one in questions}
        self._questions = questions

    async def run(self, is_over: asyncio.Event) -> None:
        """Ask until `is_over`; each question at least once."""
        # One client for all: to make one takes longer than what is measured beside it.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with (
            httpx.AsyncClient(trust_env=False, timeout=PROBE_WITHIN_S, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            for question in self._questions:
                group.create_task(self._repeat(client, question, is_over))

    async def _repeat(
        self, client: httpx.AsyncClient, question: Question, is_over: asyncio.Event
    ) -> None:
        await self._ask(client, question)
        while not await _comes(is_over, PROBE_EVERY_S):
            await self._ask(client, question)

    async def _ask(self, client: httpx.AsyncClient, question: Question) -> None:
        loop = asyncio.get_running_loop()
        headers = {"Authorization": f"Bearer {question.token}"} if question.token else {}
        began = loop.time()
        try:
            answer = await client.request(
                question.method, question.url, headers=headers, json=question.json
            )
            said = str(answer.status_code)
        except httpx.HTTPError as error:
            said = type(error).__name__
        self.answers[question.name].append((loop.time() - began, said))

    def summary(self) -> dict[str, dict[str, object]]:
        """Return for each question the slowest answer and how often each status came."""
        return {
            name: {
                "asked": len(answers),
                "max_ms": round(max(took for took, _ in answers) * 1e3, 1),
                "answers": dict(Counter(said for _, said in answers)),
            }
            for name, answers in self.answers.items()
            if answers
        }
