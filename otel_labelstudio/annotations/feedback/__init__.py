"""Feedback: what people said of a call, back on its trace.

`JudgedCall` --evaluations_of--> `Evaluation` --send_feedback--> OTLP, Langfuse, Phoenix or JSON lines
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import cast

from otel_labelstudio.annotations.annotators import AnnotatorForm, annotator_naming
from otel_labelstudio.annotations.feedback.credentials import credentials_from
from otel_labelstudio.annotations.feedback.evaluation import Evaluation
from otel_labelstudio.annotations.feedback.events import EvaluationRules, evaluations_of
from otel_labelstudio.annotations.feedback.run import FeedbackSummary, send_feedback
from otel_labelstudio.annotations.feedback.sink import FeedbackSink, SinkModule, SinkOptions
from otel_labelstudio.annotations.feedback.state import FeedbackState
from otel_labelstudio.annotations.feedback.writing import StoppedError

__all__ = [
    "SINK_NAMES",
    "AnnotatorForm",
    "Evaluation",
    "EvaluationRules",
    "FeedbackSink",
    "FeedbackState",
    "FeedbackSummary",
    "SinkOptions",
    "StoppedError",
    "annotator_naming",
    "evaluations_of",
    "open_sink",
    "send_feedback",
]
SINK_NAMES = ("otlp", "langfuse", "phoenix", "jsonl")


def open_sink(name: str, options: SinkOptions, credentials_file: str | None = None) -> FeedbackSink:
    """The sink of this name, with credentials from the environment or a file. Raises `ConfigError`."""
    module = cast("SinkModule", import_module(f"{__name__}.{name}"))  # what it imports, the others can do without
    return module.open_sink(replace(options, credentials=credentials_from(module.CREDENTIALS, credentials_file)))
