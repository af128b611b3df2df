"""The way back: what people did with the answers becomes datasets, feedback and a report.

    Label Studio --collect--> `AnnotatedTask` --judge--> `JudgedCall` --write--> dataset, feedback, report

`collect` reads a server (`LabelStudioSource`) or an export file (`ExportFile`); `judge` is pure.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_labelstudio.annotations.collecting import Batch, ExportFile, LabelStudioSource, collect
    from otel_labelstudio.annotations.judging import judge
    from otel_labelstudio.annotations.records import AnnotatedTask, JudgedCall, Judgement, NotJudged
    from otel_labelstudio.annotations.report import Period, Report, report_of, write_report

__all__ = [
    "AnnotatedTask",
    "Batch",
    "ExportFile",
    "JudgedCall",
    "Judgement",
    "LabelStudioSource",
    "NotJudged",
    "Period",
    "Report",
    "collect",
    "judge",
    "report_of",
    "write_report",
]

_COLLECT, _JUDGE, _RECORDS, _REPORT = (f"{__name__}.{m}" for m in ("collecting", "judging", "records", "report"))
# Public name -> its module, imported when the name is first used
_LAZY = {
    "AnnotatedTask": _RECORDS,
    "Batch": _COLLECT,
    "ExportFile": _COLLECT,
    "JudgedCall": _RECORDS,
    "Judgement": _RECORDS,
    "LabelStudioSource": _COLLECT,
    "NotJudged": _RECORDS,
    "Period": _REPORT,
    "Report": _REPORT,
    "collect": _COLLECT,
    "judge": _JUDGE,
    "report_of": _REPORT,
    "write_report": _REPORT,
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
