"""How fast calls are delivered, beside a bare loop of bulk imports and LangChain's handler, all against one server.

python benchmarks/delivery.py [--calls N] [--rounds N]

Tasks a second from the first call to the last stored task; then how many calls a second an outbox file accepts, beside
a bare SQLite loop that writes the same rows.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sqlite3
import tempfile
import time
import urllib.request
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from otel_labelstudio.calls import LLMCall, Message, TextPart
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.serialization import call_to_text, key_of
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.tasks.binding import Mode, binding_from_label_config, default_label_config
from otel_labelstudio.tasks.build import build_task

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # langchain-community says that its days are numbered
    from langchain_community.callbacks.labelstudio_callback import LabelStudioCallbackHandler

_BATCH = 200
_PER_COMMIT = 50
_QUESTION, _ANSWER = "My chain slips on the smallest gear. " * 30, "A worn sprocket. " * 60


def calls(count: int) -> list[LLMCall]:
    """Chat calls of about two kilobytes, none of which is another's twin."""
    run = uuid4().hex
    return [
        LLMCall(
            trace_id=run,
            span_id=f"{number:016x}",
            start_time_unix_nano=1_763_800_000_000_000_000 + number,
            end_time_unix_nano=1_763_800_001_000_000_000 + number,
            dialect="genai",
            operation="chat",
            request_model="gpt-4o-mini",
            input_messages=(Message("user", (TextPart(_QUESTION + str(number)),)),),
            output_messages=(Message("assistant", (TextPart(f"{number} {_ANSWER}"),), finish_reason="stop"),),
        )
        for number in range(count)
    ]


def exported(count: int, outbox: str | None) -> float:
    """Seconds that the exporter's pipeline takes from its first call to its last task."""
    made = calls(count)
    settings = {"project_name": _title(), "mode": "chat", "settle_s": 0, "outbox": outbox, "batch_size": _BATCH}
    pipeline = Pipeline(Settings.resolve({**settings, "outbox_max_calls": count + 1}))
    pipeline.accept_calls(made[:1])  # the project is made and the SDK imported, as for the others
    assert pipeline.flush(60)
    begin = time.perf_counter()
    for start in range(1, count, _PER_COMMIT):
        assert pipeline.accept_calls(made[start : start + _PER_COMMIT])
    assert pipeline.flush(600)
    took = time.perf_counter() - begin
    pipeline.close(timeout_s=10)
    return took


def imported(count: int) -> float:
    """Seconds that bulk imports of the same tasks take, ready-made, over one connection."""
    config = default_label_config(Mode.CHAT)
    binding = binding_from_label_config(config)
    tasks = [
        build_task(c, binding, call_id=key_of(c), model_version_template="{model}").to_dict() for c in calls(count)
    ]
    project = _post("/api/projects/", {"title": _title(), "label_config": config})["id"]
    import httpx

    with httpx.Client(base_url=os.environ["LABEL_STUDIO_URL"], headers=_authorization(), timeout=600) as client:
        begin = time.perf_counter()
        for start in range(0, count, _BATCH):
            answer = client.post(
                f"/api/projects/{project}/import?return_task_ids=true", json=tasks[start : start + _BATCH]
            )
            assert answer.status_code == 201
        return time.perf_counter() - begin


def handled(count: int) -> float:
    """Seconds that LangChain's handler takes, which imports each call by itself."""
    handler = LabelStudioCallbackHandler(project_name=_title(), mode="chat")
    begin = time.perf_counter()
    for number in range(count):
        run_id = uuid4()
        question: list[BaseMessage] = [HumanMessage(_QUESTION + str(number))]
        handler.on_chat_model_start({}, [question], run_id=run_id, tags=[], invocation_params={"model": "gpt-4o-mini"})
        answer = ChatGeneration(message=AIMessage(f"{number} {_ANSWER}"))
        handler.on_llm_end(LLMResult(generations=[[answer]]), run_id=run_id)
    took = time.perf_counter() - begin
    handler.ls_client.session.close()
    return took


def accepted(count: int, directory: Path) -> float:
    """Seconds that an outbox file takes to accept calls."""
    made = calls(count)
    outbox = Outbox(str(directory / uuid4().hex), max_calls=count + 1, max_bytes=2**33)
    begin = time.perf_counter()
    for start in range(0, count, _PER_COMMIT):
        with outbox.transaction():
            for call in made[start : start + _PER_COMMIT]:
                outbox.accepting.put(call, '{"title":"calls"}', due_at=0)
    took = time.perf_counter() - begin
    outbox.close()
    return took


def inserted(count: int, directory: Path) -> float:
    """Seconds that SQLite takes to write the same rows, as texts that are ready."""
    rows = [(key_of(call), '{"title":"calls"}', call_to_text(call)) for call in calls(count)]
    db = sqlite3.connect(directory / uuid4().hex, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE calls (seq INTEGER PRIMARY KEY, key TEXT UNIQUE, destination TEXT, body TEXT)")
    begin = time.perf_counter()
    for start in range(0, count, _PER_COMMIT):
        db.execute("BEGIN")
        db.executemany("INSERT INTO calls (key, destination, body) VALUES (?, ?, ?)", rows[start : start + _PER_COMMIT])
        db.execute("COMMIT")
    took = time.perf_counter() - begin
    db.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    count = arguments.calls
    with EmbeddedLabelStudio() as server, tempfile.TemporaryDirectory() as directory:
        os.environ.update(LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=server.api_key)
        imported(_BATCH)
        files = Path(directory)
        ways: dict[str, tuple[int, Callable[[int], float]]] = {
            "bare loop of bulk imports": (count, imported),
            "exporter, outbox in memory": (count, lambda n: exported(n, None)),
            "exporter, outbox in a file": (count, lambda n: exported(n, str(files / uuid4().hex))),
            "LangChain's handler": (count // 40, handled),
        }
        _print("tasks delivered a second", _rates(ways, arguments.rounds), "bare loop of bulk imports")
        writes: dict[str, tuple[int, Callable[[int], float]]] = {
            "bare SQLite loop": (count, lambda n: inserted(n, files)),
            "outbox in a file": (count, lambda n: accepted(n, files)),
        }
        _print(f"calls accepted a second, {_PER_COMMIT} a commit", _rates(writes, arguments.rounds), "bare SQLite loop")


def _rates(ways: Mapping[str, tuple[int, Callable[[int], float]]], rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, (count, way) in ways.items():
            found[name].append(count / way(count))
    return found


def _print(what: str, found: Mapping[str, Sequence[float]], base: str) -> None:
    print(f"\n{what}\n\n{'':30}{'median':>9}{'lowest':>9}{'highest':>9}{'of bare':>9}")
    for name, rates in found.items():
        share = median(rates) / median(found[base])
        print(f"{name:30}{median(rates):9.0f}{min(rates):9.0f}{max(rates):9.0f}{share:9.0%}")


def _title() -> str:
    return f"Delivery {uuid4().hex[:12]}"


def _authorization() -> dict[str, str]:
    return {"Authorization": f"Token {os.environ['LABEL_STUDIO_API_KEY']}"}


def _post(path: str, body: object) -> dict[str, int]:
    request = urllib.request.Request(
        f"{os.environ['LABEL_STUDIO_URL']}{path}",
        json.dumps(body).encode(),
        {**_authorization(), "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, int] = json.load(answer)
        return found


if __name__ == "__main__":
    main()
