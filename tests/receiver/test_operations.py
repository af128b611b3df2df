"""Running it: the command, a graceful stop, the log, the metrics page, and the check of a file."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from otel_labelstudio.cli import main
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.errors import LabelStudioExportError
from tests.delivery.labeling import Labeling
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Receiver, post, serve_command

CANARY = "CANARY-4711"


def test_from_a_request_to_tasks_and_a_graceful_stop(label_studio: EmbeddedLabelStudio, tmp_path: Path) -> None:
    """The command as users run it: routes of a file to projects of a real Label Studio; SIGTERM delivers what waits and
    ends with status 0; the log says where the tasks are and how many came, and has no content and no key in it."""
    (tmp_path / "receiver.toml").write_text(
        f"""
[labelstudio]
url = "{label_studio.url}"
mode = "chat"
project_name = "{{service.name}} received"
settle_s = 3600
outbox = "{tmp_path / "state" / "outbox.db"}"

[[route]]
name = "help"
match = {{ "service.name" = "helpdesk" }}
project_name = "Help received"
mode = "auto"
model_version = "production"
""",
        encoding="utf-8",
    )
    request = traces(CANARY, service="shop")
    request.MergeFrom(traces(CANARY, service="helpdesk"))
    with serve_command(
        f"--config={tmp_path / 'receiver.toml'}", "--stop-timeout-s=240", LABEL_STUDIO_API_KEY=label_studio.api_key
    ) as process:
        assert post(f"{process.http}/v1/traces", request.SerializeToString())[0] == 200
        assert post(f"{process.http}/v1/traces", CANARY.encode())[0] == 400
        assert process.wait_after(signal.SIGTERM, timeout_s=300) == 0
        log = str(process.log)
    labeling = Labeling(label_studio.url, label_studio.api_key)
    shop, helpdesk = ids(request)
    for title, span_id, version in (("shop received", shop, "gpt-4o-mini"), ("Help received", helpdesk, "production")):
        (task,) = labeling.tasks(title)
        assert task["data"]["span_id"] == span_id
        assert task["predictions"][0]["model_version"] == version
    assert CANARY not in log
    assert label_studio.api_key not in log
    shop_project = labeling.project_of("shop received")
    said = [entry["message"] for entry in process.log]
    assert f'First delivery to project "shop received": {label_studio.url}/projects/{shop_project}/data' in said
    assert said[-1] == "Delivery: 2 calls delivered (2 new), 0 refused, 0 waiting, paused: none."
    assert process.log[-1]["delivered"] == 2


def wait_until_refused(port: int) -> None:
    """Until nobody listens there."""
    deadline = time.monotonic() + 240
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=240).close()
        except ConnectionRefusedError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_requests_under_way_are_finished(outbox: Path) -> None:
    """A body that has begun to come when the stop begins is still read, stored and answered."""
    request = traces("Still?")
    body = request.SerializeToString()
    with Receiver(outbox, stop_timeout_s=240) as receiver:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port)
        connection.putrequest("POST", "/v1/traces")
        connection.putheader("Content-Type", "application/x-protobuf")
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100")  # it is being read
        connection.send(body[:10])
        stopping = threading.Thread(target=receiver.stop)
        stopping.start()
        wait_until_refused(receiver.port)
        connection.send(body[10:])
        status = connection.getresponse().status
        stopping.join(240)
        connection.close()
        assert not stopping.is_alive()
        assert status == 200
        assert receiver.delivered(ids(request))


def test_the_metrics_page(tmp_path: Path) -> None:
    """The Collector's names behind ours, by transport; and the queue's size and capacity."""
    environment = {"LABEL_STUDIO_API_KEY": "key", "LABEL_STUDIO_URL": "http://127.0.0.1:9"}
    with serve_command(f"--outbox={tmp_path / 'outbox.db'}", **environment) as receiver:

        def page() -> str:
            return post(f"{receiver.http}/metrics", b"", method="GET")[2].decode()

        def value(name: str, **labels: str) -> float:
            lines = [line for line in page().splitlines() if line.startswith(name + "{")]
            wanted = [line for line in lines if all(f'{key}="{text}"' in line for key, text in labels.items())]
            return sum(float(line.rsplit(" ", 1)[1]) for line in wanted)

        accepted, requests = (
            "otel_labelstudio_receiver_accepted_spans_total",
            "otel_labelstudio_receiver_requests_total",
        )
        before = (
            value(accepted, transport="http"),
            value(requests, outcome="accepted"),
            value(requests, outcome="bad_data"),
        )
        post(f"{receiver.http}/v1/traces", traces("One?", others=9).SerializeToString())
        post(f"{receiver.http}/v1/traces", b"\xff")
        after = (
            value(accepted, transport="http"),
            value(requests, outcome="accepted"),
            value(requests, outcome="bad_data"),
        )
        assert [now - then for now, then in zip(after, before, strict=True)] == [10, 1, 1]
        names = re.compile(r"^(otel_labelstudio_[a-z_]+?)(?:_total|_bucket|_count|_sum)?[{ ]", re.MULTILINE)
        end = time.monotonic() + 240
        while "otel_labelstudio_spans_skipped" not in (found := set(names.findall(page()))):  # until it was read
            assert time.monotonic() < end
        assert found >= {
            "otel_labelstudio_receiver_accepted_spans",
            "otel_labelstudio_receiver_request_duration_seconds",
            "otel_labelstudio_outbox_queue_size",
            "otel_labelstudio_receiver_inbox_size_bytes",
            "otel_labelstudio_receiver_inbox_capacity_bytes",
            "otel_labelstudio_outbox_queue_capacity",
        }


def test_a_server_that_ends_by_itself_ends_the_process(outbox: Path) -> None:
    """Half a receiver is not left running: what is stored is delivered, and the process fails."""
    request = traces("Last?")
    receiver = Receiver(outbox)
    with receiver:
        assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
        assert receiver._server is not None
        assert receiver._server._uvicorn is not None
        receiver._server._uvicorn.should_exit = True
        receiver._thread.join(240)
        assert not receiver._thread.is_alive()
        assert receiver.delivered(ids(request))
    assert isinstance(receiver.error, LabelStudioExportError)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--http=0.0.0.0:0"], "allow-unauthenticated"),
        (["--http=192.0.2.1:0"], "allow-unauthenticated"),
        (["--bearer-tokens=/no/such/file"], "No such file"),
        (["--tls-cert=/no/cert", "--tls-key=/no/key"], "certificate"),
        (["--config=/no/such/file"], "No such file"),
    ],
)
def test_a_wrong_start_is_one_line(tmp_path: Path, arguments: list[str], why: str) -> None:
    """Exit status 1 and what to mend, no traceback."""
    command = [sys.executable, "-m", "otel_labelstudio", "serve", "--grpc=off", "--http=127.0.0.1:0", *arguments]
    run = subprocess.run(
        [*command, f"--outbox={tmp_path / 'outbox.db'}"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={"LABEL_STUDIO_API_KEY": "key", "LABEL_STUDIO_URL": "http://127.0.0.1:9", "PYTHONPATH": ":".join(sys.path)},
    )
    assert run.returncode == 1
    assert re.search(why, run.stderr)
    assert "Traceback" not in run.stderr


def test_a_port_that_is_taken(receiver: Receiver, tmp_path: Path) -> None:
    """Both transports say so instead of sharing it."""
    environment = {
        "LABEL_STUDIO_API_KEY": "key",
        "LABEL_STUDIO_URL": "http://127.0.0.1:9",
        "PYTHONPATH": ":".join(sys.path),
    }
    for flags in ([f"--http=127.0.0.1:{receiver.port}", "--grpc=off"], [f"--grpc={receiver.grpc}", "--http=off"]):
        run = subprocess.run(
            [sys.executable, "-m", "otel_labelstudio", "serve", *flags, f"--outbox={tmp_path / 'outbox.db'}"],
            capture_output=True, text=True, timeout=600, check=False, env=environment,
        )  # fmt: skip
        assert run.returncode == 1
        assert "cannot listen" in run.stderr


def test_check_looks_at_every_route(
    label_studio: EmbeddedLabelStudio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One route whose project is not there fails the check; the others are said to be good."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.api_key)
    file = tmp_path / "receiver.toml"
    good = f"""
[labelstudio]
url = "{label_studio.url}"
mode = "auto"
project_name = "{{service.name}} checked"

[[route]]
name = "help"
match = {{ "service.name" = "helpdesk" }}
project_name = "Help checked"
mode = "prompt"
"""
    file.write_text(good, encoding="utf-8")
    assert main(["check", "--config", str(file)]) == 0
    said = capsys.readouterr().out
    assert "Help checked" in said
    assert "route help" in said
    file.write_text(good + "project_id = 987654\n", encoding="utf-8")
    assert main(["check", "--config", str(file)]) == 1
    assert "987654" in capsys.readouterr().out
