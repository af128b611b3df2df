"""FastAPI under uvicorn, which ends itself by SIGTERM: the lifespan delivers what was traced before.

pip install fastapi uvicorn
uvicorn service:app
curl 'http://localhost:8000/ask?question=What+is+the+capital+of+France?'
"""

from __future__ import annotations

from fastapi import FastAPI
from langchain_core.language_models import FakeListChatModel
from opentelemetry import trace
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from otel_labelstudio import LabelStudioSpanExporter, LabelStudioSpanProcessor, lifespan

provider = TracerProvider()
provider.add_span_processor(LabelStudioSpanProcessor(LabelStudioSpanExporter(mode="chat")))
trace.set_tracer_provider(provider)
LangchainInstrumentor().instrument()

app = FastAPI(lifespan=lifespan)
model = FakeListChatModel(responses=["Paris."])


@app.get("/ask")
async def ask(question: str) -> str:
    """What the model says."""
    return str((await model.ainvoke(question)).content)
