"""Inline media: what is small stays, of what is large type and size stay."""

from __future__ import annotations

import base64

import pytest

from otel_labelstudio.calls import BlobPart, GenericPart, LLMCall, Message, Part, TextPart, UriPart
from otel_labelstudio.filters.large_media import without_large_media
from otel_labelstudio.media import media_bytes
from otel_labelstudio.tasks.render import part_text

IMAGE = base64.b64encode(bytes(3000)).decode()


def call_with(part: Part) -> LLMCall:
    return LLMCall(
        trace_id="a" * 32,
        span_id="b" * 16,
        start_time_unix_nano=1,
        end_time_unix_nano=2,
        dialect="test",
        operation="chat",
        input_messages=(Message("user", (TextPart("See?"), part)),),
    )


PARTS = [
    pytest.param(BlobPart("image", IMAGE, "image/png", {"detail": "high"}), id="blob"),
    pytest.param(UriPart("image", f"data:image/png;base64,{IMAGE}", "image/png"), id="data URL"),
    pytest.param(GenericPart("movie", {"frames": [{"data": IMAGE}], "name": "m"}), id="unknown part"),
]


@pytest.mark.parametrize("part", PARTS)
def test_a_call_with_small_media_is_left_alone(part: Part) -> None:
    """The bytes are in the call, as they came."""
    call = call_with(part)
    assert without_large_media(call, 10_000) is call


@pytest.mark.parametrize("part", PARTS)
def test_of_large_media_the_bytes_go(part: Part) -> None:
    """Everything else stays, and the size is known: also after a way through the outbox, and asked for once more."""
    slim = without_large_media(call_with(part), 1000)
    text, left = slim.input_messages[0].parts
    assert text == TextPart("See?")
    assert IMAGE not in str(slim.to_dict())
    assert media_bytes(left) >= media_bytes(part) > 1000
    assert LLMCall.from_dict(slim.to_dict()) == slim
    assert without_large_media(slim, 1000) == slim
    assert left.extra.keys() - {"omitted_bytes"} == part.extra.keys()


def test_a_labeler_sees_type_and_size() -> None:
    """In the dialogue stands a placeholder, the same whether the bytes are there or not."""
    (_, whole), (_, slim) = (
        call.input_messages[0].parts
        for call in (call_with(PARTS[0].values[0]), without_large_media(call_with(PARTS[0].values[0]), 1000))  # type: ignore[arg-type]
    )
    assert part_text(whole) == part_text(slim) == "[image/png, 3 KiB]"
    removed = BlobPart("image", "", "image/png")  # before it came here, by a Collector
    assert part_text(removed) == "[image/png, removed]"
