"""Length of a text as a message of one part in UCS-2."""

MAX_CHARS = 70


def chars_of(text: str) -> int:
    """Return how many UCS-2 characters a text takes; a rare character takes two."""
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def cut_to(text: str, max_chars: int) -> str:
    """Return the beginning of `text` that fits into `max_chars` characters of UCS-2."""
    cut = text[: max(0, max_chars)]
    while cut and chars_of(cut) > max_chars:
        cut = cut[:-1]
    return cut
