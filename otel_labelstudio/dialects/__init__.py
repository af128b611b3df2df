"""read: the dialects in which telemetry speaks of LLM calls, and the one order in which they are asked.

A dialect is a module of this package with these public names:

``NAME``
    what `LLMCall.dialect` says.
``PREFIXES``
    how the names of the attributes and events begin by which it recognises its spans. Spans without any such name are
    not looked at, and a Collector need not send them.
``HINTS``
    how to have content captured, by the beginning of the instrumentation scope's name; ``""`` is for all other scopes
    of its spans.
``KEYS``
    the attributes that hold facts which any span may carry, whatever dialect has its content: ``conversation_id``,
    ``user_id``, ``tags``, ``run_id`` and others of `LLMCall`, the preferred attribute first.
``recognises(span) -> bool``
    whether the span is written in this dialect, whatever kind of span it is. Cheap: most spans are no LLM calls.
``read(span, log_records=()) -> Findings | Skip``
    what it finds of a call in the span, its events and its log records; `Skip` where the span is no inference, or
    nobody should read it any further.

A span may speak two dialects at once: gateways write the conventions beside keys of their own. The call is then that
of the dialect that tells most of it, with what this one lacks from the others (`shared/merging.py`).

Dialects know nothing of each other. What they share is in ``spans/attributes.py`` (attribute values), ``providers/``
(the providers' own messages) and ``dialects/shared/`` (from findings to calls).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects import (
    adot,
    braintrust,
    claude_code,
    gateways,
    genai,
    genai_events,
    genai_prompt_events,
    genkit,
    google_adk,
    haystack,
    laminar,
    langfuse,
    langsmith,
    langwatch,
    litellm,
    livekit,
    logfire,
    mastra,
    mlflow,
    openinference,
    openllmetry,
    spring_ai,
    vercel_ai,
    voltagent,
)
from otel_labelstudio.dialects.dialect import Dialect, Findings, Skip, SkipReason
from otel_labelstudio.dialects.relatives import lent
from otel_labelstudio.dialects.shared.capture_hints import CaptureHints
from otel_labelstudio.dialects.shared.captured import has_answer, is_input_whole
from otel_labelstudio.dialects.shared.merging import merged
from otel_labelstudio.dialects.shared.namespaces import Namespaces
from otel_labelstudio.dialects.shared.reading import calls_or_skip
from otel_labelstudio.dialects.shared.span_facts import FactKeys
from otel_labelstudio.spans.model import LogRecord, Span, service_of

__all__ = ["DIALECTS", "LAYERED_SCOPES", "NAME_PREFIXES", "Dialect", "Findings", "Skip", "SkipReason", "read"]

# These say in an attribute of their own what kind of span it is, and go first: LangSmith's prompt templates and agents
# of many a framework say `gen_ai.operation.name` = chat as well, and hold other things under the names of messages. The
# Vercel AI SDK's own attributes go before those that OpenInference's processor adds to them, and say more
_VENDORS: tuple[Dialect, ...] = (
    *(vercel_ai, openinference, langsmith, langfuse, mlflow, laminar, haystack, genkit, braintrust, langwatch, mastra),
    *(voltagent, claude_code, livekit, litellm, spring_ai),
)
# Under one scope, these write all their integrations: a framework's and the client's below it
LAYERED_SCOPES = ("langfuse", "langsmith", "lmnr", "mlflow")
_RAW: frozenset[Dialect] = frozenset((langsmith, laminar))
_CONVENTIONS: tuple[Dialect, ...] = (genai, genai_events, genai_prompt_events)
_FINAL: frozenset[Dialect] = frozenset((*_VENDORS, genai))
DIALECTS: tuple[Dialect, ...] = (*_VENDORS, google_adk, openllmetry, *_CONVENTIONS, gateways, logfire, adot)

NAME_PREFIXES = tuple(dict.fromkeys(prefix for dialect in DIALECTS for prefix in dialect.PREFIXES))
# The conventions' own words go before a vendor's
_KEYS = FactKeys(dialect.KEYS for dialect in (*_CONVENTIONS, *DIALECTS))
_NAMESPACES = Namespaces(DIALECTS)
_HINTS = CaptureHints({dialect.NAME: dialect.HINTS for dialect in DIALECTS})


def read(
    span: Span, log_records: Sequence[LogRecord] = (), relatives: Iterable[Span] = ()
) -> tuple[LLMCall, ...] | Skip:
    """The calls that the span tells of, together with its log records, or why there are none.

    ``relatives`` are other spans that have content of the call, see `relatives`.
    """
    found = _findings(span, log_records)
    if isinstance(found, Skip):
        return found
    dialect = found[0].dialect
    reading = calls_or_skip(span, merged([*found, *lent(relatives)]), _KEYS, lambda: _HINTS.of(span, dialect))
    return _known(reading, span, dialect) if isinstance(reading, Skip) else reading


def _known(skip: Skip, span: Span, dialect: str) -> Skip:
    return replace(skip, dialect=dialect, service=service_of(span))


def _findings(span: Span, log_records: Sequence[LogRecord]) -> list[Findings] | Skip:
    """What the dialects find. That a span is no inference is final where the first of them says so.

    Where one of `_FINAL` has a call's input and answer, the others are not asked. One that keeps raw requests under the
    conventions' names has the last word with the input alone: others would take its raw JSON for text.
    """
    found: list[Findings] = []
    for dialect in _NAMESPACES.dialects_of(span):
        if not dialect.recognises(span):
            continue
        findings = dialect.read(span, log_records)
        if isinstance(findings, Skip):
            if not found and findings.reason is not SkipReason.NOT_GENAI:
                return _known(findings, span, dialect.NAME)
            continue
        found.append(findings)
        is_final = dialect in _RAW or (dialect in _FINAL and has_answer(findings.content))
        if is_final and is_input_whole(findings.content):
            break
    return found or Skip(SkipReason.NOT_GENAI)
