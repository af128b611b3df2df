"""The providers' own messages, as their API references show them, become the conventions' messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_labelstudio.calls import GenericPart, Message, ReasoningPart
from otel_labelstudio.providers.messages import message_from, messages_from, output_messages_from, role_of
from otel_labelstudio.providers.parts import parts_from

PNG = "iVBORw0KGgoAAAANSUhEUg=="


def parts(messages: tuple[Message, ...]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(message.role, message.to_dict()["parts"]) for message in messages]


def test_openai_chat_messages_keep_roles_names_media_and_tool_calls() -> None:
    """Chat Completions: developer is system, content may be blocks, arguments are a value, a tool answers an id."""
    messages = messages_from(
        [
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "name": "alice",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "file-abc"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": [1]}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "a red square"},
            {"role": "function", "name": "look", "content": "{}"},
        ]
    )
    assert parts(messages) == [
        ("system", [{"type": "text", "content": "Be brief."}]),
        (
            "user",
            [
                {"type": "text", "content": "What is this?"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PNG, "detail": "low"},
                {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
                {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "UklGRg=="},
                {"type": "file", "modality": "document", "file_id": "file-abc"},
            ],
        ),
        ("assistant", [{"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": [1]}}]),
        ("tool", [{"type": "tool_call_response", "id": "call_1", "response": "a red square"}]),
        ("tool", [{"type": "tool_call_response", "response": "{}"}]),
    ]
    assert messages[1].name == "alice"


@pytest.mark.parametrize(
    "role", ["system", "developer", "user", "human", "assistant", "model", "tool", "function", "x"]
)
@pytest.mark.parametrize("beside", [{}, {"finish_reason": "stop"}, {"finish_reason": None}, {"finish_reason": ""}])
@pytest.mark.parametrize("content", ["Hi", "", '{"a": 1}', None, ["Hi"]])
def test_a_plain_turn_reads_as_one_that_the_table_of_shapes_was_asked_for(
    role: str, beside: dict[str, Any], content: Any
) -> None:
    """Turns of a role and a text are read before; something beside them that nobody knows changes nothing."""
    turn = {"role": role, "content": content, **beside}
    empty: dict[str, Any] = {"refusal": None, "tool_calls": None, "audio": None, "annotations": []}
    assert message_from(turn) == message_from({**turn, "beside": 1}) == message_from({**turn, **empty})


def test_each_openai_choice_is_one_message_with_its_finish_reason() -> None:
    """A refusal is what the model said; a legacy completion's choice is a message with its text."""
    messages = output_messages_from(
        [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes.", "refusal": None}},
            {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": None, "refusal": "No."}},
            {"index": 2, "finish_reason": "length", "text": "Once upon"},
        ]
    )
    assert [message.finish_reason for message in messages] == ["stop", "stop", "length"]
    assert parts(messages) == [
        ("assistant", [{"type": "text", "content": "Yes."}]),
        ("assistant", [{"type": "text", "content": "No.", "refusal": True}]),
        ("assistant", [{"type": "text", "content": "Once upon"}]),
    ]


def test_reasoning_beside_the_content_comes_before_it() -> None:
    """DeepSeek and others answer with ``reasoning_content`` beside ``content``."""
    (message,) = messages_from({"role": "assistant", "reasoning_content": "17*20=340 ...", "content": "391"})
    assert [part["type"] for part in message.to_dict()["parts"]] == ["reasoning", "text"]


RESPONSES_TURN: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Need the weather."}]},
    {
        "type": "function_call",
        "call_id": "call_1",
        "name": "get_weather",
        "arguments": '{"city":"Paris"}',
        "id": "fc_1",
    },
    {"type": "function_call", "call_id": "call_2", "name": "get_weather", "arguments": '{"city":"Rome"}', "id": "fc_2"},
]


def test_responses_items_of_one_turn_are_one_message() -> None:
    """Reasoning and calls that the model gave in one turn stay together in the history, each result is of its own."""
    messages = messages_from(
        [
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            *RESPONSES_TURN,
            {"type": "function_call_output", "call_id": "call_1", "output": "18°C"},
            {"type": "function_call_output", "call_id": "call_2", "output": "23°C"},
        ]
    )
    assert [message.role for message in messages] == ["user", "assistant", "tool", "tool"]
    assert [part.type for part in messages[1].parts] == ["reasoning", "tool_call", "tool_call"]
    assert messages[3].to_dict()["parts"] == [{"type": "tool_call_response", "id": "call_2", "response": "23°C"}]


def test_the_items_of_a_responses_answer_are_one_choice() -> None:
    """A Responses answer of several items is one message; reasoning without a summary says nothing."""
    (message,) = output_messages_from(
        [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "One moment.", "annotations": []}],
            },
            RESPONSES_TURN[1],
        ]
    )
    assert [part.type for part in message.parts] == ["text", "tool_call"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (json.dumps(RESPONSES_TURN[0]["summary"]), "Need the weather."),
        ('[{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]', "One.\n\nTwo."),
        ('[{"type": "weather", "text": "a list that the model thought of"}]', None),
        ("[sic] Need the weather.", None),
    ],
    ids=["one block", "two blocks", "a model's own JSON", "no JSON"],
)
def test_reasoning_whose_blocks_are_json_text(content: str, expected: str | None) -> None:
    """OpenLLMetry writes the summary of a reasoning item so; all other text stays as it is."""
    (part,) = parts_from([{"type": "reasoning", "content": content}])
    assert part == ReasoningPart(expected or content)


def test_anthropic_blocks() -> None:
    """Thinking keeps its signature, a user's message of tool results alone is the tool's."""
    messages = messages_from(
        [
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Let me look.", "signature": "sig"},
                    {"type": "redacted_thinking", "data": "c2VjcmV0"},
                    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "red"}]}
                ],
            },
        ]
    )
    assert parts(messages) == [
        ("user", [{"type": "blob", "modality": "image", "mime_type": "image/png", "content": PNG}]),
        (
            "assistant",
            [
                {"type": "reasoning", "content": "Let me look.", "signature": "sig"},
                {"type": "reasoning", "content": "", "data": "c2VjcmV0"},
                {"type": "tool_call", "id": "toolu_1", "name": "look", "arguments": {"at": 1}},
            ],
        ),
        ("tool", [{"type": "tool_call_response", "id": "toolu_1", "response": "red"}]),
    ]


def test_gemini_contents() -> None:
    """The model's role, thoughts, inline and stored data, functions and their responses."""
    messages = messages_from(
        [
            {
                "role": "user",
                "parts": [
                    {"text": "What is it?"},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}},
                    {"fileData": {"fileUri": "gs://bucket/film.mp4", "mimeType": "video/mp4"}},
                ],
            },
            {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"functionCall": {"name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": 1}}}]},
        ]
    )
    assert parts(messages) == [
        (
            "user",
            [
                {"type": "text", "content": "What is it?"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PNG},
                {"type": "uri", "modality": "video", "mime_type": "video/mp4", "uri": "gs://bucket/film.mp4"},
            ],
        ),
        ("assistant", [{"type": "reasoning", "content": "Hm."}, {"type": "tool_call", "name": "f", "arguments": {}}]),
        ("tool", [{"type": "tool_call_response", "response": {"result": 1}, "name": "f"}]),
    ]


def test_bedrock_converse_blocks() -> None:
    """Blocks that are named by their key: text, image, toolUse, toolResult, reasoningContent."""
    messages = messages_from(
        [
            {"role": "user", "content": [{"text": "Look."}, {"image": {"format": "png", "source": {"bytes": PNG}}}]},
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
                    {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": 1}}},
                ],
            },
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "red"}]}}]},
        ]
    )
    assert parts(messages) == [
        (
            "user",
            [
                {"type": "text", "content": "Look."},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PNG},
            ],
        ),
        (
            "assistant",
            [
                {"type": "reasoning", "content": "Hm.", "signature": "s"},
                {"type": "tool_call", "id": "t1", "name": "look", "arguments": {"at": 1}},
            ],
        ),
        ("tool", [{"type": "tool_call_response", "id": "t1", "response": "red"}]),
    ]


def constructor(class_name: str, /, **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", class_name], "kwargs": kwargs}


def test_langchain_messages_serialised_as_constructors() -> None:
    """A batch of dialogues; a call that stands among the blocks and beside them is one; the finish reason stays."""
    messages = messages_from(
        [
            [
                constructor("SystemMessage", content="sys", type="system"),
                constructor("HumanMessage", content="Weather?", type="human", name="alice"),
                constructor("ChatMessage", content="note", type="chat", role="developer"),
                constructor(
                    "AIMessage",
                    content=[
                        {"type": "text", "text": "One moment."},
                        {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Paris"}},
                    ],
                    type="ai",
                    tool_calls=[{"name": "get_weather", "args": {"city": "Paris"}, "id": "t1", "type": "tool_call"}],
                    response_metadata={"finish_reason": "tool_calls"},
                ),
                constructor("ToolMessage", content="18°C", type="tool", tool_call_id="t1", name="get_weather"),
            ]
        ]
    )
    assert [message.role for message in messages] == ["system", "user", "system", "assistant", "tool"]
    assert [part.type for part in messages[3].parts] == ["text", "tool_call"]
    assert messages[3].finish_reason == "tool_calls"
    assert messages[1].name == "alice"


def test_langchain_generations() -> None:
    """A generation is a choice: of a chat model around its message, of an LLM the text itself."""
    messages = output_messages_from(
        [
            [
                {"text": "a", "generation_info": {"finish_reason": "stop"}, "type": "Generation"},
                {
                    "text": "b",
                    "generation_info": None,
                    "type": "ChatGeneration",
                    "message": constructor("AIMessage", content="b", response_metadata={"finish_reason": "length"}),
                },
            ]
        ]
    )
    assert [message.to_dict() for message in messages] == [
        {"role": "assistant", "parts": [{"type": "text", "content": "a"}], "finish_reason": "stop"},
        {"role": "assistant", "parts": [{"type": "text", "content": "b"}], "finish_reason": "length"},
    ]


def test_vercel_ai_content_parts() -> None:
    """tool-call with input, tool-result with a typed output, file with its bytes, image by address."""
    messages = messages_from(
        [
            {"role": "user", "content": [{"type": "file", "mediaType": "image/png", "data": PNG}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "reasoning", "text": "Hm."},
                    {"type": "tool-call", "toolCallId": "c1", "toolName": "look", "input": {"at": 1}},
                ],
            },
            {
                "role": "tool",
                "content": [
                    {
                        "type": "tool-result",
                        "toolCallId": "c1",
                        "toolName": "look",
                        "output": {"type": "json", "value": {"colour": "red"}},
                    }
                ],
            },
        ]
    )
    assert parts(messages) == [
        ("user", [{"type": "blob", "modality": "image", "mime_type": "image/png", "content": PNG}]),
        (
            "assistant",
            [
                {"type": "reasoning", "content": "Hm."},
                {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}},
            ],
        ),
        ("tool", [{"type": "tool_call_response", "id": "c1", "response": {"colour": "red"}, "toolName": "look"}]),
    ]


def test_text_that_merely_repeats_a_tool_call_is_dropped() -> None:
    """Frameworks write a call once more as the JSON text of the content; other text stays, JSON or not."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    repeated, other = messages_from(
        [
            {"role": "assistant", "content": '{"name": "f", "arguments": {"a": 1}}', "tool_calls": [call]},
            {"role": "assistant", "content": '{"name": "g", "arguments": {"a": 1}}', "tool_calls": [call]},
        ]
    )
    assert [part.type for part in repeated.parts] == ["tool_call"]
    assert [part.type for part in other.parts] == ["text", "tool_call"]


def test_what_is_not_known_survives_as_it_was() -> None:
    """A block of a type from next year keeps its type and all its properties."""
    (message,) = messages_from({"role": "user", "content": [{"type": "hologram", "depth": 3, "points": [1, 2]}]})
    assert message.to_dict()["parts"] == [{"type": "hologram", "depth": 3, "points": [1, 2]}]


def test_media_that_were_removed_keep_their_type() -> None:
    """A data URL without its content, as redact.yaml leaves it, or with a word in its place, as LiteLLM does, is media
    still, wherever it stands."""
    blocks = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "data:;base64,"}},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "data:;base64,"},
        {"type": "uri", "modality": "image", "uri": "data:image/png;base64,"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,[base64_data truncated: 72B]"}},
    ]
    ((_, found),) = parts(messages_from([{"role": "user", "content": blocks}]))
    assert [(part["type"], part["mime_type"], part["content"]) for part in found] == [
        ("blob", mime_type, "") for mime_type in ("image/png", "image/jpeg", "image/png", "image/png", "image/png")
    ]


@pytest.mark.parametrize("word", ["<replaced>", "__REDACTED__", "[base64_data truncated: 72B]"])
def test_a_word_in_the_place_of_media_is_no_media(word: str) -> None:
    """It stays what it is, and nobody takes it for base64."""
    blocks: list[dict[str, Any]] = [
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": word},
        {"type": "input_audio", "input_audio": {"data": word, "format": "wav"}},
    ]
    assert parts_from(blocks) == tuple(
        GenericPart(block["type"], {name: value for name, value in block.items() if name != "type"}) for block in blocks
    )


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("HumanMessage", "user"),
        ("AIMessageChunk", "assistant"),
        ("model", "assistant"),
        ("developer", "system"),
        ("function", "tool"),
        ("USER", "user"),
        (None, "user"),
        ("", "user"),
    ],
)
def test_roles_in_the_conventions_words(role: Any, expected: str) -> None:
    """Class names of LangChain and the providers' words become system, user, assistant or tool."""
    assert role_of(role) == expected


PROPERTIES = [
    *("role", "type", "content", "parts", "text", "message", "delta", "lc", "kwargs", "id", "tool_calls", "function"),
    *("arguments", "name", "input", "output", "image", "image_url", "source", "data", "url", "reasoning", "summary"),
    *("functionCall", "toolUse", "toolResult", "generation_info"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.sampled_from(PROPERTIES) | st.text(max_size=3),
            children,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=500, deadline=None)
@given(JSON)
def test_no_json_value_raises(value: Any) -> None:
    """Whatever stands where messages were meant, the result is messages that can be written as JSON values."""
    for message in (*messages_from(value), *output_messages_from(value)):
        assert Message.from_dict(message.to_dict()).role == message.role
