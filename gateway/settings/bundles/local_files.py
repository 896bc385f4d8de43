"""What commands write into ``local.d/`` of a bundle: a posture, and modes of rules."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway.domain.policy import Enforcement
from gateway.policy.bundle import Bundle, Override
from gateway.settings import yaml
from gateway.settings.bundles.bundle import load_bundle
from gateway.settings.bundles.layers import HEAD, LOCAL, RULES

_MODES = "modes.yaml"
_HEADER = (
    "# Written by smsward policy enforce, shadow and off, which replace this file.\nversion: 1\n"
)


def write_posture(directory: Path, name: str) -> Path:
    """Let ``local.d/bundle.yaml`` name the posture; its other lines stay. Return its path.

    Raises SettingsError, and writes nothing, if the bundle would be faulty; OSError.
    """
    path = directory / LOCAL / HEAD
    said = f"posture: {name}"
    with _kept_sound(directory, path):
        if not path.exists():
            _write(path, f"version: 1\n{said}\n")
            return path
        document = yaml.read(path)
        lines = path.read_text(encoding="utf-8").splitlines()
        if isinstance(document.value, dict) and "posture" in document.value:
            lines[document.key_marks[("posture",)].line - 1] = said
        else:
            lines.append(said)
        _write(path, "\n".join(lines) + "\n")
    return path


def write_mode(directory: Path, rule: str, mode: Enforcement, sender: str = "") -> Path:
    """Let ``local.d/rules/modes.yaml`` give the mode of a rule, or that for one sender.

    Return its path. Raises SettingsError, and writes nothing, if the bundle would be faulty, as
    when another file of ``local.d/rules/`` changes the rule; OSError.
    """
    path = directory / LOCAL / RULES / _MODES
    with _kept_sound(directory, path):
        entries = _entries(path)
        entry = entries.setdefault(rule, {"id": rule})
        if sender:
            entry["overrides"] = _overrides(load_bundle(directory), rule, mode, sender)
        else:
            entry["mode"] = str(mode)
        rows = "".join(f"  - {json.dumps(one, ensure_ascii=False)}\n" for one in entries.values())
        _write(path, f"{_HEADER}rules:\n{rows}")
    return path


def _entries(path: Path) -> dict[str, dict[str, object]]:
    value = yaml.read(path).value if path.exists() else None
    rules = value.get("rules") if isinstance(value, dict) else None
    found = [one for one in rules if isinstance(one, dict)] if isinstance(rules, list) else []
    return {str(one.get("id")): dict(one) for one in found}


def _overrides(
    bundle: Bundle, rule: str, mode: Enforcement, sender: str
) -> Sequence[Mapping[str, str]]:
    """Return the exceptions of a rule with this one in the place of the sender's own."""
    found = next((one.overrides for one in bundle.rules if one.id == rule), ())
    others = [one for one in found if one.sender != sender]
    return [_override(one) for one in (*others, Override(mode, sender=sender))]


def _override(one: Override) -> dict[str, str]:
    said = {"sender": one.sender, "port": one.port, "because": one.because}
    return {name: text for name, text in said.items() if text} | {"mode": str(one.mode)}


@contextmanager
def _kept_sound(directory: Path, path: Path) -> Iterator[None]:
    """Load the bundle after what is done; if it is faulty then, put `path` back as it was."""
    before = path.read_bytes() if path.exists() else None
    try:
        yield
        load_bundle(directory)
    except BaseException:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)
        raise


def _write(path: Path, text: str) -> None:
    """Write a file so that who reads meanwhile sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
