"""LLM calls as an instrumented application traces them, sent through the exporter to a real Label Studio."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import format_span_id

from otel_labelstudio import LabelStudioSpanExporter
from otel_labelstudio.demo.api import answer_of
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio

Message = dict[str, Any]

_numbers = itertools.count(1)


@dataclass(frozen=True)
class TracedCall:
    """What a call's span holds, in the GenAI conventions' words."""

    inputs: list[Message]
    outputs: list[Message]
    operation: str = "chat"
    model: str = "gpt-4o-mini"


@dataclass(frozen=True)
class Sent:
    """A project, and the task that each call became."""

    server: EmbeddedLabelStudio
    project_id: int
    task_ids: Mapping[str, int]

    def task(self, name: str) -> Any:
        """The task of the call as the server has it now."""
        return answer_of(f"{self.server.url}/api/tasks/{self.task_ids[name]}", self.server.api_key)


def said(role: str, *parts: str | dict[str, Any]) -> Message:
    """A message; a text stands for its part."""
    return {
        "role": role,
        "parts": [{"type": "text", "content": part} if isinstance(part, str) else part for part in parts],
    }


def answered(*parts: str | dict[str, Any], finish_reason: str = "stop") -> Message:
    """A choice of the answer."""
    return {**said("assistant", *parts), "finish_reason": finish_reason}


def asked(question: str, *answers: str, operation: str = "chat") -> TracedCall:
    """A call of one user turn."""
    return TracedCall([said("user", question)], [answered(answer) for answer in answers], operation)


def tool_call(name: str, **arguments: Any) -> dict[str, Any]:
    """The part by which a model calls a tool."""
    return {"type": "tool_call", "id": f"call_{next(_numbers)}", "name": name, "arguments": arguments}


def tool_result(response: Any) -> dict[str, Any]:
    """The part with what a tool returned."""
    return {"type": "tool_call_response", "id": "call_1", "response": response}


def send(
    server: EmbeddedLabelStudio,
    calls: Mapping[str, TracedCall],
    *,
    title: str,
    mode: str,
    project_config: str | None = None,
    model_version: str | None = None,
) -> Sent:
    """Trace the calls with the exporter registered, and wait until each is a task with its prediction."""
    exporter = LabelStudioSpanExporter(
        api_key=server.api_key,
        url=server.url,
        project_name=title,
        mode=mode,
        project_config=project_config,
        model_version=model_version,
    )
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    span_ids = {name: _trace(provider, call) for name, call in calls.items()}
    provider.force_flush()
    exporter.force_flush(240_000)
    provider.shutdown()
    assert exporter.counts["tasks.delivered"] == len(calls), exporter.counts
    projects = answer_of(f"{server.url}/api/projects?page_size=1000", server.api_key)["results"]
    project_id = next(project["id"] for project in projects if project["title"] == title)
    tasks = answer_of(f"{server.url}/api/tasks?project={project_id}&page_size=1000&fields=all", server.api_key)["tasks"]
    task_ids = {task["data"]["span_id"]: task["id"] for task in tasks}
    return Sent(server, project_id, {name: task_ids[span_id] for name, span_id in span_ids.items()})


def _trace(provider: TracerProvider, call: TracedCall) -> str:
    attributes = {
        "gen_ai.operation.name": call.operation,
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": call.model,
        "gen_ai.input.messages": json.dumps(call.inputs),
        "gen_ai.output.messages": json.dumps(call.outputs),
    }
    with provider.get_tracer("tests.browser").start_as_current_span("chat", attributes=attributes) as span:
        return format_span_id(span.get_span_context().span_id)
