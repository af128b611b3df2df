"""The recheck on each database: which fields tell that a person has had to do with a task."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_labelstudio.delivery.label_studio.recheck import Rechecked
from tests.delivery.label_studio.test_recheck import ACTS, Act, Twice, made
from tests.delivery.labeling import Labeling


@pytest.fixture
def twice(labeling: Labeling) -> Iterator[Twice]:
    yield from made(labeling, labeling.url)


def test_duplicates_go(twice: Twice) -> None:
    """Whichever database: what nobody has touched is not taken for touched."""
    older, younger = twice.store_twice("a")
    assert twice.recheck("a") == [Rechecked("a", 2, deleted_tasks=(younger,))]
    assert twice.task_ids() == [older]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_what_a_person_touched_stays(twice: Twice, act: Act) -> None:
    """Whatever was done to it."""
    older, younger = twice.store_twice("a")
    act(twice.person, younger)
    (done,) = twice.recheck("a")
    assert [kept.task_id for kept in done.kept] == [younger]
    assert sorted(twice.task_ids()) == [older, younger]
