"""A call and a binding become a task. Pure: no clock, no network, no settings but the arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.tasks import render
from otel_labelstudio.tasks.binding import HYPER_TEXT, PARAGRAPHS, Binding, Variable
from otel_labelstudio.tasks.mend import mend

# gen_ai.operation.name of a legacy completion; every other inference is a chat
_COMPLETION = "text_completion"
# The key in a task's data by which a call is found again
CALL_ID = "call_id"
# The key in a task's meta under which stands how it was made: where its answer is and what that said
META_KEY = "otel_labelstudio"
# Below it: the id of the import request that the task came by; each request has its own
IMPORT_ID = "import_id"


@dataclass(frozen=True, slots=True)
class Task:
    """A Label Studio task as its import endpoint takes it; its repr shows nothing of it."""

    data: Mapping[str, Any] = field(repr=False)
    meta: Mapping[str, Any] = field(repr=False)
    prediction: Mapping[str, Any] = field(repr=False)

    def to_dict(self, import_id: str | None = None) -> dict[str, Any]:
        """As the import takes it; ``import_id`` names the request, in the task's meta."""
        meta = self.meta
        if import_id is not None:
            meta = {**meta, META_KEY: {**meta[META_KEY], IMPORT_ID: import_id}}
        return {"data": self.data, "meta": meta, "predictions": [self.prediction]}


def is_chat(call: LLMCall) -> bool:
    """Whether the call is a dialogue; a legacy completion is a prompt."""
    return call.operation != _COMPLETION


def model_version(call: LLMCall, template: str) -> str:
    """The prediction's model_version; a call that does not name its model has ``unknown``."""
    return template.format(model=call.model or "unknown", provider=call.provider or "unknown")


def build_task(call: LLMCall, binding: Binding, *, call_id: str, model_version_template: str = "{model}") -> Task:
    """The task of a call in a project with this binding; the call must fit it (see `binding.refusal`).

    ``call_id`` is the key by which the call is found again in Label Studio.
    """
    data: dict[str, Any] = {}
    for variable in binding.variables:
        _assign(data, variable.name, _value(variable, call))
    _assign(data, binding.data_key, _prompt(call, binding))
    # The configuration's own variables win over ours of the same name
    data = {**_facts(call), CALL_ID: call_id, **data}
    answers = render.answers(call)
    prediction = {
        "result": [
            {
                "from_name": binding.from_name,
                "to_name": binding.to_name,
                "type": "textarea",
                "value": {"text": answers},
            }
        ],
        "model_version": model_version(call, model_version_template),
    }
    meta = {"call": call.to_dict(), META_KEY: _origin(binding, answers)}
    return Task(data=mend(data), meta=mend(meta), prediction=mend(prediction))


def answers_digest(answers: Sequence[str]) -> str:
    """The SHA-256 of what a prediction says, to tell later whether a text is the model's own."""
    texts = json.dumps(mend(list(answers)), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(texts.encode()).hexdigest()


def _origin(binding: Binding, answers: Sequence[str]) -> dict[str, str]:
    return {
        "from_name": binding.from_name,
        "to_name": binding.to_name,
        "data_key": binding.data_key,
        "answers_sha256": answers_digest(answers),
    }


def _prompt(call: LLMCall, binding: Binding) -> str | list[dict[str, str]]:
    if binding.object_tag == PARAGRAPHS:
        turns = render.dialogue(call) if is_chat(call) else [("user", render.prompt(call))]
        return _turns(turns, binding)
    text = render.dialogue_text(call) if is_chat(call) else render.prompt(call)
    return render.as_html(text) if binding.object_tag == HYPER_TEXT else text


def _turns(turns: list[render.Turn], binding: Binding | Variable) -> list[dict[str, str]]:
    return [{binding.role_key: role, binding.content_key: content} for role, content in turns]


def _facts(call: LLMCall) -> dict[str, Any]:
    """What a person sorts and filters by in the Data Manager, in the order of its columns; facts that the telemetry
    lacks are left out."""
    facts = {
        "preview": render.preview(call),
        "model": call.model,
        "provider": call.provider,
        "operation": call.operation,
        "service": call.service_name,
        "started_at": _iso(call.start_time_unix_nano),
        "latency_ms": round((call.end_time_unix_nano - call.start_time_unix_nano) / 1e6, 1),
        "input_tokens": call.usage.input_tokens,
        "output_tokens": call.usage.output_tokens,
        "finish_reason": ", ".join(dict.fromkeys(call.finish_reasons)) or None,
        "conversation_id": call.conversation_id,
        "incomplete": "; ".join(call.incomplete) or None,
        "run_id": call.run_id or f"{call.trace_id}-{call.span_id}",
        "trace_id": call.trace_id,
        "span_id": call.span_id,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _iso(unix_nano: int) -> str | None:
    if not 0 < unix_nano < 253402300800 * 10**9:  # the year 10000
        return None
    return datetime.fromtimestamp(unix_nano / 1e9, timezone.utc).isoformat(timespec="milliseconds")


# What a custom configuration's variable may be called -> what fills it
_FILLS: dict[str, Callable[[LLMCall], Any]] = {
    **dict.fromkeys(("system", "system_prompt", "system_instructions", "instructions"), render.system_text),
    **dict.fromkeys(("tools", "tool_definitions", "functions"), lambda call: render.tools_text(call.tool_definitions)),
    **dict.fromkeys(("prompt", "input", "question", "text", "dialogue", "messages"), render.dialogue_text),
    **dict.fromkeys(("response", "answer", "completion", "output"), lambda call: render.answers(call)[0]),
    **dict.fromkeys(("service", "service_name"), lambda call: call.service_name),
    **dict.fromkeys(("conversation_id", "session_id", "thread_id"), lambda call: call.conversation_id),
    **dict.fromkeys(("user", "user_id"), lambda call: call.user_id),
    "tags": lambda call: ", ".join(call.tags),
    "request_model": lambda call: call.request_model,
    "response_model": lambda call: call.response_model,
    "response_id": lambda call: call.response_id,
}


def _value(variable: Variable, call: LLMCall) -> Any:
    """The value of another variable of the configuration; empty where the call does not have it, since Label Studio
    refuses a task that lacks one."""
    if "[" in variable.name:  # a Repeater's list
        return []
    if variable.tag == PARAGRAPHS:
        return _turns(render.dialogue(call) if variable.name in _FILLS else [("", "")], variable)
    text = _text(variable.name, call)
    return render.as_html(text) if variable.tag == HYPER_TEXT else text


def _text(name: str, call: LLMCall) -> str:
    fill = _FILLS.get(name)
    value = fill(call) if fill else _facts(call).get(name, call.metadata.get(name))
    if value is None:
        value = call.request_parameters.get(name, "")
    return value if isinstance(value, str) else str(value)


def _assign(data: dict[str, Any], path: str, value: Any) -> None:
    """Set ``data["a"]["b"]`` for the path ``a.b``, as Label Studio looks it up."""
    *parents, last = path.split("[", 1)[0].split(".")
    for parent in parents:
        inner = data.get(parent)
        if not isinstance(inner, dict):
            inner = data[parent] = {}
        data = inner
    data[last] = value
