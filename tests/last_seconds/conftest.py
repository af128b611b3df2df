"""A project of its own for each test, and what of an application's numbered calls has come there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.labeling import Labeling, fresh_title
from tests.last_seconds.processes import TITLE, environment


@dataclass(frozen=True)
class Arrivals:
    """What arrived under a title, which processes that start at once may each have made a project of."""

    labeling: Labeling
    title: str

    def numbers(self) -> list[int]:
        """The numbers of the calls that arrived, in order; each as often as it did."""
        ids = self.labeling.project_ids(self.title)
        return sorted(int(text) for project in ids for texts in self.labeling.texts(project) for text in texts)


@pytest.fixture
def arrivals(labeling: Labeling) -> Arrivals:
    return Arrivals(labeling, fresh_title("Last seconds"))


@pytest.fixture
def variables(label_studio: EmbeddedLabelStudio, arrivals: Arrivals) -> dict[str, str]:
    """The environment of an application that delivers to the test's project."""
    return environment(label_studio, **{TITLE: arrivals.title})
