"""The classifiers that the gateway asks: taken over when they change, compared, refused."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

import structlog

from gateway.app.followers import Rounds
from gateway.filter.classifier.model import NO_MODELS, ModelPair
from gateway.filter.classifier.model_file import ModelFileError
from gateway.filter.classifier.score import Comparison, Scorer
from gateway.filter.normalise.views import Views
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import KeyFileError, trusted_key
from gateway.runtime.snapshot import ModelsHealth
from gateway.settings.gateway import LearningSettings
from gateway.settings.yaml import whole_file_fault
from gateway.systems.learning.model_directory import STATE, ModelDirectory, ModelStateError

log = structlog.get_logger()

_EVERY_S = 5.0
_DIGEST_CHARS = 12

_GONE = f"{STATE} is gone: put the models directory back as it was"


class InstalledModels:
    """Keeps the classifier that is asked the one that `smsward filter models` calls active.

    The one in shadow is asked beside it, and what they dispute is kept for who wants to see it.
    What cannot be used is told once and changes nothing: the model in force stays, also where
    the directory that had one is gone. `ask` lets a scorer, or none, be asked from now on.
    """

    def __init__(
        self,
        directory: ModelDirectory,
        ask: Callable[[Scorer | None], None],
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        self.pair = NO_MODELS
        self.comparison = Comparison("", "")
        self._directory = directory
        self._ask = ask
        self._clock = clock
        self._stamp: tuple[int, ...] | None = None
        self._scorer: Scorer | None = None
        self.since = clock()
        self.fault = ""
        self._is_untold = False

    async def keep(self, rounds: Rounds, every_s: float = _EVERY_S) -> NoReturn:
        """Look for changes, and tell what was compared, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await rounds.take("models", self.refresh)
            await rounds.take("models-told", self.tell)

    def follow(self, directory: ModelDirectory) -> None:
        """Take the models of another directory from the next look on."""
        self._directory, self._stamp = directory, None

    async def refresh(self) -> None:
        """Take over what has changed in the directory, if it can be used."""
        try:
            stamp = await asyncio.to_thread(self._directory.stamp)
            if stamp != self._stamp:
                await self._read(stamp)
            elif self.fault == _GONE:
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
            "since": self.since.isoformat(timespec="seconds"),
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
        directory = self._directory
        pair, fault = await asyncio.to_thread(_ready_pair, directory)
        # It may go while it is read, which then finds no models at all.
        if self._stamp and not await asyncio.to_thread(directory.stamp):
            self._note(_GONE)
            return
        if directory is not self._directory:
            return
        self._stamp = stamp
        self._take(pair)
        self._note(fault)

    def _note(self, fault: str) -> None:
        if fault and fault != self.fault:
            log.error("models.refused", fault=fault)
        self.fault = fault

    def _take(self, pair: ModelPair) -> None:
        if pair.digests == self.pair.digests:
            return
        self.pair, self.since = pair, self._clock()
        self.comparison = Comparison(*pair.digests)
        self._scorer = pair.scorer(self.comparison)
        active, shadow = (digest[:_DIGEST_CHARS] for digest in pair.digests)
        log.info("models.loaded", active=active, shadow=shadow)


def _ready_pair(directory: ModelDirectory) -> tuple[ModelPair, str]:
    """Return the models of `directory`, ready to score, and a fault.

    The first text compiles machine code, which takes half a second: not in a tick.
    """
    pair, fault = directory.pair()
    for scorer in (pair.active, pair.shadow):
        if scorer is not None:
            scorer.score([Views("")])
    return pair, fault


def classifier_of(learning: LearningSettings) -> Scorer | None:
    """Return the model in force, ready to score, None without one; a fault is logged.

    Raises as `models_of` does.
    """
    try:
        pair, fault = _ready_pair(models_of(learning))
    except (ModelFileError, ModelStateError) as error:
        pair, fault = NO_MODELS, str(error)
    if fault:
        log.error("models.refused", fault=fault)
    return pair.active


def models_of(learning: LearningSettings) -> ModelDirectory:
    """Return the directory of the models of a deployment.

    Raises SettingsError, or OSError, for a trusted key that has gone since the settings were read.
    """
    keys = []
    for path in learning.trusted_keys:
        try:
            keys.append(trusted_key(path))
        except KeyFileError as error:
            raise whole_file_fault(path, "holds no public Ed25519 key in PEM") from error
    return ModelDirectory(learning.models, keys, starter=learning.starter_file)
