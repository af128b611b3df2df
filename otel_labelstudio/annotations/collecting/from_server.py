"""From a Label Studio server: which tasks there are, then those that changed, some at a time.

Whether a task changed tells its ``updated_at``, which moves with every annotation that is made, changed, skipped or
deleted. It is the server's clock. A task that is deleted leaves no trace: hence the list of all of them, which is
cheap. Drafts do not move it, and predictions that are imported later do not either; neither is anybody's judgement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import islice

from otel_labelstudio.annotations.collecting.batches import Batch, Since, TaskIds, beginning
from otel_labelstudio.annotations.collecting.controls import controls_of
from otel_labelstudio.annotations.collecting.tasks import prediction_ids, predictions_of, task_of
from otel_labelstudio.annotations.records import UNREADABLE_TASK, AnnotatedProject, AnnotatedTask
from otel_labelstudio.delivery.label_studio.annotated import AnnotatedTasks
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.servers import server_of
from otel_labelstudio.settings import Settings
from otel_labelstudio.titles import title_pattern

# An address of some four kilobytes
_TASKS_AT_ONCE = 200


class LabelStudioSource:
    """Projects of one server, by id and by title, all of a title where several have it. A title is exact, or one as
    `project_name` takes it: ``Support %Y-%m-%d`` names those of all days. Closes no server."""

    def __init__(
        self,
        server: LabelStudioServer,
        project_ids: Sequence[int] = (),
        project_names: Sequence[str] = (),
        *,
        annotated: AnnotatedTasks | None = None,
    ) -> None:
        self._server, self._project_ids, self._project_names = server, project_ids, project_names
        self._annotated = annotated or AnnotatedTasks(server)
        self._emails: Mapping[int, str] = {}

    @classmethod
    @contextmanager
    def connected(
        cls,
        *,
        url: str | None = None,
        api_key: str | None = None,
        project_ids: Sequence[int] = (),
        project_names: Sequence[str] = (),
    ) -> Iterator[LabelStudioSource]:
        """With a connection of its own, for as long as the context lasts. Address and key come from the environment
        (``LABEL_STUDIO_URL``, ``LABEL_STUDIO_API_KEY``) where they are not given. Raises `ConfigError`."""
        settings = Settings.resolve({"url": url, "api_key": api_key})
        server = server_of(settings)
        try:
            yield cls(server, project_ids, project_names)
        finally:
            server.close()

    def batches(self, since: Since = None) -> Iterator[Batch]:
        """See `collect`."""
        projects = self.projects()
        self._emails = self._annotated.emails()
        for project in projects:
            yield from self._batches(project, beginning(since, project))

    def projects(self) -> list[AnnotatedProject]:
        """The projects, each once; raises `ConfigError` where there is none of a title."""
        ids = list(self._project_ids)
        for title in self._project_names:
            pattern = title_pattern(title)
            found = self._server.project_ids_like(pattern) if pattern else self._server.project_ids(title)
            if not found:
                raise ConfigError(f'{self._server.url} has no project with the title "{title}"')
            ids += found
        projects = map(self._server.project, dict.fromkeys(ids))
        return [AnnotatedProject(p.id, p.title, self._server.url, controls_of(p.label_config)) for p in projects]

    def _batches(self, project: AnnotatedProject, begin: datetime | None) -> Iterator[Batch]:
        times = dict(self._annotated.ids(project.id))
        changed = (task_id for task_id, at in times.items() if begin is None or at >= begin)
        by_time = iter(sorted(changed, key=times.__getitem__))
        while ids := list(islice(by_time, _TASKS_AT_ONCE)):
            yield self._batch(project, ids, times[ids[-1]])
        yield Batch(project=project, watermark=max(times.values(), default=None), all_ids=TaskIds(times))

    def _batch(self, project: AnnotatedProject, ids: Sequence[int], watermark: datetime) -> Batch:
        exported = self._annotated.exported(project.id, ids)
        found = [(record, task_of(record, project, self._emails)) for record in exported.tasks]
        tasks = [self._with_parents(task, prediction_ids(record)) for record, task in found if task is not None]
        tasks += [AnnotatedTask(id=i, project=project, why_no_call=UNREADABLE_TASK) for i in exported.unreadable]
        without = frozenset(ids).difference(task.id for task in tasks)
        return Batch(project=project, tasks=tuple(tasks), without_annotations=without, watermark=watermark)

    def _with_parents(self, task: AnnotatedTask, prediction_ids: Set[int]) -> AnnotatedTask:
        """With the predictions that people began with. An export tells only that of the project's model version; the
        server is asked for others, unless the task has none but ours."""
        known = {prediction.id for prediction in task.predictions}
        began_with = {a.parent_prediction_id for a in task.annotations}
        wanted = prediction_ids & began_with - known
        has_own = task.origin is not None and task.origin.answers_sha256 is not None
        if not wanted or (has_own and len(prediction_ids) == 1):
            return task
        asked = [self._annotated.prediction(prediction_id) for prediction_id in sorted(wanted)]
        return replace(task, predictions=(*task.predictions, *predictions_of(asked)))
