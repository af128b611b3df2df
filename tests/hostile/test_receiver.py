"""What a receiver answers with 200 is read, whatever it is, and the next ordinary call is delivered."""

from __future__ import annotations

import http.client
import json
import random
from pathlib import Path

import pytest

from tests.hostile.generated import SEED, generated
from tests.hostile.items import Door, Item
from tests.hostile.otlp_json import chat, traces
from tests.receiver.serving import Receiver, post

PATHS = {
    Door.TRACES_PROTOBUF: ("/v1/traces", "application/x-protobuf"),
    Door.TRACES_JSON: ("/v1/traces", "application/json"),
    Door.LOGS_PROTOBUF: ("/v1/logs", "application/x-protobuf"),
    Door.LOGS_JSON: ("/v1/logs", "application/json"),
}
# It is read, or it is the sender's: no OTLP, too large, an encoding that is none
ANSWERS = {200, 400, 413, 415}
ORDINARY = "ordinary-900000"


@pytest.fixture
def items(corpus: Path) -> list[Item]:
    print(f"HOSTILE_SEED={SEED}")
    over_http = [item for item in generated(corpus) if item.door in PATHS]
    return random.Random(SEED).sample(over_http, 1000)


def status_of(connection: http.client.HTTPConnection, item: Item) -> int:
    """The answer to an item under the header that its sender wrote."""
    path, content_type = PATHS[item.door]
    connection.putrequest("POST", path)
    connection.putheader("Content-Type", content_type)
    if item.content_encoding:
        connection.putheader("Content-Encoding", _bytes(item.content_encoding))
    connection.putheader("Content-Length", str(len(item.wire)))
    connection.endheaders(item.wire)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_what_is_answered_with_success_stops_nothing(items: list[Item], tmp_path: Path) -> None:
    """All of it is read, and an ordinary call after it is delivered; most of it is answered with success."""
    with Receiver(tmp_path / "calls.outbox") as receiver:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=240)
        answers = [status_of(connection, item) for item in items]
        connection.close()
        assert set(answers) <= ANSWERS
        assert answers.count(200) > len(items) / 2
        request = json.dumps(traces(chat(ORDINARY))).encode()
        assert post(f"{receiver.http}/v1/traces", request, "application/json")[0] == 200
        assert receiver.read(), "something that was answered is not read"
        (call,) = receiver.delivered([chat(ORDINARY)["spanId"]])
        assert ORDINARY in json.dumps(call.to_dict())


def _bytes(header: str) -> bytes:
    try:
        return header.encode("latin-1")
    except UnicodeEncodeError:
        return header.encode()
