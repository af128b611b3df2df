"""How long delivery waits before it tries again."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from otel_labelstudio.delivery.retry import Backoff, retry_after_s


def longest(low: float, high: float) -> float:
    return high


def shortest(low: float, high: float) -> float:
    return low


def test_waits_double_up_to_a_minute() -> None:
    """A server that is down for hours is asked once a minute."""
    backoff = Backoff(longest)
    assert [backoff.next_wait_s() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_wait_is_shortened_by_up_to_half() -> None:
    """Many processes that failed at once do not come back at once."""
    backoff = Backoff(shortest)
    assert [backoff.next_wait_s() for _ in range(3)] == [0.5, 1, 2]


def test_a_success_starts_over() -> None:
    """The next failure is a new one."""
    backoff = Backoff(longest)
    backoff.next_wait_s()
    backoff.next_wait_s()
    backoff.reset()
    assert backoff.next_wait_s() == 1


def test_the_server_is_never_asked_earlier_than_it_said() -> None:
    """Its own time counts where it is longer, ours where that is longer."""
    assert Backoff(longest).next_wait_s(30) == 30
    assert Backoff(longest).next_wait_s(0.1) == 1


def test_days_of_failures_do_not_overflow() -> None:
    """The ten-thousandth wait is as long as the tenth."""
    backoff = Backoff(longest)
    assert [backoff.next_wait_s() for _ in range(10_000)][-1] == 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("999999999", 3600.0),
        ("9" * 400, 3600.0),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 9999 07:28:00 GMT", 3600.0),
    ],
)
def test_a_retry_after_header_is_read_however_it_is_written(header: str, seconds: float | None) -> None:
    """Seconds or a date; nonsense is no time, a date of the past is now, and an hour is the longest."""
    assert retry_after_s({"Retry-After": header}) == seconds
    assert retry_after_s({"retry-after": header}) == seconds


def test_a_retry_after_date_is_a_time_from_now() -> None:
    """A date in ten minutes is ten minutes."""
    date = format_datetime(datetime.now(timezone.utc) + timedelta(minutes=10), usegmt=True)
    assert retry_after_s({"Retry-After": date}) == pytest.approx(600, abs=3)
