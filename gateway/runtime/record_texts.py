"""Finds what was said in each recorded decision, so that it can be judged again."""

from binascii import a2b_base64
from collections.abc import Iterable, Iterator

from gateway.runtime.sealed_records import Record

# data_coding and octets, as dataplane.submit_request.SubmitRequest has them.
Text = tuple[int, bytes]


def decisions_with_texts(records: Iterable[Record]) -> Iterator[tuple[Record, Text | None]]:
    """Yield the decisions among one hour's opened records, each with its text.

    None where no text was kept, or none that can be read. Texts of one hour stay in memory:
    the gateway writes each once.
    """
    texts: dict[object, Text] = {}
    for record in records:
        kind = record.get("kind")
        if kind == "decision":
            yield record, texts.get(record.get("text"))
        elif kind == "text":
            text = text_of(record)
            if text is not None:
                texts[record.get("id")] = text


def text_of(record: Record) -> Text | None:
    """Return what an opened record of a text holds, None where that cannot be read."""
    data_coding, octets = record.get("data_coding"), record.get("octets")
    if not isinstance(data_coding, int) or not isinstance(octets, str):
        return None
    try:
        return data_coding, a2b_base64(octets.encode(), strict_mode=True)
    except ValueError:
        return None
