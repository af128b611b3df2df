"""The handler and the exporter beside each other: same process, same LangChain calls, same Label Studio."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_labelstudio import LabelStudioSpanExporter
from otel_labelstudio.demo.api import answer_of
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio

Json: TypeAlias = dict[str, Any]
Calls: TypeAlias = Callable[[RunnableConfig], object]
"""LangChain calls, made with the callbacks of the configuration."""

# The handler loses predictions where somebody else writes to Label Studio's SQLite while it imports: we wait until all
# calls are made
_PATIENT = {"settle_s": 600.0}

# LangChain's class names, which the handler writes as roles, in the words of the conventions
_ROLES = {"HumanMessage": "user", "AIMessage": "assistant", "SystemMessage": "system", "ToolMessage": "tool"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a task shows to the person who labels it."""

    prompt: Any
    answers: list[str]
    model_version: str | None


class Spans(SpanExporter):
    """Passes spans on to the exporter of the moment: LangChain's instrumentation, once on, does not come off again."""

    def __init__(self) -> None:
        self.exporter: SpanExporter | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self.exporter.export(spans) if self.exporter else SpanExportResult.SUCCESS


class Sides:
    """Makes handlers and exporters for one server, and reads what each of them left there."""

    def __init__(self, server: EmbeddedLabelStudio, handler_class: Callable[..., Any], spans: Spans) -> None:
        self._handler_class = handler_class
        self._spans = spans
        self.url, self.api_key = server.url, server.api_key

    @contextmanager
    def handler(self, **settings: Any) -> Iterator[Any]:
        """LangChain's handler, connected with a URL and a legacy token; raises what its constructor raises."""
        handler = self._handler_class(**{"url": self.url, "api_key": self.api_key, **settings})
        try:
            yield handler
        finally:
            handler.ls_client.session.close()

    @contextmanager
    def exporter(self, **settings: Any) -> Iterator[LabelStudioSpanExporter]:
        """Our exporter, fed by LangChain's instrumentation; at the end everything is delivered."""
        exporter = LabelStudioSpanExporter(**{"url": self.url, "api_key": self.api_key, **_PATIENT, **settings})
        self._spans.exporter = exporter
        try:
            yield exporter
            exporter.force_flush(240_000)
        finally:
            self._spans.exporter = None
            exporter.shutdown(timeout_millis=0)

    def compare(self, calls: Calls, mode: str) -> tuple[list[Shown], list[Shown]]:
        """What the handler and the exporter show of the same calls, each in a project of its own."""
        theirs, ours = new_title("handler"), new_title("exporter")
        with self.handler(project_name=theirs, mode=mode) as handler, self.exporter(project_name=ours, mode=mode):
            calls({"callbacks": [handler], "max_concurrency": 1})
        return self.shown(theirs), self.shown(ours)

    def shown(self, title: str) -> list[Shown]:
        """The tasks of the project of this title; none where there is no project."""
        return [shown_of(task) for project in self.projects(title) for task in self.tasks(project["id"])]

    def projects(self, title: str) -> list[Json]:
        """The records of the projects of exactly this title."""
        found = self._get(f"/api/projects/?page_size=1000&title={title.replace(' ', '%20')}")["results"]
        return [project for project in found if project["title"] == title]

    def create_project(self, title: str, label_config: str) -> int:
        """A project as a person makes one; its id."""
        body = {"title": title, "label_config": label_config}
        return int(answer_of(f"{self.url}/api/projects/", self.api_key, body)["id"])

    def tasks(self, project_id: int) -> list[Json]:
        """The tasks of a project with their predictions."""
        tasks: list[Json] = self._get(f"/api/tasks?fields=all&page_size=1000&project={project_id}")["tasks"]
        return tasks

    def _get(self, path: str) -> Any:
        return answer_of(f"{self.url}{path}", self.api_key)


def new_title(name: str) -> str:
    """A project title that no other test has."""
    return f"{name} {uuid4().hex[:12]}"


def shown_of(task: Json) -> Shown:
    """A task as it is shown; it must have exactly one prediction, of one text area."""
    [prediction] = task["predictions"]
    [result] = prediction["result"]
    assert result["type"] == "textarea"
    return Shown(task["data"]["prompt"], result["value"]["text"], prediction["model_version"])


def in_order(shown: Iterable[Shown]) -> list[Shown]:
    """In an order of their content: calls that overlap end in any order."""
    return sorted(shown, key=lambda each: json.dumps([each.prompt, each.answers]))


def in_our_words(shown: Shown) -> Shown:
    """What the handler shows, with the conventions' roles and an unnamed model called unknown."""
    prompt = shown.prompt
    if isinstance(prompt, list):
        prompt = [{**turn, "role": _ROLES.get(turn["role"], turn["role"])} for turn in prompt]
    return Shown(prompt, shown.answers, shown.model_version or "unknown")
