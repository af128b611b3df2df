"""Celery's pool, whose processes run no exit handlers of Python's: a signal of Celery's delivers what each has traced.

pip install celery
celery --app tasks worker
python -c 'import tasks; tasks.ask.delay("What is the capital of France?")'

The broker here is a folder. Where processes are replaced (--max-tasks-per-child), deliver after each task instead: see
docs/shutdown.md.
"""

from __future__ import annotations

from pathlib import Path

from celery import Celery
from celery.signals import worker_process_shutdown
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

queue = Path("queue")
queue.mkdir(exist_ok=True)
app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": str(queue), "data_folder_out": str(queue)}
model = FakeListChatModel(responses=["Paris."])


@app.task
def ask(question: str) -> str:
    """What the model says."""
    return str(model.invoke(question).content)


@worker_process_shutdown.connect
def deliver(**_: object) -> None:
    """At the end of each process of the pool."""
    otel_labelstudio.shutdown()
