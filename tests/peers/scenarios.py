"""What the applications ask of the model: the cases of the peers' own test suites, as requests.

They were taken over as cases: what the suites of ``opentelemetry-instrumentation-openai-v2`` 2.4b0 and
``opentelemetry-instrumentation-openai`` 0.62.4 call, each once, with texts of this project. Those suites repeat most of
them for each switch of content capture; here the peers' forms do that (`peers`).
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

CHAT = "chat.completions.create"
RESPONSES = "responses.create"
COMPLETIONS = "completions.create"
EMBEDDINGS = "embeddings.create"

UNKNOWN_MODEL = "no-such-model"
DENIED = "How do I pick the lock of a bike that is not mine?"
"""The model refuses to answer this."""

BESIDE = "Say what you do, then look up the weather in Zürich and Oslo."
"""The model answers this with a text and tool calls."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One call of OpenAI's client, by the method's name below the client.

    Of a stream the application reads ``pieces`` and goes away; all of it where that is None.
    """

    name: str
    method: str
    request: Json
    is_async: bool = False
    pieces: int | None = None

    @property
    def trace_id(self) -> str:
        """The trace in which the application makes the call."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:32]

    def to_dict(self) -> Json:
        """As the application takes it."""
        return {**asdict(self), "trace_id": self.trace_id}


def _user(text: str) -> Json:
    return {"role": "user", "content": text}


def _tool(name: str, *parameters: str) -> Json:
    schema = {"type": "object", "properties": {each: {"type": "string"} for each in parameters}}
    return {"name": name, "description": f"Look up: {name}.", "parameters": {**schema, "required": [*parameters]}}


_FUNCTIONS = [_tool("get_weather", "city"), _tool("get_time", "city", "zone")]
_TOOLS = [{"type": "function", "function": function} for function in _FUNCTIONS]
_ITEM_TOOLS = [{"type": "function", **function} for function in _FUNCTIONS]
_WEATHER = _user("What is the weather in Zürich and Oslo?")
_JSON_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
_RESPONSE_FORMAT = {"type": "json_schema", "json_schema": {"name": "report", "strict": True, "schema": _JSON_SCHEMA}}
_DIALOGUE = [
    {"role": "system", "content": "You assist a bike shop.\nBe brief, über alles \U0001f6b2."},
    _user("What is a sprocket?"),
    {"role": "assistant", "content": "A toothed wheel."},
    _user('And <b>how</b> expensive is "one"?'),
]
_ROUND_TRIP = [
    _WEATHER,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": f"call_{i}", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
            for i, arguments in enumerate(('{"city": "Zürich"}', '{"city": "Oslo"}'))
        ],
    },
    {"role": "tool", "tool_call_id": "call_0", "content": '{"degrees": 4, "sky": "grey"}'},
    {"role": "tool", "tool_call_id": "call_1", "content": "Snow, -3 degrees."},
]
# One pixel
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def _chat(name: str, *messages: Json, is_async: bool = False, pieces: int | None = None, **more: Any) -> Scenario:
    request = {"model": "gpt-4o-mini", "messages": [*messages], **more}
    return Scenario(name, CHAT, request, is_async, pieces)


def _stream(name: str, *messages: Json, is_async: bool = False, pieces: int | None = None, **more: Any) -> Scenario:
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    return _chat(name, *messages, is_async=is_async, pieces=pieces, **usage, **more)


def _image(url: str) -> Json:
    parts = [{"type": "text", "text": "What is in this picture?"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"role": "user", "content": parts}


def _responses(name: str, asked: Any, **more: Any) -> Scenario:
    return Scenario(name, RESPONSES, {"model": "gpt-4.1-nano", "input": asked, **more})


_CHATS = (
    _chat("chat", _user("Tell me a joke about OpenTelemetry.")),
    _chat("chat, async", _user("Tell me a joke, meanwhile."), is_async=True),
    _chat("dialogue", *_DIALOGUE),
    _chat(
        "parameters",
        _user("Say this is a test."),
        temperature=0.5,
        top_p=0.9,
        max_tokens=50,
        seed=42,
        frequency_penalty=0.25,
        presence_penalty=0.75,
        stop="full stop",
        service_tier="default",
        user="user-7",
    ),
    _chat("cut off", _user("Tell me a long story."), max_tokens=5),
    _chat("several choices", _user("Three names for a shop."), n=3),
    _chat("tool calls", _WEATHER, tools=_TOOLS),
    _chat("tool calls, async", _WEATHER, tools=_TOOLS, is_async=True),
    _chat("text beside tool calls", _user(BESIDE), tools=_TOOLS),
    _chat("tool results", *_ROUND_TRIP, tools=_TOOLS),
    _chat("function call", _WEATHER, functions=_FUNCTIONS, function_call="auto"),
    _chat("image", _image("https://shop.example/bike.jpg")),
    _chat("inline image", _image(f"data:image/png;base64,{_PNG}")),
    _chat("structured output", _user("The weather in Zürich, as JSON."), response_format=_RESPONSE_FORMAT),
    _chat("refusal", _user(DENIED), response_format=_RESPONSE_FORMAT),
    _chat("reasoning", _user("How many spokes has a wheel?"), model="gpt-5-nano", reasoning_effort="low"),
)
_STREAMS = (
    _stream("stream", _user("Tell me a joke about streams.")),
    _stream("stream, async", _user("Tell me a joke about streams, meanwhile."), is_async=True),
    _chat("stream without usage", _user("Tell me a joke about rivers."), stream=True),
    _stream("stream of several choices", _user("Two names for a shop."), n=2),
    _stream("stream of tool calls", _WEATHER, tools=_TOOLS),
    _stream("stream of tool calls, async", _WEATHER, tools=_TOOLS, is_async=True),
    _stream("stream broken off", _user("Tell me a joke that never ends."), pieces=4),
)
_RESPONSES = (
    _responses("response", "Come up with an adjective."),
    _responses("response with instructions", "Say hello.", instructions="You are a pirate.", temperature=0.7),
    _responses(
        "response to a dialogue",
        [
            _user("Come up with an adjective."),
            {"role": "assistant", "content": [{"type": "output_text", "text": "Sturdy."}]},
            _user("Why that word?"),
        ],
    ),
    _responses("response of tool calls", [_WEATHER], tools=_ITEM_TOOLS),
    _responses(
        "response to tool results",
        [
            _WEATHER,
            {"type": "function_call", "call_id": "call_0", "name": "get_weather", "arguments": '{"city": "Oslo"}'},
            {"type": "function_call_output", "call_id": "call_0", "output": "Snow, -3 degrees."},
        ],
        tools=_ITEM_TOOLS,
    ),
    _responses(
        "response with reasoning",
        "How many spokes?",
        model="gpt-5-nano",
        reasoning={"effort": "low", "summary": "auto"},
    ),
    _responses("response, streamed", "Count to three.", stream=True),
)
_OTHERS = (
    Scenario("completion", COMPLETIONS, {"model": "gpt-3.5-turbo-instruct", "prompt": "A slogan for a bike shop:"}),
    Scenario(
        "completion, streamed",
        COMPLETIONS,
        {"model": "gpt-3.5-turbo-instruct", "prompt": "English: Hi.\nFrench:", "stream": True},
    ),
)

ANSWERED = (*_CHATS, *_STREAMS, *_RESPONSES, *_OTHERS)
"""Those that are an inference with an answer: a call each."""

UNANSWERED = (
    _chat("unknown model", _user("This never arrives."), model=UNKNOWN_MODEL),
    _stream("stream of an unknown model", _user("This never arrives either."), model=UNKNOWN_MODEL),
    Scenario("embeddings", EMBEDDINGS, {"model": "text-embedding-3-small", "input": ["Bike", "Wheel"]}),
)
"""Those that give nothing to label."""

SCENARIOS = (*ANSWERED, *UNANSWERED)
