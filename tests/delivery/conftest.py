"""Pipelines to a real Label Studio, with a server before it that goes wrong on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.pipelines import Pipelines


@pytest.fixture
def pipelines(label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipelines]:
    monkeypatch.setattr("otel_labelstudio.delivery.deliveries.SET_ASIDE_S", 0.2)
    monkeypatch.setattr("otel_labelstudio.delivery.label_studio.look_ups.LOOK_UP_RETRY_S", 0.2)
    monkeypatch.setattr("otel_labelstudio.delivery.label_studio.sink.LOOK_UP_RETRY_S", 0.2)
    monkeypatch.setattr("otel_labelstudio.delivery.label_studio.server._DECORATION_S", 240.0)
    monkeypatch.setattr("otel_labelstudio.delivery.retry._FIRST_S", 0.1)
    monkeypatch.setattr("otel_labelstudio.delivery.retry._LONGEST_S", 0.2)
    made = Pipelines(label_studio.url, label_studio.api_key)
    yield made
    made.close()
