"""The duties of an OTLP/HTTP server, line by line of the specification (opentelemetry-proto 1.11,
docs/specification.md, "OTLP/HTTP"); each row says which."""

from __future__ import annotations

import gzip
import http.client
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_labelstudio.receiver.status import JSON, PROTOBUF
from tests.receiver.requests_made import as_json, events, ids, traces, zstd_compressed
from tests.receiver.serving import Receiver, post

ONE = traces("What is the capital of France?")
BODY = ONE.SerializeToString()
TEXT = json.dumps(as_json(ONE)).encode()
LOGS = events("Hello?", b"t" * 16, b"s" * 8)
RAW = zlib.compressobj(wbits=-15)


@dataclass(frozen=True)
class Duty:
    """A request, and the status of its answer."""

    says: str
    status: int
    body: bytes = BODY
    content_type: str = PROTOBUF
    path: str = "/v1/traces"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.says


DUTIES = (
    Duty("binary protobuf with application/x-protobuf", 200),
    Duty("JSON protobuf with application/json", 200, TEXT, JSON),
    Duty("the path of logs", 200, LOGS.SerializeToString(), path="/v1/logs"),
    Duty("the path of logs in JSON", 200, json.dumps(as_json(LOGS)).encode(), JSON, path="/v1/logs"),
    Duty("an empty request is a success", 200, b""),
    Duty("an empty request in JSON is a success", 200, b"{}", JSON),
    Duty("resources without spans are a success", 200, b'{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}', JSON),
    Duty("null is as absent", 200, b'{"resourceSpans":null}', JSON),
    Duty("unknown fields are ignored", 200, b'{"resourceSpans":[],"invented":{"deep":[1]}}', JSON),
    Duty("compressed with gzip", 200, gzip.compress(BODY), headers={"Content_Encoding": "gzip"}),
    Duty(
        "compressed with gzip in two members",
        200,
        gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]),
        headers={"Content_Encoding": "gzip"},
    ),
    Duty("JSON compressed with gzip", 200, gzip.compress(TEXT), JSON, headers={"Content_Encoding": "gzip"}),
    Duty("compressed with deflate", 200, zlib.compress(BODY), headers={"Content_Encoding": "deflate"}),
    Duty(
        "compressed with deflate without a header",
        200,
        RAW.compress(BODY) + RAW.flush(),
        headers={"Content_Encoding": "deflate"},
    ),
    Duty("compressed with zstd", 200, zstd_compressed(BODY), headers={"Content_Encoding": "zstd"}),
    Duty(
        "compressed with zstd in two frames",
        200,
        zstd_compressed(BODY[:9]) + zstd_compressed(BODY[9:]),
        headers={"Content_Encoding": "zstd"},
    ),
    Duty("JSON compressed with zstd", 200, zstd_compressed(TEXT), JSON, headers={"Content_Encoding": "zstd"}),
    Duty("the encoding named identity", 200, headers={"Content_Encoding": "identity"}),
    Duty("a content type with parameters", 200, TEXT, "application/json; charset=utf-8"),
    Duty("a content type in capitals", 200, TEXT, "Application/JSON"),
    Duty("bad data", 400, b"\x0a\xff\xff"),
    Duty("bad data in JSON", 400, b"{", JSON),
    Duty("JSON that is no object", 400, b"[]", JSON),
    Duty("an id that is no hexadecimal", 400, TEXT.replace(b'"traceId": "', b'"traceId": "zz'), JSON),
    Duty(
        "a number beyond all bounds",
        400,
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":1e400}]}]}]}',
        JSON,
    ),
    Duty("damaged gzip", 400, b"no gzip", headers={"Content_Encoding": "gzip"}),
    Duty("gzip that was cut off", 400, gzip.compress(BODY)[:-9], headers={"Content_Encoding": "gzip"}),
    Duty("damaged zstd", 400, b"no zstd", headers={"Content_Encoding": "zstd"}),
    Duty("zstd that was cut off", 400, zstd_compressed(BODY)[:-9], headers={"Content_Encoding": "zstd"}),
    Duty("zstd with a window beyond 8 MiB", 400, zstd_compressed(BODY, 27), headers={"Content_Encoding": "zstd"}),
    Duty("an encoding in capitals", 200, gzip.compress(BODY), headers={"Content_Encoding": "GZIP"}),
    Duty("the old name of gzip", 200, gzip.compress(BODY), headers={"Content_Encoding": "x-gzip"}),
    Duty(
        "an encoding with white space around it", 200, gzip.compress(BODY), headers={"Content_Encoding": " \tgzip\t "}
    ),
    Duty("an encoding of white space", 200, headers={"Content_Encoding": " \t "}),
    Duty("an unknown encoding", 415, headers={"Content_Encoding": "br"}),
    Duty("two encodings", 415, gzip.compress(gzip.compress(BODY)), headers={"Content_Encoding": "gzip, gzip"}),
    Duty(
        "white space that is not HTTP's", 415, gzip.compress(BODY), headers={"Content_Encoding": "\xa0" * 200 + "gzip"}
    ),
    Duty("bytes that are no text", 415, headers={"Content_Encoding": "\xff\xfe"}),
    Duty("a content type with white space that is not HTTP's", 415, content_type=f"\xa0{PROTOBUF}"),
    Duty("an unknown content type", 415, content_type="text/plain"),
    Duty("a page's form", 415, content_type="application/x-www-form-urlencoded"),
    Duty("more than the limit", 413, b"\x0a" * (2**20 + 1)),
    Duty(
        "more than the limit once inflated", 413, gzip.compress(bytes(2**20 + 1)), headers={"Content_Encoding": "gzip"}
    ),
    Duty(
        "more than the limit once zstd is undone",
        413,
        zstd_compressed(bytes(2**20 + 1)),
        headers={"Content_Encoding": "zstd"},
    ),
    Duty("another method", 405, method="GET"),
    Duty("PUT", 405, method="PUT"),
    Duty("OPTIONS without named origins", 405, method="OPTIONS"),
    Duty("another path", 404, path="/v1/profiles"),
    Duty("metrics are refused for good", 404, path="/v1/metrics"),
)


@pytest.mark.parametrize("duty", DUTIES, ids=str)
def test_each_duty(receiver: Receiver, duty: Duty) -> None:
    """The status is what the specification says, and the answer speaks the request's encoding."""
    status, headers, body = post(receiver.http + duty.path, duty.body, duty.content_type, duty.method, **duty.headers)
    assert status == duty.status
    media_type = duty.content_type.partition(";")[0].lower()
    assert headers["content-type"] == (media_type if media_type in (PROTOBUF, JSON) else JSON)
    if status == 200:
        assert not (json.loads(body) if headers["content-type"] == JSON else body)  # no partial_success
    elif headers["content-type"] == JSON:
        assert isinstance(json.loads(body)["code"], int)
        assert json.loads(body)["message"]
    else:
        assert Status.FromString(body).message
    assert "retry-after" not in headers


def test_the_answer_to_traces_is_theirs(receiver: Receiver) -> None:
    """A success in protobuf is an Export...ServiceResponse without partial_success."""
    _, _, body = post(f"{receiver.http}/v1/traces", BODY)
    assert not ExportTraceServiceResponse.FromString(body).HasField("partial_success")
    _, _, body = post(f"{receiver.http}/v1/logs", LOGS.SerializeToString())
    assert not ExportLogsServiceResponse.FromString(body).HasField("partial_success")


def test_chunked_bodies_without_a_length(receiver: Receiver) -> None:
    """As Node's SDK sends them."""
    request = traces("In pieces?")
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port)
    body = request.SerializeToString()
    connection.request(
        "POST", "/v1/traces", iter([body[:100], body[100:]]), {"Content-Type": PROTOBUF}, encode_chunked=True
    )
    assert connection.getresponse().status == 200
    assert receiver.delivered(ids(request))
    connection.close()


def test_a_chunked_body_over_the_limit(receiver: Receiver) -> None:
    """The limit holds where no length was announced; the connection serves on."""
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port)
    for pieces, status in ((64, 413), (1, 400)):
        connection.request(
            "POST", "/v1/traces", iter([b"\xff" * 20_000] * pieces), {"Content-Type": PROTOBUF}, encode_chunked=True
        )
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (status, True)
    connection.close()


def test_numbers_and_ids_of_json(receiver: Receiver) -> None:
    """64-bit integers come as text or as numbers, ids in capitals too, and read alike."""
    request = traces("Numbers?")
    record = as_json(request)
    span = record["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["startTimeUnixNano"] = int(span["startTimeUnixNano"])
    span["spanId"] = span["spanId"].upper()
    span["attributes"].append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": 18}})
    span["attributes"].append({"key": "gen_ai.usage.output_tokens", "value": {"intValue": "7"}})
    assert post(f"{receiver.http}/v1/traces", json.dumps(record).encode(), JSON)[0] == 200
    (call,) = receiver.delivered(ids(request))
    assert (call.usage.input_tokens, call.usage.output_tokens) == (18, 7)
    assert call.start_time_unix_nano == span["startTimeUnixNano"]


def test_browsers_are_let_in_by_name_only(receiver: Receiver, outbox: Path) -> None:
    """Without named origins no answer has CORS headers; with them, only those origins get them."""
    _, headers, _ = post(f"{receiver.http}/v1/traces", b"", Origin="https://shop.example")
    assert not any(name.startswith("access-control") for name in headers)
    with Receiver(outbox, cors_origins="https://shop.example") as open_receiver:
        url = f"{open_receiver.http}/v1/traces"
        status, headers, _ = post(url, b"", method="OPTIONS", Origin="https://shop.example")
        assert (status, headers["access-control-allow-origin"]) == (204, "https://shop.example")
        _, headers, _ = post(url, b"", Origin="https://shop.example")
        assert headers["access-control-allow-origin"] == "https://shop.example"
        _, headers, _ = post(url, b"", Origin="https://evil.example")
        assert "access-control-allow-origin" not in headers
