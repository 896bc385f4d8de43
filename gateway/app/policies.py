"""Policies and senders in force: loaded, compiled off the loop, swapped, or refused."""

import asyncio
import gc
from collections.abc import Mapping
from pathlib import Path

import structlog

from gateway.dataplane.pipeline import Pipeline
from gateway.domain.policy import Bundle
from gateway.domain.sender import Sender
from gateway.policy.consent_sets import ConsentSets
from gateway.policy.ruleset import RuleSet
from gateway.settings.bundle import load_bundle
from gateway.settings.fault import SettingsError
from gateway.settings.senders import load_senders
from gateway.settings.shrink import shrunk

log = structlog.get_logger()

_SHOWN_FAULTS = 20


class Policies:
    """One reload at a time; a refused one leaves everything as it was."""

    def __init__(
        self,
        pipeline: Pipeline,
        sets: ConsentSets,
        directories: tuple[Path | None, Path | None],
    ) -> None:
        self.senders: Mapping[str, Sender] = {}
        self._pipeline = pipeline
        self._sets = sets
        self._config, self._policies = directories
        self._lock = asyncio.Lock()

    async def reload(self, *, force: bool = False) -> tuple[str, ...]:
        """Read both directories again; return the faults, none when the new ones are in force.

        A keyword list that lost more than half of its words is refused without `force`: a
        half-written export looks just like that.
        """
        async with self._lock:
            before = self._pipeline.plane.rules
            try:
                bundle, senders = await asyncio.to_thread(self._read, before.bundle)
            except SettingsError as error:
                faults = tuple(map(str, error.faults))
                log.error("policy.refused", faults=faults[:_SHOWN_FAULTS], count=len(faults))
                return faults
            loss = shrunk(before.bundle, bundle)
            if loss is not None and not force:
                fault = f"{loss}; restart the gateway to take it all the same"
                log.error("policy.refused", faults=(fault,), count=1)
                return (fault,)
            await self._compile(bundle, senders, before)
            return ()

    def _read(self, bundle: Bundle) -> tuple[Bundle, Mapping[str, Sender]]:
        faults: list[SettingsError] = []
        senders = self.senders
        if self._policies is not None:
            try:
                bundle = load_bundle(self._policies)
            except SettingsError as error:
                faults.append(error)
        if self._config is not None:
            try:
                senders = load_senders(self._config / "senders.yaml")
            except SettingsError as error:
                faults.append(error)
        if faults:
            raise SettingsError(fault for error in faults for fault in error.faults)
        return bundle, senders

    async def _compile(
        self, bundle: Bundle, senders: Mapping[str, Sender], before: RuleSet
    ) -> None:
        if bundle.digest == before.digest and dict(senders) == dict(self.senders):
            log.info("policy.unchanged", digest=bundle.digest)
            return
        rules = await asyncio.to_thread(RuleSet, bundle, senders.values(), self._sets, before)
        self._pipeline.load(rules)
        self.senders = senders
        # A full collection later would stop the loop for tens of milliseconds.
        gc.collect()
        gc.freeze()
        log.info("policy.reloaded", name=bundle.name, digest=bundle.digest, senders=len(senders))
        warn_if_open(bundle)


def warn_if_open(bundle: Bundle) -> None:
    """Say loudly that nothing is stopped by policy."""
    if bundle.is_open:
        log.warning("bundle.open", name=bundle.name, digest=bundle.digest)
