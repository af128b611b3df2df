"""The facts of a call as they went over the wire, in the words of the conventions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.peers.facts import PARAMETERS, Facts, json_value, text, tool_facts
from tests.peers.scenarios import Json
from tests.peers.stand_in import Exchange

# In the conventions' words
_REASONS = {"tool_calls": "tool_call", "function_call": "tool_call"}
_USAGE = {
    "input_tokens": ("prompt_tokens", "input_tokens"),
    "output_tokens": ("completion_tokens", "output_tokens"),
}
_USAGE_DETAILS = {
    "cache_read_input_tokens": ("prompt_tokens_details", "input_tokens_details", "cached_tokens"),
    "reasoning_output_tokens": ("completion_tokens_details", "output_tokens_details", "reasoning_tokens"),
}


def sent(exchange: Exchange) -> Facts:
    """The facts of an exchange that had an answer."""
    request, answer = exchange.request, exchange.answer
    functions = [tool.get("function", tool) for tool in request.get("tools", ())] + request.get("functions", [])
    return Facts(
        input=[*_input(request)],
        output=[*_output(answer)],
        tools=[tool_facts(function) for function in functions],
        request_model=request["model"],
        response_model=answer["model"],
        response_id=answer["id"],
        usage=_usage(answer["usage"]),
        parameters=_parameters(request),
    )


def _input(request: Json) -> Iterator[Json]:
    if "prompt" in request:
        yield _message("user", text(request["prompt"]))
    elif "messages" in request:
        yield from map(_chat_message, request["messages"])
    else:
        if request.get("instructions"):
            yield _message("system", text(request["instructions"]))
        asked = request["input"]
        yield from map(_item, [{"role": "user", "content": asked}] if isinstance(asked, str) else asked)


def _output(answer: Json) -> Iterator[Json]:
    if "output" in answer:  # one answer in several items; why it ended is said of none
        parts = [part for item in answer["output"] for part in _item(item)["parts"]]
        yield {"parts": parts, "finish_reason": None}
    for choice in answer.get("choices", ()):
        message = choice.get("message") or {"role": "assistant", "content": choice["text"]}
        yield {
            "parts": _chat_message(message)["parts"],
            "finish_reason": _REASONS.get(choice["finish_reason"], choice["finish_reason"]),
        }


def _message(role: str, *parts: Json) -> Json:
    return {"role": role, "parts": [*parts]}


def _chat_message(message: Json) -> Json:
    if message["role"] == "tool":
        return _message("tool", _tool_result(message["tool_call_id"], message["content"]))
    calls = message.get("tool_calls") or ()
    parts = [*_content(message.get("content"))]
    parts += [text(message["refusal"])] if message.get("refusal") else []
    parts += [_tool_call(call["function"], call["id"]) for call in calls]
    parts += [_tool_call(message["function_call"])] if message.get("function_call") else []
    return _message(message["role"], *parts)


def _item(item: Json) -> Json:
    """An item of the Responses API."""
    kind = item.get("type", "message")
    if kind == "function_call":
        return _message("assistant", _tool_call(item, item["call_id"]))
    if kind == "function_call_output":
        return _message("tool", _tool_result(item["call_id"], item["output"]))
    if kind == "reasoning":
        return _message("assistant", *({"type": "reasoning", "content": each["text"]} for each in item["summary"]))
    return _message(item["role"], *_content(item["content"]))


def _content(content: Any) -> Iterator[Json]:
    if isinstance(content, str):
        yield text(content)
    for part in content if isinstance(content, list) else ():
        yield _image(part["image_url"]["url"]) if part["type"] == "image_url" else text(part["text"])


def _image(url: str) -> Json:
    if not url.startswith("data:"):
        return {"type": "uri", "modality": "image", "uri": url}
    head, _, content = url.removeprefix("data:").partition(";base64,")
    return {"type": "blob", "modality": "image", "mime_type": head, "content": content}


def _tool_call(function: Json, call_id: str | None = None) -> Json:
    call = {"type": "tool_call", "name": function["name"], "arguments": json_value(function["arguments"])}
    return call | ({"id": call_id} if call_id else {})


def _tool_result(call_id: str, response: str) -> Json:
    return {"type": "tool_call_response", "id": call_id, "response": json_value(response)}


def _usage(usage: Json) -> dict[str, int]:
    counts = {name: _first(usage, names) for name, names in _USAGE.items()}
    for name, (chat, responses, detail) in _USAGE_DETAILS.items():
        counts[name] = _first(usage, (chat, responses)).get(detail, 0)
    return {name: count for name, count in counts.items() if count}


def _first(record: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next(record[name] for name in names if name in record)


def _parameters(request: Json) -> Json:
    parameters = {name: request[each] for each, name in PARAMETERS.items() if each in request}
    stop = parameters.get("stop_sequences")
    return parameters | ({"stop_sequences": [stop]} if isinstance(stop, str) else {})
