"""The models that are installed, in the running gateway: loaded off the loop, swapped, compared."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

import structlog

from gateway.app.change_poller import Rounds
from gateway.filter.model.model_file import ModelFileError
from gateway.filter.model_comparison import Comparison
from gateway.filter.model_pair import NO_MODELS, ModelPair
from gateway.filter.text_score import Scorer
from gateway.runtime.clock import utcnow
from gateway.runtime.model_metrics import ModelsHealth
from gateway.settings.files import whole_file_fault
from gateway.settings.gateway import LearningSettings
from gateway.systems.learning.keys import KeyFileError, trusted_key
from gateway.systems.learning.model_directory import STATE, ModelDirectory
from gateway.systems.learning.model_history import ModelStateError

log = structlog.get_logger()

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
