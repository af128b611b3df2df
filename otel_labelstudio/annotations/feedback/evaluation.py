"""One thing that one person said of one call, ready for a back end.

OpenTelemetry's word for it is an evaluation (the event ``gen_ai.evaluation.result``), OpenInference's and Phoenix's an
annotation, Langfuse's a score. What no convention has a name for goes with each as `Evaluation.facts`, in a namespace
of our own.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from string import hexdigits

from otel_labelstudio.annotations.records import DEFAULT_MAX_RATING

# Under which a back end has what no convention names
_NAMESPACE = "labelstudio"
# And the text that a person put in the answer's place
CORRECTION = f"{_NAMESPACE}.correction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """``key`` is the same for the same person's word by the same control, however often it is changed.

    ``score`` and ``label`` are the two forms of a result, of which one or both are there, or neither where there is
    only an ``explanation``. ``corrected`` is the text that the person put in the answer's place, where it is asked for.
    ``about`` (answer, turn or step) and ``index`` say which of several is meant. The repr shows no content.
    """

    key: str
    trace_id: str
    span_id: str
    response_id: str | None = None
    name: str
    score: float | None = None
    label: str | None = None
    explanation: str | None = field(default=None, repr=False)
    corrected: str | None = field(default=None, repr=False)
    about: str | None = None
    index: int | None = None
    max_score: float | None = None
    annotator: str | None = None
    annotation_id: int
    task_id: int
    project_id: int
    updated_at: datetime
    lead_time_s: float | None = None
    url: str | None = None
    service_name: str | None = None

    @property
    def has_valid_ids(self) -> bool:
        """Whether a back end can know the span; a sender may have written anything as its ids."""
        return all(map(_is_id, (self.trace_id, self.span_id), (32, 16)))

    @property
    def fingerprint(self) -> str:
        """Changes with whatever a back end would show differently; not when the annotation is stored again as it is."""
        result = (self.name, self.score, self.label, self.explanation, self.corrected, self.annotator, self.span_id)
        # States of format 1 have fingerprints without a scale
        scale = () if self.max_score in (None, DEFAULT_MAX_RATING) else (self.max_score,)
        return digest(*result, *scale)

    @property
    def facts(self) -> dict[str, str | int | float]:
        """What stands beside the result, under names of our own."""
        named: dict[str, str | int | float | None] = {
            "evaluation.id": self.key,
            "annotation.id": self.annotation_id,
            "task.id": self.task_id,
            "project.id": self.project_id,
            "annotator": self.annotator,
            "lead_time_s": self.lead_time_s,
            "rating.max": self.max_score,
            "about": self.about,
            "index": self.index,
            "url": self.url,
        }
        return {f"{_NAMESPACE}.{name}": value for name, value in named.items() if value is not None}


def _is_id(text: str, length: int) -> bool:
    """By OpenTelemetry's definition: hexadecimal, and not all zeros."""
    return len(text) == length and set(text) <= set(hexdigits) and bool(text.strip("0"))


def digest(*parts: str | float | None) -> str:
    """SHA-256 of these values, in hexadecimal."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
