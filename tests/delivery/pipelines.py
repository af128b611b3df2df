"""Pipelines as a door makes them, in chat mode and without waiting for company."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings

HOUR_S = 3600.0


class SettableClock:
    """The machine's, until it is set forward: what is due in an hour is due then, and not before a test is ready."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead_s

    def set_forward(self, seconds: float) -> None:
        self._ahead_s += seconds


class Pipelines:
    """Makes pipelines, and stops them at the end."""

    def __init__(self, url: str, api_key: str) -> None:
        self._defaults = {"url": url, "api_key": api_key, "mode": "chat", "settle_s": 0, "resend_wait_s": 0.2}
        self._made: list[Pipeline] = []

    def __call__(self, clock: Callable[[], float] = time.time, **arguments: Any) -> Pipeline:
        pipeline = Pipeline(Settings.resolve({**self._defaults, **arguments}), clock=clock)
        self._made.append(pipeline)
        return pipeline

    def close(self) -> None:
        """With their threads, which would log into the next test."""
        for pipeline in self._made:
            pipeline.close(timeout_s=0)
        for pipeline in self._made:
            until(partial(_has_ended, pipeline))
            assert pipeline._deliveries._lanes.close(240)


def _has_ended(pipeline: Pipeline) -> bool:
    return not pipeline._worker._thread.is_alive


def until(condition: Callable[[], object], timeout_s: float = 240.0) -> None:
    """Wait for something that another thread brings about."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)
