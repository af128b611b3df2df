"""From a destination to a project and its binding, by the rules of LangChain's ``LabelStudioCallbackHandler``.

An id: that project, which must exist. A title: the project of exactly that title, or a new one with the label config.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.label_studio import LabelStudioServer, Project
from otel_labelstudio.errors import PausedDeliveryError, RetryableDeliveryError
from otel_labelstudio.printable import logger
from otel_labelstudio.tasks.binding import (
    Binding,
    LabelConfigError,
    Mode,
    binding_from_label_config,
    default_label_config,
    is_same_label_config,
    refusal,
)
from otel_labelstudio.tasks.build import Task, build_task, is_chat

_logger = logger(__name__)

# People edit the labeling interface while calls arrive: how long a project's record is believed
_PROJECT_LIFETIME_S = 180.0


@dataclass(frozen=True, slots=True)
class Destination:
    """The project of a call, as rendered when the call was accepted: an id, or a title.

    ``route`` names the rules that hold for it there; None: the settings' own.
    """

    project_id: int | None = None
    title: str | None = None
    route: str | None = None

    def __str__(self) -> str:
        return f"project {self.project_id}" if self.project_id is not None else f'project "{self.title}"'

    @lru_cache(256)  # noqa: B019 - most of them are the same few
    def dumps(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def loads(cls, text: str) -> Destination:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class ProjectRules:
    """What the settings say of projects and their tasks."""

    mode: Mode
    project_config: str | None
    model_version: str


@dataclass(slots=True)
class Target:
    """A project as it was read, what it asks of its tasks, and the id of the newest task that we know of."""

    project: Project
    binding: Binding
    rules: ProjectRules
    read_at: float
    newest_task_id: int | None = None


class Targets:
    """The projects of one server that calls have gone to. ``routes`` has the rules of each route, by its name."""

    def __init__(
        self,
        server: LabelStudioServer,
        rules: ProjectRules,
        clock: Callable[[], float] = time.monotonic,
        routes: Mapping[str, ProjectRules] | None = None,
    ) -> None:
        self._server, self._rules, self._clock = server, rules, clock
        self._routes = routes or {}
        self._known: dict[str, Target] = {}
        self._model_versions: dict[int, set[str]] = {}
        self._said: set[str] = set()

    def target(self, destination: str, *, fresh: bool = False) -> Target:
        """The project and its binding; from the server when unknown, too old, or asked to be ``fresh``.

        Raises `PausedDeliveryError` for a project that does not exist or cannot show answers.
        """
        known = self._known.get(destination)
        if known is not None and not fresh and self._clock() - known.read_at < _PROJECT_LIFETIME_S:
            return known
        asked = Destination.loads(destination)
        rules = self._rules_of(asked)
        project = self._server.project(known.project.id) if known else self._resolve(asked, rules)
        try:
            binding = binding_from_label_config(project.label_config)
        except LabelConfigError as error:
            raise PausedDeliveryError(f'Project "{project.title}" ({project.id}): {error}') from None
        if known is None:
            self._compare_config(project, rules)
        newest = known.newest_task_id if known else None
        self._known[destination] = target = Target(project, binding, rules, self._clock(), newest)
        return target

    def forget(self, destination: str) -> None:
        """Resolve the project anew next time: it may have been deleted."""
        self._known.pop(destination, None)

    def build(self, call: LLMCall, call_id: str, target: Target) -> Task | str:
        """The task of a call in a project, or why it is refused there."""
        rules, project = target.rules, target.project
        why = refusal(target.binding, is_chat=is_chat(call), mode=rules.mode, project=project.title)
        if why is not None:
            self._say_once("refused", "A call was refused: %s Further refusals are only counted.", why)
            return why
        try:
            task = build_task(call, target.binding, call_id=call_id, model_version_template=rules.model_version)
        except Exception as error:  # one call that cannot be built must not hold up all others
            return self.say_rejected(f"it cannot be made into a task ({type(error).__name__})")
        self._watch_model_version(project, task.prediction["model_version"])
        return task

    def say_rejected(self, why: str) -> str:
        """The reason, after one error line about the first of them."""
        self._say_once("rejected", "A call became a dead letter: %s. Further ones are only counted.", why)
        return why

    def _rules_of(self, destination: Destination) -> ProjectRules:
        """Those of its route; where the settings have lost it since the call was accepted, their own."""
        if destination.route is None:
            return self._rules
        if destination.route not in self._routes:
            self._say_once(
                destination.route, "There is no route %s any more: its calls follow the settings.", destination.route
            )
        return self._routes.get(destination.route, self._rules)

    def _resolve(self, destination: Destination, rules: ProjectRules) -> Project:
        if destination.project_id is not None:
            return self._server.project(destination.project_id)
        title = destination.title or ""
        if not self._server.project_ids(title):
            config = rules.project_config or default_label_config(rules.mode)
            self._server.create_project(title, config)
        # Titles are not unique, and another process may have made one at the same moment: all take the lowest id
        found = self._server.project_ids(title)
        if not found:
            raise RetryableDeliveryError(f'project "{title}" was made and is not listed yet')
        return self._server.project(found[0])

    def _compare_config(self, project: Project, rules: ProjectRules) -> None:
        config = rules.project_config
        if config and not is_same_label_config(config, project.label_config):
            _logger.warning(
                'Project "%s" (%d) has another labeling configuration than project_config; the server\'s is used.',
                project.title,
                project.id,
            )

    def _watch_model_version(self, project: Project, version: str) -> None:
        known = self._model_versions.setdefault(project.id, {project.model_version} - {""})
        if version in known:
            return
        known.add(version)
        if len(known) == 2:
            _logger.warning(
                'Project "%s" (%d) holds answers of several models; Label Studio pre-fills its labeling stream only '
                'for one model_version a project. Set model_version to a constant, for example "production"; the '
                "model's name stays in the task's data.",
                project.title,
                project.id,
            )

    def _say_once(self, what: str, text: str, why: str) -> None:
        if what not in self._said:
            self._said.add(what)
            _logger.error(text, why)
