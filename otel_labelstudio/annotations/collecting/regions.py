"""What controls say, out of Label Studio's results (https://labelstud.io/guide/task_format, and each tag's page)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from otel_labelstudio.annotations.indexes import index_in
from otel_labelstudio.annotations.records import Region
from otel_labelstudio.tasks.mend import mend, mend_text

# Type of a result -> the key of what it says
_KEYS = {
    "textarea": "text",
    "choices": "choices",
    "rating": "rating",
    "number": "number",
    "pairwise": "selected",
    "ranker": "ranker",
}
_OF_LABELS = "labels"
# What a Ranker without buckets calls the only one
_RANK = "rank"


def regions_of(result: Any) -> tuple[Region, ...]:
    """Of an annotation's or a prediction's result; what is no region is left out."""
    return tuple(_regions(result)) if isinstance(result, list) else ()


def _regions(result: list[Any]) -> Iterator[Region]:
    for record in result:
        if not isinstance(record, Mapping):
            continue
        kind, name, to_name = record.get("type"), record.get("from_name"), record.get("to_name")
        if isinstance(kind, str) and isinstance(name, str):
            origin, value = record.get("origin"), mend(record.get("value"))
            yield Region(
                kind,
                mend_text(name),
                mend_text(to_name) if isinstance(to_name, str) else "",
                _value(kind, name, value),
                origin if isinstance(origin, str) else None,
                _turn(kind, value),
            )


def _value(kind: str, name: str, value: Any) -> Any:
    """As `Region` says; what is not of its type's form stays as it is."""
    if not isinstance(value, Mapping):
        return value
    said = value.get(kind if kind.endswith(_OF_LABELS) else _KEYS.get(kind, ""), value)
    if kind == "ranker":
        return _ranking(name, said)
    if kind == "textarea" and isinstance(said, str):
        return (said,)
    return tuple(said) if isinstance(said, list) else said


def _ranking(name: str, said: Any) -> Any:
    if not isinstance(said, Mapping):
        return said
    places = {bucket: tuple(ids) if isinstance(ids, list) else () for bucket, ids in said.items()}
    return next(iter(places.values())) if list(places) in ([_RANK], [name]) else places


def _turn(kind: str, value: Any) -> int | None:
    """Of a label on a dialogue: the index of the turn, as text."""
    start = value.get("start") if isinstance(value, Mapping) and kind == "paragraphlabels" else None
    return index_in(start)
