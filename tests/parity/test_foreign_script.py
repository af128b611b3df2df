"""An application of somebody else's, unchanged, in a process of its own: each of its calls is one task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.demo.openai_stand_in import OpenAIStandIn
from tests.parity.recording_proxy import Exchange, RecordingProxy
from tests.parity.sides import Shown, Sides, in_order, new_title

_HERE = Path(__file__).parent


@pytest.fixture
def wire() -> Iterator[RecordingProxy]:
    """Between the application and its model."""
    with OpenAIStandIn(latency_s=0.02) as stand_in, RecordingProxy(stand_in.url) as proxy:
        yield proxy


@pytest.mark.parametrize(("mode", "calls"), [("chat", 14), ("prompt", 9)])
def test_every_call_is_one_task(mode: str, calls: int, sides: Sides, wire: RecordingProxy) -> None:
    """Agent, tools, streams, batches, awaited calls, choices: prompts and answers are what went over the wire.

    The call that failed is no task, and there are no other tasks.
    """
    title = new_title("foreign")
    environment = {
        **os.environ,
        "OPENAI_API_KEY": "stand-in",
        "OPENAI_BASE_URL": wire.url,
        "LABEL_STUDIO_URL": sides.url,
        "LABEL_STUDIO_API_KEY": sides.api_key,
        "OTEL_EXPORTER_LABELSTUDIO_MODE": mode,
        "OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME": title,
    }
    command = [sys.executable, str(_HERE / "traced.py"), str(_HERE / "shop_assistant.py"), mode]
    subprocess.run(command, env=environment, check=True, timeout=600)

    answered = [exchange for exchange in wire.exchanges if exchange.status == 200]
    assert len(wire.exchanges) == len(answered) + 1
    expected = [shown for exchange in answered for shown in _shown(exchange)]
    assert len(expected) == calls
    assert in_order(sides.shown(title)) == in_order(expected)


def _shown(exchange: Exchange) -> Iterator[Shown]:
    """What a person is to see of a request: a text completion may hold several prompts."""
    request, answers = exchange.request, [_text(choice) for choice in exchange.choices]
    if exchange.path.endswith("/chat/completions"):
        yield Shown([_turn(message) for message in request["messages"]], answers, request["model"])
        return
    prompts = [request["prompt"]] if isinstance(request["prompt"], str) else request["prompt"]
    share = len(answers) // len(prompts)
    for index, prompt in enumerate(prompts):
        yield Shown(prompt, answers[index * share : (index + 1) * share], request["model"])


def _turn(message: dict[str, Any]) -> dict[str, str]:
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return {"role": message["role"], "content": _text({"text": message.get("content") or "", "tool_calls": calls})}


def _text(said: dict[str, Any]) -> str:
    calls = [
        f"[tool call] {call['name']}({json.dumps(json.loads(call['arguments']), ensure_ascii=False)})"
        for call in said["tool_calls"]
    ]
    return "\n".join([*([said["text"]] if said["text"] else []), *calls])
