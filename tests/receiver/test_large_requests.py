"""Requests as large as they may be, one by one and many at once: they are taken, and what they cost is bounded."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import grpc
import pytest

from otel_labelstudio.receiver.status import JSON, PROTOBUF
from tests.receiver.good_sender import grpc_status, http_status
from tests.receiver.requests_made import as_json, traces
from tests.receiver.serving import Process, post, serve_command

MIB = 2**20
LIMIT = 64 * MIB
MOST_FOR_ONE = 1024 * MIB
MOST_FOR_MANY = 1536 * MIB
MANY = 20


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    environment = {"LABEL_STUDIO_API_KEY": "key", "LABEL_STUDIO_URL": "http://127.0.0.1:9"}
    with serve_command(f"--outbox={tmp_path / 'outbox.db'}", **environment) as made:
        yield made
        assert made.process.poll() is None


@cache
def body(content_type: str, answer: int = 20_000) -> bytes:
    """A request of ordinary calls, less than a mebibyte below the limit."""

    def written(calls: int) -> bytes:
        request = traces(*["Large?"] * calls, padding=answer)
        return request.SerializeToString() if content_type == PROTOBUF else json.dumps(as_json(request)).encode()

    made = written((LIMIT - MIB // 2) * 100 // len(written(100)))
    assert LIMIT - MIB < len(made) <= LIMIT
    return made


def open_channel(process: Process) -> grpc.Channel:
    """With a connection of its own."""
    return grpc.insecure_channel(
        process.grpc, [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    )


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_one_over_http(process: Process, content_type: str) -> None:
    """It is stored, also where it comes compressed."""
    content = body(content_type)
    assert post(f"{process.http}/v1/traces", content, content_type)[0] == 200
    compressed = gzip.compress(content, 1)
    assert post(f"{process.http}/v1/traces", compressed, content_type, Content_Encoding="gzip")[0] == 200
    assert process.peak_memory < MOST_FOR_ONE


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=str)
def test_one_over_grpc(process: Process, compression: grpc.Compression) -> None:
    """The same."""
    with open_channel(process) as channel:
        assert grpc_status(channel, body(PROTOBUF), compression) == 200
    assert process.peak_memory < MOST_FOR_ONE


def test_many_at_once(process: Process) -> None:
    """On both ports: each is stored or told to come again, and what was refused is no longer held."""
    content = body(PROTOBUF)
    statuses: list[int] = []
    with ExitStack() as channels:
        sends: list[Callable[[], int]] = [lambda: http_status(process.http, content)] * MANY
        for _ in range(MANY):
            channel = channels.enter_context(open_channel(process))
            sends.append(lambda channel=channel: grpc_status(channel, content))  # type: ignore[misc]
        threads = [threading.Thread(target=lambda send=send: statuses.append(send())) for send in sends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(240)
    assert len(statuses) == 2 * MANY
    assert set(statuses) == {200, 503}
    assert process.peak_memory < MOST_FOR_MANY
