"""What stands at the other end of a Collector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.collector.backend import Backend


@pytest.fixture
def backend() -> Iterator[Backend]:
    """The back-end that a pipeline has already."""
    with Backend() as made:
        yield made
