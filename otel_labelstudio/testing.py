"""For tests: delivery without a server.

`InMemoryLabelStudioExporter` stands in the place of the exporter in the tests of an application. `RecordingSink` is for
the tests of this package, and of whoever builds on its pipeline.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.delivery.results import Delivered, Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.exporter import LabelStudioSpanExporter
from otel_labelstudio.outbox.entry import CallToRecheck, OutboxEntry
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.routing import rules_of
from otel_labelstudio.settings import Settings
from otel_labelstudio.tasks.build import build_task


class RecordingSink:
    """A sink that keeps what is delivered. Give it to `Pipeline` as its ``sink``.

    ``failures`` are raised one by one, each by the next delivery, before any is kept.
    """

    def __init__(self, *failures: Exception) -> None:
        self._lock = threading.Lock()
        self._failures = list(failures)
        self._entries: list[OutboxEntry] = []

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:  # noqa: ARG002 - the sink's form
        with self._lock:
            if self._failures:
                raise self._failures.pop(0)
            self._entries += entries
        yield Delivered(entries)

    def takes_calls(self, destination: str) -> bool:  # noqa: ARG002
        """It does."""
        return True

    def recheck(self, destination: str, calls: Sequence[CallToRecheck]) -> list[str]:  # noqa: ARG002
        """Nothing is stored twice here."""
        return [call.call_id for call in calls]

    def hurry(self, deadline: float) -> None:
        """Nothing lasts here."""

    def close(self) -> None:
        """There is nothing to close."""

    @property
    def entries(self) -> list[OutboxEntry]:
        """What was delivered so far, in that order."""
        with self._lock:
            return list(self._entries)

    @property
    def calls(self) -> list[LLMCall]:
        """The calls that were delivered so far."""
        return [entry.call for entry in self.entries]

    def clear(self) -> None:
        """Forget what was delivered so far."""
        with self._lock:
            self._entries.clear()


class InMemoryLabelStudioExporter(LabelStudioSpanExporter):
    """A `LabelStudioSpanExporter` whose calls are kept here, for the tests of an application.

    Takes the exporter's parameters, of which it needs none: ``mode`` is "auto" where nothing says it, and no outbox is
    written. Behind a ``SimpleSpanProcessor`` each call is here as soon as its span has ended. What an instrumentation
    writes into log records it does not see.
    """

    def __init__(self, **settings: Any) -> None:
        resolved = Settings.resolve(settings, needs_server=False, fallbacks={"mode": "auto"})
        self._sink, self._rules = RecordingSink(), rules_of(resolved)
        self._start(Pipeline(replace(resolved, outbox=None), sink=self._sink))

    @property
    def calls(self) -> list[LLMCall]:
        """The calls that were traced since the start, or since `clear`; each once, whoever saw it."""
        self.force_flush()
        return self._sink.calls

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """The tasks of these calls, as a new project would have them; none of a call that its mode refuses."""
        self.force_flush()
        binding = self._rules.binding(self._rules.label_config)
        return [
            build_task(
                entry.call, binding, call_id=entry.call_id, model_version_template=self._rules.model_version
            ).to_dict()
            for entry in self._sink.entries
            if self._rules.refusal(binding, is_chat=entry.call.is_chat, project="", is_made=False) is None
        ]

    def clear(self) -> None:
        """Forget the calls so far: for the start of each test, where the application is instrumented once for all."""
        self.force_flush()
        self._sink.clear()
