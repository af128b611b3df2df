"""A LangChain application whose calls become tasks: ``python -m otel_labelstudio.demo.application``.

Only `traced` has to do with tracing, and only one line of it with Label Studio. Everything is set by the environment:
`LABEL_STUDIO_API_KEY`, `LABEL_STUDIO_URL` and the like, and `OPENAI_API_KEY`. Without the latter, a stand-in on
loopback answers.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from otel_labelstudio import LabelStudioSpanExporter, LabelStudioSpanProcessor
from otel_labelstudio.demo.conversations import CONVERSATIONS
from otel_labelstudio.demo.openai_stand_in import OpenAIStandIn

_DELIVERY_TIMEOUT_MS = 120_000


def main() -> None:
    """Holds conversations of one kind; ends when all of them are delivered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", choices=CONVERSATIONS, default="chat")
    hold = CONVERSATIONS[parser.parse_args().conversations]
    with llm_api(), traced():
        hold()


@contextmanager
def traced() -> Iterator[None]:
    """LangChain's calls as spans, exported to Label Studio."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "harbor-bikes"}))
    provider.add_span_processor(LabelStudioSpanProcessor(LabelStudioSpanExporter()))
    provider.add_span_processor(SimpleSpanProcessor(CallLog()))
    LangchainInstrumentor().instrument(tracer_provider=provider)
    try:
        yield
    finally:
        # On a slow machine, Label Studio may take longer for the first calls than a shutdown waits
        provider.force_flush(_DELIVERY_TIMEOUT_MS)
        provider.shutdown()


@contextmanager
def llm_api() -> Iterator[None]:
    """The API that `OPENAI_API_KEY` opens, or the stand-in."""
    if os.environ.get("OPENAI_API_KEY"):
        yield
        return
    with OpenAIStandIn(latency_s=0.2) as stand_in:
        # LangChain reads the older name too, and first
        os.environ.pop("OPENAI_API_BASE", None)
        os.environ.update(OPENAI_API_KEY="stand-in", OPENAI_BASE_URL=stand_in.url)
        yield


class CallLog(SpanExporter):
    """A line on standard output for each call of a model, as long as somebody reads them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            if span.name.endswith((".chat", ".completion")):
                duration_ms = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
                _print_if_read(f"{span.name}, {duration_ms:.0f} ms")
        return SpanExportResult.SUCCESS


def _print_if_read(line: str) -> None:
    try:
        print(line, flush=True)
    except BrokenPipeError:  # the demo was ended; what is still printed, and flushed at the exit, goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
