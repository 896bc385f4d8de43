"""The services on offer, for who need not know SPs' passwords."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gateway.domain.subscription import Service
from gateway.settings import yaml
from gateway.settings.services import load_services


def load_offered(config: Path) -> tuple[Service, ...]:
    """Read `services.yaml`, with the SPs' names from the `senders.yaml` beside it.

    The passwords in that file may be in the environment of the gateway alone, so nothing else
    in it is looked at. Raises SettingsError with all faults of the services.
    """
    names = dict(_names(config / "senders.yaml"))
    return tuple(
        replace(one, terms=replace(one.terms, sender_name=names.get(one.system_id, one.system_id)))
        for one in load_services(config / "services.yaml", None)
    )


def _names(senders: Path) -> Iterator[tuple[str, str]]:
    for _, sender in yaml.read(senders).find("senders", "*"):
        if isinstance(sender, dict):
            system_id, name = sender.get("system_id"), sender.get("name")
            if isinstance(system_id, str) and isinstance(name, str):
                yield system_id, name
