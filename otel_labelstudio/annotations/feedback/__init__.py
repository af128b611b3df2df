"""Feedback: what people said of a call, back on its trace.

`JudgedCall` --evaluations_of--> `Evaluation` --send_feedback--> OTLP, Langfuse, Phoenix or JSON lines
"""

from __future__ import annotations

from otel_labelstudio.annotations.feedback import jsonl, langfuse, otlp, phoenix
from otel_labelstudio.annotations.feedback.annotators import AnnotatorForm, naming
from otel_labelstudio.annotations.feedback.credentials import credentials_from
from otel_labelstudio.annotations.feedback.evaluation import Evaluation
from otel_labelstudio.annotations.feedback.events import EvaluationRules, evaluations_of
from otel_labelstudio.annotations.feedback.run import FeedbackSummary, send_feedback
from otel_labelstudio.annotations.feedback.sink import FeedbackSink, SinkOptions
from otel_labelstudio.annotations.feedback.state import FeedbackState
from otel_labelstudio.annotations.feedback.writing import StoppedError

__all__ = [
    "SINKS",
    "AnnotatorForm",
    "Evaluation",
    "EvaluationRules",
    "FeedbackSink",
    "FeedbackState",
    "FeedbackSummary",
    "SinkOptions",
    "StoppedError",
    "credentials_from",
    "evaluations_of",
    "naming",
    "send_feedback",
]

SINKS = {sink.NAME: sink for sink in (otlp, langfuse, phoenix, jsonl)}
