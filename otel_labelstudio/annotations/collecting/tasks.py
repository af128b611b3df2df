"""A task of Label Studio's JSON as an `AnnotatedTask`. Nothing of it is trusted: people's scripts write annotations,
files are edited, and versions differ. What is not of its form is left out; half a character, which no file or database
takes, becomes its replacement."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from otel_labelstudio.annotations.collecting.regions import regions_of
from otel_labelstudio.annotations.records import (
    AnnotatedProject,
    AnnotatedTask,
    Annotation,
    AnswerOrigin,
    Prediction,
    User,
)
from otel_labelstudio.annotations.times import utc
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.tasks.build import ANSWERS_SHA256, CALL, CALL_ID, META_KEY
from otel_labelstudio.tasks.mend import mend, mend_text

NOT_OURS, UNREADABLE_CALL = "not_ours", "unreadable_call"
# What records that a person wrote raise where a call is read from them
_UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, RecursionError)
_UNKNOWN_TIME = datetime.fromtimestamp(0, timezone.utc)

Emails = Mapping[int, str]


def task_of(record: Any, project: AnnotatedProject, emails: Emails) -> AnnotatedTask | None:
    """A task as an export or a list tells it; None for what is no task."""
    task_id = whole_number(_get(record, "id"))
    if task_id is None:
        return None
    meta = _get(record, "meta")
    call, why = _call(_get(meta, CALL))
    annotations = [(a, annotation_of(a, emails)) for a in _list(record, "annotations")]
    drafts = [annotation_of(draft, emails, is_draft=True) for draft in _list(record, "drafts")]
    kept_beside = [_get(annotation, "prediction") for annotation, _ in annotations]
    return AnnotatedTask(
        id=task_id,
        project=project,
        updated_at=time_of(_get(record, "updated_at")),
        call=call,
        call_id=_text(_get(_get(record, "data"), CALL_ID)),
        why_no_call=why,
        origin=_origin(_get(meta, META_KEY)),
        annotations=tuple(a for a in (*(a for _, a in annotations), *drafts) if a is not None),
        predictions=predictions_of([*_list(record, "predictions"), *kept_beside]),
    )


def annotation_of(record: Any, emails: Emails, *, is_draft: bool = False) -> Annotation | None:
    """An annotation or a draft; None for what is neither."""
    annotation_id = whole_number(_get(record, "id"))
    if annotation_id is None:
        return None
    created_at, updated_at = (time_of(_get(record, name)) for name in ("created_at", "updated_at"))
    return Annotation(
        id=annotation_id,
        unique_id=_text(_get(record, "unique_id")),
        by=_user(_get(record, "user" if is_draft else "completed_by"), emails),
        updated_by=_user(_get(record, "updated_by"), emails),
        created_at=created_at or updated_at or _UNKNOWN_TIME,
        updated_at=updated_at or created_at or _UNKNOWN_TIME,
        lead_time_s=_number(_get(record, "lead_time")),
        is_skipped=bool(_get(record, "was_cancelled")),  # scripts write 1 too: in doubt it is nobody's judgement
        is_draft=is_draft,
        is_ground_truth=_get(record, "ground_truth") is True,
        parent_prediction_id=whole_number(_get(record, "parent_prediction")),
        parent_annotation_id=whole_number(_get(record, "parent_annotation")),
        regions=regions_of(_get(record, "result")),
    )


def predictions_of(records: Iterable[Any]) -> tuple[Prediction, ...]:
    """Each once; those of which only the id is told are left out."""
    found: dict[int, Prediction] = {}
    for record in records:
        prediction_id = whole_number(_get(record, "id"))
        if prediction_id is not None:
            version = _text(_get(record, "model_version"))
            found.setdefault(prediction_id, Prediction(prediction_id, version, regions_of(_get(record, "result"))))
    return tuple(found.values())


def prediction_ids(record: Any) -> frozenset[int]:
    """Of all predictions of a task, of which an export tells no more."""
    listed = [whole_number(_get(p, "id") if isinstance(p, Mapping) else p) for p in _list(record, "predictions")]
    return frozenset(prediction_id for prediction_id in listed if prediction_id is not None)


def whole_number(value: Any) -> int | None:
    """What an id can be."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def time_of(value: Any) -> datetime | None:
    """In UTC; None for what is no time."""
    try:
        return utc(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _call(record: Any) -> tuple[LLMCall | None, str | None]:
    if record is None:
        return None, NOT_OURS
    try:
        return LLMCall.from_dict(mend(record)), None
    except _UNREADABLE:
        return None, UNREADABLE_CALL


def _origin(record: Any) -> AnswerOrigin | None:
    if not isinstance(record, Mapping):
        return None
    return AnswerOrigin(*(_text(record.get(name)) for name in ("from_name", "to_name", ANSWERS_SHA256)))


def _user(value: Any, emails: Emails) -> User | None:
    """An id, or a record that has it; a draft may have an address alone."""
    user_id = whole_number(value if not isinstance(value, Mapping) else value.get("id"))
    if user_id is None:
        return None
    return User(user_id, emails.get(user_id) or _text(_get(value, "email")))


def _get(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, Mapping) else None


def _list(record: Any, name: str) -> list[Any]:
    value = _get(record, name)
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return mend_text(value) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    """A finite one: JSON has integers that no float holds, and some writers' JSON has infinity."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) <= sys.float_info.max else None
