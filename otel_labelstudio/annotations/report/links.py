"""Where a task is in Label Studio's pages."""

from __future__ import annotations

from otel_labelstudio.annotations.records import AnnotatedTask
from otel_labelstudio.annotations.report.fields import project_name
from otel_labelstudio.annotations.report.records import TaskLink


def link_to(task: AnnotatedTask) -> TaskLink:
    """The task with its project; without an address where only an export file is at hand."""
    return TaskLink(task.id, project_name(task.project), task.url)
