"""Images, audio, video and documents in every provider's form, as blob, uri and file parts."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from otel_labelstudio.calls import BlobPart, FilePart, GenericPart, JSONObject, Part, UriPart

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w.+=-]+?)*;base64,", re.IGNORECASE)
# http, https, gs, s3, file, mlflow-attachment ...; at least two letters, so that no drive letter is a scheme
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_MAX_DEPTH = 4

_MODALITIES = ("image", "audio", "video")
_DATA = (
    "data",
    "base64",
    "bytes",
    "binary_content",
    "base64_image",
    "base64_data",
    "file_data",
    "fileData",
    "content",
    "image",
    "audio",
    "video",
    "document",
    "file",
)
_URL = ("url", "uri", "file_uri", "fileUri", "file_url", "image_url", "video_url", "audio_url")
_FILE_ID = ("file_id", "fileId")
_MIME_TYPE = ("mime_type", "media_type", "mimeType", "mediaType", "contentType", "format")
_WRAPPERS = (
    *("image_url", "video_url", "audio_url", "input_audio", "source", "file", "image", "audio", "video", "document"),
    *("inlineData", "inline_data", "fileData", "file_data", "s3Location", "media"),
)
_KNOWN = frozenset((*_DATA, *_URL, *_FILE_ID, *_MIME_TYPE, *_WRAPPERS, "type", "source_type", "modality"))


def is_place_holder(held: str) -> bool:
    """Whether it only says that something was there: "<replaced>", "__REDACTED__", "[base64_data truncated: 72B]"
    (LiteLLM). Neither base64 nor an address begins like these."""
    return held.startswith(("<", "__", "["))


def media_part(block: JSONObject) -> Part:
    """A media block as a part; one that holds neither bytes nor an address nor an id stays as it was."""
    layers = list(_layers(block))
    kind = block.get("type") if isinstance(block.get("type"), str) else next(iter(block), "unknown")
    mime_type = _mime_type(layers, str(kind))
    modality = _modality(mime_type, str(kind), block)
    extra = {
        str(name): value
        for layer in layers
        for name, value in layer.items()
        if name not in _KNOWN and value not in (None, "", [], {}) and not (name == "id" and _is_id_source(layer))
    }
    if (file_id := _text(layers, _FILE_ID) or _id(layers)) is not None:
        return FilePart(modality, file_id, mime_type, extra)
    held = _text(layers, (*_URL, *_DATA)) or _buffer(layers)
    if held is None or is_place_holder(held):
        return GenericPart(str(kind), {str(name): value for name, value in block.items() if name != "type"})
    return _held(held, modality, mime_type, extra)


def _held(held: str, modality: str, mime_type: str | None, extra: JSONObject) -> Part:
    data_url = _DATA_URL.match(held)
    if data_url:
        mime_type = data_url.group(1) or mime_type
        content = held[data_url.end() :]
        content = "" if is_place_holder(content) else content
        return BlobPart(_modality(mime_type, modality, {}), content, mime_type, extra)
    if held.startswith("@@@langfuseMedia:"):  # "@@@langfuseMedia:type=image/png|id=...|source=...@@@"
        mime_type = held.partition("type=")[2].partition("|")[0] or mime_type
        return UriPart(_modality(mime_type, modality, {}), held, mime_type, extra)
    if _ADDRESS.match(held) or held.startswith("data:"):
        return UriPart(modality, held, mime_type, extra)
    return BlobPart(modality, held, mime_type, extra)


def _layers(block: JSONObject) -> Iterator[JSONObject]:
    """The block and the objects nested in it that only wrap the media: Anthropic's source, Gemini's inlineData ..."""
    layer: Any = block
    for _ in range(_MAX_DEPTH):
        yield layer
        layer = next((layer[name] for name in _WRAPPERS if isinstance(layer.get(name), dict)), None)
        if layer is None:
            return


def _text(layers: list[JSONObject], names: tuple[str, ...]) -> str | None:
    found = (layer.get(name) for layer in reversed(layers) for name in names)
    return next((value for value in found if isinstance(value, str) and value), None)


def _is_id_source(layer: JSONObject) -> bool:
    return layer.get("source_type") == "id"


def _id(layers: list[JSONObject]) -> str | None:
    # LangChain 0.3: {"type": "image", "source_type": "id", "id": ...}
    found = (layer.get("id") for layer in layers if _is_id_source(layer))
    return next((value for value in found if isinstance(value, str)), None)


def _buffer(layers: list[JSONObject]) -> str | None:
    """Bytes that JavaScript wrote as {"type": "Buffer", "data": [..]} or {"0": .., "1": ..}, in base64."""
    for layer in reversed(layers):
        numbers = layer.get("data", layer)
        if isinstance(numbers, dict) and "data" in numbers:
            numbers = numbers["data"]
        values = list(numbers.values()) if isinstance(numbers, dict) and "0" in numbers else numbers
        if isinstance(values, list) and values and all(isinstance(n, int) and 0 <= n < 256 for n in values):
            return base64.b64encode(bytes(values)).decode()
    return None


def _mime_type(layers: list[JSONObject], kind: str) -> str | None:
    named = _text(layers, _MIME_TYPE)
    if named is None or "/" in named:
        return named
    modality = next((m for m in _MODALITIES if m in kind), None)  # OpenAI's "wav", Bedrock's "png"
    return f"{modality}/{named}" if modality else None


def _modality(mime_type: str | None, kind: str, block: JSONObject) -> str:
    if isinstance(block.get("modality"), str):
        return str(block["modality"])
    family = (mime_type or "").split("/")[0]
    if family in _MODALITIES:
        return family
    return next((m for m in _MODALITIES if m in kind), "document")
