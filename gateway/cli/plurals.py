"""How many there are of something, in words."""


def counted(count: int, noun: str) -> str:
    """Return `count` with its noun: 1 notice, 2 notices."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
