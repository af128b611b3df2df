"""Recorded files to calls."""

from __future__ import annotations

import base64
import gzip
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import otel_labelstudio
from otel_labelstudio.dialects import SkipReason
from otel_labelstudio.errors import ConfigError, DecodeError, LabelStudioExportError
from otel_labelstudio.recordings import Recording, decode_files, read_calls, read_recording
from otel_labelstudio.settle.recorded import RecordedTelemetry
from otel_labelstudio.spans.model import Scope


@pytest.fixture
def span_and_events(corpus: Path) -> Path:
    """A call whose content stands in log records, whose usage stands on the span."""
    return corpus / "off-genai-openai-1.3b0-event_only" / "b_chat_history"


@pytest.fixture
def two_instrumentations(corpus: Path) -> Path:
    """A call that two instrumentations traced."""
    return corpus / "mixA-langchain" / "d_stream"


def otlp_json(path: Path) -> dict[str, Any]:
    """A recorded request as OTLP JSON: protobuf's JSON, but for ids in hexadecimal."""
    request = ExportLogsServiceRequest() if path.name.startswith("logs") else ExportTraceServiceRequest()
    request.ParseFromString(path.read_bytes())
    record: dict[str, Any] = _with_hexadecimal_ids(MessageToDict(request, use_integers_for_enums=True))
    return record


def _with_hexadecimal_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item).hex()
            if key in ("traceId", "spanId", "parentSpanId")
            else _with_hexadecimal_ids(item)
            for key, item in value.items()
        }
    return [_with_hexadecimal_ids(item) for item in value] if isinstance(value, list) else value


def test_read_calls_is_public_and_its_import_is_lazy() -> None:
    """Importing the package loads neither protobuf nor the readers; using the name does."""
    assert otel_labelstudio.read_calls is read_calls
    assert {"read_calls", "LLMCall"} <= set(dir(otel_labelstudio))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = otel_labelstudio.no_such_name
    program = "import otel_labelstudio, sys; print([m for m in sys.modules if m.startswith(('google', 'otel_label'))])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['otel_labelstudio']"


def test_a_span_and_its_log_records_are_one_call_from_files_in_any_order(span_and_events: Path) -> None:
    """The span's model and the events' texts are in one call, whichever file is read first."""
    traces, logs = sorted(span_and_events.glob("traces*.pb")), sorted(span_and_events.glob("logs*.pb"))
    calls = read_calls([*traces, *logs])
    assert calls
    assert calls == read_calls([*logs, *traces])
    assert calls[0].request_model == "gpt-4o-mini"
    assert calls[0].output_messages
    assert not calls[0].incomplete


def test_log_records_whose_span_never_arrives_are_a_call(span_and_events: Path) -> None:
    """Without its span the call comes out of its events, and says so."""
    whole = read_calls(sorted(span_and_events.glob("*.pb")))
    alone = read_calls(sorted(span_and_events.glob("logs*.pb")))
    assert alone
    assert [call.output_messages for call in alone] == [call.output_messages for call in whole]
    assert [call.input_messages for call in alone] == [call.input_messages for call in whole]
    assert all("its span never arrived" in call.incomplete[0] for call in alone)


def test_per_message_events_alone_hold_the_dialogue(corpus: Path) -> None:
    """The events of the conventions before 1.37 are a call without their span, too."""
    folder = corpus / "off-openai-v2-2.4b0-nooptin-true" / "c_tools"
    whole = read_calls(sorted(folder.glob("*.pb")))
    alone = read_calls(sorted(folder.glob("logs*.pb")))
    assert whole
    assert [call.output_messages for call in alone] == [call.output_messages for call in whole]


def test_records_without_ids_belong_to_the_span_of_their_scope_and_time(corpus: Path) -> None:
    """Traceloop's LangChain events are written outside of their span's context."""
    recording = decode_files(sorted((corpus / "tl-events-0.62.4" / "b_langchain").glob("*.pb")))
    assert {record.span_id for record in recording.log_records} == {""}
    joined = [reading.joined for reading in RecordedTelemetry(recording.spans, recording.log_records).readings]
    assert [one.span.name for one in joined] == ["ChatOpenAI.chat"]
    assert len(joined[0].log_records) == 3


def test_records_without_ids_that_might_be_of_two_spans_are_left_out(corpus: Path) -> None:
    """Half of another call's dialogue is worse than none."""
    recording = decode_files(sorted((corpus / "tl-events-0.62.4" / "b_langchain").glob("*.pb")))
    others = [replace(span, span_id=f"{number:016x}") for number, span in enumerate(recording.spans, start=1)]
    recorded = RecordedTelemetry([*recording.spans, *others], recording.log_records)
    assert not any(reading.joined.log_records for reading in recorded.readings)


def test_records_without_ids_find_a_span_that_was_sent_twice(corpus: Path) -> None:
    """The same span again is no other span."""
    recording = decode_files(sorted((corpus / "tl-events-0.62.4" / "b_langchain").glob("*.pb")))
    recorded = RecordedTelemetry([*recording.spans, *recording.spans], recording.log_records)
    assert [len(reading.joined.log_records) for reading in recorded.readings] == [3, 3]


def test_records_that_carry_the_ids_of_an_applications_span_find_their_own(corpus: Path) -> None:
    """Events written outside of their span's context take up the ids of a server's span around them."""
    recording = decode_files(sorted((corpus / "tl-events-0.62.4" / "b_langchain").glob("*.pb")))
    (call,) = recording.spans
    server = replace(
        call, span_id="5" * 16, name="POST /ask", scope=Scope("fastapi"), attributes={"http.method": "POST"}
    )
    records = [replace(r, trace_id=call.trace_id, span_id=server.span_id) for r in recording.log_records]
    recorded = RecordedTelemetry([server, call], records)
    assert [(r.joined.span.name, len(r.joined.log_records)) for r in recorded.readings] == [("ChatOpenAI.chat", 3)]
    assert recorded.skipped == {SkipReason.NOT_GENAI: 1}


def test_whole_calls_within_an_applications_span_are_calls_of_their_own(span_and_events: Path) -> None:
    """The spans of the calls were lost, and their events carry the ids of the same server's span."""
    recording = decode_files(sorted(span_and_events.glob("*.pb")))
    server = replace(recording.spans[0], name="POST /ask", scope=Scope("fastapi"), attributes={})
    record = replace(recording.log_records[0], trace_id=server.trace_id, span_id=server.span_id)
    records = [record, replace(record, time_unix_nano=record.time_unix_nano + 10**10)]
    first, second = read_recording(Recording([server], records)).folded
    assert {key.span_id for key in (*first.keys, *second.keys)} == {server.span_id}
    assert set(first.keys).isdisjoint(second.keys)


def test_the_order_in_which_requests_arrive_does_not_matter(corpus: Path) -> None:
    """All recordings with log records give the same calls when the last request is read first."""
    count = 0
    for logs in sorted(corpus.glob("*/*/logs-1.pb")):
        paths = sorted(logs.parent.glob("*.pb"))
        assert read_calls(paths[::-1]) == read_calls(paths), logs.parent
        count += 1
    assert count > 50


def test_each_call_comes_out_once(two_instrumentations: Path) -> None:
    """Two readings of one call are one call, which knows the keys of both."""
    recorded = read_recording(decode_files(two_instrumentations.glob("*.pb")))
    assert len(recorded.calls) == 1
    assert len({key.span_id for key in recorded.folded[0].keys}) == 2


def made_again(recording: Recording, later_ns: int) -> Recording:
    """The same calls once more: same questions, same answers, same response ids, in spans and traces of their own."""

    spans = [
        replace(
            span,
            trace_id=span.trace_id[::-1],
            span_id=span.span_id[::-1],
            parent_span_id=span.parent_span_id[::-1],
            start_time_unix_nano=span.start_time_unix_nano + later_ns,
            end_time_unix_nano=span.end_time_unix_nano + later_ns,
        )
        for span in recording.spans
    ]
    log_records = [
        replace(
            record,
            trace_id=record.trace_id[::-1],
            span_id=record.span_id[::-1],
            time_unix_nano=record.time_unix_nano + later_ns,
        )
        for record in recording.log_records
    ]
    return Recording(spans, log_records)


def test_calls_made_again_a_second_later_are_calls_of_their_own(corpus: Path) -> None:
    """No two calls of any producer are taken for one, even where a stand-in gives them the same response id."""
    for scenario in sorted(corpus.glob("*/*")):
        once = decode_files(sorted(scenario.glob("*.pb")))
        again = made_again(once, later_ns=10**9)
        twice = Recording([*once.spans, *again.spans], [*once.log_records, *again.log_records])
        assert len(read_recording(twice).calls) == 2 * len(read_recording(once).calls), scenario


def test_what_gives_no_call_is_counted_by_reason(corpus: Path) -> None:
    """Spans that speak of no call of a model are counted, and so are calls without content."""
    recorded = read_recording(decode_files((corpus / "repeat-vercel-ai-7-otel" / "b_chat_history").glob("*.pb")))
    assert recorded.skipped[SkipReason.NOT_INFERENCE] > 0
    hidden = read_recording(decode_files((corpus / "tl-langchain-0.62.4-nocontent").glob("*/*.pb")))
    assert not hidden.calls
    assert hidden.skipped[SkipReason.CONTENT_NOT_CAPTURED] > 0


@pytest.mark.parametrize("form", ["json", "jsonl", "pretty", "gzip", "stdin"])
def test_otlp_json_gives_the_same_calls(
    form: str, span_and_events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One object a file, one a line as the Collector writes them, over several lines, compressed, or piped."""
    recorded = sorted(span_and_events.glob("*.pb"))
    requests = [otlp_json(path) for path in recorded]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    paths: list[str | Path] = [tmp_path / "calls.jsonl"]
    if form in ("json", "pretty"):
        paths = [tmp_path / f"request-{number}.json" for number in range(len(requests))]
        for path, request in zip(paths, requests, strict=True):
            Path(path).write_text(json.dumps(request, indent=2 if form == "pretty" else None))
    elif form == "jsonl":
        Path(paths[0]).write_text("\n" + lines)
    elif form == "gzip":
        paths = [tmp_path / "calls.jsonl.gz"]
        Path(paths[0]).write_bytes(gzip.compress(lines.encode()))
    else:
        paths = ["-"]
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert read_calls(paths) == read_calls(recorded)


def test_the_file_name_tells_protobuf_logs_from_traces_unless_the_signal_is_given(
    span_and_events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their bytes do not tell them apart."""
    (logs,) = sorted(span_and_events.glob("logs*.pb"))
    shutil.copy(logs, tmp_path / "events.pb")
    assert decode_files(tmp_path / "events.pb", signal="logs") == decode_files([logs])
    with pytest.raises(DecodeError, match='if it holds logs, say so with signal="logs"'):
        decode_files([tmp_path / "events.pb"])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(logs.read_bytes())))
    assert decode_files("-", signal="logs") == decode_files([logs])
    with pytest.raises(ConfigError, match="metrics"):
        decode_files([logs], signal="metrics")  # type: ignore[arg-type]


def test_an_error_names_the_file_and_the_line(tmp_path: Path) -> None:
    """So that a person can mend it."""
    broken = tmp_path / "calls.jsonl"
    broken.write_text('{"resourceSpans": []}\n{"resourceSpans": [{"sco\n')
    with pytest.raises(DecodeError, match=r"calls\.jsonl, line 2: not JSON"):
        read_calls([broken])
    with pytest.raises(ConfigError, match=r"missing\.pb: No such file"):
        read_calls([tmp_path / "missing.pb"])
    garbage = tmp_path / "traces.pb"
    garbage.write_bytes(b"\x0a\xff\xff")
    with pytest.raises(DecodeError, match=r"traces\.pb: not a protobuf ExportTraceServiceRequest"):
        read_calls([garbage])
    cut = tmp_path / "calls.jsonl.gz"
    cut.write_bytes(gzip.compress(b'{"resourceSpans": []}' * 99)[:-20])
    with pytest.raises(DecodeError, match=r"calls\.jsonl\.gz: the gzip stream is damaged"):
        read_calls([cut])


def test_what_cannot_be_read_does_not_stop_the_rest(span_and_events: Path, tmp_path: Path) -> None:
    """A file whose last line was being written, and one that is not there, cost only themselves."""
    recorded = sorted(span_and_events.glob("*.pb"))
    file = tmp_path / "calls.jsonl"
    file.write_text("".join(json.dumps(otlp_json(path)) + "\n" for path in recorded) + '{"resourceSpans": [{"sc')
    errors: list[LabelStudioExportError] = []
    recording = decode_files([tmp_path / "missing.pb", file], on_error=errors.append)
    assert recording == decode_files(recorded)
    assert [type(error) for error in errors] == [ConfigError, DecodeError]


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    """An empty export request is a request; so is a Collector's file before the first span."""
    for name in ("traces.pb", "calls.jsonl"):
        (tmp_path / name).write_bytes(b"")
        assert decode_files([tmp_path / name]) == Recording()
