"""A stand-in for Label Studio: `pip install pytest` besides, no server and no key.

Instrumentations patch a library once per process, and some cannot be undone: so that is done once for all tests, and
each test begins with nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_labelstudio.testing import InMemoryLabelStudioExporter


@pytest.fixture(scope="session")
def exporter() -> Iterator[InMemoryLabelStudioExporter]:
    """Give it the parameters that your application gives its exporter."""
    made = InMemoryLabelStudioExporter(mode="chat")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(made))
    LangchainInstrumentor().instrument(tracer_provider=provider)
    yield made
    provider.shutdown()


@pytest.fixture
def label_studio(exporter: InMemoryLabelStudioExporter) -> InMemoryLabelStudioExporter:
    """The calls and tasks of this test."""
    exporter.clear()
    return exporter
