"""From a destination to a project and its binding, by the rules of LangChain's ``LabelStudioCallbackHandler``.

An id: that project, which must exist. A title: the project of exactly that title, or a new one with the label config
(`project_titles`). Where the project was renamed meanwhile, calls follow the title, and those that may have been sent
before are looked up where they were sent to.

Unlike the handler's, a new one is made only for calls that it takes: an empty project that was made in the wrong mode
would go on refusing calls after the mode is set right.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.label_studio.project_titles import ProjectTitles
from otel_labelstudio.delivery.label_studio.records import Project
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.errors import DeliveryError, PausedDeliveryError, ProjectLimitError
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.printable import logger
from otel_labelstudio.tasks.binding import (
    Binding,
    Mode,
    Source,
    binding_from_label_config,
    default_instructions,
    default_label_config,
    refusal,
)
from otel_labelstudio.tasks.build import Task, build_task
from otel_labelstudio.tasks.data_manager import data_manager_view
from otel_labelstudio.tasks.label_config import LabelConfigError, is_same_label_config
from otel_labelstudio.tasks.layouts import Layout, layout_instructions, layout_label_config

_logger = logger(__name__)

# People edit the labeling interface while calls arrive: how long a project's record is believed
_PROJECT_LIFETIME_S = 180.0
# One to which nothing goes for so long is forgotten: where each day has its own projects, there are ever more
_FORGET_AFTER_S = 24 * 3600.0
# While batch follows batch, it is not read after each of them
_LATELY_S = 2.0


@dataclass(frozen=True, slots=True)
class ProjectRules:
    """What the settings say of projects and their tasks."""

    mode: Mode
    project_config: str | None
    model_version: str
    answer_tag: str | None = None
    require_prediction: bool = True
    layout: Layout | None = None

    @property
    def label_config(self) -> str:
        """The labeling configuration of a new project."""
        return self.chosen_config or default_label_config(self.mode)

    @property
    def chosen_config(self) -> str | None:
        """The labeling configuration that somebody chose, if anybody did."""
        return layout_label_config(self.layout) if self.layout else self.project_config

    @property
    def choice(self) -> str:
        """By what it was chosen, as a log line says it."""
        return f'layout "{self.layout.value}"' if self.layout else "project_config"

    @property
    def instructions(self) -> str | None:
        """What labelers of a new project are told (HTML); nothing where the labeling interface is the user's own."""
        if self.layout:
            return layout_instructions(self.layout)
        return None if self.project_config else default_instructions()

    def binding(self, label_config: str) -> Binding:
        """That of a project with this labeling configuration; raises `LabelConfigError`."""
        return binding_from_label_config(label_config, self.answer_tag, require_prediction=self.require_prediction)

    def refusal(self, binding: Binding, *, is_chat: bool, project: str, is_made: bool) -> str | None:
        """Why a project with this binding, which is there or would be made, does not take a call; None if it does."""
        of_new = Source.PROJECT_CONFIG if self.project_config else Source.MODE
        source = Source.PROJECT if is_made else of_new
        return refusal(binding, is_chat=is_chat, mode=self.mode, project=project, source=source)


@dataclass(slots=True)
class Target:
    """A project as it was read, what it asks of its tasks, and the id of the newest task that we know of.

    A project with the id 0 is not there: it would be created, if there were a call that it takes. ``is_new`` where we
    have just created it, or another of its title. ``unconfirmed`` are calls that were imported since it was read, with
    their task ids.
    """

    project: Project
    binding: Binding
    rules: ProjectRules
    read_at: float
    newest_task_id: int | None = None
    is_new: bool = False
    unconfirmed: list[tuple[OutboxEntry, int]] = field(default_factory=list)

    @property
    def exists(self) -> bool:
        """Whether the project is there."""
        return self.project.id != 0


class Projects:
    """The projects of one server that calls have gone to. ``routes`` has the rules of each route, by its name;
    ``creation_wait_s`` is for how long a project is waited for whose creation was not answered."""

    def __init__(
        self,
        server: LabelStudioServer,
        rules: ProjectRules,
        clock: Callable[[], float] = time.monotonic,
        routes: Mapping[str, ProjectRules] | None = None,
        creation_wait_s: float = 30.0,
    ) -> None:
        self._server, self._rules, self._clock = server, rules, clock
        self._titles = ProjectTitles(server, creation_wait_s, clock)
        self._routes = routes or {}
        self._known: dict[str, Target] = {}
        self._model_versions: dict[int, set[str]] = {}
        self._said: set[str] = set()

    def target(
        self,
        destination: str,
        *,
        entries: Sequence[OutboxEntry] | None = None,
        may_create: bool = True,
    ) -> Target:
        """The project and its binding; from the server when unknown or too old.

        With ``entries``, a project of a title is created only if it takes one of them, or may have held one before.
        Raises `PausedDeliveryError` for a project that does not exist or cannot show answers, and `ProjectLimitError`
        for one that would have to be created and may not.
        """
        asked = Destination.loads(destination)
        if entries is not None:
            self._follow_title(destination, asked)
        known = self._known.get(destination)
        if known is not None:
            is_old = self._clock() - known.read_at >= _PROJECT_LIFETIME_S
            return self.read_again(destination, known) if is_old else known
        rules = self._rules_of(asked)
        project, is_new = self._resolve(asked, rules, entries, may_create)
        target = self._bound(project, rules)
        if target.exists:
            if is_new:
                self._decorate(target)
            self._compare_config(project, rules)
            _say_passed_over(project, target.binding)
            self._forget_unused()
            self._known[destination] = target
        return replace(target, is_new=True) if is_new else target

    def read_again(self, destination: str, target: Target) -> Target:
        """The same project of a destination as it is now, whatever its title is by now."""
        project = self._server.project(target.project.id)
        now = self._bound(project, target.rules, target.newest_task_id)
        if Destination.loads(destination).title in (None, project.title):
            self._known[destination] = now
        else:
            self.forget(destination)  # it was renamed: what comes next goes to the project of the title
        return now

    def id_of(self, destination: str) -> int | None:
        """The project to which calls go now; None where there is none."""
        known, asked = self._known.get(destination), Destination.loads(destination)
        if known is not None:
            return known.project.id
        return asked.project_id if asked.title is None else self._titles.find(asked.title)

    def former(self, destination: str, project_id: int) -> tuple[str, Target] | None:
        """Another project to which calls of a destination went before, as a destination; None where it is gone."""
        pinned = replace(Destination.loads(destination), project_id=project_id, title=None).dumps()
        if pinned not in self._known and not self._server.has_project(project_id):
            return None
        with self.forgetting_paused(pinned):
            return pinned, self.target(pinned)

    def is_read_lately(self, target: Target) -> bool:
        """Whether a project was read so lately that what is imported next may be imported by that."""
        return self._clock() - target.read_at < _LATELY_S

    def forget(self, destination: str) -> None:
        """Resolve the project anew next time: it may have been deleted."""
        self._known.pop(destination, None)

    def _forget_unused(self) -> None:
        long_ago = self._clock() - _FORGET_AFTER_S  # each is read again while it is used
        for destination in [name for name, known in list(self._known.items()) if known.read_at <= long_ago]:
            self.forget(destination)

    @contextmanager
    def forgetting_paused(self, destination: str) -> Iterator[None]:
        """`forget` the project where somebody has to mend it."""
        try:
            yield
        except PausedDeliveryError:
            self.forget(destination)
            raise

    def build(self, call: LLMCall, call_id: str, target: Target) -> Task | str:
        """The task of a call in a project, or why it is refused there."""
        rules, project = target.rules, target.project
        why = rules.refusal(target.binding, is_chat=call.is_chat, project=project.title, is_made=target.exists)
        if why is not None:
            self._say_once("refused", "A call was refused: %s Further refusals are only counted.", why)
            return why
        try:
            task = build_task(call, target.binding, call_id=call_id, model_version_template=rules.model_version)
        except Exception as error:  # one call that cannot be built must not hold up all others
            return self.say_rejected(f"it cannot be made into a task ({type(error).__name__})")
        if task.prediction:
            self._watch_model_version(project, task.prediction["model_version"])
        return task

    def say_rejected(self, why: str) -> str:
        """The reason, after one error line about the first of them."""
        self._say_once("rejected", "A call became a dead letter: %s. Further ones are only counted.", why)
        return why

    def _bound(self, project: Project, rules: ProjectRules, newest_task_id: int | None = None) -> Target:
        try:
            binding = rules.binding(project.label_config)
        except LabelConfigError as error:
            raise PausedDeliveryError(f'Project "{project.title}" ({project.id}): {error}') from None
        return Target(project, binding, rules, self._clock(), newest_task_id)

    def _rules_of(self, destination: Destination) -> ProjectRules:
        """Those of its route; where the settings have lost it since the call was accepted, their own."""
        if destination.route is None:
            return self._rules
        if destination.route not in self._routes:
            self._say_once(
                destination.route, "There is no route %s any more: its calls follow the settings.", destination.route
            )
        return self._routes.get(destination.route, self._rules)

    def _follow_title(self, destination: str, asked: Destination) -> None:
        """Forget a project that is not its title's any more: it was renamed, or one with a lower id is there."""
        known = self._known.get(destination)
        if known is None or asked.title is None or not self._titles.is_to_be_looked_up(asked.title):
            return
        found = self._titles.find(asked.title)
        is_unlisted = found is None and self._is_called(known.project.id, asked.title)
        if found != known.project.id and not is_unlisted:
            self.forget(destination)

    def _is_called(self, project_id: int, title: str) -> bool:
        return self._server.has_project(project_id) and self._server.project(project_id).title == title

    def _resolve(
        self, destination: Destination, rules: ProjectRules, entries: Sequence[OutboxEntry] | None, may_create: bool
    ) -> tuple[Project, bool]:
        """The project, and whether we have just created it, or another of its title."""
        if destination.project_id is not None:
            return self._server.project(destination.project_id), False
        title = destination.title or ""
        is_awaited = self._titles.is_awaited(title)
        found = self._titles.find(title)
        if found is not None:
            return self._server.project(found), is_awaited
        if entries is not None and not _is_wanted(title, rules, entries):
            return Project(0, title, rules.label_config, ""), False
        if not may_create:
            raise ProjectLimitError(
                "there is no project of that title, and as many projects were created lately as may be. Raise "
                "max_new_projects (OTEL_EXPORTER_LABELSTUDIO_MAX_NEW_PROJECTS), or create the project by hand"
            )
        return self._server.project(self._titles.create(title, rules.label_config)), True

    def _decorate(self, target: Target) -> None:
        """What makes a new project easier to work in; its tasks do not wait for a server that fails to do it."""
        project, instructions = target.project, target.rules.instructions
        steps = [partial(self._server.add_view, project.id, data_manager_view(target.binding))]
        if instructions:
            steps.append(partial(self._server.set_instructions, project.id, instructions))
        for step in steps:
            with _failing_quietly(project):
                step()

    def _compare_config(self, project: Project, rules: ProjectRules) -> None:
        config = rules.chosen_config
        if config and not is_same_label_config(config, project.label_config):
            _logger.warning(
                'Project "%s" (%d) has another labeling configuration than %s; the server\'s is used.',
                project.title,
                project.id,
                rules.choice,
            )

    def _watch_model_version(self, project: Project, version: str) -> None:
        known = self._model_versions.setdefault(project.id, {project.model_version} - {""})
        if version in known or len(known) > 1:  # senders may name a model of its own for each call
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


@contextmanager
def _failing_quietly(project: Project) -> Iterator[None]:
    try:
        yield
    except DeliveryError as error:
        _logger.info(
            'Project "%s" (%d): its view or its instructions could not be set: %s', project.title, project.id, error
        )


def _say_passed_over(project: Project, binding: Binding) -> None:
    if binding.passed_over:
        _logger.info(
            'Project "%s" (%d): %s. Skipped: %s.',
            project.title,
            project.id,
            f'the answers go to the TextArea "{binding.from_name}"'
            if binding.from_name
            else "tasks have no prediction",
            "; ".join(f'"{box.name}", because {box.obstacle}' for box in binding.passed_over),
        )


def _is_wanted(title: str, rules: ProjectRules, entries: Sequence[OutboxEntry]) -> bool:
    """Whether a project that would be created takes one of the calls, or may have held one before it was deleted."""
    binding = rules.binding(rules.label_config)
    return any(
        entry.sent_at is not None
        or entry.task_id is not None
        or rules.refusal(binding, is_chat=entry.call.is_chat, project=title, is_made=False) is None
        for entry in entries
    )
