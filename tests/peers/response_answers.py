"""What the stand-in says to ``POST /v1/responses``, whole and as events, in the shapes of OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.peers.chat_answers import called_tools, pieces_of, text_to
from tests.peers.scenarios import Json

SUMMARY = "Thirty-two is usual."


def response(request: Json, answer_id: str) -> Json:
    """The whole answer."""
    asked = 100 + len(json.dumps(request["input"]))
    thought = 11 if "reasoning" in request else 0
    return {
        "id": f"resp_{answer_id}",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "model": f"{request['model']}-2025-04-14",
        "output": [*_items(request, answer_id)],
        "usage": {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 29,
            "output_tokens_details": {"reasoning_tokens": thought},
            "total_tokens": asked + 29,
        },
        **_echo(request),
    }


def _echo(request: Json) -> Json:
    """The request's settings, which the API repeats with its defaults."""
    return {
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None, **request.get("reasoning", {})},
        "store": True,
        "temperature": request.get("temperature", 1.0),
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": request.get("tools") or [],
        "top_p": 1.0,
    }


def response_events(request: Json, whole: Json) -> Iterator[Json]:
    """That answer as the events of a stream."""
    for number, event in enumerate(_events(whole)):
        yield {**event, "sequence_number": number}


def _items(request: Json, answer_id: str) -> Iterator[Json]:
    if "reasoning" in request:
        yield {"id": f"rs_{answer_id}", "type": "reasoning", "summary": [{"type": "summary_text", "text": SUMMARY}]}
    asked = request["input"]
    if request.get("tools") and asked[-1].get("role") == "user":
        for i, (name, arguments) in enumerate(called_tools()):
            call = {"id": f"fc_{i}", "type": "function_call", "status": "completed", "call_id": f"call_{i}_x"}
            yield {**call, "name": name, "arguments": arguments}
        return
    text = {"type": "output_text", "text": text_to(request), "annotations": []}
    said: Json = {"id": f"msg_{answer_id}", "type": "message", "role": "assistant", "status": "completed"}
    yield {**said, "content": [text]}


def _events(whole: Json) -> Iterator[Json]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(whole["output"]):
        yield from _item_events(item, index)
    yield {"type": "response.completed", "response": whole}


def _item_events(item: Json, index: int) -> Iterator[Json]:
    (part,) = item["content"]
    where = {"item_id": item["id"], "output_index": index, "content_index": 0}
    in_progress = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": index, "item": in_progress}
    yield {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}
    for piece in pieces_of(part["text"]):
        yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **where, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}
