"""What a span says of a call besides its content: times, model, usage, parameters, who asked, in which conversation.

These attributes travel from dialect to dialect. A span of any dialect may carry the conventions' ones, a framework's
session id or what the application attached, so that they are read in one place, for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from otel_labelstudio.calls import JSONObject
from otel_labelstudio.dialects.shared.span_outcome import error_type_of
from otel_labelstudio.spans.attributes import Fields, Groups, bounded, decoded, grouped, number, text, texts
from otel_labelstudio.spans.model import Span

# What the application attached to the call. OpenLLMetry: set_association_properties, LangChain's metadata
_ATTACHED = "traceloop.association.properties."

# The conventions; OpenLLMetry's LangChain instrumentation since 0.43
_REQUEST_MODEL = ("gen_ai.request.model", f"{_ATTACHED}ls_model_name")
_RESPONSE_MODEL = ("gen_ai.response.model",)

# The conventions' own, and those that OpenAI alone has (1.37 and later; 1.28 to 1.36)
_PARAMETER_PREFIXES = ("gen_ai.request.", "openai.request.", "gen_ai.openai.request.")
_NO_PARAMETERS = frozenset(("model", "base_url", "user", "tools", "functions", "headers", "type"))
# Numbers, also where a producer writes them as text
_NUMBERS = frozenset(
    ("temperature", "top_p", "top_k", "max_tokens", "seed", "frequency_penalty", "presence_penalty", "choice.count")
)
# OpenLLMetry before 0.55 wrote these parameters under names of its own
_OTHER_PARAMETERS = Fields(
    {
        "stream": ("llm.is_streaming", "gen_ai.is_streaming"),
        "top_k": ("llm.top_k",),
        "frequency_penalty": ("llm.frequency_penalty",),
        "presence_penalty": ("llm.presence_penalty",),
        "stop_sequences": ("llm.chat.stop_sequences",),
        "reasoning_effort": ("llm.request.reasoning_effort",),
        "output_type": ("gen_ai.output.type",),
    }
)

# Who called, and with which stored prompt (the conventions since 1.31, semantic-conventions-genai)
_WORTH_KEEPING = (
    "gen_ai.agent.name",
    "gen_ai.agent.id",
    "gen_ai.workflow.name",
    "gen_ai.prompt.name",
    "gen_ai.prompt.version",
)
# semantic-conventions-genai: what a prompt template was filled with
_PROMPT_VARIABLES = "gen_ai.prompt.variable."
_OPEN_ENDED = (*_PARAMETER_PREFIXES, _ATTACHED, _PROMPT_VARIABLES)


class FactKeys:
    """The keys of common facts that the dialects declare (``KEYS``), of each fact the preferred ones first."""

    def __init__(self, declared: Iterable[Mapping[str, tuple[str, ...]]]) -> None:
        keys: dict[str, tuple[str, ...]] = {}
        for of_dialect in declared:
            for fact, its_keys in of_dialect.items():
                keys[fact] = tuple(dict.fromkeys((*keys.get(fact, ()), *its_keys)))
        self._fields = Fields(keys)

    def values(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        return self._fields.values(attributes)


def facts_of(span: Span, keys: FactKeys) -> dict[str, Any]:
    """Keyword arguments of `LLMCall`, without content, usage, operation, dialect and what no span says."""
    attributes = span.attributes
    named = keys.values(attributes)
    open_ended = grouped(attributes, _OPEN_ENDED)
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "start_time_unix_nano": span.start_time_unix_nano,
        "end_time_unix_nano": span.end_time_unix_nano,
        "scope": span.scope.name,
        "provider": _provider(attributes, named.get("provider")),
        "request_model": _model(attributes, _REQUEST_MODEL) or text(named.get("request_model")),
        "response_model": _model(attributes, _RESPONSE_MODEL),
        "response_id": text(named.get("response_id")),
        "request_parameters": _parameters(_OTHER_PARAMETERS.values(attributes), open_ended),
        "conversation_id": _id(named.get("conversation_id")),
        "user_id": _id(named.get("user_id")),
        "tags": texts(named.get("tags")),
        "metadata": _metadata(attributes, open_ended),
        "run_id": _id(named.get("run_id")),
        "service_name": text(span.resource.get("service.name")),
        "error_type": error_type_of(span),
    }


def _provider(attributes: Mapping[str, Any], named: Any) -> str | None:
    name = text(named)
    # OpenLLMetry up to 0.42 named the framework, and since 0.43 LangChain's metadata names the provider
    if name is None or name == "Langchain":
        name = text(attributes.get(f"{_ATTACHED}ls_provider"))
    return name.lower() if name else None


def _model(attributes: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        name = text(attributes.get(key))
        # "unknown" is OpenLLMetry's word for none; azure-ai-inference writes the operation if the client has the model
        if name and name not in ("unknown", attributes.get("gen_ai.operation.name")):
            return name
    return None


def _parameters(found: dict[str, Any], open_ended: Groups) -> JSONObject:
    for prefix in reversed(_PARAMETER_PREFIXES):
        if prefix in open_ended:
            found |= open_ended[prefix]
    return {
        name: _parameter(name, value)
        for name, value in found.items()
        if value not in (None, "", [], {}) and name not in _NO_PARAMETERS
    }


def _parameter(name: str, value: Any) -> Any:
    if isinstance(value, str) and name not in _NUMBERS:
        # LiteLLM: Python's text
        return value == "True" if name == "stream" and value in ("True", "False") else value
    found = number(value)
    return bounded(value) if found is None else found


def _metadata(attributes: Mapping[str, Any], open_ended: Groups) -> JSONObject:
    attached = {**open_ended.get(_ATTACHED, {})}
    attached |= {key.removeprefix("gen_ai."): attributes[key] for key in _WORTH_KEEPING if key in attributes}
    if _PROMPT_VARIABLES in open_ended:
        attached |= {f"prompt.variable.{name}": value for name, value in open_ended[_PROMPT_VARIABLES].items()}
    return {name: decoded(value).value for name, value in attached.items() if value not in (None, "", [], {})}


def _id(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "" else None
