"""Read decisions back from records, each with its text."""

from collections.abc import Iterable, Iterator

from gateway.records.sealed_values import Record, Text, text_of


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
