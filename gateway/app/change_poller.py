"""Rounds that poll the change feed and the directory of models, each step on its own."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, Protocol

import structlog

from gateway.filter.classifier.model import NO_MODELS, ModelPair
from gateway.filter.classifier.model_file import ModelFileError
from gateway.filter.classifier.score import Comparison, Scorer
from gateway.runtime.clock import monotonic, utcnow
from gateway.runtime.sealing import KeyFileError, trusted_key
from gateway.runtime.snapshot import ModelsHealth
from gateway.runtime.tasks import spawn, wait_listening
from gateway.settings.fault import whole_file_fault
from gateway.settings.gateway import LearningSettings
from gateway.storage.change_feed import Copy
from gateway.storage.errors import StoreUnavailable
from gateway.systems.learning.model_directory import STATE, ModelDirectory, ModelStateError

log = structlog.get_logger()

# The least time that a look gets, even if the copy is late already.
_LOOK_S = 0.5


class Rounds:
    """Takes steps; `failures` counts, by step, those ended by a fault other than the store's."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self._broken: set[str] = set()

    async def take(self, name: str, step: Callable[[], Awaitable[object]]) -> bool:
        """Take the step `name`; tell whether it succeeded.

        The first failure in a row is logged, and the recovery. Raises StoreUnavailable, which
        is not a fault of the step, and no other exception.
        """
        try:
            await step()
        except StoreUnavailable:
            raise
        except Exception as error:  # any fault of a step: the step is taken again next time
            self.failures[name] += 1
            if name not in self._broken:
                self._broken.add(name)
                log.error("follower.failed", step=name, exc_info=error)
            return False
        if name in self._broken:
            self._broken.discard(name)
            log.info("follower.recovered", step=name)
        return True


class Follower(Protocol):
    """Copies changes of the store into memory."""

    async def catch_up(self) -> int:
        """Copy what changed; return how much. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class PollInterval:
    """How often to look, and how long looks may fail before the copy is not current."""

    every_s: float
    stale_s: float


async def keep_current(
    rounds: Rounds,
    name: str,
    follower: Follower,
    copy: Copy,
    pace: PollInterval,
    behind: Callable[[str], None],
) -> NoReturn:
    """Let `follower` catch up for ever; `copy` is not current after failures for too long.

    Too long means `pace.stale_s` of failed looks, or of one look without an answer. Only time in
    which the event loop was free to take the answer counts: a delay of our own is no fault of
    the store. `behind` is called with the reason once each time.
    """
    listened_s, is_behind, wait_s = 0.0, False, pace.every_s
    look: asyncio.Future[str | None] | None = None
    try:
        while True:
            await asyncio.sleep(wait_s)
            listened_s += wait_s
            began, wait_s = monotonic(), pace.every_s
            look = spawn(_look(rounds, name, follower), name=f"look-{name}")
            took_s = await wait_listening({look}, max(_LOOK_S, pace.stale_s - listened_s))
            if not look.done() and not is_behind:
                is_behind, copy.is_current = True, False
                behind("it did not answer in time")
            said = await look
            if said is None:
                listened_s, is_behind = 0.0, False
                # Under load a look takes long, so the next one starts sooner, or the copy would
                # be too old.
                wait_s = max(pace.every_s / 4, pace.every_s - (monotonic() - began))
                continue
            listened_s += took_s
            was_behind, is_behind = is_behind, is_behind or listened_s >= pace.stale_s
            copy.is_current = not is_behind  # a short lock of the store stops no traffic
            if is_behind and not was_behind:
                behind(said)
    finally:
        if look is not None:
            look.cancel()
        copy.is_current = False  # the loop has ended, so the copy is not followed any more


async def _look(rounds: Rounds, name: str, follower: Follower) -> str | None:
    """Catch up once; return what failed, None for success."""
    try:
        is_well = await rounds.take(name, follower.catch_up)
    except StoreUnavailable as error:
        return str(error)
    return None if is_well else "follower.failed tells why"


_EVERY_S = 5.0
_SHOWN_DIGEST_CHARS = 12

_GONE = f"{STATE} is gone: put the models directory back as it was"

# Lets a scorer, or none, be asked from now on; on the loop, and cheap where it is the same.
Ask = Callable[[Scorer | None], None]


class InstalledModels:
    """Keeps the classifier that is asked the one that `smsward filter models` calls active.

    The one in shadow is asked beside it, and what they dispute is kept for who wants to see it.
    What cannot be used is told once and changes nothing: the model in force stays, also where
    the directory that had one is gone.
    """

    def __init__(
        self, directory: ModelDirectory, ask: Ask, clock: Callable[[], datetime] = utcnow
    ) -> None:
        self.pair = NO_MODELS
        self.comparison = Comparison("", "")
        self._directory = directory
        self._ask = ask
        self._clock = clock
        self._stamp: tuple[int, ...] = ()
        self._scorer: Scorer | None = None
        self._since = clock()
        self._fault = ""
        self._is_untold = False

    async def keep(self, rounds: Rounds, every_s: float = _EVERY_S) -> NoReturn:
        """Look for changes, and tell what was compared, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await rounds.take("models", self.refresh)
            await rounds.take("models-told", self.tell)

    async def refresh(self) -> None:
        """Take over what has changed in the directory, if it can be used."""
        try:
            stamp = await asyncio.to_thread(self._directory.stamp)
            if stamp != self._stamp:
                await self._read(stamp)
            elif self._fault == _GONE:
                self._note("")
        except (ModelFileError, ModelStateError) as error:
            self._note(str(error))
        except OSError as error:
            self._note(error.strerror or "cannot be read")
        # New rules were compiled for the classifier of that moment.
        self._ask(self._scorer)

    async def tell(self) -> None:
        """Write what was compared for who asks, if there are two models."""
        if self._scorer is None or self.pair.shadow is None:
            return
        told = {
            "since": self._since.isoformat(timespec="seconds"),
            "at": self._clock().isoformat(timespec="seconds"),
            **self.comparison.as_json(),
        }
        try:
            await asyncio.to_thread(self._directory.write_comparison, json.dumps(told).encode())
        except OSError as error:
            if not self._is_untold:
                log.error("models.report_failed", said=error.strerror)
            self._is_untold = True
        else:
            self._is_untold = False

    def health(self) -> ModelsHealth:
        """Return what scrapes tell."""
        if self.pair.shadow is None:
            return ModelsHealth(*self.pair.digests)
        texts, messages = (
            {
                (str(text_class), str(agreement)): count
                for text_class, counts in counted.items()
                for agreement, count in counts.items()
            }
            for counted in (self.comparison.counts, self.comparison.messages)
        )
        return ModelsHealth(*self.pair.digests, texts, messages, self.comparison.failed)

    async def _read(self, stamp: tuple[int, ...]) -> None:
        pair, fault = await asyncio.to_thread(self._directory.pair)
        # It may go while it is read, which then finds no models at all.
        if not await asyncio.to_thread(self._directory.stamp):
            self._note(_GONE)
            return
        self._stamp = stamp
        self._take(pair)
        self._note(fault)

    def _note(self, fault: str) -> None:
        if fault and fault != self._fault:
            log.error("models.refused", fault=fault)
        self._fault = fault

    def _take(self, pair: ModelPair) -> None:
        if pair.digests == self.pair.digests:
            return
        self.pair, self._since = pair, self._clock()
        self.comparison = Comparison(*pair.digests)
        self._scorer = pair.scorer(self.comparison)
        active, shadow = (digest[:_SHOWN_DIGEST_CHARS] for digest in pair.digests)
        log.info("models.loaded", active=active, shadow=shadow)


def installed_models(learning: LearningSettings, ask: Ask) -> InstalledModels:
    """Return what keeps the models of a deployment.

    Raises SettingsError, or OSError, for a trusted key that has gone since the settings were read.
    """
    keys = []
    for path in learning.trusted_keys:
        try:
            keys.append(trusted_key(path))
        except KeyFileError as error:
            raise whole_file_fault(path, "holds no public Ed25519 key in PEM") from error
    return InstalledModels(ModelDirectory(learning.models, keys), ask)
