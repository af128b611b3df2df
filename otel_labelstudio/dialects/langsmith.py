"""LangSmith's OpenTelemetry export (``LANGSMITH_OTEL_ENABLED``): raw inputs and outputs of its runs, as JSON text.

Every run of a trace (chain, tool, prompt, retriever, parser) writes the same attributes, and prompt templates even say
``gen_ai.operation.name`` = chat: only the kind of the run tells which is a call. LangChain's runs hold serialised
messages and generations, ``wrap_openai`` and its siblings the raw request and response of the provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.dialects.dialect import Findings, Skip, SkipReason
from otel_labelstudio.dialects.shared.capture_hints import APPLICATION
from otel_labelstudio.dialects.shared.exchange import findings_of_exchange
from otel_labelstudio.providers.request import Request, request_from
from otel_labelstudio.providers.response import response_from
from otel_labelstudio.providers.tools import tool_definitions_from
from otel_labelstudio.providers.usage import PARAMETER_NAMES, request_parameters_from, usage_from
from otel_labelstudio.spans.attributes import below, decoded, text
from otel_labelstudio.spans.model import LogRecord, Span

NAME = "langsmith"
PREFIXES: tuple[str, ...] = ("langsmith.",)
KEYS: Mapping[str, tuple[str, ...]] = {
    "conversation_id": (
        "langsmith.metadata.thread_id",
        "langsmith.metadata.session_id",
        "langsmith.metadata.conversation_id",
    ),
    "user_id": ("langsmith.metadata.user_id",),
    "tags": ("langsmith.span.tags",),
    "run_id": ("langsmith.span.id",),
}
HINTS: Mapping[str, str] = {"": f"set LANGSMITH_HIDE_INPUTS and LANGSMITH_HIDE_OUTPUTS to false {APPLICATION}"}

# All keys: langsmith 0.15.0, _internal/otel/_otel_exporter.py
_KIND = "langsmith.span.kind"
_PROMPT = "gen_ai.prompt"
_COMPLETION = "gen_ai.completion"
_TOOLS = "gen_ai.tool.definitions"
_INPUT_DETAILS = "gen_ai.usage.input_token_details"
_OUTPUT_DETAILS = "gen_ai.usage.output_token_details"
_METADATA = "langsmith.metadata."

# What LangSmith adds to the metadata of every run, and its environment, which may hold more than it should
_OWN = ("ls_", "LANGSMITH_", "LANGCHAIN_", "LC_", "lc_versions", "_type", "usage_metadata", "revision_id")
# LangChain's settings of the model, the known parameters aside
_SETTINGS = frozenset(("model", "model_name", "model_kwargs", "max_retries", "timeout", "tools", "betas", "user-agent"))


def recognises(span: Span) -> bool:
    return _KIND in span.attributes


def read(span: Span, log_records: Sequence[LogRecord] = ()) -> Findings | Skip:  # noqa: ARG001
    attributes = span.attributes
    if attributes.get(_KIND) != "llm":
        return Skip(SkipReason.NOT_INFERENCE)
    metadata = below(attributes, _METADATA)
    request = _request(attributes, metadata)
    response = response_from(attributes.get(_COMPLETION))
    details = {
        "input_token_details": decoded(attributes.get(_INPUT_DETAILS)).value,
        "output_token_details": decoded(attributes.get(_OUTPUT_DETAILS)).value,
    }
    return findings_of_exchange(
        NAME,
        request,
        replace(response, usage=usage_from(response.usage, metadata.get("usage_metadata"), details)),
        provider=text(metadata.get("ls_provider")),
        metadata=_attached(metadata),
    )


def _request(attributes: Mapping[str, Any], metadata: Mapping[str, Any]) -> Request:
    request = request_from(attributes.get(_PROMPT))
    configured = request_parameters_from(metadata.get("ls_invocation_params"), metadata)
    return replace(
        request,
        model=request.model or next(_models(metadata), None),
        parameters={**configured, **request.parameters},
        tool_definitions=request.tool_definitions or tool_definitions_from(attributes.get(_TOOLS)),
    )


def _attached(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What the application attached to the run."""
    return {
        key: decoded(value).value
        for key, value in metadata.items()
        if not key.startswith(_OWN) and key not in _SETTINGS and key not in PARAMETER_NAMES
    }


def _models(metadata: Mapping[str, Any]) -> Iterator[str]:
    for key in ("ls_model_name", "model_name", "model"):
        model = text(metadata.get(key))
        if model is not None:
            yield model
