"""What the tests of feedback share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_labelstudio.annotations.feedback import FeedbackState
from tests.annotations.feedback.phoenix import Phoenix


@pytest.fixture(scope="session")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    """A real Phoenix; tests share it and send spans of their own."""
    with Phoenix(tmp_path_factory.mktemp("phoenix")) as server:
        yield server


@pytest.fixture
def state(tmp_path: Path) -> Iterator[FeedbackState]:
    """A state that is new."""
    made = FeedbackState(tmp_path / "feedback.db")
    yield made
    made.close()
