"""The rows of one task, and the reasons for those that are not there: all that the state keeps of a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

from otel_labelstudio.annotations.annotators import NameOf
from otel_labelstudio.annotations.collecting.tasks import NOT_OURS
from otel_labelstudio.annotations.datasets.canonical import (
    PromptDigests,
    content_digest,
    digest,
    message_digest,
    pair_digest,
)
from otel_labelstudio.annotations.datasets.example import Example, NoExample
from otel_labelstudio.annotations.datasets.examples import annotations_left_out, examples_of
from otel_labelstudio.annotations.datasets.formats import FORMATS
from otel_labelstudio.annotations.datasets.json_text import json_text
from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind
from otel_labelstudio.annotations.datasets.provenance import provenance
from otel_labelstudio.annotations.records import JudgedCall, NotJudged
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.filters.call_filter import FILTER_FAILED, filtered
from otel_labelstudio.printable import logger
from otel_labelstudio.tasks.mend import mend_text
from otel_labelstudio.telemetry import Telemetry

_warn = lru_cache(logger(__name__).warning)  # each text once

# By kind, which is empty for what holds for all of them
Reasons = Counter[tuple[str, LeftOut]]


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is written, with the digests by which others are found to be the same, or its opposite."""

    kind: Kind
    content: bytes
    pair: bytes | None
    is_forward: bool
    label: bool | None
    has_tools: bool
    line: str = field(repr=False)
    provenance: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TaskRows:
    """What a task gives. ``group`` is that of the split before groups with something in common are joined;
    ``messages`` is the digest of the prompt without its tools, ``beginnings`` are those of its beginnings,
    ``with_answers`` those that later prompts may begin with."""

    rows: tuple[Row, ...] = ()
    reasons: Reasons = field(default_factory=Counter)
    start_time_unix_nano: int = 0
    span_id: str = ""
    group: bytes = b""
    messages: bytes = b""
    beginnings: tuple[bytes, ...] = ()
    with_answers: tuple[bytes, ...] = ()


def rows_of(judged: JudgedCall | NotJudged, options: DatasetOptions, name_of: NameOf) -> TaskRows:
    """All rows of a task, of every kind that is asked for."""
    if isinstance(judged, NotJudged):
        why = LeftOut.NOT_OURS if judged.why == NOT_OURS else LeftOut.UNREADABLE
        return TaskRows(reasons=Counter({("", why): 1}))
    passed = _filtered(judged, options)
    if isinstance(passed, LeftOut):
        return TaskRows(reasons=Counter({("", passed): 1}))
    reasons: Reasons = Counter(("", why) for why in annotations_left_out(passed, options))
    digests = PromptDigests(passed.call)
    rows = tuple(_rows(passed, options, name_of, digests.prompt, reasons))
    return TaskRows(
        rows,
        reasons,
        passed.call.start_time_unix_nano,
        mend_text(passed.call.span_id),  # anybody can have written to a task's meta, and SQLite takes no half character
        _group(passed.call, options.split_by, digests.messages),
        digests.messages,
        tuple(digests.beginnings),
        tuple(digests.with_answers),
    )


def _filtered(judged: JudgedCall, options: DatasetOptions) -> JudgedCall | LeftOut:
    if options.call_filter is None:
        return judged
    failures = _failures()
    calls = filtered([judged.call], options.call_filter, _telemetry(), _warn)
    if calls:
        return replace(judged, call=calls[0])
    return LeftOut.FILTERED if _failures() == failures else LeftOut.FILTER_FAILED


@cache
def _telemetry() -> Telemetry:
    """One for the process: each that is made is known until the end."""
    return Telemetry()


def _failures() -> int:
    return _telemetry().counts().get(f"calls.dropped[{FILTER_FAILED}]", 0)


def _rows(
    judged: JudgedCall, options: DatasetOptions, name_of: NameOf, prompt: bytes, reasons: Reasons
) -> Iterator[Row]:
    for kind in options.kinds:
        for found in examples_of(judged, kind, options):
            if isinstance(found, NoExample):
                reasons[kind.value, found.reason] += 1
                continue
            try:
                yield _row(found, judged, options, name_of, prompt)
            except RowLeftOutError as left_out:
                reasons[kind.value, left_out.reason] += 1


def _row(example: Example, judged: JudgedCall, options: DatasetOptions, name_of: NameOf, prompt: bytes) -> Row:
    if example.rejected is not None and message_digest(example.rejected) == message_digest(example.completion):
        raise RowLeftOutError(LeftOut.IDENTICAL)
    written = FORMATS[options.format].row(example, options)
    pair, is_forward = pair_digest(example, prompt) if example.kind is Kind.DPO else (None, True)
    return Row(
        example.kind,
        content_digest(example, prompt),
        pair,
        is_forward,
        example.label,
        "tools" in written,
        json_text(written),
        json_text(provenance(example, judged.task, name_of)),
    )


def _group(call: LLMCall, split_by: str, messages: bytes) -> bytes:
    if split_by == "conversation" and call.conversation_id:
        return digest("conversation", call.conversation_id)
    if split_by in ("conversation", "trace") and call.trace_id:
        return digest("trace", call.trace_id)
    return digest("prompt", messages.hex())
