"""A project of its own for each example."""

from __future__ import annotations

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.labeling import fresh_title
from tests.last_seconds.processes import TITLE, environment


@pytest.fixture
def title() -> str:
    return fresh_title("Example")


@pytest.fixture
def variables(label_studio: EmbeddedLabelStudio, title: str) -> dict[str, str]:
    """The environment of an example; nothing is delivered before its end, for which each call waits."""
    return environment(label_studio, **{TITLE: title})
