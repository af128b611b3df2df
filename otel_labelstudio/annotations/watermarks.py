"""How far a project was read: what the states of a dataset and of feedback keep, beside a digest of its controls.

What is made of annotations depends on the labeling interface too (a rating's scale, a Ranker's buckets, which box is
the answer's), and no task changes with that.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import datetime

from otel_labelstudio.annotations.records import AnnotatedProject


def controls_digest(project: AnnotatedProject) -> str:
    """Of what the labeling interface of a project asks, as far as it is read."""
    controls = json.dumps([asdict(control) for control in project.controls], sort_keys=True)
    return hashlib.sha256(controls.encode()).hexdigest()


def read_until(project: AnnotatedProject, watermark: datetime | None, controls: str | None) -> datetime | None:
    """From when on to read, by the watermark that was kept with a digest of the controls; None, for everything, where
    they are others now."""
    return watermark if controls == controls_digest(project) else None
