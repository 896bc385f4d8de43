"""An SP whose sessions keep their windows full: python -m tests.promises.flood JSON.

JSON is what `Flood.as_json` writes. The process prints one line with what was heard.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice

from benchmarks.new_texts import new_texts
from simulators import builders
from simulators.esme import UNANSWERED, RawEsme
from simulators.wire import header_of
from tests.promises.deployment import PASSWORD

# So many PDUs a session is given at once: its window is empty for a moment between two.
_AT_ONCE = 1_000
_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Flood:
    """Texts of which no two are alike, from `first_source` on, to numbers from `first` on."""

    port: int
    system_id: str
    first_source: int
    first: int
    numbers: int
    sessions: int = 64
    window: int = 50
    seconds: float = 10.0
    seed: int = 31

    def as_json(self) -> str:
        """Return it as the command line takes it."""
        return json.dumps(asdict(self))

    async def run(self) -> "Heard":
        """Flood for so long; return once everything is answered."""
        loop = asyncio.get_running_loop()
        esmes = [await self._bound() for _ in range(self.sessions)]
        heard, texts, began = Heard(), self._texts(), loop.time()
        async with asyncio.TaskGroup() as group:
            for number, esme in enumerate(esmes):
                group.create_task(
                    self._fill(esme, number, texts, heard, until=began + self.seconds)
                )
        heard.took_s = loop.time() - began
        for esme in esmes:
            heard.strays += len(esme.strays)
            await esme.unbind()
        return heard

    async def _bound(self) -> RawEsme:
        esme = await RawEsme.connect("127.0.0.1", self.port)
        status = await esme.bind(self.system_id, PASSWORD)
        assert status == 0, f"{self.system_id} could not bind: {status}"
        return esme

    def _texts(self) -> Iterator[tuple[int, str]]:
        return enumerate(new_texts(10**8, seed=self.seed))

    async def _fill(
        self,
        esme: RawEsme,
        session: int,
        texts: Iterator[tuple[int, str]],
        heard: "Heard",
        *,
        until: float,
    ) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < until and not esme.is_lost:
            pdus = [
                self._submit(esme, session, number, text)
                for number, text in islice(texts, _AT_ONCE)
            ]
            answers = await esme.flood(pdus, self.window, within_s=_WITHIN_S)
            heard.sent += len(pdus)
            heard.statuses.update(
                UNANSWERED if octets is None else header_of(octets).command_status
                for octets in answers
            )

    def _submit(self, esme: RawEsme, session: int, number: int, text: str) -> bytes:
        is_latin = text.isascii()
        return builders.submit_sm(
            str(self.first_source + session),
            str(self.first + number * 7919 % self.numbers),
            text.encode("ascii") if is_latin else builders.ucs2(text),
            data_coding=0 if is_latin else builders.UCS2,
            sequence=esme.next_sequence(),
        )


@dataclass(slots=True)
class Heard:
    """What the sessions heard; `strays` are answers that nobody waited for."""

    statuses: Counter[int] = field(default_factory=Counter)
    sent: int = 0
    strays: int = 0
    took_s: float = 0.0

    def as_json(self) -> str:
        """Return it as one line."""
        # asdict() of Python 3.11 takes a Counter apart.
        return json.dumps(
            {
                "statuses": dict(self.statuses),
                "sent": self.sent,
                "strays": self.strays,
                "took_s": self.took_s,
            }
        )


def main() -> int:
    """Flood as told; print what was heard."""
    parser = argparse.ArgumentParser(description="Keep the windows of many sessions full.")
    parser.add_argument("flood", type=lambda text: Flood(**json.loads(text)))
    flood: Flood = parser.parse_args().flood
    sys.stdout.write(asyncio.run(flood.run()).as_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
