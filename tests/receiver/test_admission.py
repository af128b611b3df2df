"""The memory of all requests: what was taken is given back, whoever is late."""

from __future__ import annotations

import pytest

from otel_labelstudio.receiver.admission import Admission, Share
from otel_labelstudio.receiver.status import RefusedError


def test_there_is_so_much_and_no_more() -> None:
    """For all together; what one gives back another may have."""
    admission = Admission(100)
    with Share(admission) as first, Share(admission) as second:
        first.reserve(60)
        with pytest.raises(RefusedError):
            second.reserve(60)
        second.reserve(40)
    with Share(admission) as third:
        third.reserve(100)


def test_nothing_is_taken_for_a_request_that_is_over() -> None:
    """A thread that is still at work on it would take what nobody gives back, until all is gone."""
    admission = Admission(100)
    with Share(admission) as share:
        share.reserve(100)
    with pytest.raises(RefusedError):
        share.reserve(100)
    with Share(admission) as next_one:
        next_one.reserve(100)
