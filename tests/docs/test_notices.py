"""What docs/howto/notices.md tells SPs to do with a notice works."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.runtime.clock import utcnow
from gateway.systems.optout_notices.service import signature_of

IsGenuine: TypeAlias = Callable[[bytes, str, str, bytes], bool]

PAGE = Path(__file__).resolve().parents[2] / "docs/howto/notices.md"
KEY, BODY = b"k" * 32, b'{"batch":7}'


@pytest.fixture
def is_genuine(tmp_path: Path) -> IsGenuine:
    """The function that the page shows."""
    (code,) = re.findall(r"(?s)```python\n(.*?)```", PAGE.read_text(encoding="utf-8"))
    module = tmp_path / "webhook.py"
    module.write_text(code, encoding="utf-8")
    found: IsGenuine = runpy.run_path(str(module))["is_genuine"]
    return found


def test_an_sp_that_does_as_the_page_says_takes_what_the_gateway_signed(
    is_genuine: IsGenuine,
) -> None:
    now = int(utcnow().timestamp())
    signature = f"sha256={signature_of(BODY, KEY, now)}"

    assert is_genuine(KEY, str(now), signature, BODY)


def test_and_nothing_that_was_changed_made_up_or_recorded_long_ago(is_genuine: IsGenuine) -> None:
    now = int(utcnow().timestamp())
    signature = f"sha256={signature_of(BODY, KEY, now)}"
    old = f"sha256={signature_of(BODY, KEY, now - 3600)}"

    assert not is_genuine(KEY, str(now), signature, BODY + b" ")
    assert not is_genuine(KEY, str(now + 1), signature, BODY)
    assert not is_genuine(b"j" * 32, str(now), signature, BODY)
    assert not is_genuine(KEY, str(now - 3600), old, BODY)
    assert not is_genuine(KEY, "soon", signature, BODY)
