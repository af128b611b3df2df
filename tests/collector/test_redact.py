"""What the redacting overlay takes out, and what it leaves as it is."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_labelstudio.calls import LLMCall, TextPart
from otel_labelstudio.recordings import Recording, read_recording
from otel_labelstudio.spans.from_otlp import log_records_from_protobuf, spans_from_protobuf
from tests.collector.backend import PATIENT, Backend
from tests.collector.capturing import captured_by
from tests.collector.collector import CONFIGURATIONS, Collector
from tests.collector.personal import FORBIDDEN, HARMLESS, PERSONAL, masked, rewrite_request, set_value, typed
from tests.collector.recorded import Scenario, scenarios, signal_of
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Receiver, post


def test_the_readme_knows_every_placeholder() -> None:
    """And tests write down what each of them stands for."""
    text = {name: (CONFIGURATIONS / name).read_text(encoding="utf-8") for name in ("redact.yaml", "README.md")}
    in_file, in_readme = (set(re.findall(r"<[A-Z]+>", text[name])) for name in text)
    assert in_file == in_readme == {mask for row in PERSONAL for mask in re.findall("<[A-Z]+>", row[1])}


@pytest.fixture
def leaving() -> Iterator[Backend]:
    """All that leaves for Label Studio, byte by byte."""
    with Backend() as made:
        yield made


@pytest.fixture
def collector(otelcol: Path, tmp_path: Path, backend: Backend, leaving: Backend) -> Iterator[Collector]:
    configs = ["sidecar.yaml", "redact.yaml", captured_by(leaving), PATIENT]
    with Collector(otelcol, tmp_path / "collector", configs, {"BACKEND_OTLP_ENDPOINT": backend.endpoint}) as made:
        yield made


@pytest.fixture(scope="module")
def module_collector(otelcol: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Collector, Backend]]:
    """One for many small questions, with all that leaves it."""
    with Backend() as leaving, Backend() as backend:
        configs = ["sidecar.yaml", "redact.yaml", captured_by(leaving), PATIENT]
        environment = {"BACKEND_OTLP_ENDPOINT": backend.endpoint}
        with Collector(otelcol, tmp_path_factory.mktemp("redact"), configs, environment) as made:
            yield made, leaving


def send(collector: Collector, *requests: ExportTraceServiceRequest | ExportLogsServiceRequest) -> None:
    for request in requests:
        signal = "logs" if isinstance(request, ExportLogsServiceRequest) else "traces"
        assert post(f"{collector.http}/v1/{signal}", request.SerializeToString())[0] == 200


def parsed(file: Path) -> ExportTraceServiceRequest | ExportLogsServiceRequest:
    request = ExportLogsServiceRequest() if signal_of(file) == "logs" else ExportTraceServiceRequest()
    request.ParseFromString(file.read_bytes())
    return request


def calls_of(traces: bytes, logs: bytes) -> dict[str, Any]:
    """Each call as a dictionary, by its id."""
    recording = Recording(spans_from_protobuf(traces), log_records_from_protobuf(logs))
    calls = read_recording(recording).calls
    return {f"{call.trace_id}-{call.span_id}-{call.prompt_index}": call.to_dict() for call in calls}


def differences(wanted: Any, came: Any, path: str = "") -> Iterator[str]:
    """Where two JSON values differ, and how."""
    if isinstance(wanted, dict) and isinstance(came, dict):
        for key in wanted.keys() | came.keys():
            yield from differences(wanted.get(key), came.get(key), f"{path}/{key}")
    elif isinstance(wanted, list) and isinstance(came, list) and len(wanted) == len(came):
        for number, (one, other) in enumerate(zip(wanted, came, strict=True)):
            yield from differences(one, other, f"{path}/{number}")
    elif isinstance(wanted, str) and isinstance(came, str) and wanted != came:
        same = takewhile(lambda pair: pair[0] == pair[1], zip(wanted, came, strict=False))
        start = max(0, sum(1 for _ in same) - 40)
        yield f"{path}: {wanted[start : start + 200]!r} became {came[start : start + 200]!r}"
    elif wanted != came:
        yield f"{path}: {wanted!r:.200} became {came!r:.200}"


def assert_nothing_forbidden(left: bytes) -> None:
    assert [piece for piece in FORBIDDEN if piece.encode() in left] == []


def one_of_each(corpus: Path, directory: Path) -> list[Scenario]:
    """One recording of every producer, with tools where there is one."""
    of: dict[str, Scenario] = {}
    for scenario in scenarios(corpus, directory):
        producer, _, name = scenario.name.partition("/")
        if producer not in of or "tool" in name or "image" in name:
            of[producer] = scenario
    return list(of.values())


@pytest.mark.parametrize("form", ["ascii", "unicode", "structured"])
def test_every_dialect(corpus: Path, tmp_path: Path, collector: Collector, leaving: Backend, form: str) -> None:
    """Telemetry of every producer, with personal data in all that people and models said: none of it leaves, and the
    calls are those of the same telemetry with placeholders in it, whether JSON is escaped, plain or structured."""
    files = [file for scenario in one_of_each(corpus, tmp_path / "recorded") for file in scenario.files]
    how = {"is_ascii": form == "ascii", "is_structured": form == "structured"}
    expected = {"traces": b"", "logs": b""}
    for file in files:
        before, after = parsed(file), parsed(file)
        rewrite_request(before, typed, **how)
        rewrite_request(after, masked, **how)
        send(collector, before)
        expected[signal_of(file)] += after.SerializeToString()
    collector.wait_until_idle()
    left = {"traces": leaving.traces.SerializeToString(), "logs": leaving.logs.SerializeToString()}
    for signal in left.values():
        assert_nothing_forbidden(signal)
        assert b"QUJDQUJDQUJD" not in signal
    wanted, came = calls_of(**expected), calls_of(**left)
    assert len(wanted) > 90
    found = list(islice(differences(wanted, came), 10))
    assert not found, "\n".join(found)


def test_json_in_json_in_json(collector: Collector, leaving: Backend) -> None:
    """Arguments of tool calls are JSON in JSON, and what a tool answers may be once more: at every depth, and however
    it is escaped, only the personal data change."""
    texts = [(document(n, 0), document(n, 1)) for n in range(300)]
    request, span = llm_span()
    for number, (text, _) in enumerate(texts):
        span.attributes.add(key=f"gen_ai.x{number}").value.string_value = text
    send(collector, request)
    collector.wait_until_idle()
    assert_nothing_forbidden(leaving.traces.SerializeToString())
    (left,) = spans_from_protobuf(leaving.traces.SerializeToString())
    for number, (_, wanted) in enumerate(texts):
        found = list(differences(unpacked(wanted), unpacked(left.attributes[f"gen_ai.x{number}"])))
        assert not found, "\n".join(found)


def document(seed: int, column: int) -> str:
    """JSON of some depth, by chance but the same each time, with personal data (0) or what is left of them (1)."""
    chance = random.Random(seed)

    def prose() -> str:
        pieces = []
        for _ in range(chance.randint(1, 6)):
            pieces.append(chance.choice(PERSONAL)[column] if chance.random() < 0.5 else chance.choice(HARMLESS))
            pieces.append(chance.choice(["\n", "\t", "; ", "\r\n", "\u2028", " \\ ", " / ", "\U0001f600 "]))
        return chance.choice(["", "\n", '"', "(", "\u2014"]) + "".join(pieces)

    def value(depth: int) -> Any:
        kind = chance.randint(0, 5) if depth else 0
        if kind == 0:
            return prose()
        if kind == 1:
            return chance.choice([0, -1.5, True, None, 12345678901, 0.4111111111111111])
        if kind == 2:
            return json.dumps(value(depth - 1), ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1]))
        if kind == 3:
            return [value(depth - 1) for _ in range(chance.randint(1, 3))]
        return {f"key {n}": value(depth - 1) for n in range(chance.randint(1, 3))}

    return json.dumps({"arguments": value(4)}, ensure_ascii=chance.random() < 0.5)


def unpacked(text: Any) -> Any:
    """JSON with all JSON text in it opened."""
    if isinstance(text, dict):
        return {key: unpacked(value) for key, value in text.items()}
    if isinstance(text, list):
        return [unpacked(value) for value in text]
    try:
        return unpacked(json.loads(text)) if isinstance(text, str) else text
    except ValueError:
        return text


def llm_span() -> tuple[ExportTraceServiceRequest, Any]:
    """A request with one span, and the span."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="chat", trace_id=b"t" * 16, span_id=b"s" * 8)
    span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    return request, span


def test_every_place(collector: Collector, leaving: Backend, backend: Backend) -> None:
    """Names, status messages, events, resources, scopes, log bodies of every shape, lists, maps, numbers and bytes; the
    other back-end gets what it always got."""
    request, span = llm_span()
    text = "; ".join(row[0] for row in PERSONAL)
    span.name, span.status.message = f"chat {text}", f"failed for {text}"
    span.status.code = 2
    event = span.events.add(name=f"exception {text}")
    owners = [span, event, request.resource_spans[0].resource, request.resource_spans[0].scope_spans[0].scope]
    logs = ExportLogsServiceRequest()
    scope_logs = logs.resource_logs.add().scope_logs.add()
    owners += [logs.resource_logs[0].resource, scope_logs.scope]
    for body in (text, [text, {"to": [text]}], {"content": text, "n": 1}, {"card": 4111111111111111}):
        record = scope_logs.log_records.add(event_name="gen_ai.user.message", trace_id=b"t" * 16, span_id=b"s" * 8)
        set_value(record.body, body)
        owners.append(record)
    for owner in owners:
        set_value(owner.attributes.add(key="text").value, text)
        set_value(owner.attributes.add(key="list").value, ["a", text])
        set_value(owner.attributes.add(key="map").value, {"a": {"b": [text, 4111111111111111]}, "n": 7, "x": True})
        set_value(owner.attributes.add(key="card").value, 4111111111111111)
        owner.attributes.add(key="bytes").value.bytes_value = b"x" * 1000
        owner.attributes.add(key="score").value.double_value = float("nan")
        owner.attributes.add(key="http.request.header.authorization").value.string_value = "short"
    send(collector, request, logs)
    collector.wait_until_idle()
    left = leaving.traces.SerializeToString() + leaving.logs.SerializeToString()
    print(leaving.traces)
    print(leaving.logs)
    print(collector.log[-6000:])
    assert_nothing_forbidden(left)
    assert b"4111111111111111" not in left
    assert b"eHh4eHh4" not in left
    assert b"short" not in left
    (redacted,) = spans_from_protobuf(leaving.traces.SerializeToString())
    masks = "; ".join(row[1] for row in PERSONAL)
    assert (redacted.name, redacted.status_message) == (f"chat {masks}", f"failed for {masks}")
    assert redacted.attributes["text"] == masks
    assert unpacked(redacted.attributes["map"]) == {"a": {"b": [masks, 0]}, "n": 7, "x": True}
    assert backend.traces == request
    assert backend.logs == logs


def test_what_holds_nothing_stays_as_it_is(collector: Collector, leaving: Backend) -> None:
    """Types too: lists, maps, numbers, and the counts of tokens, whose names look like secrets to some patterns."""
    request, span = llm_span()
    held = {
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.request.temperature": 0.5,
        "gen_ai.is_streaming": True,
        "harmless": " ".join(HARMLESS),
        "map": {"a": [1, {"b": " ".join(HARMLESS)}], "password": None, "secret": {"type": "string"}},
        "empty": "",
    }
    for key, value in held.items():
        set_value(span.attributes.add(key=key).value, value)
    span.events.add(name="x").attributes.add(key="score").value.double_value = 0.25
    send(collector, request)
    collector.wait_until_idle()
    assert spans_from_protobuf(leaving.traces.SerializeToString()) == spans_from_protobuf(request.SerializeToString())


_BASE64 = "QUJD" * 300


@pytest.mark.parametrize(
    ("content", "left"),
    [
        (f"![a chart](data:image/png;base64,{_BASE64}) of it", "![a chart](data:image/png;base64,) of it"),
        (
            json.dumps([{"url": f"data:audio/wav;rate=8000;base64,{_BASE64}=="}]),
            '[{"url": "data:audio/wav;rate=8000;base64,"}]',
        ),
        (json.dumps({"data": f"-_{_BASE64}"}), '{"data": "data:;base64,"}'),
        (json.dumps({"data": f"/{_BASE64}/"}).replace("/", "\\/"), '{"data": "data:;base64,"}'),
        (json.dumps({"data": f"see\n{_BASE64}"}), '{"data": "see\\ndata:;base64,"}'),
        (json.dumps({"data": "\n" + "\n".join([_BASE64[:64]] * 9)}), '{"data": "\\ndata:;base64,"}'),
        (json.dumps({"data": "\r\n".join([_BASE64[:76]] * 9) + "\r\nQUI="}), '{"data": "data:;base64,"}'),
        (
            json.dumps({"data": json.dumps({"b": "\n".join([_BASE64[:60]] * 9) + "\n"})}),
            '{"data": "{\\"b\\": \\"data:;base64,\\"}"}',
        ),
        (json.dumps({"type": "Buffer", "data": list(range(250))}), '{"type": "Buffer", "data": []}'),
        (json.dumps({"image": {str(n): n for n in range(250)}}), '{"image": {}}'),
        (json.dumps({"x": json.dumps({str(n): n for n in range(250)})}), '{"x": "{}"}'),
        (json.dumps({"embedding": [0.5, 1, 2] * 99}), json.dumps({"embedding": [0.5, 1, 2] * 99})),
        ("word " * 300, "word " * 300),
        ("https://example.com/" + "a/b-c" * 20, "https://example.com/" + "a/b-c" * 20),
    ],
)
def test_media(module_collector: tuple[Collector, Backend], content: str, left: str) -> None:
    """Images, sounds and files go, whichever way they are written; of data URLs the type stays."""
    collector, leaving = module_collector
    request, span = llm_span()
    span.attributes.add(key="input.value").value.string_value = content
    seen = len(spans_from_protobuf(leaving.traces.SerializeToString()))
    send(collector, request)
    collector.wait_until_idle()
    found = spans_from_protobuf(leaving.traces.SerializeToString())[seen:]
    assert [span.attributes["input.value"] for span in found] == [left]


def test_json_stays_json(module_collector: tuple[Collector, Backend]) -> None:
    """Where something is masked right after an escape, or almost would be, or ends before one."""
    collector, leaving = module_collector
    request, span = llm_span()
    span.span_id = b"json" * 2
    before = ["\n", "\t", "\r", "\b", "\f", "é", "\u2028", '"', "\\", "/", "\U0001f600", "\x1f", ""]
    after = ["\n", '"', "\\", "é", '\\"', ""]
    masked_or_nearly = [row[0] for row in PERSONAL] + ["A" * n for n in range(249, 258)]
    masked_or_nearly += ['-----BEGIN PRIVATE KEY----- said "x"', "pm_" + "a" * 20, "k-" + "a" * 20, "e68539007547034"]
    texts = [[a + held + b for b in after] for a in before for held in masked_or_nearly]
    for number, text in enumerate(texts):
        content = json.dumps({"a": json.dumps(text)}) if number % 2 else json.dumps(text)
        span.attributes.add(key=f"gen_ai.x{number}").value.string_value = content
    send(collector, request)
    collector.wait_until_idle()
    (left,) = (
        one for one in spans_from_protobuf(leaving.traces.SerializeToString()) if one.span_id == span.span_id.hex()
    )
    for number, text in enumerate(texts):
        held = json.loads(left.attributes[f"gen_ai.x{number}"])
        held = json.loads(held["a"]) if number % 2 else held
        assert len(held) == len(text)
        for one, other in zip(held, text, strict=True):
            assert one[:1] == other[:1] or one.startswith(("<", "data:")), (one, other)


def test_a_second_line(otelcol: Path, tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no pattern finds, a call_filter in `serve` does: it sees calls whose content is parsed."""
    with Receiver(tmp_path / "outbox.db", pipeline={"call_filter": without_names}) as receiver:
        environment = {"BACKEND_OTLP_ENDPOINT": backend.endpoint, "OTEL_LABELSTUDIO_ENDPOINT": receiver.http}
        with Collector(otelcol, tmp_path / "collector", ["sidecar.yaml", "redact.yaml"], environment) as collector:
            request = traces("I am Ann Lee, ann.lee@example.org")
            send(collector, request)
            (call,) = receiver.delivered(ids(request))
    assert call.input_messages[0].parts == (TextPart("I am <NAME>, <EMAIL>"),)


def without_names(call: LLMCall) -> LLMCall:
    return LLMCall.from_dict(json.loads(json.dumps(call.to_dict()).replace("Ann Lee", "<NAME>")))
