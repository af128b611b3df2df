"""Django under gunicorn. Tracing is set up here, where each worker begins, and not in the settings, which commands of
manage.py import too. Each worker delivers at its end: gunicorn.conf.py.

pip install django gunicorn
gunicorn support.wsgi
curl 'http://localhost:8000/ask?question=What+is+the+capital+of+France?'
"""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from opentelemetry import trace
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from otel_labelstudio import LabelStudioSpanExporter, LabelStudioSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LabelStudioSpanProcessor(LabelStudioSpanExporter(mode="chat")))
trace.set_tracer_provider(provider)
LangchainInstrumentor().instrument()

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "support.settings")
application = get_wsgi_application()
