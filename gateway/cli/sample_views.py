"""How samples are shown: their texts have no numbers of anybody in them, and no addressee."""

from gateway.domain.sample import KeptSample, SampleCount

COLUMNS = ("no", "label", "category", "source", "class", "SP", "at (UTC)", "by", "text")
COUNT_COLUMNS = ("label", "category", "source", "count")

_SHOWN_CHARS = 24


def described(sample: KeptSample) -> dict[str, object]:
    """Return what is told of a sample, as JSON has it."""
    return {
        "number": sample.number,
        "label": sample.label,
        "category": sample.category,
        "source": sample.source,
        "class": sample.text_class,
        "system_id": sample.system_id,
        "at": sample.at.isoformat(timespec="seconds"),
        "by": sample.by,
        "digest": sample.digest,
        "text": sample.text,
    }


def row_of(sample: KeptSample) -> tuple[str, ...]:
    """Return one line of the list, with the beginning of the text."""
    is_cut = len(sample.text) > _SHOWN_CHARS
    return (
        str(sample.number),
        sample.label,
        sample.category,
        sample.source,
        sample.text_class,
        sample.system_id,
        f"{sample.at:%Y-%m-%d %H:%M:%S}",
        sample.by,
        sample.text[:_SHOWN_CHARS] + ("…" if is_cut else ""),
    )


def count_as_json(count: SampleCount) -> dict[str, object]:
    """Return how many there are of one kind, as JSON has it."""
    return {
        "label": count.label,
        "category": count.category,
        "source": count.source,
        "count": count.count,
    }


def count_row(count: SampleCount) -> tuple[str, ...]:
    """Return one line of the counts."""
    return (count.label, count.category, count.source, str(count.count))
