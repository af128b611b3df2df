"""The user's filter, in the pipeline that every door shares."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.bounds import MAX_TIME_UNIX_NANO
from otel_labelstudio.calls import LLMCall, Message, TextPart, Usage
from otel_labelstudio.dialects.shared.records_without_span import INCOMPLETE_WITHOUT_SPAN
from otel_labelstudio.filters import with_span
from otel_labelstudio.filters.call_filter import filtered
from otel_labelstudio.identity import has_valid_ids
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.recordings import Recording, decode_files, read_recording
from otel_labelstudio.settings import Settings
from otel_labelstudio.telemetry import Telemetry
from otel_labelstudio.testing import RecordingSink
from tests.delivery.scripted import PanicException

RECORDING = Path(__file__).parents[1] / "data" / "langchain-chat.pb"


def without_model(call: LLMCall) -> LLMCall:
    return replace(call, request_model=None)


def delivered(call_filter: Any, tmp_path: Path, accept: Callable[[Pipeline], object]) -> tuple[list[LLMCall], Pipeline]:
    """What arrives, and the pipeline; the outbox is a file, so that what was written can be searched."""
    settings = {"settle_s": 3600, "call_filter": call_filter, "outbox": str(tmp_path / "calls.db")}
    sink = RecordingSink()
    pipeline = Pipeline(Settings.resolve(settings, needs_server=False), sink=sink)
    accept(pipeline)
    assert pipeline.close(240)
    return sink.calls, pipeline


def accept_spans(pipeline: Pipeline) -> None:
    pipeline.accept_spans(decode_files(RECORDING).spans)


def test_what_it_returns_is_delivered(tmp_path: Path) -> None:
    """It may redact: what it takes out is not in the outbox's file either."""
    (call,), _ = delivered(None, tmp_path, accept_spans)
    assert call.request_model
    (tmp_path / "other").mkdir()
    (redacted,), _ = delivered(without_model, tmp_path / "other", accept_spans)
    assert redacted == without_model(call)
    written = b"".join(file.read_bytes() for file in (tmp_path / "other").glob("calls.db*"))
    assert b'"request_model"' not in written


def only_of_staging(call: LLMCall, resource_attributes: Mapping[str, Any]) -> LLMCall | None:
    return call if resource_attributes.get("deployment.environment.name") == "staging" else None


class OnlyOfStaging:
    """A filter that is an object."""

    def __call__(self, call: LLMCall, *, resource_attributes: Mapping[str, Any]) -> LLMCall | None:
        return only_of_staging(call, resource_attributes)


@pytest.mark.parametrize("call_filter", [only_of_staging, OnlyOfStaging(), f"{__name__}:only_of_staging"])
@pytest.mark.parametrize(("environment", "count"), [("staging", 1), ("production", 0)])
def test_it_may_ask_for_the_resource(call_filter: Any, environment: str, count: int, tmp_path: Path) -> None:
    """By the parameter's name, for spans and for recorded calls; the attributes are not in what is delivered."""
    recording = decode_files(RECORDING)
    spans = [
        replace(span, resource={**span.resource, "deployment.environment.name": environment})
        for span in recording.spans
    ]
    recorded = read_recording(Recording(spans)).folded
    for name, accept in (
        ("live", lambda pipeline: pipeline.accept_spans(spans)),
        ("recorded", lambda pipeline: pipeline.accept_calls(recorded)),
    ):
        (tmp_path / name).mkdir()
        calls, _ = delivered(call_filter, tmp_path / name, accept)
        assert len(calls) == count
        assert environment not in json.dumps([call.to_dict() for call in calls])


def test_where_the_resource_is_not_known_it_is_empty(tmp_path: Path) -> None:
    """As of calls that come from somebody's code."""
    (call,), _ = delivered(None, tmp_path, accept_spans)
    seen: list[Mapping[str, Any]] = []

    def look(call: LLMCall, resource_attributes: Mapping[str, Any]) -> LLMCall:
        seen.append(resource_attributes)
        return call

    (tmp_path / "other").mkdir()
    delivered(look, tmp_path / "other", lambda pipeline: pipeline.accept_calls([call]))
    assert seen == [{}]


def test_it_cannot_change_the_resource(tmp_path: Path) -> None:
    """All calls of a batch are routed by it; what the filter sees is the resource as it is, to be read alone."""
    spans = decode_files(RECORDING).spans
    before = [dict(span.resource) for span in spans]

    def change(call: LLMCall, resource_attributes: Any) -> LLMCall:
        assert resource_attributes == before[0]
        with pytest.raises(TypeError):
            resource_attributes["service.name"] = "another"
        with pytest.raises(AttributeError):
            resource_attributes.clear()
        return call

    calls, _ = delivered(change, tmp_path, lambda pipeline: pipeline.accept_spans(spans))
    assert len(calls) == 1
    assert [dict(span.resource) for span in spans] == before


class Unsigned:
    """A filter that does not say what it takes."""

    looks = 0

    @property
    def __signature__(self) -> Any:
        type(self).looks += 1
        raise RuntimeError("CANARY")

    def __call__(self, call: LLMCall) -> LLMCall:
        return call


class Refusing(Unsigned):
    """A filter of which nothing can be looked at but what an object has to have."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return object.__getattribute__(self, name)
        raise RuntimeError("CANARY")


@pytest.mark.parametrize("kind", [Unsigned, Refusing])
def test_a_filter_that_will_not_be_looked_at_is_asked(kind: type[Unsigned], tmp_path: Path) -> None:
    """With the call alone: neither the settings nor a call fails on it, and nothing is looked at for each call."""

    def accept_often(pipeline: Pipeline) -> None:
        for _ in range(5):
            accept_spans(pipeline)

    Unsigned.looks = 0
    calls, pipeline = delivered(kind(), tmp_path, accept_often)
    assert len(calls) == 1
    assert not [name for name in pipeline.telemetry.counts() if name.startswith("calls.dropped")]
    assert Unsigned.looks <= 2  # once for the settings


def test_further_parameters_are_left_to_the_filter(tmp_path: Path) -> None:
    """Those with a default, or as many as there may be: a filter of one call is asked as it always was."""
    seen: list[Any] = []

    def look(call: LLMCall, factor: int = 2, *others: Any) -> LLMCall:
        seen.append((factor, others))
        return call

    assert len(delivered(look, tmp_path, accept_spans)[0]) == 1
    assert seen == [(2, ())]


def test_it_may_be_named(tmp_path: Path) -> None:
    """In the environment it is a module and a name in it."""
    (call,), _ = delivered(f"{__name__}:without_model", tmp_path, accept_spans)
    assert call.request_model is None


def test_none_leaves_a_call_out(tmp_path: Path) -> None:
    """It may select, and what it leaves out is counted."""
    calls, pipeline = delivered(lambda _: None, tmp_path, accept_spans)
    assert calls == []
    assert pipeline.telemetry.counts()["calls.dropped[filtered]"] == 1


@pytest.mark.parametrize("returned", ["CANARY", ValueError("CANARY"), PanicException("CANARY")])
def test_a_broken_filter_lets_nothing_through(
    returned: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be there to keep a secret: one warning, without what the error says, and the application goes on."""

    def broken(_: LLMCall) -> object:
        if isinstance(returned, BaseException):
            raise returned
        return returned

    def accept_twice(pipeline: Pipeline) -> None:
        accept_spans(pipeline)
        accept_spans(pipeline)

    calls, pipeline = delivered(broken, tmp_path, accept_twice)
    assert calls == []
    assert pipeline.telemetry.counts()["calls.dropped[filter_failed]"] == 2
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1
    assert "CANARY" not in caplog.text


def test_calls_from_files_are_filtered_too(tmp_path: Path) -> None:
    """Every door has it."""
    (call,), _ = delivered(None, tmp_path, accept_spans)
    (tmp_path / "other").mkdir()
    (filtered,), _ = delivered(without_model, tmp_path / "other", lambda p: p.accept_calls([call]))
    assert filtered.request_model is None


def test_what_came_without_its_span_can_be_left_out(tmp_path: Path) -> None:
    """By a filter that is there already; all else passes as it is."""
    (call,), _ = delivered("otel_labelstudio.filters:with_span", tmp_path, accept_spans)
    assert with_span(call) is call
    assert with_span(replace(call, incomplete=("cut", INCOMPLETE_WITHOUT_SPAN))) is None


class Subclassed(LLMCall):
    """A call with more than a call has, as somebody may derive one."""

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "score": 7}


class Unwritable(LLMCall):
    """A call that cannot be written."""

    def to_dict(self) -> dict[str, Any]:
        raise RuntimeError("CANARY")


def changed(**fields: Any) -> Callable[[LLMCall], LLMCall]:
    return lambda call: replace(call, **fields)


def as_a(cls: type[LLMCall]) -> Callable[[LLMCall], LLMCall]:
    return lambda call: cls(**{f.name: getattr(call, f.name) for f in fields(LLMCall)})


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
DEEP: Any = "deep"
for _ in range(100_000):
    DEEP = [DEEP]
ODD_FILTERS: dict[str, Callable[[LLMCall], Any]] = {
    "dict messages": changed(input_messages=({"role": "user", "content": "CANARY"},)),
    "a message of dict parts": changed(output_messages=(Message("assistant", ({"type": "text"},)),)),  # type: ignore[arg-type]
    "parts that are text": changed(output_messages=(Message("assistant", "CANARY"),)),  # type: ignore[arg-type]
    "messages that are text": changed(input_messages="CANARY"),
    "no messages": changed(input_messages=None),
    "a number for content": changed(output_messages=(Message("assistant", (TextPart(5),)),), incomplete=(5,)),  # type: ignore[arg-type]
    "a number for a role": changed(output_messages=(Message(5, ()),)),  # type: ignore[arg-type]
    "text for a time": changed(start_time_unix_nano="CANARY"),
    "no time": changed(end_time_unix_nano=None),
    "dict usage": changed(usage={"input_tokens": 5}),
    "text for a count": changed(usage=Usage("CANARY")),  # type: ignore[arg-type]
    "text for tags": changed(tags="CANARY"),
    "a list for metadata": changed(metadata=["CANARY"]),
    "keys that are no keys": changed(metadata={("CANARY", 1): 2}),
    "a value that cannot be written": changed(metadata={"v": type("Odd", (), {"__str__": None})()}),
    "an endless value": changed(metadata={"v": ENDLESS}),
    "a deep value": changed(metadata={"v": DEEP}),
    "a huge number": changed(metadata={"v": 10**5000}),
    "an id that is a number": changed(span_id=5),
    "an id of half a character": changed(trace_id="\ud800"),
    "an id with a NUL": changed(trace_id="a\x00"),
    "a long id": changed(span_id="a" * 60_000),
    "a huge prompt index": changed(prompt_index=10**30),
    "a negative prompt index": changed(prompt_index=-1),
    "a call that cannot be written": as_a(Unwritable),
    "a class": lambda call: LLMCall,
    "its dict": LLMCall.to_dict,
    "true": lambda call: True,
    "a generator": lambda call: iter([call]),
}


@pytest.mark.parametrize("name", ODD_FILTERS)
def test_an_odd_result_costs_that_call_alone(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing raises, the others of the batch are delivered, and it is counted as a failure of the filter's."""
    odd = ODD_FILTERS[name]

    def only_with_tools(call: LLMCall) -> Any:
        return call if call.tool_definitions else odd(call)

    def accept(pipeline: Pipeline) -> None:
        paths = [RECORDING, RECORDING.with_name("langchain-tools.pb")]
        assert pipeline.accept_spans(decode_files(paths).spans)

    calls, pipeline = delivered(only_with_tools, tmp_path, accept)
    assert len(calls) == 2
    assert pipeline.telemetry.counts()["calls.dropped[filter_failed]"] == 1
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1
    assert "CANARY" not in caplog.text


def test_what_can_be_stored_after_all_is_delivered(tmp_path: Path) -> None:
    """A class of somebody's own, values that have a text, times out of range, lists for tuples: as the outbox reads
    them."""

    def odd(call: LLMCall) -> LLMCall:
        metadata: Any = {"at": datetime(2025, 1, 2), 5: (1,)}
        tags: Any = ["a"]
        return as_a(Subclassed)(replace(call, metadata=metadata, end_time_unix_nano=2**70, tags=tags, trace_id=""))

    (call,), _ = delivered(odd, tmp_path, accept_spans)
    assert type(call) is LLMCall
    assert call.metadata == {"at": "2025-01-02 00:00:00", "5": [1]}
    assert (call.end_time_unix_nano, call.tags) == (MAX_TIME_UNIX_NANO, ("a",))
    assert has_valid_ids(call)


def test_the_very_same_call_costs_nothing(tmp_path: Path) -> None:
    """A filter that only selects has nothing to be looked through: what it was given comes back."""
    (call,), _ = delivered(None, tmp_path, accept_spans)
    assert filtered([call], lambda same: same, Telemetry(), warn=print)[0] is call
