"""How fast spans are answered with success, beside the same server with nothing behind it, Phoenix and MLflow.

    python benchmarks/receiver.py [--seconds 5] [--only receiver empty phoenix mlflow]

OTLP/HTTP with protobuf, from a process of its own: LLM spans of 2.5 KB and of 25 KB, and traffic of which one span in
100 is an LLM call; 10 and 100 spans a request; 1 and 4 connections. Ours stores before it answers, and its worker goes
on meanwhile towards a Label Studio that refuses connections; what is stored then is read, at a rate given beside.
Phoenix answers before it stores; MLflow stores before. Phoenix and MLflow are installed, newest release, each into an
environment below the user's cache directory. Linux only, for the memory. The subjects take turns within each row, each
started anew and alone on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otel_labelstudio.demo.environment import cache_directory

LOAD = Path(__file__).with_name("receiver_load.py")
# Kind, spans a request, connections
ROWS = (
    ("small", 100, 1),
    ("small", 100, 4),
    ("small", 10, 1),
    ("small", 10, 4),
    ("large", 100, 4),
    ("large", 10, 4),
    ("mixed", 100, 1),
    ("mixed", 100, 4),
)
_EMPTY = """
import sys, uvicorn
async def empty(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/x-protobuf"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
uvicorn.run(empty, port=int(sys.argv[1]), http="httptools", loop="uvloop", ws="none", lifespan="off",
            access_log=False, log_level="error")
"""


@dataclass
class Subject:
    """A server under test."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    headers: dict[str, str]

    def memory_mib(self) -> float:
        """Resident memory of the process and its children."""
        pids, found = [self.process.pid], []
        while pids:
            pid = pids.pop()
            found.append(pid)
            children = Path(f"/proc/{pid}/task/{pid}/children")
            pids += [int(child) for child in children.read_text().split()] if children.exists() else []
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in found)
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    parser.add_argument("--only", nargs="+", choices=tuple(_SUBJECTS), default=tuple(_SUBJECTS))
    options = parser.parse_args()
    print("| spans, a request, connections | " + " | ".join(options.only) + " |")
    print("|---" * (len(options.only) + 1) + "|", flush=True)
    memory: dict[str, list[float]] = {name: [] for name in options.only}
    for kind, spans, connections in ROWS:
        cells = [_cell(_run(name, kind, spans, connections, options.seconds, memory[name])) for name in options.only]
        print(f"| {kind}, {spans}, {connections} | " + " | ".join(cells) + " |", flush=True)
    shown = [f"{min(found):.0f}, {max(found):.0f}" for found in memory.values()]
    print("| MiB at rest, and the most after a row | " + " | ".join(shown) + " |")


def _run(name: str, kind: str, spans: int, connections: int, seconds: float, memory: list[float]) -> dict[str, Any]:
    """One figure, of a server that has just been started and has nothing left to do from before."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory,
        _SUBJECTS[name](Path(directory)) as subject,
    ):
        memory.append(subject.memory_mib())
        result = _measure(subject, kind, spans, connections, seconds)
        if name == "receiver":
            result["read_per_s"] = _reading_rate(subject)
        memory.append(subject.memory_mib())
    return result


def _measure(subject: Subject, kind: str, spans: int, connections: int, seconds: float) -> dict[str, Any]:
    command = [sys.executable, str(LOAD), subject.url, str(connections), str(seconds), kind, str(spans)]
    command += [json.dumps(subject.headers), "again" if subject.name == "empty" else "once"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(run.stdout)
    return result


def _reading_rate(subject: Subject, seconds: float = 3.0) -> float | None:
    """Spans a second that are read from the inbox while nobody sends; None where there are too few left to tell."""
    began, before = time.monotonic(), _value(subject, "otel_labelstudio_spans_received_total")
    time.sleep(seconds)
    took, read = time.monotonic() - began, _value(subject, "otel_labelstudio_spans_received_total") - before
    return read / took if _value(subject, "otel_labelstudio_receiver_inbox_size_bytes") else None


def _value(subject: Subject, name: str) -> float:
    with urllib.request.urlopen(f"{subject.url}/metrics", timeout=30) as page:
        lines = [line.decode() for line in page if line.decode().startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def _cell(result: dict[str, Any]) -> str:
    if not result["requests"]:
        return f"none ({result['refused']} refused)"
    refused = f", {result['refused']} refused" if result["refused"] else ""
    read = f", read at {result['read_per_s']:,.0f}/s" if result.get("read_per_s") else ""
    return f"{result['spans_per_s']:,.0f}/s, p99 {result['p99_ms']:,.0f} ms{refused}{read}"


@contextmanager
def _receiver(directory: Path) -> Iterator[Subject]:
    port = _free_port()
    command = [sys.executable, "-m", "otel_labelstudio", "serve", "--grpc=off", f"--http=127.0.0.1:{port}"]
    command += [f"--outbox={directory / 'outbox.db'}", "--mode=auto"]
    command += ["--outbox-max-calls=10000000", "--outbox-max-bytes=100000000000"]
    refusing = {"LABEL_STUDIO_API_KEY": "key", "LABEL_STUDIO_URL": f"http://127.0.0.1:{_free_port()}"}
    with _served("receiver", port, command, "/healthz", refusing) as subject:
        yield subject


@contextmanager
def _empty(_: Path) -> Iterator[Subject]:
    port = _free_port()
    with _served("empty", port, [sys.executable, "-c", _EMPTY, str(port)], "/") as subject:
        yield subject


@contextmanager
def _phoenix(directory: Path) -> Iterator[Subject]:
    port = _free_port()
    command = [str(_installed("arize-phoenix") / "phoenix"), "serve"]
    own = {"PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(_free_port()), "PHOENIX_HOST": "127.0.0.1"}
    own["PHOENIX_WORKING_DIR"] = str(directory / "phoenix")
    with _served("phoenix", port, command, "/healthz", own) as subject:
        yield subject


@contextmanager
def _mlflow(directory: Path) -> Iterator[Subject]:
    port = _free_port()
    command = [str(_installed("mlflow") / "mlflow"), "server", f"--port={port}", "--host=127.0.0.1", "--workers=1"]
    command += [f"--backend-store-uri=sqlite:///{directory / 'mlflow.db'}", "--default-artifact-root", str(directory)]
    with _served("mlflow", port, command, "/health") as subject:
        subject.headers["x-mlflow-experiment-id"] = "0"
        yield subject


_SUBJECTS: dict[str, Callable[[Path], Any]] = {
    "receiver": _receiver,
    "empty": _empty,
    "phoenix": _phoenix,
    "mlflow": _mlflow,
}


@contextmanager
def _served(
    name: str, port: int, command: list[str], path: str, environment: dict[str, str] | None = None
) -> Iterator[Subject]:
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH" or name == "receiver"}
    with subprocess.Popen(
        command,
        env={**clean, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        subject = Subject(name, f"http://127.0.0.1:{port}", process, {})
        try:
            _wait_for(subject, path)
            yield subject
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with suppress(ProcessLookupError):  # MLflow has children that outlive it
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for(subject: Subject, path: str) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end and subject.process.poll() is None:
        try:
            urllib.request.urlopen(subject.url + path, timeout=5).close()
        except urllib.error.HTTPError:  # noqa: PERF203 - it is waiting
            return
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit(f"{subject.name} does not start")


def _installed(package: str) -> Path:
    """The directory of the commands of an environment with the package's newest release."""
    directory = cache_directory() / "benchmarks" / package
    if not (directory / "installed").exists():
        print(f"Installing {package} into {directory}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        subprocess.run([str(directory / "bin" / "pip"), "install", "--quiet", "--upgrade", package], check=True)
        (directory / "installed").touch()
    return directory / "bin"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
