"""The keys that numbers and texts are sealed with: a private file, or the environment."""

import os
import re
import stat
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

from gateway.runtime.sealing import KEY_ID, KEY_OCTETS
from gateway.settings import yaml
from gateway.settings.fault import Fault, SettingsError
from gateway.settings.files import whole_file_fault

_MAX_KEYS = 64
_ENV = "env:"
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_HOW = "make one with: smsward keys new"


def load_keys(source: str) -> Mapping[str, bytes]:
    """Return the keys of `source`, a file or ``env:NAME``: one ``id: base64`` a line.

    A file must be its owner's alone. Raises SettingsError with all faults; none of them
    shows a key.
    """
    document = _document(source)
    entries = document.value
    if not isinstance(entries, dict) or not entries:
        raise whole_file_fault(document.path, f"must hold keys, one `id: base64` a line; {_HOW}")
    if len(entries) > _MAX_KEYS:
        raise whole_file_fault(document.path, f"holds more than {_MAX_KEYS} keys")
    faults = list(document.faults)
    keys: dict[str, bytes] = {}
    for key_id, value in entries.items():
        key = _key_of(value)
        if not KEY_ID.fullmatch(key_id):
            problem = "an id has 1 to 16 of a-z, 0-9, - and _"
            faults.append(document.fault((key_id,), problem, at_key=True))
        elif key is None:
            problem = f"must be base64 of 32, 48 or 64 octets; {_HOW}"
            faults.append(document.fault((key_id,), problem))
        else:
            keys[key_id] = key
    if faults:
        raise SettingsError(faults)
    return keys


def _document(source: str) -> yaml.Document:
    if not source.startswith(_ENV):
        path = Path(source)
        document = yaml.read(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise whole_file_fault(path, "others may read it: chmod 600")
        return document
    name, named = source.removeprefix(_ENV), Path(source)
    if not _VARIABLE.fullmatch(name):
        raise SettingsError([Fault(named, 1, 1, "env: must name an environment variable")])
    if name not in os.environ:
        raise SettingsError([Fault(named, 1, 1, f"environment variable {name} is not set")])
    return yaml.compose(named, os.fsencode(os.environ[name]))


def _key_of(value: yaml.Value) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        key = b64decode(value, validate=True)
    except ValueError:
        return None
    return key if len(key) in KEY_OCTETS else None
