"""What calls are grouped by: fields of a call, of its task and of what the application attached to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from otel_labelstudio.annotations.records import AnnotatedProject, JudgedCall
from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import ConfigError

NOT_SET = "(not set)"
DEFAULT = ("model", "service", "prompt_version", "project")
_JOINED = " · "
_LONGEST = 80
# What applications and prompt registries call the version of a prompt in a call's metadata
_PROMPT_VERSIONS = ("prompt_version", "prompt.version", "promptVersion", "prompt_id", "prompt.id")

_OF_CALL: Mapping[str, Callable[[LLMCall], Any]] = {
    "model": lambda call: " / ".join(sorted({model for model in call.answer_models if model})) or call.model,
    "request_model": lambda call: call.request_model,
    "response_model": lambda call: call.response_model,
    "provider": lambda call: call.provider,
    "operation": lambda call: call.operation,
    "service": lambda call: call.service_name,
    "prompt_version": lambda call: next((v for k in _PROMPT_VERSIONS if (v := call.metadata.get(k)) is not None), None),
    "finish_reason": lambda call: ", ".join(call.finish_reasons),
    "tags": lambda call: ", ".join(sorted(call.tags)),
    "user_id": lambda call: call.user_id,
    "error_type": lambda call: call.error_type,
    "scope": lambda call: call.scope,
}
_OF_MAPPINGS: Mapping[str, Callable[[LLMCall], Mapping[str, Any]]] = {
    "metadata": lambda call: call.metadata,
    "request": lambda call: call.request_parameters,
}


def checked(names: str) -> str:
    """A field, or several that are joined by plus signs, if all of them are known; raises `ConfigError`."""
    for name in names.split("+"):
        mapping, dot, key = name.partition(".")
        if name != "project" and name not in _OF_CALL and not (mapping in _OF_MAPPINGS and dot and key):
            known = ", ".join([*_OF_CALL, "project", "metadata.KEY", "request.PARAMETER"])
            raise ConfigError(f"No field to group by is called {name!r}. There are: {known}.")
    return names


def value_of(names: str, judged: JudgedCall, imported_model: str | None) -> str:
    """What the call has in the field or fields; its model is the imported one where people began with that one's."""
    return _JOINED.join(_one(name, judged, imported_model) for name in names.split("+"))


def project_name(project: AnnotatedProject) -> str:
    """Its title, or what there is."""
    return project.title or f"project {project.id}"


def _one(name: str, judged: JudgedCall, imported_model: str | None) -> str:
    if name == "project":
        return project_name(judged.task.project)
    if name == "model" and imported_model is not None:
        return imported_model
    mapping, _, key = name.partition(".")
    value = _OF_MAPPINGS[mapping](judged.call).get(key) if key else _OF_CALL[name](judged.call)
    return NOT_SET if value in (None, "") else str(value)[:_LONGEST]
