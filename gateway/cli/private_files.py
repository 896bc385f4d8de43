"""Files that commands write numbers into: their owner's alone, and whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_PRIVATE = 0o600
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def private_file(path: Path) -> Iterator[TextIO]:
    """Give a text file to write, mode 0600, that takes the name `path` at the end.

    What `path` held until then stays when something fails. Raises OSError.
    """
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
