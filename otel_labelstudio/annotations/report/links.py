"""Where a task is in Label Studio's pages."""

from __future__ import annotations

from otel_labelstudio.annotations.records import AnnotatedTask
from otel_labelstudio.annotations.report.fields import project_name
from otel_labelstudio.annotations.report.records import TaskLink

_SCHEMES = ("http://", "https://")


def link_to(task: AnnotatedTask) -> TaskLink:
    """The task in the Data Manager; without an address where only an export file is at hand."""
    project = task.project
    is_known = project.url.lower().startswith(_SCHEMES)
    url = f"{project.url.rstrip('/')}/projects/{project.id}/data?task={task.id}" if is_known else None
    return TaskLink(task.id, project_name(project), url)
