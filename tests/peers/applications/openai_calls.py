"""Makes the calls of a file of scenarios: ``python openai_calls.py SCENARIOS.json``, traced as ``PEER`` says.

It runs in an environment that has OpenAI's client, OpenTelemetry's SDK and the peer's package, and nothing of this
project. Each call is made in the trace that its scenario names, as in a service that a traced request has reached.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from operator import attrgetter
from typing import Any

from openai import AsyncOpenAI, OpenAI, OpenAIError
from opentelemetry import context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def openai_v2(providers: dict[str, Any]) -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(**providers)


def openllmetry(providers: dict[str, Any]) -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor(use_attributes=os.environ.get("OPENLLMETRY_FORM") != "events").instrument(**providers)


def untraced(providers: dict[str, Any]) -> None:
    """Another process traces the calls."""


def make(scenario: dict[str, Any]) -> None:
    """The call, in its trace; what the client raises where it failed is the scenario's own."""
    carrier = {"traceparent": f"00-{scenario['trace_id']}-{scenario['trace_id'][:16]}-01"}
    token = context.attach(TraceContextTextMapPropagator().extract(carrier))
    headers = {"X-Scenario": scenario["trace_id"], **carrier}
    try:
        asyncio.run(make_async(scenario, headers)) if scenario["is_async"] else make_sync(scenario, headers)
    except OpenAIError as error:
        print(f"{scenario['name']}: {type(error).__name__}", file=sys.stderr)
    finally:
        context.detach(token)


def make_sync(scenario: dict[str, Any], headers: dict[str, str]) -> None:
    with OpenAI(default_headers=headers, max_retries=0) as client:
        answer = attrgetter(scenario["method"])(client)(**scenario["request"])
        if scenario["request"].get("stream"):
            for count, _ in enumerate(answer, 1):
                if count == scenario["pieces"]:
                    break
            answer.close()


async def make_async(scenario: dict[str, Any], headers: dict[str, str]) -> None:
    async with AsyncOpenAI(default_headers=headers, max_retries=0) as client:
        answer = await attrgetter(scenario["method"])(client)(**scenario["request"])
        if scenario["request"].get("stream"):
            async for _ in answer:
                pass


def main() -> None:
    tracers, loggers = TracerProvider(), LoggerProvider()
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    instrument = {"openai_v2": openai_v2, "openllmetry": openllmetry, "untraced": untraced}[os.environ["PEER"]]
    instrument({"tracer_provider": tracers, "logger_provider": loggers})
    with open(sys.argv[1], encoding="utf-8") as file:
        for scenario in json.load(file):
            make(scenario)
    tracers.shutdown()
    loggers.shutdown()


if __name__ == "__main__":
    main()
