"""Tasks and what people did on them, out of Label Studio: from a server or from an export file.

The only part of the way back that knows Label Studio's JSON: what it gives are records. A task that cannot be read is
one without a call, which says why; it does not keep others from being read.

    for batch in collect(LabelStudioSource(server, project_ids=[1]), since={1: watermark}):
        for task in batch.tasks:            # new or changed, with annotations
            ...
        forget(batch.without_annotations)   # changed, without annotations (any more)
        if batch.all_ids is not None:       # the project's last batch
            forget_all_but(batch.project.id, batch.all_ids)
        save(batch.project.id, batch.watermark)
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from otel_labelstudio.annotations.collecting.batches import Batch, Since, Source, TaskIds, time_for
from otel_labelstudio.annotations.collecting.from_file import ExportFile
from otel_labelstudio.annotations.collecting.from_server import LabelStudioSource

__all__ = ["Batch", "ExportFile", "LabelStudioSource", "Since", "Source", "TaskIds", "collect"]


def collect(source: Source, *, since: Since = None, watermarks: Since = None) -> Iterator[Batch]:
    """What people did, batch by batch.

    ``since`` is a time for all projects, or the watermarks of an earlier run, by the project's id, or a function that
    gives that of a project; None for everything.
    What changed in the ten minutes before it comes once more. A single time may skip what no run has read: then batches
    have no watermark, unless ``watermarks`` say that the project was read at least until that time. Raises
    `DeliveryError`, `ConfigError` where there is no such project, and `ExportFileError`.
    """
    has_gap: dict[int, bool] = {}  # as it was before the first batch: who takes one in moves the watermark
    for batch in source.batches(since):
        if batch.project.id not in has_gap:
            read_until = time_for(watermarks, batch.project)
            has_gap[batch.project.id] = isinstance(since, datetime) and (read_until is None or read_until < since)
        yield replace(batch, watermark=None) if has_gap[batch.project.id] else batch
