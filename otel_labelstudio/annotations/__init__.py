"""The way back: what people did with the answers becomes datasets, feedback and a report.

    Label Studio --collect--> `AnnotatedTask` --judge--> `JudgedCall` --write--> dataset, feedback, report

`collect` reads a server (`LabelStudioSource`) or an export file (`ExportFile`); `judge` is pure; `write_dataset`,
`send_feedback` and `write_report` are what the commands of these names run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_labelstudio.annotations.collecting import Batch, ExportFile, LabelStudioSource, collect
    from otel_labelstudio.annotations.datasets import Dataset, DatasetOptions, Kind, Several, write_dataset
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
    from otel_labelstudio.annotations.report import Period, Report, report_of, write_report

__all__ = [
    "AnnotatedTask",
    "AnnotatorForm",
    "Batch",
    "Dataset",
    "DatasetOptions",
    "EvaluationRules",
    "ExportFile",
    "FeedbackState",
    "FeedbackSummary",
    "JudgedCall",
    "Judgement",
    "Kind",
    "LabelStudioSource",
    "NotJudged",
    "Period",
    "Report",
    "Several",
    "SinkOptions",
    "annotator_naming",
    "collect",
    "evaluations_of",
    "judge",
    "open_sink",
    "report_of",
    "send_feedback",
    "write_dataset",
    "write_report",
]

# Where the public names are; a module is imported when one of its names is first used
_MODULES = {
    "collecting": ("Batch", "ExportFile", "LabelStudioSource", "collect"),
    "datasets": ("Dataset", "DatasetOptions", "Kind", "Several", "write_dataset"),
    "feedback": (
        *("AnnotatorForm", "EvaluationRules", "FeedbackState", "FeedbackSummary", "SinkOptions"),
        *("annotator_naming", "evaluations_of", "open_sink", "send_feedback"),
    ),
    "judging": ("judge",),
    "records": ("AnnotatedTask", "JudgedCall", "Judgement", "NotJudged"),
    "report": ("Period", "Report", "report_of", "write_report"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
