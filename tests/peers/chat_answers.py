"""What the stand-in says to a chat or a completion, in the shapes of OpenAI's API: whole, and in pieces.

Its answers are told by the request alone. The pieces are cut from the whole answer, those of several choices in turns,
as the API sends them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from tests.peers.scenarios import BESIDE, DENIED, Json

_PIECE = 7
_CUT_BELOW = 10
"""A request for fewer tokens than this has its answer cut off."""

_ARGUMENTS = (
    ("get_weather", {"city": "Zürich"}),
    ("get_weather", {"city": "Oslo"}),
    ("get_time", {"city": "Oslo", "zone": 'say "CET"'}),
)


def chat_completion(request: Json, answer_id: str) -> Json:
    """The answer to ``POST /v1/chat/completions``."""
    choices = [_choice(request, index) for index in range(request.get("n") or 1)]
    return {**_head(request, f"chatcmpl-{answer_id}", "chat.completion"), "choices": choices, "usage": usage(request)}


def chat_chunks(request: Json, whole: Json) -> Iterator[Json]:
    """That answer as a stream."""
    head = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    for pieces in zip_longest(*(_chunk_choices(choice) for choice in whole["choices"])):
        yield from ({**head, "choices": [piece]} for piece in pieces if piece is not None)
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": whole["usage"]}


def text_completion(request: Json, answer_id: str) -> Json:
    """The answer to ``POST /v1/completions``."""
    choice = {"index": 0, "text": f" Ride on! ({request['prompt']})", "logprobs": None, "finish_reason": "stop"}
    return {**_head(request, f"cmpl-{answer_id}", "text_completion"), "choices": [choice], "usage": usage(request)}


def text_chunks(request: Json, whole: Json) -> Iterator[Json]:
    """That completion as a stream."""
    (choice,) = whole["choices"]
    for piece in pieces_of(choice["text"]):
        yield {**whole, "choices": [{**choice, "text": piece, "finish_reason": None}], "usage": None}
    yield {**whole, "choices": [{**choice, "text": ""}], "usage": None}


def embeddings(request: Json, answer_id: str) -> Json:
    """The answer to ``POST /v1/embeddings``."""
    data = [{"object": "embedding", "index": i, "embedding": [0.25, -0.5]} for i, _ in enumerate(request["input"])]
    return {"object": "list", "data": data, "model": request["model"], "usage": {"prompt_tokens": 2, "total_tokens": 2}}


def called_tools() -> Iterator[tuple[str, str]]:
    """Names and arguments of the tools that the model asks for, all at once."""
    for name, arguments in _ARGUMENTS:
        yield name, json.dumps(arguments, ensure_ascii=False)


def text_to(request: Json, index: int = 0) -> str:
    """What the model says where it asks for no tools."""
    if "response_format" in request:
        return json.dumps({"city": "Zürich", "degrees": 4 + index}, ensure_ascii=False)
    question = json.dumps(request.get("messages") or request.get("input"), ensure_ascii=False)
    return f"Answer {index}: über «{len(question)}» \U0001f6b2\n\n```python\nprint('<b>&amp;</b>')\n```\n"


def pieces_of(text: str) -> Iterator[str]:
    """The text, a few characters at a time."""
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))


def usage(request: Json) -> Json:
    """Token counts, of cached and of reasoning tokens where the request gives a reason for them."""
    asked = 100 + len(json.dumps(request.get("messages") or request.get("prompt")))
    details = {"completion_tokens_details": {"reasoning_tokens": 11 if "reasoning_effort" in request else 0}}
    cached = {"prompt_tokens_details": {"cached_tokens": 64 if len(request.get("messages") or ()) > 3 else 0}}
    return {"prompt_tokens": asked, "completion_tokens": 23, "total_tokens": asked + 23, **details, **cached}


def _head(request: Json, answer_id: str, kind: str) -> Json:
    return {"id": answer_id, "object": kind, "created": 1_790_000_000, "model": f"{request['model']}-2024-07-18"}


def _choice(request: Json, index: int) -> Json:
    message: Json = {"role": "assistant", "content": None, "refusal": None, **_said(request, index)}
    reason = "stop"
    if (request.get("max_tokens") or _CUT_BELOW) < _CUT_BELOW:
        reason = "length"
    elif "tool_calls" in message or "function_call" in message:
        reason = "tool_calls" if "tool_calls" in message else "function_call"
    return {"index": index, "message": message, "logprobs": None, "finish_reason": reason}


def _said(request: Json, index: int) -> Json:
    last = request["messages"][-1]
    if last["content"] == DENIED:
        return {"refusal": "I cannot help with that."}
    if request.get("functions"):
        name, arguments = next(called_tools())
        return {"function_call": {"name": name, "arguments": arguments}}
    if request.get("tools") and last["role"] == "user":
        text = {"content": "I look it up."} if last["content"] == BESIDE else {}
        return {**text, "tool_calls": [*_tool_calls()]}
    return {"content": text_to(request, index)}


def _tool_calls() -> Iterator[Json]:
    for i, (name, arguments) in enumerate(called_tools()):
        yield {"id": f"call_{i}_x", "type": "function", "function": {"name": name, "arguments": arguments}}


def _chunk_choices(choice: Json) -> Iterator[Json]:
    for delta in _deltas(choice["message"]):
        yield {"index": choice["index"], "delta": delta, "logprobs": None, "finish_reason": None}
    yield {"index": choice["index"], "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}


def _deltas(message: Json) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": None if message.get("tool_calls") else ""}
    for piece in pieces_of(message["content"] or ""):
        yield {"content": piece}
    for i, call in enumerate(message.get("tool_calls") or ()):
        yield {"tool_calls": [{"index": i, **call, "function": {"name": call["function"]["name"], "arguments": ""}}]}
        for piece in pieces_of(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": i, "function": {"arguments": piece}}]}
