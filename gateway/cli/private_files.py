"""Files that commands write numbers into: their owner's alone, and whole or not there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from gateway.cli.failure import misused
from gateway.cli.screen import visible

_PRIVATE = 0o600
_LOOKED_AT = 1 << 20
# A mobile number as exports write it, and no piece of an id or a digest.
_WHOLE = re.compile(rb"(?<![0-9a-f])(?:\+|00)?(?:86)?1[3-9][0-9]{9}(?![0-9a-f])")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def private_file(path: Path, *, is_whole: bool = True) -> Iterator[TextIO]:
    """Give a text file to write, mode 0600, that takes the name `path` at the end.

    What `path` held until then stays when something fails. Raises OSError; and CommandError where
    what is written `is_whole` in no number and would take the place of what is: a list that
    somebody gave a reason for is not to be had again from a masked one.
    """
    if not is_whole and _holds_numbers(path):
        raise misused(
            f"{visible(str(path))} holds whole numbers, and masked ones would take their place",
            "name another file, or remove that one first",
        )
    unfinished = path.with_name(f"{path.name}.part")
    descriptor = os.open(unfinished, _FLAGS, _PRIVATE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(descriptor, _PRIVATE)
            yield file
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _holds_numbers(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _WHOLE.search(file.read(_LOOKED_AT)) is not None
