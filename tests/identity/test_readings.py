"""By what a call with several readings is known, which readings are not of one call, and how each is found again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall, Usage
from otel_labelstudio.cli import main
from otel_labelstudio.outbox.entry import Put
from otel_labelstudio.outbox.serialization import key_of, key_text
from otel_labelstudio.recordings import Recording, read_recording
from otel_labelstudio.spans.model import LogRecord, Scope, Span
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines
from tests.hostile.all_kinds import record, said, span
from tests.identity.identities import otlp_request
from tests.outbox.calls import numbered
from tests.settle.stepwise import HOUR_S, SETTLE_S, Stepwise

_LATER_NS = 10**9
_WHOLE_CALL = "gen_ai.client.inference.operation.details"


def read(number: int, scope: str, **fields: Any) -> Span:
    """A span of call ``number``, by one of its instrumentations."""
    own = {"attributes": said(number), "span_id": numbered(number, scope).span_id, "scope": Scope(scope)}
    return span(number, **{**own, **fields})


OUTER = read(1, "framework")
INNER = read(
    1,
    "client",
    start_time_unix_nano=OUTER.start_time_unix_nano + 10**6,
    attributes={**said(1), "gen_ai.usage.input_tokens": 18},
)


def call_ids(stages: Stepwise) -> list[str]:
    return [entry.call_id for entry in stages.sink.entries]


# -- by what it is known -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrived", list(itertools.permutations([OUTER, INNER])), ids=["outer first", "inner first"])
@pytest.mark.parametrize("is_inner_richer", [True, False])
def test_a_call_is_known_by_its_first_reading(arrived: Sequence[Span], is_inner_richer: bool) -> None:
    """Live and from a file; in whatever order they came, whichever of them is told as the call."""
    telemetry = [replace(one, attributes=said(1)) if not is_inner_richer else one for one in arrived]
    stages = Stepwise()
    stages.accept(*telemetry)
    stages.wait(SETTLE_S)
    (folded,) = read_recording(Recording(telemetry, [])).folded
    assert folded.call.usage == (Usage(input_tokens=18) if is_inner_richer else Usage())
    assert call_ids(stages) == [key_text(folded.keys[0])] == [f"{OUTER.trace_id}-{OUTER.span_id}-0"]


def test_the_keys_of_all_readings_are_told_to_delivery() -> None:
    """Those that were folded at once, those that came late, and those of a recording."""
    stages = Stepwise()
    third = read(1, "gateway")
    stages.accept(OUTER, INNER)
    stages.clock.now += SETTLE_S
    stages.settler.settle(stages.clock())
    stages.accept(third)
    stages.clock.now += SETTLE_S
    stages.round()
    (entry,) = stages.sink.entries
    assert entry.keys == tuple(f"{one.trace_id}-{one.span_id}-0" for one in (OUTER, INNER, third))
    (folded,) = read_recording(Recording([OUTER, INNER], [])).folded
    sent = Stepwise()
    sent.pipeline.accept_calls([folded], may_be_stored=True)
    sent.wait(SETTLE_S)
    assert sent.sink.entries[0].keys == entry.keys[:2]


def test_a_reading_that_comes_late_does_not_change_what_its_call_is_known_by() -> None:
    """Also where it began before all others: the call may have been sent with their id."""
    stages = Stepwise()
    for one in (INNER, OUTER):
        stages.accept(one)
        stages.clock.now += SETTLE_S
        stages.settler.settle(stages.clock())
    stages.round()
    (entry,) = stages.sink.entries
    assert entry.keys == tuple(f"{one.trace_id}-{one.span_id}-0" for one in (INNER, OUTER))


# -- ids that were used again ------------------------------------------------------------------------------------


def test_ids_that_were_used_again_are_those_of_another_call(tmp_path: Path) -> None:
    """As by generators that a fork has copied: by when it began, also long after the first one was delivered."""
    first = numbered(1)
    other = replace(numbered(2), trace_id=first.trace_id, span_id=first.span_id)
    stages = Stepwise(tmp_path / "outbox")
    stages.accept(first)
    stages.wait(HOUR_S)
    stages.accept(other, first)
    stages.wait(SETTLE_S)
    stages.close()
    again = Stepwise(tmp_path / "outbox", stages.clock)
    again.accept(other, first)
    again.wait(SETTLE_S)
    again.close()
    assert [stages.numbers, again.numbers] == [[1, 2], []]
    first_id, other_id = call_ids(stages)
    assert first_id == key_of(first)
    assert other_id.rpartition("-")[0] == first_id.rpartition("-")[0]
    assert other_id != first_id


def test_a_reading_of_the_same_span_is_known_by_its_start() -> None:
    """A span that is sent again, by another door with less of it, is no other call."""
    stages = Stepwise()
    stages.accept(numbered(1))
    stages.wait(HOUR_S)
    put = stages.outbox.accepting.put(replace(numbered(1), output_messages=()), "{}", due_at=0)
    assert put is Put.KNOWN


# -- log records whose span comes late ---------------------------------------------------------------------------


def whole_record(number: int, **fields: Any) -> LogRecord:
    return record(number, _WHOLE_CALL, attributes=said(number), **fields)


@pytest.mark.parametrize("pause_s", [SETTLE_S, HOUR_S / 2, 2 * HOUR_S])
def test_a_span_that_comes_after_its_log_record_was_delivered_is_the_same_call(pause_s: float) -> None:
    """Whether the record's content is at hand still or forgotten; other calls of the same ids are other calls."""
    own = span(1, said(1))
    told = whole_record(1)
    stages = Stepwise()
    stages.accept(told)
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [1]
    stages.outbox.retention.forget()
    stages.clock.now += pause_s
    stages.outbox.retention.forget()
    stages.accept(own, replace(own, start_time_unix_nano=1, end_time_unix_nano=2, attributes=said(2)))
    stages.wait(SETTLE_S)
    assert stages.numbers == [1, 2]


def test_a_span_without_content_that_comes_late_is_no_second_call_and_none_that_was_skipped() -> None:
    """Its log record has told of it."""
    stages = Stepwise()
    stages.accept(whole_record(1))
    stages.wait(SETTLE_S)
    stages.accept(span(1))
    stages.wait(SETTLE_S)
    stages.wait(SETTLE_S)
    assert stages.numbers == [1]
    assert stages.count("spans.skipped[content_not_captured]") == 0


def test_records_of_one_missing_span_that_settle_apart_are_calls_of_their_own(tmp_path: Path) -> None:
    """In one process and in the next."""
    ids = {"trace_id": f"{7:032x}", "span_id": f"{7:016x}"}
    records = [whole_record(number, **ids) for number in range(1, 6)]
    before = Stepwise(tmp_path / "outbox")
    for told in records[:3]:
        before.accept(told)
        before.wait(SETTLE_S)
        before.wait(SETTLE_S)
    before.close()
    after = Stepwise(tmp_path / "outbox", before.clock)
    for told in records:
        after.accept(told)
        after.wait(SETTLE_S)
        after.wait(SETTLE_S)
    after.close()
    assert [before.numbers, after.numbers] == [[1, 2, 3], [4, 5]]


# -- tenants -----------------------------------------------------------------------------------------------------


def ping(number: int, scope: str, **fields: Any) -> Span:
    """A call that says what all others say, at the same time."""
    times = {"start_time_unix_nano": OUTER.start_time_unix_nano, "end_time_unix_nano": OUTER.end_time_unix_nano}
    return span(number, **{"attributes": said(0), "scope": Scope(scope), **times, **fields})


SHOP, BANK = {"service.name": "shop"}, {"service.name": "bank"}
TENANTS = {
    "one application": (SHOP, SHOP, 1),
    "service names": (SHOP, BANK, 2),
    "other attributes": ({**SHOP, "tenant.id": "a"}, {**SHOP, "tenant.id": "b"}, 2),
}


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize(("resource", "other", "calls"), TENANTS.values(), ids=TENANTS)
def test_calls_of_different_resources_are_no_call_by_likeness(
    resource: dict[str, str], other: dict[str, str], calls: int, is_late: bool
) -> None:
    """Two tenants ask the same at the same moment, in two scopes, live and in a file; the second may come late."""
    spans = ping(1, "framework", resource=resource), ping(2, "client", resource=other)
    stages = Stepwise()
    for one in spans:
        stages.accept(one)
        stages.wait(SETTLE_S if is_late else 0)
    stages.wait(SETTLE_S)
    assert len(stages.calls) == calls
    assert len(read_recording(Recording([*spans], [])).calls) == calls


def test_calls_to_different_destinations_are_no_call_by_likeness() -> None:
    """Each goes to its own project."""
    stages = Stepwise(project_name="{tenant.id}")
    stages.accept(*(ping(n, f"scope {n}", attributes={**said(0), "tenant.id": f"{n}"}) for n in (1, 2)))
    stages.wait(SETTLE_S)
    assert len({entry.destination for entry in stages.sink.entries}) == 2


def test_a_recording_of_two_tenants_is_sent_as_two_calls() -> None:
    """What was told apart when it was read is not folded when it settles."""
    spans = [ping(1, "framework", resource=SHOP), ping(2, "client", resource={**SHOP, "tenant.id": "b"})]
    stages = Stepwise()
    stages.pipeline.accept_calls(read_recording(Recording(spans, [])).folded, may_be_stored=True)
    stages.wait(SETTLE_S)
    assert len(stages.calls) == 2


# -- what an earlier version has delivered -----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def api_key(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The commands take it from the environment."""
    if "labeling" in request.fixturenames:
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", request.getfixturevalue("labeling").api_key)


def delivered_before(pipelines: Pipelines, title: str, *calls: LLMCall) -> None:
    """As an earlier version did: each by the key of the reading that it took for the call."""
    pipeline = pipelines(project_name=title)
    for call in calls:
        assert pipeline.accept_calls([call])
        assert pipeline.flush(240)


def call_of(one: Span, prompt_index: int = 0) -> LLMCall:
    (call,) = read_recording(Recording([one], [])).calls
    return replace(call, prompt_index=prompt_index)


def sent(path: Path, title: str, labeling: Labeling, *telemetry: Span | LogRecord) -> int:
    """How many tasks there are after a recording was sent."""
    path.write_text("\n".join(json.dumps(otlp_request(one)) for one in telemetry))
    assert main(["send", str(path), "--project-name", title, "--mode", "chat", "--url", labeling.url]) == 0
    return len(labeling.tasks(title))


@pytest.mark.parametrize("by", [OUTER, INNER], ids=["outer", "inner"])
def test_a_call_that_was_delivered_by_any_reading_is_not_sent_again(
    by: Span, pipelines: Pipelines, labeling: Labeling, tmp_path: Path
) -> None:
    """By order of arrival or by richness, as earlier versions chose."""
    title = fresh_title("readings")
    delivered_before(pipelines, title, call_of(by))
    assert sent(tmp_path / "calls.jsonl", title, labeling, OUTER, INNER) == 1


def test_calls_that_an_earlier_version_has_counted_are_not_sent_again(
    pipelines: Pipelines, labeling: Labeling, tmp_path: Path
) -> None:
    """Log records of one missing span, whose calls were numbered in their order."""
    title = fresh_title("counted")
    ids = {"trace_id": f"{7:032x}", "span_id": f"{7:016x}"}
    records = [whole_record(n, **ids, time_unix_nano=OUTER.start_time_unix_nano + n * _LATER_NS) for n in (1, 2, 3)]
    calls = read_recording(Recording([], records)).calls
    delivered_before(pipelines, title, *(replace(call, prompt_index=n) for n, call in enumerate(calls)))
    assert sent(tmp_path / "all.jsonl", title, labeling, *records) == 3
    # Alone, the last is counted as the first; that task is of another time
    assert sent(tmp_path / "last.jsonl", title, labeling, records[2]) == 4


def test_a_call_that_was_delivered_without_its_span_is_not_sent_again_with_it(
    pipelines: Pipelines, labeling: Labeling, tmp_path: Path
) -> None:
    """Live, the span came too late; the recording has both."""
    title = fresh_title("late")
    told = whole_record(1)
    pipeline = pipelines(project_name=title)
    pipeline.joins_log_records = True
    assert pipeline.accept_log_records([told])
    assert pipeline.flush(240)
    assert sent(tmp_path / "calls.jsonl", title, labeling, span(1), told) == 1


def test_a_recording_of_another_day_with_the_same_ids_is_sent(
    pipelines: Pipelines, labeling: Labeling, tmp_path: Path
) -> None:
    """Once, however often: a task is of a call only if it is of the same time."""
    title = fresh_title("days")
    other = replace(OUTER, start_time_unix_nano=10**18, end_time_unix_nano=10**18 + 1, attributes=said(2))
    assert sent(tmp_path / "one.jsonl", title, labeling, OUTER) == 1
    assert sent(tmp_path / "other.jsonl", title, labeling, other) == 2
    assert sent(tmp_path / "other.jsonl", title, labeling, other) == 2
    assert sent(tmp_path / "one.jsonl", title, labeling, OUTER) == 2
