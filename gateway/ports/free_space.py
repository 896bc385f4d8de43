"""How much room file systems have."""

from pathlib import Path
from typing import Protocol


class FreeSpace(Protocol):
    """Tells free room. May block, on a network disk for long: never called on the loop."""

    def __call__(self, directory: Path) -> int:
        """Return the octets that this process may still write below `directory`.

        0 where no more files can be made. Raises OSError.
        """
