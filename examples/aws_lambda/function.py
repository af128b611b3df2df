"""An AWS Lambda function, which is frozen after each answer and killed later: it delivers before it answers.

The handler is function.handler. In the function's environment: LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.
"""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import FakeListChatModel
from opentelemetry import trace
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk.trace import TracerProvider

import otel_labelstudio
from otel_labelstudio import LabelStudioSpanExporter, LabelStudioSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LabelStudioSpanProcessor(LabelStudioSpanExporter(mode="chat")))
trace.set_tracer_provider(provider)
LangchainInstrumentor().instrument()

model = FakeListChatModel(responses=["Paris."])


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """What the model says. While Label Studio is away, an answer takes these five seconds longer."""
    try:
        return {"answer": model.invoke(event["question"]).content}
    finally:
        otel_labelstudio.force_flush(timeout_millis=5_000)
