"""The way back: what people did with the answers becomes datasets, feedback and a report.

    Label Studio --collect--> `AnnotatedTask` --judge--> `JudgedCall` --write--> dataset, feedback, report

`collect` reads a server (`LabelStudioSource`) or an export file (`ExportFile`); `judge` is pure.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_labelstudio.annotations.collecting import Batch, ExportFile, LabelStudioSource, collect
    from otel_labelstudio.annotations.feedback import (
        AnnotatorForm,
        EvaluationRules,
        FeedbackState,
        FeedbackSummary,
        SinkOptions,
        annotator_naming,
        evaluations_of,
        open_sink,
        send_feedback,
    )
    from otel_labelstudio.annotations.judging import judge
    from otel_labelstudio.annotations.records import AnnotatedTask, JudgedCall, Judgement, NotJudged

__all__ = [
    "AnnotatedTask",
    "AnnotatorForm",
    "Batch",
    "EvaluationRules",
    "ExportFile",
    "FeedbackState",
    "FeedbackSummary",
    "JudgedCall",
    "Judgement",
    "LabelStudioSource",
    "NotJudged",
    "SinkOptions",
    "annotator_naming",
    "collect",
    "evaluations_of",
    "judge",
    "open_sink",
    "send_feedback",
]

_COLLECT, _FEEDBACK, _JUDGE, _RECORDS = (
    f"{__name__}.{module}" for module in ("collecting", "feedback", "judging", "records")
)
# Public name -> its module, imported when the name is first used
_LAZY = {
    "AnnotatedTask": _RECORDS,
    "AnnotatorForm": _FEEDBACK,
    "Batch": _COLLECT,
    "EvaluationRules": _FEEDBACK,
    "ExportFile": _COLLECT,
    "FeedbackState": _FEEDBACK,
    "FeedbackSummary": _FEEDBACK,
    "JudgedCall": _RECORDS,
    "Judgement": _RECORDS,
    "LabelStudioSource": _COLLECT,
    "NotJudged": _RECORDS,
    "SinkOptions": _FEEDBACK,
    "annotator_naming": _FEEDBACK,
    "collect": _COLLECT,
    "evaluations_of": _FEEDBACK,
    "judge": _JUDGE,
    "open_sink": _FEEDBACK,
    "send_feedback": _FEEDBACK,
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
