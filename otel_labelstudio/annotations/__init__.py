"""The way back: what people did with the answers becomes datasets, feedback and a report.

    Label Studio --collect--> `AnnotatedTask` --judge--> `JudgedCall` --write--> dataset, feedback, report

`collect` reads a server (`LabelStudioSource`) or an export file (`ExportFile`); `judge` is pure. `write_dataset` writes
all at once, a `Dataset` what has changed since the last time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_labelstudio.annotations.collecting import Batch, ExportFile, LabelStudioSource, collect
    from otel_labelstudio.annotations.datasets import Dataset, DatasetOptions, Kind, Several, write_dataset
    from otel_labelstudio.annotations.judging import judge
    from otel_labelstudio.annotations.records import AnnotatedTask, JudgedCall, Judgement, NotJudged

__all__ = [
    "AnnotatedTask",
    "Batch",
    "Dataset",
    "DatasetOptions",
    "ExportFile",
    "JudgedCall",
    "Judgement",
    "Kind",
    "LabelStudioSource",
    "NotJudged",
    "Several",
    "collect",
    "judge",
    "write_dataset",
]

_COLLECT, _DATASETS, _JUDGE, _RECORDS = (
    f"{__name__}.{module}" for module in ("collecting", "datasets", "judging", "records")
)
# Public name -> its module, imported when the name is first used
_LAZY = {
    "AnnotatedTask": _RECORDS,
    "Batch": _COLLECT,
    "Dataset": _DATASETS,
    "DatasetOptions": _DATASETS,
    "ExportFile": _COLLECT,
    "JudgedCall": _RECORDS,
    "Judgement": _RECORDS,
    "Kind": _DATASETS,
    "LabelStudioSource": _COLLECT,
    "NotJudged": _RECORDS,
    "Several": _DATASETS,
    "collect": _COLLECT,
    "judge": _JUDGE,
    "write_dataset": _DATASETS,
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
