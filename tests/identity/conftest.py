"""Pipelines to a real Label Studio."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.pipelines import Pipelines


@pytest.fixture
def pipelines(label_studio: EmbeddedLabelStudio) -> Iterator[Pipelines]:
    made = Pipelines(label_studio.url, label_studio.api_key)
    yield made
    made.close()
