"""A WSGI application under gunicorn, whose hook in gunicorn.conf.py delivers what a worker has traced.

pip install gunicorn
gunicorn wsgi:app
curl 'http://localhost:8000/ask?question=What+is+the+capital+of+France?'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from langchain_core.language_models import FakeListChatModel
from opentelemetry import trace
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from otel_labelstudio import LabelStudioSpanExporter, LabelStudioSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LabelStudioSpanProcessor(LabelStudioSpanExporter(mode="chat")))
trace.set_tracer_provider(provider)
LangchainInstrumentor().instrument()

model = FakeListChatModel(responses=["Paris."])


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """What the model says."""
    (question,) = parse_qs(environ["QUERY_STRING"])["question"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(model.invoke(question).content).encode()]
