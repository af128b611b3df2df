"""Runs a script with LangChain traced: ``python traced.py SCRIPT [ARGUMENT...]``; the environment says where to."""

from __future__ import annotations

import runpy
import sys

from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_labelstudio import LabelStudioSpanExporter
from tests.patience import be_patient

be_patient()
provider = TracerProvider()  # delivers what is pending when the interpreter exits
provider.add_span_processor(BatchSpanProcessor(LabelStudioSpanExporter()))
LangchainInstrumentor().instrument(tracer_provider=provider)

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
